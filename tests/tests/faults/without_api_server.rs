//! The API server goes away and comes back, and the process sleeps over a due revert: nothing is done on what is not known,
//! and what is owed is done once.

use std::time::Duration;

use paramedic_tests::control_plane::{ControlPlane, User};
use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use crate::scene::SOON;

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
facts: {retry: 1s, deadline: 2s}
guards: {confirmation: false, settle: 0s, pace: {every: 1ms, burst: 1000}}
";

fn policies(namespace: &str) -> String {
    let policy = |name: &str, alert: &str, rung: &str| {
        format!(
            r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="{alert}"']
  target: {{kind: Deployment, namespace: {namespace}, name: "{{{{ labels.deployment }}}}"}}
  ladder: [{rung}]
  guards: {{cooldown: 0s, relapse: 0s, blastRadius: {{targets: off, unavailable: off}}}}
  onFailure: {{quarantineAfter: 0}}
"#
        )
    };
    let restart = policy("restart", "Restart", "{restart: {}}");
    let scale = policy("scale", "Scale", "{scale: {by: 2, max: 9}, revert: {after: 2s}}");
    format!("{restart}---{scale}")
}

fn webhook(status: &str, alertname: &str, deployment: &str) -> Value {
    let alert = json!({
        "status": status,
        "labels": {"alertname": alertname, "deployment": deployment},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2026-01-01T00:01:00Z",
    });
    json!({"version": "4", "status": status, "alerts": [alert]})
}

async fn post(paramedic: &Paramedic, status: &str, alertname: &str, deployment: &str) {
    let (code, answer) = paramedic.post_webhook(&webhook(status, alertname, deployment)).await;
    assert_eq!(code, 200, "{answer}");
}

#[tokio::test]
async fn without_an_api_server_nothing_is_done_and_afterwards_everything_once() {
    let Some(mut cluster) = ControlPlane::own().await else { return };
    let shop = cluster.namespace("faults").await;
    for name in ["web", "cart", "after"] {
        shop.deployment(name, 2).await;
    }
    let plan = Paramedic::plan().config(CONFIG).policy("policies.yaml", &policies(&shop.name));
    let plan = plan.kubeconfig(&cluster.kubeconfig(User::Paramedic)).mode("enforce");
    let mut paramedic = plan.start().await;

    // Asleep when it was to be taken back, and for a while after.
    post(&paramedic, "firing", "Scale", "cart").await;
    shop.becomes("Deployment", "cart", "/spec/replicas", json!(4)).await;
    paramedic.record("kind=ended", SOON).await;
    post(&paramedic, "resolved", "Scale", "cart").await;
    paramedic.process().signal("STOP");
    let asleep = Duration::from_secs(3);
    paramedic_tests::waiting::stays(asleep, "nobody takes it back", async || {
        let replicas = shop.get("Deployment", "cart").await["spec"]["replicas"].clone();
        // It may have been quick enough to do so before it was stopped.
        seen(replicas == 4 || replicas == 2, || replicas.to_string())
    })
    .await;
    paramedic.process().signal("CONT");
    shop.becomes("Deployment", "cart", "/spec/replicas", json!(2)).await;

    cluster.stop_api_server();
    post(&paramedic, "firing", "Restart", "web").await;
    let ruling = eventually(SOON, "it is held, since nobody knows the target", async || {
        let rulings = paramedic.try_records("kind=ruled").await?;
        let last = rulings.last().cloned().unwrap_or_default();
        let verdict = last["event"]["ruling"]["verdict"]["is"].clone();
        seen(last.to_string().contains("restart") && verdict != "act", || last.to_string()).map(|()| last)
    })
    .await;
    assert!(paramedic.records("kind=intended").await.len() <= 2, "{ruling}");

    cluster.start_api_server().await;
    eventually(SOON, "the restart is done when the API server is back", async || {
        let web = shop.of_kind("Deployment").get("web").await.map_err(|error| error.to_string())?;
        let template = serde_json::to_value(&web).map_err(|error| error.to_string())?;
        let stamp = template["spec"]["template"]["metadata"]["annotations"]["paramedic.dev/intent"].clone();
        seen(stamp.is_string(), || template["spec"]["template"]["metadata"].to_string())
    })
    .await;
    post(&paramedic, "firing", "Restart", "after").await;
    eventually(SOON, "every intent has ended, and the last alert is acted upon", async || {
        let intents = paramedic.try_records("kind=intended").await?;
        let ends = paramedic.try_records("kind=ended").await?;
        let of_after = |intent: &&Value| intent["event"]["intent"]["target"]["name"] == "after";
        let acted = intents.iter().any(|intent| of_after(&intent));
        seen(acted && intents.len() == ends.len(), || {
            format!("{} intents, {} ends", intents.len(), ends.len())
        })
    })
    .await;
    for name in ["web", "after"] {
        let web = shop.rolled_out("Deployment", name).await;
        let revision = &web["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
        assert_eq!(revision, "2", "{name} was rolled out once");
    }
    assert_eq!(shop.get("Deployment", "cart").await["spec"]["replicas"], 2);
    let (status, report) = paramedic.get("/api/v1/verify").await;
    assert_eq!((status, report["problems"].as_array().map_or(0, Vec::len)), (200, 0), "{report}");
}
