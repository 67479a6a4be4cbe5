//! Beside which daemons nothing is cleaned.

use axum::http::{StatusCode, header};
use axum::routing::any;

use super::*;

/// A server that answers everything with this.
async fn answering(status: u16, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}", listener.local_addr().expect("bound"));
    let status = StatusCode::from_u16(status).expect("a status");
    let answer = (status, [(header::CONTENT_TYPE, "application/json")], body);
    let app = axum::Router::new().fallback(any(move || async move { answer }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

/// Why nothing is cleaned, and what was said.
async fn beside(server: &str, how: How, ours: Option<&str>) -> (Option<Failure>, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::new(server, None).expect("a client");
    let cluster = Cluster { server: "https://api".into(), context: None };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let now = "2026-11-21T09:00:00Z".parse().expect("a time");
    let mut console = Console { out: &mut out, err: &mut err, now };
    let ours = ours.map(str::to_owned);
    let came = none(&client, &cluster, how, async move || ours, &mut console).await;
    (came.err(), String::from_utf8(err).expect("text"))
}

const CLEAN: How = How { dry_run: false, is_elsewhere: false };
const LOOK: How = How { dry_run: true, is_elsewhere: false };
const SAID: How = How { dry_run: false, is_elsewhere: true };

#[tokio::test]
async fn nothing_is_cleaned_beside_a_daemon_that_may_act_on_this_cluster() {
    let inside = r#"{"kubernetes": "https://10.96.0.1/", "mode": "enforce", "clusterUid": "u-1"}"#;
    let unsure = r#"{"kubernetes": "https://api/", "mode": "approve", "clusterUid": null}"#;
    let slow = r#"{"kubernetes": "https://10.96.0.1/", "mode": null, "clusterUid": "u-1"}"#;
    // What the cluster is on our side; whether it is refused, and whether it still is where somebody says that it is elsewhere.
    for (status, body, ours, refused, still) in [
        (200, inside, Some("u-1"), true, true),
        (200, slow, Some("u-1"), true, true),
        (200, inside, Some("u-2"), false, false),
        (200, inside, None, true, false),
        (200, unsure, Some("u-1"), true, false),
        (
            200,
            r#"{"kubernetes": "https://api/", "mode": "dry-run", "clusterUid": "u-1"}"#,
            Some("u-1"),
            false,
            false,
        ),
        (200, r#"{"kubernetes": null, "mode": "enforce"}"#, Some("u-1"), false, false),
        (200, "{}", Some("u-1"), true, false),
        (200, "<html>", Some("u-1"), true, false),
        (401, r#"{"error": "no known token", "hint": "give one"}"#, Some("u-1"), true, false),
        (503, "", Some("u-1"), true, false),
    ] {
        let server = answering(status, body).await;
        for (how, refused, warned) in [(CLEAN, refused, false), (SAID, still, false), (LOOK, false, refused)]
        {
            let (failure, said) = beside(&server, how, ours).await;
            assert_eq!(failure.is_some(), refused, "{body} {how:?}: {failure:?}");
            assert_eq!(said.contains("stop it before you clean"), warned, "{body} {how:?}: {said}");
            let hint = failure.and_then(|failure| failure.hint).unwrap_or_default();
            assert_eq!(hint.contains("--daemon-is-elsewhere goes on"), refused && !still, "{hint}");
        }
    }
}

#[tokio::test]
async fn where_nothing_listens_nothing_is_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    assert_eq!(beside(&gone, CLEAN, None).await, (None, String::new()));
}

/// As a port is forwarded to a pod that hangs.
#[tokio::test]
async fn whoever_takes_the_call_and_says_nothing_may_be_a_daemon() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = format!("http://{}", listener.local_addr().expect("bound"));
    let (failure, _) = beside(&silent, CLEAN, None).await;
    let error = failure.expect("it may be one").error;
    assert!(error.contains("no answer within 3 s"), "{error}");
    assert!(error.contains("nobody knows whether a daemon runs at"), "nothing was heard of it: {error}");
}

/// As a firewall hangs up, or a tunnel whose other end is gone.
#[tokio::test]
async fn where_nobody_answers_nothing_is_said_to_be() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((call, _)) = listener.accept().await {
            drop(call);
        }
    });
    let (failure, _) = beside(&at, CLEAN, None).await;
    let error = failure.expect("there may be one").error;
    assert!(error.contains(&format!("nobody knows whether a daemon runs at {at}: ")), "{error}");
    assert!(!error.contains("something"), "{error}");
}
