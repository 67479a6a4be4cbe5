//! Connections of one listener: so many at once, headers and bodies within a time, and a quiet end. A sender that is slow
//! on purpose must never take the places of all others, not for a moment.

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
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tower::ServiceExt;

use super::places::{Place, Places, Seat};
use crate::http::tokens::OnceKnown;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; more take the places of those on which nothing is asked.
    pub(super) connections: usize,
    /// From the beginning of a connection until the headers of its first request are there.
    pub(super) first_headers_within: Duration,
    /// From the moment a later request may come until its headers are there; an idle connection ends after it too.
    pub(super) headers_within: Duration,
    /// From then until its body is there.
    pub(super) body_within: Duration,
}

/// Alertmanager, people and their streams need a few; an ordinary limit of 1,024 open files must hold them beside the
/// journal.
const CONNECTIONS_MAX: usize = 512;

/// Prometheus, kubelet and a person.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Whoever connects has something to ask. A proxy may open connections ahead, and opens others then.
const FIRST_HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// More than the usual minute between two scrapes, so that a connection which is kept for the next one is not cut just
/// before it.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// A webhook has 30 s for its largest body; nothing else is as large.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// For webhook and API.
pub(super) const PUBLIC: Limits = Limits {
    connections: CONNECTIONS_MAX,
    first_headers_within: FIRST_HEADERS_WITHIN,
    headers_within: HEADERS_WITHIN,
    body_within: BODY_WITHIN,
};

/// For metrics and health.
pub(super) const ADMIN: Limits = Limits { connections: ADMIN_CONNECTIONS_MAX, ..PUBLIC };

/// How long to wait after the system had no file or memory left for a connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Being full is said at most this often.
pub(super) const SAY_FULL_EVERY: Duration = Duration::from_secs(60);

/// Answers until `drain` turns true, and until the requests under way have ended then.
pub(super) async fn answer(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    drain: watch::Receiver<bool>,
) {
    let places = Places::new(limits.connections);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ordered(drain.clone()) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = tokio::select! {
                    place = places.take() => place,
                    () = ordered(drain.clone()) => break,
                };
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
    place: Place,
) {
    let seat = place.seat();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let under_way = seat.asked();
        let mut request = request.map(|body| within(body, limits.body_within));
        let known = seat.clone();
        request.extensions_mut().insert(OnceKnown(Arc::new(move || known.known())));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response.map(|body| under_way.until_sent(body)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers_within)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = place.taken_away() => return tracing::debug!("a connection made room for another"),
        () = first_is_late(place.seat(), limits.first_headers_within) => {
            return tracing::debug!("a connection ended on which nothing was asked");
        }
        () = ordered(drain) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

/// Resolves where no request came in time.
async fn first_is_late(seat: Seat, within: Duration) {
    tokio::time::sleep(within).await;
    if !seat.is_beginning() {
        std::future::pending::<()>().await;
    }
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
mod tests;
