//! The counts of `audit stats`, from records in any order of kinds. It keeps a few words for each case and intent, never
//! a record: the window may hold months.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::{Intent, Mode};
use paramedic_policies::event::{Closing, Conclusion, Event, Record, Seq, Verdict};
use paramedic_policies::ruling::{self, Ruling};
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::super::report::{Spread, Took};
use crate::cli::story;

/// The kinds that are read, in this order: what others refer to comes first.
pub(super) const KINDS: [&str; 7] =
    ["opened", "closed", "ruled", "intended", "ended", "verified", "concluded"];

/// Those that belong to an episode, and to no policy.
pub(super) const OF_EPISODES: [&str; 2] = ["opened", "closed"];

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    /// Episodes of alerts that were received in the time.
    pub episodes: usize,
    /// Runs by hand, which are counted nowhere else: no alert fired.
    pub by_hand: usize,
    pub policies: Vec<OfPolicy>,
    pub remediations: Vec<OfRemediation>,
    pub refusals: Vec<OfReason>,
    pub by_itself: Vec<ByItself>,
}

/// How a policy's cases ended. The six last numbers add up to `cases`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfPolicy {
    pub policy: String,
    /// Episodes that it spoke on.
    pub cases: usize,
    /// Of them: something was done, whatever came of it.
    pub acted: usize,
    /// A verification showed that it had helped.
    pub helped: usize,
    /// No rung helped, or an action failed.
    pub not_helped: usize,
    /// Nobody knows.
    pub unknown: usize,
    /// Done, and nothing says how to verify it; or it was so already.
    pub unchecked: usize,
    /// Rehearsed in dry-run.
    pub rehearsed: usize,
    /// The alert ended first, a guard refused to the end, denied, withdrawn, or still under way.
    pub nothing_done: usize,
    /// From the opening until the first ruling that acts or proposes.
    pub decide: Spread,
}

/// What a policy did by one remediation; rehearsals and reverts are no part of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfRemediation {
    pub policy: String,
    pub remediation: &'static str,
    pub done: usize,
    /// Refused by a check right before it, or by the server; nothing was done.
    pub refused: usize,
    pub failed: usize,
    /// Nobody knows whether it was done.
    pub unknown: usize,
    pub helped: usize,
    pub did_not_help: usize,
    /// The verification could not tell.
    pub not_known: usize,
    /// From the intent to its end.
    pub act: Spread,
    /// From there until the verification ended.
    pub verify: Spread,
}

/// A reason for which a guard refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OfReason {
    pub policy: String,
    pub guard: String,
    pub reason: &'static str,
    /// Cases in which it did at least once.
    pub cases: usize,
}

/// What waiting is worth: alerts of which a policy only rehearsed its remedy, beside those on which it acted.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ByItself {
    pub policy: String,
    /// Cases that were rehearsed and in which nothing was done.
    pub rehearsed: usize,
    /// Of them: Alertmanager said that the alert was resolved.
    pub ended: usize,
    /// From the ruling that would have acted until then.
    pub after: Spread,
    /// Cases in which something was done.
    pub acted: usize,
    /// Of them: the alert was resolved.
    pub acted_ended: usize,
    /// From the ruling that acted until then.
    pub acted_after: Spread,
}

#[derive(Debug, Default)]
struct Episode {
    opened: Option<Moment>,
    resolved: Option<Moment>,
}

#[derive(Debug, Default)]
struct Case {
    decided: Option<Moment>,
    refusals: BTreeSet<(String, &'static str)>,
    acted: bool,
    conclusion: Option<Conclusion>,
}

#[derive(Debug)]
struct Deed {
    policy: String,
    remediation: &'static str,
    at: Moment,
    ended: Option<(Moment, &'static str)>,
    verified: Option<(Moment, Verdict)>,
}

/// The counts while records are read.
#[derive(Debug)]
pub(super) struct Tally {
    policy: Option<String>,
    since: Moment,
    until: Moment,
    episodes: BTreeMap<Seq, Episode>,
    by_hand: usize,
    cases: BTreeMap<CaseId, Case>,
    deeds: BTreeMap<Seq, Deed>,
}

impl Tally {
    /// Of the episodes that were received from `since` and before `until`, by one policy or all.
    pub(super) fn of(policy: Option<String>, since: Moment, until: Moment) -> Self {
        let (episodes, cases, deeds) = Default::default();
        Self { policy, since, until, episodes, by_hand: 0, cases, deeds }
    }

