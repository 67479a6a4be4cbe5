//! Waiting for something to become true, or to stay so. Every wait has a deadline and says at its end what it
//! saw last. It must never wait for time alone to pass.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `probe` answers `Ok`, and gives what it holds; an `Err` says what is seen at present.
///
/// # Panics
/// When the deadline passes first, with `what` was awaited and what was seen last.
pub async fn eventually<T, E: Display>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let begun = Instant::now();
    let mut seen = String::from("nothing: the first look never ended");
    loop {
        let left = deadline.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left.max(LOOK_EVERY), probe()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(now)) => seen = now.to_string(),
            Err(_) => {}
        }
        assert!(begun.elapsed() < deadline, "not within {}: {what}. Seen last: {seen}", seconds(deadline));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks for the whole of `span` and wants `Ok` each time: for tests that nothing happens.
///
/// # Panics
/// At the first `Err`, with what was seen and how long it had held.
pub async fn stays<E: Display>(span: Duration, what: &str, mut probe: impl AsyncFnMut() -> Result<(), E>) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if let Err(now) = probe().await {
            let held = seconds(begun.elapsed());
            panic!("held for {held} only: {what}. Seen: {now}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `Ok` where `fact` is true, else what is seen: makes probes short.
pub fn seen(fact: bool, now: impl FnOnce() -> String) -> Result<(), String> {
    if fact { Ok(()) } else { Err(now()) }
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_with_what_it_found() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(5), "three looks", async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        })
        .await;
        assert_eq!(found, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "not within 0.1 s: the moon. Seen last: clouds")]
    async fn a_wait_past_its_deadline_says_what_it_saw() {
        eventually::<(), _>(Duration::from_millis(100), "the moon", async || Err("clouds")).await;
    }

    #[tokio::test]
    #[should_panic(expected = "quiet. Seen: noise")]
    async fn what_stays_is_looked_at_all_the_time() {
        let mut looks = 0;
        stays(Duration::from_secs(5), "quiet", async || {
            looks += 1;
            seen(looks < 3, || "noise".into())
        })
        .await;
    }
}
