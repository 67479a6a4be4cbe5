//! What an operator paused stays untouched: everything, a namespace, a policy or a target. A pause ends by itself
//! at its `until`, whether or not anybody has removed it. Pauses by annotation are the preflight's.

use crate::counted::counted;
use crate::guard::{Finding, Guard, View};
use crate::order::PauseScope;
use crate::reason::Reason;
use crate::state::{Pause, State};
use crate::target::Target;
use crate::time::Moment;

/// Refuses while a pause covers the policy or the target; names the one that lasts longest.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let longest = covering(view.state, &view.policy.name, view.known_target(), &view.namespaces(), view.now);
    match longest {
        Some(reason) => Finding::refuses(Guard::Pause, reason),
        None => {
            let others = view.state.pauses.values().filter(|pause| in_force(pause, view.now)).count();
            Finding::allows(Guard::Pause, format!("{} in force, none of this", counted(others, "pause")))
        }
    }
}

/// The pause that covers this policy, this target or one of these namespaces, and lasts longest.
pub(crate) fn covering(
    state: &State,
    policy: &str,
    target: Option<&Target>,
    namespaces: &[&str],
    now: Moment,
) -> Option<Reason> {
    let mut scopes = vec![PauseScope::Everything, PauseScope::Policy(policy.to_owned())];
    scopes.extend(namespaces.iter().map(|name| PauseScope::Namespace((*name).to_owned())));
    scopes.extend(target.cloned().map(PauseScope::Target));
    let pauses = scopes.into_iter().filter_map(|scope| state.pauses.get(&scope).map(|pause| (scope, pause)));
    let longest = pauses
        .filter(|(_, pause)| in_force(pause, now))
        .max_by_key(|(_, pause)| (pause.until.is_none(), pause.until));
    longest.map(|(scope, pause)| Reason::Paused { scope, by: pause.by.clone(), until: pause.until })
}

fn in_force(pause: &Pause, now: Moment) -> bool {
    pause.until.is_none_or(|until| until > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn pause(world: &mut World, scope: PauseScope, until: Option<&str>) {
        let pause = Pause {
            by: "ann".to_owned(),
            since: at("08:00:00"),
            until: until.map(at),
            reason: String::new(),
        };
        world.state.pauses.insert(scope, pause);
    }

    #[test]
    fn every_scope_that_covers_the_case_refuses() {
        for (scope, says) in [
            (PauseScope::Everything, "refuses: everything is paused by ann until 2026-11-21T09:00:00.000Z"),
            (
                PauseScope::Namespace("prod".to_owned()),
                "refuses: namespace prod is paused by ann until 2026-11-21T09:00:00.000Z",
            ),
            (
                PauseScope::Policy("restart-web".to_owned()),
                "refuses: policy restart-web is paused by ann until 2026-11-21T09:00:00.000Z",
            ),
            (
                PauseScope::Target(target("prod/web")),
                "refuses: target prod/deployment/web is paused by ann until 2026-11-21T09:00:00.000Z",
            ),
        ] {
            let mut world = World::new();
            pause(&mut world, scope, Some("09:00:00"));
            assert_eq!(world.says(judge), says);
        }
    }

    #[test]
    fn of_several_pauses_the_longest_is_named() {
        let mut world = World::new();
        pause(&mut world, PauseScope::Everything, Some("09:00:00"));
        pause(&mut world, PauseScope::Namespace("prod".to_owned()), None);
        pause(&mut world, PauseScope::Target(target("prod/web")), Some("10:00:00"));
        assert_eq!(world.says(judge), "refuses: namespace prod is paused by ann");
    }

    #[test]
    fn a_pause_of_any_namespace_that_the_action_reaches_refuses() {
        let mut world = World::new();
        pause(&mut world, PauseScope::Namespace("stage".to_owned()), None);
        assert_eq!(world.says(judge), "allows: 1 pause in force, none of this");
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "stage"])));
        assert_eq!(world.says(judge), "refuses: namespace stage is paused by ann");
    }

    #[test]
    fn pauses_of_others_and_those_that_are_over_allow() {
        let mut world = World::new();
        pause(&mut world, PauseScope::Everything, Some("08:30:00"));
        pause(&mut world, PauseScope::Namespace("stage".to_owned()), None);
        pause(&mut world, PauseScope::Policy("other".to_owned()), None);
        pause(&mut world, PauseScope::Target(target("prod/db")), None);
        assert_eq!(world.says(judge), "allows: 3 pauses in force, none of this");
    }
}
