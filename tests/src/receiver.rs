//! A webhook receiver of the test: it keeps what comes and answers as told. It must never lose a request that
//! it has answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::ports::listen;
use crate::waiting::eventually;

/// The largest body that a test looks at.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, as text where it is none.
    pub body: Value,
}

impl Received {
    /// Reads all of a request.
    pub async fn read(request: Request) -> Self {
        let (head, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Self {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        }
    }
}

/// The running receiver; dropping it ends it.
#[derive(Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    shared: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Kept {
    requests: Vec<Received>,
    answer: StatusCode,
}

impl WebhookReceiver {
    /// Starts one on a free port; it answers 200 to everything.
    pub async fn start() -> Self {
        let kept = Kept { requests: Vec::new(), answer: StatusCode::OK };
        let shared = Arc::new(Mutex::new(kept));
        let routes = Router::new().fallback(keep).with_state(shared.clone());
        let (listener, address) = listen().await;
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("a bound listener serves");
        });
        Self { address, shared, task }
    }

    /// Where it takes webhooks.
    pub fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// Answers with that status from now on.
    pub fn answer_with(&self, status: u16) {
        self.kept().answer = StatusCode::from_u16(status).expect("a status between 100 and 999");
    }

    /// All requests until now.
    pub fn received(&self) -> Vec<Received> {
        self.kept().requests.clone()
    }

    /// The alerts of all webhooks until now, in their order.
    pub fn alerts(&self) -> Vec<Value> {
        self.received()
            .iter()
            .filter_map(|request| request.body.get("alerts")?.as_array().cloned())
            .flatten()
            .collect()
    }

    /// Waits for an alert of that name and status (`firing`, `resolved`), and gives its webhook.
    pub async fn receives(&self, alertname: &str, status: &str, deadline: Duration) -> Received {
        let what = format!("a webhook with {alertname} {status}");
        eventually(deadline, &what, async || {
            let all = self.received();
            let is_it =
                |alert: &Value| alert["labels"]["alertname"] == alertname && alert["status"] == status;
            all.iter()
                .find(|request| {
                    request.body["alerts"].as_array().is_some_and(|alerts| alerts.iter().any(is_it))
                })
                .cloned()
                .ok_or_else(|| format!("{} webhooks: {:?}", all.len(), self.alerts()))
        })
        .await
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(State(shared): State<Arc<Mutex<Kept>>>, request: Request) -> StatusCode {
    let received = Received::read(request).await;
    let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
    kept.requests.push(received);
    kept.answer
}
