//! The pace of all effects: governor's rate limiter over a clock that stands still and a state that lives in the
//! ledger, so that a restart changes nothing. A pace, no ceiling: exact ceilings are [`limits`](super::limits).

use std::cell::Cell;
use std::num::NonZeroU32;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;
use crate::settings::Pace;
use crate::time::Moment;

/// Refuses while effects come faster than the pace.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let pace = &view.book.settings().guards.pace;
    let Some(quota) = quota(pace) else {
        return Finding::allows(Guard::Pace, "no pace is set");
    };
    match ask(quota, ledger::of(view).pace_ns, view.now) {
        Ok(Granted { left, .. }) => Finding::allows(
            Guard::Pace,
            format!(
                "{} of {} at once are left, then one each {}",
                left.saturating_add(1),
                pace.burst,
                pace.every
            ),
        ),
        Err(until) => Finding::refuses(Guard::Pace, Reason::Pace { until }),
    }
}

/// The pace after one more effect at that moment, whether or not it kept to the pace; `None` without a pace.
/// `previous` and the result are what [`Ledger::pace_ns`](crate::state::Ledger::pace_ns) holds.
pub(crate) fn advance(pace: &Pace, previous: Option<u64>, at: Moment) -> Option<u64> {
    let quota = quota(pace)?;
    Some(match ask(quota, previous, at) {
        Ok(granted) => granted.next_ns,
        Err(_) => previous.unwrap_or(0).saturating_add(Nanos::from(quota.replenish_interval()).as_u64()),
    })
}

/// What the ledger's pace would be had this one been in force for all that it was charged.
pub(crate) fn anew(pace: &Pace, charges: impl IntoIterator<Item = Moment>) -> Option<u64> {
    charges.into_iter().fold(None, |previous, at| advance(pace, previous, at))
}

/// No sum of times in the limiter may overflow, however odd the settings: none is longer than 73 years.
const NANOS_MAX: u64 = u64::MAX / 8;

/// The pace as governor has it; `None` where it is set to nothing.
fn quota(pace: &Pace) -> Option<Quota> {
    let every_ns = pace.every.ms().saturating_mul(1_000_000).min(NANOS_MAX);
    let burst_max = u32::try_from(NANOS_MAX.checked_div(every_ns)?).unwrap_or(u32::MAX);
    let burst = NonZeroU32::new(pace.burst.min(burst_max))?;
    Some(Quota::with_period(std::time::Duration::from_nanos(every_ns))?.allow_burst(burst))
}

struct Granted {
    next_ns: u64,
    left: u32,
}

/// One look at the limiter: granted, or not before that moment.
fn ask(quota: Quota, previous_ns: Option<u64>, at: Moment) -> Result<Granted, Moment> {
    let now_ns = u64::try_from(at.unix_ms()).unwrap_or(0).saturating_mul(1_000_000).min(u64::MAX / 4);
    // The limiter counts from its making, which is now.
    let ahead_ns = previous_ns.map(|ns| ns.saturating_sub(now_ns).min(2 * NANOS_MAX));
    let limiter: RateLimiter<NotKeyed, Stored, StandsStill, StateInformationMiddleware> =
        RateLimiter::new(quota, Stored(Cell::new(ahead_ns)), StandsStill);
    match limiter.check() {
        Ok(snapshot) => Ok(Granted {
            left: snapshot.remaining_burst_capacity(),
            next_ns: now_ns.saturating_add(limiter.into_state_store().0.get().unwrap_or(0)),
        }),
        Err(not_until) => {
            let wait_ms = not_until.wait_time_from(Nanos::new(0)).as_nanos().div_ceil(1_000_000);
            Err(at + crate::time::Span::from_ms(u64::try_from(wait_ms).unwrap_or(u64::MAX)))
        }
    }
}

/// A clock without time of its own.
struct StandsStill;

impl Clock for StandsStill {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Nanos::new(0)
    }
}

/// The theoretical arrival time of the next effect, in nanoseconds from now.
struct Stored(Cell<Option<u64>>);

impl StateStore for Stored {
    type Key = NotKeyed;
    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = judge(self.0.get().map(Nanos::new))?;
        self.0.set(Some(next.as_u64()));
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::time::Span;

