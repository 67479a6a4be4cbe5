//! The ledger as guards read it: enforced actions count against enforced ones, rehearsed against rehearsed.
//! Says also how long a charge must be kept. Never changes the ledger; `apply` does.

use crate::book::Book;
use crate::guard::View;
use crate::state::{Charge, Ledger};
use crate::time::{Moment, Span};

/// The ledger that counts for this view. What only looks, rehearsed or not, is counted by itself.
pub(crate) fn of<'a>(view: &View<'a>) -> &'a Ledger {
    if view.looks_only() {
        return &view.state.looks;
    }
    if view.rehearsal { &view.state.rehearsals } else { &view.state.ledger }
}

/// The charges within the window that ends now, oldest first. Finds the oldest by halving, since the ledger is in
/// the order of time and most of it is older than a window.
pub(crate) fn within<'a>(view: &View<'a>, per: Span) -> impl Iterator<Item = &'a Charge> + use<'a> {
    let charges = &of(view).charges;
    let oldest = charges.partition_point(|charge| !is_within(charge.at, per, view.now));
    charges.range(oldest..)
}

/// Whether something that was charged then still counts; at exactly the window's length it no longer does.
pub(crate) fn is_within(at: Moment, per: Span, now: Moment) -> bool {
    at + per > now
}

/// How long charges must be kept for the guards of this book: the longest of all windows and cooldowns. Older ones can
/// be dropped.
pub(crate) fn horizon(book: &Book) -> Span {
    let of_policies = book.policies().values().flat_map(|policy| {
        let steps = policy.ladder.iter().flat_map(|rung| &rung.steps);
        std::iter::once(policy.guards.cooldown)
            .chain(policy.guards.limits.iter().map(|limit| limit.per))
            .chain(policy.guards.blast_targets.iter().map(|blast| blast.per))
            .chain(steps.flat_map(|step| step.limits.iter().map(|limit| limit.per)))
    });
    let of_settings = book.settings().guards.limits.iter().map(|limit| limit.per);
    of_settings.chain(of_policies).max().unwrap_or(Span::ZERO)
}

/// How long the end of a ladder is asked for under this book.
pub(crate) fn longest_relapse(book: &Book) -> Span {
    book.policies().values().map(|policy| policy.guards.relapse).max().unwrap_or(Span::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::policy::{BlastScope, BlastTargets, LimitScope};

    #[test]
    fn charges_are_kept_for_the_longest_of_all_windows() {
        let mut world = World::new();
        assert_eq!(horizon(&world.book()), span("1h"), "the global ceiling");
        world.policy.guards.cooldown = span("2h");
        assert_eq!(horizon(&world.book()), span("2h"), "the cooldown");
        let blast = BlastTargets { max: 1, within: BlastScope::Cluster, per: span("3h") };
        world.policy.guards.blast_targets = Some(blast);
        assert_eq!(horizon(&world.book()), span("3h"), "the blast radius");
        world.policy.ladder[1].steps[0].limits = vec![limit(1, "4h", LimitScope::Policy)];
        assert_eq!(horizon(&world.book()), span("4h"), "a step's ceiling");
    }

    #[test]
    fn what_only_looks_is_counted_by_itself() {
        let mut world = World::new();
        world.charge("restart-web", "prod/web", "08:20:00");
        let counted = |world: &World| world.view(|view| within(view, span("1h")).count());
        assert_eq!(counted(&world), 1);
        world.policy.ladder[0] = looking();
        assert_eq!(counted(&world), 0);
        world.rehearsal = true;
        std::mem::swap(&mut world.state.ledger, &mut world.state.looks);
        assert_eq!(counted(&world), 1, "rehearsed or not");
    }

    #[test]
    fn the_end_of_a_ladder_is_asked_for_as_long_as_any_policy_says() {
        assert_eq!(longest_relapse(&World::new().book()), span("2h"));
    }
}
