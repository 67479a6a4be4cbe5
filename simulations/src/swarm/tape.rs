//! What the world saw, written down by the world itself: requests with their stamps and fates, blocks that reached the
//! disk, answers that were given, orders, messages, alerts that fired. Oracles read this and the disk's bytes, and nothing
//! of the engine. Nothing in here may come from the engine's state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paramedic_policies::alert::{Alert, Labels};
use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::order::Command;
use paramedic_policies::state::State;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use super::faults::Fault;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It never arrived.
    Lost,
    /// It was turned away unread.
    TurnedAway,
    /// It was read and refused.
    Refused,
    /// It was done.
    Made,
}

/// One request that may change something.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// When it left.
    pub(crate) sent_at: Moment,
    /// When its fate was decided.
    pub(crate) at: Moment,
    /// The sequence that the disk had made durable when it left: everything below.
    pub(crate) durable: Seq,
    /// The stamp it carries.
    pub(crate) stamp: String,
    /// On what.
    pub(crate) on: Target,
    /// What it would do; the same twice is the same request.
    pub(crate) what: String,
    /// What became of it.
    pub(crate) fate: Fate,
}

/// A block that was handed to the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handed {
    /// When.
    pub(crate) at: Moment,
    /// Its first record.
    pub(crate) first: Seq,
    /// The one after its last.
    pub(crate) end: Seq,
}

/// A delivery that was answered 200.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// When.
    pub(crate) at: Moment,
    /// What had been made durable by then.
    pub(crate) durable: Seq,
    /// The one after the last of the records that the answer names.
    pub(crate) end: Seq,
    /// Its own id.
    pub(crate) correlation: String,
    /// What it held.
    pub(crate) alerts: Vec<Alert>,
}

/// An operator's order that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    /// When.
    pub(crate) at: Moment,
    /// The one after the last record of it.
    pub(crate) end: Seq,
    /// What.
    pub(crate) command: Command,
    /// Why it was refused, where it was.
    pub(crate) refusal: Option<String>,
}

/// A message that a receiver has.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The records that called.
    pub(crate) pages: Vec<Seq>,
}

/// One life of the loop: where it began, and everything it was fed.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// The first sequence that it may write.
    pub(crate) from: Seq,
    /// What all records before fold to: made of the disk's bytes, and not what the process went on with.
    pub(crate) whole: Arc<State>,
    /// Inputs with the time that the process took them for.
    pub(crate) inputs: Vec<(Moment, Input)>,
}

/// Who has the lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reign {
    /// Since when.
    pub(crate) at: Moment,
    /// Whether it is this process.
    pub(crate) leads: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// Requests in the order in which their fates were decided.
    pub(crate) requests: Vec<Request>,
    /// Blocks in the order of handing over.
    pub(crate) blocks: Vec<Handed>,
    /// Deliveries that were acknowledged.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Orders that were answered.
    pub(crate) orders: Vec<Ordered>,
    /// Messages that arrived.
    pub(crate) told: Vec<Told>,
    /// When each alert fired, from and to.
    pub(crate) fired: BTreeMap<Labels, Vec<(Moment, Option<Moment>)>>,
    /// When the wall clock was moved, by how many milliseconds, drift included.
    pub(crate) bends: Vec<(Moment, i64)>,
    /// When the process was forgotten.
    pub(crate) crashes: Vec<Moment>,
    /// When the lease moved.
    pub(crate) reigns: Vec<Reign>,
    /// When the disk took no more, and when it was opened anew.
    pub(crate) broken: Vec<(Moment, Option<Moment>)>,
    /// Fields that people and controllers wrote.
    pub(crate) wrote: Vec<(Moment, Target)>,
    /// Lives of the loop.
    pub(crate) lives: Vec<Life>,
    /// What was found to differ when the journal was folded.
    pub(crate) unlike: Vec<String>,
    /// Why the engine got stuck, where it did.
    pub(crate) stuck: Option<String>,
    /// How often each fault was injected.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Lines for a transcript.
    pub(crate) lines: Vec<(Moment, String)>,
    /// Whether lines are kept.
    pub(crate) tells: bool,
}

/// A tape that everybody in the world writes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Tape>>);

impl Recorder {
    /// One that keeps lines for a transcript, or does not.
    pub(crate) fn new(tells: bool) -> Self {
        Self(Arc::new(Mutex::new(Tape { tells, ..Tape::default() })))
    }

    /// The tape.
    pub(crate) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault was injected.
    pub(crate) fn fault(&self, at: Moment, fault: Fault, on: &dyn std::fmt::Display) {
        let mut tape = self.tape();
        *tape.faults.entry(fault).or_default() += 1;
        if tape.tells {
            tape.lines.push((at, format!("~ {} {on}", fault.name())));
        }
    }

    /// A line for the transcript.
    pub(crate) fn line(&self, at: Moment, line: impl FnOnce() -> String) {
        let mut tape = self.tape();
        if tape.tells {
            let line = line();
            tape.lines.push((at, line));
        }
    }
}
