//! Trouble that comes back soon is the same trouble: the ladder goes on at the rung after the last one. Where there
//! is none left, a person is needed. Choosing the rung is the engine's.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;

/// Refuses where the last ladder on the target ended on its last rung within `relapse:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Relapse);
    };
    let relapse = view.policy.guards.relapse;
    let rungs = view.policy.ladder.len();
    let key = (view.policy.name.clone(), target.clone());
    let Some(last) = view.state.last_ladders.get(&key).filter(|last| last.episode != view.case.id.episode)
    else {
        return Finding::allows(Guard::Relapse, format!("no ladder ended on this target, relapse {relapse}"));
    };
    if !ledger::is_within(last.ended_at, relapse, view.now) {
        return Finding::allows(
            Guard::Relapse,
            format!("the last ladder ended {} ago, relapse {relapse}", view.now.since(last.ended_at)),
        );
    }
    let tried = last.rung.saturating_add(1);
    if tried >= rungs {
        let rungs = u32::try_from(rungs).unwrap_or(u32::MAX);
        return Finding::refuses(Guard::Relapse, Reason::Relapsed { rungs, since: last.ended_at });
    }
    Finding::allows(
        Guard::Relapse,
        format!(
            "a relapse {} after the last ladder, which ended at rung {tried} of {rungs}",
            view.now.since(last.ended_at)
        ),
    )
}
