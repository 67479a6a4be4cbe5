//! A small service of the test: metrics that the test sets and Prometheus scrapes, and Maestro's circuit breakers
//! over HTTP, with faults that can be switched on. It must never answer anything that the test did not set.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::ports::listen;
use crate::receiver::Received;

/// What the service does with requests to its breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// It answers as it should.
    #[default]
    None,
    /// It answers 500 and does nothing.
    Error500,
    /// It does nothing and does not answer, until the caller gives up.
    Hang,
    /// It does what was asked and then drops the connection instead of an answer.
    CloseAfterApplying,
}

/// The running service; dropping it ends it.
#[derive(Debug)]
pub struct MetricsService {
    address: SocketAddr,
    shared: Arc<Mutex<Shown>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shown {
    metrics: BTreeMap<String, f64>,
    counters: BTreeMap<String, f64>,
    breakers: BTreeMap<String, Value>,
    requests: Vec<Received>,
    fault: Fault,
    scrapes_fail: bool,
    heals: BTreeMap<String, (String, f64)>,
}

impl MetricsService {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::<Mutex<Shown>>::default();
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/api/resilience/circuit-breakers", get(list))
            .route("/api/resilience/circuit-breakers/{name}/reset", post(reset))
            .with_state(shared.clone());
        let (listener, address) = listen().await;
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("a bound listener serves");
        });
        Self { address, shared, task }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`, as Prometheus wants its targets.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets a gauge: `series` is a name with or without labels, such as `errors{pod="web-0"}`.
    pub fn set(&self, series: &str, value: f64) {
        self.shown().metrics.insert(series.into(), value);
    }

    /// Adds to a counter, which begins at 0.
    pub fn add(&self, series: &str, more: f64) {
        *self.shown().counters.entry(series.into()).or_default() += more;
    }

    /// Takes a series away.
    pub fn remove(&self, series: &str) {
        let mut shown = self.shown();
        shown.metrics.remove(series);
        shown.counters.remove(series);
    }

    /// Scrapes answer 500 from now on, or again as they should: the series go stale.
    pub fn scrapes_fail(&self, fail: bool) {
        self.shown().scrapes_fail = fail;
    }

    /// Sets a breaker's state, such as `OPEN`, `HALF_OPEN` or `CLOSED`.
    pub fn set_breaker(&self, name: &str, state: &str) {
        let breaker = json!({"name": name, "state": state, "failureCount": 0});
        self.shown().breakers.insert(name.into(), breaker);
    }

    /// The state of a breaker.
    pub fn breaker(&self, name: &str) -> Option<String> {
        Some(self.shown().breakers.get(name)?.get("state")?.as_str()?.to_string())
    }

    /// When that breaker is reset, sets that gauge: the cure of a test's illness.
    pub fn reset_heals(&self, breaker: &str, series: &str, value: f64) {
        self.shown().heals.insert(breaker.into(), (series.into(), value));
    }

    /// What happens to requests for breakers from now on.
    pub fn fault(&self, fault: Fault) {
        self.shown().fault = fault;
    }

    /// All requests for breakers until now, whatever became of them.
    pub fn requests(&self) -> Vec<Received> {
        self.shown().requests.clone()
    }

    /// The requests that asked for a reset.
    pub fn resets(&self) -> Vec<Received> {
        self.requests().into_iter().filter(|request| request.path.ends_with("/reset")).collect()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        lock(&self.shared)
    }
}

impl Drop for MetricsService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<Mutex<Shown>>>;

fn lock(shared: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text format: one `# TYPE` line for each name.
async fn metrics(State(shared): Shared) -> Response {
    let shown = lock(&shared);
    if shown.scrapes_fail {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut text = String::new();
    for (kind, all) in [("gauge", &shown.metrics), ("counter", &shown.counters)] {
        let mut last = "";
        for (series, value) in all {
            let name = series.split('{').next().unwrap_or(series);
            if name != last {
                text.push_str(&format!("# TYPE {name} {kind}\n"));
                last = name;
            }
            text.push_str(&format!("{series} {value}\n"));
        }
    }
    ([("content-type", "text/plain; version=0.0.4")], text).into_response()
}

/// All breakers by name, as Maestro's registry tells them.
async fn list(State(shared): Shared, request: Request) -> Response {
    let received = Received::read(request).await;
    let fault = {
        let mut shown = lock(&shared);
        shown.requests.push(received);
        shown.fault
    };
    match fault {
        Fault::Error500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Hang => hang().await,
        Fault::None | Fault::CloseAfterApplying => {}
    }
    axum::Json(lock(&shared).breakers.clone()).into_response()
}

async fn reset(State(shared): Shared, Path(name): Path<String>, request: Request) -> Response {
    let received = Received::read(request).await;
    let fault = {
        let mut shown = lock(&shared);
        shown.requests.push(received);
        shown.fault
    };
    match fault {
        Fault::Error500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Hang => hang().await,
        Fault::None | Fault::CloseAfterApplying => {}
    }
    let mut shown = lock(&shared);
    let Some(breaker) = shown.breakers.get_mut(&name) else {
        return (StatusCode::NOT_FOUND, axum::Json(json!({"error": "no such circuit breaker"})))
            .into_response();
    };
    breaker["state"] = json!("CLOSED");
    let now = breaker.clone();
    if let Some((series, value)) = shown.heals.get(&name).cloned() {
        shown.metrics.insert(series, value);
    }
    drop(shown);
    if fault == Fault::CloseAfterApplying {
        return broken_off();
    }
    axum::Json(now).into_response()
}

/// Longer than any client of a test waits.
async fn hang() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

/// An answer that breaks off: the server closes the connection before the promised body is complete.
fn broken_off() -> Response {
    let body = Body::from_stream(BreaksOff);
    Response::builder()
        .header("content-length", "1000")
        .body(body)
        .expect("an answer of fixed parts can be built")
}

/// A body that fails at once.
struct BreaksOff;

impl futures::Stream for BreaksOff {
    type Item = Result<Vec<u8>, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("the test broke the connection"))))
    }
}
