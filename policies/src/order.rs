//! What operators want, with their names: approve, deny, acknowledge, pause, resume, accept a clock, run a policy by
//! hand, cancel that, undo an action.

use serde::{Deserialize, Serialize};

use crate::action::{Intent, Outcome};
use crate::address::AddressRange;
use crate::alert::Labels;
use crate::event::Seq;
use crate::target::Target;
use crate::time::Moment;

/// An operator's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The name of the operator's token.
    pub by: String,
    /// What.
    pub command: Command,
}

/// What an operator may order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// Approve a proposal; it is decided again with fresh facts.
    #[serde(rename_all = "camelCase")]
    Approve {
        /// Sequence of the ruling that proposed.
        proposal: Seq,
        /// For the record.
        comment: String,
    },
    /// Deny a proposal.
    #[serde(rename_all = "camelCase")]
    Deny {
        /// Sequence of the ruling that proposed.
        proposal: Seq,
        /// For the record.
        comment: String,
    },
    /// A person has the trouble that this page calls for.
    #[serde(rename_all = "camelCase")]
    Acknowledge {
        /// Sequence of the escalation.
        page: Seq,
        /// For the record.
        comment: String,
    },
    /// Act on nothing in this scope until then.
    #[serde(rename_all = "camelCase")]
    Pause {
        /// What.
        scope: PauseScope,
        /// Until when; without it, until resumed.
        until: Option<Moment>,
        /// For the record.
        reason: String,
    },
    /// End the pause of exactly this scope; for a policy, also its quarantine.
    #[serde(rename_all = "camelCase")]
    Resume {
        /// What.
        scope: PauseScope,
    },
    /// The wall clock is right; act again.
    AcceptClock,
    /// Start a policy by hand, without an alert.
    #[serde(rename_all = "camelCase")]
    Run {
        /// Which.
        policy: String,
        /// What its templates take.
        labels: Labels,
        /// For the record.
        reason: String,
        /// Only show what would be done, whatever the policy's mode.
        dry_run: bool,
        /// Names this request: the same again is the same run.
        key: String,
    },
    /// What was ordered by hand, and is not done yet, is not to be done.
    #[serde(rename_all = "camelCase")]
    Cancel {
        /// The episode that the order opened.
        episode: Seq,
        /// For the record.
        reason: String,
    },
    /// Take an action back now.
    #[serde(rename_all = "camelCase")]
    Undo {
        /// The intent.
        intent: Seq,
        /// Of several entries only these; none means all of it.
        only: Vec<AddressRange>,
        /// For the record.
        reason: String,
        /// What the journal tells of it; none where it tells nothing.
        past: Option<Box<Past>>,
    },
}

/// What the journal tells of an intent that the state may have forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// As it was recorded.
    pub intent: Intent,
    /// How it ended, where that is known.
    pub outcome: Option<Outcome>,
    /// The intent that has taken it back, where one has.
    pub taken_back: Option<Seq>,
    /// The later intent whose revert restores the value from before this one.
    pub into: Option<Seq>,
}

/// Who started an episode by hand that no alert opened, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ByHand {
    /// The name of the operator's token.
    pub by: String,
    /// The policy that was asked for; no other looks at the episode, and its matchers are not asked.
    pub policy: String,
    /// For the record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether nothing may be changed, whatever the policy's mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Names the request: the same again is the same run.
    pub key: String,
}

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PauseScope {
    /// Everything.
    Everything,
    /// Targets in this namespace.
    Namespace(String),
    /// This policy.
    Policy(String),
    /// This target.
    Target(Target),
}

impl std::fmt::Display for PauseScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
            Self::Policy(name) => write!(f, "policy {name}"),
            Self::Target(target) => write!(f, "target {target}"),
        }
    }
}
