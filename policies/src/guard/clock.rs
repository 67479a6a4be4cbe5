//! A forward step of the wall clock would empty every window, so nothing acts until an operator accepts it.
//! Never reads a clock.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while a clock step waits to be accepted.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    match view.state.clock_stepped {
        Some(by_ms) => Finding::refuses(Guard::Clock, Reason::ClockStepped { by_ms }),
        None => Finding::allows(Guard::Clock, "no step of the clock waits to be accepted"),
    }
}
