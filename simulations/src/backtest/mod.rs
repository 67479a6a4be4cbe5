//! What policies would have done: the past's alerts go through the production engine and loop in virtual time, in mode
//! dry-run, and only counts are kept. Nothing of the engine is written again here, and what history cannot know is said,
//! never guessed.
//!
//! ```text
//!   History (deliveries, in order) --> Replay: WriteAhead, virtual time by `wake` --> Tally (the journal port)
//!                                        |  ^
//!                                   Facts: PromQL at that moment; `ALERTS` is history itself; the cluster is assumed
//!   two Replays over one history --> Differences: actions added, removed, altered, at another time
//! ```
//!
//! Deliberately absent: files, Prometheus, real time. The sources are the daemon's.

mod acted;
mod assumed;
mod differences;
mod doubts;
mod edits;
mod facts;
mod history;
mod names;
mod open_cases;
mod over;
mod peaks;
mod repeats;
mod replay;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod verdicts;
mod why;
mod window;

pub use acted::Acted;
pub use differences::{Altered, Change, OneSided, Plan, Retimed};
pub use doubts::Doubts;
pub use edits::{Edit, How, Rewritten};
pub use facts::{Facts, Learned, NoFacts};
pub use history::{Heard, History, HistoryError};
pub use over::{backtest, plan};
pub use replay::{Replay, Terms};
pub use report::{
    Asked, Blast, Busiest, DaySum, NotKnown, Peak, PolicySum, Refusal, Report, Storms, TargetSum, WorstAlert,
};
pub use tally::Tally;
pub use verdicts::{Comparison, Difference, Verdicts};
pub use why::{Because, Elsewhere, RefusedBy, Why};
