//! Everything the engine knows, as folded from the journal. Only [`apply`](crate::apply) changes it.

mod case;
mod indexes;
mod page;

pub use case::{Case, CaseId, Kept, Known, LastRuling, Phase};
pub use indexes::Indexes;
pub use page::{Call, Calling, Page, Paging, Said, Subject, TRIES_MAX, again};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::Intent;
use crate::address::AddressRange;
use crate::alert::{EpisodeKey, Labels};
use crate::book::{Book, Digest};
use crate::event::Seq;
use crate::order::{ByHand, PauseScope};
use crate::question::Question;
use crate::reason::Reason;
use crate::target::Target;
use crate::time::{Moment, Span};

/// An alert from its opening to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// Sequence of its `Opened` record.
    pub id: Seq,
    /// Its identity.
    pub key: EpisodeKey,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations, redacted.
    pub annotations: Labels,
    /// Since when the alert fires.
    pub starts_at: Moment,
    /// When we first heard of it.
    pub opened_at: Moment,
    /// When we last heard of it.
    pub seen_at: Moment,
    /// When it is closed if nobody repeats it.
    pub expires_at: Moment,
    /// When it ended, once it has.
    pub closed_at: Option<Moment>,
    /// The sender's fingerprint.
    pub fingerprint: Option<String>,
    /// Correlation id of the delivery that opened it.
    pub correlation: String,
    /// Who opened it, where that was no alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
}

impl Episode {
    /// The `alertname` label, or `-`.
    pub fn alert(&self) -> &str {
        self.labels.get("alertname").map_or("-", String::as_str)
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// Whether it is open, and an alert's: what somebody runs by hand is no sign of trouble.
    pub fn fires(&self) -> bool {
        self.is_open() && self.by_hand.is_none()
    }
}

/// A request to run a policy by hand, so that the same again is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// The episode that it opened.
    pub episode: Seq,
    /// When.
    pub at: Moment,
    /// Which policy.
    pub policy: String,
    /// With which labels.
    pub labels: EpisodeKey,
    /// Whether only to show.
    pub dry_run: bool,
}

/// When an alert was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// By our clock, and as much later as that has stepped forward since.
    pub closed_at: Moment,
    /// By the sender's clock.
    pub ended_at: Moment,
    /// Its episode; checkpoints did not always say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Seq>,
    /// How much later that is than by the clock of its day.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub stepped: Span,
}

/// Something that is due at a moment. The order of variants is the order of work within one moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Duty {
    /// An episode expires.
    Expire(Seq),
    /// The storm may be over.
    Calm,
    /// An action is to be taken back.
    Revert(Seq),
    /// A case is to be looked at: negated priority first, so that the higher comes first, then the policy's name.
    Case {
        /// The priority, negated.
        rank: i64,
        /// Which.
        id: CaseId,
    },
    /// A call for a person is to be looked at.
    Page(Seq),
    /// A case has been kept from acting for long.
    Kept(CaseId),
}

/// An action that counts against ceilings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// When it was intended.
    pub at: Moment,
    /// Its intent.
    pub intent: Seq,
    /// Its policy.
    pub policy: String,
    /// Its target.
    pub target: Target,
    /// The namespaces that it reached beside its target's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<String>,
    /// Whether it left every workload as it was: a freeze of whole namespaces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spares_workloads: bool,
}

impl Charge {
    /// Whether it reached this namespace; by the empty name, whether it reached none.
    pub(crate) fn reached(&self, namespace: &str) -> bool {
        let is_home = self.target.namespace == namespace && (!namespace.is_empty() || self.beyond.is_empty());
        is_home || self.beyond.iter().any(|name| name == namespace)
    }
}

/// Actions that count, oldest first. Enforced and rehearsed ones have a ledger each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Oldest first; older than the longest window are dropped.
    pub charges: VecDeque<Charge>,
    /// Theoretical arrival time of the pace's next effect: nanoseconds since the Unix epoch.
    pub pace_ns: Option<u64>,
}

impl Ledger {
    /// Whether nothing was ever charged to it.
    pub fn is_empty(&self) -> bool {
        self.charges.is_empty() && self.pace_ns.is_none()
    }
}

/// The last ladder of one policy on one target, for relapse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastLadder {
    /// The rung at which it ended.
    pub rung: usize,
    /// What is known of that rung.
    #[serde(default, skip_serializing_if = "RungEnd::is_tried")]
    pub rung_end: RungEnd,
    /// The episode it was for.
    pub episode: Seq,
    /// When it ended.
    pub ended_at: Moment,
    /// Whether it has been counted as a round that did not help.
    #[serde(default)]
    pub is_counted: bool,
    /// How many rounds in a row had not helped before it seemed to help.
    #[serde(default)]
    pub ineffective_before: u32,
}

/// What is known of the rung at which a ladder ended. Only what was tried and did not help is climbed beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum RungEnd {
    /// It was done, and did not help, or seemed to until the trouble came back.
    #[default]
    Tried,
    /// Nothing of it was done.
    NotDone,
    /// Nobody knows whether it was done, or whether it helped: what was taken back before that is one of these.
    Unknown,
}

