//! Withheld while an alert of `unless:` is open: somebody or something else has the trouble in hand.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while one open episode meets all matchers of `unless:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let matchers = &view.policy.unless;
    if matchers.is_empty() {
        return Finding::allows(Guard::Unless, "");
    }
    let mut open = view.state.open.values().filter_map(|id| view.state.episodes.get(id));
    match open
        .find(|episode| episode.is_open() && matchers.iter().all(|matcher| matcher.meets(&episode.labels)))
    {
        Some(episode) => Finding::refuses(
            Guard::Unless,
            Reason::Unless { episode: episode.id, alert: episode.alert().to_owned() },
        ),
        None => Finding::allows(
            Guard::Unless,
            format!("none of {} open alerts is of unless:", view.state.open.len()),
        ),
    }
}
