//! What is to be done, in absolute and repeatable values: set to three, never add one. Made by a preflight,
//! recorded in an intent, carried out under its seal. The actions themselves stand with their remediations.

use serde::{Deserialize, Serialize};

use crate::book::Digest;
use crate::event::Seq;
use crate::evidence::Evidence;
use crate::reason::Reason;
use crate::target::Target;
use crate::time::{Moment, Span};

pub use crate::remediation::{Action, Wish};

/// How far a policy may go.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Decide and show the difference; change nothing.
    #[default]
    DryRun,
    /// Propose; act when a person approves.
    Approve,
    /// Act.
    Enforce,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DryRun => "dry-run",
            Self::Approve => "approve",
            Self::Enforce => "enforce",
        })
    }
}

/// The decision to do something, as recorded before it is done. Its id is the sequence of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Sequence of the `Intended` record.
    pub id: Seq,
    /// Of which episode.
    pub episode: Seq,
    /// By which policy.
    pub policy: String,
    /// Digest of the book that holds the policy.
    pub book: Digest,
    /// Rung of the ladder, from 0.
    pub rung: usize,
    /// Step within the rung, from 0.
    pub step: usize,
    /// On what, pinned.
    pub target: Target,
    /// The target's uid; empty where the target has none (HTTP only).
    pub uid: String,
    /// What.
    pub action: Action,
    /// `DryRun` means: rehearse, change nothing.
    pub mode: Mode,
    /// When it was decided; stamped where a moment is needed.
    pub at: Moment,
    /// Until when the effect must have ended.
    pub deadline: Moment,
    /// Whether it counts against ceilings (reverts do not).
    pub charged: bool,
    /// The intent that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<Seq>,
    /// When the action is to be taken back, counted from its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_after: Option<Span>,
    /// The leadership under which it was decided.
    pub epoch: u64,
    /// Who approved it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The delivery's correlation id, carried into logs, HTTP and Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

impl Intent {
    /// The namespaces it reaches: its target's, then the others.
    pub fn namespaces(&self) -> Vec<&str> {
        reached(&self.target, Some(&self.action))
    }
}

/// The namespaces that an action on this target reaches: the target's, where it has one, then the others.
pub(crate) fn reached<'a>(target: &'a Target, action: Option<&'a Action>) -> Vec<&'a str> {
    let home = target.namespace.as_str();
    let others = action.map_or(&[][..], Action::namespaces).iter().map(String::as_str);
    let home_first = Some(home).filter(|home| !home.is_empty());
    home_first.into_iter().chain(others.filter(|name| *name != home)).collect()
}

/// Before and after, as the API server or the computed difference shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Changed fields: path, value before, value after.
    pub fields: Vec<Change>,
    /// How the difference is known.
    pub source: DiffSource,
}

/// One changed field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Such as `spec.replicas`.
    pub path: String,
    /// The value before; `-` where there was none.
    pub before: String,
    /// The value after.
    pub after: String,
}

/// How a difference is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DiffSource {
    /// The API server's own dry run.
    ServerDryRun,
    /// The real change.
    Applied,
    /// Computed here, because of this.
    Computed {
        /// Why the server's dry run was not used.
        because: String,
    },
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was done (or, in dry-run, rehearsed); `already` when nothing had to be changed.
    #[serde(rename_all = "camelCase")]
    Done {
        /// What changed.
        diff: Option<Diff>,
        /// Whether the desired state already held.
        already: bool,
    },
    /// What was asked for was collected; nothing was changed.
    #[serde(rename_all = "camelCase")]
    Collected {
        /// It.
        evidence: Box<Evidence>,
    },
    /// A preflight or the server refused before anything changed.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// It was tried and is known not to have reached its end.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// What was tried on what, and what came back.
        what: String,
        /// Whether something was changed all the same (a rollout that did not complete).
        applied: bool,
        /// What it left behind, such as a Job's log: for the record, never part of a message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diff: Option<Diff>,
    },
    /// Nobody knows whether it was done: it stays charged, is escalated, is not repeated.
    #[serde(rename_all = "camelCase")]
    Unknown {
        /// What was tried on what, and what came back.
        what: String,
    },
}

/// How the words of an effect begin that did not.
const NOT_BEGUN: &str = "not begun: ";

impl Outcome {
    /// An effect that did not begin, since this stopped it: nothing was sent.
    pub fn not_begun(why: &str) -> Self {
        Self::Failed { what: format!("{NOT_BEGUN}{why}"), applied: false, diff: None }
    }

    /// Whether it did not begin. Records tell it in words.
    pub fn is_not_begun(&self) -> bool {
        matches!(self, Self::Failed { what, applied: false, .. } if what.starts_with(NOT_BEGUN))
    }

    /// Its name in metrics and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } | Self::Collected { .. } => "done",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
}
