//! What guards look up on every ruling, filed by target, policy, intent and label, so that a ruling in a storm of
//! thousands costs what it costs on a quiet day. Derived from the rest of the state: `apply` keeps it true, reading a
//! stored state makes it anew, and it is never stored itself. It must never know anything that the state does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::Labels;
use crate::event::Seq;
use crate::matcher::{Matcher, Operator};
use crate::state::{Case, CaseId, Episode, Phase, State};
use crate::target::Target;

/// Where to look, instead of at every case and every episode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// What is on each target.
    crowds: BTreeMap<Target, Crowd>,
    /// Targets with an open episode.
    firing: usize,
    /// Cases that watch what they did, by the intent.
    watching: BTreeMap<Seq, CaseId>,
    /// The same by policy.
    watching_by_policy: BTreeMap<String, BTreeSet<CaseId>>,
    /// Cases between two steps of a sequence that has begun, by policy.
    between_by_policy: BTreeMap<String, BTreeSet<CaseId>>,
    /// Open episodes by the labels that some `unless:` asks for, and their values; an absent label has the empty one.
    open_by_label: BTreeMap<String, BTreeMap<String, BTreeSet<Seq>>>,
}

/// What is on one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// Its cases by policy.
    cases: BTreeMap<String, usize>,
    /// Those of open episodes.
    open: BTreeSet<CaseId>,
    /// Those that may come first, in order of precedence.
    undecided: BTreeSet<Rank>,
    /// Those that watch what they did, with the intent.
    watching: BTreeMap<CaseId, Seq>,
    /// Effects under way.
    in_flight: BTreeSet<Seq>,
}

/// Precedence among the cases of one target: the higher priority, then the lesser name, then the older episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    negated_priority: i64,
    policy: String,
    episode: Seq,
}

impl Rank {
    fn of(case: &Case) -> Self {
        Self {
            negated_priority: -i64::from(case.priority),
            policy: case.id.policy.clone(),
            episode: case.id.episode,
        }
    }
}

impl Crowd {
    /// Effects under way on the target, oldest first.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = Seq> {
        self.in_flight.iter().copied()
    }

    /// Cases that watch what they did, with the intent.
    pub(crate) fn watching(&self) -> impl Iterator<Item = (&CaseId, Seq)> {
        self.watching.iter().map(|(id, intent)| (id, *intent))
    }

    /// Cases of open episodes that this policy has here.
    pub(crate) fn open_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.open.iter().filter(move |id| id.policy == policy)
    }

    /// How many cases other policies have here.
    pub(crate) fn of_others(&self, policy: &str) -> usize {
        self.cases.iter().filter(|(name, _)| *name != policy).map(|(_, count)| count).sum()
    }

    /// Cases of open episodes that come before this policy and are not decided, or approved; by precedence.
    pub(crate) fn undecided_before(&self, priority: i32, policy: &str) -> impl Iterator<Item = CaseId> {
        let ours = Rank {
            negated_priority: -i64::from(priority),
            policy: policy.to_owned(),
            episode: Seq::default(),
        };
        self.undecided.range(..ours).map(|rank| CaseId { episode: rank.episode, policy: rank.policy.clone() })
    }

    fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.in_flight.is_empty()
    }
}

impl Indexes {
    /// What is on this target, where anything is.
    pub(crate) fn on(&self, target: &Target) -> Option<&Crowd> {
        self.crowds.get(target)
    }

    /// How many targets have an open episode.
    pub(crate) fn firing(&self) -> usize {
        self.firing
    }

    /// The case that watches what this intent did.
    pub(crate) fn watching(&self, intent: Seq) -> Option<&CaseId> {
        self.watching.get(&intent)
    }

