//! The target must have a name, made of values that are what they must become. Naming it is the engine's.

use crate::guard::{Finding, Guard, View};

/// Refuses where the target cannot be named; nobody asked while it must be looked up first.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    match view.target {
        Some(Ok(target)) => Finding::allows(Guard::Target, target.to_string()),
        Some(Err(reason)) => Finding::refuses(Guard::Target, reason.clone()),
        None => Finding::not_asked(Guard::Target),
    }
}
