//! What must hold of every run, judged by what the world saw and by the bytes on its disk. Oracles never read the engine's
//! mind: no state, no book as the engine loaded it, no clock of the process.

mod acknowledged;
mod ceilings;
mod clock;
mod ends;
mod facts;
mod folds;
mod halts;
mod leads;
mod once;
mod operators;
mod people;
mod protected;
mod recorded;
mod rest;
mod storm;
mod verdicts;

use std::collections::BTreeMap;

use paramedic_policies::action::Intent;
use paramedic_policies::alert::Labels;
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::time::{Moment, Span};

use super::plan::Plan;
use super::process::JOURNAL;
use super::tape::{Fate, Request, Tape};

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which oracle says so.
    pub oracle: &'static str,
    /// What it says.
    pub says: String,
}

/// What oracles judge by.
pub(crate) struct Evidence<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) tape: &'a Tape,
    /// When the run ended.
    pub(crate) ended: Moment,
    /// The records on the disk.
    pub(crate) records: &'a [Record],
    /// When each of them was handed to the disk.
    handed: Vec<Moment>,
    /// Recorded intents.
    pub(crate) intents: BTreeMap<Seq, Intent>,
}

/// How an oracle judges.
type Judge = fn(&Evidence<'_>, &mut Vec<String>);

/// All of them, with what each holds to.
pub(crate) const ORACLES: [(&str, &str, Judge); 17] = [
    ("recorded-first", "no effect without an earlier durable intent", recorded::judge),
    ("once", "no request twice for one intent", once::judge),
    ("ceilings", "no limit is exceeded in any window", ceilings::limits),
    ("blast-radius", "no more targets are hit in any window than allowed", ceilings::blast),
    ("hands-off", "nothing protected or owned by others is touched", protected::judge),
    ("fresh-facts", "nothing is done for an alert that does not fire", facts::judge),
    ("acknowledged", "what was acknowledged is on the disk", acknowledged::judge),
    ("verdicts", "one episode for each alert, one way to a verdict for each policy", verdicts::judge),
    ("ends", "every intent ends once, and ends as the world saw it", ends::judge),
    ("operators", "what people deny, pause or did not approve is not done", operators::judge),
    ("halts", "what is stopped while it is under way makes no further change", halts::judge),
    ("storm", "in a storm, and until it is over, nothing is done that was to be withheld", storm::judge),
    ("clock", "while the clock is in doubt nothing is decided", clock::judge),
    ("leads", "while another process leads nothing is decided and nothing begins", leads::judge),
    ("folds", "the journal folds to the state, and the inputs make the same journal again", folds::judge),
    ("people", "what nobody knows the end of is told to a person", people::judge),
    ("rest", "after the faults stop, everything comes to rest in time", rest::judge),
];

/// All that does not hold.
pub(crate) fn judge(plan: &Plan, tape: &Tape, records: &[Record], ended: Moment) -> Vec<Violation> {
    let evidence = Evidence::new(plan, tape, records, ended);
    let mut found = Vec::new();
    for (oracle, _, judge) in ORACLES {
        let mut says = Vec::new();
        judge(&evidence, &mut says);
        found.extend(says.into_iter().map(|says| Violation { oracle, says }));
    }
    found
}

impl<'a> Evidence<'a> {
    fn new(plan: &'a Plan, tape: &'a Tape, records: &'a [Record], ended: Moment) -> Self {
        // Of several blocks with one record, the last is the one that stayed.
        let mut handed = vec![plan.begins; records.len()];
        for block in &tape.blocks {
            for seq in block.first.0..block.end.0 {
                if let Some(at) = handed.get_mut(position(Seq(seq))) {
                    *at = block.at;
                }
            }
        }
        let intents = records.iter().filter_map(|record| match &record.event {
            Event::Intended { intent } => Some((intent.id, Intent::clone(intent))),
            _ => None,
        });
        let intents = intents.collect();
        Self { plan, tape, ended, records, handed, intents }
    }

    /// When a record was handed to the disk.
    pub(crate) fn handed(&self, seq: Seq) -> Moment {
        self.handed.get(position(seq)).copied().unwrap_or(self.ended)
    }

    /// The record of this sequence.
    pub(crate) fn record(&self, seq: Seq) -> Option<&Record> {
        self.records.get(position(seq)).filter(|record| record.seq == seq)
    }

    /// Intents that changed the world, in the order of their records.
    pub(crate) fn made(&self) -> Vec<&Intent> {
        let made = self.tape.requests.iter().filter(|request| request.fate == Fate::Made);
        let mut seqs: Vec<Seq> = made.filter_map(stamped).collect();
        seqs.sort_unstable();
        seqs.dedup();
        seqs.iter().filter_map(|seq| self.intents.get(seq)).collect()
    }

    /// How far the wall clock was moved in a stretch of true time, forward and backward added up.
    pub(crate) fn bent(&self, from: Moment, to: Moment) -> Span {
        let within = self.tape.bends.iter().filter(|(at, _)| from <= *at && *at <= to);
        Span::from_ms(within.map(|(_, by)| by.unsigned_abs()).sum())
    }

    /// What an episode's labels are, without those of replicas.
    pub(crate) fn identity(&self, labels: &Labels) -> Labels {
        let dropped = &self.plan.source.settings.episodes.dropped_labels;
        let kept = labels.iter().filter(|(name, _)| !dropped.contains(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn position(seq: Seq) -> usize {
    usize::try_from(seq.0).unwrap_or(usize::MAX).wrapping_sub(1)
}

/// The sequence in a request's stamp.
pub(crate) fn stamped(request: &Request) -> Option<Seq> {
    let number = request.stamp.strip_prefix(JOURNAL)?.strip_prefix('-')?;
    number.parse().ok().map(Seq)
}
