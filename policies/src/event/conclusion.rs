//! How a case ends: one word for each way, which the journal keeps and every count and story is made from.

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
