//! Two books over one past: which actions are new, which are gone, which do something else, which come at another time.
//! Actions are counterparts where policy, remediation, target and the alert's episode are the same; where a case does the same
//! thing twice, the first goes with the first. It holds only those that have no counterpart yet.

use std::collections::{BTreeMap, VecDeque};

use paramedic_policies::action::Mode;
use paramedic_policies::alert::EpisodeKey;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde::Serialize;
use serde_json::json;

use super::acted::Acted;
use super::doubts::Doubts;
use super::edits::{self, Edit, Rewritten};
use super::open_cases::{OpenCase, OpenCases, OpenEpisode};
use super::report::Report;
use super::tally::Tally;
use super::why::{Because, Why, ranked};

/// Actions that are told one by one, of each kind; the rest is counted.
const TOLD_MAX: usize = 1_000;

/// An action that is later than this by a change is another one.
const APART_MAX: Span = Span::from_hours(7 * 24);

/// What a change comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Since when the past was replayed.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// Alerts that began.
    pub began: u64,
    /// Actions under the old policies.
    pub before: u64,
    /// Actions under the new ones.
    pub after: u64,
    /// By how many actions the new ones do more.
    pub net: i64,
    /// Actions that are the same under both.
    pub same: u64,
    /// Actions that only the new ones take.
    pub added: u64,
    /// Actions that only the old ones take.
    pub removed: u64,
    /// Actions that both take, with other parameters or in a higher mode under the new ones, whatever their time.
    pub altered: u64,
    /// Actions that both take, in a lower mode under the new ones: the same, or at another time.
    pub lowered: u64,
    /// Actions that both take, at different times.
    pub retimed: u64,
    /// What comparing actions cannot answer.
    pub doubts: Doubts,
    /// What the old policies make of the cases of those added.
    pub why_added: Vec<Because>,
    /// What the new policies make of the cases of those removed.
    pub why_removed: Vec<Because>,
    /// What the old policies made of the cases of those that come earlier now, at that moment.
    pub why_earlier: Vec<Because>,
    /// What the new policies make of the cases of those that come later now, at the moment of old.
    pub why_later: Vec<Because>,
    /// By policy, those that change alone.
    pub policies: Vec<Change>,
    /// The policies that are written otherwise, whether the past shows it or not.
    pub rewritten: Vec<Rewritten>,
    /// What the settings differ in: those of the configuration that decisions depend on.
    pub settings: Vec<Edit>,
    /// The first of those added.
    pub added_actions: Vec<OneSided>,
    /// The first of those removed.
    pub removed_actions: Vec<OneSided>,
    /// The first of those altered.
    pub altered_actions: Vec<Altered>,
    /// The first of those at another time.
    pub retimed_actions: Vec<Retimed>,
    /// What history cannot tell, and how that was treated.
    pub unknown: Vec<String>,
}

/// What changes of one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its name.
    pub policy: String,
    /// Actions under the old policies.
    pub before: u64,
    /// Actions under the new ones.
    pub after: u64,
    /// Actions that are new.
    pub added: u64,
    /// Actions that are gone.
    pub removed: u64,
    /// Actions that do something else.
    pub altered: u64,
    /// Actions at another time.
    pub retimed: u64,
}

/// An action that only one side takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneSided {
    /// The action.
    #[serde(flatten)]
    pub action: Acted,
    /// What the other side makes of it.
    pub why: Why,
}

/// An action that does something else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Altered {
    /// When it was.
    pub before: Moment,
    /// The action as it is now.
    #[serde(flatten)]
    pub action: Acted,
    /// What differs: of its parameters, and its mode.
    pub edits: Vec<Edit>,
}

impl Altered {
    /// None where the new one does the same, and goes no further: neither by its policy, for the daemon may run under another
    /// cap (`serve --mode`), nor under the cap that is configured.
    fn of(before: &Acted, after: &Acted) -> Option<Vec<Edit>> {
        let mut edits = edits::between(&before.parameters, &after.parameters);
        let modes = [("mode", before.mode, after.mode), ("modeAfter", before.mode_after, after.mode_after)];
        let capped = |(_, old, new): (&str, Mode, Mode)| (old.min(before.cap), new.min(after.cap));
        let is_raised = |one: (&str, Mode, Mode)| one.2 > one.1 || capped(one).1 > capped(one).0;
        if edits.is_empty() && !modes.into_iter().any(is_raised) {
            return None;
        }
        for one in modes {
            let (old, new) = if one.1 == one.2 { capped(one) } else { (one.1, one.2) };
            edits.extend(edits::between(&json!({one.0: old}), &json!({one.0: new})));
        }
        Some(edits)
    }
}

