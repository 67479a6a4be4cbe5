//! Whether Prometheus and the API server answer, asked at the start and each minute, so that a quiet daemon says that it
//! could not act before it should; and what cluster that is. It must never change anything, and no decision hangs on it.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::time::Moment;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::identity;
use paramedic_remediations::ports::cluster::LookError;
use paramedic_remediations::ports::metrics::Metrics as MetricsPort;
use serde::Serialize;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::metrics::{Metrics, Peer};
use crate::redaction::Redactor;

/// How often each is asked.
const EVERY: Duration = Duration::from_secs(60);

/// Asks no series, and every Prometheus answers it.
const PROBE: &str = "vector(1)";

/// How the last request went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Reachable {
    /// Nobody has asked yet.
    NotAsked,
    /// It was answered.
    Answered {
        /// When.
        at: Moment,
    },
    /// It was not.
    Failed {
        /// When.
        at: Moment,
        /// What came back.
        problem: String,
    },
}

impl Reachable {
    fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// Whoever is asked.
#[derive(Default)]
pub(crate) struct Peers {
    /// What it answers it notes itself, as of every query.
    pub(crate) prometheus: Option<Arc<dyn MetricsPort>>,
    pub(crate) kubernetes: Option<ApiServer>,
}

/// The API server, and whoever wants to know whether it answers.
pub(crate) struct ApiServer {
    pub(crate) eyes: KubernetesEyes,
    pub(crate) url: String,
    /// What it is, for whoever has to tell it apart; no decision hangs on it.
    pub(crate) uid: watch::Sender<Option<String>>,
    /// Whether it is still to be asked what it is.
    pub(crate) may_look: bool,
    pub(crate) reachable: watch::Sender<Reachable>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) redactor: Redactor,
}

impl Peers {
    /// Asks for ever.
    pub(crate) async fn ask(mut self) {
        loop {
            let prometheus = async {
                if let Some(prometheus) = &self.prometheus {
                    // What came of it is noted where it is asked.
                    drop(prometheus.query(PROBE).await);
                }
            };
            let kubernetes = async {
                if let Some(server) = &mut self.kubernetes {
                    server.ask().await;
                }
            };
            tokio::join!(prometheus, kubernetes);
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl ApiServer {
    async fn ask(&mut self) {
        let answered = self.eyes.version().await;
        let at = self.clock.wall();
        self.metrics.answered(Peer::Kubernetes, answered.is_ok(), at);
        let cluster = self.url.as_str();
        let was_failed = self.reachable.borrow().is_failed();
        let now = match answered {
            Ok(version) => {
                if was_failed {
                    tracing::info!(cluster, version, "the API server answers again");
                }
                Reachable::Answered { at }
            }
            Err(error) => {
                let problem = self.redactor.text(&error.to_string()).into_owned();
                tracing::warn!(cluster, problem, "the API server does not answer; what needs it is withheld");
                Reachable::Failed { at, problem }
            }
        };
        let answers = matches!(now, Reachable::Answered { .. });
        self.reachable.send_replace(now);
        if answers && self.may_look {
            self.look().await;
        }
    }

    /// Finds out once what the cluster is. An account of the least rights may not, and goes on without.
    async fn look(&mut self) {
        let cluster = self.url.as_str();
        match identity::of(&self.eyes).await {
            Ok(uid) => {
                self.may_look = false;
                self.uid.send_replace(Some(uid));
            }
            Err(LookError::Failed { .. } | LookError::NoKubernetes) => {}
            Err(error @ (LookError::Forbidden { .. } | LookError::Absent { .. })) => {
                self.may_look = false;
                let why = self.redactor.text(&error.to_string()).into_owned();
                tracing::debug!(
                    cluster,
                    why,
                    "which cluster this is cannot be told; only `cleanup` asks for it"
                );
            }
        }
    }
}
