//! How a case ends: one word for each way, which the journal keeps and every count and story is made from; and what each
//! says about the worth of acting.

use serde::{Deserialize, Serialize};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Conclusion {
    /// The last step was verified.
    Helped,
    /// The last step was done; nothing says how to verify it.
    Done,
    /// In dry-run: the first rung was rehearsed.
    Rehearsed,
    /// Nothing had to be changed.
    Already,
    /// No rung helped.
    Exhausted,
    /// A verification or an outcome is unknown.
    Unknown,
    /// An action failed too often, or was refused when it was to be done.
    Failed,
    /// The alert ended first.
    Resolved,
    /// The policy left the book, or was changed before the case had begun; older journals say so of the last two as well.
    Withdrawn,
    /// An operator denied it.
    Denied,
    /// A guard refused what was ordered by hand: nobody tries it again.
    Refused,
    /// A person wanted back what was done, or its time was over, before anybody knew whether it helped. Whether it is taken
    /// back by then, the records of its revert tell.
    TakenBack,
    /// What was ordered by hand was cancelled: what of it had not begun stays undone.
    Cancelled,
}

/// What the end of a case says about the worth of acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// A verification showed that it helped.
    Helped,
    /// It is as it should be, and nobody looked whether that helped.
    Unchecked,
    /// No rung helped, or an action failed.
    DidNotHelp,
    /// Nobody knows.
    NotKnown,
    /// Nothing: it was only rehearsed.
    Rehearsed,
    /// Nothing: it was over before that could be seen, whether anything was done by then or not.
    EndedEarly,
}

impl Conclusion {
    /// What this end says about the worth of acting.
    pub fn worth(self) -> Worth {
        match self {
            Self::Helped => Worth::Helped,
            Self::Done | Self::Already => Worth::Unchecked,
            Self::Exhausted | Self::Failed => Worth::DidNotHelp,
            Self::Unknown => Worth::NotKnown,
            Self::Rehearsed => Worth::Rehearsed,
            Self::Resolved
            | Self::Withdrawn
            | Self::Denied
            | Self::Refused
            | Self::TakenBack
            | Self::Cancelled => Worth::EndedEarly,
        }
    }
}
