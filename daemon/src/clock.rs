//! Time from outside: the wall clock for records, the monotonic clock to catch the wall clock lying. Only the driver
//! and adapters read it; nothing that decides ever does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use paramedic_policies::time::{Moment, Span};
use tokio::time::Instant;

/// Both clocks.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn wall(&self) -> Moment;

    /// The monotonic clock, from any beginning.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    /// The machine's clocks.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Moment {
        let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Moment::from_unix_ms(ms)
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}

/// How far the clocks may drift apart between two looks before it counts as a step.
pub const STEP_MIN: Span = Span::from_mins(1);

/// After this long the clocks are compared from a new beginning, so that slow correction by NTP never adds up.
const COMPARED_FOR: Duration = Duration::from_secs(3600);

/// Compares the clocks.
#[derive(Debug)]
pub struct ClockGuard {
    wall: Moment,
    monotonic: Duration,
}

impl ClockGuard {
    /// Begins to compare.
    pub fn new(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall(), monotonic: clock.monotonic() }
    }

    /// By how many milliseconds the wall clock has stepped since the last look, where it has.
    pub fn step_ms(&mut self, clock: &dyn Clock) -> Option<i64> {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let passed = monotonic.saturating_sub(self.monotonic);
        let expected = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let moved = wall.unix_ms().saturating_sub(self.wall.unix_ms());
        let step_ms = moved.saturating_sub(expected);
        let stepped = step_ms.unsigned_abs() > STEP_MIN.ms();
        if stepped || passed > COMPARED_FOR {
            *self = Self { wall, monotonic };
        }
        stepped.then_some(step_ms)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::*;

    /// A clock that a test moves.
    #[derive(Debug)]
    pub(crate) struct HandClock {
        wall_ms: AtomicI64,
        monotonic_ms: AtomicU64,
    }

    impl HandClock {
        pub(crate) fn new() -> Self {
            Self { wall_ms: AtomicI64::new(1_763_713_800_000), monotonic_ms: AtomicU64::new(0) }
        }

        /// Lets time pass.
        pub(crate) fn pass(&self, span: Span) {
            self.step(i64::try_from(span.ms()).expect("short"));
            self.monotonic_ms.fetch_add(span.ms(), Ordering::SeqCst);
        }

        /// Moves the wall clock alone.
        pub(crate) fn step(&self, by_ms: i64) {
            self.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    impl Clock for HandClock {
        fn wall(&self) -> Moment {
            Moment::from_unix_ms(self.wall_ms.load(Ordering::SeqCst))
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn passing_time_is_no_step() {
        let clock = HandClock::new();
        let mut guard = ClockGuard::new(&clock);
        for _ in 0..100 {
            clock.pass(Span::from_mins(7));
            assert_eq!(guard.step_ms(&clock), None);
        }
    }

    #[test]
    fn slow_correction_is_no_step() {
        let clock = HandClock::new();
        let mut guard = ClockGuard::new(&clock);
        for _ in 0..100 {
            clock.pass(Span::from_hours(1));
            clock.step(1800);
            assert_eq!(guard.step_ms(&clock), None);
        }
    }

    #[test]
    fn a_step_either_way_is_seen_once() {
        let clock = HandClock::new();
        let mut guard = ClockGuard::new(&clock);
        clock.step(61_000);
        assert_eq!(guard.step_ms(&clock), Some(61_000));
        assert_eq!(guard.step_ms(&clock), None);
        clock.step(-3_600_000);
        assert_eq!(guard.step_ms(&clock), Some(-3_600_000));
        clock.step(59_000);
        assert_eq!(guard.step_ms(&clock), None);
    }
}
