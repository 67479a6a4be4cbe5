//! Effects in the order of their records, until there is a place for them. It must never let one begin that somebody has
//! stopped since it was decided.

use std::collections::VecDeque;

use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::guard::may_begin;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_remediations::Sealed;

/// Effects that have not begun. Guards keep them few.
#[derive(Debug, Default)]
pub(super) struct Turns(VecDeque<Sealed<Intent>>);

/// What becomes of the first of them.
#[derive(Debug)]
pub(super) enum Turn {
    /// It begins.
    Begin(Sealed<Intent>),
    /// It does not, and why.
    Not(Sealed<Intent>, String),
}

impl Turns {
    /// The last of them, for now.
    pub(super) fn push(&mut self, seal: Sealed<Intent>) {
        self.0.push_back(seal);
    }

    /// The first of them, where there is a place or its time is over.
    pub(super) fn next(&mut self, state: &State, now: Moment, has_place: bool) -> Option<Turn> {
        let is_late = self.0.front()?.deadline <= now;
        if !has_place && !is_late {
            return None;
        }
        let seal = self.0.pop_front()?;
        Some(if is_late {
            Turn::Not(seal, "too many effects are under way, and its deadline came".to_owned())
        } else {
            match may_begin(state, now, &seal) {
                Ok(()) => Turn::Begin(seal),
                Err(why) => Turn::Not(seal, why),
            }
        })
    }

    /// All that will not begin.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Sealed<Intent>> {
        self.0.drain(..)
    }
}

/// The outcome of an effect that did not begin: nothing was done.
pub(super) fn not_begun(why: &str) -> Outcome {
    Outcome::not_begun(why)
}
