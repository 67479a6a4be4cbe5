//! What `explain` says of an alert that something is done about already: what it waits for, and what comes then.

use std::time::Instant;

use serde_json::Value;

use super::{PATIENCE, alert, beside, daemon};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_verified_is_waited_for_and_never_said_to_be_done_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon, "SearchSlow").await;
    let file = dir.path().join("alert.yaml");
    std::fs::write(&file, "labels: {alertname: SearchSlow}\nstartsAt: 2026-11-21T08:00:00Z\n")
        .expect("a file");
    let file = file.to_str().expect("UTF-8");
    let begin = Instant::now();
    let text = loop {
        let (code, out, err) = beside(&daemon, &["explain", file]).await;
        assert_eq!(code, 0, "{err}");
        if out.contains("being verified") {
            break out;
        }
        assert!(begin.elapsed() < PATIENCE, "never verified:\n{out}");
    };
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
    let (_, json, _) = beside(&daemon, &["explain", file, "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let account = &json[0]["policies"][0];
    assert_eq!(account["ruling"]["verdict"]["is"], "hold", "{account}");
    assert_eq!(account["standing"]["underWay"]["verifying"], true, "{account}");
    assert_eq!(account["standing"]["underWay"]["next"]["is"], "act", "{account}");
    daemon.stop().await.expect("it stops");
}
