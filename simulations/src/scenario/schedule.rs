//! What happens when: everything that a scenario says, in the order of time. At one moment things break first, then the
//! cluster changes, then alerts begin and end, then people order, and last somebody looks.

use paramedic_policies::time::{Moment, Span};

use super::Scenario;
use super::amounts::ROUNDS_MAX;
use super::document::Spec;

/// How long a scenario lasts that does not say it.
const LASTS: Span = Span::from_hours(1);

/// No alert is repeated more often in one scenario.
pub(super) const REPEATS_MAX: u64 = 1_000;

/// Something that happens: positions in the scenario's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Breaks(usize),
    Mends(usize),
    Changes(usize),
    Fires(usize),
    Ends(usize),
    Repeats(usize),
    Orders(usize),
    Looks(usize),
}

/// How long a scenario lasts.
pub(super) fn lasts(spec: &Spec) -> Span {
    spec.lasts.unwrap_or(LASTS)
}

/// All of it, with the end.
pub(super) fn of(scenario: &Scenario) -> (Vec<(Moment, Happening)>, Moment) {
    let spec: &Spec = &scenario.document.spec;
    let begins = scenario.begins;
    let end = begins + lasts(spec);
    let mut all: Vec<(Moment, Happening)> = Vec::new();
    for (index, fault) in spec.faults.iter().enumerate() {
        all.push((begins + fault.from, Happening::Breaks(index)));
        all.extend(fault.until.map(|until| (begins + until, Happening::Mends(index))));
    }
    let changes = spec.changes.iter().enumerate();
    all.extend(changes.map(|(index, change)| (begins + change.at, Happening::Changes(index))));
    for (index, alert) in spec.alerts.iter().enumerate() {
        let (times, every) =
            alert.recurs.as_ref().map_or((1, Span::ZERO), |recurs| (recurs.times, recurs.every));
        for round in 0..u64::from(times).min(ROUNDS_MAX.into()) {
            let later = begins + Span::from_ms(every.ms().saturating_mul(round));
            all.push((later + alert.from, Happening::Fires(index)));
            all.extend(alert.until.map(|until| (later + until, Happening::Ends(index))));
            // It is repeated while it fires, each time that it comes back.
            if let Some(every) = alert.repeated_every.filter(|every| *every > Span::ZERO) {
                let until = alert.until.map_or(end, |until| later + until);
                let mut at = later + alert.from + every;
                for _ in 0..REPEATS_MAX {
                    if at >= until {
                        break;
                    }
                    all.push((at, Happening::Repeats(index)));
                    at = at + every;
                }
            }
        }
    }
    let orders = spec.orders.iter().enumerate();
    all.extend(orders.map(|(index, order)| (begins + order.at, Happening::Orders(index))));
    for (index, state) in spec.expect.state.iter().enumerate() {
        all.extend(state.at.map(|at| (begins + at, Happening::Looks(index))));
    }
    all.sort_by_key(|(at, _)| *at);
    (all, end)
}
