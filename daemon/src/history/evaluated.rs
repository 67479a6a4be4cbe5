//! PromQL at moments of the past: `let` and `when` as Prometheus would have answered them then. Answers are kept, so that
//! two books over one past ask once; and who asks the same again soon after will go on asking, as the engine does while a
//! condition does not hold: the moments at which it will are asked together. It knows nothing of the cluster.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paramedic_policies::answer::Found;
use paramedic_policies::promql;
use paramedic_policies::question::Ask;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::metrics::Range;
use paramedic_simulations::backtest::{Facts, Learned};

use crate::prometheus::Prometheus;

/// Answers that are kept; then all are forgotten.
const KEPT_MAX: usize = 50_000;

/// The engine looks again after pauses that are so many of its shortest ones at most.
const PAUSES: u64 = 32;

/// A Prometheus that is asked about the past.
pub struct Evaluated {
    prometheus: Arc<Prometheus>,
    /// The engine's shortest pause between two looks; all others are whole numbers of it.
    retry: Span,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    answers: HashMap<String, HashMap<Moment, Found>>,
    kept: usize,
    last: HashMap<String, Moment>,
}

impl std::fmt::Debug for Evaluated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluated").finish_non_exhaustive()
    }
}

impl Evaluated {
    /// Asks this Prometheus; the engine looks again after `retry`.
    pub fn new(prometheus: Arc<Prometheus>, retry: Span) -> Self {
        Self { prometheus, retry, known: Mutex::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(&self, promql: &str, at: Moment) -> Found {
        let before = self.with(|known| known.last.insert(promql.to_owned(), at));
        let longest = Span::from_ms(self.retry.ms().saturating_mul(PAUSES));
        let is_again = before.is_some_and(|before| before < at && at.since(before) <= longest);
        if is_again && is_alike_along(promql, at, self.retry) {
            let along = Range { from: at, to: at + longest, step: self.retry };
            if let Ok(answers) = self.prometheus.query_along(promql, along).await {
                let found = answers.iter().find(|(then, _)| *then == at).map(|(_, found)| found.clone());
                self.with(|known| known.keep(promql, answers));
                if let Some(found) = found {
                    return found;
                }
            }
        }
        let found = self.prometheus.query_at(promql, at).await;
        self.with(|known| known.keep(promql, vec![(at, found.clone())]));
        found
    }
}

/// Whether a moment of a longer time is answered as that moment alone.
fn is_alike_along(promql: &str, at: Moment, step: Span) -> bool {
    let whole = at.unix_ms() % 1000 == 0 && step.ms().is_multiple_of(1000) && step > Span::ZERO;
    whole && promql::is_alike_along(promql)
}

impl Known {
    fn keep(&mut self, promql: &str, answers: Vec<(Moment, Found)>) {
        if self.kept >= KEPT_MAX {
            (self.kept, self.answers, self.last) = (0, HashMap::new(), HashMap::new());
        }
        self.kept += answers.len();
        self.answers.entry(promql.to_owned()).or_default().extend(answers);
    }
}

#[async_trait]
impl Facts for Evaluated {
    async fn learn(&self, ask: &Ask, at: Moment) -> Learned {
        let Ask::Query { promql } = ask else { return Learned::NotKnown };
        let known = self.with(|known| known.answers.get(promql)?.get(&at).cloned());
        Learned::Found(match known {
            Some(found) => found,
            None => self.ask(promql, at).await,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_its_own_time_is_asked_for_each_moment() {
        let (at, step) = (Moment::from_unix_ms(30_000), Span::from_secs(30));
        assert!(is_alike_along("sum(rate(x[5m]))", at, step));
        assert!(!is_alike_along("x @ end( )", at, step), "the end is another one");
        assert!(is_alike_along("x{why=\"end()\"}", at, step), "that is only a label's value");
        assert!(!is_alike_along("x", Moment::from_unix_ms(30_001), step), "ranges begin with whole seconds");
    }
}
