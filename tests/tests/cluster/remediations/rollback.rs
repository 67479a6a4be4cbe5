//! Rollbacks on a real API server, with a real Prometheus that remembers which deploy was healthy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::Wish;
use paramedic_policies::answer::{Found, Number, Sample};
use paramedic_policies::remediation::rollback::{self, Helm};
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::metrics::Metrics;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{PlainHttp, Remedies};
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::waiting::eventually;
use serde_json::{Value, json};

use super::least::{Asks, WEB};
use super::stand::{intent, kubernetes, now, preflight, rests, sealed, stamp, target, words};

const POLICIES: [Asks; 1] =
    [(WEB, "[{rollback: {healthy: {query: 'errors_ratio{app=\"web\"}', is: '< 0.05'}}}]")];

/// How long a deploy must have been healthy here: a few scrapes.
const HELD: Span = Span::from_secs(4);

struct Remembered(Prometheus);

#[async_trait]
impl Metrics for Remembered {
    async fn query(&self, promql: &str) -> Found {
        let found = self.0.query(promql).await;
        Found::Series(
            found
                .into_iter()
                .map(|sample| Sample { labels: Default::default(), value: Number(sample.value) })
                .collect(),
        )
    }
}

fn wish() -> Wish {
    let query = "errors_ratio{app=\"web\"}".into();
    Wish::Rollback(rollback::Wish {
        query,
        is: "< 0.05".into(),
        held: HELD,
        deployed_within: None,
        helm: Helm::Refuse,
    })
}

async fn deploy(shop: &Namespace, image: &str) {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}});
    shop.patch("Deployment", "web", patch).await;
}

fn image(object: &Value) -> &str {
    object.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str).unwrap_or("-")
}

/// Waits until the ratio has been this for longer than a healthy deploy must show.
async fn remembered(world: &Remembered, value: f64) {
    let promql = format!("count_over_time((errors_ratio{{app=\"web\"}} == {value})[5s:1s])");
    eventually(Duration::from_secs(30), "a Prometheus that has seen it for a while", async || {
        let seen = world.0.query(&promql).await.first().map_or(0.0, |sample| sample.value);
        if seen >= 5.0 { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn a_bad_deploy_is_taken_back_to_the_one_that_prometheus_remembers_as_healthy() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let service = MetricsService::start().await;
    service.set("errors_ratio{app=\"web\"}", 0.4);
    let Some(prometheus) = Prometheus::plan().scrape(service.address()).start().await else { return };
    let remembers = Arc::new(Remembered(prometheus));
    let shop = cluster.namespace("rollback").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let http = Arc::new(PlainHttp::new().expect("a client"));
    let metrics = Arc::clone(&remembers) as Arc<dyn Metrics>;
    let world = Remedies::with_hands(Some(kubernetes.clone()), http, metrics, Arc::new(now));
    let web = target(&shop, "Deployment", "web");

    // A deploy that was never healthy, a good one, and a bad one whose pods never become ready.
    shop.workload("Deployment", "web", 2, json!({})).await;
    remembered(&remembers, 0.4).await;
    service.set("errors_ratio{app=\"web\"}", 0.01);
    deploy(&shop, "registry.example/web:good").await;
    rests(&kubernetes, &web).await;
    remembered(&remembers, 0.01).await;
    deploy(&shop, "registry.example/bad:1").await;
    service.set("errors_ratio{app=\"web\"}", 0.4);

    let found = preflight(&world, &web, wish(), true).await;
    assert_eq!(words(found.action.as_ref()), "roll back revision 3 to 2", "{:?}", found.refusals);
    let diff = found.diff.clone().expect("the server was asked");
    assert_eq!(diff.fields[0].after, "revision 2 (registry.example/web:good)");
    let seal = sealed(intent(41, &web, &found));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let object = shop.get("Deployment", "web").await;
    assert_eq!(image(&object), "registry.example/web:good");
    assert_eq!(object["metadata"]["annotations"]["paramedic.dev/intent"], stamp(41));
    rests(&kubernetes, &web).await;
    let generation = object["metadata"]["generation"].clone();
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done", "a repeat finds itself");
    assert_eq!(shop.get("Deployment", "web").await["metadata"]["generation"], generation);

    // Another bad one, while the good one has not been healthy again: neither is it a way back, nor what was rolled back.
    remembered(&remembers, 0.4).await;
    deploy(&shop, "registry.example/bad:2").await;
    shop.becomes("Deployment", "web", "/metadata/annotations/deployment.kubernetes.io~1revision", json!("5"))
        .await;
    let found = preflight(&world, &web, wish(), false).await;
    assert_eq!(words(found.action.as_ref()), "nothing", "{:?}", found.passed);
    let told: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
    let why = "4 was not healthy, 3 was rolled back itself, 1 was not healthy";
    assert_eq!(told, [format!("there is no earlier deploy that was healthy: {why}")]);
}
