//! Exact ceilings over sliding windows, counted from the ledger: the policy's, the step's and the global ones. A pace
//! that refills cannot be one; [`pace`](super::pace) is that.

use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::{Limit, LimitScope};
use crate::reason::Reason;
use crate::state::Charge;
use crate::target::Target;
use crate::time::Moment;

/// One finding for each ceiling: refuses where it is reached.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    let step = view.policy.ladder.get(view.case.rung).and_then(|rung| rung.steps.get(view.case.step));
    let limits = view
        .policy
        .guards
        .limits
        .iter()
        .chain(step.into_iter().flat_map(|step| &step.limits))
        .chain(&view.book.settings().guards.limits);
    let findings: Vec<Finding> = limits.map(|limit| judge_one(view, limit)).collect();
    if findings.is_empty() { vec![Finding::allows(Guard::Limits, "no ceiling is set")] } else { findings }
}

fn judge_one(view: &View<'_>, limit: &Limit) -> Finding {
    let target = view.known_target();
    if target.is_none() && matches!(limit.by, LimitScope::Target | LimitScope::Namespace) {
        return Finding::not_asked(Guard::Limits);
    }
    let count = |namespace: &str| -> Vec<Moment> {
        let charges = ledger::within(view, limit.per);
        let counted = charges.filter(|charge| counts(charge, limit.by, &view.policy.name, target, namespace));
        counted.map(|charge| charge.at).collect()
    };
    // By namespace, the fullest of those that would be reached counts.
    let counted = match limit.by {
        LimitScope::Namespace => view.counted_in().into_iter().map(count).max_by_key(Vec::len),
        LimitScope::Target | LimitScope::Policy | LimitScope::Global => Some(count("")),
    };
    let counted = counted.unwrap_or_default();
    let have = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    let Limit { max: allow, per, by } = *limit;
    if have < allow {
        return Finding::allows(Guard::Limits, format!("{have} of {allow} used in {per} by {by}"));
    }
    // As soon as all but `allow - 1` have dropped out of the window; a ceiling of none never opens.
    let until = counted.get((have - allow) as usize).map_or(view.now + per, |at| *at + per);
    Finding::refuses(Guard::Limits, Reason::LimitReached { by, have, allow, per, until })
}

