//! That a metric of the test's own service becomes a webhook, by Prometheus and by either Alertmanager.

use std::time::Duration;

use paramedic_tests::alertmanager::{Alertmanager, Release};
use paramedic_tests::metrics_service::{Fault, MetricsService};
use paramedic_tests::peers;
use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::receiver::WebhookReceiver;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::tls;
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_alert_fires_and_resolves_through_debians_alertmanager() {
    fires_and_resolves(Release::Debian).await;
}

#[tokio::test]
async fn an_alert_fires_and_resolves_through_the_newest_alertmanager() {
    fires_and_resolves(Release::Newest).await;
}

async fn fires_and_resolves(release: Release) {
    let service = MetricsService::start().await;
    service.set("errors_ratio{namespace=\"shop\",deployment=\"web\"}", 0.0);
    let receiver = WebhookReceiver::start().await;
    let folder = Scratch::new("token");
    let token = folder.write("token", "secret-of-the-test");
    let plan = Alertmanager::plan(release, &receiver.url()).token_file(&token);
    let Some(alertmanager) = plan.start().await else {
        return;
    };
    let plan = Prometheus::plan()
        .scrape(service.address())
        .alert("HighErrorRate", "errors_ratio > 0.05", json!({"severity": "critical"}))
        .external_label("cluster", "tests")
        .tell(&alertmanager.url());
    let Some(prometheus) = plan.start().await else {
        return;
    };

    prometheus.shows("errors_ratio", 0.0, SOON).await;
    assert_eq!(receiver.received(), []);
    service.set("errors_ratio{namespace=\"shop\",deployment=\"web\"}", 0.2);
    let fired = receiver.receives("HighErrorRate", "firing", SOON).await;
    let labels = &fired.body["alerts"][0]["labels"];
    assert_eq!(fired.body["version"], "4");
    assert_eq!(labels["deployment"], "web");
    assert_eq!(labels["cluster"], "tests");
    assert_eq!(fired.headers["authorization"], "Bearer secret-of-the-test");
    prometheus.shows("ALERTS{alertstate=\"firing\",alertname=\"HighErrorRate\"}", 1.0, SOON).await;

    service.set("errors_ratio{namespace=\"shop\",deployment=\"web\"}", 0.0);
    receiver.receives("HighErrorRate", "resolved", SOON).await;
}

#[tokio::test]
async fn a_prometheus_that_is_killed_comes_back_with_its_data() {
    let service = MetricsService::start().await;
    service.set("shards", 3.0);
    let Some(mut prometheus) = Prometheus::plan().scrape(service.address()).start().await else {
        return;
    };
    prometheus.shows("shards", 3.0, SOON).await;
    prometheus.restart().await;
    prometheus.shows("max_over_time(shards[10m])", 3.0, SOON).await;
    service.scrapes_fail(true);
    prometheus.shows("up", 0.0, SOON).await;
}

#[tokio::test]
async fn a_failed_webhook_is_sent_again() {
    if !peers::need(&["alertmanager"]) {
        return;
    }
    let receiver = WebhookReceiver::start().await;
    receiver.answer_with(503);
    let plan = Alertmanager::plan(Release::Newest, &receiver.url());
    let Some(alertmanager) = plan.start().await else {
        return;
    };
    alertmanager.post_alerts(json!([{"labels": {"alertname": "Again"}}])).await;
    receiver.receives("Again", "firing", SOON).await;
    let failed = receiver.received().len();
    receiver.answer_with(200);
    paramedic_tests::waiting::eventually(SOON, "another try", async || {
        let all = receiver.received().len();
        paramedic_tests::waiting::seen(all > failed, || format!("{all} webhooks"))
    })
    .await;
}

#[tokio::test]
async fn breakers_are_reset_and_break_as_told() {
    let service = MetricsService::start().await;
    service.set_breaker("payments", "OPEN");
    service.set("breaker_open{name=\"payments\"}", 1.0);
    service.reset_heals("payments", "breaker_open{name=\"payments\"}", 0.0);
    let client = tls::http();
    let breakers = format!("{}/api/resilience/circuit-breakers", service.url());
    let reset = format!("{breakers}/payments/reset");

    service.fault(Fault::Error500);
    let refused = client.post(&reset).send().await.expect("an answer");
    assert_eq!(refused.status(), 500);
    assert_eq!(service.breaker("payments").as_deref(), Some("OPEN"));

    service.fault(Fault::Hang);
    let hung = client.post(&reset).timeout(Duration::from_millis(200)).send().await;
    assert!(hung.expect_err("no answer").is_timeout());
    assert_eq!(service.breaker("payments").as_deref(), Some("OPEN"));

    service.fault(Fault::CloseAfterApplying);
    let cut = async { client.post(&reset).send().await?.bytes().await }.await;
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(service.breaker("payments").as_deref(), Some("CLOSED"));

    service.fault(Fault::None);
    let keyed = client.post(&reset).header("Idempotency-Key", "j-7").send().await;
    assert_eq!(keyed.expect("an answer").status(), 200);
    let resets = service.resets();
    assert_eq!(resets.len(), 4);
    assert_eq!(resets[3].headers["idempotency-key"], "j-7");
    let listed = client.get(&breakers).send().await.expect("an answer").text().await;
    assert!(listed.expect("a body").contains("CLOSED"));
    let metrics = client.get(format!("{}/metrics", service.url())).send().await;
    let text = metrics.expect("an answer").text().await.expect("a body");
    assert_eq!(text, "# TYPE breaker_open gauge\nbreaker_open{name=\"payments\"} 0\n");
}