impl RungEnd {
    fn is_tried(&self) -> bool {
        *self == Self::Tried
    }
}

impl LastLadder {
    /// The rung to go on at when the trouble comes back; none where nobody knows.
    pub(crate) fn next_rung(&self) -> Option<usize> {
        match self.rung_end {
            RungEnd::Tried => Some(self.rung.saturating_add(1)),
            RungEnd::NotDone => Some(self.rung),
            RungEnd::Unknown => None,
        }
    }
}

/// What is known of a target that was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastAction {
    /// The intent.
    pub intent: Seq,
    /// Its policy.
    pub policy: String,
    /// Its episode.
    pub episode: Seq,
    /// When its effect ended.
    pub ended_at: Moment,
}

/// An action that will be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// What was done.
    pub intent: Intent,
    /// When to take it back.
    pub due: Moment,
    /// The question that is out, if any.
    pub open: Option<Seq>,
    /// What the last look at the target gave.
    pub looked: Option<Known>,
    /// How often taking it back was tried.
    pub attempts: u32,
    /// Whether something holds it that may end at any time.
    pub held: bool,
    /// Why it was held last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<String>,
    /// The labels of the alert that it was made for, which may be forgotten by then.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Who is told where it cannot be taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// Who wants it taken back now, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Ordered>,
    /// How often in a row it could not be taken back, or nobody could look whether it can be.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failures: u32,
    /// Since when it is not taken back, although its time is over, for what nobody has decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_since: Option<Moment>,
    /// Whether a person was told that it is not taken back yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// The intent under way on its target that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Seq>,
    /// By how much the wall clock stepped forward since the action was done.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub stepped: Span,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

/// An order to take an action back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordered {
    /// Whose, one after the other where there were several; none where the book in force does not want it any more.
    pub by: Option<String>,
    /// Of several entries only these; none means all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<AddressRange>,
    /// When what it leaves is to be taken back.
    pub rest_due: Moment,
}

impl Ordered {
    /// This order and another one: whoever wants all of it wants every part.
    pub(crate) fn and(self, by: Option<String>, only: &[AddressRange]) -> Self {
        let mut names: Vec<&str> = self.by.iter().flat_map(|names| names.split(", ")).collect();
        names.extend(by.as_deref().filter(|name| !names.contains(name)));
        let by = (!names.is_empty()).then(|| names.join(", "));
        let all = self.only.is_empty() || only.is_empty();
        let some: BTreeSet<AddressRange> = self.only.iter().chain(only).copied().collect();
        let only = if all { Vec::new() } else { some.into_iter().collect() };
        Self { by, only, rest_due: self.rest_due }
    }

    /// Whether all of this is wanted by it already.
    pub(crate) fn covers(&self, only: &[AddressRange]) -> bool {
        self.only.is_empty() || (!only.is_empty() && only.iter().all(|range| self.only.contains(range)))
    }
}

impl Lease {
    /// A lease of this action, which nobody has looked at.
    pub(crate) fn of(intent: Intent, due: Moment) -> Self {
        Self {
            intent,
            due,
            open: None,
            looked: None,
            attempts: 0,
            held: false,
            held_for: None,
            labels: Labels::new(),
            notify: Vec::new(),
            ordered: None,
            failures: 0,
            stuck_since: None,
            told: false,
            behind: None,
            stepped: Span::ZERO,
        }
    }

    /// Whether its end has come, and what it holds is not known to be taken back all the same.
    pub fn is_late(&self) -> bool {
        self.failures > 0 || self.stuck_since.is_some()
    }

    /// Who wants it taken back, or approved what was done: whoever approved the action approved its end.
    pub fn approved_by(&self) -> Option<&String> {
        self.ordered.as_ref().and_then(|order| order.by.as_ref()).or(self.intent.approved_by.as_ref())
    }
}

/// A storm, and what could become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Storm {
    /// When the episodes of the last minute opened, oldest first.
    pub openings: VecDeque<Moment>,
    /// Since when it storms, and why.
    pub since: Option<(Moment, String)>,
    /// When the openings of a minute have fallen below half, if nothing more opens.
    pub quiet_from: Moment,
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Since when.
    pub since: Moment,
    /// Until when, where there is an end.
    pub until: Option<Moment>,
    /// Why.
    pub reason: String,
}

/// Rounds of a policy that did not help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Efficacy {
    /// In a row, those included after which the trouble came back within `relapse`.
    pub ineffective: u32,
    /// Since when it is in quarantine.
    pub quarantined_since: Option<Moment>,
}

/// An effect under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// The intent.
    pub intent: Intent,
    /// Whether the process that started it is gone.
    pub in_doubt: bool,
}

