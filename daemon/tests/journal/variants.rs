//! Every variant of what records hold stands in a sample. Whoever adds one must name it here, or this does not compile;
//! whoever names it without a sample is told which is missing.

use std::collections::BTreeSet;

use paramedic_policies::action::{Action, DiffSource, Outcome, Wish};
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Advance, Closing, Conclusion, Event, Verdict};
use paramedic_policies::notifications::{NoticeKind, Receipt};
use paramedic_policies::order::PauseScope;
use paramedic_policies::question::{Ask, Fact};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{block_ip, drain_node, freeze_deploys, quarantine};
use paramedic_policies::ruling;

use crate::every_kind::every_kind;

/// A function that names each variant, and all the names.
macro_rules! variants {
    ($name:ident, $all:ident, $type:ty { $($pattern:pat => $word:literal,)+ }) => {
        static $all: &[&str] = &[$($word),+];
        fn $name(value: &$type) -> &'static str {
            match value { $($pattern => $word),+ }
        }
    };
}

variants!(
    advance,
    ADVANCES,
    Advance {
        Advance::NextStep => "NextStep",
        Advance::NextRung => "NextRung",
        Advance::Relapse => "Relapse",
        Advance::Retry => "Retry",
        Advance::Again => "Again",
        Advance::NotBegun => "NotBegun",
        Advance::Already => "Already",
    }
);
variants!(
    conclusion,
    CONCLUSIONS,
    Conclusion {
        Conclusion::Helped => "Helped",
        Conclusion::Done => "Done",
        Conclusion::Rehearsed => "Rehearsed",
        Conclusion::Already => "Already",
        Conclusion::Exhausted => "Exhausted",
        Conclusion::Unknown => "Unknown",
        Conclusion::Failed => "Failed",
        Conclusion::Resolved => "Resolved",
        Conclusion::Withdrawn => "Withdrawn",
        Conclusion::Denied => "Denied",
        Conclusion::Refused => "Refused",
        Conclusion::TakenBack => "TakenBack",
        Conclusion::Cancelled => "Cancelled",
    }
);
variants!(
    closing,
    CLOSINGS,
    Closing {
        Closing::Resolved => "Resolved",
        Closing::Expired => "Expired",
        Closing::Over => "Over",
    }
);
variants!(
    verdict,
    VERDICTS,
    Verdict {
        Verdict::Helped => "Helped",
        Verdict::DidNotHelp => "DidNotHelp",
        Verdict::Unknown => "Unknown",
    }
);
variants!(
    ruled,
    RULED,
    ruling::Verdict {
        ruling::Verdict::Act => "Act",
        ruling::Verdict::Hold { .. } => "Hold",
        ruling::Verdict::Withhold => "Withhold",
        ruling::Verdict::Propose { .. } => "Propose",
    }
);
variants!(
    outcome,
    OUTCOMES,
    Outcome {
        Outcome::Done { .. } => "Done",
        Outcome::Collected { .. } => "Collected",
        Outcome::Refused { .. } => "Refused",
        Outcome::Failed { .. } => "Failed",
        Outcome::Unknown { .. } => "Unknown",
    }
);
variants!(
    difference,
    DIFFERENCES,
    DiffSource {
        DiffSource::ServerDryRun => "ServerDryRun",
        DiffSource::Applied => "Applied",
        DiffSource::Computed { .. } => "Computed",
    }
);
variants!(
    fact,
    FACTS,
    Fact {
        Fact::Confirmation => "Confirmation",
        Fact::Let(_) => "Let",
        Fact::Target => "Target",
        Fact::When(_) => "When",
        Fact::Preflight => "Preflight",
        Fact::Verification => "Verification",
        Fact::Revert(_) => "Revert",
    }
);
variants!(
    ask,
    ASKS,
    Ask {
        Ask::Query { .. } => "Query",
        Ask::Seek { .. } => "Seek",
        Ask::Preflight { .. } => "Preflight",
        Ask::Rollout { .. } => "Rollout",
        Ask::Http { .. } => "Http",
    }
);
variants!(
    wish,
    WISHES,
    Wish {
        Wish::Scale(_) => "Scale",
        Wish::Restart(_) => "Restart",
        Wish::ResetBreaker(_) => "ResetBreaker",
        Wish::Patch(_) => "Patch",
        Wish::Rollback(_) => "Rollback",
        Wish::Http(_) => "Http",
        Wish::FreezeDeploys(_) => "FreezeDeploys",
        Wish::BlockIp(_) => "BlockIp",
        Wish::AbortRollout(_) => "AbortRollout",
        Wish::RunJob(_) => "RunJob",
        Wish::RenewCertificate(_) => "RenewCertificate",
        Wish::Quarantine(_) => "Quarantine",
        Wish::EvictPod(_) => "EvictPod",
        Wish::DeletePod(_) => "DeletePod",
        Wish::DrainNode(_) => "DrainNode",
        Wish::CollectEvidence(_) => "CollectEvidence",
        Wish::Revert(_) => "Revert",
    }
);
variants!(
    found,
    FOUND,
    Found {
        Found::Series(_) => "Series",
        Found::Target(_) => "Target",
        Found::Preflight(_) => "Preflight",
        Found::Rollout { .. } => "Rollout",
        Found::Http { .. } => "Http",
        Found::Absent { .. } => "Absent",
        Found::Failed { .. } => "Failed",
    }
);
variants!(
    action,
    ACTIONS,
    Action {
        Action::Scale(_) => "Scale",
        Action::Restart(_) => "Restart",
        Action::ResetBreaker(_) => "ResetBreaker",
        Action::Patch(_) => "Patch",
        Action::Rollback(_) => "Rollback",
        Action::Http(_) => "Http",
        Action::FreezeDeploys(freeze_deploys::Action::Freeze(_)) => "Freeze",
        Action::FreezeDeploys(freeze_deploys::Action::Thaw(_)) => "Thaw",
        Action::BlockIp(block_ip::Action::Block(_)) => "Block",
        Action::BlockIp(block_ip::Action::Unblock(_)) => "Unblock",
        Action::AbortRollout(_) => "AbortRollout",
        Action::RunJob(_) => "RunJob",
        Action::RenewCertificate(_) => "RenewCertificate",
        Action::Quarantine(quarantine::Action::Isolate(_)) => "Isolate",
        Action::Quarantine(quarantine::Action::Release(_)) => "Release",
        Action::EvictPod(_) => "EvictPod",
        Action::DeletePod(_) => "DeletePod",
        Action::DrainNode(drain_node::Action::Drain(_)) => "Drain",
        Action::DrainNode(drain_node::Action::Uncordon(_)) => "Uncordon",
        Action::CollectEvidence(_) => "CollectEvidence",
    }
);
variants!(
    scope,
    SCOPES,
    PauseScope {
        PauseScope::Everything => "Everything",
        PauseScope::Namespace(_) => "Namespace",
        PauseScope::Target(_) => "Target",
        PauseScope::Policy(_) => "Policy",
    }
);
variants!(
    reason,
    REASONS,
    Reason {
        Reason::NotLeading => "NotLeading",
        Reason::ClockStepped { .. } => "ClockStepped",
        Reason::TimeStandsStill { .. } => "TimeStandsStill",
        Reason::Storm { .. } => "Storm",
        Reason::Paused { .. } => "Paused",
        Reason::PausedByAnnotation { .. } => "PausedByAnnotation",
        Reason::Quarantined { .. } => "Quarantined",
        Reason::OtherCluster { .. } => "OtherCluster",
        Reason::Protected { .. } => "Protected",
        Reason::Unless { .. } => "Unless",
        Reason::TooYoung { .. } => "TooYoung",
        Reason::OffSchedule { .. } => "OffSchedule",
        Reason::AlreadyRunning { .. } => "AlreadyRunning",
        Reason::Outranked { .. } => "Outranked",
        Reason::TooManyRunning { .. } => "TooManyRunning",
        Reason::CoolingDown { .. } => "CoolingDown",
        Reason::Settling { .. } => "Settling",
        Reason::LimitReached { .. } => "LimitReached",
        Reason::Pace { .. } => "Pace",
        Reason::TooManyTargets { .. } => "TooManyTargets",
        Reason::TooManyDown { .. } => "TooManyDown",
        Reason::Relapsed { .. } => "Relapsed",
        Reason::NotConfirmed { .. } => "NotConfirmed",
        Reason::ConditionFalse { .. } => "ConditionFalse",
        Reason::FactUnknown { .. } => "FactUnknown",
        Reason::FactStale { .. } => "FactStale",
        Reason::BadValue { .. } => "BadValue",
        Reason::TargetAbsent { .. } => "TargetAbsent",
        Reason::WrongKind { .. } => "WrongKind",
        Reason::WorkloadPaused => "WorkloadPaused",
        Reason::RollingOut { .. } => "RollingOut",
        Reason::NoPodWouldMove { .. } => "NoPodWouldMove",
        Reason::OwnedByAutoscaler { .. } => "OwnedByAutoscaler",
        Reason::ManagedByGitOps { .. } => "ManagedByGitOps",
        Reason::DisruptionBudget { .. } => "DisruptionBudget",
        Reason::OutOfBounds { .. } => "OutOfBounds",
        Reason::WouldLower { .. } => "WouldLower",
        Reason::Changed { .. } => "Changed",
        Reason::ServerRefused { .. } => "ServerRefused",
        Reason::NoKubernetes => "NoKubernetes",
        Reason::EndedInDoubt { .. } => "EndedInDoubt",
        Reason::ManagedByOther { .. } => "ManagedByOther",
        Reason::NotAsApproved { .. } => "NotAsApproved",
        Reason::Suspended => "Suspended",
        Reason::JobRunning { .. } => "JobRunning",
        Reason::NeverBlocked { .. } => "NeverBlocked",
        Reason::WrongLever { .. } => "WrongLever",
    }
);
variants!(
    notice_kind,
    NOTICES,
    NoticeKind {
        NoticeKind::Trigger => "Trigger",
        NoticeKind::Acknowledge => "Acknowledge",
        NoticeKind::Resolve => "Resolve",
    }
);
variants!(
    receipt,
    RECEIPTS,
    Receipt {
        Receipt::Taken { .. } => "Taken",
        Receipt::Failed { .. } => "Failed",
    }
);

