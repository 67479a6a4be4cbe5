//! Two books over one past: which actions are new, which are gone, which come at another time. Actions are the same where
//! policy, remediation, target and the alert's episode are. It holds only those that have no counterpart yet.

use std::collections::BTreeMap;

use paramedic_policies::alert::EpisodeKey;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde::Serialize;

use super::report::Report;
use super::tally::Acted;

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
    /// Actions that are the same under both.
    pub same: u64,
    /// Actions that only the new ones take.
    pub added: u64,
    /// Actions that only the old ones take.
    pub removed: u64,
    /// Actions that both take, at different times.
    pub retimed: u64,
    /// By policy, those that change alone.
    pub policies: Vec<Change>,
    /// The first of those added.
    pub added_actions: Vec<Acted>,
    /// The first of those removed.
    pub removed_actions: Vec<Acted>,
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
    /// Actions at another time.
    pub retimed: u64,
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
}

/// Differences so far.
#[derive(Debug, Default)]
pub struct Differences {
    only_old: BTreeMap<Identity, Acted>,
    only_new: BTreeMap<Identity, Acted>,
    swept: Moment,
    same: u64,
    policies: BTreeMap<String, Change>,
    added: Vec<Acted>,
    removed: Vec<Acted>,
    retimed: Vec<Retimed>,
}

impl Differences {
    /// What both have done until now.
    pub fn see(&mut self, now: Moment, old: Vec<Acted>, new: Vec<Acted>) {
        for acted in old {
            self.of(&acted.policy).before += 1;
            let identity = Identity::of(&acted);
            match self.only_new.remove(&identity) {
                Some(new) => self.pair(&acted, new),
                None => {
                    if let Some(before) = self.only_old.insert(identity, acted) {
                        self.removed(before);
                    }
                }
            }
        }
        for acted in new {
            self.of(&acted.policy).after += 1;
            let identity = Identity::of(&acted);
            match self.only_old.remove(&identity) {
                Some(old) => self.pair(&old, acted),
                None => {
                    if let Some(before) = self.only_new.insert(identity, acted) {
                        self.added(before);
                    }
                }
            }
        }
        if now.since(self.swept) >= APART_MAX {
            self.swept = now;
            self.sweep(now - APART_MAX);
        }
    }

    fn of(&mut self, policy: &str) -> &mut Change {
        let name = || Change { policy: policy.to_owned(), ..Change::default() };
        if !self.policies.contains_key(policy) {
            self.policies.insert(policy.to_owned(), name());
        }
        self.policies.entry(policy.to_owned()).or_insert_with(name)
    }

    fn pair(&mut self, old: &Acted, new: Acted) {
        if old.at == new.at {
            self.same += 1;
            return;
        }
        self.of(&new.policy).retimed += 1;
        if self.retimed.len() < TOLD_MAX {
            self.retimed.push(Retimed { before: old.at, action: new });
        }
    }

    fn added(&mut self, acted: Acted) {
        self.of(&acted.policy).added += 1;
        self.added.push(acted);
        bound(&mut self.added);
    }

    fn removed(&mut self, acted: Acted) {
        self.of(&acted.policy).removed += 1;
        self.removed.push(acted);
        bound(&mut self.removed);
    }

    /// What was done before this and has no counterpart will have none.
    fn sweep(&mut self, before: Moment) {
        let old = std::mem::take(&mut self.only_old);
        let (gone, left): (Vec<_>, Vec<_>) = old.into_iter().partition(|(_, acted)| acted.at <= before);
        self.only_old = left.into_iter().collect();
        gone.into_iter().for_each(|(_, acted)| self.removed(acted));
        let new = std::mem::take(&mut self.only_new);
        let (gone, left): (Vec<_>, Vec<_>) = new.into_iter().partition(|(_, acted)| acted.at <= before);
        self.only_new = left.into_iter().collect();
        gone.into_iter().for_each(|(_, acted)| self.added(acted));
    }

    /// All of it.
    pub fn plan(mut self, old: &Report, new: Report) -> Plan {
        self.sweep(new.until);
        self.added.sort_by(order);
        self.added.truncate(TOLD_MAX);
        self.removed.sort_by(order);
        self.removed.truncate(TOLD_MAX);
        self.retimed.sort_by(|a, b| order(&a.action, &b.action));
        let sum = |of: fn(&Change) -> u64| self.policies.values().map(of).sum();
        let changes = |one: &Change| one.added + one.removed + one.retimed > 0;
        Plan {
            from: new.from,
            until: new.until,
            began: new.began,
            before: old.actions,
            after: new.actions,
            same: self.same,
            added: sum(|one| one.added),
            removed: sum(|one| one.removed),
            retimed: sum(|one| one.retimed),
            policies: self.policies.into_values().filter(changes).collect(),
            added_actions: self.added,
            removed_actions: self.removed,
            retimed_actions: self.retimed,
            unknown: new.unknown,
        }
    }
}

fn order(a: &Acted, b: &Acted) -> std::cmp::Ordering {
    (a.at, &a.policy, &a.target, &a.alert).cmp(&(b.at, &b.policy, &b.target, &b.alert))
}

/// Keeps the earliest; sorts seldom.
fn bound(acted: &mut Vec<Acted>) {
    if acted.len() >= 4 * TOLD_MAX {
        acted.sort_by(order);
        acted.truncate(TOLD_MAX);
    }
}
