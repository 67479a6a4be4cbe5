//! On what the daemon acts while it is killed: Deployments that keep every revision, and breakers that count their
//! resets; policies whose guards let much through.

use std::collections::BTreeMap;

use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::paramedic::{Paramedic, Plan};
use serde_json::{Value, json};

/// How many Deployments there are.
pub(crate) const WORKLOADS: u64 = 6;

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
facts: {retry: 1s}
retention: {partition: 1m}
guards:
  confirmation: false
  settle: 0s
  limits: []
  pace: {every: 1ms, burst: 1000}
  storm: {alertsPerMinute: 10000000, targetsFiringPercent: 100, targetsKnownMin: 1000000}
";

const GUARDS: &str = "{cooldown: 0s, relapse: 0s, limits: [], concurrency: 100, inStorm: act, \
                       blastRadius: {targets: off, unavailable: off}}";

pub(crate) struct Scene {
    pub(crate) shop: Namespace,
    pub(crate) breakers: MetricsService,
}

impl Scene {
    pub(crate) async fn set(cluster: &ControlPlane) -> Self {
        let shop = cluster.namespace("kill9").await;
        for at in 0..WORKLOADS {
            let keep_all = json!({"spec": {"revisionHistoryLimit": 1_000_000}});
            shop.workload("Deployment", &format!("web-{at}"), 2, keep_all).await;
        }
        Self { shop, breakers: MetricsService::start().await }
    }

    pub(crate) fn plan(&self, cluster: &ControlPlane) -> Plan {
        let restart = format!(
            r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: restart}}
spec:
  mode: enforce
  match: ['alertname="Restart"']
  target: {{kind: Deployment, namespace: {}, name: "{{{{ labels.deployment }}}}"}}
  ladder: [{{restart: {{}}}}]
  guards: {GUARDS}
  onFailure: {{quarantineAfter: 0}}
"#,
            self.shop.name
        );
        let reset = format!(
            r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: reset}}
spec:
  mode: enforce
  match: ['alertname="Breaker"']
  target: {{kind: Service, namespace: {}, name: "{{{{ labels.breaker }}}}"}}
  ladder: [{{resetBreaker: {{breaker: "{{{{ labels.breaker }}}}", endpoints: ["{}"]}}}}]
  guards: {GUARDS}
  onFailure: {{quarantineAfter: 0}}
"#,
            self.shop.name,
            self.breakers.url()
        );
        Paramedic::plan()
            .kubeconfig(&cluster.kubeconfig(User::Paramedic))
            .config(CONFIG)
            .policy("restart.yaml", &restart)
            .policy("reset.yaml", &reset)
            .mode("enforce")
    }

    /// How often each intent's stamp stands on a revision, and how many revisions there are beside the first ones.
    pub(crate) async fn rollouts(&self) -> (BTreeMap<String, u64>, u64) {
        let mut stamps = BTreeMap::new();
        for set in self.shop.list("ReplicaSet", "").await.values() {
            let annotations = &set["spec"]["template"]["metadata"]["annotations"];
            if let Some(stamp) = annotations["paramedic.dev/intent"].as_str() {
                *stamps.entry(stamp.to_owned()).or_default() += 1;
            }
        }
        let mut revisions = 0;
        for web in self.shop.list("Deployment", "").await.values() {
            revisions += number(&web["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) - 1;
        }
        (stamps, revisions)
    }

    /// How often each idempotency key was used for a reset, and each breaker was reset.
    pub(crate) fn resets(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let (mut keys, mut breakers) = (BTreeMap::new(), BTreeMap::new());
        for reset in self.breakers.resets() {
            *keys.entry(reset.headers["idempotency-key"].clone()).or_default() += 1;
            *breakers.entry(reset.path).or_default() += 1;
        }
        (keys, breakers)
    }
}

fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("a revision is a number")
}
