//! After a policy acted on a target it leaves it alone for a while. The next rung of the ladder that acted is not
//! held by it: that is paced by its verification.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;

/// Refuses while the policy's last charged action on the target is younger than `cooldown:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Cooldown);
    };
    let cooldown = view.policy.guards.cooldown;
    let charges = ledger::of(view).charges.iter().rev();
    let mut of_this = charges.filter(|charge| charge.policy == view.policy.name && charge.target == *target);
    let last = of_this.next().map(|charge| charge.at);
    match last {
        None => {
            Finding::allows(Guard::Cooldown, format!("not acted on this target lately, cooldown {cooldown}"))
        }
        Some(since) if view.looks_only() && view.case.attempts > 0 => {
            Finding::allows(Guard::Cooldown, format!("looked at {since}, and looks again since that failed"))
        }
        Some(since) if view.looks_only() && view.case.looked => {
            Finding::allows(Guard::Cooldown, format!("looked at {since}, and its own ladder goes on"))
        }
        Some(since) if view.case.acted => Finding::allows(
            Guard::Cooldown,
            format!("acted at {since}, and its own ladder goes on, cooldown {cooldown}"),
        ),
        Some(since) if ledger::is_within(since, cooldown, view.now) => {
            Finding::refuses(Guard::Cooldown, Reason::CoolingDown { since, until: since + cooldown })
        }
        Some(since) => Finding::allows(
            Guard::Cooldown,
            format!("last acted {} ago, cooldown {cooldown}", view.now.since(since)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn a_recent_action_on_the_target_refuses() {
        let mut world = World::new();
        world.charge("restart-web", "prod/web", "08:00:00");
        world.charge("restart-web", "prod/web", "08:20:00");
        assert_eq!(
            world.says(judge),
            "refuses: acted on this target at 2026-11-21T08:20:00.000Z, cooling down until 2026-11-21T08:35:00.000Z"
        );
    }

    #[test]
    fn exactly_the_cooldown_later_allows() {
        let mut world = World::new();
        world.charge("restart-web", "prod/web", "08:15:00");
        assert_eq!(world.says(judge), "allows: last acted 15m ago, cooldown 15m");
    }

    #[test]
    fn the_next_rung_of_the_same_ladder_is_not_held() {
        let mut world = World::new();
        world.charge("restart-web", "prod/web", "08:20:00");
        world.case.acted = true;
        assert_eq!(
            world.says(judge),
            "allows: acted at 2026-11-21T08:20:00.000Z, and its own ladder goes on, cooldown 15m"
        );
    }

    #[test]
    fn other_targets_other_policies_and_rehearsals_do_not_count() {
        let mut world = World::new();
        world.charge("restart-web", "prod/db", "08:20:00");
        world.charge("scale-web", "prod/web", "08:20:00");
        assert_eq!(world.says(judge), "allows: not acted on this target lately, cooldown 15m");
        world.charge("restart-web", "prod/web", "08:20:00");
        world.rehearsal = true;
        assert_eq!(world.says(judge), "allows: not acted on this target lately, cooldown 15m");
    }

    /// A world in which the policy looked at the target ten minutes ago.
    fn looked() -> World {
        let mut world = World::new();
        world.policy.ladder[0] = looking();
        world.charge("restart-web", "prod/web", "08:20:00");
        std::mem::swap(&mut world.state.ledger, &mut world.state.looks);
        world
    }

    #[test]
    fn a_look_is_repeated_where_it_failed_and_by_its_own_ladder_alone() {
        let mut world = looked();
        assert!(world.says(judge).starts_with("refuses: acted on this target"), "{}", world.says(judge));
        world.case.looked = true;
        assert_eq!(
            world.says(judge),
            "allows: looked at 2026-11-21T08:20:00.000Z, and its own ladder goes on"
        );
        world.case.attempts = 1;
        assert_eq!(
            world.says(judge),
            "allows: looked at 2026-11-21T08:20:00.000Z, and looks again since that failed"
        );
    }

    #[test]
    fn what_changes_something_is_held_whatever_was_looked_at_or_failed() {
        let mut world = World::new();
        world.charge("restart-web", "prod/web", "08:20:00");
        (world.case.looked, world.case.attempts) = (true, 1);
        assert!(world.says(judge).starts_with("refuses: acted on this target"), "{}", world.says(judge));
    }
}
