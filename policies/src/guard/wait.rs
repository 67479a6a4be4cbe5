//! `for:` of a policy: how long the episode must have been open, counted from when we first heard of it, since a
//! sender's clock is not ours.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while the episode is younger than `for:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let wanted = view.policy.wait;
    let age = view.now.since(view.episode.opened_at);
    if age < wanted {
        let until = view.episode.opened_at + wanted;
        return Finding::refuses(Guard::For, Reason::TooYoung { age, wanted, until });
    }
    Finding::allows(Guard::For, format!("open for {age}, wanted for {wanted}"))
}
