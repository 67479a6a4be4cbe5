//! The counts of `audit stats`, from records in any order of kinds. It keeps a few words for each case and intent, never
//! a record: the window may hold months.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::{Intent, Mode, Outcome};
use paramedic_policies::event::{Closing, Conclusion, Event, Record, Seq, Verdict};
use paramedic_policies::ruling::{self, Ruling};
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::super::ends::{Ends, Known, has_effect};
use super::super::report::{Spread, Took};
use crate::cli::story;

/// The kinds that are read, in this order: what others refer to comes first.
pub(super) const KINDS: [&str; 9] =
    ["opened", "closed", "ruled", "lapsed", "intended", "ended", "verified", "concluded", "advanced"];

/// Those that are read of all policies, though one is named: an episode belongs to none, and whether an alert ended without
/// us depends on whether any policy acted on it.
pub(super) const OF_ALL: [&str; 4] = ["opened", "closed", "intended", "ended"];

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
    pub without_us: Vec<WithoutUs>,
}

/// How a policy's cases ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct OfPolicy {
    pub policy: String,
    #[serde(flatten)]
    pub ends: Ends,
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

/// What waiting is worth: alerts of which a policy only rehearsed its remedy and on which no other one acted, beside those
/// on which it acted. What people did by hand nobody tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithoutUs {
    pub policy: String,
    /// Cases that were rehearsed, of alerts on which nothing was done.
    pub rehearsed: usize,
    /// Of them: Alertmanager said that the alert was resolved.
    pub ended: usize,
    /// From the ruling that would have acted until then.
    pub after: Spread,
    /// Cases that were rehearsed, of alerts on which another policy acted: they say nothing about waiting.
    pub another_acted: usize,
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
    /// Whether any policy acted on it, or may have.
    acted: bool,
}

#[derive(Debug, Default)]
struct Case {
    decided: Option<Moment>,
    refusals: BTreeSet<(String, &'static str)>,
    acted: bool,
    /// Whether anything was tried, with an effect or without.
    tried: bool,
    /// Whether the last ruling waits, and for which proposal, where it is one.
    waits: bool,
    proposal: Option<Seq>,
    last_ruled: Option<Seq>,
    conclusion: Option<Conclusion>,
    last_concluded: Option<Seq>,
}

/// An intent of whichever policy, as far as it tells whether something was done.
#[derive(Debug)]
struct Intended {
    case: CaseId,
    /// Whether it is known to have changed nothing.
    is_void: bool,
}

#[derive(Debug)]
struct Deed {
    policy: String,
    remediation: &'static str,
    at: Moment,
    ended: Option<(Moment, End)>,
    verified: Option<(Moment, Verdict)>,
}

/// How an intent ended: what is kept of its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Refused,
    Failed,
    Unknown,
}

impl End {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done { .. } | Outcome::Collected { .. } => Self::Done,
            Outcome::Refused { .. } => Self::Refused,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Unknown { .. } => Self::Unknown,
        }
    }
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
    intents: BTreeMap<Seq, Intended>,
}

