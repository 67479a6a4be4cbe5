//! The ledger as guards read it: enforced actions count against enforced ones, rehearsed against rehearsed.
//! Says also how long a charge must be kept. Never changes the ledger; `apply` does.

use crate::book::Book;
use crate::guard::View;
use crate::policy::{Policy, Verification};
use crate::state::{Charge, Ledger};
use crate::time::{Moment, Span};

/// The ledger that counts for this view.
pub(crate) fn of<'a>(view: &View<'a>) -> &'a Ledger {
    if view.rehearsal { &view.state.rehearsals } else { &view.state.ledger }
}

/// The charges within the window that ends now, oldest first. Finds the oldest by halving, since the ledger is in
/// the order of time and most of it is older than a window.
pub(crate) fn within<'a>(view: &View<'a>, per: Span) -> impl Iterator<Item = &'a Charge> + use<'a> {
    since(of(view), per, view.now)
}

/// The charges of a ledger within the window that ends now.
pub(crate) fn since(ledger: &Ledger, per: Span, now: Moment) -> impl Iterator<Item = &Charge> {
    let oldest = ledger.charges.partition_point(|charge| !is_within(charge.at, per, now));
    ledger.charges.range(oldest..)
}

/// Whether something that was charged then still counts; at exactly the window's length it no longer does.
pub(crate) fn is_within(at: Moment, per: Span, now: Moment) -> bool {
    at + per > now
}

/// How long an effect may run before its verification begins: its part of the time for which a charge is kept.
const EFFECT_MAX: Span = Span::from_hours(1);

/// How long after its charge an action of this policy may still be watched.
pub(crate) fn verification_max(policy: &Policy) -> Span {
    let steps = policy.ladder.iter().flat_map(|rung| &rung.steps);
    let verifications = steps.filter_map(|step| step.verify.as_ref());
    let sum = |verify: &Verification| {
        let parts = [EFFECT_MAX, verify.settle, verify.within, verify.hold];
        parts.iter().fold(0_u64, |sum, span| sum.saturating_add(span.ms()))
    };
    Span::from_ms(verifications.map(sum).max().unwrap_or(EFFECT_MAX.ms()))
}

/// How long charges must be kept for the guards of this book: the longest of all windows, cooldowns and
/// verifications. Older ones can be dropped.
pub(crate) fn horizon(book: &Book) -> Span {
    let of_policies = book.policies().values().flat_map(|policy| {
        let steps = policy.ladder.iter().flat_map(|rung| &rung.steps);
        [policy.guards.cooldown, verification_max(policy)]
            .into_iter()
            .chain(policy.guards.limits.iter().map(|limit| limit.per))
            .chain(policy.guards.blast_targets.iter().map(|blast| blast.per))
            .chain(steps.flat_map(|step| step.limits.iter().map(|limit| limit.per)))
    });
    let of_settings = book.settings().guards.limits.iter().map(|limit| limit.per);
    of_settings.chain(of_policies).max().unwrap_or(Span::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Comparison, Relation};
    use crate::guard::fixtures::*;
    use crate::policy::{BlastScope, BlastTargets, Check, Empty, LimitScope};

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
        let less = Comparison { relation: Relation::Less, bound: 1.0 };
        world.policy.ladder[1].steps[0].verify = Some(Verification {
            check: Check::Query(condition(less, Empty::Unknown)),
            settle: span("1m"),
            hold: span("2m"),
            within: span("4h"),
            every: span("15s"),
        });
        assert_eq!(horizon(&world.book()), span("5h 3m"), "a verification");
    }
}
