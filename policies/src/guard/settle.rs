//! Our own action raises alerts on the same workload. For a while after one ended, nobody acts on its target again,
//! except the case whose action it was.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;

/// Refuses while the last action on the target, of whichever policy, settles.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Settle);
    };
    let settle = view.book.settings().guards.settle;
    let Some(last) = view.state.last_actions.get(target) else {
        return Finding::allows(Guard::Settle, format!("no action on this target lately, settle {settle}"));
    };
    let own = last.episode == view.case.id.episode && last.policy == view.case.id.policy;
    if own {
        return Finding::allows(
            Guard::Settle,
            format!("intent {} on this target was of this very case", last.intent),
        );
    }
    if ledger::is_within(last.ended_at, settle, view.now) {
        let until = last.ended_at + settle;
        return Finding::refuses(Guard::Settle, Reason::Settling { intent: last.intent, until });
    }
    Finding::allows(
        Guard::Settle,
        format!("intent {} ended {} ago, settle {settle}", last.intent, view.now.since(last.ended_at)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn an_action_that_ended_just_now_refuses_whose_ever_it_was() {
        let mut world = World::new();
        world.ended(41, "scale-web", 2, "prod/web", "08:29:00");
        assert_eq!(
            world.says(judge),
            "refuses: intent 41 settles on this target until 2026-11-21T08:31:00.000Z"
        );
    }

    #[test]
    fn the_same_policy_for_another_episode_is_held_too() {
        let mut world = World::new();
        world.ended(41, "restart-web", 2, "prod/web", "08:29:00");
        assert_eq!(
            world.says(judge),
            "refuses: intent 41 settles on this target until 2026-11-21T08:31:00.000Z"
        );
    }

    #[test]
    fn what_has_settled_was_its_own_or_never_was_allows() {
        let mut world = World::new();
        assert_eq!(world.says(judge), "allows: no action on this target lately, settle 2m");
        world.ended(41, "scale-web", 2, "prod/web", "08:28:00");
        assert_eq!(world.says(judge), "allows: intent 41 ended 2m ago, settle 2m");
        world.ended(42, "restart-web", 1, "prod/web", "08:29:59");
        assert_eq!(world.says(judge), "allows: intent 42 on this target was of this very case");
    }
}
