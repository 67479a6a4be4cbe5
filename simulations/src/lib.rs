//! Believing it: a small simulated Maestro cluster, and the production engine, loop and remediations run against it.
//! Nothing of them is written again here.
//!
//! ```text
//!   maestro.rs --> world/: workloads, services, series, troubles, alert rules      (data; time is an argument)
//!                    ^
//!   adapters/: Cluster, Hands, Http, Metrics  <-- Remedies <-- run.rs: WriteAhead, a journal in memory, virtual time
//! ```
//!
//! `scenario/` reads scenario files, plays them on this, and holds what happened against what they expect.
//!
//! `backtest/` replays the past through the same engine and loop: what policies would have done. `swarm/` makes worlds
//! full of faults from seeds, lives through them, and holds the laws against what the world saw.
//!
//! Deliberately absent: axum, sled, real time.

pub mod adapters;
pub mod alertmanager;
pub mod backtest;
pub mod maestro;
pub mod memory_journal;
pub mod run;
pub mod scenario;
pub mod swarm;
pub mod transcript;
pub mod world;

pub use adapters::SimulatedCluster;
pub use run::{Memory, Run};