impl Tally {
    /// Of the episodes that were received from `since` and before `until`, by one policy or all.
    pub(super) fn of(policy: Option<String>, since: Moment, until: Moment) -> Self {
        let (episodes, cases, deeds, intents) = Default::default();
        Self { policy, since, until, episodes, by_hand: 0, cases, deeds, intents }
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
            Event::Ruled { ruling } => self.ruled(record.seq, at, ruling),
            Event::Lapsed { proposal } => {
                let lapsed = self.cases.values_mut().find(|case| case.proposal == Some(*proposal));
                if let Some(case) = lapsed {
                    case.waits = false;
                }
            }
            Event::Intended { intent } => self.intended(record.seq, at, intent),
            Event::Ended { intent, outcome } => {
                if let Some(made) = self.intents.get_mut(intent) {
                    made.is_void = !has_effect(outcome);
                }
                if let Some(deed) = self.deeds.get_mut(intent) {
                    deed.ended = Some((at, End::of(outcome)));
                }
            }
            Event::Verified { intent, verdict, .. } => {
                if let Some(deed) = self.deeds.get_mut(intent) {
                    deed.verified = Some((at, *verdict));
                }
            }
            Event::Concluded { case, conclusion } => {
                if let Some(case) = self.case(case) {
                    // One whose policy was changed before it had begun is decided anew (the kinds come one after the other).
                    let goes_on = *conclusion == Conclusion::Withdrawn && case.last_ruled > Some(record.seq);
                    case.conclusion = (!goes_on).then_some(*conclusion).or(case.conclusion);
                    case.last_concluded = Some(record.seq);
                }
            }
            Event::Advanced { case, .. } => {
                // A case that goes on after it was over is not over: what it did has ended, and its alert has not.
                if let Some(case) = self.case(case).filter(|case| case.last_concluded < Some(record.seq)) {
                    case.conclusion = None;
                }
            }
            Event::Closed { why: Closing::Expired | Closing::Over, .. }
            | Event::Received { .. }
            | Event::Asked { .. }
            | Event::Told { .. }
            | Event::Held { .. }
            | Event::Looked { .. }
            | Event::Escalated { .. }
            | Event::Notified { .. }
            | Event::Delivered { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::OrderRefused { .. }
            | Event::Cancelled { .. }
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

    fn ruled(&mut self, seq: Seq, at: Moment, ruling: &Ruling) {
        let id = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
        let Some(case) = self.case(&id) else { return };
        case.last_ruled = Some(seq);
        (case.waits, case.proposal) = match ruling.verdict {
            ruling::Verdict::Propose { .. } => (true, Some(seq)),
            ruling::Verdict::Hold { .. } => (true, None),
            ruling::Verdict::Act | ruling::Verdict::Withhold => (false, None),
        };
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
        if !counts {
            return;
        }
        let id = CaseId::of(intent);
        if self.episodes.contains_key(&id.episode) {
            self.intents.insert(seq, Intended { case: id.clone(), is_void: false });
        }
        let Some(case) = self.case(&id) else { return };
        case.tried = true;
        let (policy, remediation) = (intent.policy.clone(), intent.action.name());
        self.deeds.insert(seq, Deed { policy, remediation, at, ended: None, verified: None });
    }

    /// What was counted.
    pub(super) fn finished(mut self) -> Stats {
        for Intended { case: id, .. } in self.intents.values().filter(|one| !one.is_void) {
            if let Some(episode) = self.episodes.get_mut(&id.episode) {
                episode.acted = true;
            }
            if let Some(case) = self.cases.get_mut(id) {
                case.acted = true;
            }
        }
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
            without_us: by_policy
                .iter()
                .filter_map(|(policy, cases)| self.without_us(policy, cases))
                .collect(),
        }
    }

    fn of_policy(&self, policy: &str, cases: &[(&CaseId, &Case)]) -> OfPolicy {
        let known = |(_, case): &(&CaseId, &Case)| {
            let Case { conclusion, acted, tried, waits, .. } = **case;
            Known { conclusion, acted, tried, waits }
        };
        let decide = cases.iter().map(|(id, case)| {
            let opened = self.episodes.get(&id.episode).and_then(|episode| episode.opened);
            case.decided.map_or(Took::NotReached, |at| Took::between(opened, at))
        });
        OfPolicy {
            policy: policy.to_owned(),
            ends: Ends::of(cases.iter().map(known)),
            decide: Spread::of(&decide.collect::<Vec<_>>()),
        }
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

    fn without_us(&self, policy: &str, cases: &[(&CaseId, &Case)]) -> Option<WithoutUs> {
        let of = |id: &CaseId| self.episodes.get(&id.episode);
        let ends = |cases: &[(&CaseId, &Case)]| -> Vec<Took> {
            let took = cases.iter().map(|(id, case)| {
                let resolved = of(id).and_then(|episode| episode.resolved);
                resolved.map_or(Took::NotReached, |at| Took::between(case.decided, at))
            });
            took.collect()
        };
        let (acted, others): (Vec<_>, Vec<_>) = cases.iter().copied().partition(|(_, case)| case.acted);
        let rehearsed = others.into_iter().filter(|(_, case)| case.conclusion == Some(Conclusion::Rehearsed));
        let (another, alone): (Vec<_>, Vec<_>) =
            rehearsed.partition(|(id, _)| of(id).is_some_and(|episode| episode.acted));
        let has_some = !alone.is_empty() || !another.is_empty();
        let (alone, acted) = (ends(&alone), ends(&acted));
        let ended = |all: &[Took]| all.iter().filter(|took| **took != Took::NotReached).count();
        has_some.then(|| WithoutUs {
            policy: policy.to_owned(),
            rehearsed: alone.len(),
            ended: ended(&alone),
            after: Spread::of(&alone),
            another_acted: another.len(),
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
            Some((_, End::Refused)) => sum.refused += 1,
            Some((_, End::Failed)) => sum.failed += 1,
            Some((_, End::Unknown)) => sum.unknown += 1,
            Some((_, End::Done)) => sum.done += 1,
            None => {}
        }
        act.push(match deed.ended {
            Some((_, End::Unknown)) => Took::Unknown,
            Some((at, End::Done | End::Refused | End::Failed)) => Took::between(Some(deed.at), at),
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
mod tests;
