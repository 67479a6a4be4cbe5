//! What is in force, as people see it beside a daemon that runs: `paramedic status` and its lists, and the orders that
//! name what is there when they are refused.

use std::time::Instant;

use paramedic::serve::Daemon;
use serde_json::Value;

use super::{PATIENCE, POLICIES, alert, beside, daemon, daemon_of};

/// Asks for the status until it shows all of that.
async fn eventually(daemon: &Daemon, wanted: &[&str]) -> String {
    let begin = Instant::now();
    loop {
        let (code, out, err) = beside(daemon, &["status"]).await;
        assert_eq!((code, err.as_str()), (0, ""));
        if wanted.iter().all(|wanted| out.contains(wanted)) {
            return out;
        }
        assert!(begin.elapsed() < PATIENCE, "never showed {wanted:?}:\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_what_is_held_until_when_and_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let waiting = POLICIES.replace("  mode: enforce\n", "  mode: enforce\n  for: 20m\n");
    let daemon = daemon_of(dir.path(), &waiting).await;
    alert(&daemon, "SearchSlow").await;
    let shown =
        eventually(&daemon, &["\nheld: 1  (`paramedic explain ID`", "open for ", "wanted for 20m"]).await;
    let row = shown.lines().find(|line| line.contains("SearchSlow")).unwrap_or_else(|| panic!("{shown}"));
    assert!(row.contains("search-slow") && row.contains("(in 19m "), "{row}");
    let (_, json, _) = beside(&daemon, &["status", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["held"][0]["is"], "waiting", "{json}");
    assert_eq!(json["heldMore"], false, "{json}");
    assert!(json["held"][0]["decidedAt"].is_string(), "{json}");
    let first = json["held"][0]["episode"].to_string();
    let url = format!("http://{}/api/v1/held?after={first}/search-slow", daemon.public);
    let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON"), serde_json::json!({"items": []}));
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_what_is_in_force() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    let quiet = eventually(&daemon, &["acts        yes", "mode        enforce", "2 in force"]).await;
    for nothing in ["waits for approval: none", "under way: none", "will be taken back: none", "paused: none"]
    {
        assert!(quiet.contains(nothing), "{quiet}");
    }

    alert(&daemon, "CartErrors").await;
    alert(&daemon, "SearchSlow").await;
    let busy = ["waits for approval: 1", "restart", "under way: 1", "will be taken back: 1", "scale 2 -> 4"];
    eventually(&daemon, &busy).await;
    let (_, json, _) = beside(&daemon, &["status", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["status"]["mode"], "enforce");
    assert_eq!(json["intents"][0]["is"], "verifying", "{json}");
    assert_eq!(json["leases"][0]["policy"], "search-slow", "{json}");
    let proposal = json["proposals"][0]["id"].to_string();

    let (code, _, err) = beside(&daemon, &["approve", "999"]).await;
    assert_eq!(code, 1);
    let open = format!("hint: open now: {proposal} (restart on shop/deployment/cart, by cart-errors)\n");
    assert!(err.ends_with(&open), "{err}");
    assert_eq!(beside(&daemon, &["deny", &proposal]).await.0, 0);
    let (_, _, err) = beside(&daemon, &["deny", &proposal]).await;
    assert!(err.ends_with("hint: no proposal is open now\n"), "{err}");

    let (_, _, err) = beside(&daemon, &["resume"]).await;
    assert!(err.ends_with("hint: nothing is paused now, and no policy is in quarantine\n"), "{err}");
    let (code, _, err) = beside(&daemon, &["pause", "--for", "31d"]).await;
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "error: a pause with an end lasts at most 30d\nhint: leave the end out (no `for`, no --for): then it lasts \
         until somebody resumes\n"
    );
    assert_eq!(beside(&daemon, &["pause", "--for", "30d"]).await.0, 0);
    assert_eq!(beside(&daemon, &["pause", "-n", "shop", "--reason", "load test"]).await.0, 0);
    let (_, _, err) = beside(&daemon, &["resume", "--policy", "cart-errors"]).await;
    assert!(
        err.ends_with("hint: paused now: everything (by anonymous), namespace shop (by anonymous)\n"),
        "{err}"
    );
    eventually(&daemon, &["acts        NO: everything is paused by anonymous", "load test", "paused: 2"])
        .await;

    let page = |query: &str| format!("http://{}/api/v1/pauses?{query}", daemon.public);
    let get = async |url: String| -> Value {
        let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    let first = get(page("limit=1")).await;
    assert_eq!((&first["items"][0]["says"], &first["next"]), (&"everything".into(), &"everything".into()));
    let second = get(page("limit=1&after=everything")).await;
    assert_eq!((&second["items"][0]["says"], &second["next"]), (&"namespace shop".into(), &Value::Null));
    daemon.stop().await.expect("it stops");
}
