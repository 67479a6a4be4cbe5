//! Keeps clients out by their addresses, and lets them in again, each when its own time is over. By a NetworkPolicy of our
//! own (`network_policy`) or by the list of an Ingress (`ingress`); which addresses it must never hit says `never`, and
//! whether a NetworkPolicy can do it here, `ground`. Never takes out what another intent or a person has put in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paramedic_policies::action::{self, Intent, Outcome};
use paramedic_policies::address::AddressRange;
use paramedic_policies::answer::{Found, Preflight};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::{
    Action, Block, Entry, INGRESS, Means, Unblock, Whom, Wish, Written,
};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde_json::Value;

use crate::checks::{Checks, Seen};
use crate::one_change::{self, OneChange as _, Trace};
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::Resource;
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::restart::KINDS;
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;
use crate::stamp;

mod ground;
mod ingress;
mod network_policy;
mod never;
mod record;
mod step;

pub(crate) use ground::{DAEMON_SETS, enforced, enforcer, foreign, keeps_nodes, needs_foreign};
pub(crate) use ingress::left;
pub(crate) use network_policy::POLICIES;

use record::Record;
use step::{Doing, Step};

const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");

/// An entry counts as over that much before its end: a revert before that is one that a person asked for.
const SLACK: Span = Span::from_mins(1);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let terms = self.terms();
        rights.look(&[Verb::Get], &aim.home());
        never::needs(rights);
        match terms.by {
            Means::NetworkPolicy => {
                let aim = aim.only(&KINDS);
                for target in aim.targets() {
                    rights.look(&[Verb::Get], &target);
                }
                ground::needs(&aim, terms, rights);
                network_policy::needs(&aim, rights);
            }
            Means::IngressNginx => ingress::needs(&aim.only(&[INGRESS]), terms, rights),
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let mut checks = Checks::default();
        if let Err(reason) = fits(self.terms.by, target) {
            checks.refuse(reason);
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let named = self.named(eyes, &mut checks).await;
        let good = if named.is_empty() { named } else { self.good(cluster, named, &mut checks).await? };
        let entries = |record: &Record| -> Vec<Entry> {
            good.iter().map(|range| self.entry(*range, record, now)).collect()
        };
        let all = Block { ranges: entries(&Record::default()), terms: self.terms.clone() };
        let step = Step::new(target, "preview", now, Doing::Block(&all));
        let seen = step.look(cluster).await?;
        let Some(object) = &seen.target else { return Err(LookError::Absent { what: target.to_string() }) };
        checks.join(seen.common(target, now));
        let record = match seen.record(target, &self.terms) {
            Ok(record) => record,
            Err(reason) => {
                checks.refuse(reason);
                return Ok(checks.into_preflight(Seen::default(), None, false));
            }
        };
        let fresh: Vec<Entry> = entries(&record)
            .into_iter()
            .filter(|entry| match seen.covered(entry.range, &record, now) {
                Some(until) if until >= now + half(entry.lasts) => {
                    checks.pass(format!("{} is kept out until {until} already", entry.range));
                    false
                }
                Some(_) | None => true,
            })
            .collect();
        let already = fresh.is_empty() && !good.is_empty();
        let block = Block { ranges: fresh, terms: self.terms.clone() };
        let step = Step::new(target, "preview", now, Doing::Block(&block));
        if !block.ranges.is_empty() {
            checks.note(step.fits_in(&seen));
        }
        let mut shown = Seen { labels: texts(object, "/metadata/labels"), ..Seen::default() };
        if diff && checks.is_clear() && !block.ranges.is_empty() {
            shown.diff = step.preview(cluster, &seen, &mut checks).await;
        }
        let action = (!block.ranges.is_empty()).then_some(action::Action::BlockIp(Action::Block(block)));
        Ok(checks.into_preflight(shown, action, already))
    }
}

