//! A Prometheus that is slow, fails, knows nothing, or stands still; and the honest way to ask it, which does not pass on
//! what is too old. Beyond that its answers are [`SimulatedCluster`]'s.

use async_trait::async_trait;
use paramedic_policies::answer::{Found, Number};
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::metrics::Metrics;
use tokio::time::sleep;

use super::faults::Fault;
use super::sky::Sky;
use crate::SimulatedCluster;
use crate::adapters::answer_from;

/// An answer, and when it was true.
#[derive(Debug, Clone)]
pub(crate) struct Dated {
    /// The answer.
    pub(crate) found: Found,
    /// When it was true.
    pub(crate) at: Moment,
}

/// A Prometheus under this sky.
#[derive(Debug, Clone)]
pub(crate) struct Prometheus {
    cluster: SimulatedCluster,
    sky: Sky,
}

impl Prometheus {
    /// The Prometheus of this cluster.
    pub(crate) fn new(cluster: SimulatedCluster, sky: Sky) -> Self {
        Self { cluster, sky }
    }

    /// One instant query, with the time of its samples.
    pub(crate) async fn ask(&self, promql: &str) -> Dated {
        let chances = self.sky.chances();
        if self.sky.strikes(chances.query_slow, Fault::QuerySlow, &promql) {
            let takes = self.sky.throw(|dice| dice.ms(500..=25_000));
            sleep(takes.duration()).await;
        }
        let now = self.sky.now();
        let dated = |found: Found| Dated { found, at: now };
        if self.sky.strikes(chances.query_failed, Fault::QueryFailed, &promql) {
            return dated(Found::Failed { what: "Prometheus answered 503".to_owned() });
        }
        if let Some(past) = self.sky.past() {
            self.sky.fault(Fault::QueryStale, &promql);
            return Dated { found: answer_from(&past, promql), at: past.now() };
        }
        if self.sky.strikes(chances.query_empty, Fault::QueryEmpty, &promql) {
            return dated(Found::Series(Vec::new()));
        }
        let found = self.cluster.query(promql).await;
        match found {
            Found::Series(mut samples) if self.sky.strikes(chances.query_nan, Fault::QueryNan, &promql) => {
                samples.iter_mut().for_each(|sample| sample.value = Number(f64::NAN));
                dated(Found::Series(samples))
            }
            found => dated(found),
        }
    }
}

/// Asks, and does not pass on what is too old: as the daemon does, which compares the times of samples with its clock.
#[derive(Debug, Clone)]
pub(crate) struct FreshOnly {
    /// Who is asked.
    pub(crate) prometheus: Prometheus,
    /// `facts.maxAge`.
    pub(crate) max_age: Span,
}

#[async_trait]
impl Metrics for FreshOnly {
    async fn query(&self, promql: &str) -> Found {
        let asked = self.prometheus.sky.now();
        let Dated { found, at } = self.prometheus.ask(promql).await;
        let age = asked.since(at);
        if age > self.max_age {
            return Found::Failed { what: format!("its sample is {age} old, {} is allowed", self.max_age) };
        }
        found
    }
}
