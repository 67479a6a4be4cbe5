//! Living in the world: takes webhooks, keeps the journal.

pub mod intake;
pub mod journal;
pub mod redaction;
