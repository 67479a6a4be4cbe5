//! Our own action raises alerts on the same workload. For a while after one ended, nobody acts on its target again,
//! except the case whose action it was.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;

/// Refuses while the last action on the target, of whichever policy, settles.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Settle);
    };
    let settle = view.book.settings().guards.settle;
    let Some(last) = view.state.last_actions.get(target) else {
        return Finding::allows(Guard::Settle, format!("no action on this target lately, settle {settle}"));
    };
    let own = last.episode == view.case.id.episode && last.policy == view.case.id.policy;
    if own {
        return Finding::allows(
            Guard::Settle,
            format!("intent {} on this target was of this very case", last.intent),
        );
    }
    if ledger::is_within(last.ended_at, settle, view.now) {
        let until = last.ended_at + settle;
        return Finding::refuses(Guard::Settle, Reason::Settling { intent: last.intent, until });
    }
    Finding::allows(
        Guard::Settle,
        format!("intent {} ended {} ago, settle {settle}", last.intent, view.now.since(last.ended_at)),
    )
}
