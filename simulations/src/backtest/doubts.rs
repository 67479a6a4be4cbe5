//! What a plan cannot answer by comparing actions, in numbers, so that a gate can count it: any doubt is a possible action.

use paramedic_policies::action::Mode;
use serde::Serialize;

use super::edits::{Edit, Rewritten};
use super::report::Report;

/// Cases (an alert and a policy) that say less than they seem to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubts {
    /// Cases that this past could judge, under the old policies and under the new ones.
    pub judged: u64,
    /// Cases that it could not, under new policies that are written otherwise, or under all where the settings are: a fact is
    /// not known any more, or the alert names another cluster.
    pub unjudged: u64,
    /// Cases of new policies that act, that had to make room for what else was done: counted only where a policy rehearses now
    /// what it did before. The replay rehearses everything, and in life a rehearsal takes nobody's room.
    pub crowded: u64,
}

impl Doubts {
    /// `rehearsed` is how many actions are only rehearsed now.
    pub(super) fn of(
        old: &Report,
        new: &Report,
        rewritten: &[Rewritten],
        settings: &[Edit],
        rehearsed: u64,
    ) -> Self {
        let judged = |report: &Report| -> u64 {
            report.policies.iter().map(|one| one.episodes.saturating_sub(one.unjudged)).sum()
        };
        let is_other = |name: &str| !settings.is_empty() || rewritten.iter().any(|one| one.policy == name);
        let others = new.policies.iter().filter(|one| is_other(&one.policy));
        let act = new.policies.iter().filter(|one| rehearsed > 0 && one.mode > Mode::DryRun);
        Self {
            judged: judged(old) + judged(new),
            unjudged: others.map(|one| one.unjudged).sum(),
            crowded: act.map(|one| one.crowded).sum(),
        }
    }
}
