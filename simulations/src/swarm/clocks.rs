//! Two clocks: the world's, which is right, and the process's wall clock, which drifts and is set by people. The process
//! sees its own monotonic clock too, and compares the two as the daemon does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::clock::Clock;
use tokio::time::Instant;

/// How far the wall clock may move apart from the monotonic one between two looks before it counts as a step.
pub(crate) const STEP_MIN: Span = Span::from_mins(1);

#[derive(Debug, Default)]
struct Bend {
    offset_ms: i64,
    drift_ppm: i64,
    drifts_since_ms: i64,
}

/// Both clocks.
#[derive(Debug, Clone)]
pub(crate) struct Clocks {
    began: (Moment, Instant),
    bend: Arc<Mutex<Bend>>,
}

impl Clocks {
    /// Clocks that agree, now.
    pub(crate) fn new(now: Moment) -> Self {
        Self { began: (now, Instant::now()), bend: Arc::default() }
    }

    fn passed_ms(&self) -> i64 {
        i64::try_from(self.began.1.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Moment {
        self.began.0 + Span::from_ms(u64::try_from(self.passed_ms()).unwrap_or(0))
    }

    /// When that will be, for tokio.
    pub(crate) fn instant(&self, at: Moment) -> Instant {
        self.began.1 + at.since(self.began.0).duration()
    }

    /// What time the process believes it is.
    pub(crate) fn wall(&self) -> Moment {
        let passed = self.passed_ms();
        let bend = self.bend.lock().unwrap_or_else(PoisonError::into_inner);
        let drifted = (passed - bend.drifts_since_ms) * bend.drift_ppm / 1_000_000;
        Moment::from_unix_ms(self.began.0.unix_ms() + passed + bend.offset_ms + drifted)
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step(&self, by_ms: i64) {
        self.bend.lock().unwrap_or_else(PoisonError::into_inner).offset_ms += by_ms;
    }

    /// From now on the wall clock runs so much faster, in parts of a million.
    pub(crate) fn drift(&self, ppm: i64) {
        let passed = self.passed_ms();
        let mut bend = self.bend.lock().unwrap_or_else(PoisonError::into_inner);
        bend.offset_ms += (passed - bend.drifts_since_ms) * bend.drift_ppm / 1_000_000;
        (bend.drift_ppm, bend.drifts_since_ms) = (ppm, passed);
    }

    /// The world's clock for ports.
    pub(crate) fn right(&self) -> Clock {
        let clocks = self.clone();
        Arc::new(move || clocks.now())
    }

    /// The process's wall clock for ports.
    pub(crate) fn of_process(&self) -> Clock {
        let clocks = self.clone();
        Arc::new(move || clocks.wall())
    }

    /// The process's monotonic clock.
    pub(crate) fn monotonic(&self) -> Duration {
        self.began.1.elapsed()
    }
}

/// Compares the clocks of one process, as the daemon's guard does.
#[derive(Debug)]
pub(crate) struct ClockGuard {
    wall: Moment,
    monotonic: Duration,
}

impl ClockGuard {
    /// Begins to compare.
    pub(crate) fn new(clocks: &Clocks) -> Self {
        Self { wall: clocks.wall(), monotonic: clocks.monotonic() }
    }

    /// By how many milliseconds the wall clock stepped since the last look, where it did.
    pub(crate) fn step_ms(&mut self, clocks: &Clocks) -> Option<i64> {
        let (wall, monotonic) = (clocks.wall(), clocks.monotonic());
        let passed = monotonic.saturating_sub(self.monotonic);
        let moved = wall.unix_ms() - self.wall.unix_ms();
        let step_ms = moved - i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let stepped = step_ms.unsigned_abs() > STEP_MIN.ms();
        if stepped || passed > Duration::from_secs(3600) {
            *self = Self { wall, monotonic };
        }
        stepped.then_some(step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_drifts_and_steps_and_the_guard_sees_the_step() {
        let clocks = Clocks::new(Moment::from_unix_ms(0));
        let mut guard = ClockGuard::new(&clocks);
        clocks.drift(1000);
        tokio::time::advance(Duration::from_secs(1000)).await;
        assert_eq!(clocks.now().unix_ms(), 1_000_000);
        assert_eq!(clocks.wall().unix_ms(), 1_001_000);
        assert_eq!(guard.step_ms(&clocks), None);
        clocks.drift(0);
        clocks.step(-120_000);
        assert_eq!(clocks.wall().unix_ms(), 881_000);
        assert_eq!(guard.step_ms(&clocks), Some(-119_000));
        assert_eq!(guard.step_ms(&clocks), None);
    }
}
