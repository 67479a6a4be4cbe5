//! The whole way, with nothing of the tests' own between two stations: a metric goes bad, Prometheus fires,
//! Alertmanager posts, the daemon acts on a real API server, looks whether it helped, and the journal tells it all.

mod approving;
mod breakers;
mod repeats;
mod restarting;
mod scaling;
mod telling;
mod uncertain;

use std::time::Duration;

use paramedic_tests::alertmanager::Release;
use paramedic_tests::chain::{Chain, Plan};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

/// Within this all that is awaited here has come, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What the tests cannot wait for in real life's size.
pub(crate) const QUICK: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
cluster: {name: tests}
facts: {retry: 1s}
guards: {settle: 1s, pace: {every: 1s, burst: 10}}
";

/// A workload that is ill by a metric.
pub(crate) struct Patient {
    pub(crate) service: MetricsService,
    pub(crate) shop: Namespace,
}

impl Patient {
    /// A healthy Deployment `web` of 4 in a namespace of its own; `None` where the test is left out.
    pub(crate) async fn healthy(namespace: &str) -> Option<Self> {
        let shop = ControlPlane::shared().await?.namespace(namespace).await;
        shop.deployment("web", 4).await;
        let patient = Self { service: MetricsService::start().await, shop };
        patient.errors(0.0);
        Some(patient)
    }

    pub(crate) fn errors(&self, ratio: f64) {
        let namespace = &self.shop.name;
        self.service.set(&format!("errors_ratio{{namespace=\"{namespace}\",deployment=\"web\"}}"), ratio);
    }

    /// A chain that looks at the patient and whose daemon acts as its service account.
    pub(crate) async fn chain(&self, release: Release, policy: &str) -> Plan {
        let cluster = ControlPlane::shared().await.expect("the patient is in it");
        Chain::plan(release)
            .alert("HighErrorRate", "errors_ratio > 0.05", "8s", json!({"severity": "critical"}))
            .paramedic(|plan| {
                plan.kubeconfig(&cluster.kubeconfig(User::Paramedic))
                    .config(QUICK)
                    .policy("policy.yaml", policy)
            })
    }

    /// Makes the metric good as soon as every pod is another one than those.
    pub(crate) async fn recovers_by_other_pods_than(&self, before: &[String]) {
        eventually(SOON, "all pods are new", async || {
            let now = self.pods().await;
            let is_new = now.len() >= before.len() && now.iter().all(|uid| !before.contains(uid));
            seen(is_new, || format!("{now:?}, before {before:?}"))
        })
        .await;
        self.shop.rolled_out("Deployment", "web").await;
        self.errors(0.0);
    }

    /// The uids of its pods.
    pub(crate) async fn pods(&self) -> Vec<String> {
        let pods = self.shop.pods("web").await;
        pods.values().map(|pod| pod["metadata"]["uid"].to_string()).collect()
    }

    pub(crate) async fn web(&self) -> Value {
        self.shop.get("Deployment", "web").await
    }
}

/// Waits for the case of the first alert to rest, and gives all records of its episode.
pub(crate) async fn story_to(chain: &Chain, last: &str) -> Vec<Value> {
    let opened = chain.paramedic.record("kind=opened", SOON).await;
    let episode = format!("episode={}", opened["seq"]);
    chain.paramedic.record(&format!("kind={last}&{episode}"), SOON).await;
    chain.paramedic.records(&episode).await
}
