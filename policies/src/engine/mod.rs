//! The two functions at the heart, and when they want to be called.
//!
//! ```text
//!   decide   intake.rs  alerts -> Received, Opened, Closed, StormBegan
//!            agenda.rs  a wake-up -> the one thing that is due: a case, an expiry, a revert, a calm
//!            rule.rs    a case -> questions, or a ruling with what every guard said
//!            questions.rs  which facts a case needs, and which can be asked for now
//!            sequence.rs  a sequence that has begun: what it still needs, what is told where it ends
//!            follow.rs  a ruling, an outcome, a verification -> what follows from it
//!            verify.rs  a verification -> a question, a look, a verdict
//!            kept.rs    a case that guards have kept from acting for long
//!            lease.rs   a revert that is due
//!            orders.rs  operators, books, leadership, clock
//!            undo.rs    an operator wants an action taken back
//!            by_hand.rs  a policy that an operator runs, without an alert
//!            adoption.rs  what a new book ends, and what goes on
//!   apply    apply/     each event -> the state
//! ```
//!
//! `decide` answers a wake-up with the consequences of one due thing only; the loop wakes it again until
//! nothing is due. So each ruling sees the charges of the ruling before it.

mod adoption;
mod agenda;
mod apply;
pub(crate) mod by_hand;
mod follow;
mod intake;
mod kept;
mod lease;
mod orders;
mod page;
mod questions;
pub mod rule;
pub(crate) mod sequence;
mod storm;
pub mod undo;
mod verify;

use crate::book::Book;
use crate::event::Event;
use crate::input::Input;
use crate::state::{Duty, State};
use crate::time::{Moment, Span};

pub use apply::apply;
pub use intake::late;
pub use lease::ALREADY_BACK;

/// How long an effect may take, its rollout included; after this it has failed.
pub const EFFECT_DEADLINE: Span = Span::from_mins(10);

/// How often a step is tried whose attempts failed without an effect.
pub const ATTEMPTS_MAX: u32 = 3;

/// How long after its end an episode may still be repeated by a slow Alertmanager peer without being new.
pub const LATE_PEER: Span = Span::from_mins(5);

/// How many times a growing pause doubles at most: sixteen times the first.
const DOUBLINGS_MAX: u32 = 4;

/// The pause after so many failures before this one.
fn growing(first: Span, failures: u32) -> Span {
    Span::from_ms(first.ms().saturating_mul(1_u64 << failures.min(DOUBLINGS_MAX)))
}

/// What follows from an input. Pure and total.
///
/// `book` is the book in force; ladders that have begun finish under their own.
pub fn decide(state: &State, book: &Book, now: Moment, input: &Input) -> Vec<Event> {
    let events = match input {
        Input::Alerts(delivery) => intake::decide(state, book, now, delivery),
        Input::Told(answer) => orders::told(state, answer),
        Input::Ended { intent, outcome } => follow::ended(state, now, *intent, outcome),
        Input::Delivered { notice, receipt } => orders::delivered(state, *notice, receipt),
        Input::Order(order) => orders::order(state, now, order),
        Input::Adopt(source) => orders::adopt(state, source, None),
        Input::Reload { by, source } => orders::adopt(state, source, Some(by)),
        Input::ReloadRefused { by, why } => vec![Event::OrderRefused { by: by.clone(), why: why.clone() }],
        Input::Reign { leader, epoch } => orders::reign(state, *leader, *epoch),
        Input::Began { version } => vec![Event::Began { version: version.clone() }],
        Input::ClockStepped { by_ms } => vec![Event::ClockStepped { by_ms: *by_ms }],
        Input::Wake => agenda::decide(state, book, now),
    };
    by_hand::ends(state, events)
}

/// When the engine next wants to be called; a function of the state alone.
pub fn wake(state: &State) -> Option<Moment> {
    next_duty(state).map(|(moment, _)| moment)
}

/// What it then looks at.
pub fn next_duty(state: &State) -> Option<(Moment, &Duty)> {
    agenda::first(state)
}
