//! The same group sent again and again, by `continue: true`, by a new alert in it and by `repeat_interval`: one episode
//! for each alert, one action.

use paramedic_tests::alertmanager::Release;
use paramedic_tests::story::{of_kind, only};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::json;

use super::{Patient, SOON};

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: once}
spec:
  mode: enforce
  match: ['alertname="HighErrorRate"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - restart: {}
      verify: {rollout: complete, settle: 1s, hold: 1s, within: 1m, every: 1s}
"#;

#[tokio::test]
async fn what_alertmanager_sends_again_is_no_news() {
    let Some(patient) = Patient::healthy("repeats").await else { return };
    let plan = patient
        .chain(Release::Newest, POLICY)
        .await
        .alert("Beside", "errors_ratio > 0.05 and on() also > 0", "1s", json!({"severity": "critical"}))
        .alertmanager(|plan| plan.continued(1).group_by(&["severity"]).intervals("1s", "1s"))
        .paramedic(|plan| plan.mode("enforce"));
    patient.service.set("also", 0.0);
    let Some(chain) = plan.start(&patient.service).await else { return };

    patient.errors(0.2);
    let first = chain.paramedic.record("kind=opened", SOON).await;
    chain.paramedic.record("kind=concluded", SOON).await;
    // The second alert joins the group, which is sent whole.
    patient.service.set("also", 1.0);
    chain.paramedic.record("kind=opened&alert=Beside", SOON).await;
    let received = eventually(SOON, "the group came ten times", async || {
        let received = chain.paramedic.try_records("kind=received").await?;
        seen(received.len() >= 10, || format!("{}", received.len())).map(|()| received)
    })
    .await;

    let repeats = received.iter().filter(|record| {
        let repeated = record["event"]["repeated"].as_array();
        repeated.is_some_and(|all| all.contains(&first["seq"]))
    });
    assert!(repeats.count() >= 8, "{received:?}");
    let all = chain.paramedic.records("").await;
    let opened: Vec<_> =
        of_kind(&all, "opened").iter().map(|record| record["event"]["labels"]["alertname"].clone()).collect();
    assert_eq!(opened, [json!("HighErrorRate"), json!("Beside")]);
    only(&all, "intended");
    let web = patient.web().await;
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
}
