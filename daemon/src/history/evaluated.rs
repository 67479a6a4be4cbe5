//! PromQL at moments of the past: `let` and `when` as Prometheus would have answered them then. Answers are kept, so that
//! two books over one past ask once. It knows nothing of the cluster.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paramedic_policies::answer::Found;
use paramedic_policies::question::Ask;
use paramedic_policies::time::Moment;
use paramedic_simulations::backtest::{Facts, Learned};

use crate::prometheus::Prometheus;

/// Answers that are kept; then all are forgotten.
const KEPT_MAX: usize = 10_000;

/// A Prometheus that is asked about the past.
pub struct Evaluated {
    prometheus: Arc<Prometheus>,
    known: Mutex<HashMap<Moment, HashMap<String, Found>>>,
}

impl std::fmt::Debug for Evaluated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluated").finish_non_exhaustive()
    }
}

impl Evaluated {
    /// Asks this Prometheus.
    pub fn new(prometheus: Arc<Prometheus>) -> Self {
        Self { prometheus, known: Mutex::default() }
    }

    fn known(&self, promql: &str, at: Moment) -> Option<Found> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&at)?.get(promql).cloned()
    }

    fn keep(&self, promql: &str, at: Moment, found: &Found) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.entry(at).or_default().insert(promql.to_owned(), found.clone());
    }
}

#[async_trait]
impl Facts for Evaluated {
    async fn learn(&self, ask: &Ask, at: Moment) -> Learned {
        let Ask::Query { promql } = ask else { return Learned::NotKnown };
        if let Some(found) = self.known(promql, at) {
            return Learned::Found(found);
        }
        let found = self.prometheus.query_at(promql, at).await;
        self.keep(promql, at, &found);
        Learned::Found(found)
    }
}
