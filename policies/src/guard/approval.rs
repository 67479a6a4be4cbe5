//! What is done is what was approved, or nothing: after an approval it is decided again with fresh facts, and what
//! would be done now must be the very same.

use crate::guard::{Finding, Guard, View, fact};
use crate::reason::Reason;
use crate::state::Phase;

/// Refuses where what was approved is not what would be done now.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Phase::Approved { action: approved, by, .. } = &view.case.phase else {
        return Finding::allows(Guard::Approval, "");
    };
    // Why there is no preflight, the guard of that name says.
    let Ok(preflight) = fact::preflight(view) else {
        return Finding::not_asked(Guard::Approval);
    };
    match &preflight.action {
        Some(now) if now == approved => {
            Finding::allows(Guard::Approval, format!("{now}, as approved by {by}"))
        }
        now => {
            let approved = approved.to_string();
            let now = match now.as_ref().map(ToString::to_string) {
                None => "nothing".to_owned(),
                // Such as a restart of another generation.
                Some(now) if now == approved => format!("{now} of an object that has changed"),
                Some(now) => now,
            };
            Finding::refuses(Guard::Approval, Reason::NotAsApproved { approved, now })
        }
    }
}
