//! What the engine asks of the world. A question is recorded before it leaves, and answered by
//! [`Input::Told`](crate::input::Input::Told).

use serde::{Deserialize, Serialize};

use std::fmt;

use crate::action::Wish;
use crate::event::Seq;
use crate::state::CaseId;
use crate::target::{Sought, Target};
use crate::time::Moment;

/// One question; its id is the sequence of its `Asked` record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Sequence of the `Asked` record.
    pub id: Seq,
    /// For which case.
    pub case: CaseId,
    /// Which of its facts.
    pub fact: Fact,
    /// What exactly.
    pub ask: Ask,
    /// After this, no answer counts as a failed one.
    pub deadline: Moment,
}

/// The facts a case may need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fact {
    /// `ALERTS` shows the alert firing.
    Confirmation,
    /// A `let:` by name.
    Let(String),
    /// The target behind `from:`.
    Target,
    /// A `when:` by position.
    When(usize),
    /// The remediation's own look at the target.
    Preflight,
    /// The verification of the step at hand.
    Verification,
    /// Whether the action of this intent can be taken back.
    Revert(Seq),
}

/// Its name in reasons, as in a policy.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmation => write!(f, "confirmation"),
            Self::Let(name) => write!(f, "let.{name}"),
            Self::Target => write!(f, "target"),
            Self::When(position) => write!(f, "when[{position}]"),
            Self::Preflight => write!(f, "preflight"),
            Self::Verification => write!(f, "verification"),
            Self::Revert(intent) => write!(f, "revert of intent {intent}"),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "few are held at a time, and a box would hide the shape")]
pub enum Ask {
    /// An instant query.
    Query {
        /// Rendered PromQL.
        promql: String,
    },
    /// Which object is meant.
    Seek {
        /// By name or by what it owns.
        sought: Sought,
    },
    /// What the remediation would do to the target, and what stands against it.
    Preflight {
        /// On what.
        target: Target,
        /// What.
        wish: Wish,
        /// Whether the difference is wanted too (dry-run and approve).
        diff: bool,
    },
    /// Whether the target's rollout is complete.
    Rollout {
        /// Of what.
        target: Target,
    },
    /// Whether a URL answers.
    Http {
        /// Absolute URL.
        url: String,
    },
}
