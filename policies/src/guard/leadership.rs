//! Only the leader acts. Never settles who that is; the lease does.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while another process leads.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if view.state.leader {
        Finding::allows(Guard::Leadership, format!("leads, epoch {}", view.state.epoch))
    } else {
        Finding::refuses(Guard::Leadership, Reason::NotLeading)
    }
}
