//! Something between the daemon and the API server that fails on purpose: it speaks plain HTTP on loopback, forwards
//! with the caller's own token, and counts what would change something. It must never repeat a request.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use paramedic_tests::control_plane::ControlPlane;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of the next changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Forwarded, and answered.
    None,
    /// Forwarded, and the connection is cut instead of an answer.
    CutAfter,
    /// The connection is cut, and nothing forwarded.
    CutBefore,
    /// Answered `429` with a `Retry-After`, as by flow control, and not forwarded.
    TooManyRequests,
}

/// The proxy; it ends with the test's runtime.
pub(super) struct Proxy {
    pub(super) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    to: String,
    client: reqwest::Client,
    fault: Mutex<Fault>,
    changes: AtomicU32,
}

impl Proxy {
    pub(super) async fn before(cluster: &ControlPlane) -> Self {
        paramedic_tests::tls::install();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .build()
            .expect("a client with fixed settings can be built");
        let inner =
            Inner { to: cluster.url(), client, fault: Mutex::new(Fault::None), changes: AtomicU32::new(0) };
        let inner = Arc::new(inner);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        Self { url, inner }
    }

    pub(super) fn fails(&self, fault: Fault) {
        *self.inner.fault.lock().expect("no test panicked") = fault;
    }

    /// How many changes came in so far: whatever writes and is no dry run.
    pub(super) fn changes(&self) -> u32 {
        self.inner.changes.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// Serves one connection until either side has had enough; any surprise ends it.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.ok()?);
            }
            let head = String::from_utf8(head).ok()?;
            let mut lines = head.lines();
            let mut request = lines.next()?.split(' ');
            let (method, path) = (request.next()?, request.next()?);
            let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
            let header = |name: &str| {
                headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
            };
            let mut body = vec![0; header("content-length").map_or(Some(0), |text| text.parse().ok())?];
            stream.read_exact(&mut body).await.ok()?;

            let mut fault = Fault::None;
            // A review is a question, whatever its method is.
            let writes = method != "GET" && !path.contains("dryRun=") && !path.contains("reviews");
            if writes {
                self.changes.fetch_add(1, Ordering::SeqCst);
                fault = *self.fault.lock().ok()?;
            }
            if fault == Fault::CutBefore {
                return None;
            }
            if fault == Fault::TooManyRequests {
                let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            let mut forwarded =
                self.client.request(method.parse().ok()?, format!("{}{path}", self.to)).body(body);
            for name in ["authorization", "content-type", "accept", "impersonate-user"] {
                if let Some(value) = header(name) {
                    forwarded = forwarded.header(name, value);
                }
            }
            let answer = forwarded.send().await.ok()?;
            let status = answer.status();
            let body = answer.bytes().await.ok()?;
            if fault == Fault::CutAfter {
                return None;
            }
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
        }
    }
}
