//! What an operator paused stays untouched: everything, a namespace, a policy or a target. A pause ends by itself
//! at its `until`, whether or not anybody has removed it. Pauses by annotation are the preflight's.

use crate::guard::{Finding, Guard, View};
use crate::order::PauseScope;
use crate::reason::Reason;
use crate::state::Pause;
use crate::time::Moment;

/// Refuses while a pause covers the policy or the target; names the one that lasts longest.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let mut scopes = vec![PauseScope::Everything, PauseScope::Policy(view.policy.name.clone())];
    if let Some(target) = view.known_target() {
        scopes.push(PauseScope::Namespace(target.namespace.clone()));
        scopes.push(PauseScope::Target(target.clone()));
    }
    let longest = scopes
        .into_iter()
        .filter_map(|scope| view.state.pauses.get(&scope).map(|pause| (scope, pause)))
        .filter(|(_, pause)| in_force(pause, view.now))
        .max_by_key(|(_, pause)| (pause.until.is_none(), pause.until));
    match longest {
        Some((scope, pause)) => {
            Finding::refuses(Guard::Pause, Reason::Paused { scope, by: pause.by.clone(), until: pause.until })
        }
        None => {
            let others = view.state.pauses.values().filter(|pause| in_force(pause, view.now)).count();
            Finding::allows(Guard::Pause, format!("{others} pauses in force, none of this"))
        }
    }
}

fn in_force(pause: &Pause, now: Moment) -> bool {
    pause.until.is_none_or(|until| until > now)
}
