//! A forward step of the wall clock would empty every window, so nothing acts until an operator accepts it. After a
//! clock that had run ahead was put back, every fact would look old and no deadline would come: nothing acts until the
//! clock has caught up, and it says when that is. Never reads a clock.

use crate::guard::{Finding, Guard, View};

/// Refuses while a clock step waits to be accepted, and while time stands still.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    match view.state.clock_trouble(view.now) {
        Some(reason) => Finding::refuses(Guard::Clock, reason),
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
    fn while_time_stands_still_it_says_until_when() {
        let mut world = World::new();
        world.state.stands_still_until = Some(at("09:00:00"));
        assert_eq!(
            world.says(judge),
            "refuses: the wall clock had run ahead: time stands still, and nothing acts, until 2026-11-21T09:00:00.000Z"
        );
        world.now = at("09:00:00");
        assert_eq!(world.says(judge), "allows: no step of the clock waits to be accepted");
    }

    #[test]
    fn a_steady_clock_allows() {
        assert_eq!(World::new().says(judge), "allows: no step of the clock waits to be accepted");
    }
}
