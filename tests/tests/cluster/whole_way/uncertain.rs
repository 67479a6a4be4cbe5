//! Nobody can say whether it helped: the ladder stays where it is and a person is called.

use paramedic_tests::alertmanager::Release;
use paramedic_tests::story::{event, lines, of_kind, only, tells};
use serde_json::json;

use super::{Patient, SOON, story_to};

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: two-rungs}
spec:
  mode: enforce
  match: ['alertname="HighErrorRate"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - restart: {}
      verify: {query: 'errors_ratio{namespace="{{ target.namespace }}"}', is: "< 0.01", settle: 1s, hold: 1s, within: 6s, every: 1s}
    - scale: {by: 2, max: 8}
      verify: {query: 'errors_ratio{namespace="{{ target.namespace }}"}', is: "< 0.01", settle: 1s, hold: 1s, within: 4s, every: 1s}
  onFailure: {notify: [sre-pager]}
"#;

#[tokio::test]
async fn a_prometheus_that_dies_during_verification_does_not_climb_the_ladder() {
    let Some(patient) = Patient::healthy("uncertain").await else { return };
    let plan = patient.chain(Release::Newest, POLICY).await.paramedic(|plan| plan.mode("enforce"));
    let Some(mut chain) = plan.start(&patient.service).await else { return };

    patient.errors(0.2);
    chain.paramedic.record("kind=intended", SOON).await;
    // The effect does not need it, only the look after it does.
    chain.prometheus.kill();
    let story = story_to(&chain, "escalated").await;
    tells(
        &story,
        &[
            event("intended", json!({"intent": {"rung": 0, "mode": "enforce"}})),
            event("ended", json!({"outcome": {"done": {"already": false}}})),
            event("verified", json!({"verdict": "unknown"})),
            event("escalated", json!({"notify": ["sre-pager"]})),
            event("concluded", json!({"conclusion": "unknown"})),
        ],
    );
    only(&story, "intended");
    assert_eq!(of_kind(&story, "advanced").len(), 0, "{}", lines(&story));
    assert_eq!(patient.web().await["spec"]["replicas"], 4);
}

#[tokio::test]
async fn a_series_that_goes_away_is_unknown_too() {
    let Some(patient) = Patient::healthy("series-gone").await else { return };
    let plan = patient.chain(Release::Debian, POLICY).await.paramedic(|plan| plan.mode("enforce"));
    let Some(chain) = plan.start(&patient.service).await else { return };

    patient.errors(0.2);
    chain.paramedic.record("kind=intended", SOON).await;
    patient.service.scrapes_fail(true);
    let story = story_to(&chain, "escalated").await;
    tells(
        &story,
        &[
            event("verified", json!({"verdict": "unknown"})),
            event("concluded", json!({"conclusion": "unknown"})),
        ],
    );
    only(&story, "intended");
    assert_eq!(patient.web().await["spec"]["replicas"], 4);
}

/// The counterpart: a number that is seen to be bad climbs.
#[tokio::test]
async fn a_metric_that_stays_bad_climbs_the_ladder_and_then_calls_a_person() {
    let Some(patient) = Patient::healthy("climbing").await else { return };
    let plan = patient.chain(Release::Newest, POLICY).await.paramedic(|plan| plan.mode("enforce"));
    let Some(chain) = plan.start(&patient.service).await else { return };

    patient.errors(0.2);
    let story = story_to(&chain, "escalated").await;
    tells(
        &story,
        &[
            event("intended", json!({"intent": {"rung": 0}})),
            event("verified", json!({"verdict": "didNotHelp"})),
            event("advanced", json!({"rung": 1, "why": "nextRung"})),
            event("intended", json!({"intent": {"rung": 1, "action": {"scale": {"from": 4, "to": 6}}}})),
            event("verified", json!({"verdict": "didNotHelp"})),
            event("escalated", json!({"notify": ["sre-pager"]})),
            event("concluded", json!({"conclusion": "exhausted"})),
        ],
    );
    assert_eq!(patient.web().await["spec"]["replicas"], 6);
}
