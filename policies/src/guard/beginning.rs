//! The last word before an effect begins that was decided a while ago: what an operator, a newer book or another leader
//! has stopped since then must not begin. No guard of its own: it asks again what needs no facts and no counts.

use crate::action::{Intent, Mode};
use crate::guard::{pause, protection};
use crate::reason::Reason;
use crate::state::State;
use crate::time::Moment;

/// Whether an intent may begin now.
///
/// # Errors
/// Why it may not, in words; nothing of it has been done.
pub fn may_begin(state: &State, now: Moment, intent: &Intent) -> Result<(), String> {
    let book = state.current_book();
    let settings = book.settings();
    if !state.leader || state.epoch != intent.epoch {
        return Err(Reason::NotLeading.to_string());
    }
    if let Some(reason) = state.clock_trouble(now) {
        return Err(reason.to_string());
    }
    let (protected, reached) = (&settings.guards.protected, intent.namespaces());
    if let Some(rule) = reached.iter().find_map(|name| protection::protecting_namespace(protected, name)) {
        return Err(Reason::Protected { rule }.to_string());
    }
    if let Some(reason) = pause::covering(state, &intent.policy, Some(&intent.target), &reached, now) {
        return Err(reason.to_string());
    }
    let wants = if intent.approved_by.is_some() { intent.mode.min(Mode::Approve) } else { intent.mode };
    if wants > settings.mode {
        return Err(format!("the daemon runs with --mode {}", settings.mode));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::order::PauseScope;
    use crate::state::Pause;

    /// What is said of an intent on `prod/web` that was decided in leadership 3.
    #[track_caller]
    fn check(change: impl FnOnce(&mut World), alter: impl FnOnce(&mut Intent), says: &str) {
        let mut world = World::new();
        world.settings.mode = Mode::Enforce;
        change(&mut world);
        let mut intent = Intent { epoch: 3, mode: Mode::Enforce, ..intent(9, "restart-web", "prod/web") };
        alter(&mut intent);
        world.view(|view| {
            let mut state = view.state.clone();
            state.book = Some(view.book.digest());
            assert_eq!(may_begin(&state, view.now, &intent).err().unwrap_or_default(), says);
        });
    }

    fn paused(world: &mut World, scope: PauseScope) {
        let pause = Pause { by: "ann".to_owned(), since: at("08:29:00"), until: None, reason: String::new() };
        world.state.pauses.insert(scope, pause);
    }

    #[test]
    fn what_nobody_has_stopped_begins() {
        check(|_| {}, |_| {}, "");
        check(|world| paused(world, PauseScope::Namespace("stage".to_owned())), |_| {}, "");
        check(|world| world.settings.mode = Mode::DryRun, |intent| intent.mode = Mode::DryRun, "");
        let approved = |intent: &mut Intent| intent.approved_by = Some("ann".to_owned());
        check(|world| world.settings.mode = Mode::Approve, approved, "");
    }

    #[test]
    fn a_pause_a_protection_and_a_lost_leadership_stop_it() {
        for scope in [
            PauseScope::Everything,
            PauseScope::Namespace("prod".to_owned()),
            PauseScope::Policy("restart-web".to_owned()),
            PauseScope::Target(target("prod/web")),
        ] {
            let says = format!("{scope} is paused by ann");
            check(|world| paused(world, scope), |_| {}, &says);
        }
        let protect = |world: &mut World| {
            world.settings.guards.protected.namespaces.push("prod".to_owned());
        };
        check(protect, |_| {}, "protected by namespace prod");
        check(|world| world.state.leader = false, |_| {}, "another process leads");
        check(|_| {}, |intent| intent.epoch = 2, "another process leads");
    }

    #[test]
    fn a_clock_step_and_a_lower_mode_stop_it() {
        check(|world| world.state.clock_stepped = Some(90_000), |_| {}, &clock_stepped());
        check(|world| world.settings.mode = Mode::DryRun, |_| {}, "the daemon runs with --mode dry-run");
        check(|world| world.settings.mode = Mode::Approve, |_| {}, "the daemon runs with --mode approve");
    }

    fn clock_stepped() -> String {
        Reason::ClockStepped { by_ms: 90_000 }.to_string()
    }
}
