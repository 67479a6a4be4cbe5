//! Where two policies want one target, the one with the higher priority comes first, then the lesser name. It keeps
//! its precedence only until it has been decided once: a policy that withholds does not block the others.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::state::{CaseId, Phase};

/// Refuses while a case with precedence on the same target has not been decided.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Precedence);
    };
    let policy = &view.policy.name;
    let crowd = view.state.indexes.on(target);
    let before = crowd.into_iter().flat_map(|crowd| crowd.undecided_before(view.policy.priority, policy));
    let mut before = before.filter(|id| id.policy != *policy);
    match before.find(|id| is_due(view, id)) {
        Some(first) => Finding::refuses(Guard::Precedence, Reason::Outranked { by: first.policy }),
        None => {
            let others = crowd.map_or(0, |crowd| crowd.of_others(policy));
            Finding::allows(
                Guard::Precedence,
                format!("priority {}, before {others} other cases on this target", view.policy.priority),
            )
        }
    }
}

/// Whether the case is about to be decided now. An attempt that is to be tried again later leaves the target free.
fn is_due(view: &View<'_>, id: &CaseId) -> bool {
    match view.state.cases.get(id).map(|case| &case.phase) {
        Some(Phase::Waiting { due }) => *due <= view.now,
        Some(Phase::Asking { .. } | Phase::Approved { .. }) => true,
        Some(
            Phase::Proposed { .. }
            | Phase::Acting { .. }
            | Phase::Verifying { .. }
            | Phase::Withheld
            | Phase::Resting,
        )
        | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use std::collections::BTreeSet;

    fn asking() -> Phase {
        Phase::Asking { open: BTreeSet::new(), due: at("08:30:15") }
    }

    #[test]
    fn the_highest_undecided_case_on_the_target_comes_first() {
        let mut world = World::new();
        world.other_case(2, "b-second", 10, "prod/web", waiting("08:30:00"));
        world.other_case(3, "a-first", 10, "prod/web", asking());
        world.other_case(4, "z-third", 5, "prod/web", asking());
        assert_eq!(world.says(judge), "refuses: policy a-first comes first and is not decided yet");
    }

    #[test]
    fn the_lesser_name_comes_first_among_equals() {
        let mut world = World::new();
        world.other_case(2, "a-policy", 0, "prod/web", waiting("08:29:00"));
        assert_eq!(world.says(judge), "refuses: policy a-policy comes first and is not decided yet");
    }

    #[test]
    fn what_a_person_approved_comes_first_though_it_was_ruled_on() {
        let mut world = World::new();
        let approved = Phase::Approved {
            action: scale(3, 5),
            by: "ann".to_owned(),
            open: BTreeSet::new(),
            due: at("08:31:00"),
        };
        world.other_case(2, "scale-web", 10, "prod/web", approved);
        let id = CaseId { episode: crate::event::Seq(2), policy: "scale-web".to_owned() };
        world.state.cases.get_mut(&id).expect("just added").last_ruling = ruled("propose");
        assert_eq!(world.says(judge), "refuses: policy scale-web comes first and is not decided yet");
    }

    #[test]
    fn lower_later_decided_and_closed_cases_allow() {
        let mut world = World::new();
        world.other_case(2, "z-lower", 0, "prod/web", waiting("08:30:00"));
        world.other_case(3, "later", 10, "prod/web", waiting("08:30:01"));
        world.other_case(4, "elsewhere", 10, "prod/db", waiting("08:30:00"));
        world.other_case(5, "decided", 10, "prod/web", asking());
        world.other_case(6, "closed", 10, "prod/web", asking());
        let decided = CaseId { episode: crate::event::Seq(5), policy: "decided".to_owned() };
        world.state.cases.get_mut(&decided).expect("just added").last_ruling = ruled("withhold");
        let closed = world.state.episodes.get_mut(&crate::event::Seq(6)).expect("just added");
        closed.closed_at = Some(at("08:29:00"));
        assert_eq!(world.says(judge), "allows: priority 0, before 4 other cases on this target");
    }

    #[test]
    fn a_case_of_the_same_policy_never_outranks() {
        let mut world = World::new();
        world.other_case(2, "restart-web", 0, "prod/web", waiting("08:30:00"));
        assert_eq!(world.says(judge), "allows: priority 0, before 0 other cases on this target");
    }

    /// It may have begun under an older book, with another priority.
    #[test]
    fn nor_does_one_that_had_a_higher_priority_then() {
        let mut world = World::new();
        world.other_case(2, "restart-web", 10, "prod/web", asking());
        assert_eq!(world.says(judge), "allows: priority 0, before 0 other cases on this target");
    }
}
