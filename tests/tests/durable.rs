//! That no answer 200 leaves before the disk has what it promises: the daemon's own system calls, as strace sees them.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::peers;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::traced;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// More than a poster of a test ever has in one webhook.
const BATCH: usize = 1000;

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: of-something-else}
spec:
  match: ['alertname="NeverSent"']
  target: {kind: Deployment, namespace: shop, name: web}
  ladder: [{restart: {}}]
"#;

fn webhook(name: &str, alerts: usize) -> Value {
    let alert = |at: usize| {
        json!({
            "status": "firing",
            "labels": {"alertname": "Durable", "of": name, "at": at.to_string()},
            "annotations": {"summary": "a sentence as long as such sentences are, with some detail"},
            "startsAt": "2026-01-01T00:00:00Z",
        })
    };
    json!({"version": "4", "status": "firing", "alerts": (0..alerts).map(alert).collect::<Vec<_>>()})
}

async fn start(trace: &Path) -> Paramedic {
    Paramedic::plan().policy("policy.yaml", POLICY).traced(traced::CALLS, trace).start().await
}

async fn post(paramedic: &Paramedic, body: &Value) {
    let (status, answer) = paramedic.post_webhook(body).await;
    assert_eq!(status, 200, "{answer}");
}

/// Ends the daemon and reads the whole trace.
async fn ended(paramedic: &mut Paramedic, trace: &Path) -> traced::Seen {
    let folder = paramedic.data_dir();
    paramedic.kill();
    let text = eventually(SOON, "strace has written all", async || {
        let text = std::fs::read(trace).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let last = text.lines().last().unwrap_or_default().to_owned();
        seen(last.contains("+++ killed by SIGKILL"), || last).map(|()| text)
    })
    .await;
    traced::read(&text, &folder)
}

#[tokio::test]
async fn no_answer_leaves_before_every_file_that_was_written_is_synced() {
    if !peers::need(&["strace"]) {
        return;
    }
    let folder = Scratch::new("trace");
    let trace = folder.path().join("trace");
    let mut paramedic = start(&trace).await;
    // One by one: then whatever is on its way to the disk belongs to the answer that is about to leave.
    let mut posted = 0;
    for round in 0..20 {
        post(&paramedic, &webhook(&format!("single {round}"), 1)).await;
        post(&paramedic, &webhook(&format!("group {round}"), 30)).await;
        // The same again promises the same.
        post(&paramedic, &webhook(&format!("group {round}"), 30)).await;
        posted += 3;
    }
    for round in 0..3 {
        post(&paramedic, &webhook(&format!("storm {round}"), BATCH)).await;
        posted += 1;
    }
    let seen = ended(&mut paramedic, &trace).await;
    assert_eq!(seen.answers.len(), posted);
    assert_eq!(seen.too_early, []);
    assert_eq!(seen.unsynced, [0; 0]);
    let blobs = seen.written.iter().find(|path| path.components().any(|part| part.as_os_str() == "blobs"));
    assert_eq!(blobs, None, "no fsync of ours covers them");
    assert!(seen.written.iter().any(|path| path.ends_with("db")), "{:?}", seen.written);
}

#[tokio::test]
async fn with_many_webhooks_at_once_each_answer_still_waits_for_a_sync_of_its_own() {
    if !peers::need(&["strace"]) {
        return;
    }
    let folder = Scratch::new("trace");
    let trace = folder.path().join("trace");
    let mut paramedic = start(&trace).await;
    let (posters, each) = (16, 8);
    join_all((0..posters).map(async |poster| {
        for round in 0..each {
            post(&paramedic, &webhook(&format!("poster {poster} round {round}"), 5)).await;
        }
    }))
    .await;
    let seen = ended(&mut paramedic, &trace).await;
    assert_eq!(seen.answers.len(), posters * each);
    assert_eq!(seen.unsynced, [0; 0]);
}