fn counts(charge: &Charge, by: LimitScope, policy: &str, target: Option<&Target>, namespace: &str) -> bool {
    match by {
        LimitScope::Target => charge.policy == policy && Some(&charge.target) == target,
        LimitScope::Policy => charge.policy == policy,
        LimitScope::Namespace => charge.reached(namespace),
        LimitScope::Global => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn limited(limits: &[Limit]) -> World {
        let mut world = World::new();
        world.settings.guards.limits.clear();
        world.policy.guards.limits = limits.to_vec();
        world
    }

    #[test]
    fn a_reached_ceiling_refuses_until_the_oldest_drops_out() {
        let mut world = limited(&[limit(2, "1h", LimitScope::Target)]);
        world.charge("restart-web", "prod/web", "07:40:00");
        world.charge("restart-web", "prod/web", "08:10:00");
        assert_eq!(
            world.each_says(judge),
            ["refuses: 2 of 2 actions used in 1h by target, until 2026-11-21T08:40:00.000Z"]
        );
    }

    #[test]
    fn over_a_lowered_ceiling_it_takes_as_many_to_drop_out() {
        let mut world = limited(&[limit(1, "1h", LimitScope::Policy)]);
        for when in ["07:40:00", "07:50:00", "08:10:00"] {
            world.charge("restart-web", "prod/web", when);
        }
        assert_eq!(
            world.each_says(judge),
            ["refuses: 3 of 1 actions used in 1h by policy, until 2026-11-21T09:10:00.000Z"]
        );
    }

    #[test]
    fn a_charge_of_exactly_the_windows_age_no_longer_counts() {
        let mut world = limited(&[limit(2, "1h", LimitScope::Target)]);
        world.charge("restart-web", "prod/web", "07:30:00");
        world.charge("restart-web", "prod/web", "07:30:01");
        assert_eq!(world.each_says(judge), ["allows: 1 of 2 used in 1h by target"]);
    }

    #[test]
    fn each_ceiling_speaks_and_counts_its_own() {
        let mut world = limited(&[
            limit(2, "1h", LimitScope::Target),
            limit(9, "1h", LimitScope::Policy),
            limit(9, "30m", LimitScope::Namespace),
        ]);
        world.policy.ladder[0].steps[0].limits = vec![limit(4, "1d", LimitScope::Policy)];
        world.settings.guards.limits = vec![limit(6, "1h", LimitScope::Global)];
        world.charge("restart-web", "prod/web", "07:00:00");
        world.charge("restart-web", "prod/web", "07:50:00");
        world.charge("restart-web", "prod/db", "08:01:00");
        world.charge("restart-web", "stage/web", "08:02:00");
        world.charge("scale-web", "prod/web", "08:03:00");
        world.charge("scale-web", "stage/web", "08:04:00");
        assert_eq!(
            world.each_says(judge),
            [
                "allows: 1 of 2 used in 1h by target",
                "allows: 3 of 9 used in 1h by policy",
                "allows: 2 of 9 used in 30m by namespace",
                "refuses: 4 of 4 actions used in 1d by policy, until 2026-11-22T07:00:00.000Z",
                "allows: 5 of 6 used in 1h by global",
            ]
        );
    }

    #[test]
    fn by_namespace_every_one_that_the_action_reaches_counts() {
        let mut world = limited(&[limit(2, "1h", LimitScope::Namespace)]);
        world.charge("restart-web", "stage/web", "08:10:00");
        world.charge("restart-web", "stage/db", "08:20:00");
        assert_eq!(world.each_says(judge), ["allows: 0 of 2 used in 1h by namespace"]);
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "stage"])));
        assert_eq!(
            world.each_says(judge),
            ["refuses: 2 of 2 actions used in 1h by namespace, until 2026-11-21T09:10:00.000Z"]
        );
        // And what reached beyond its own namespace counts there.
        let mut world = limited(&[limit(1, "1h", LimitScope::Namespace)]);
        world.charge("freeze", "stage/web", "08:10:00");
        world.state.ledger.charges[0].beyond = vec!["prod".to_owned()];
        assert!(world.each_says(judge)[0].starts_with("refuses: 1 of 1"));
    }

    /// A drain of an empty node, a call over HTTP: no namespace is reached, and the ceiling holds all the same.
    #[test]
    fn what_reaches_no_namespace_counts_among_its_like() {
        let mut world = limited(&[limit(1, "1h", LimitScope::Namespace)]);
        world.target = Some(Ok(target("/node-a")));
        world.charge("drain", "/node-b", "08:10:00");
        assert_eq!(world.each_says(judge), ["allows: 0 of 1 used in 1h by namespace"], "nobody has looked");
        world.preflight(|preflight| preflight.action = Some(scale(4, 6)));
        assert!(world.each_says(judge)[0].starts_with("refuses: 1 of 1"));
        // What reached a namespace counts there alone.
        world.state.ledger.charges[0].beyond = vec!["prod".to_owned()];
        assert_eq!(world.each_says(judge), ["allows: 0 of 1 used in 1h by namespace"]);
    }

    #[test]
    fn rehearsals_are_counted_by_themselves() {
        let mut world = limited(&[limit(1, "1h", LimitScope::Target)]);
        world.charge("restart-web", "prod/web", "08:20:00");
        world.rehearsal = true;
        assert_eq!(world.each_says(judge), ["allows: 0 of 1 used in 1h by target"]);
        std::mem::swap(&mut world.state.ledger, &mut world.state.rehearsals);
        assert_eq!(
            world.each_says(judge),
            ["refuses: 1 of 1 actions used in 1h by target, until 2026-11-21T09:20:00.000Z"]
        );
    }

    #[test]
    fn without_a_target_only_its_own_ceilings_are_not_asked() {
        let mut world = limited(&[limit(1, "1h", LimitScope::Target), limit(1, "1h", LimitScope::Policy)]);
        world.target = None;
        assert_eq!(world.each_says(judge), ["not asked", "allows: 0 of 1 used in 1h by policy"]);
    }

    #[test]
    fn a_ceiling_of_none_always_refuses_and_no_ceiling_never() {
        assert_eq!(
            limited(&[limit(0, "1h", LimitScope::Policy)]).each_says(judge),
            ["refuses: 0 of 0 actions used in 1h by policy, until 2026-11-21T09:30:00.000Z"]
        );
        assert_eq!(limited(&[]).each_says(judge), ["allows: no ceiling is set"]);
    }
}
