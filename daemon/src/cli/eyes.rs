//! What an explanation without a daemon may look at: Prometheus and the cluster where they were named, nothing where
//! they were not. Eyes only: it must never have hands.

use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{Intent, Outcome, Wish};
use paramedic_policies::answer::Found;
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::remediation::reset_breaker;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::metrics::Metrics as MetricsPort;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{Endpoints, KubernetesEyes, PlainHttp, Remedies, Sealed};

use super::failure::Failure;
use crate::clock::{Clock, SystemClock};
use crate::config::Configuration;
use crate::kubernetes_config;
use crate::metrics::Metrics;
use crate::prometheus::{NoPrometheus, Prometheus};
use crate::redaction::Redactor;

/// What is said of a question to a Prometheus that nobody named.
const NO_PROMETHEUS: &str = "not asked, for no Prometheus was named";

/// What is said of a look at a cluster that nobody named.
const NO_CLUSTER: &str = "not looked at, for no cluster was named";

/// What has to be named so that what was found to be this is known.
pub(super) fn names(found: &str) -> Option<&'static str> {
    match found {
        NO_PROMETHEUS => Some("a Prometheus, by `--prometheus-url`"),
        NO_CLUSTER => Some("a cluster, by `--kubeconfig`"),
        _ => None,
    }
}

/// Eyes on what was named.
pub(super) struct Eyes {
    remedies: Remedies,
    prometheus: bool,
    cluster: bool,
}

impl Eyes {
    /// Eyes on the Prometheus and the cluster of a configuration.
    pub(super) async fn of(configuration: &Configuration) -> Result<Self, Failure> {
        let unusable = |error: anyhow::Error| Failure::users(format!("{error:#}"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
        let prometheus = Prometheus::new(
            &configuration.prometheus,
            Arc::clone(&clock),
            metrics,
            Redactor::of(&configuration.redaction),
        )
        .map_err(unusable)?;
        let named = prometheus.is_some();
        let facts: Arc<dyn MetricsPort> = match prometheus {
            Some((prometheus, _)) => Arc::new(prometheus.fresh_within(configuration.facts.max_age)),
            None => Arc::new(NoPrometheus),
        };
        let config = kubernetes_config::config(&configuration.kubernetes).await.map_err(unusable)?;
        let eyes = config.map(KubernetesEyes::new).transpose().map_err(|error| unusable(error.into()))?;
        let cluster = eyes.is_some();
        let eyes =
            eyes.map(|eyes| Arc::new(eyes) as Arc<dyn paramedic_remediations::ports::cluster::Cluster>);
        let endpoints = Endpoints::new(&configuration.endpoints).map_err(|error| unusable(error.into()))?;
        let plain = PlainHttp::new().map_err(|error| unusable(error.into()))?.with_endpoints(endpoints);
        let plain = Arc::new(plain);
        let now = Arc::new(move || clock.wall());
        Ok(Self { remedies: Remedies::without_hands(eyes, plain, facts, now), prometheus: named, cluster })
    }

    /// What was left out, in words.
    pub(super) fn blind_to(&self) -> Option<&'static str> {
        match (self.prometheus, self.cluster) {
            (true, true) => None,
            (false, true) => Some("Prometheus was not named (--prometheus-url), so its facts are not known"),
            (true, false) => {
                Some("no cluster was named (--kubeconfig, --context), so its facts are not known")
            }
            (false, false) => Some(
                "neither Prometheus (--prometheus-url) nor a cluster (--kubeconfig, --context) was named, so no facts \
                 are known",
            ),
        }
    }
}

/// Whether a question can be answered without a cluster.
fn is_plain_http(ask: &Ask) -> bool {
    match ask {
        Ask::Http { .. } | Ask::Preflight { wish: Wish::Http(_), .. } => true,
        Ask::Preflight { wish: Wish::ResetBreaker(reset_breaker::Wish { endpoints, .. }), .. } => {
            matches!(endpoints, reset_breaker::Endpoints::Listed(_))
        }
        Ask::Query { .. } | Ask::Seek { .. } | Ask::Preflight { .. } | Ask::Rollout { .. } => false,
    }
}

#[async_trait]
impl World for Eyes {
    async fn answer(&self, question: &Question) -> Found {
        let unseen = match &question.ask {
            Ask::Query { .. } if !self.prometheus => Some(NO_PROMETHEUS),
            Ask::Query { .. } => None,
            ask if !self.cluster && !is_plain_http(ask) => Some(NO_CLUSTER),
            _ => None,
        };
        match unseen {
            Some(what) => Found::Failed { what: what.to_owned() },
            None => self.remedies.answer(question).await,
        }
    }

    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        nothing_done()
    }

    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        nothing_done()
    }
}

fn nothing_done() -> Outcome {
    Outcome::Failed { what: "explaining never acts".to_owned(), applied: false, diff: None }
}
