//! How many actions of a policy may run at once, over all targets: an action runs from its intent until it has been
//! seen whether it helped. A revert does not count.

use std::collections::BTreeSet;

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::state::{CaseId, Phase};
use crate::target::Target;

/// Refuses while as many of this policy's actions run as may.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let have = u32::try_from(running(view).len()).unwrap_or(u32::MAX);
    let allow = view.policy.guards.concurrency;
    if have >= allow {
        return Finding::refuses(Guard::Concurrency, Reason::TooManyRunning { have, allow });
    }
    Finding::allows(Guard::Concurrency, format!("{have} of {allow} allowed actions are running"))
}

/// The other cases of this policy that have something under way or watch what they did.
fn running(view: &View<'_>) -> BTreeSet<CaseId> {
    let policy = &view.policy.name;
    let in_flight = view
        .state
        .in_flight
        .values()
        .map(|flight| &flight.intent)
        .filter(|intent| intent.policy == *policy && intent.reverts.is_none())
        .map(|intent| CaseId { episode: intent.episode, policy: intent.policy.clone() });
    // Whoever watches has acted, so only targets on which this policy acted are looked at, not every case.
    let charged = view.state.ledger.charges.iter().map(|charge| (&charge.policy, &charge.target));
    let last = view.state.last_actions.iter().map(|(target, last)| (&last.policy, target));
    let acted_on: BTreeSet<&Target> =
        charged.chain(last).filter(|(by, _)| *by == policy).map(|(_, target)| target).collect();
    let watching =
        acted_on.into_iter().filter_map(|target| view.state.by_target.get(target)).flatten().filter(|id| {
            let case = view.state.cases.get(id);
            id.policy == *policy && case.is_some_and(|case| matches!(case.phase, Phase::Verifying { .. }))
        });
    in_flight.chain(watching.cloned()).filter(|id| *id != view.case.id).collect()
}
