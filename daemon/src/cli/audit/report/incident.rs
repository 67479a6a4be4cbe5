//! What a report tells, as data: episodes, what was decided and refused, what was done and whether it helped, who was
//! involved, what is still open. Folded from records by `fold.rs`; it must never hold what no record says.

use paramedic_policies::action::{Change, DiffSource, Mode};
use paramedic_policies::alert::Labels;
use paramedic_policies::event::{Closing, Conclusion, Seq, Verdict};
use paramedic_policies::evidence::Evidence;
use paramedic_policies::guard::Guard;
use paramedic_policies::order::ByHand;
use paramedic_policies::ruling;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde::Serialize;

use super::figures::{Figures, LAPSED};
use crate::cli::audit::ends::Known;

/// An alert from its opening to its end, with everything that policies made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incident {
    /// Sequence of its `Opened` record.
    pub episode: Seq,
    /// `alertname`; empty where the record of its opening is not there.
    pub alert: String,
    pub labels: Labels,
    pub annotations: Labels,
    /// The order that opened it, where no alert did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
    /// Since when it fires, by the sender's clock; what is run by hand does not fire.
    pub starts_at: Option<Moment>,
    /// When it was received.
    pub opened_at: Option<Moment>,
    pub closed: Option<Closed>,
    /// One for each policy that spoke.
    pub cases: Vec<CaseTold>,
}

/// The end of an episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Closed {
    pub at: Moment,
    pub why: Closing,
    /// By the sender's clock.
    pub ended_at: Option<Moment>,
}

/// One policy's handling of one episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaseTold {
    pub policy: String,
    pub rulings: Vec<Decision>,
    pub actions: Vec<ActionTold>,
    /// What Prometheus said to this case, by query.
    pub curves: Vec<Curve>,
    pub conclusion: Option<Concluded>,
    pub figures: Figures,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Concluded {
    pub at: Moment,
    pub how: Conclusion,
}

/// One ruling.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decision {
    pub seq: Seq,
    pub at: Moment,
    pub verdict: ruling::Verdict,
    pub mode: String,
    pub target: Option<Target>,
    pub action: Option<String>,
    /// Whether that only looks.
    #[serde(skip)]
    pub looks_only: bool,
    pub place: String,
    pub refusals: Vec<Refusal>,
    /// How often it was looked at again with the same result.
    pub repeated: u32,
    /// What a person said to it, where it was proposed.
    pub answer: Option<Deed>,
    pub changes: Vec<Change>,
}

/// One guard's refusal, its numbers in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    pub guard: Guard,
    /// The guard's name as people know it.
    #[serde(skip)]
    pub name: String,
    pub reason: String,
    /// Whether it may pass by itself.
    #[serde(skip)]
    pub may_pass: bool,
}

/// One action from its intent to the end of its verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionTold {
    pub intent: Seq,
    pub at: Moment,
    pub action: String,
    /// Whether it only looks, and changes nothing.
    pub looks_only: bool,
    pub target: Target,
    pub mode: Mode,
    pub rung: usize,
    pub step: usize,
    pub approved_by: Option<String>,
    /// The intent that it takes back.
    pub reverts: Option<Seq>,
    pub ended: Option<Ended>,
    pub looks: Vec<Look>,
    pub verified: Option<Verified>,
    /// What becomes of it later, where it is to be taken back.
    pub lease: Option<Lease>,
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    pub seq: Seq,
    pub at: Moment,
    /// done, refused, failed or unknown.
    pub outcome: &'static str,
    pub already: bool,
    /// Whether something was changed, as far as is known.
    pub applied: bool,
    pub text: String,
    pub changes: Vec<Change>,
    pub source: Option<DiffSource>,
    /// What was collected, where that was the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// One look of a verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Look {
    pub at: Moment,
    pub holds: Option<bool>,
    pub seen: String,
}

/// The end of a verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    pub seq: Seq,
    pub at: Moment,
    pub verdict: Verdict,
    pub seen: String,
}

/// An action that is taken back by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lease {
    pub after: Span,
    pub due: Option<Moment>,
    pub is: Leased,
}

/// Where a lease stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Leased {
    /// The action never had an effect.
    Nothing,
    /// Still to come.
    Open,
    /// Still to come, and held.
    Held { until: Moment, why: String },
    /// Taken back.
    Ended { by: Seq, at: Moment },
    /// Tried, and not known to have gone well.
    Failed { by: Seq, what: String },
    /// It will not be taken back.
    Dropped { why: String, into: Option<Seq> },
}

/// The answers to one query, in the order of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Curve {
    /// Which fact it was asked for, such as `verification`.
    pub fact: String,
    pub promql: String,
    /// What was wanted, where a verification said it.
    pub wanted: Option<String>,
    /// As they were answered then.
    pub recorded: Vec<Point>,
    /// As Prometheus has them now, where it was asked for this report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub range: Vec<Point>,
    /// Why it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_failed: Option<String>,
}

/// One value; `None` where there was none, or no number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Point {
    pub at: Moment,
    pub value: Option<f64>,
}

/// What a person did, or was called to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deed {
    pub seq: Seq,
    pub at: Moment,
    /// Their name, or who was called.
    pub who: String,
    pub what: String,
    pub comment: String,
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub seq: Seq,
    pub at: Moment,
    pub lane: Lane,
    pub text: String,
}

/// Where a record stands in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Lane {
    Alerts,
    Rulings,
    Actions,
    Verifications,
    People,
    Daemon,
}

impl Lane {
    /// Its name in the picture.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Rulings => "rulings",
            Self::Actions => "actions",
            Self::Verifications => "verifications",
            Self::People => "people",
            Self::Daemon => "daemon",
        }
    }
}

impl Incident {
    /// What it is called: its alert, or what somebody ran.
    pub(super) fn name(&self) -> String {
        match &self.by_hand {
            None => self.alert.clone(),
            Some(order) if order.dry_run => format!("{}, rehearsed by hand", order.policy),
            Some(order) => format!("{}, run by hand", order.policy),
        }
    }
}

impl CaseTold {
    /// What is counted of it.
    pub(super) fn known(&self) -> Known {
        let own = || self.actions.iter().filter(|action| action.is_counted());
        Known {
            conclusion: self.conclusion.map(|ended| ended.how),
            acted: own().any(|action| action.ended.as_ref().is_none_or(|ended| ended.applied)),
            tried: own().next().is_some(),
            waits: self.rulings.last().is_some_and(Decision::waits),
        }
    }
}

impl Decision {
    /// Whether it waits for a person or a guard.
    fn waits(&self) -> bool {
        match self.verdict {
            ruling::Verdict::Hold { .. } => true,
            // One that was approved is decided again.
            ruling::Verdict::Propose { .. } => {
                self.answer.as_ref().is_none_or(|answer| answer.what != LAPSED)
            }
            ruling::Verdict::Act | ruling::Verdict::Withhold => false,
        }
    }
}

impl ActionTold {
    /// Whether it counts: rehearsals and looks do nothing, and reverts answer no alert.
    pub(super) fn is_counted(&self) -> bool {
        self.is_own() && self.mode != Mode::DryRun && !self.looks_only
    }

    /// Whether it was decided for the alert, and not to take something back.
    pub(super) fn is_own(&self) -> bool {
        self.reverts.is_none()
    }
}
