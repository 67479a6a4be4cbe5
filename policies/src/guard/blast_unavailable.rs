//! What share of a namespace's replicas may be unavailable: what already is, whoever did it, and what this action
//! adds. Judged by live facts, so that our own ledger need not know what others did.

use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;
use crate::reason::Reason;

/// Refuses where more than the allowed share would be unavailable.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(allow_percent) = view.policy.guards.blast_unavailable else {
        return Finding::allows(Guard::BlastUnavailable, "no ceiling is set");
    };
    // Why there is no preflight, the guard of that name says.
    let Ok(preflight) = fact::preflight(view) else {
        return Finding::not_asked(Guard::BlastUnavailable);
    };
    let Some(around) = preflight.surroundings else {
        return fact::unknown(&Fact::Preflight, "no count of the namespace's replicas")
            .finding(Guard::BlastUnavailable);
    };
    let have = around.unavailable.saturating_add(around.added);
    let of = around.desired;
    if u64::from(have) * 100 > u64::from(of) * u64::from(allow_percent) {
        return Finding::refuses(Guard::BlastUnavailable, Reason::TooManyDown { have, of, allow_percent });
    }
    Finding::allows(
        Guard::BlastUnavailable,
        format!(
            "{have} of {of} replicas would be unavailable ({} are, this adds {}), {allow_percent} % allowed",
            around.unavailable, around.added
        ),
    )
}