/// An action at another time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retimed {
    /// When it was.
    pub before: Moment,
    /// The action as it is now.
    #[serde(flatten)]
    pub action: Acted,
    /// What the side that is later made of it at the moment of the earlier one.
    pub why: Why,
}

impl Retimed {
    /// Whether it comes earlier now.
    pub fn is_earlier(&self) -> bool {
        self.action.at < self.before
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    key: EpisodeKey,
    opened_at: Moment,
    policy: String,
    remediation: &'static str,
    target: Target,
}

impl Identity {
    fn of(acted: &Acted) -> Self {
        Self {
            key: acted.key,
            opened_at: acted.opened_at,
            policy: acted.policy.clone(),
            remediation: acted.remediation,
            target: acted.target.clone(),
        }
    }

    /// The first of an episode, in their order.
    fn first_of(episode: &OpenEpisode) -> Self {
        let target = Target { kind: String::new(), namespace: String::new(), name: String::new() };
        let (key, opened_at) = (episode.key, episode.opened_at);
        Self { key, opened_at, policy: String::new(), remediation: "", target }
    }
}

/// What one side has done and the other has not, or not yet.
#[derive(Debug, Default)]
struct Side {
    waiting: BTreeMap<Identity, Waiting>,
    told: Vec<OneSided>,
    why: BTreeMap<Why, u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    acted: VecDeque<Ahead>,
    why: Option<Why>,
}

/// An action, and what the other side made of its case at that moment.
#[derive(Debug)]
struct Ahead {
    acted: Acted,
    other: Why,
}

impl Ahead {
    /// `open` and `over` are the other side's episodes.
    fn of(acted: Acted, open: &OpenCases, over: &[OpenEpisode]) -> Self {
        let is_its = |one: &&OpenEpisode| one.key == acted.key && one.opened_at == acted.opened_at;
        let episode = open.of(acted.key, acted.opened_at).or_else(|| over.iter().find(is_its));
        let case: Option<&OpenCase> = episode.and_then(|episode| episode.cases.get(&acted.policy));
        let other = case.map(|case| Why::not_yet(case, acted.at));
        Self { other: other.unwrap_or_else(|| Why::without(acted.elsewhere)), acted }
    }
}

impl Side {
    fn wait(&mut self, identity: Identity, ahead: Ahead) {
        self.waiting.entry(identity).or_default().acted.push_back(ahead);
    }

    /// The first that waits for this counterpart.
    fn pair(&mut self, identity: &Identity) -> Option<Ahead> {
        let waiting = self.waiting.get_mut(identity)?;
        let acted = waiting.acted.pop_front();
        if waiting.acted.is_empty() {
            self.waiting.remove(identity);
        }
        acted
    }

    /// An episode that is over on the other side says why it did nothing there.
    fn note(&mut self, over: &OpenEpisode) {
        let first = Identity::first_of(over);
        let of_episode =
            |identity: &Identity| identity.key == over.key && identity.opened_at == over.opened_at;
        for (identity, waiting) in
            self.waiting.range_mut(first..).take_while(|(identity, _)| of_episode(identity))
        {
            let at = waiting.acted.front().map(|ahead| ahead.acted.at).unwrap_or_default();
            waiting.why = over.cases.get(&identity.policy).map(|case| Why::of(case, at));
        }
    }

