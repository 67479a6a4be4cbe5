//! Calls of a running daemon to a Slack and to a PagerDuty of our own: above the rate one message for many, to the next where
//! nobody acknowledges in time, an end to it where somebody does, and every delivery in the record.

use std::collections::BTreeSet;
use std::time::Duration;

use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use crate::remediations::telling::Server;

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
facts: {retry: 1s}
guards:
  confirmation: false
  settle: 0s
  limits: []
  pace: {every: 1ms, burst: 1000}
  storm: {alertsPerMinute: 1000, targetsFiringPercent: 100, targetsKnownMin: 1000}
endpoints: {queue: {url: 'http://127.0.0.1:1'}}
notifications:
  receivers:
    chat: {slack: {urlFile: 'FOLDER/slack'}, rate: {max: 2, per: 20s}}
    first: {pagerDuty: {routingKeyFile: 'FOLDER/first', url: 'FIRST'}, escalateAfter: 10s, then: [second]}
    second: {pagerDuty: {routingKeyFile: 'FOLDER/second', url: 'SECOND'}}
";

/// Its proposals wait for a person, so that each alert calls one.
const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: poison}
spec:
  mode: approve
  match: ['alertname="PoisonMessage"']
  target: {kind: Service, namespace: shop, name: "{{ labels.queue }}"}
  ladder: [{http: {endpoint: queue, path: "/m/{{ labels.queue }}"}}]
  guards: {cooldown: 0s, concurrency: 100, inStorm: act, blastRadius: {targets: "off", unavailable: "off"}}
  onFailure: {notify: [chat, first], quarantineAfter: 0}
"#;

/// A routing key of PagerDuty has 32 characters.
const KEY: &str = "R0123456789abcdefghijklmnopqrst";

const QUEUES: u64 = 5;

/// A busy machine has time for it.
const IN_TIME: Duration = Duration::from_secs(120);

fn webhook() -> Value {
    let alert = |number: u64| {
        json!({
            "status": "firing", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "labels": {"alertname": "PoisonMessage", "queue": format!("queue-{number}"), "severity": "critical"},
            "annotations": {},
        })
    };
    let alerts: Vec<Value> = (0..QUEUES).map(alert).collect();
    json!({"version": "4", "status": "firing", "receiver": "paramedic", "groupKey": "{}", "truncatedAlerts": 0, "alerts": alerts})
}

/// What was told to a receiver, from the record.
async fn notices(daemon: &Paramedic, receiver: &str) -> Vec<Value> {
    let mut all: Vec<Value> = daemon
        .records("kind=notified")
        .await
        .iter()
        .map(|record| record["event"]["notice"].clone())
        .collect();
    all.retain(|notice| notice["receiver"] == receiver);
    all
}

/// The messages a server has taken, of this action.
fn events(server: &Server, action: &str) -> Vec<Value> {
    let taken = server.taken().into_iter().map(|(_, _, body)| body);
    taken.filter(|body| body["event_action"] == action).collect()
}

#[tokio::test]
async fn calls_are_collected_passed_on_acknowledged_and_on_record() {
    let (slack, slack_url) = Server::serve(&[(200, "ok")]).await;
    let said = r#"{"status": "success", "message": "Event processed", "dedup_key": "k"}"#;
    let (first, first_url) = Server::serve(&[(202, said)]).await;
    let (second, second_url) = Server::serve(&[(202, said)]).await;
    let folder = Scratch::new("telling-daemon");
    folder.write("slack", format!("{slack_url}/services/T000/B000/XXXX\n"));
    folder.write("first", format!("{KEY}1\n"));
    folder.write("second", format!("{KEY}2\n"));
    let config = CONFIG
        .replace("FOLDER", &folder.path().display().to_string())
        .replace("FIRST", &first_url)
        .replace("SECOND", &second_url);
    let daemon =
        Paramedic::plan().config(&config).policy("poison.yaml", POLICY).mode("approve").start().await;
    let (status, answer) = daemon.post_webhook(&webhook()).await;
    assert_eq!(status, 200, "{answer}");

    // Two at once, then one message for all the others.
    let pages = |notices: &[Value]| -> BTreeSet<u64> {
        let of = |notice: &Value| notice["pages"].as_array().cloned().unwrap_or_default();
        notices.iter().flat_map(of).filter_map(|page| page.as_u64()).collect()
    };
    let chat = eventually(IN_TIME, "Slack was told of all", async || {
        let chat = notices(&daemon, "chat").await;
        if pages(&chat).len() == QUEUES as usize { Ok(chat) } else { Err(format!("{chat:#?}")) }
    })
    .await;
    let digest = chat.iter().find(|notice| notice["pages"].as_array().is_some_and(|pages| pages.len() > 1));
    let digest = digest.unwrap_or_else(|| panic!("no message stands for several: {chat:#?}"));
    assert!(chat.len() < QUEUES as usize, "{chat:#?}");
    eventually(IN_TIME, "Slack took them", async || {
        seen(slack.taken().len() >= chat.len(), || format!("{:?}", slack.taken()))
    })
    .await;
    let title = digest["title"].as_str().expect("a title");
    let texts: Vec<String> = slack
        .taken()
        .iter()
        .map(|(_, _, body)| body["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(texts.iter().any(|text| text.contains(title)), "{title}: {texts:?}");

    // Nobody acknowledges: the next is told of each.
    eventually(IN_TIME, "the second was told of all", async || {
        let keys: BTreeSet<String> =
            events(&second, "trigger").iter().map(|event| event["dedup_key"].to_string()).collect();
        seen(keys.len() == QUEUES as usize, || format!("{:?}", second.taken()))
    })
    .await;
    assert_eq!(events(&first, "trigger").len(), QUEUES as usize, "once each: {:?}", first.taken());
    assert_eq!(daemon.records("kind=raised").await.len(), QUEUES as usize);

    // Somebody does: whoever was told of it is told that.
    let page = digest["pages"][0].as_u64().expect("a page");
    let acknowledged = daemon.client(&["ack", &page.to_string()]).await;
    assert_eq!(acknowledged.code, Some(0), "{acknowledged:?}");
    for server in [&first, &second] {
        eventually(IN_TIME, "somebody has it", async || {
            seen(events(server, "acknowledge").len() == 1, || format!("{:?}", server.taken()))
        })
        .await;
        let key = &events(server, "acknowledge")[0]["dedup_key"];
        assert!(events(server, "trigger").iter().any(|event| event["dedup_key"] == *key), "{key}");
    }

    // Every message that left has its receipt in the record.
    eventually(IN_TIME, "every delivery is on record", async || {
        let told: BTreeSet<u64> = daemon
            .records("kind=notified")
            .await
            .iter()
            .filter_map(|record| record["event"]["notice"]["id"].as_u64())
            .collect();
        let delivered = daemon.records("kind=delivered").await;
        let taken = delivered.iter().filter(|record| record["event"]["receipt"]["taken"].is_object());
        let taken: BTreeSet<u64> = taken.filter_map(|record| record["event"]["notice"].as_u64()).collect();
        seen(told == taken && !told.is_empty(), || format!("told {told:?}, delivered {delivered:?}"))
    })
    .await;
}