/// Everything the engine knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct State {
    /// Sequence of the next record.
    pub next: Seq,
    /// Time of the last record; never decreases.
    pub now: Moment,
    /// Books that are in force or finish a ladder, by digest.
    #[serde(with = "crate::load::stored_books")]
    pub books: BTreeMap<Digest, Arc<Book>>,
    /// The one in force.
    pub book: Option<Digest>,
    /// Open episodes, and closed ones that something still refers to.
    pub episodes: BTreeMap<Seq, Episode>,
    /// Open episodes by identity.
    pub open: BTreeMap<EpisodeKey, Seq>,
    /// Resolved alerts by identity, as long as a slow Alertmanager peer may still repeat them.
    pub recently_resolved: BTreeMap<EpisodeKey, Resolved>,
    /// Their ends in order, so that forgetting one looks at no other.
    #[serde(default)]
    pub resolved_order: VecDeque<(Moment, EpisodeKey)>,
    /// Cases by episode and policy.
    #[serde(with = "pairs")]
    pub cases: BTreeMap<CaseId, Case>,
    /// What is due, in order.
    pub agenda: BTreeSet<(Moment, Duty)>,
    /// Questions without an answer.
    pub questions: BTreeMap<Seq, Question>,
    /// Effects under way.
    pub in_flight: BTreeMap<Seq, InFlight>,
    /// Enforced actions that count.
    pub ledger: Ledger,
    /// Rehearsed actions that count.
    pub rehearsals: Ledger,
    /// What only looked, rehearsed or not.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub looks: Ledger,
    /// The last action on each target.
    #[serde(with = "pairs")]
    pub last_actions: BTreeMap<Target, LastAction>,
    /// The last ladder by policy and target.
    #[serde(with = "pairs")]
    pub last_ladders: BTreeMap<(String, Target), LastLadder>,
    /// Actions to be taken back, by intent.
    pub leases: BTreeMap<Seq, Lease>,
    /// Proposals that wait for a person.
    pub proposals: BTreeMap<Seq, CaseId>,
    /// The storm.
    pub storm: Storm,
    /// How many workloads the cluster had at the last look.
    pub workloads: u32,
    /// Pauses in force.
    #[serde(with = "pairs")]
    pub pauses: BTreeMap<PauseScope, Pause>,
    /// How well policies do.
    pub efficacy: BTreeMap<String, Efficacy>,
    /// Whether this process leads.
    pub leader: bool,
    /// Counts leaderships.
    pub epoch: u64,
    /// A clock step that nobody has accepted.
    pub clock_stepped: Option<i64>,
    /// When time goes on, after a wall clock that had run ahead was put back: until then it stands still, since it
    /// never decreases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_still_until: Option<Moment>,
    /// Calls for people.
    #[serde(default, skip_serializing_if = "Paging::is_empty")]
    pub paging: Paging,
    /// Requests to run a policy by hand, by their keys, as long as the same may come again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requested: BTreeMap<String, Requested>,
    /// Where guards look things up; derived from the rest.
    #[serde(skip)]
    pub indexes: Indexes,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The derived function, not this one: it is written as if for another type.
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut state = Self::deserialize(from)?;
        state.reindex();
        Ok(state)
    }
}

impl State {
    /// Before the first record.
    pub fn new() -> Self {
        Self { next: Seq(1), ..Self::default() }
    }

    /// The cases of an episode, by policy.
    pub fn cases_of(&self, episode: Seq) -> impl Iterator<Item = &Case> {
        let from = CaseId { episode, policy: String::new() };
        self.cases.range(from..).take_while(move |(id, _)| id.episode == episode).map(|(_, case)| case)
    }

    /// How many rounds of this policy in a row have not helped now that the trouble is back on this target: what the
    /// last one seemed to help is taken back. `None` where that one has been counted already.
    pub(crate) fn rounds_after_relapse(&self, policy: &str, target: &Target) -> Option<u32> {
        let last = self.last_ladders.get(&(policy.to_owned(), target.clone()))?;
        let since = self.efficacy.get(policy).map_or(0, |efficacy| efficacy.ineffective);
        (!last.is_counted).then_some(since.max(last.ineffective_before).saturating_add(1))
    }

    /// Why nothing can be judged by the clock, where nothing can.
    pub(crate) fn clock_trouble(&self, now: Moment) -> Option<Reason> {
        let stepped = self.clock_stepped.map(|by_ms| Reason::ClockStepped { by_ms });
        let stands_still = self.stands_still_until.filter(|until| now < *until);
        stepped.or_else(|| stands_still.map(|until| Reason::TimeStandsStill { until }))
    }

    /// The policy of a case, from the case's own book.
    pub fn policy_of(&self, case: &Case) -> Option<&crate::policy::Policy> {
        self.books.get(&case.book)?.policy(&case.id.policy)
    }

    /// The book in force; an empty one before the first was adopted.
    pub fn current_book(&self) -> Arc<Book> {
        let adopted = self.book.and_then(|digest| self.books.get(&digest));
        adopted.map_or_else(|| Arc::new(Book::empty()), Arc::clone)
    }
}

/// Maps whose keys are not text, written as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K, V, S>(map: &BTreeMap<K, V>, to: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
