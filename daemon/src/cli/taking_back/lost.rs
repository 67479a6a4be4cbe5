//! What is told where the connection is lost on the way, or an order could not be cancelled.

use axum::http::StatusCode;
use axum::routing::{any, post};
use axum::{Json, Router};
use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::cli::waiting::Waiting;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    undo: UndoArgs,
}

/// Takes back 1 to `last`, beside an order that is refused to be cancelled: the error, the data, and what people read.
async fn taken_back(app: Router, last: u64) -> (Failure, Value, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let line = ["undo", "1", "-o", "json", "--server", server.as_str()];
    let how = Line::try_parse_from(line).expect("a command").undo.how;
    let client = how.client().expect("a client");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let now = "2026-11-21T09:00:00Z".parse().expect("a time");
    let mut console = Console { out: &mut out, err: &mut err, now };
    let waits = json!({"id": 50, "policy": "p", "by": "ann", "labels": {}, "intent": null});
    let waits: Waiting = serde_json::from_value(waits).expect("as the daemon lists it");
    let cancelled = waiting::cancel(&client, &[waits], "over", false, &mut console).await;
    let cancelled = cancelled.expect("the console takes all");
    let wanted: Vec<Wanted> = (1..=last).map(|seq| Wanted { intent: Seq(seq), only: Vec::new() }).collect();
    let ended = take_back(&client, &wanted, cancelled, &how, &mut console).await;
    let data = serde_json::from_slice(&out).expect("JSON");
    (ended.expect_err("not all is taken back"), data, String::from_utf8(err).expect("UTF-8"))
}

fn refusing(status: StatusCode, error: &'static str) -> axum::routing::MethodRouter {
    any(move || async move { (status, Json(json!({"error": error}))) })
}

fn results(data: &Value) -> Vec<String> {
    let items = data["items"].as_array().expect("a list");
    let said = |item: &Value| {
        let which = item.get("intent").or(item.get("order")).expect("a number");
        format!("{which} {}", item["result"].as_str().expect("a word"))
    };
    items.iter().map(said).collect()
}

/// Whoever reads the data must not believe that nothing was ordered.
#[tokio::test]
async fn a_lost_connection_leaves_nothing_out_of_what_is_told() {
    let ordered = post(async || Json(json!({"record": 9, "repeated": false})));
    let app = Router::new()
        .route("/api/v1/stream", any(async || ""))
        .route("/api/v1/runs/50/cancel", refusing(StatusCode::CONFLICT, "it has begun"))
        .route("/api/v1/intents/1/undo", ordered)
        .route("/api/v1/intents/2/undo", refusing(StatusCode::CONFLICT, "nothing to undo"))
        .fallback(refusing(StatusCode::SERVICE_UNAVAILABLE, "the journal does not write"));
    let (failure, data, said) = taken_back(app, 4).await;
    let all = ["50 notCancelled", "1 ordered", "2 refused", "3 unknown", "4 notOrdered"];
    assert_eq!(results(&data), all);
    assert!(said.contains("intent 3: nobody knows whether its order was taken"), "{said}");
    assert!(said.contains("intent 4: not ordered") && !said.contains("intent 1: "), "{said}");
    assert_eq!(failure.code(), 2, "{failure}");
    assert!(failure.error.contains("the journal does not write; not cancelled: order 50"), "{failure}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("the order stands")));

    let gone = Router::new().fallback(refusing(StatusCode::SERVICE_UNAVAILABLE, "it is stopping"));
    let (failure, data, _) = taken_back(gone, 2).await;
    assert_eq!(results(&data), ["50 notCancelled", "1 notOrdered", "2 notOrdered"]);
    assert!(failure.error.contains("it is stopping"), "{failure}");
}

#[tokio::test]
async fn the_error_of_one_does_not_hide_an_order_that_is_not_cancelled() {
    let app = Router::new()
        .route("/api/v1/stream", any(async || ""))
        .fallback(refusing(StatusCode::CONFLICT, "not now"));
    let (failure, data, _) = taken_back(app, 1).await;
    assert_eq!(results(&data), ["50 notCancelled", "1 refused"]);
    assert_eq!(failure.error, "not now; not cancelled: order 50");
}
