//! The audit journal on sled: blocks of records that are durable when `append` returns, partitions by time that open
//! with a checkpoint, and reading by time, episode, policy, target, intent and outcome.
//!
//! ```text
//!   Committer thread --Block--> SledJournal: one batch, flush, fsync --Receipt-->
//!                                    |
//!   DIR/journal.json   uuid, format  |  blocks, postings, checkpoints
//!   DIR/lock           one process   v
//!   DIR/partitions/<first seq>-<time>/   one sled database each; the newest is written
//!                                    ^
//!   Reader: query, record, verify (beside the writer, or alone on the directory)
//! ```
//!
//! It never says that a block is durable before every file it touched is synced, never skips a damaged block in
//! silence, never writes on into files that were removed under it, and never touches a journal that a newer program has written.

mod block;
mod checkpoint;
mod committer;
mod error;
mod filter;
mod ground;
mod index;
mod keys;
mod merkle;
mod meta;
mod partition;
mod query;
mod reader;
mod recover;
mod retention;
mod shared;
mod subjects;
mod term;
mod verify;
mod writer;

pub use block::read_block;
pub use committer::{Committer, CommitterHandle};
pub use error::{OpenError, ReadError, damage_hint};
pub use filter::{Filter, LIMIT_DEFAULT, LIMIT_MAX};
pub use query::Page;
pub use reader::Reader;
pub use recover::Recovered;
pub use shared::HighWater;
pub use verify::Report;
pub use writer::{Known, Options, SledJournal};