/// Names of what stands in the samples, by list.
#[derive(Default)]
struct Seen(Vec<(&'static [&'static str], &'static str)>);

impl Seen {
    fn add(&mut self, all: &'static [&'static str], name: &'static str) {
        self.0.push((all, name));
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Advanced { why, .. } => self.add(ADVANCES, advance(why)),
            Event::Concluded { conclusion: how, .. } => self.add(CONCLUSIONS, conclusion(how)),
            Event::Closed { why, .. } => self.add(CLOSINGS, closing(why)),
            Event::Verified { verdict: was, .. } => self.add(VERDICTS, verdict(was)),
            Event::Ended { outcome: how, .. } => {
                self.add(OUTCOMES, outcome(how));
                match how {
                    Outcome::Done { diff, .. } => self.diff(diff.as_ref()),
                    Outcome::Refused { reasons } => {
                        reasons.iter().for_each(|one| self.add(REASONS, reason(one)))
                    }
                    Outcome::Collected { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => {}
                }
            }
            Event::Asked { question } => {
                self.add(FACTS, fact(&question.fact));
                self.add(ASKS, ask(&question.ask));
                if let Ask::Preflight { wish: wanted, .. } = &question.ask {
                    self.add(WISHES, wish(wanted));
                }
            }
            Event::Told { answer } => {
                self.add(FOUND, found(&answer.found));
                if let Found::Preflight(preflight) = &answer.found {
                    self.diff(preflight.diff.as_ref());
                }
            }
            Event::Ruled { ruling } => {
                self.add(RULED, ruled(&ruling.verdict));
                self.diff(ruling.diff.as_ref());
                let reasons = ruling.findings.iter().filter_map(|finding| finding.reason());
                reasons.for_each(|one| self.add(REASONS, reason(one)));
            }
            Event::Intended { intent } => self.add(ACTIONS, action(&intent.action)),
            Event::Paused { scope: of, .. } | Event::Resumed { scope: of, .. } => self.add(SCOPES, scope(of)),
            Event::Notified { notice } => self.add(NOTICES, notice_kind(&notice.kind)),
            Event::Delivered { receipt: came, .. } => self.add(RECEIPTS, receipt(came)),
            Event::Received { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Opened { .. }
            | Event::Held { .. }
            | Event::Looked { .. }
            | Event::Escalated { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Quarantined { .. }
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Cancelled { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    fn diff(&mut self, diff: Option<&paramedic_policies::action::Diff>) {
        if let Some(diff) = diff {
            self.add(DIFFERENCES, difference(&diff.source));
        }
    }
}

#[test]
fn every_variant_has_a_sample() {
    let mut seen = Seen::default();
    every_kind().iter().for_each(|record| seen.event(&record.event));
    for all in [
        ADVANCES,
        CONCLUSIONS,
        CLOSINGS,
        VERDICTS,
        RULED,
        OUTCOMES,
        DIFFERENCES,
        FACTS,
        ASKS,
        WISHES,
        FOUND,
        ACTIONS,
        SCOPES,
        REASONS,
        NOTICES,
        RECEIPTS,
    ] {
        let had: BTreeSet<&str> =
            seen.0.iter().filter(|(list, _)| std::ptr::eq(*list, all)).map(|(_, name)| *name).collect();
        let missing: Vec<&&str> = all.iter().filter(|name| !had.contains(*name)).collect();
        assert!(missing.is_empty(), "no record in every_kind.rs holds {missing:?} of {all:?}");
    }
}

#[test]
fn what_is_new_in_a_kind_stands_in_a_sample() {
    let relapsed = every_kind().into_iter().find_map(|record| match record.event {
        Event::Advanced { why: Advance::Relapse, due: Some(_), target: Some(target), .. } => {
            Some(target.name)
        }
        _ => None,
    });
    assert_eq!(relapsed.as_deref(), Some("web"));
}
