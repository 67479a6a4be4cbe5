//! While the wall clock is in doubt nothing is decided: from when a running process must have seen that it was moved by more
//! than a minute until an operator accepts it.

use paramedic_policies::event::Event;
use paramedic_policies::time::{Moment, Span};

use super::super::clocks::STEP_MIN;
use super::Evidence;

/// The clocks are compared at least this often, and a block is handed over soon.
const SEEN_WITHIN: Span = Span::from_secs(30);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for (at, by_ms) in &evidence.tape.bends {
        if by_ms.unsigned_abs() <= STEP_MIN.ms() + 10_000 || is_down(evidence, *at) {
            continue;
        }
        let accepted =
            evidence.records.iter().filter(|record| matches!(record.event, Event::ClockAccepted { .. }));
        let accepted =
            accepted.map(|record| evidence.handed(record.seq)).filter(|accepted| accepted > at).min();
        let accepted = accepted.unwrap_or(evidence.ended);
        for intent in evidence.intents.values() {
            let handed = evidence.handed(intent.id);
            if *at + SEEN_WITHIN < handed && handed + SEEN_WITHIN < accepted {
                says.push(format!(
                    "the clock was moved by {by_ms} ms at {at}, and intent {} was decided at {handed}, before \
                     anybody accepted that",
                    intent.id
                ));
            }
        }
    }
}

/// Whether no process may have seen it: one that begins later sees only a clock that is before its last record.
fn is_down(evidence: &Evidence<'_>, at: Moment) -> bool {
    let near = |crash: &Moment| *crash <= at + SEEN_WITHIN && at.since(*crash) < Span::from_secs(150);
    evidence.tape.crashes.iter().any(near)
}
