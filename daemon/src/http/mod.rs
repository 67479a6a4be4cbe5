//! What answers over HTTP: the webhook and the API on one listener, metrics and health on another. It must never
//! answer 200 to a webhook before its records are durable, and never show what is not.

mod admin;
mod api;
mod by_hand;
mod doubt;
mod error;
mod explain;
mod exposition;
mod held;
mod in_force;
mod lists;
mod openapi;
mod orders;
mod paging;
mod runs;
mod stream;
pub mod tokens;
mod webhook;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use paramedic_remediations::ports::world::World;
use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::driver::Inbox;
use crate::metrics::Metrics;
use crate::peers::Reachable;
use crate::redaction::Redactor;
use crate::reload::{BookStatus, Reloads};
pub use error::ApiError;
pub use explain::AT_ONCE as EXPLANATIONS_AT_ONCE;
pub use orders::reload_by_signal;
use tokens::{Role, Tokens};
pub use webhook::{BODY_BYTES_MAX, BODY_MEMORY_KIB};

/// What the handlers work with.
pub struct Served {
    /// The way to the driver.
    pub inbox: Inbox,
    /// Who may do what.
    pub tokens: Arc<Tokens>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// For alerts that do not say since when they fire, and for `for:` of pauses.
    pub clock: Arc<dyn Clock>,
    /// Hides secrets.
    pub redactor: Redactor,
    /// Loads policies again.
    pub reloads: Reloads,
    /// How the book in force came about.
    pub book: watch::Receiver<BookStatus>,
    /// Others that the daemon talks to.
    pub others: Others,
    /// Answers the questions of explanations.
    pub world: Arc<dyn World>,
    /// Places for explanations.
    pub explanations: Semaphore,
    /// Memory for bodies under way, in KiB.
    pub body_memory: Arc<Semaphore>,
    /// Version of the program.
    pub version: String,
}

/// Others that the daemon talks to, for `/readyz` and `/api/v1/status`.
#[derive(Debug, Clone)]
pub struct Others {
    /// How the last query went; `None` where there is no Prometheus.
    pub prometheus: Option<watch::Receiver<Reachable>>,
    /// The cluster; `None` without Kubernetes.
    pub kubernetes: Option<ClusterSeen>,
    /// Whether a world stands in the place of both, as in the demo.
    pub simulated: bool,
}

/// The cluster that the daemon acts on.
#[derive(Debug, Clone)]
pub struct ClusterSeen {
    /// Its API server.
    pub url: String,
    /// What it is, once that is known: [`paramedic_remediations::identity`].
    pub uid: watch::Receiver<Option<String>>,
    /// How the last look whether it answers went.
    pub reachable: watch::Receiver<Reachable>,
}

/// What handlers share.
pub type Shared = Arc<Served>;

/// The routes of the public listener.
pub fn public(served: Shared) -> Router {
    let role = |role: Role| from_fn_with_state((Arc::clone(&served), role), tokens::allow);
    let ingest = Router::new()
        .route("/webhook/alertmanager", post(webhook::alertmanager))
        .route_layer(role(Role::Ingest));
    let read = Router::new()
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/records", get(api::records))
        .route("/api/v1/records/{seq}", get(api::record))
        .route("/api/v1/verify", get(api::verify))
        .route("/api/v1/episodes", get(lists::episodes))
        .route("/api/v1/cases", get(lists::cases))
        .route("/api/v1/policies", get(lists::policies))
        .route("/api/v1/proposals", get(in_force::proposals))
        .route("/api/v1/intents", get(in_force::intents))
        .route("/api/v1/leases", get(in_force::leases))
        .route("/api/v1/pages", get(in_force::pages))
        .route("/api/v1/pauses", get(in_force::pauses))
        .route("/api/v1/held", get(held::held))
        .route("/api/v1/runs", get(runs::runs))
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/explain", post(explain::explain))
        .route_layer(role(Role::Read));
    let operate = Router::new()
        .route("/api/v1/proposals/{id}/approve", post(orders::approve))
        .route("/api/v1/proposals/{id}/deny", post(orders::deny))
        .route("/api/v1/pages/{id}/acknowledge", post(orders::acknowledge))
        .route("/api/v1/pauses", post(orders::pause))
        .route("/api/v1/resume", post(orders::resume))
        .route("/api/v1/clock/accept", post(orders::accept_clock))
        .route("/api/v1/runs", post(by_hand::run))
        .route("/api/v1/runs/{id}/cancel", post(runs::cancel))
        .route("/api/v1/intents/{id}/undo", post(by_hand::undone))
        .route("/-/reload", post(orders::reload))
        .route_layer(role(Role::Operate));
    let open = Router::new().route("/api/v1/openapi.json", get(openapi::document));
    ingest
        .merge(read)
        .merge(operate)
        .merge(open)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&served), counted))
        .layer(from_fn(harmless_headers))
        .with_state(served)
}

/// The routes of the admin listener: no tokens, so it belongs on loopback or behind a network policy.
pub fn admin(served: Shared) -> Router {
    Router::new()
        .route("/metrics", get(admin::metrics))
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(served)
}

/// Counts answers.
async fn counted(State(served): State<Shared>, request: Request, next: Next) -> Response {
    let is_webhook = request.uri().path().starts_with("/webhook/");
    let response = next.run(request).await;
    let code = response.status().as_u16();
    if is_webhook {
        served.metrics.webhook(code)
    } else {
        served.metrics.api_request(code)
    }
    response
}

/// No answer is to be guessed at, framed or cached by a browser.
async fn harmless_headers(request: Request, next: Next) -> Response {
    use axum::http::{HeaderValue, header};
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
