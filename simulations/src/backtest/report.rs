//! What a backtest comes to, as data: counts alone, in an order that does not change. Whoever shows it adds no number.

use std::collections::BTreeMap;

use paramedic_policies::action::Mode;
use paramedic_policies::guard::Guard;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde::Serialize;

use super::verdicts::Verdicts;

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Since when the past was replayed.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// Deliveries that were heard, without the repeats that were made up.
    pub deliveries: u64,
    /// Alerts that began.
    pub began: u64,
    /// Alerts that ended, those included that nobody repeated any more.
    pub ended: u64,
    /// Of those that began, how many at least one policy is for.
    pub matched: u64,
    /// What would have been done.
    pub actions: u64,
    /// What would only have been looked at (`collectEvidence`).
    pub looks: u64,
    /// By policy, in the order of their names.
    pub policies: Vec<PolicySum>,
    /// Why not, over all policies; the most frequent first.
    pub refusals: Vec<Refusal>,
    /// What nobody can know any more, and so withheld an action.
    pub not_known: Vec<NotKnown>,
    /// The targets with most actions first.
    pub targets: Vec<TargetSum>,
    /// How many different targets there were.
    pub targets_count: u64,
    /// Whether there were more than can be told apart; the count is then the least.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub targets_left_out: bool,
    /// Every day of the time, in UTC.
    pub days: Vec<DaySum>,
    /// The alerts that would have caused most actions, at most ten.
    pub alerts: Vec<WorstAlert>,
    /// Whether there were more names of alerts than can be told apart; those that came later are not among these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alerts_left_out: bool,
    /// The most actions that may have run at once, each until its deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Peak>,
    /// The most different targets within a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blast: Option<Blast>,
    /// The most actions within an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busiest: Option<Busiest>,
    /// Storms, in which policies go by `inStorm`.
    pub storms: Storms,
    /// PromQL about the past: the questions of `let` and `when`.
    pub asked: Asked,
    /// Targets that had to be looked up.
    pub looked_up: Asked,
    /// Live verdicts held against today's engine, where the past is our own journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Verdicts>,
    /// What history cannot tell, and how that was treated.
    pub unknown: Vec<String>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySum {
    /// Its name.
    pub policy: String,
    /// Its own mode: in `approve` each action would have been a proposal.
    pub mode: Mode,
    /// Episodes that it is for.
    pub episodes: u64,
    /// Of those, in how many it would have acted.
    pub acted: u64,
    /// Of those, how many were still open at the end, and had not acted.
    pub open: u64,
    /// Actions by remediation.
    pub actions: BTreeMap<String, u64>,
    /// Different targets of its actions.
    pub targets: u64,
    /// Whether it had more of them than are counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub targets_left_out: bool,
    /// Episodes of which something was ruled.
    pub ruled: u64,
    /// Of those, without an action: a fact is not known any more, or was not answered.
    pub unjudged: u64,
    /// Of those, without an action: they are not of our cluster.
    pub foreign: u64,
    /// Of those, without an action: they had to make room for what another policy did, under a ceiling or on the same target.
    pub crowded: u64,
    /// Actions that `inStorm: approve` would have made proposals.
    pub in_storm: u64,
    /// Episodes that were refused at least once for this, whether it acted later or not.
    pub refusals: Vec<Refusal>,
}

impl PolicySum {
    /// All of its actions.
    pub fn actions_count(&self) -> u64 {
        self.actions.values().sum()
    }
}

/// A reason not to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guard spoke.
    pub guard: Guard,
    /// What it said.
    pub reason: &'static str,
    /// In how many cases (an episode and a policy) it did so at least once.
    pub cases: u64,
}

/// A fact that is not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotKnown {
    /// Whose.
    pub policy: String,
    /// Which, as in the policy.
    pub fact: String,
    /// In how many of its cases.
    pub cases: u64,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSum {
    /// Which.
    pub target: Target,
    /// Actions on it.
    pub actions: u64,
    /// The same by policy.
    pub policies: BTreeMap<String, u64>,
}

/// One day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DaySum {
    /// Its first moment.
    pub day: Moment,
    /// Alerts that began.
    pub began: u64,
    /// Actions.
    pub actions: u64,
}

/// An alert by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorstAlert {
    /// Its name.
    pub alert: String,
    /// How often it began.
    pub episodes: u64,
    /// Actions that it caused.
    pub actions: u64,
}

/// The most at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peak {
    /// When first.
    pub at: Moment,
    /// How many.
    pub actions: u64,
}

/// The most different targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blast {
    /// When first.
    pub at: Moment,
    /// How many.
    pub targets: u64,
    /// Within so long.
    pub within: Span,
    /// In how many namespaces.
    pub namespaces: u64,
}

/// The most actions of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Busiest {
    /// When first.
    pub at: Moment,
    /// How many.
    pub actions: u64,
    /// Within so long.
    pub within: Span,
}

/// Storms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storms {
    /// How many began.
    pub count: u64,
    /// How long in all.
    pub lasted: Span,
}

/// Questions about the past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// All of them.
    pub questions: u64,
    /// Of those, how many could not be answered, and withheld.
    pub failed: u64,
    /// Of those, how many this history does not tell.
    pub not_known: u64,
}
