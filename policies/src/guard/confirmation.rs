//! Before acting, Prometheus must show the alert firing: forged, stale and late webhooks end here. What is asked,
//! and about which labels, is the engine's.

use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;
use crate::reason::Reason;

/// Refuses unless `ALERTS` has a firing series for the alert, where confirmation is on.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if !view.book.settings().guards.confirmation {
        return Finding::allows(Guard::Confirmation, "switched off");
    }
    match fact::series(view, &Fact::Confirmation) {
        Err(unseen) => unseen.finding(Guard::Confirmation),
        Ok([]) => {
            let found = "ALERTS has no firing series with its labels".to_owned();
            Finding::refuses(Guard::Confirmation, Reason::NotConfirmed { found })
        }
        Ok(series) => {
            Finding::allows(Guard::Confirmation, format!("ALERTS has {} firing series", series.len()))
        }
    }
}
