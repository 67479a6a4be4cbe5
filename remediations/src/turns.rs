//! Effects from their records to their ends: in the order of their records, so many at once, with a last word before each
//! begins and a halt for each between two of its changes. The daemon and the simulators drive them by this alike. It must
//! never let one begin, or go on to its next change, that somebody has stopped since it was decided.

use std::collections::{BTreeMap, VecDeque};

use paramedic_policies::action::Intent;
use paramedic_policies::event::Seq;
use paramedic_policies::guard::may_begin;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;

use crate::ports::halt::{Halt, Stopper};
use crate::seal::Sealed;

/// Effects at once. Guards keep far below; this bounds what a mistake in them can do.
pub const EFFECTS_AT_ONCE: usize = 8;

/// Effects that wait for their turn, and those that have a place. Guards keep both few.
#[derive(Debug, Default)]
pub struct Turns {
    waiting: VecDeque<Sealed<Intent>>,
    /// Effects under way, with what stops them between two changes.
    placed: BTreeMap<Seq, (Intent, Stopper)>,
}

/// What becomes of one that waits.
#[derive(Debug)]
pub enum Turn {
    /// It begins, and asks this before each change but the first.
    Begin(Box<Sealed<Intent>>, Halt),
    /// It does not, and why.
    Not(Seq, String),
}

impl Turns {
    /// The last of those that wait, for now.
    pub fn push(&mut self, seal: Sealed<Intent>) {
        self.waiting.push_back(seal);
    }

    /// Any whose time is over, wherever it waits, or the first, where there is a place. What begins has a place until it
    /// [ended](Self::ended).
    pub fn next(&mut self, state: &State, now: Moment) -> Option<Turn> {
        // One that waits behind another with more time holds its target for nothing once its own is over.
        if let Some(late) = self.waiting.iter().position(|seal| seal.deadline <= now) {
            let seal = self.waiting.remove(late)?;
            let why = "too many effects are under way, and its deadline came".to_owned();
            return Some(Turn::Not(seal.id, why));
        }
        if self.placed.len() >= EFFECTS_AT_ONCE {
            return None;
        }
        let seal = self.waiting.pop_front()?;
        Some(match may_begin(state, now, &seal) {
            Ok(()) => {
                let (halt, stopper) = Halt::with_stopper();
                self.placed.insert(seal.id, (Intent::clone(&seal), stopper));
                Turn::Begin(Box::new(seal), halt)
            }
            Err(why) => Turn::Not(seal.id, why),
        })
    }

    /// Says to each effect under way whether it may make one more change, by what is known now.
    pub fn watch(&self, state: &State, now: Moment) {
        for (intent, stopper) in self.placed.values() {
            stopper.says(may_begin(state, now, intent).err());
        }
    }

    /// No effect under way makes one more change, until there is another [look](Self::watch).
    pub fn halt(&self, why: &str) {
        for (_, stopper) in self.placed.values() {
            stopper.says(Some(why.to_owned()));
        }
    }

    /// An effect has come to its end, and gives its place back.
    pub fn ended(&mut self, intent: Seq) {
        self.placed.remove(&intent);
    }

    /// All that wait: they will not begin.
    pub fn drain(&mut self) -> impl Iterator<Item = Sealed<Intent>> {
        self.waiting.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::action::Action;
    use paramedic_policies::remediation::restart;

    use super::*;
    use crate::fakes;

    fn at(minutes: i64) -> Moment {
        Moment::from_unix_ms(minutes * 60_000)
    }

    fn intent(id: u64, deadline: i64) -> Intent {
        let intent = fakes::intent(Action::Restart(restart::Action { generation: 3 }));
        Intent { id: Seq(id), deadline: at(deadline), ..intent }
    }

    /// All places are taken, and these wait.
    fn full(waiting: &[(u64, i64)]) -> Turns {
        let mut turns = Turns::default();
        for id in 1..=EFFECTS_AT_ONCE as u64 {
            let (_, stopper) = Halt::with_stopper();
            turns.placed.insert(Seq(id), (intent(id, 120), stopper));
        }
        for (id, deadline) in waiting {
            turns.push(fakes::sealed(intent(*id, *deadline)));
        }
        turns
    }

    fn not_begun(turns: &mut Turns, minutes: i64) -> Vec<u64> {
        let turn = || turns.next(&State::new(), at(minutes));
        let ended = std::iter::from_fn(turn).map(|turn| match turn {
            Turn::Not(id, why) => {
                assert_eq!(why, "too many effects are under way, and its deadline came");
                id.0
            }
            Turn::Begin(seal, _) => panic!("there is no place for {}", seal.id),
        });
        ended.collect()
    }

    #[test]
    fn one_whose_time_is_over_ends_behind_one_that_has_more() {
        let mut turns = full(&[(11, 120), (12, 10), (13, 30), (14, 10)]);
        assert_eq!(not_begun(&mut turns, 9), [0; 0], "all have time, and none has a place");
        assert_eq!(not_begun(&mut turns, 10), [12, 14]);
        assert_eq!(not_begun(&mut turns, 119), [13]);
        assert_eq!(turns.drain().map(|seal| seal.id.0).collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn the_first_of_those_in_time_is_next_where_there_is_a_place() {
        let mut turns = full(&[(11, 120), (12, 10), (13, 120)]);
        turns.ended(Seq(1));
        assert_eq!(turns.next(&State::new(), at(10)).map(id), Some(12), "it is late");
        // A state without a leader lets none begin, and says so in its turn.
        assert_eq!(turns.next(&State::new(), at(10)).map(id), Some(11));
        assert_eq!(turns.next(&State::new(), at(10)).map(id), Some(13));
    }

    fn id(turn: Turn) -> u64 {
        match turn {
            Turn::Not(id, _) => id.0,
            Turn::Begin(seal, _) => seal.id.0,
        }
    }
}
