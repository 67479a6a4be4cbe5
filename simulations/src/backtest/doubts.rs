//! What a plan cannot answer by comparing actions, in numbers, so that a gate can count it: any doubt is a possible action.

use std::collections::BTreeSet;

use paramedic_policies::action::Mode;
use paramedic_policies::policy::LimitScope;
use paramedic_policies::reason::Reason;
use serde::Serialize;

use super::edits::{Edit, Rewritten};
use super::report::{PolicySum, Report};

/// Why there may be more behind a case (an alert and a policy) than its rulings say. The first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// It is not of our cluster: no doubt about that, and none of the policy was tried by it.
    Foreign,
    /// A fact is not known any more, or was not answered.
    Unjudged,
    /// It had to make room for what another policy did.
    Crowded,
}

impl Doubt {
    /// What is in doubt where this was said.
    pub(super) fn of(reason: &Reason) -> Option<Self> {
        match reason {
            Reason::OtherCluster { .. } => Some(Self::Foreign),
            Reason::AlreadyRunning { .. }
            | Reason::Outranked { .. }
            | Reason::Settling { .. }
            | Reason::Pace { .. }
            | Reason::TooManyTargets { .. }
            | Reason::TooManyDown { .. }
            | Reason::LimitReached { by: LimitScope::Namespace | LimitScope::Global, .. } => {
                Some(Self::Crowded)
            }
            // Whatever else is said is of the policy, its alert or its own actions alone.
            _ => None,
        }
    }
}

/// Cases that say less than they seem to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubts {
    /// Cases that this past could judge, under the old policies and under the new ones.
    pub judged: u64,
    /// Cases that it could not, under new policies that are written otherwise, or under all where the settings are. Whose mode
    /// alone is lower can do no more by it.
    pub unjudged: u64,
    /// Cases of new policies that act, that had to make room for what others did, while some of these only rehearse: the replay
    /// rehearses everything in one, and in life a rehearsal takes no room of what acts. Where neither the policy is written
    /// otherwise nor others rehearse than before, nothing of it changes.
    pub crowded: u64,
}

impl Doubts {
    pub(super) fn of(old: &Report, new: &Report, rewritten: &[Rewritten], settings: &[Edit]) -> Self {
        let judged = |report: &Report| -> u64 {
            let of = |one: &PolicySum| one.ruled.saturating_sub(one.unjudged + one.foreign);
            report.policies.iter().map(of).sum()
        };
        let is_other = |name: &str| !settings.is_empty() || rewritten.iter().any(|one| one.policy == name);
        let mode_alone = |name: &str| {
            let mode =
                |report: &Report| report.policies.iter().find(|one| one.policy == name).map(|one| one.mode);
            let one = rewritten.iter().find(|one| one.policy == name);
            one.is_some_and(Rewritten::is_mode_alone) && mode(new) < mode(old) && settings.is_empty()
        };
        let others = new.policies.iter().filter(|one| is_other(&one.policy) && !mode_alone(&one.policy));
        let (rehearsed, rehearse) = (rehearsers(old), rehearsers(new));
        let is_beside = |name: &str| rehearse.iter().any(|(other, _)| *other != name);
        let crowded = new.policies.iter().filter(|one| {
            one.mode > Mode::DryRun
                && is_beside(&one.policy)
                && (is_other(&one.policy) || rehearsed != rehearse)
                && !mode_alone(&one.policy)
        });
        Self {
            judged: judged(old) + judged(new),
            unjudged: others.map(|one| one.unjudged).sum(),
            crowded: crowded.map(|one| one.crowded).sum(),
        }
    }
}

/// The policies that took room in the replay, and take none in life, or only once somebody approves.
fn rehearsers(report: &Report) -> BTreeSet<(&str, Mode)> {
    let rehearse = report.policies.iter().filter(|one| one.mode < Mode::Enforce && one.acted > 0);
    rehearse.map(|one| (one.policy.as_str(), one.mode)).collect()
}
