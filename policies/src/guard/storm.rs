//! While too much fires, single remedies are guesses. Whether it storms is `apply`'s to say; here stands only what
//! the policy does in a storm. Lowering the mode is the engine's.

use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::InStorm;
use crate::reason::Reason;
use crate::time::Span;

/// Refuses in a storm, unless the policy wants to propose or to act all the same.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some((since, why)) = &view.state.storm.since else {
        let minute = Span::from_mins(1);
        let opened = &view.state.storm.openings;
        let have = opened.iter().filter(|at| ledger::is_within(**at, minute, view.now)).count();
        let above = view.book.settings().guards.storm.alerts_per_minute;
        return Finding::allows(
            Guard::Storm,
            format!("{have} new alerts in the last minute, a storm begins above {above}"),
        );
    };
    match view.policy.guards.in_storm {
        InStorm::Withhold => {
            Finding::refuses(Guard::Storm, Reason::Storm { since: *since, why: why.clone() })
        }
        InStorm::Approve => Finding::allows(
            Guard::Storm,
            format!("a storm since {since} ({why}); inStorm: approve, so it proposes"),
        ),
        InStorm::Act => Finding::allows(
            Guard::Storm,
            format!("a storm since {since} ({why}); inStorm: act, so it acts all the same"),
        ),
    }
}
