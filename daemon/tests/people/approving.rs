//! What whoever approves is told: that it begins, or why not.

use std::time::Instant;

use paramedic::serve::Daemon;
use serde_json::Value;

use super::{PATIENCE, alert, beside, daemon};

/// The id of the proposal that is open, once one is.
async fn proposed(daemon: &Daemon) -> String {
    let begin = Instant::now();
    loop {
        let (_, json, err) = beside(daemon, &["status", "-o", "json"]).await;
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}{err}"));
        if let Some(id) = json["proposals"][0]["id"].as_u64() {
            return id.to_string();
        }
        assert!(begin.elapsed() < PATIENCE, "nothing is proposed: {json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_during_a_pause_says_that_it_is_held_and_fails() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon, "CartErrors").await;
    let proposal = proposed(&daemon).await;
    let (code, _, err) = beside(&daemon, &["pause", "-n", "shop", "--reason", "load test"]).await;
    assert_eq!((code, err.as_str()), (0, "namespace shop is paused until it is resumed\n"), "it is known");
    let (code, out, err) = beside(&daemon, &["approve", &proposal]).await;
    assert_eq!(code, 1, "{err}");
    assert!(out.starts_with("record "), "{out}");
    assert!(
        err.starts_with("error: approved, but held until ") && err.contains("namespace shop is paused by"),
        "{err}"
    );
    assert!(err.contains("hint: the approval is spent; it is proposed anew"), "{err}");
    assert_eq!(beside(&daemon, &["resume", "-n", "shop"]).await.0, 0);
    let again = proposed(&daemon).await;
    assert_ne!(again, proposal, "proposed anew");
    let (code, _, err) = beside(&daemon, &["approve", &again]).await;
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("approved, and begun: restart on shop/deployment/cart (intent "), "{err}");
    let follow = "\nfollow it: paramedic audit tail --follow --intent ";
    assert!(err.contains("\nit is being done, and is verified then") && err.contains(follow), "{err}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_person_is_all_that_is_missing_the_command_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: CartErrors}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let file = file.to_str().expect("UTF-8");
    let takes = "    to act, it takes\n      mode  a person's approval";
    let (_, before, _) = beside(&daemon, &["explain", file]).await;
    let once = format!("{takes} once it is proposed: `paramedic approve` with the number that ");
    assert!(before.contains(&once), "{before}");
    alert(&daemon, "CartErrors").await;
    let proposal = proposed(&daemon).await;
    let named = format!("{takes}: `paramedic approve {proposal}`\n");
    let (_, waiting, _) = beside(&daemon, &["explain", file]).await;
    assert!(waiting.contains(&named), "{waiting}");
    let (_, recorded, _) = beside(&daemon, &["explain", &proposal]).await;
    assert!(
        recorded.contains(&format!("a person's approval: `paramedic approve {proposal}`\n")),
        "{recorded}"
    );
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_what_nobody_knows_is_in_force_and_doubted() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    let (code, _, err) = beside(&daemon, &["pause", "-n", "shpo", "--for", "1m"]).await;
    assert_eq!(code, 0, "{err}");
    let (first, doubt) = err.split_once('\n').expect("two lines");
    assert_eq!(first, "namespace shpo is paused for 1m");
    assert!(doubt.starts_with("warning: ") && doubt.contains("did you mean shop?"), "{err}");
    daemon.stop().await.expect("it stops");
}
