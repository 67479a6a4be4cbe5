//! Scaling a workload that an autoscaler owns: its minimum is raised, and the real controller does the rest.

use paramedic_tests::alertmanager::Release;
use paramedic_tests::story::{event, only, tells};
use serde_json::json;

use super::{Patient, story_to};

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: more-replicas}
spec:
  mode: enforce
  match: ['alertname="HighErrorRate"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - scale: {by: 2, max: 8}
      verify: {rollout: complete, settle: 2s, hold: 1s, within: 1m, every: 1s}
"#;

#[tokio::test]
async fn an_autoscalers_minimum_is_raised_and_the_workload_follows() {
    let Some(patient) = Patient::healthy("scaling").await else { return };
    let shop = &patient.shop;
    shop.apply(json!({
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 4,
            "maxReplicas": 10,
        },
    }))
    .await;
    let plan = patient.chain(Release::Newest, POLICY).await.paramedic(|plan| plan.mode("enforce"));
    let Some(chain) = plan.start(&patient.service).await else { return };

    patient.errors(0.2);
    shop.becomes("HorizontalPodAutoscaler", "web", "/spec/minReplicas", json!(6)).await;
    shop.becomes("Deployment", "web", "/spec/replicas", json!(6)).await;
    let story = story_to(&chain, "concluded").await;
    let lever = json!({"minReplicas": {"hpa": "web"}});
    tells(
        &story,
        &[
            event("intended", json!({"intent": {"action": {"scale": {"lever": lever, "from": 4, "to": 6}}}})),
            event("ended", json!({"outcome": {"done": {"already": false}}})),
            event("verified", json!({"verdict": "helped"})),
            event("concluded", json!({"conclusion": "helped"})),
        ],
    );
    let seq = only(&story, "intended")["seq"].to_string();
    let hpa = shop.get("HorizontalPodAutoscaler", "web").await;
    let managers = hpa["metadata"]["managedFields"].to_string();
    assert!(managers.contains(&format!("-{seq}\"")), "the intent {seq} signs its change: {managers}");
    // The workload's own field was left to the autoscaler.
    let web = patient.web().await;
    assert!(!web["metadata"]["managedFields"].to_string().contains("paramedic"), "{web}");
    shop.rolled_out("Deployment", "web").await;
}
