//! Senders that are slow, and what they may not keep others from: real sockets on loopback.

use std::net::SocketAddr;

use axum::Extension;
use axum::routing::{get, post};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

struct Fixture {
    address: SocketAddr,
    drain: watch::Sender<bool>,
    task: JoinHandle<()>,
    go_on: Arc<Notify>,
}

/// Headers without an end.
const HALF: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ";

async fn start(limits: Limits) -> Fixture {
    // For the client; only the first of a process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let go_on = Arc::new(Notify::new());
    let gone_on = Arc::clone(&go_on);
    let known = async move |Extension(OnceKnown(tell)): Extension<OnceKnown>| {
        tell();
        let end = async move {
            gone_on.notified().await;
            Ok("ended")
        };
        let parts = futures::stream::iter([Ok("begun")]).chain(futures::stream::once(end));
        Body::from_stream(parts.map(|part: Result<_, Infallible>| part))
    };
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/known", get(known))
        .route("/echo", post(async |body: String| body));
    let (drain, draining) = watch::channel(false);
    let task = tokio::spawn(answer(listener, router, limits, draining));
    Fixture { address, drain, task, go_on }
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

/// Reads until this has come.
async fn until(stream: &mut TcpStream, wanted: &str) {
    let mut text = String::new();
    let read = async {
        let mut chunk = [0_u8; 1024];
        while !text.contains(wanted) {
            let many = stream.read(&mut chunk).await.expect("it is open");
            assert_ne!(many, 0, "it ended with {text}");
            text += &String::from_utf8_lossy(&chunk[..many]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("in time");
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
    let fixture = start(Limits { first_headers_within: BRIEF, ..PUBLIC }).await;
    let mut slow = [fixture.connect().await, fixture.connect().await];
    for stream in &mut slow {
        stream.write_all(HALF).await.expect("taken");
    }
    for stream in &mut slow {
        assert!(!rest(stream).await.contains("200"), "nothing was asked");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn slow_headers_of_a_later_request_are_cut_off_too() {
    let fixture = start(Limits { headers_within: BRIEF, ..PUBLIC }).await;
    let mut slow = fixture.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n").await.expect("taken");
    assert_eq!(rest(&mut slow).await.matches("200").count(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn whoever_asks_gets_the_place_of_one_who_does_not() {
    let fixture = start(Limits { connections: 3, ..PUBLIC }).await;
    // A stream of somebody known, and a connection that is kept for the next request.
    let mut known = fixture.connect().await;
    known.write_all(b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
    until(&mut known, "begun").await;
    let mut kept = fixture.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
    until(&mut kept, "here").await;
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut half = fixture.connect().await;
        half.write_all(HALF).await.expect("taken");
        halves.push(half);
    }
    // Far sooner than any of them is late.
    let url = format!("http://{}/", fixture.address);
    let answer = tokio::time::timeout(FIRST_HEADERS_WITHIN / 2, reqwest::get(url)).await;
    let answer = answer.expect("in time").expect("answered");
    assert_eq!(answer.text().await.expect("whole"), "here");
    // Those who asked something are still served.
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
    until(&mut kept, "here").await;
    fixture.go_on.notify_one();
    until(&mut known, "ended").await;
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
async fn where_all_serve_somebody_known_others_wait() {
    let fixture = start(Limits { connections: 1, ..PUBLIC }).await;
    let mut first = fixture.connect().await;
    first.write_all(b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
    until(&mut first, "begun").await;
    let mut head = [0_u8; 12];
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
