//! No ceiling is exceeded in any window, as counted from the requests that changed the world. Each counts from when its
//! intent was handed to the disk, by the world's clock; where the wall clock was moved within a window, that much less of
//! the window is judged.

use std::collections::BTreeSet;

use paramedic_policies::action::Intent;
use paramedic_policies::policy::{BlastScope, Limit, LimitScope};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use super::Evidence;

/// From a decision until its block is handed over, and a drifting clock: at most this much of a window is not judged.
const SLACK: Span = Span::from_secs(20);

/// What counts, dated by the world.
struct Counted<'a> {
    at: Moment,
    intent: &'a Intent,
}

fn counted<'a>(evidence: &'a Evidence<'_>) -> Vec<Counted<'a>> {
    let made = evidence.made().into_iter().filter(|intent| intent.reverts.is_none());
    made.map(|intent| Counted { at: evidence.handed(intent.id), intent }).collect()
}

/// Whether an earlier one certainly lies in the window that ends with a later one.
fn is_within(evidence: &Evidence<'_>, earlier: &Counted<'_>, later: &Counted<'_>, per: Span) -> bool {
    let bent = evidence.bent(earlier.at, later.at);
    earlier.intent.id < later.intent.id && later.at + bent + SLACK < earlier.at + per
}

pub(super) fn limits(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let all = counted(evidence);
    let global = &evidence.plan.source.settings.guards.limits;
    for one in &all {
        let Some(policy) = evidence.plan.policy(&one.intent.policy) else {
            says.push(format!(
                "intent {} is of policy {}, which nobody wrote",
                one.intent.id, one.intent.policy
            ));
            continue;
        };
        for limit in policy.limits.iter().chain(global) {
            let counts = |other: &&Counted<'_>| {
                is_within(evidence, other, one, limit.per) && is_of(limit, other.intent, one.intent)
            };
            let have = all.iter().filter(counts).count() + 1;
            if have > limit.max as usize {
                let Limit { max, per, by } = limit;
                says.push(format!(
                    "intent {} of {} on {} is number {have} of {max} allowed in {per} by {by}",
                    one.intent.id, one.intent.policy, one.intent.target
                ));
            }
        }
    }
}

fn is_of(limit: &Limit, other: &Intent, this: &Intent) -> bool {
    match limit.by {
        LimitScope::Target => other.policy == this.policy && other.target == this.target,
        LimitScope::Policy => other.policy == this.policy,
        LimitScope::Namespace => is_near(other, this),
        LimitScope::Global => true,
    }
}

/// Whether both reach some namespace, or both reach none.
fn is_near(other: &Intent, this: &Intent) -> bool {
    let (others, ours) = (other.namespaces(), this.namespaces());
    if ours.is_empty() { others.is_empty() } else { ours.iter().any(|name| others.contains(name)) }
}

pub(super) fn blast(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let all = counted(evidence);
    for one in &all {
        let blast = evidence.plan.policy(&one.intent.policy).and_then(|policy| policy.blast.as_ref());
        let Some(blast) = blast else { continue };
        let others: BTreeSet<&Target> = all
            .iter()
            .filter(|other| is_within(evidence, other, one, blast.per))
            .filter(|other| blast.within == BlastScope::Cluster || is_near(other.intent, one.intent))
            .map(|other| &other.intent.target)
            .filter(|target| **target != one.intent.target)
            .collect();
        if others.len() + 1 > blast.max as usize {
            says.push(format!(
                "intent {} of {} hits target {} of {} allowed in {}",
                one.intent.id,
                one.intent.policy,
                others.len() + 1,
                blast.max,
                blast.per
            ));
        }
    }
}