/// What of a wish depends on the world.
#[async_trait]
trait InTheWorld {
    /// Whom it names.
    async fn named(&self, eyes: Eyes<'_>, checks: &mut Checks) -> Vec<AddressRange>;

    /// Those of them that may be kept out. A query's others are left out; a single one is refused.
    async fn good(
        &self,
        cluster: &dyn Cluster,
        named: Vec<AddressRange>,
        checks: &mut Checks,
    ) -> Result<Vec<AddressRange>, LookError>;

    /// For how long, by how often it was kept out before.
    fn entry(&self, range: AddressRange, record: &Record, now: Moment) -> Entry;
}

#[async_trait]
impl InTheWorld for Wish {
    async fn named(&self, eyes: Eyes<'_>, checks: &mut Checks) -> Vec<AddressRange> {
        let (promql, label, max) = match &self.whom {
            Whom::Address(range) => return vec![*range],
            Whom::Query { promql, label, max } => (promql, label, *max),
        };
        let unknown = |found: String| Reason::FactUnknown { fact: "addresses".into(), found };
        let series = match eyes.metrics.query(promql).await {
            Found::Series(series) if series.is_empty() => {
                checks.refuse(unknown("the query gives no series".into()));
                return Vec::new();
            }
            Found::Series(series) => series,
            Found::Failed { what } | Found::Absent { what } => {
                checks.refuse(unknown(what));
                return Vec::new();
            }
            Found::Target(_) | Found::Preflight(_) | Found::Rollout { .. } | Found::Http { .. } => {
                checks.refuse(unknown("an answer to another question".into()));
                return Vec::new();
            }
        };
        let mut named = Vec::new();
        for sample in &series {
            let text = sample.labels.get(label.as_str()).map_or("", String::as_str);
            match AddressRange::read(text, self.terms.ipv4_bits, self.terms.ipv6_bits) {
                Ok(range) => named.push(range),
                Err(problem) => checks.pass(format!("leaves out {text:.80?}: {problem}")),
            }
        }
        let named = paramedic_policies::address::merged(named);
        if named.is_empty() {
            checks.refuse(unknown(format!("no series has an address in its label {label}")));
        }
        if named.len() > usize::try_from(max).unwrap_or(usize::MAX) {
            let (value, bound) = (i64::try_from(named.len()).unwrap_or(i64::MAX), i64::from(max));
            let which = "max addresses of the query (topk gives the worst)".into();
            checks.refuse(Reason::OutOfBounds { value, bound, which });
            return Vec::new();
        }
        named
    }

    async fn good(
        &self,
        cluster: &dyn Cluster,
        named: Vec<AddressRange>,
        checks: &mut Checks,
    ) -> Result<Vec<AddressRange>, LookError> {
        let never = never::of_cluster(cluster).await?;
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for range in named {
            match never.judge(self, range) {
                None => {
                    checks.pass(format!("{range} is a stranger's"));
                    good.push(range);
                }
                Some(reason) => bad.push(reason),
            }
        }
        for reason in bad {
            match (&self.whom, good.is_empty()) {
                (Whom::Query { .. }, false) => checks.pass(format!("leaves it out: {reason}")),
                (Whom::Query { .. }, true) | (Whom::Address(_), _) => checks.refuse(reason),
            }
        }
        Ok(good)
    }

