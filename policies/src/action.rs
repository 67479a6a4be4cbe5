//! What is to be done, in absolute and repeatable values: set to three, never add one. Made by a preflight,
//! recorded in an intent, carried out under its seal.

use serde::{Deserialize, Serialize};

use crate::book::Digest;
use crate::event::Seq;
use crate::reason::Reason;
use crate::remediation::{Endpoints, Scale};
use crate::target::Target;
use crate::time::{Moment, Span};

/// A remediation with every template rendered, not yet absolute: what a preflight is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wish {
    /// As [`Remediation::Scale`](crate::remediation::Remediation::Scale).
    Scale(Scale),
    /// As [`Remediation::Restart`](crate::remediation::Remediation::Restart).
    Restart,
    /// As [`Remediation::ResetBreaker`](crate::remediation::Remediation::ResetBreaker).
    #[serde(rename_all = "camelCase")]
    ResetBreaker {
        /// The breaker's name; one URL path segment.
        breaker: String,
        /// How the endpoints are reached.
        endpoints: Endpoints,
    },
    /// Undo an earlier action, only while the field still holds our value.
    Revert(Action),
}

/// One absolute change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Set replicas (or the HPA's minimum) from one number to another.
    #[serde(rename_all = "camelCase")]
    Scale {
        /// Which field.
        lever: ScaleLever,
        /// The value it must still have.
        from: u32,
        /// The value it gets.
        to: u32,
    },
    /// Roll the pods; the stamp makes a repeat the same rollout.
    #[serde(rename_all = "camelCase")]
    Restart {
        /// `metadata.generation` it must still have.
        generation: i64,
    },
    /// Close this breaker on these endpoints.
    #[serde(rename_all = "camelCase")]
    ResetBreaker {
        /// The breaker's name; one URL path segment.
        breaker: String,
        /// Base URLs, sorted.
        endpoints: Vec<String>,
    },
}

/// Which field holds the number of replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScaleLever {
    /// `spec.replicas`, by the scale subresource.
    Replicas,
    /// `spec.minReplicas` of the HPA that owns the workload.
    MinReplicas {
        /// The HPA's name, in the target's namespace.
        hpa: String,
        /// The HPA's uid.
        uid: String,
    },
}

impl Action {
    /// Its name in documents, metrics and records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scale { .. } => "scale",
            Self::Restart { .. } => "restart",
            Self::ResetBreaker { .. } => "resetBreaker",
        }
    }

    /// The action that takes it back, where one exists.
    pub fn inverse(&self) -> Option<Self> {
        match self {
            Self::Scale { lever, from, to } => {
                Some(Self::Scale { lever: lever.clone(), from: *to, to: *from })
            }
            Self::Restart { .. } | Self::ResetBreaker { .. } => None,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scale { lever: ScaleLever::Replicas, from, to } => write!(f, "scale {from} -> {to}"),
            Self::Scale { lever: ScaleLever::MinReplicas { hpa, .. }, from, to } => {
                write!(f, "scale minReplicas of HPA {hpa} {from} -> {to}")
            }
            Self::Restart { .. } => write!(f, "restart"),
            Self::ResetBreaker { breaker, endpoints } => {
                write!(f, "reset breaker {breaker} on {} endpoints", endpoints.len())
            }
        }
    }
}

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    },
    /// Nobody knows whether it was done: it stays charged, is escalated, is not repeated.
    #[serde(rename_all = "camelCase")]
    Unknown {
        /// What was tried on what, and what came back.
        what: String,
    },
}

impl Outcome {
    /// Its name in metrics and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
}