    fn ns(moment: Moment) -> u64 {
        u64::try_from(moment.unix_ms()).expect("after 1970") * 1_000_000
    }

    /// The ledger's pace after effects at these times.
    fn after(world: &mut World, effects: &[&str]) {
        for when in effects {
            let ledger = &mut world.state.ledger;
            ledger.pace_ns = advance(&world.settings.guards.pace, ledger.pace_ns, at(when));
        }
    }

    #[test]
    fn a_burst_that_is_used_up_refuses_until_the_next_interval() {
        let mut world = World::new();
        after(&mut world, &["08:29:59", "08:29:59", "08:29:59"]);
        assert_eq!(world.says(judge), "refuses: effects are paced, the next at 2026-11-21T08:30:09.000Z");
        world.now = at("08:30:09");
        assert_eq!(world.says(judge), "allows: 1 of 3 at once are left, then one each 10s");
    }

    #[test]
    fn after_a_quiet_time_the_whole_burst_is_there() {
        let mut world = World::new();
        assert_eq!(world.says(judge), "allows: 3 of 3 at once are left, then one each 10s");
        after(&mut world, &["07:00:00", "08:29:59"]);
        assert_eq!(world.says(judge), "allows: 2 of 3 at once are left, then one each 10s");
    }

    #[test]
    fn an_effect_against_the_pace_counts_all_the_same() {
        let mut world = World::new();
        after(&mut world, &["08:30:00"; 5]);
        assert_eq!(world.state.ledger.pace_ns, Some(ns(at("08:30:50"))));
        assert_eq!(world.says(judge), "refuses: effects are paced, the next at 2026-11-21T08:30:30.000Z");
    }

    #[test]
    fn the_pace_is_the_same_however_often_it_is_asked() {
        let mut world = World::new();
        after(&mut world, &["08:29:59"]);
        let first = world.says(judge);
        assert_eq!(world.says(judge), first);
        world.rehearsal = true;
        assert_eq!(world.says(judge), "allows: 3 of 3 at once are left, then one each 10s");
    }

    #[test]
    fn another_pace_holds_for_what_was_done_before_it() {
        let mut world = World::new();
        let effects = ["08:29:50", "08:29:50", "08:29:50"];
        world.settings.guards.pace = Pace { every: Span::from_mins(10), burst: 3 };
        world.state.ledger.pace_ns = anew(&world.settings.guards.pace, effects.map(at));
        assert_eq!(world.says(judge), "refuses: effects are paced, the next at 2026-11-21T08:39:50.000Z");
        world.settings.guards.pace = Pace { every: Span::from_secs(1), burst: 3 };
        world.state.ledger.pace_ns = anew(&world.settings.guards.pace, effects.map(at));
        assert_eq!(world.says(judge), "allows: 3 of 3 at once are left, then one each 1s");
    }

    #[test]
    fn a_pace_of_nothing_is_no_pace() {
        for (every, burst) in [(Span::ZERO, 3), (Span::from_secs(10), 0), (Span::ZERO, 0)] {
            let mut world = World::new();
            world.settings.guards.pace = Pace { every, burst };
            world.state.ledger.pace_ns = Some(u64::MAX);
            assert_eq!(world.says(judge), "allows: no pace is set");
            assert_eq!(advance(&world.settings.guards.pace, Some(7), world.now), None);
        }
    }

    #[test]
    fn no_setting_and_no_state_overflows() {
        let moments = [i64::MIN, -1, 0, 1, i64::MAX / 1_000_000, i64::MAX].map(Moment::from_unix_ms);
        for every in [1, 1_000, u64::MAX / 1_000_000, u64::MAX].map(Span::from_ms) {
            for burst in [1, 2, 1_000, u32::MAX] {
                for previous in [None, Some(0), Some(1), Some(u64::MAX / 2), Some(u64::MAX)] {
                    for now in moments {
                        let mut world = World::new();
                        world.settings.guards.pace = Pace { every, burst };
                        world.state.ledger.pace_ns = previous;
                        world.now = now;
                        let _ = world.says(judge);
                        assert!(advance(&world.settings.guards.pace, previous, now).is_some());
                    }
                }
            }
        }
    }
}
