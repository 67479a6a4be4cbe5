//! A policy's decision on an episode, with what every guard said.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Diff, Mode};
use crate::book::Digest;
use crate::event::Seq;
use crate::guard::Finding;
use crate::policy::Place;
use crate::target::Target;
use crate::time::Moment;

/// One decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruling {
    /// On which episode.
    pub episode: Seq,
    /// The alert's name.
    pub alert: String,
    /// By which policy.
    pub policy: String,
    /// Digest of the book that holds it.
    pub book: Digest,
    /// Where it is written.
    pub place: Place,
    /// Rung of the ladder, from 0.
    pub rung: usize,
    /// Step within the rung, from 0.
    pub step: usize,
    /// How far the policy may go here, and why not further.
    pub mode: EffectiveMode,
    /// On what, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What was decided.
    pub verdict: Verdict,
    /// What every guard said.
    pub findings: Vec<Finding>,
    /// What would be done, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The difference it would make, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// Act (in dry-run: rehearse).
    Act,
    /// Not now; look again then.
    Hold {
        /// When.
        until: Moment,
    },
    /// Not for this episode, unless something changes.
    Withhold,
    /// Ask a person, until then.
    Propose {
        /// When the proposal lapses.
        until: Moment,
    },
}

impl Verdict {
    /// Its name in metrics and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Hold { .. } => "hold",
            Self::Withhold => "withhold",
            Self::Propose { .. } => "propose",
        }
    }
}

/// A mode after all caps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveMode {
    /// What the policy (or its step) says.
    pub wanted: Mode,
    /// What is done.
    pub is: Mode,
    /// What lowered it, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capped_by: Option<Cap>,
}

/// What lowers a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cap {
    /// `--mode`.
    Daemon,
    /// `inStorm: approve`.
    Storm,
    /// The order itself asked for no more than a dry-run.
    Order,
}

impl std::fmt::Display for EffectiveMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.capped_by {
            None => self.is.fmt(f),
            Some(Cap::Daemon) => write!(f, "{}, capped to {} by --mode", self.wanted, self.is),
            Some(Cap::Storm) => write!(f, "{}, lowered to {} by the storm", self.wanted, self.is),
            Some(Cap::Order) => write!(f, "{}, a {} as ordered", self.wanted, self.is),
        }
    }
}
