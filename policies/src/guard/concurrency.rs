//! How many actions of a policy may run at once, over all targets: an action runs from its intent until it has been
//! seen whether it helped, and a sequence that has begun keeps its place between its steps. A revert does not count.

use std::collections::BTreeSet;

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::state::CaseId;

/// Refuses while as many of this policy's actions run as may.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let have = u32::try_from(running(view).len()).unwrap_or(u32::MAX);
    let allow = view.policy.guards.concurrency;
    if have >= allow {
        return Finding::refuses(Guard::Concurrency, Reason::TooManyRunning { have, allow });
    }
    Finding::allows(Guard::Concurrency, format!("{have} of {allow} allowed actions are running"))
}

/// The other cases of this policy that have something under way or watch what they did, or wait between two steps. One
/// that waits so itself has a place already, and goes by what is under way alone: two of them must not wait for each other.
fn running(view: &View<'_>) -> BTreeSet<CaseId> {
    let policy = &view.policy.name;
    let in_flight = view
        .state
        .in_flight
        .values()
        .map(|flight| &flight.intent)
        .filter(|intent| intent.policy == *policy && intent.reverts.is_none())
        .map(|intent| CaseId { episode: intent.episode, policy: intent.policy.clone() });
    let watching = view.state.indexes.watching_of(policy).cloned();
    let between = view.state.indexes.between_of(policy).filter(|_| !view.case.rung_begun).cloned();
    in_flight.chain(watching).chain(between).filter(|id| *id != view.case.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Seq;
    use crate::guard::fixtures::*;
    use crate::state::Phase;

    #[test]
    fn as_many_as_may_run_refuse_one_more() {
        let mut world = World::new();
        world.policy.guards.concurrency = 2;
        world.start(40, "restart-web", "prod/a");
        world.other_case(2, "restart-web", 0, "prod/b", verifying(41));
        world.charge("restart-web", "prod/b", "08:20:00");
        assert_eq!(world.says(judge), "refuses: 2 of 2 allowed actions are running");
    }

    #[test]
    fn one_that_watches_counts_after_its_charge_was_dropped() {
        let mut world = World::new();
        world.other_case(2, "restart-web", 0, "prod/b", verifying(41));
        world.ended(41, "restart-web", 2, "prod/b", "08:25:00");
        assert_eq!(world.says(judge), "refuses: 1 of 1 allowed actions are running");
    }

    #[test]
    fn one_that_watches_counts_after_somebodys_revert_on_its_target() {
        let mut world = World::new();
        world.other_case(2, "restart-web", 0, "prod/b", verifying(41));
        world.charge("restart-web", "prod/b", "07:31:00");
        world.ended(43, "scale-web", 7, "prod/b", "08:25:00");
        assert_eq!(world.says(judge), "refuses: 1 of 1 allowed actions are running");
    }

    #[test]
    fn one_between_two_steps_counts_but_not_for_another_such() {
        let mut world = World::new();
        world.other_case(2, "restart-web", 0, "prod/b", waiting("08:30:00"));
        world.state.cases.values_mut().for_each(|case| case.rung_begun = true);
        assert_eq!(world.says(judge), "refuses: 1 of 1 allowed actions are running");
        world.case.rung_begun = true;
        assert_eq!(world.says(judge), "allows: 0 of 1 allowed actions are running");
        world.case.rung_begun = false;
        world.state.cases.values_mut().for_each(|case| case.phase = Phase::Withheld);
        assert_eq!(world.says(judge), "allows: 0 of 1 allowed actions are running");
    }

    #[test]
    fn reverts_and_other_policies_do_not_count() {
        let mut world = World::new();
        world.start(40, "scale-web", "prod/a");
        world.start(41, "restart-web", "prod/c");
        world.state.in_flight.get_mut(&Seq(41)).expect("just added").intent.reverts = Some(Seq(30));
        world.other_case(2, "scale-web", 0, "prod/b", verifying(42));
        world.charge("restart-web", "prod/b", "08:20:00");
        world.other_case(3, "restart-web", 0, "prod/d", waiting("08:30:00"));
        world.charge("restart-web", "prod/d", "08:20:00");
        assert_eq!(world.says(judge), "allows: 0 of 1 allowed actions are running");
    }
}
