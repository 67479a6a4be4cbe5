//! Worlds full of faults, made from seeds: the production engine, loop and remediations live through them in virtual time,
//! and oracles that never read the engine's mind hold the laws against what the world saw.
//!
//! ```text
//!   seed --> plan/: world, book, what happens when
//!              |
//!              v
//!   course.rs: traffic.rs, people.rs, weather (sky.rs) ---> process.rs: WriteAhead, errands, turns   (crashes, begins again)
//!              |                                              |           disk.rs  api_server.rs  pods.rs  prometheus.rs
//!              v                                              v              v
//!            tape.rs  <------- requests, blocks, answers -----'            bytes
//!              '--------------------> oracles/ <----------------------------'
//! ```
//!
//! One number reproduces a run. Mistakes (`mistakes/`) are wrappers around the parts of a process (`parts.rs`), by which the
//! oracles are tried; production knows nothing of them. Deliberately absent: real time, threads within a run, any chance
//! that is not the seed's.

mod api_server;
mod clocks;
mod course;
mod dice;
mod disk;
mod faults;
mod many;
mod mistakes;
mod oracles;
mod parts;
mod people;
mod plan;
mod pods;
mod process;
mod prometheus;
mod receiver;
mod refold;
mod report;
mod sky;
mod tape;
mod traffic;
mod transcript;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use paramedic_policies::event::Event;
use paramedic_policies::time::Span;

pub use faults::{FAULTS, Fault};
pub use many::{Seeds, many};
pub use mistakes::{MISTAKES, Mistake};
pub use oracles::Violation;
pub use report::Summary;

/// What one seed came to.
#[derive(Debug, Clone)]
pub struct Told {
    /// The seed.
    pub seed: u64,
    /// The laws that were broken.
    pub violations: Vec<Violation>,
    /// How much time passed in there.
    pub virtual_time: Span,
    /// Alerts that were acknowledged.
    pub alerts: u64,
    /// Records on the disk.
    pub records: u64,
    /// Intents among them.
    pub intents: u64,
    /// Requests that changed the world.
    pub effects: u64,
    /// Faults that were injected.
    pub faults: BTreeMap<Fault, u64>,
    /// What happened, where that was asked for.
    pub transcript: Vec<String>,
}

/// Runs one seed, with a mistake or without. Takes the same course every time.
pub fn run(seed: u64, mistake: Option<&Mistake>, tells: bool) -> Told {
    let ended = catch_unwind(AssertUnwindSafe(|| unguarded(seed, mistake, tells)));
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        let says = format!("something panicked: {text}");
        Told {
            seed,
            violations: vec![Violation { oracle: "no-panic", says }],
            virtual_time: Span::ZERO,
            alerts: 0,
            records: 0,
            intents: 0,
            effects: 0,
            faults: BTreeMap::new(),
            transcript: Vec::new(),
        }
    })
}

fn unguarded(seed: u64, mistake: Option<&Mistake>, tells: bool) -> Told {
    let plan = plan::Plan::of(seed);
    let mut parts = parts::Parts::right();
    if let Some(mistake) = mistake {
        mistake.plant(&mut parts);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing that could be missing");
    let left = runtime.block_on(async { course::Course::new(plan.clone(), parts, tells).run().await });
    drop(runtime);
    let tape = left.recorder.tape();
    let records = left.records;
    let violations = oracles::judge(&plan, &tape, &records, left.ended);
    let intents = records.iter().filter(|record| matches!(record.event, Event::Intended { .. })).count();
    let made = tape.requests.iter().filter(|request| request.fate == tape::Fate::Made).count();
    let transcript = if tells { transcript::told(&plan, &tape, &records, &violations) } else { Vec::new() };
    Told {
        seed,
        violations,
        virtual_time: left.ended.since(plan.begins),
        alerts: tape.acknowledged.iter().map(|one| one.alerts.len() as u64).sum(),
        records: records.len() as u64,
        intents: intents as u64,
        effects: made as u64,
        faults: tape.faults.clone(),
        transcript,
    }
}
