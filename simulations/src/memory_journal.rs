//! A journal in memory: durable at once, for as long as the process lives.

use paramedic_policies::book::Digest;
use paramedic_policies::event::Record;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

/// All records, oldest first.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    records: Vec<Record>,
    root: Digest,
}

impl MemoryJournal {
    /// All records, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The state that they fold to.
    pub fn fold(&self) -> State {
        let mut state = State::new();
        for record in &self.records {
            paramedic_policies::apply(&mut state, record.at, &record.event);
        }
        state
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        let broken = |problem: String| JournalError { tried: "append a block in memory".to_owned(), problem };
        let next = self.records.last().map_or(1, |last| last.seq.0 + 1);
        if block.first().0 != next {
            return Err(broken(format!("it begins at {}, the journal ends before {next}", block.first())));
        }
        let text = serde_json::to_vec(&block.records).map_err(|error| broken(error.to_string()))?;
        self.root = Digest::of(&[self.root.bytes().as_slice(), &text].concat());
        self.records.extend(block.records.iter().cloned());
        Ok(Receipt { first: block.first(), end: block.end(), root: self.root })
    }

    fn wants_checkpoint(&self, _now: Moment) -> bool {
        false
    }

    fn checkpoint(&mut self, _state: &State) -> Result<(), JournalError> {
        Ok(())
    }
}
