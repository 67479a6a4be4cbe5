//! A call for a person until somebody has it or the trouble is over: whom it told, who is told next and when. Pure
//! bookkeeping; only `apply` changes it, and delivery lives outside.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::event::Seq;
use crate::notifications::{Notice, NoticeKind, Notifications, Severity};
use crate::state::CaseId;
use crate::time::{Moment, Span};

/// After so many tries in vain a receiver is given up, which is a good hour.
pub const TRIES_MAX: u32 = 10;

/// The pause after the first failure; doubled after each, up to the longest.
const PAUSE: Span = Span::from_secs(30);
const PAUSE_MAX: Span = Span::from_mins(10);

/// Everything about calls for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Paging {
    /// Pages that are not over, by the `Escalated` record that opened each.
    pub pages: BTreeMap<Seq, Page>,
    /// Messages under way.
    pub notices: BTreeMap<Seq, Notice>,
    /// When each receiver was called in its window, oldest first.
    pub told: BTreeMap<String, VecDeque<Moment>>,
}

impl Paging {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// One call for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Sequence of the `Escalated` record that opened it.
    pub id: Seq,
    /// About which case, where there is one.
    pub case: Option<CaseId>,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What a person needs to begin.
    pub text: String,
    /// The alert's labels.
    pub labels: BTreeMap<String, String>,
    /// What was said so far, the latest last.
    pub whys: Vec<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Subject::is_trouble")]
    pub subject: Subject,
    /// What was said to whom, so that a repetition is silent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// Whether its alert is heard of no more, and nobody said that it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unended: bool,
    /// Since when.
    pub since: Moment,
    /// By receiver.
    pub calls: BTreeMap<String, Call>,
    /// Who has it.
    pub acknowledged: Option<String>,
    /// Whether the trouble is over.
    pub over: bool,
    /// When it is looked at next, as in the agenda.
    pub due: Option<Moment>,
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// The trouble.
    #[default]
    Trouble,
    /// More of a trouble of which somebody has an earlier call.
    More,
    /// Something that waits for approval: the `Ruled` record with the call's own number.
    Proposal,
}

impl Subject {
    fn is_trouble(&self) -> bool {
        *self == Self::Trouble
    }
}

/// One thing that one receiver was told, or is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Who.
    pub receiver: String,
    /// By which policy; empty where it is about none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// What.
    pub why: String,
}

/// How far one receiver was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Since when it is to be told.
    pub since: Moment,
    /// What it took last.
    pub reached: Option<NoticeKind>,
    /// Under which key.
    pub key: String,
    /// What is next.
    pub is: Calling,
    /// Whether more was said than the last message held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What is next for a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Calling {
    /// Nothing.
    Rest,
    /// To be told then.
    Waiting {
        /// When.
        due: Moment,
        /// How often that was tried in vain.
        attempt: u32,
    },
    /// A message is under way.
    Out {
        /// Which.
        notice: Seq,
        /// How often it was tried before.
        attempt: u32,
        /// After this it has failed.
        deadline: Moment,
    },
    /// It cannot be reached.
    GivenUp,
}

impl Page {
    /// The key of messages about it.
    pub fn key(&self) -> String {
        match (self.subject, &self.case) {
            (Subject::Trouble, Some(case)) => format!("episode-{}", case.episode),
            (Subject::More, Some(case)) => format!("episode-{}-{}", case.episode, self.id),
            (Subject::Proposal, _) => format!("proposal-{}", self.id),
            (Subject::Trouble | Subject::More, None) => format!("page-{}", self.id),
        }
    }

    /// Whether it is about trouble with this episode.
    pub(crate) fn is_of(&self, episode: Seq) -> bool {
        self.subject != Subject::Proposal && self.case.as_ref().is_some_and(|case| case.episode == episode)
    }

