//! What `explain` says of an alert that something is done about already: what it waits for, and what comes then.

use std::time::Instant;

use paramedic::serve::Daemon;
use serde_json::Value;

use super::{PATIENCE, POLICIES, alert, beside, daemon, daemon_of};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_verified_is_waited_for_and_never_said_to_be_done_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon, "SearchSlow").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: SearchSlow}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let file = file.to_str().expect("UTF-8");
    let text = explained(&daemon, file, "being verified").await;
    assert!(text.contains("): WAITS for the verification of intent "), "{text}");
    assert!(!text.contains("): ACT"), "{text}");
    for says in [
        "    then    it helped: over, nothing more is done\n",
        "            it did not help: rung 2 of 2: restart\n",
        "            what follows is what rung 2, step 1, would meet now\n",
        "    action  restart (rung 2, step 1)\n",
        " to be seen not to have helped, by ",
        "1 other policy does not match, nor do 5 of paramedic's own, for orders by hand (--all lists why)",
    ] {
        assert!(text.contains(says), "{says:?} is not in:\n{text}");
    }
    assert!(!text.contains("the sequence has begun"), "{text}");
    assert!(!text.contains("taken back first"), "it is taken back after its verification: {text}");
    let (_, json, _) = beside(&daemon, &["explain", file, "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let account = &json[0]["policies"][0];
    assert_eq!(account["ruling"]["verdict"]["is"], "hold", "{account}");
    assert_eq!(account["standing"]["underWay"]["verifying"], true, "{account}");
    assert_eq!(account["standing"]["underWay"]["next"]["is"], "act", "{account}");
    daemon.stop().await.expect("it stops");
}

/// What `explain` says once it says this.
async fn explained(daemon: &Daemon, file: &str, once: &str) -> String {
    let begin = Instant::now();
    loop {
        let (code, out, err) = beside(daemon, &["explain", file]).await;
        assert_eq!(code, 0, "{err}");
        if out.contains(once) {
            return out;
        }
        assert!(begin.elapsed() < PATIENCE, "never {once}:\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_its_own_revert_ends_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon_of(dir.path(), &POLICIES.replace("after: 1h", "after: 10m")).await;
    alert(&daemon, "SearchSlow").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: SearchSlow}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let text = explained(&daemon, file.to_str().expect("UTF-8"), "being verified").await;
    assert!(text.contains("            it is taken back first, at "), "{text}");
    assert!(text.contains(" at the earliest: over, nobody knows whether it helped; "), "{text}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_amid_a_sequence_calls_a_person_whatever_fires() {
    let dir = tempfile::tempdir().expect("a folder");
    let steps = "    - sequence:\n      - scale: {by: 2, max: 10}\n        revert: {after: 10m}\n        \
                 verify: {rollout: complete, within: 30m}\n      - restart: {}\n";
    let (head, _) = POLICIES.split_once("    - scale:").expect("a ladder");
    let daemon = daemon_of(dir.path(), &format!("{head}{steps}")).await;
    alert(&daemon, "SearchSlow").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: SearchSlow}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let text = explained(&daemon, file.to_str().expect("UTF-8"), "being verified").await;
    let says = " at the earliest: over, nobody knows whether it helped; a person is called, since steps of the sequence are left\n";
    assert!(text.contains(says), "{text}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_says_how_it_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let verified = "      verify: {rollout: complete, within: 30m}\n    - restart: {}\n";
    assert!(POLICIES.contains(verified));
    let daemon = daemon_of(dir.path(), &POLICIES.replace(verified, "")).await;
    alert(&daemon, "SearchSlow").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: SearchSlow}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let text = explained(&daemon, file.to_str().expect("UTF-8"), "    now     over").await;
    assert!(text.contains("for this episode (it was done; nothing says how to verify it)\n"), "{text}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_is_ignored_as_late_is_said_to_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon, "Other").await;
    let body = r#"{"version": "4", "status": "resolved", "alerts": [{"status": "resolved",
        "labels": {"alertname": "Other"}, "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T08:10:00Z"}]}"#;
    let url = format!("http://{}/webhook/alertmanager", daemon.public);
    let answer =
        reqwest::Client::new().post(url).body(body).timeout(PATIENCE).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    alert(&daemon, "Other").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: Other}\nstartsAt: 2026-11-21T08:00:00Z\n").expect("a file");
    let (_, text, _) = beside(&daemon, &["explain", file.to_str().expect("UTF-8")]).await;
    let says = "  the daemon ignores it: episode ";
    let line = text.lines().find(|line| line.starts_with(says)).unwrap_or_else(|| panic!("{text}"));
    assert!(!text.contains("not known to the daemon"), "{text}");
    let why = line.trim_start_matches("  the daemon ignores it: ");
    let (_, listed, _) = beside(&daemon, &["audit", "query", "--kind", "received"]).await;
    let said = format!("1 alert from anonymous, 1 ignored as late: {why}");
    assert!(listed.contains(&said), "{said:?} is not in:\n{listed}");
    daemon.stop().await.expect("it stops");
}
