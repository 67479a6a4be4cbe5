//! How many distinct targets may be acted on in a window, whichever policy acts: many small wounds are a large one. A
//! freeze of namespaces wounds no workload: it takes no place among workloads, only among freezes.

use std::collections::BTreeMap;

use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::BlastScope;
use crate::reason::Reason;
use crate::target::Target;
use crate::time::{Moment, Span};

/// Refuses where this target would be one too many.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(blast) = &view.policy.guards.blast_targets else {
        return Finding::allows(Guard::BlastTargets, "no ceiling is set");
    };
    if view.looks_only() {
        return Finding::allows(Guard::BlastTargets, "it changes nothing");
    }
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::BlastTargets);
    };
    // In each namespace that would be reached; the one with the most counts.
    let of_namespaces = match blast.within {
        BlastScope::Namespace => view.counted_in().into_iter().map(Some).collect(),
        BlastScope::Cluster => vec![None],
    };
    let fullest = of_namespaces
        .into_iter()
        .map(|namespace| (others_within(view, blast.per, target, namespace), namespace));
    // Of as many, the first: the target's own.
    let fullest = fullest.reduce(|most, next| if next.0.len() > most.0.len() { next } else { most });
    let (last_at, namespace) = fullest.unwrap_or_default();
    let others = last_at.len();
    let have = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
    let (allow, per) = (blast.max, blast.per);
    let within = match namespace {
        None => "the cluster".to_owned(),
        Some("") => "no namespace".to_owned(),
        Some(name) => format!("namespace {name}"),
    };
    if have <= allow {
        let what = if freezes(view, target) { "freeze" } else { "target" };
        return Finding::allows(
            Guard::BlastTargets,
            format!("would be {what} {have} of {allow} allowed in {per} in {within}"),
        );
    }
    // As soon as all but `allow - 1` others have dropped out of the window; a ceiling of none never opens.
    let mut moments: Vec<Moment> = last_at.into_values().collect();
    moments.sort_unstable();
    let until = moments.get(others.saturating_sub(allow as usize)).map_or(view.now + per, |at| *at + per);
    Finding::refuses(Guard::BlastTargets, Reason::TooManyTargets { have, allow, per, within, until })
}

/// Whether the step at hand leaves every workload as it is.
fn freezes(view: &View<'_>, target: &Target) -> bool {
    let step = view.policy.ladder.get(view.case.rung).and_then(|rung| rung.steps.get(view.case.step));
    step.is_some_and(|step| step.remediation.spares_workloads(target))
}

