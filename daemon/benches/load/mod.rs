//! The other side: connections that stay open and post webhooks built beforehand, on a thread of their own, as cheaply
//! as possible. It must never count an answer other than 200.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where webhooks are posted.
pub(crate) const PATH: &str = "/webhook/alertmanager";

/// The `alertname` of every alert.
pub(crate) const ALERTNAME: &str = "MaestroHighErrorRate";

/// What is posted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Each connection posts its own alerts again and again.
    Repeats,
    /// Every alert is one that was never seen, numbered from here.
    New { from: usize },
    /// The end of those.
    Resolved { from: usize },
}

/// How it is posted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) alerts: usize,
}

/// What was answered with 200.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posted {
    pub(crate) webhooks: usize,
    pub(crate) took: Duration,
}

impl Posted {
    pub(crate) fn rate(&self) -> f64 {
        self.webhooks as f64 / self.took.as_secs_f64()
    }
}

impl Load {
    /// Posts until `within` is over or `most` webhooks are answered.
    pub(crate) async fn post(self, to: SocketAddr, kind: Kind, within: Duration, most: usize) -> Posted {
        let (done, answered) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // Whoever waits unwraps below.
            let _ = done.send(runtime.block_on(self.run(to, kind, within, most)));
        });
        answered.await.unwrap()
    }

    async fn run(self, to: SocketAddr, kind: Kind, within: Duration, most: usize) -> Posted {
        let mut streams = Vec::new();
        for connection in 0..self.connections {
            let stream = TcpStream::connect(to).await.unwrap();
            stream.set_nodelay(true).unwrap();
            streams.push((connection, stream));
        }
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|(connection, stream)| {
                let next = Arc::clone(&next);
                tokio::spawn(async move {
                    let mut post = Post::new(stream, self.alerts, matches!(kind, Kind::Resolved { .. }));
                    let mut webhooks = 0;
                    while began.elapsed() < within {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= most {
                            break;
                        }
                        let first = match kind {
                            // Far from the new ones.
                            Kind::Repeats => 900_000_000 + connection * self.alerts,
                            Kind::New { from } | Kind::Resolved { from } => from + number * self.alerts,
                        };
                        post.send(first).await;
                        webhooks += 1;
                    }
                    webhooks
                })
            })
            .collect();
        let mut webhooks = 0;
        for task in tasks {
            webhooks += task.await.unwrap();
        }
        Posted { webhooks, took: began.elapsed() }
    }
}

/// One connection and its request, in which only the numbers of the alerts change.
struct Post {
    stream: TcpStream,
    request: Vec<u8>,
    /// Where each alert's number stands.
    numbers: Vec<usize>,
    first: Option<usize>,
    answer: Vec<u8>,
}

const DIGITS: usize = 10;
const PLACE: &str = "##########";

impl Post {
    fn new(stream: TcpStream, alerts: usize, resolved: bool) -> Self {
        let (status, ends) = if resolved {
            ("resolved", "2026-11-21T09:30:00.000Z")
        } else {
            ("firing", "0001-01-01T00:00:00Z")
        };
        let alert = format!(
            r#"{{"status":"{status}","labels":{{"alertname":"{ALERTNAME}","cluster":"prod-eu-1","deployment":"conductor","instance":"10.244.10.12:8080","job":"maestro-conductor","namespace":"maestro","pod":"conductor-{PLACE}","severity":"critical","team":"workflow"}},"annotations":{{"description":"5xx ratio of conductor has been above 5% for 2 minutes","runbook_url":"https://runbooks.example.com/conductor/high-error-rate","summary":"conductor answers with errors"}},"startsAt":"2026-11-21T08:30:00.120Z","endsAt":"{ends}","generatorURL":"http://prometheus.example.com/graph?g0.expr=job%3Ahttp_5xx%3Aratio5m&g0.tab=1","fingerprint":"c0ffee{PLACE}"}}"#
        );
        let body = format!(
            r#"{{"version":"4","groupKey":"{{}}:{{alertname=\"{ALERTNAME}\"}}","truncatedAlerts":0,"status":"{status}","receiver":"paramedic","groupLabels":{{"alertname":"{ALERTNAME}"}},"commonLabels":{{"alertname":"{ALERTNAME}","severity":"critical"}},"commonAnnotations":{{}},"externalURL":"http://alertmanager.example.com","alerts":[{}]}}"#,
            vec![alert; alerts].join(",")
        );
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Alertmanager/0.31.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let numbers = request.match_indices(PLACE).map(|(at, _)| at).collect();
        Self { stream, request: request.into_bytes(), numbers, first: None, answer: Vec::new() }
    }

    async fn send(&mut self, first: usize) {
        if self.first != Some(first) {
            // Twice in each alert: in its pod's name and in its fingerprint.
            for (place, at) in self.numbers.iter().enumerate() {
                let mut number = first + place / 2;
                for digit in self.request[*at..*at + DIGITS].iter_mut().rev() {
                    *digit = b'0' + (number % 10) as u8;
                    number /= 10;
                }
            }
            self.first = Some(first);
        }
        self.stream.write_all(&self.request).await.unwrap();
        read(&mut self.stream, &mut self.answer).await;
    }
}

/// Reads one answer, which must be a 200; returns where its body begins.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> usize {
    answer.clear();
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(answer));
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap();
            while answer.len() < end + 4 + length {
                assert_ne!(stream.read_buf(answer).await.unwrap(), 0, "the answer broke off");
            }
            return end + 4;
        }
        assert_ne!(stream.read_buf(answer).await.unwrap(), 0, "no answer");
    }
}

/// The body of a page.
pub(crate) async fn get(from: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(from).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let body = read(&mut stream, &mut answer).await;
    String::from_utf8_lossy(&answer[body..]).into_owned()
}