    /// What was done before this and has no counterpart will have none; `other` is what is still open on the other side.
    fn sweep(&mut self, before: Moment, other: &Tally) -> Vec<String> {
        let is_late = |waiting: &Waiting| waiting.acted.front().is_some_and(|one| one.acted.at <= before);
        if !self.waiting.values().any(is_late) {
            return Vec::new();
        }
        let mut policies = Vec::new();
        for (identity, mut waiting) in std::mem::take(&mut self.waiting) {
            while let Some(Ahead { acted, .. }) = waiting.acted.pop_front_if(|one| one.acted.at <= before) {
                let live = || {
                    let episode = other.open().of(identity.key, identity.opened_at)?;
                    Some(Why::of(episode.cases.get(&identity.policy)?, acted.at))
                };
                let why = waiting.why.clone().or_else(live);
                let why = why.unwrap_or_else(|| Why::without(acted.elsewhere));
                *self.why.entry(why.clone()).or_default() += 1;
                policies.push(acted.policy.clone());
                self.told.push(OneSided { action: acted, why });
                bound(&mut self.told);
            }
            if !waiting.acted.is_empty() {
                self.waiting.insert(identity, waiting);
            }
        }
        policies
    }

    fn told(&mut self) -> Vec<OneSided> {
        let mut told = std::mem::take(&mut self.told);
        told.sort_by(|a, b| order(&a.action, &b.action));
        told.truncate(TOLD_MAX);
        told
    }
}

/// Differences so far.
#[derive(Debug, Default)]
pub(super) struct Differences {
    only_old: Side,
    only_new: Side,
    swept: Moment,
    same: u64,
    policies: BTreeMap<String, Change>,
    altered: Vec<Altered>,
    lowered: u64,
    retimed: Vec<Retimed>,
    why_earlier: BTreeMap<Why, u64>,
    why_later: BTreeMap<Why, u64>,
}

impl Differences {
    /// What both have done until now.
    pub(super) fn see(&mut self, now: Moment, old: &mut Tally, new: &mut Tally) {
        let (old_over, new_over) = (old.take_over(), new.take_over());
        for acted in old.take_acted(now) {
            self.of(&acted.policy).before += 1;
            let identity = Identity::of(&acted);
            let ahead = Ahead::of(acted, new.open(), &new_over);
            match self.only_new.pair(&identity) {
                Some(new) => self.pair(ahead, new),
                None => self.only_old.wait(identity, ahead),
            }
        }
        for acted in new.take_acted(now) {
            self.of(&acted.policy).after += 1;
            let identity = Identity::of(&acted);
            let ahead = Ahead::of(acted, old.open(), &old_over);
            match self.only_old.pair(&identity) {
                Some(old) => self.pair(old, ahead),
                None => self.only_new.wait(identity, ahead),
            }
        }
        old_over.iter().for_each(|over| self.only_new.note(over));
        new_over.iter().for_each(|over| self.only_old.note(over));
        if now.since(self.swept) >= APART_MAX {
            self.swept = now;
            self.sweep(now - APART_MAX, old, new);
        }
    }

    fn of(&mut self, policy: &str) -> &mut Change {
        let name = || Change { policy: policy.to_owned(), ..Change::default() };
        if !self.policies.contains_key(policy) {
            self.policies.insert(policy.to_owned(), name());
        }
        self.policies.entry(policy.to_owned()).or_insert_with(name)
    }

    fn pair(&mut self, old: Ahead, new: Ahead) {
        let edits = Altered::of(&old.acted, &new.acted);
        let (before, action) = (old.acted.at, new.acted);
        if let Some(edits) = edits {
            self.of(&action.policy).altered += 1;
            if self.altered.len() < TOLD_MAX {
                self.altered.push(Altered { before, action, edits });
            }
            return;
        }
        let capped = action.mode.min(action.cap);
        self.lowered += u64::from(capped < old.acted.mode.min(old.acted.cap) || action.mode < old.acted.mode);
        if before == action.at {
            self.same += 1;
            return;
        }
        self.of(&action.policy).retimed += 1;
        let (why, counts) = match action.at < before {
            true => (new.other, &mut self.why_earlier),
            false => (old.other, &mut self.why_later),
        };
        *counts.entry(why.clone()).or_default() += 1;
        if self.retimed.len() < TOLD_MAX {
            self.retimed.push(Retimed { before, action, why });
        }
    }

    fn sweep(&mut self, before: Moment, old: &Tally, new: &Tally) {
        for policy in self.only_old.sweep(before, new) {
            self.of(&policy).removed += 1;
        }
        for policy in self.only_new.sweep(before, old) {
            self.of(&policy).added += 1;
        }
    }

