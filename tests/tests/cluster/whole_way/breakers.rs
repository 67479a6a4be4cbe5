//! A circuit breaker that is reset over HTTP on every endpoint, without Kubernetes.

use paramedic_tests::alertmanager::Release;
use paramedic_tests::chain::Chain;
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::story::{event, only, tells};
use serde_json::json;

use super::{QUICK, SOON, story_to};

#[tokio::test]
async fn an_open_breaker_is_reset_on_every_endpoint_once() {
    let (service, other) = (MetricsService::start().await, MetricsService::start().await);
    let policy = format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: reset-open-breakers}}
spec:
  mode: enforce
  match: ['alertname="BreakerOpen"']
  target: {{kind: Service, namespace: "{{{{ labels.namespace }}}}", name: maestro}}
  when:
    - {{query: 'dependency_up{{breaker="{{{{ labels.breaker }}}}"}}', is: "== 1"}}
  ladder:
    - resetBreaker: {{breaker: "{{{{ labels.breaker }}}}", endpoints: ["{}", "{}"]}}
      verify:
        query: 'breaker_open{{breaker="{{{{ labels.breaker }}}}"}}'
        is: "== 0"
        settle: 1s
        hold: 1s
        within: 30s
        every: 1s
"#,
        service.url(),
        other.url()
    );
    let series = "breaker_open{namespace=\"shop\",breaker=\"payments\"}";
    service.set(series, 0.0);
    service.set("dependency_up{breaker=\"payments\"}", 1.0);
    let plan = Chain::plan(Release::Debian)
        .alert("BreakerOpen", "breaker_open > 0", "5s", json!({}))
        .paramedic(|plan| plan.config(QUICK).policy("policy.yaml", &policy).mode("enforce"));
    let Some(chain) = plan.start(&service).await else { return };

    service.set_breaker("payments", "OPEN");
    other.set_breaker("payments", "HALF_OPEN");
    service.reset_heals("payments", series, 0.0);
    service.set(series, 1.0);
    let story = story_to(&chain, "closed").await;
    tells(
        &story,
        &[
            event("opened", json!({"labels": {"breaker": "payments"}})),
            event("intended", json!({"intent": {"action": {"resetBreaker": {"breaker": "payments"}}}})),
            event("ended", json!({"outcome": {"done": {"already": false, "diff": {"source": "applied"}}}})),
            event("verified", json!({"verdict": "helped"})),
            event("concluded", json!({"conclusion": "helped"})),
            event("closed", json!({"why": "resolved"})),
        ],
    );
    let seq = only(&story, "intended")["seq"].to_string();
    for service in [&service, &other] {
        assert_eq!(service.breaker("payments").as_deref(), Some("CLOSED"));
        let resets = service.resets();
        assert_eq!(resets.len(), 1, "{resets:?}");
        let key = resets[0].headers["idempotency-key"].as_str();
        assert!(key.ends_with(&format!("-{seq}")), "{key}");
        let correlation = &only(&story, "opened")["event"]["correlation"];
        assert_eq!(json!(resets[0].headers["x-correlation-id"]), *correlation);
    }
    let resets = chain.paramedic.record("kind=ended&outcome=done", SOON).await;
    assert_eq!(resets["event"]["intent"].to_string(), seq);
}
