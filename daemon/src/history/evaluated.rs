//! PromQL at moments of the past: `let` and `when` as Prometheus would have answered them then. Answers are kept, so that
//! two books over one past ask once; and who asks the same again soon after will go on asking, as the engine does while a
//! condition does not hold: the moments at which it will are asked together. Where Prometheus is too busy it waits; where that
//! was in vain once, never again. It knows nothing of the cluster.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paramedic_policies::answer::Found;
use paramedic_policies::promql;
use paramedic_policies::question::Ask;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::metrics::Range;
use paramedic_simulations::backtest::{Facts, Learned};

use super::stretches::Patience;
use crate::prometheus::{Prometheus, Then};

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
    patience: Patience,
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
        let found = self.ask_patiently(promql, at).await;
        self.with(|known| known.keep(promql, vec![(at, found.clone())]));
        found
    }

    async fn ask_patiently(&self, promql: &str, at: Moment) -> Found {
        let mut waits = 0;
        loop {
            let (told, found) = match self.prometheus.query_at(promql, at).await {
                Then::Found(found) => return found,
                Then::Busy { wait, found } => (wait, found),
            };
            let Some(wait) = self.with(|known| known.patience).wait(waits, told) else {
                // There may be thousands of questions.
                self.with(|known| known.patience.times = 0);
                return found;
            };
            tokio::time::sleep(wait.duration()).await;
            waits += 1;
        }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::response::IntoResponse as _;
    use axum::routing::post;
    use reqwest::StatusCode;

    use super::*;
    use crate::history::served::{prometheus, reply};

    /// A Prometheus that is too busy for the first questions; and how many came.
    async fn busy(first: usize) -> (Evaluated, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let handler = move || async move {
            if seen.fetch_add(1, Ordering::SeqCst) < first {
                return (StatusCode::TOO_MANY_REQUESTS, "too many outstanding requests").into_response();
            }
            let result = r#"{"resultType":"vector","result":[{"metric":{},"value":[60,"3"]}]}"#;
            reply(200, format!(r#"{{"status":"success","data":{result}}}"#))
        };
        let router = Router::new().route("/api/v1/query", post(handler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let evaluated = Evaluated::new(prometheus(&url, Span::from_mins(2)), Span::from_secs(30));
        let short = Patience { first: Span::from_ms(1), longest: Span::from_ms(1), times: 3 };
        evaluated.with(|known| known.patience = short);
        (evaluated, asked)
    }

    #[tokio::test]
    async fn one_that_is_busy_is_asked_again_and_one_that_stays_so_not_for_every_question() {
        let at = Moment::from_unix_ms(60_000);
        let (evaluated, asked) = busy(3).await;
        let Found::Series(series) = evaluated.ask("up", at).await else { panic!("it answers in the end") };
        assert_eq!((series.len(), asked.load(Ordering::SeqCst)), (1, 4));

        let (evaluated, asked) = busy(usize::MAX).await;
        for (promql, so_far) in [("up", 4), ("down", 5), ("left", 6)] {
            let Found::Failed { what } = evaluated.ask(promql, at).await else { panic!("it is busy") };
            assert_eq!(what, "Prometheus: it is too busy: 429 Too Many Requests");
            assert_eq!(asked.load(Ordering::SeqCst), so_far, "{promql}");
        }
    }

    #[test]
    fn a_query_of_its_own_time_is_asked_for_each_moment() {
        let (at, step) = (Moment::from_unix_ms(30_000), Span::from_secs(30));
        assert!(is_alike_along("sum(rate(x[5m]))", at, step));
        assert!(!is_alike_along("x @ end( )", at, step), "the end is another one");
        assert!(is_alike_along("x{why=\"end()\"}", at, step), "that is only a label's value");
        assert!(!is_alike_along("x", Moment::from_unix_ms(30_001), step), "ranges begin with whole seconds");
    }
}
