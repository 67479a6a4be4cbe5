//! What should happen, and why. Everything here is pure: no clock, no randomness, no files, no network.
//!
//! ```text
//!   YAML text --load--> Book ---.
//!                               v
//!   Input --> decide(&State, &Book, now, &Input) --> Vec<Event> --> apply(&mut State, now, &Event)
//!   (alerts, facts, outcomes,        |                                   ^
//!    orders, books, wake-ups)        '-- asks every guard, none          |
//!                                        short-circuits            wake(&State) --> when to call again
//! ```
//!
//! `decide` is total and cannot fail; `apply` reads nothing but the event, so folding it over the journal
//! gives back the state. Deliberately absent: tokio, kube, sled, reqwest, `SystemTime`.

pub mod action;
pub mod address;
pub mod alert;
pub mod answer;
pub mod book;
pub mod comparison;
pub mod counted;
pub mod endpoint;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod guard;
pub mod input;
pub mod lasting;
pub mod load;
pub mod matcher;
pub mod notifications;
pub mod order;
pub mod policy;
pub mod promql;
pub mod quantity;
pub mod question;
pub mod reason;
pub mod remediation;
pub mod ruling;
pub mod settings;
pub mod state;
pub mod target;
pub mod template;
pub mod time;
pub mod url;

pub use engine::{ALREADY_BACK, apply, decide, wake};