    fn entry(&self, range: AddressRange, record: &Record, now: Moment) -> Entry {
        let first = self.terms.lasts;
        let Some(growth) = &self.terms.growth else { return Entry { range, lasts: first, times: 1 } };
        let times = record.times(range, now);
        let mut lasts = first;
        for _ in 1..times {
            let longer = Span::from_ms(lasts.ms().saturating_mul(u64::from(growth.factor)));
            lasts = longer.min(growth.up_to);
            if lasts == growth.up_to {
                break;
            }
        }
        Entry { range, lasts, times }
    }
}

#[async_trait]
impl Deed for Action {
    /// What is over is taken out. Where nothing is over yet, a person asked, and all is.
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        _: bool,
    ) -> Result<Preflight, LookError> {
        let Self::Block(block) = self else { return Ok(irrevocable("unblock")) };
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let unblock = |ranges: Vec<Entry>, rest: Vec<Entry>, again| Unblock {
            ranges,
            rest,
            again,
            terms: block.terms.clone(),
        };
        let all = unblock(block.ranges.clone(), Vec::new(), None);
        let seen = Step::new(target, "preview", now, Doing::Unblock(&all)).look(cluster).await?;
        let mut checks = seen.common(target, now);
        let mut action = None;
        match seen.record(target, &block.terms) {
            Err(reason) => checks.refuse(reason),
            Ok(record) => {
                let left = |entry: &Entry| record.ends(entry.range).next().is_some();
                let over = |entry: &Entry| record.ends(entry.range).any(|until| until <= now + SLACK);
                let (mut done, mut rest): (Vec<Entry>, Vec<Entry>) =
                    block.ranges.iter().filter(|entry| left(entry)).cloned().partition(over);
                if done.is_empty() {
                    std::mem::swap(&mut done, &mut rest);
                }
                if !done.is_empty() {
                    let again = rest.iter().flat_map(|entry| record.ends(entry.range).max()).min();
                    action = Some(unblock(done, rest, again));
                }
            }
        }
        let already = action.is_none() && checks.is_clear();
        let labels = seen.target.as_ref().map(|object| texts(object, "/metadata/labels")).unwrap_or_default();
        let seen = Seen { labels, ..Seen::default() };
        let action = action.map(|unblock| action::Action::BlockIp(Self::Unblock(unblock)));
        Ok(checks.into_preflight(seen, action, already))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &self.step(seal, &stamp::of(seal))).await
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        let stamp = stamp::of(seal);
        let step = self.step(seal, &stamp);
        if matches!(self, Self::Unblock(_)) {
            let cluster = match hands.eyes.cluster() {
                Ok(cluster) => cluster,
                Err(error) => return one_change::unseen(error),
            };
            if step.look(cluster).await.is_ok_and(|seen| step.trace(&seen) == Trace::Made) {
                return Outcome::Done { diff: None, already: true };
            }
        }
        match one_change::carry_out_in_a_crowd(hands, seal, &step).await {
            Ok(carried) => Outcome::Done { diff: Some(carried.told(&step).0), already: false },
            Err(outcome) => outcome,
        }
    }

    /// By the entries of its stamp.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &self.step(seal, &stamp::of(seal))).await {
            Ok(diff) => Outcome::Done { diff: Some(diff), already: false },
            Err(outcome) => outcome,
        }
    }
}

/// An action as its intent has it.
trait InTheIntent {
    fn step<'a>(&'a self, seal: &'a Sealed<Intent>, stamp: &'a str) -> Step<'a>;
}

impl InTheIntent for Action {
    fn step<'a>(&'a self, seal: &'a Sealed<Intent>, stamp: &'a str) -> Step<'a> {
        let doing = match self {
            Self::Block(block) => Doing::Block(block),
            Self::Unblock(unblock) => Doing::Unblock(unblock),
        };
        Step::new(&seal.target, stamp, seal.at, doing).caused_by(seal.correlation.as_deref())
    }
}

fn half(span: Span) -> Span {
    Span::from_ms(span.ms() / 2)
}

/// Whether such a target can be told.
fn fits(by: Means, target: &Target) -> Result<(), Reason> {
    let kind = target.kind.as_str();
    let (fits, wanted) = match by {
        Means::NetworkPolicy => (KINDS.contains(&kind), KINDS.join(", ")),
        Means::IngressNginx => (kind == INGRESS, INGRESS.to_owned()),
    };
    if fits { Ok(()) } else { Err(Reason::WrongKind { kind: kind.to_owned(), wanted }) }
}

/// A text of an object; empty where there is none.
pub(crate) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a mapping.
pub(crate) fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let pairs = object.pointer(pointer).and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    pairs.into_iter().flatten().filter_map(text).collect()
}

/// Whether labels meet a label selector; an operator that nobody knows is met, so that it counts.
pub(crate) fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let equal = texts(selector, "/matchLabels").iter().all(|(key, value)| labels.get(key) == Some(value));
    let wanted = selector.pointer("/matchExpressions").and_then(Value::as_array);
    equal
        && wanted.into_iter().flatten().all(|wanted| {
            let value = labels.get(text(wanted, "/key"));
            let values = wanted.get("values").and_then(Value::as_array);
            let is_listed = value
                .is_some_and(|value| values.into_iter().flatten().any(|one| one.as_str() == Some(value)));
            match text(wanted, "/operator") {
                "In" => is_listed,
                "NotIn" => !is_listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => true,
            }
        })
}

#[cfg(test)]
mod tests;