    /// Takes a record; those of other kinds than [`KINDS`] say nothing here.
    pub(super) fn take(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::Opened { .. } if at < self.since || at >= self.until => {}
            Event::Opened { by_hand: Some(_), .. } => self.by_hand += 1,
            Event::Opened { by_hand: None, .. } => {
                self.episodes.entry(record.seq).or_default().opened = Some(at);
            }
            Event::Closed { episode, why: Closing::Resolved, .. } => {
                if let Some(episode) = self.episodes.get_mut(episode) {
                    episode.resolved = Some(at);
                }
            }
            Event::Ruled { ruling } => self.ruled(at, ruling),
            Event::Intended { intent } => self.intended(record.seq, at, intent),
            Event::Ended { intent, outcome } => {
                if let Some(deed) = self.deeds.get_mut(intent) {
                    deed.ended = Some((at, outcome.name()));
                }
            }
            Event::Verified { intent, verdict, .. } => {
                if let Some(deed) = self.deeds.get_mut(intent) {
                    deed.verified = Some((at, *verdict));
                }
            }
            Event::Concluded { case, conclusion } => {
                if let Some(case) = self.case(case) {
                    case.conclusion = Some(*conclusion);
                }
            }
            Event::Closed { why: Closing::Expired | Closing::Over, .. }
            | Event::Received { .. }
            | Event::Asked { .. }
            | Event::Told { .. }
            | Event::Held { .. }
            | Event::Looked { .. }
            | Event::Advanced { .. }
            | Event::Escalated { .. }
            | Event::Notified { .. }
            | Event::Delivered { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Quarantined { .. }
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    /// A case of an episode that counts, by a policy that counts.
    fn case(&mut self, id: &CaseId) -> Option<&mut Case> {
        let counts = self.episodes.contains_key(&id.episode)
            && self.policy.as_ref().is_none_or(|policy| *policy == id.policy);
        counts.then(|| self.cases.entry(id.clone()).or_default())
    }

    fn ruled(&mut self, at: Moment, ruling: &Ruling) {
        let id = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
        let Some(case) = self.case(&id) else { return };
        match ruling.verdict {
            ruling::Verdict::Act | ruling::Verdict::Propose { .. } => {
                let looks_only = ruling.action.as_ref().is_some_and(|action| action.looks_only());
                if !looks_only && case.decided.is_none() {
                    case.decided = Some(at);
                }
            }
            ruling::Verdict::Hold { .. } | ruling::Verdict::Withhold => {
                let named = |finding: &paramedic_policies::guard::Finding| {
                    Some((story::guard(finding.guard), finding.reason()?.name()))
                };
                case.refusals.extend(ruling.findings.iter().filter_map(named));
            }
        }
    }

    fn intended(&mut self, seq: Seq, at: Moment, intent: &Intent) {
        let counts = intent.reverts.is_none() && intent.mode != Mode::DryRun && !intent.action.looks_only();
        let Some(case) = self.case(&CaseId::of(intent)).filter(|_| counts) else { return };
        case.acted = true;
        let (policy, remediation) = (intent.policy.clone(), intent.action.name());
        self.deeds.insert(seq, Deed { policy, remediation, at, ended: None, verified: None });
    }

    /// What was counted.
    pub(super) fn finished(self) -> Stats {
        let mut by_policy: BTreeMap<&str, Vec<(&CaseId, &Case)>> = BTreeMap::new();
        for (id, case) in &self.cases {
            by_policy.entry(&id.policy).or_default().push((id, case));
        }
        Stats {
            episodes: self.episodes.len(),
            by_hand: self.by_hand,
            policies: by_policy.iter().map(|(policy, cases)| self.of_policy(policy, cases)).collect(),
            remediations: self.remediations(),
            refusals: refusals(&by_policy),
            by_itself: by_policy.iter().filter_map(|(policy, cases)| self.by_itself(policy, cases)).collect(),
        }
    }

    fn of_policy(&self, policy: &str, cases: &[(&CaseId, &Case)]) -> OfPolicy {
        let mut sum = OfPolicy { policy: policy.to_owned(), cases: cases.len(), ..OfPolicy::default() };
        let mut decide = Vec::new();
        for (id, case) in cases {
            sum.acted += usize::from(case.acted);
            let place = match case.conclusion {
                Some(Conclusion::Helped) => &mut sum.helped,
                Some(Conclusion::Done | Conclusion::Already) => &mut sum.unchecked,
                Some(Conclusion::Exhausted | Conclusion::Failed) => &mut sum.not_helped,
                Some(Conclusion::Unknown) => &mut sum.unknown,
                Some(Conclusion::Rehearsed) => &mut sum.rehearsed,
                Some(
                    Conclusion::Resolved | Conclusion::Withdrawn | Conclusion::Denied | Conclusion::Refused,
                )
                | None => &mut sum.nothing_done,
            };
            *place += 1;
            let opened = self.episodes.get(&id.episode).and_then(|episode| episode.opened);
            decide.push(case.decided.map_or(Took::NotReached, |at| Took::between(opened, at)));
        }
        sum.decide = Spread::of(&decide);
        sum
    }

    fn remediations(&self) -> Vec<OfRemediation> {
        let mut by: BTreeMap<(&str, &'static str), Vec<&Deed>> = BTreeMap::new();
        for deed in self.deeds.values() {
            by.entry((&deed.policy, deed.remediation)).or_default().push(deed);
        }
        by.into_iter()
            .map(|((policy, remediation), deeds)| of_remediation(policy, remediation, &deeds))
            .collect()
    }

    fn by_itself(&self, policy: &str, cases: &[(&CaseId, &Case)]) -> Option<ByItself> {
        let ends = |wanted: &dyn Fn(&Case) -> bool| -> Vec<Took> {
            let of_them = cases.iter().filter(|(_, case)| wanted(case));
            let took = of_them.map(|(id, case)| {
                let resolved = self.episodes.get(&id.episode).and_then(|episode| episode.resolved);
                resolved.map_or(Took::NotReached, |at| Took::between(case.decided, at))
            });
            took.collect()
        };
        let alone = ends(&|case| !case.acted && case.conclusion == Some(Conclusion::Rehearsed));
        let acted = ends(&|case| case.acted);
        let ended = |all: &[Took]| all.iter().filter(|took| **took != Took::NotReached).count();
        (!alone.is_empty()).then(|| ByItself {
            policy: policy.to_owned(),
            rehearsed: alone.len(),
            ended: ended(&alone),
            after: Spread::of(&alone),
            acted: acted.len(),
            acted_ended: ended(&acted),
            acted_after: Spread::of(&acted),
        })
    }
}

fn of_remediation(policy: &str, remediation: &'static str, deeds: &[&Deed]) -> OfRemediation {
    let mut sum = OfRemediation { policy: policy.to_owned(), remediation, ..OfRemediation::default() };
    let (mut act, mut verify) = (Vec::new(), Vec::new());
    for deed in deeds {
        match deed.ended {
            Some((_, "refused")) => sum.refused += 1,
            Some((_, "failed")) => sum.failed += 1,
            Some((_, "unknown")) => sum.unknown += 1,
            Some(_) => sum.done += 1,
            None => {}
        }
        act.push(match deed.ended {
            Some((_, "unknown")) => Took::Unknown,
            Some((at, _)) => Took::between(Some(deed.at), at),
            None => Took::NotReached,
        });
        match deed.verified {
            Some((_, Verdict::Helped)) => sum.helped += 1,
            Some((_, Verdict::DidNotHelp)) => sum.did_not_help += 1,
            Some((_, Verdict::Unknown)) => sum.not_known += 1,
            None => {}
        }
        verify.push(match deed.verified {
            Some((_, Verdict::Unknown)) => Took::Unknown,
            Some((at, Verdict::Helped | Verdict::DidNotHelp)) => {
                Took::between(deed.ended.map(|(ended, _)| ended), at)
            }
            None => Took::NotReached,
        });
    }
    (sum.act, sum.verify) = (Spread::of(&act), Spread::of(&verify));
    sum
}

fn refusals(by_policy: &BTreeMap<&str, Vec<(&CaseId, &Case)>>) -> Vec<OfReason> {
    let mut all = Vec::new();
    for (policy, cases) in by_policy {
        let mut counts: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
        for (guard, reason) in cases.iter().flat_map(|(_, case)| &case.refusals) {
            *counts.entry((guard, reason)).or_default() += 1;
        }
        let of_policy = counts.into_iter().map(|((guard, reason), cases)| OfReason {
            policy: (*policy).to_owned(),
            guard: guard.to_owned(),
            reason,
            cases,
        });
        let mut of_policy: Vec<OfReason> = of_policy.collect();
        of_policy.sort_by_key(|one| std::cmp::Reverse(one.cases));
        all.extend(of_policy);
    }
    all
}

#[cfg(test)]
mod tests {
    use paramedic_policies::time::Span;

    use super::*;
    use crate::cli::tests::fixture;

    fn counted(records: &[Record]) -> Stats {
        let mut tally = Tally::of(None, records[0].at, records[0].at + Span::from_hours(2));
        for kind in KINDS {
            records.iter().filter(|record| record.event.kind() == kind).for_each(|record| tally.take(record));
        }
        tally.finished()
    }

    #[test]
    fn an_alert_that_was_only_rehearsed_is_no_act_but_a_measure_of_waiting() {
        let acted = counted(&fixture::journal().records);
        assert_eq!((acted.policies[0].acted, acted.policies[0].helped), (1, 1), "{acted:?}");
        assert_eq!(acted.by_itself, [], "nothing was only rehearsed");

        let mut records = fixture::journal().records;
        for record in &mut records {
            match &mut record.event {
                Event::Intended { intent } => intent.mode = Mode::DryRun,
                Event::Concluded { conclusion, .. } => *conclusion = Conclusion::Rehearsed,
                _ => {}
            }
        }
        let rehearsed = counted(&records);
        assert_eq!((rehearsed.policies[0].acted, rehearsed.policies[0].rehearsed), (0, 1));
        assert_eq!(rehearsed.remediations, []);
        let [alone] = rehearsed.by_itself.as_slice() else { panic!("{rehearsed:?}") };
        assert_eq!((alone.rehearsed, alone.ended, alone.acted), (1, 1, 0));
        assert!(matches!(alone.after.median, Took::Known(_)), "{alone:?}");
    }

    #[test]
    fn the_ends_of_cases_add_up() {
        let stats = counted(&fixture::journal().records);
        for one in &stats.policies {
            let ends =
                [one.helped, one.not_helped, one.unknown, one.unchecked, one.rehearsed, one.nothing_done];
            assert_eq!(ends.iter().sum::<usize>(), one.cases, "{one:?}");
        }
    }

    #[test]
    fn an_episode_from_outside_the_time_counts_nowhere() {
        let records = fixture::journal().records;
        let last = records.last().expect("it has some").at;
        let mut tally = Tally::of(None, last + Span::from_secs(1), last + Span::from_secs(2));
        records.iter().for_each(|record| tally.take(record));
        let stats = tally.finished();
        assert_eq!((stats.episodes, stats.policies.len(), stats.remediations.len()), (0, 0, 0));
    }
}
