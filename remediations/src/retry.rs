//! Retries of questions, and of nothing else: a change is never repeated here, the engine owns that. The only module
//! that knows `backoff` (unmaintained, RUSTSEC-2025-0012).

use std::time::Duration;

use backoff::Clock;
use backoff::exponential::{ExponentialBackoff, ExponentialBackoffBuilder};

/// Tokio's clock, so that paused time pauses retries too.
#[derive(Debug, Default, Clone)]
struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Asks until there is an answer, an error that time does not heal, or `within` is over. Without jitter: one process
/// asks, and the same run is to take the same course.
///
/// # Errors
/// The last one, or what `late` makes where a question was still open at the end.
pub(crate) async fn question<T, E, F: Future<Output = Result<T, E>>>(
    within: Duration,
    is_transient: impl Fn(&E) -> bool,
    late: impl FnOnce() -> E,
    mut ask: impl FnMut() -> F,
) -> Result<T, E> {
    let pauses: ExponentialBackoff<TokioClock> = ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_multiplier(2.0)
        .with_randomization_factor(0.0)
        .with_max_interval(Duration::from_secs(5))
        .with_max_elapsed_time(Some(within))
        .build();
    let is_transient = &is_transient;
    let attempts = backoff::future::retry(pauses, || {
        let answer = ask();
        async move {
            answer.await.map_err(|error| {
                if is_transient(&error) {
                    backoff::Error::transient(error)
                } else {
                    backoff::Error::permanent(error)
                }
            })
        }
    });
    match tokio::time::timeout(within, attempts).await {
        Ok(answered) => answered,
        Err(_) => Err(late()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn asked(answers: &[Result<u8, &'static str>]) -> (Result<u8, &'static str>, usize) {
        let count = Cell::new(0);
        let found = question(
            Duration::from_secs(10),
            |e| *e != "never",
            || "late",
            || {
                let answer = answers.get(count.get()).copied().unwrap_or(Err("again"));
                count.set(count.get() + 1);
                async move { answer }
            },
        )
        .await;
        (found, count.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_asked_until_it_is_answered() {
        assert_eq!(asked(&[Err("again"), Err("again"), Ok(7)]).await, (Ok(7), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_time_does_not_heal_is_asked_once() {
        assert_eq!(asked(&[Err("never"), Ok(7)]).await, (Err("never"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_ends_with_its_time() {
        let begun = tokio::time::Instant::now();
        let (found, count) = asked(&[]).await;
        assert!(found.is_err());
        assert!((5..20).contains(&count), "{count}");
        assert!(begun.elapsed() <= Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_hangs_is_late() {
        let never = question(
            Duration::from_secs(1),
            |_: &&str| true,
            || "late",
            std::future::pending::<Result<u8, _>>,
        );
        assert_eq!(never.await, Err("late"));
    }
}
