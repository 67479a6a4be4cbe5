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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::notifications::Receiver;
    use crate::state::tests::{at, page};

    fn about(episode: u64) -> Option<CaseId> {
        Some(CaseId { episode: Seq(episode), policy: "restart-web".to_owned() })
    }

    fn trouble() -> Page {
        page(Subject::Trouble, about(1))
    }

    fn call(reached: Option<NoticeKind>) -> Call {
        let key = "episode-1".to_owned();
        Call { since: at("09:00:00"), reached, key, is: Calling::Rest, more: false }
    }

    #[test]
    fn messages_about_one_trouble_have_one_key() {
        for (subject, case, key) in [
            (Subject::Trouble, about(1), "episode-1"),
            (Subject::More, about(1), "episode-1-30"),
            (Subject::Proposal, about(1), "proposal-30"),
            (Subject::Proposal, None, "proposal-30"),
            (Subject::Trouble, None, "page-30"),
            (Subject::More, None, "page-30"),
        ] {
            assert_eq!(page(subject, case).key(), key);
        }
    }

    #[test]
    fn a_proposal_is_no_trouble_of_its_episode() {
        for (subject, case, is) in [
            (Subject::Trouble, about(1), true),
            (Subject::More, about(1), true),
            (Subject::Proposal, about(1), false),
            (Subject::Trouble, about(2), false),
            (Subject::Trouble, None, false),
        ] {
            assert_eq!(page(subject, case.clone()).is_of(Seq(1)), is, "{subject:?} {case:?}");
        }
    }

    #[test]
    fn what_was_said_is_known_by_receiver_policy_and_words() {
        let said = |receiver: &str, policy: &str, why: &str| Said {
            receiver: receiver.to_owned(),
            policy: policy.to_owned(),
            why: why.to_owned(),
        };
        let mut page = trouble();
        page.said =
            vec![said("sre", "p", "failed"), said("lead", "p", "failed"), said("sre", "q", "unknown")];
        assert!(page.has_told("sre", "p", "failed") && page.has_told("sre", "q", "unknown"));
        for (receiver, policy, why) in
            [("dba", "p", "failed"), ("sre", "r", "failed"), ("sre", "p", "unknown")]
        {
            assert!(!page.has_told(receiver, policy, why), "{receiver} {policy} {why}");
        }
        assert_eq!(page.reasons(), [("p", "failed"), ("q", "unknown")], "each once");
    }

    /// A page that is so: open, acknowledged, over, or not heard of any more.
    fn standing(is: &str) -> Page {
        let mut page = trouble();
        page.acknowledged = (is == "acknowledged").then(|| "ann".to_owned());
        page.over = is == "over" || is == "unheard";
        page.unended = is == "unheard";
        page
    }

    #[test]
    fn a_receiver_is_told_what_it_does_not_know_yet_and_never_less() {
        use NoticeKind::{Acknowledge, Resolve, Trigger};
        for (is, reached, follower, other) in [
            ("open", None, Some(Trigger), Some(Trigger)),
            ("acknowledged", None, None, None),
            ("over", None, None, None),
            ("unheard", None, None, None),
            ("open", Some(Trigger), None, None),
            ("acknowledged", Some(Trigger), Some(Acknowledge), None),
            ("over", Some(Trigger), Some(Resolve), None),
            ("unheard", Some(Trigger), Some(Acknowledge), None),
            ("open", Some(Acknowledge), None, None),
            ("acknowledged", Some(Acknowledge), None, None),
            ("over", Some(Acknowledge), Some(Resolve), None),
            ("over", Some(Resolve), None, None),
            ("unheard", Some(Resolve), None, None),
        ] {
            let page = standing(is);
            assert_eq!(page.wanted(&call(reached), true), follower, "{is} {reached:?}, one that follows");
            assert_eq!(page.wanted(&call(reached), false), other, "{is} {reached:?}, one that does not");
            let elsewhere = Call { key: "digest-9".to_owned(), ..call(reached) };
            assert_eq!(page.wanted(&elsewhere, true), other, "{is} {reached:?}, told under another key");
        }
    }

    #[test]
    fn more_is_told_again_while_nobody_has_it() {
        let more = Call { more: true, ..call(Some(NoticeKind::Trigger)) };
        assert_eq!(standing("open").wanted(&more, false), Some(NoticeKind::Trigger));
        assert_eq!(standing("acknowledged").wanted(&more, true), Some(NoticeKind::Acknowledge));
        assert_eq!(standing("over").wanted(&more, false), None);
    }

    fn calling(is: &str) -> Calling {
        match is {
            "rest" => Calling::Rest,
            "given up" => Calling::GivenUp,
            "waiting" => Calling::Waiting { due: at("09:05:00"), attempt: 1 },
            "out" => Calling::Out { notice: Seq(40), attempt: 0, deadline: at("09:02:00") },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn it_is_done_once_it_is_over_and_every_receiver_is_at_rest() {
        let with = |over: bool, calls: &[&str]| {
            let mut page = Page { over, ..trouble() };
            for (number, is) in calls.iter().enumerate() {
                page.calls.insert(number.to_string(), Call { is: calling(is), ..call(None) });
            }
            page.is_done()
        };
        assert!(with(true, &[]) && with(true, &["rest", "given up"]));
        assert!(!with(true, &["rest", "out"]) && !with(true, &["waiting"]));
        assert!(!with(false, &["rest"]) && !with(false, &[]));
    }

    /// `sre` is to be followed by `lead` and `boss` after 15m, `dba` by `lead` only where it cannot be reached.
    fn settings() -> Notifications {
        let to = |after: Option<Span>, then: &[&str]| Receiver {
            escalate_after: after,
            then: then.iter().map(|name| (*name).to_owned()).collect(),
            ..Receiver::default()
        };
        let sre = to(Some(Span::from_mins(15)), &["lead", "boss"]);
        let receivers = [("sre", sre), ("dba", to(None, &["lead"])), ("lead", to(None, &[]))];
        let receivers = receivers.map(|(name, receiver)| (name.to_owned(), receiver)).into();
        Notifications { receivers, ..Notifications::default() }
    }

    fn called(calls: &[(&str, &str)]) -> Page {
        let of = |(name, is): &(&str, &str)| ((*name).to_owned(), Call { is: calling(is), ..call(None) });
        Page { calls: calls.iter().map(of).collect(), ..trouble() }
    }

    #[test]
    fn the_next_is_told_when_the_time_of_the_first_is_over() {
        let raises = |page: &Page, when: &str| page.raises(&settings(), at(when));
        let page = called(&[("sre", "rest")]);
        assert_eq!(raises(&page, "09:14:59.999"), None);
        let (to, why) = raises(&page, "09:15:00").expect("its time is over");
        assert_eq!(to, ["boss", "lead"]);
        assert_eq!(why, "nobody acknowledged at sre for 15m");
        for is in ["waiting", "out"] {
            assert!(raises(&called(&[("sre", is)]), "09:15:00").is_some(), "{is}");
        }
        let told = called(&[("sre", "rest"), ("lead", "rest")]);
        assert_eq!(raises(&told, "09:20:00").map(|(to, _)| to), Some(vec!["boss".to_owned()]));
        let all = called(&[("boss", "rest"), ("lead", "rest"), ("sre", "rest")]);
        assert_eq!(raises(&all, "10:00:00"), None, "everybody was told");
        for is in ["acknowledged", "over"] {
            let calls = called(&[("sre", "rest")]).calls;
            assert_eq!(raises(&Page { calls, ..standing(is) }, "10:00:00"), None, "{is}");
        }
    }

    #[test]
    fn the_next_is_told_at_once_where_one_cannot_be_reached() {
        let page = called(&[("dba", "given up"), ("sre", "given up"), ("stranger", "given up")]);
        let (to, why) = page.raises(&settings(), at("09:00:00")).expect("at once");
        assert_eq!(to, ["boss", "lead"], "each once");
        assert_eq!(why, "nobody acknowledged at dba, sre for 0s");
        assert_eq!(called(&[("dba", "rest")]).raises(&settings(), at("12:00:00")), None);
    }

    #[test]
    fn it_is_looked_at_when_the_first_thing_is_due() {
        let look = |calls: &[(&str, &str)]| called(calls).next_look(&settings());
        assert_eq!(look(&[]), None);
        assert_eq!(look(&[("dba", "rest")]), None);
        assert_eq!(look(&[("sre", "rest")]), Some(at("09:15:00")));
        assert_eq!(look(&[("sre", "waiting")]), Some(at("09:05:00")));
        assert_eq!(look(&[("sre", "waiting"), ("dba", "out")]), Some(at("09:02:00")));
        assert_eq!(look(&[("dba", "given up")]), Some(at("09:00:00")));
        assert_eq!(look(&[("lead", "given up")]), None);
    }

    #[test]
    fn every_failure_doubles_the_pause_up_to_ten_minutes() {
        let now = at("09:00:00");
        let pauses = [0, 1, 2, 3, 4, 5, 6, 17, 18, 40, u32::MAX].map(|tries| again(now, tries).since(now));
        let secs = [30, 30, 60, 120, 240, 480, 600, 600, 600, 600, 600];
        assert_eq!(pauses, secs.map(Span::from_secs));
    }

    #[test]
    fn a_page_is_stored_without_what_is_as_usual_and_read_back_with_what_is_not() {
        for (subject, stored) in
            [(Subject::Trouble, None), (Subject::More, Some("more")), (Subject::Proposal, Some("proposal"))]
        {
            let page = page(subject, about(1));
            let written = json!(page);
            assert_eq!(written.get("subject"), stored.map(|word| json!(word)).as_ref());
            assert_eq!(serde_json::from_value::<Page>(written).expect("it reads"), page);
        }
        let mut paging = Paging::default();
        assert!(paging.is_empty());
        paging.pages.insert(Seq(30), trouble());
        assert!(!paging.is_empty());
    }
}