    /// The cases of this policy that watch what they did.
    pub(crate) fn watching_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.watching_by_policy.get(policy).into_iter().flatten()
    }

    /// The cases of this policy that wait for the next step of a sequence that has begun.
    pub(crate) fn between_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.between_by_policy.get(policy).into_iter().flatten()
    }

    /// Open episodes of which one meets all these matchers if any open one does; `None` where none of their labels is
    /// filed.
    pub(crate) fn may_meet(&self, matchers: &[Matcher]) -> Option<impl Iterator<Item = Seq>> {
        let filed =
            matchers.iter().filter_map(|matcher| Some((matcher, self.open_by_label.get(&matcher.name)?)));
        let equal = filed.clone().filter(|(matcher, _)| matcher.operator == Operator::Equal);
        let rarest = equal
            .map(|(matcher, values)| values.get(&matcher.value).into_iter().collect::<Vec<_>>())
            .min_by_key(|found| found.iter().map(|episodes| episodes.len()).sum::<usize>());
        let found = rarest.or_else(|| {
            // Without an equality every value is asked, which are fewer than the episodes.
            filed.clone().next().map(|(matcher, values)| {
                let met = values.iter().filter(|(value, _)| matcher.meets_value(value));
                met.map(|(_, episodes)| episodes).collect()
            })
        })?;
        Some(found.into_iter().flatten().copied())
    }

    /// The case is on its target from now on.
    pub(crate) fn arrived(&mut self, case: &Case, open: bool) {
        let Some(target) = &case.target else { return };
        let crowd = self.crowds.entry(target.clone()).or_default();
        *crowd.cases.entry(case.id.policy.clone()).or_default() += 1;
        if open {
            self.firing += usize::from(crowd.open.is_empty());
            crowd.open.insert(case.id.clone());
        }
        self.entered(case, open);
    }

    /// The case leaves the target that it has.
    pub(crate) fn leaves(&mut self, case: &Case) {
        self.leaves_phase(case);
        self.closed(case);
        let Some(target) = &case.target else { return };
        let Some(crowd) = self.crowds.get_mut(target) else { return };
        if let Some(count) = crowd.cases.get_mut(&case.id.policy) {
            *count -= 1;
            if *count == 0 {
                crowd.cases.remove(&case.id.policy);
            }
        }
        self.tidy(target);
    }

    /// The case is in its phase from now on.
    pub(crate) fn entered(&mut self, case: &Case, open: bool) {
        if case.is_between_steps() {
            self.between_by_policy.entry(case.id.policy.clone()).or_default().insert(case.id.clone());
        }
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        if let Phase::Verifying { intent, .. } = case.phase {
            self.watching.insert(intent, case.id.clone());
            self.watching_by_policy.entry(case.id.policy.clone()).or_default().insert(case.id.clone());
            if let Some(crowd) = crowd {
                crowd.watching.insert(case.id.clone(), intent);
            }
        } else if let Some(crowd) = crowd
            && open
            && case.may_come_first()
        {
            crowd.undecided.insert(Rank::of(case));
        }
    }

    /// The case leaves the phase that it is in.
    pub(crate) fn leaves_phase(&mut self, case: &Case) {
        if let Some(between) = self.between_by_policy.get_mut(&case.id.policy) {
            between.remove(&case.id);
            if between.is_empty() {
                self.between_by_policy.remove(&case.id.policy);
            }
        }
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        match case.phase {
            Phase::Verifying { intent, .. } => {
                self.watching.remove(&intent);
                if let Some(of_policy) = self.watching_by_policy.get_mut(&case.id.policy) {
                    of_policy.remove(&case.id);
                    if of_policy.is_empty() {
                        self.watching_by_policy.remove(&case.id.policy);
                    }
                }
                if let Some(crowd) = crowd {
                    crowd.watching.remove(&case.id);
                }
            }
            Phase::Waiting { .. } | Phase::Asking { .. } | Phase::Approved { .. } => {
                if let Some(crowd) = crowd {
                    crowd.undecided.remove(&Rank::of(case));
                }
            }
            Phase::Proposed { .. } | Phase::Acting { .. } | Phase::Withheld | Phase::Resting => {}
        }
    }

    /// The case's episode is open no more.
    pub(crate) fn closed(&mut self, case: &Case) {
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        let Some(crowd) = crowd else { return };
        crowd.undecided.remove(&Rank::of(case));
        if crowd.open.remove(&case.id) && crowd.open.is_empty() {
            self.firing -= 1;
        }
    }

    /// An effect begins.
    pub(crate) fn begun(&mut self, intent: Seq, target: &Target) {
        self.crowds.entry(target.clone()).or_default().in_flight.insert(intent);
    }

    /// An effect has ended.
    pub(crate) fn ended(&mut self, intent: Seq, target: &Target) {
        if let Some(crowd) = self.crowds.get_mut(target) {
            crowd.in_flight.remove(&intent);
        }
        self.tidy(target);
    }

    fn tidy(&mut self, target: &Target) {
        if self.crowds.get(target).is_some_and(Crowd::is_empty) {
            self.crowds.remove(target);
        }
    }

    /// An episode opened.
    pub(crate) fn episode_opened(&mut self, episode: &Episode) {
        for (name, values) in &mut self.open_by_label {
            values.entry(value(&episode.labels, name).to_owned()).or_default().insert(episode.id);
        }
    }

    /// An episode closed.
    pub(crate) fn episode_closed(&mut self, episode: &Episode) {
        for (name, values) in &mut self.open_by_label {
            let value = value(&episode.labels, name);
            if let Some(episodes) = values.get_mut(value) {
                episodes.remove(&episode.id);
                if episodes.is_empty() {
                    values.remove(value);
                }
            }
        }
    }
}

fn value<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

impl State {
    /// Files open episodes by the labels that any `unless:` of the books at hand asks for.
    pub(crate) fn file_by_labels(&mut self) {
        let policies = self.books.values().flat_map(|book| book.policies().values());
        let names = policies.flat_map(|policy| &policy.unless).map(|matcher| matcher.name.clone());
        self.indexes.open_by_label = names.map(|name| (name, BTreeMap::new())).collect();
        for episode in self.episodes.values().filter(|episode| episode.fires()) {
            self.indexes.episode_opened(episode);
        }
    }

    /// Makes all indexes anew from the rest of the state, as reading a stored one does.
    pub fn reindex(&mut self) {
        self.indexes = Indexes::default();
        for case in self.cases.values() {
            let open = self.episodes.get(&case.id.episode).is_some_and(Episode::fires);
            if case.target.is_some() {
                self.indexes.arrived(case, open);
            } else {
                self.indexes.entered(case, open);
            }
        }
        for (intent, flight) in &self.in_flight {
            self.indexes.begun(*intent, &flight.intent.target);
        }
        self.file_by_labels();
    }
}
