//! Connections of one listener: so many at once, headers and bodies within a time, and a quiet end. A sender that is slow
//! on purpose must never take the places of all others for good.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; more wait in the system's queue until one ends.
    pub(super) connections: usize,
    /// From the moment a request may come until its headers are there; an idle connection ends after it too.
    pub(super) headers_within: Duration,
    /// From then until its body is there.
    pub(super) body_within: Duration,
}

/// Alertmanager, people and their streams need a few; an ordinary limit of 1,024 open files must hold them beside the
/// journal.
const CONNECTIONS_MAX: usize = 512;

/// Prometheus, kubelet and a person.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// More than the usual minute between two scrapes, so that a connection which is kept for the next one is not cut just
/// before it.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// A webhook has 30 s for its largest body; nothing else is as large.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// For webhook and API.
pub(super) const PUBLIC: Limits =
    Limits { connections: CONNECTIONS_MAX, headers_within: HEADERS_WITHIN, body_within: BODY_WITHIN };

/// For metrics and health.
pub(super) const ADMIN: Limits = Limits { connections: ADMIN_CONNECTIONS_MAX, ..PUBLIC };

/// How long to wait after the system had no file or memory left for a connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Being full is said at most this often.
const SAY_FULL_EVERY: Duration = Duration::from_secs(60);

/// Answers until `drain` turns true, and until the requests under way have ended then.
pub(super) async fn answer(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    drain: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut said: Option<Instant> = None;
    loop {
        if places.available_permits() == 0 && said.is_none_or(|said| said.elapsed() >= SAY_FULL_EVERY) {
            said = Some(Instant::now());
            tracing::warn!(connections = limits.connections, "all connections are in use; new ones wait");
        }
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place.expect("the places are never closed"), listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = ordered(drain.clone()) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, router.clone(), limits, drain.clone(), place);
                connections.spawn(connection);
            }
            Err(error) if is_theirs(&error) => {}
            Err(error) => {
                tracing::error!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Whether the other side has gone again.
fn is_theirs(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn ordered(mut drain: watch::Receiver<bool>) {
    drop(drain.wait_for(|drain| *drain).await.map(|_| ()));
}

async fn serve(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    drain: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let request = request.map(|body| within(body, limits.body_within));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers_within)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = ordered(drain) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
    drop(place);
}

/// A body that must be there in time.
fn within(body: Incoming, time: Duration) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(Timely { body, late: Box::pin(tokio::time::sleep(time)), time })
}

struct Timely {
    body: Incoming,
    late: Pin<Box<Sleep>>,
    time: Duration,
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        std::task::ready!(self.late.as_mut().poll(context));
        let problem = format!("it did not come within {} s", self.time.as_secs());
        Poll::Ready(Some(Err(axum::Error::new(std::io::Error::new(std::io::ErrorKind::TimedOut, problem)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    struct Fixture {
        address: SocketAddr,
        drain: watch::Sender<bool>,
        task: JoinHandle<()>,
    }

    async fn start(limits: Limits) -> Fixture {
        // For the client; only the first of a process installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        let router =
            Router::new().route("/", get(async || "here")).route("/echo", post(async |body: String| body));
        let (drain, draining) = watch::channel(false);
        Fixture { address, drain, task: tokio::spawn(answer(listener, router, limits, draining)) }
    }

    /// Long for a test to notice, short for one to wait.
    const BRIEF: Duration = Duration::from_millis(300);

    impl Fixture {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.expect("it listens")
        }

        async fn stop(self) {
            self.drain.send_replace(true);
            tokio::time::timeout(PATIENCE, self.task).await.expect("in time").expect("no panic");
        }
    }

    /// What comes until the other side closes.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
        // A reset is an end too.
        drop(read.expect("it is closed in time"));
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn slow_headers_are_cut_off_and_give_their_places_back() {
        let fixture = start(Limits { connections: 2, headers_within: BRIEF, ..PUBLIC }).await;
        let mut slow = [fixture.connect().await, fixture.connect().await];
        for stream in &mut slow {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.expect("taken");
        }
        // All places are taken: this one waits until they are given back.
        let url = format!("http://{}/", fixture.address);
        let answer =
            tokio::time::timeout(PATIENCE, reqwest::get(url)).await.expect("in time").expect("answered");
        assert_eq!(answer.text().await.expect("whole"), "here");
        for stream in &mut slow {
            assert!(!rest(stream).await.contains("200"), "nothing was asked");
        }
        fixture.stop().await;
    }

    #[tokio::test]
    async fn a_slow_body_is_cut_off() {
        let fixture = start(Limits { body_within: BRIEF, ..PUBLIC }).await;
        let mut slow = fixture.connect().await;
        let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
        slow.write_all(head).await.expect("taken");
        let answer = rest(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("it did not come within"), "{answer}");
        let client = reqwest::Client::new();
        let answer = client.post(format!("http://{}/echo", fixture.address)).body("whole").send().await;
        assert_eq!(answer.expect("answered").text().await.expect("whole"), "whole");
        fixture.stop().await;
    }

    #[tokio::test]
    async fn more_connections_than_there_are_places_wait() {
        let fixture = start(Limits { connections: 1, ..PUBLIC }).await;
        let mut first = fixture.connect().await;
        first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
        let mut head = [0_u8; 12];
        tokio::time::timeout(PATIENCE, first.read_exact(&mut head))
            .await
            .expect("in time")
            .expect("answered");
        assert_eq!(&head, b"HTTP/1.1 200");
        let mut second = fixture.connect().await;
        second.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("queued");
        let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut head)).await;
        assert!(early.is_err(), "the only place is taken");
        drop(first);
        assert!(rest(&mut second).await.ends_with("here"));
        fixture.stop().await;
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let fixture = start(PUBLIC).await;
        let _idle = fixture.connect().await;
        let url = format!("http://{}/", fixture.address);
        assert_eq!(reqwest::get(url).await.expect("answered").status(), 200);
        fixture.stop().await;
    }
}