/// The other targets acted on in the window, in this namespace or anywhere, each with the last time.
fn others_within<'a>(
    view: &View<'a>,
    per: Span,
    target: &Target,
    namespace: Option<&str>,
) -> BTreeMap<&'a Target, Moment> {
    let mut last_at: BTreeMap<&Target, Moment> = BTreeMap::new();
    let spares = freezes(view, target);
    for charge in ledger::within(view, per).filter(|charge| charge.spares_workloads == spares) {
        if namespace.is_none_or(|name| charge.reached(name)) && charge.target != *target {
            let last = last_at.entry(&charge.target).or_insert(charge.at);
            *last = charge.at.max(*last);
        }
    }
    last_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::policy::BlastTargets;

    fn blast(max: u32, within: BlastScope) -> World {
        let mut world = World::new();
        world.policy.guards.blast_targets = Some(BlastTargets { max, within, per: span("30m") });
        world.charge("restart-web", "prod/old", "08:00:00");
        world.charge("restart-web", "prod/a", "08:05:00");
        world.charge("scale-web", "prod/b", "08:10:00");
        world.charge("restart-web", "prod/a", "08:15:00");
        world.charge("restart-web", "stage/c", "08:20:00");
        world
    }

    #[test]
    fn one_target_too_many_refuses_until_one_drops_out() {
        assert_eq!(
            blast(2, BlastScope::Namespace).says(judge),
            "refuses: would be target 3 of 2 allowed in 30m in namespace prod, 2 used, until 2026-11-21T08:40:00.000Z"
        );
        assert_eq!(
            blast(3, BlastScope::Cluster).says(judge),
            "refuses: would be target 4 of 3 allowed in 30m in the cluster, 3 used, until 2026-11-21T08:40:00.000Z"
        );
        assert_eq!(
            blast(1, BlastScope::Cluster).says(judge),
            "refuses: would be target 4 of 1 allowed in 30m in the cluster, 3 used, until 2026-11-21T08:50:00.000Z"
        );
    }

    #[test]
    fn within_the_ceiling_it_allows() {
        assert_eq!(
            blast(3, BlastScope::Namespace).says(judge),
            "allows: would be target 3 of 3 allowed in 30m in namespace prod"
        );
        assert_eq!(
            blast(4, BlastScope::Cluster).says(judge),
            "allows: would be target 4 of 4 allowed in 30m in the cluster"
        );
    }

    #[test]
    fn every_namespace_that_the_action_reaches_is_counted() {
        let mut world = blast(2, BlastScope::Namespace);
        world.target = Some(Ok(target("stage/c")));
        assert_eq!(world.says(judge), "allows: would be target 1 of 2 allowed in 30m in namespace stage");
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "stage"])));
        assert_eq!(
            world.says(judge),
            "refuses: would be target 3 of 2 allowed in 30m in namespace prod, 2 used, until 2026-11-21T08:40:00.000Z"
        );
    }

    #[test]
    fn of_namespaces_as_full_as_its_own_its_own_is_named() {
        let mut world = blast(2, BlastScope::Namespace);
        world.state.ledger.charges.retain(|charge| charge.target.name != "b");
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "stage"])));
        assert_eq!(world.says(judge), "allows: would be target 2 of 2 allowed in 30m in namespace prod");
    }

    #[test]
    fn what_only_looks_wounds_nothing() {
        let mut world = blast(0, BlastScope::Namespace);
        world.policy.ladder[0] = looking();
        assert_eq!(world.says(judge), "allows: it changes nothing");
    }

    #[test]
    fn a_target_that_was_hit_before_counts_once() {
        let mut world = blast(2, BlastScope::Namespace);
        world.target = Some(Ok(target("prod/a")));
        assert_eq!(world.says(judge), "allows: would be target 2 of 2 allowed in 30m in namespace prod");
    }

    /// Whoever freezes deploys in the first minutes of an incident must not disable what mends it.
    #[test]
    fn a_freeze_of_a_namespace_takes_no_place_among_workloads() {
        let mut world = World::new();
        world.policy.guards.blast_targets =
            Some(BlastTargets { max: 2, within: BlastScope::Namespace, per: span("30m") });
        world.charge("scale-web", "prod/b", "08:10:00");
        world.charge("paramedic-freeze", "prod/prod", "08:20:00");
        let frozen = world.state.ledger.charges.back_mut().expect("just charged");
        (frozen.target.kind, frozen.spares_workloads) = ("Namespace".to_owned(), true);
        assert_eq!(world.says(judge), "allows: would be target 2 of 2 allowed in 30m in namespace prod");
        // As ledgers have it that were written before this was known.
        world.state.ledger.charges.back_mut().expect("just charged").spares_workloads = false;
        assert_eq!(
            world.says(judge),
            "refuses: would be target 3 of 2 allowed in 30m in namespace prod, 2 used, until 2026-11-21T08:40:00.000Z"
        );
    }

    #[test]
    fn a_ceiling_of_none_always_refuses_and_no_ceiling_never() {
        assert_eq!(
            blast(0, BlastScope::Namespace).says(judge),
            "refuses: would be target 3 of 0 allowed in 30m in namespace prod, 2 used, until 2026-11-21T09:00:00.000Z"
        );
        assert_eq!(World::new().says(judge), "allows: no ceiling is set");
    }
}