    /// Whether a receiver was told this, or will be.
    pub(crate) fn has_told(&self, receiver: &str, policy: &str, why: &str) -> bool {
        self.said.iter().any(|said| (&*said.receiver, &*said.policy, &*said.why) == (receiver, policy, why))
    }

    /// What was said so far, each once, the latest last.
    pub(crate) fn reasons(&self) -> Vec<(&str, &str)> {
        let mut reasons: Vec<(&str, &str)> = Vec::new();
        for said in &self.said {
            let reason = (said.policy.as_str(), said.why.as_str());
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// What a receiver is to be told next, where anything.
    pub fn wanted(&self, call: &Call, follows: bool) -> Option<NoticeKind> {
        let settled = self.over || self.acknowledged.is_some();
        match call.reached {
            None => (!settled).then_some(NoticeKind::Trigger),
            Some(_) if call.more && !settled => Some(NoticeKind::Trigger),
            Some(_) if !follows || call.key != self.key() => None,
            Some(reached) => {
                // What only was not heard of any more is nobody's to resolve.
                let wanted = match (self.over && !self.unended, settled) {
                    (true, _) => NoticeKind::Resolve,
                    (false, true) => NoticeKind::Acknowledge,
                    (false, false) => NoticeKind::Trigger,
                };
                (wanted > reached).then_some(wanted)
            }
        }
    }

    /// Whether nothing more will be said about it.
    pub fn is_done(&self) -> bool {
        let quiet = |call: &Call| matches!(call.is, Calling::Rest | Calling::GivenUp);
        self.over && self.calls.values().all(quiet)
    }

    /// Whom to tell next, of each receiver that did not help, with the moment from which on.
    fn next(&self, settings: &Notifications) -> Vec<(Moment, String, String)> {
        if self.over || self.acknowledged.is_some() {
            return Vec::new();
        }
        let mut next = Vec::new();
        for (name, call) in &self.calls {
            let Some(receiver) = settings.receivers.get(name) else { continue };
            let from = match (&call.is, receiver.escalate_after) {
                (Calling::GivenUp, _) => call.since,
                (Calling::Rest | Calling::Waiting { .. } | Calling::Out { .. }, Some(after)) => {
                    call.since + after
                }
                (Calling::Rest | Calling::Waiting { .. } | Calling::Out { .. }, None) => continue,
            };
            let new = receiver.then.iter().filter(|next| !self.calls.contains_key(*next));
            next.extend(new.map(|to| (from, name.clone(), to.clone())));
        }
        next
    }

    /// Who is told now because nobody has it, and why.
    pub fn raises(&self, settings: &Notifications, now: Moment) -> Option<(Vec<String>, String)> {
        let due: Vec<_> = self.next(settings).into_iter().filter(|(from, ..)| *from <= now).collect();
        let mut to: Vec<String> = due.iter().map(|(.., to)| to.clone()).collect();
        let mut from: Vec<String> = due.iter().map(|(_, name, _)| name.clone()).collect();
        to.sort();
        to.dedup();
        from.sort();
        from.dedup();
        let since = now.since(self.since);
        (!to.is_empty()).then(|| (to, format!("nobody acknowledged at {} for {since}", from.join(", "))))
    }

    /// When it is to be looked at next.
    pub fn next_look(&self, settings: &Notifications) -> Option<Moment> {
        let calls = self.calls.values().filter_map(|call| match call.is {
            Calling::Waiting { due, .. } => Some(due),
            Calling::Out { deadline, .. } => Some(deadline),
            Calling::Rest | Calling::GivenUp => None,
        });
        calls.chain(self.next(settings).into_iter().map(|(from, ..)| from)).min()
    }
}

/// When to try again after so many tries in vain.
pub fn again(now: Moment, attempts: u32) -> Moment {
    let pause = PAUSE.ms().saturating_mul(1 << attempts.saturating_sub(1).min(16));
    now + Span::from_ms(pause.min(PAUSE_MAX.ms()))
}
