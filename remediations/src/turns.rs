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

/// What becomes of the first that waits.
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

    /// The first that waits, where there is a place or its time is over. What begins has a place until it
    /// [ended](Self::ended).
    pub fn next(&mut self, state: &State, now: Moment) -> Option<Turn> {
        let first = self.waiting.front()?;
        let is_late = first.deadline <= now;
        if !is_late && self.placed.len() >= EFFECTS_AT_ONCE {
            return None;
        }
        let seal = self.waiting.pop_front()?;
        if is_late {
            let why = "too many effects are under way, and its deadline came".to_owned();
            return Some(Turn::Not(seal.id, why));
        }
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
