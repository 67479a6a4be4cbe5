//! No ceiling is exceeded in any window, as counted from the requests that changed the world. Each counts from when its
//! intent was handed to the disk, by the world's clock; where the wall clock was moved within a window, that much less of
//! the window is judged.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::Intent;
use paramedic_policies::event::Seq;
use paramedic_policies::policy::{BlastScope, Limit, LimitScope};
use paramedic_policies::remediation::drain_node::NODE;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use super::super::tape::Fate;
use super::{Evidence, stamped};

/// From a decision until its block is handed over, and a drifting clock: at most this much of a window is not judged.
const SLACK: Span = Span::from_secs(20);

/// What counts, dated by the world.
struct Counted<'a> {
    at: Moment,
    intent: &'a Intent,
    /// The namespaces that it reached: that of its target, and those in which its requests were made. What the engine thinks
    /// of that is not asked.
    reached: BTreeSet<&'a str>,
    /// It is known where it would have reached only by what the engine planned: a drain that evicted nobody.
    is_nowhere: bool,
}

fn counted<'a>(evidence: &'a Evidence<'_>) -> Vec<Counted<'a>> {
    let mut requested: BTreeMap<Seq, BTreeSet<&str>> = BTreeMap::new();
    for request in evidence.tape.requests.iter().filter(|request| request.fate == Fate::Made) {
        let here = Some(request.on.namespace.as_str()).filter(|here| !here.is_empty());
        requested.entry(stamped(request).unwrap_or(Seq(0))).or_default().extend(here);
    }
    let made = evidence.made().into_iter().filter(|intent| intent.reverts.is_none());
    made.map(|intent| {
        let mut reached = requested.remove(&intent.id).unwrap_or_default();
        reached.extend(Some(intent.target.namespace.as_str()).filter(|home| !home.is_empty()));
        let is_nowhere = reached.is_empty() && intent.target.kind == NODE;
        Counted { at: evidence.handed(intent.id), intent, reached, is_nowhere }
    })
    .collect()
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
            let within: Vec<_> =
                all.iter().filter(|other| is_within(evidence, other, one, limit.per)).collect();
            let count = |place: Option<&str>| {
                within.iter().filter(|other| is_of(limit, other, one.intent, place)).count() + 1
            };
            let is_by_place = limit.by == LimitScope::Namespace;
            let have = one.places(is_by_place).into_iter().map(count).max().unwrap_or(0);
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

impl Counted<'_> {
    /// Where it counts: in each namespace that it reached, among what reached none, or, by anything else, everywhere.
    fn places(&self, by_namespace: bool) -> Vec<Option<&str>> {
        match by_namespace {
            false => vec![None],
            true if self.is_nowhere => Vec::new(),
            true if self.reached.is_empty() => vec![Some("")],
            true => self.reached.iter().copied().map(Some).collect(),
        }
    }

    /// Whether it reached that place.
    fn is_at(&self, place: Option<&str>) -> bool {
        place.is_none() || self.places(true).contains(&place)
    }
}

fn is_of(limit: &Limit, other: &Counted<'_>, this: &Intent, place: Option<&str>) -> bool {
    match limit.by {
        LimitScope::Target => other.intent.policy == this.policy && other.intent.target == this.target,
        LimitScope::Policy => other.intent.policy == this.policy,
        LimitScope::Namespace | LimitScope::Global => other.is_at(place),
    }
}

pub(super) fn blast(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let all = counted(evidence);
    for one in &all {
        let blast = evidence.plan.policy(&one.intent.policy).and_then(|policy| policy.blast.as_ref());
        let Some(blast) = blast else { continue };
        let others = |place: Option<&str>| {
            let near =
                all.iter().filter(|other| is_within(evidence, other, one, blast.per) && other.is_at(place));
            let targets: BTreeSet<&Target> = near.map(|other| &other.intent.target).collect();
            targets.into_iter().filter(|target| **target != one.intent.target).count()
        };
        let is_by_place = blast.within == BlastScope::Namespace;
        let have = one.places(is_by_place).into_iter().map(others).max().unwrap_or(0) + 1;
        if have > blast.max as usize {
            says.push(format!(
                "intent {} of {} hits target {have} of {} allowed in {}",
                one.intent.id, one.intent.policy, blast.max, blast.per
            ));
        }
    }
}
