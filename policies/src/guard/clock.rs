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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn a_step_of_the_clock_refuses_until_accepted() {
        let mut world = World::new();
        world.state.clock_stepped = Some(-3_600_000);
        assert_eq!(
            world.says(judge),
            "refuses: the wall clock moved by -3600000 ms and nobody has accepted it"
        );
    }

    #[test]
    fn a_steady_clock_allows() {
        assert_eq!(World::new().says(judge), "allows: no step of the clock waits to be accepted");
    }
}
