//! A policy whose actions do not help acts no more, until an operator resumes it. Counting is `apply`'s.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while the policy is in quarantine.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let efficacy = view.state.efficacy.get(&view.policy.name);
    let rounds = efficacy.map_or(0, |efficacy| efficacy.ineffective);
    if let Some(since) = efficacy.and_then(|efficacy| efficacy.quarantined_since) {
        return Finding::refuses(Guard::Quarantine, Reason::Quarantined { since, rounds });
    }
    Finding::allows(
        Guard::Quarantine,
        match view.policy.on_failure.quarantine_after {
            0 => format!("{rounds} rounds in a row did not help, never quarantined"),
            after => format!("{rounds} of {after} rounds in a row did not help"),
        },
    )
}
