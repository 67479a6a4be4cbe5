//! The admin listener: metrics, and whether the process lives and is ready.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Shared, exposition};
use crate::peers::Reachable;

pub(super) async fn metrics(State(served): State<Shared>, headers: HeaderMap) -> Response {
    let not_in_force = served.book.borrow().not_in_force.len();
    served.metrics.stands_now(&served.inbox.standing(), served.clock.wall(), not_in_force);
    exposition::negotiated(&headers, served.metrics.text(served.inbox.depth())).into_response()
}

/// The process answers; whether it is of use is what `/readyz` says.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(served): State<Shared>) -> Response {
    let detail = detail(&served);
    let status =
        if detail["ready"] == json!(true) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(detail)).into_response()
}

/// How everything stands, in one object.
pub(super) fn detail(served: &Shared) -> Value {
    let standing = served.inbox.standing();
    let book = served.book.borrow().clone();
    let now = served.clock.wall();
    let stands_still = standing.stands_still_until.filter(|until| now < *until).map(|until| {
        json!({
            "until": until,
            "why": "records were made while the wall clock ran ahead, and time never decreases",
            "hint": "nothing acts; it goes on by itself then. Where that is too long, stop the daemon and begin with \
                     an empty data folder and --mode approve; keep the old folder for the audit",
        })
    });
    let seen = |peer: &watch::Receiver<Reachable>| peer.borrow().clone();
    let prometheus = served.others.prometheus.as_ref().map(seen);
    let cluster = served.others.kubernetes.as_ref();
    json!({
        "ready": standing.is_ready(),
        "version": served.version,
        "journal": standing.journal,
        "book": {
            "digest": standing.book,
            "policies": standing.policies,
            "from": book.from,
            "broken": book.broken,
        },
        "notInForce": book.not_in_force,
        "leader": standing.leader,
        "clockSteppedMs": standing.clock_stepped_ms,
        "timeStandsStill": stands_still,
        "storm": standing.storm.as_ref().map(|(since, why)| json!({"since": since, "why": why})),
        "prometheus": prometheus,
        "kubernetes": cluster.map(|cluster| &cluster.url),
        "clusterUid": cluster.and_then(|cluster| cluster.uid.borrow().clone()),
        "kubernetesAnswers": cluster.map(|cluster| seen(&cluster.reachable)),
        "simulated": served.others.simulated,
        "inbox": served.inbox.depth(),
        "next": standing.next,
        "now": now,
        "lastRecordAt": (standing.next.0 > 1).then_some(standing.now),
        "open": {
            "episodes": standing.episodes_open,
            "cases": standing.cases,
            "proposals": standing.proposals,
            "inFlight": standing.in_flight,
            "leases": standing.leases,
            "pauses": standing.pauses,
            "quarantined": standing.quarantined,
        },
    })
}
