//! The two functions at the heart.

use crate::book::Book;
use crate::event::Event;
use crate::input::Input;
use crate::state::State;
use crate::time::Moment;

/// What follows from an input. Pure and total.
pub fn decide(_state: &State, _book: &Book, _now: Moment, _input: &Input) -> Vec<Event> {
    Vec::new()
}

/// Changes the state by one event; reads nothing else.
pub fn apply(_state: &mut State, _now: Moment, _event: &Event) {}

/// When the engine next wants to be called.
pub fn wake(state: &State) -> Option<Moment> {
    state.agenda.first().map(|(moment, _)| *moment)
}
