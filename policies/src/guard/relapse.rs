//! Trouble that comes back soon is the same trouble: the ladder goes on at the rung after the last one. Where there
//! is none left, or nobody knows how the last one ended, a person is needed. Choosing the rung is the engine's.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;
use crate::state::RungEnd;

/// Refuses where the last ladder on the target ended on its last rung, or in doubt, within `relapse:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Relapse);
    };
    if view.episode.by_hand.is_some() {
        return Finding::allows(Guard::Relapse, "by hand: the ladder begins at its first rung");
    }
    if view.case.acted {
        return Finding::allows(Guard::Relapse, "its own ladder goes on");
    }
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
    let ago = view.now.since(last.ended_at);
    let tried = last.rung.saturating_add(1);
    match last.rung_end {
        RungEnd::Tried => {}
        RungEnd::NotDone => {
            return Finding::allows(
                Guard::Relapse,
                format!("the last ladder ended {ago} ago, and nothing of rung {tried} of {rungs} was done"),
            );
        }
        RungEnd::Unknown => {
            let rung = u32::try_from(tried).unwrap_or(u32::MAX);
            let reason = Reason::EndedInDoubt { rung, since: last.ended_at };
            return Finding::refuses(Guard::Relapse, reason);
        }
    }
    if tried >= rungs {
        let rungs = u32::try_from(rungs).unwrap_or(u32::MAX);
        return Finding::refuses(Guard::Relapse, Reason::Relapsed { rungs, since: last.ended_at });
    }
    Finding::allows(
        Guard::Relapse,
        format!("a relapse {ago} after the last ladder, which ended at rung {tried} of {rungs}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Seq;
    use crate::guard::fixtures::*;
    use crate::state::LastLadder;

    fn after_rung(rung: usize, episode: u64, ended: &str) -> World {
        let mut world = World::new();
        let last = LastLadder { rung, episode: Seq(episode), ended_at: at(ended), ..last_ladder() };
        world.state.last_ladders.insert(("restart-web".to_owned(), target("prod/web")), last);
        world
    }

    #[test]
    fn a_relapse_after_the_last_rung_refuses() {
        assert_eq!(
            after_rung(1, 9, "07:00:00").says(judge),
            "refuses: all 2 rungs were tried, the last at 2026-11-21T07:00:00.000Z, and the trouble came back"
        );
    }

    #[test]
    fn a_relapse_with_a_rung_left_allows() {
        assert_eq!(
            after_rung(0, 9, "07:00:00").says(judge),
            "allows: a relapse 1h 30m after the last ladder, which ended at rung 1 of 2"
        );
    }

    #[test]
    fn trouble_that_comes_back_late_or_is_the_same_episode_is_no_relapse() {
        assert_eq!(
            after_rung(1, 9, "06:30:00").says(judge),
            "allows: the last ladder ended 2h ago, relapse 2h"
        );
        assert_eq!(
            after_rung(1, 1, "08:20:00").says(judge),
            "allows: no ladder ended on this target, relapse 2h"
        );
    }

    #[test]
    fn a_rung_of_which_nobody_knows_refuses_whatever_is_left() {
        let mut world = after_rung(0, 9, "07:00:00");
        world.state.last_ladders.values_mut().for_each(|last| last.rung_end = RungEnd::Unknown);
        assert_eq!(
            world.says(judge),
            "refuses: nobody knows whether rung 1 helped, which ended at 2026-11-21T07:00:00.000Z, and the trouble is there"
        );
    }

    #[test]
    fn a_rung_of_which_nothing_was_done_allows_though_it_is_the_last() {
        let mut world = after_rung(1, 9, "07:00:00");
        world.state.last_ladders.values_mut().for_each(|last| last.rung_end = RungEnd::NotDone);
        assert_eq!(
            world.says(judge),
            "allows: the last ladder ended 1h 30m ago, and nothing of rung 2 of 2 was done"
        );
    }

    #[test]
    fn a_rung_that_the_ladder_never_had_refuses() {
        assert!(after_rung(usize::MAX, 9, "07:00:00").says(judge).starts_with("refuses: all 2 rungs"));
    }
}