    /// Nothing more comes: what has no counterpart has none.
    pub(super) fn end(&mut self, until: Moment, old: &mut Tally, new: &mut Tally) {
        self.see(until, old, new);
        self.sweep(until, old, new);
    }

    /// All of it.
    pub(super) fn plan(
        mut self,
        old: &Report,
        new: Report,
        rewritten: Vec<Rewritten>,
        settings: Vec<Edit>,
    ) -> Plan {
        self.altered.sort_by(|a, b| order(&a.action, &b.action));
        self.retimed.sort_by(|a, b| order(&a.action, &b.action));
        let sum = |of: fn(&Change) -> u64| self.policies.values().map(of).sum();
        let (added, removed, retimed) =
            (sum(|one| one.added), sum(|one| one.removed), sum(|one| one.retimed));
        let altered = sum(|one| one.altered);
        let changes = |one: &Change| one.added + one.removed + one.altered + one.retimed > 0;
        Plan {
            from: new.from,
            until: new.until,
            began: new.began,
            before: old.actions,
            after: new.actions,
            net: new.actions.cast_signed() - old.actions.cast_signed(),
            same: self.same,
            added,
            removed,
            altered,
            lowered: self.lowered,
            retimed,
            doubts: Doubts::of(old, &new, &rewritten, &settings),
            added_actions: self.only_new.told(),
            removed_actions: self.only_old.told(),
            why_added: ranked(self.only_new.why),
            why_removed: ranked(self.only_old.why),
            why_earlier: ranked(self.why_earlier),
            why_later: ranked(self.why_later),
            policies: self.policies.into_values().filter(changes).collect(),
            rewritten,
            settings,
            altered_actions: self.altered,
            retimed_actions: self.retimed,
            unknown: new.unknown,
        }
    }
}

fn order(a: &Acted, b: &Acted) -> std::cmp::Ordering {
    (a.at, &a.policy, &a.target, &a.alert).cmp(&(b.at, &b.policy, &b.target, &b.alert))
}

/// Keeps the earliest; sorts seldom.
fn bound(told: &mut Vec<OneSided>) {
    if told.len() >= 4 * TOLD_MAX {
        told.sort_by(|a, b| order(&a.action, &b.action));
        told.truncate(TOLD_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paramedic_policies::alert::Labels;
    use paramedic_policies::book::Book;
    use paramedic_policies::event::Seq;

    use super::*;
    use crate::backtest::why::Elsewhere;

    fn acted(minutes: i64) -> Acted {
        let target =
            Target { kind: "Deployment".to_owned(), namespace: "shop".to_owned(), name: "cart".to_owned() };
        Acted {
            at: Moment::from_unix_ms(minutes * 60_000),
            policy: "restart".to_owned(),
            remediation: "restart",
            target,
            alert: "Errors".to_owned(),
            key: EpisodeKey::of(&Labels::new(), &[]),
            opened_at: Moment::default(),
            elsewhere: Elsewhere::Matched,
            mode: Mode::Enforce,
            mode_after: Mode::DryRun,
            cap: Mode::Enforce,
            parameters: json!({"restart": {}}),
        }
    }

    fn did(minutes: &[i64]) -> Tally {
        let mut tally = Tally::new(Arc::new(Book::empty()), Seq(1));
        tally.note_acted(minutes.iter().map(|minutes| acted(*minutes)));
        tally
    }

    #[test]
    fn a_case_that_does_the_same_twice_under_both_is_no_change() {
        let mut differences = Differences::default();
        differences.see(Moment::from_unix_ms(600_000), &mut did(&[1, 5]), &mut did(&[1, 5]));
        assert_eq!((differences.same, differences.retimed.len()), (2, 0));
        assert!(differences.only_old.waiting.is_empty() && differences.only_new.waiting.is_empty());

        let mut differences = Differences::default();
        differences.end(Moment::from_unix_ms(600_000), &mut did(&[1, 5]), &mut did(&[2]));
        let change = &differences.policies["restart"];
        assert_eq!(
            (change.removed, change.added, change.retimed),
            (1, 0, 1),
            "the first goes with the first"
        );
    }
}
