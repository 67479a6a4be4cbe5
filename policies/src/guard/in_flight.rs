//! One intent at a time per target, over all policies: until its effect has ended and it has been seen whether it
//! helped, nobody else touches the target.

use crate::counted::counted;
use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while an effect on the target is under way, or another case watches what its own did.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::InFlight);
    };
    let crowd = view.state.indexes.on(target);
    let running = crowd.and_then(|crowd| crowd.in_flight().next());
    let watched = || crowd?.watching().find(|(id, _)| **id != view.case.id).map(|(_, intent)| intent);
    match running.or_else(watched) {
        Some(intent) => Finding::refuses(Guard::InFlight, Reason::AlreadyRunning { intent }),
        None => Finding::allows(
            Guard::InFlight,
            format!("{} under way, none on this target", counted(view.state.in_flight.len(), "effect")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn an_effect_under_way_on_the_target_refuses_whose_ever_it_is() {
        let mut world = World::new();
        world.start(40, "scale-db", "prod/db");
        world.start(41, "scale-web", "prod/web");
        assert_eq!(world.says(judge), "refuses: intent 41 is under way on this target");
    }

    #[test]
    fn another_case_that_watches_its_action_on_the_target_refuses() {
        let mut world = World::new();
        world.other_case(2, "scale-web", 0, "prod/web", verifying(42));
        assert_eq!(world.says(judge), "refuses: intent 42 is under way on this target");
    }

    #[test]
    fn effects_on_other_targets_allow() {
        let mut world = World::new();
        world.start(40, "scale-db", "prod/db");
        world.other_case(2, "scale-db", 0, "prod/db", verifying(42));
        world.other_case(3, "scale-web", 0, "prod/web", waiting("08:30:00"));
        assert_eq!(world.says(judge), "allows: 1 effect under way, none on this target");
    }
}
