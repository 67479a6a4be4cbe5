//! Mistakes about what was recorded: a journal that promises too early, and folds that forget.

use std::collections::BTreeMap;

use paramedic_policies::book::Digest;
use paramedic_policies::event::Record;
use paramedic_policies::state::{Ledger, State};
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

use super::super::disk::Disk;
use super::super::parts::fold;

/// Writes a block when the next one comes, and gives its receipt at once.
pub(super) struct Hasty {
    disk: Disk,
    promised: Option<Block>,
}

impl Hasty {
    pub(super) fn new(disk: Disk) -> Self {
        Self { disk, promised: None }
    }
}

impl Journal for Hasty {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        if let Some(promised) = self.promised.replace(block.clone()) {
            self.disk.append(&promised)?;
        }
        Ok(Receipt { first: block.first(), end: block.end(), root: Digest::default() })
    }

    fn wants_checkpoint(&self, now: Moment) -> bool {
        self.disk.wants_checkpoint(now)
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), JournalError> {
        self.disk.checkpoint(state)
    }
}

/// As if budgets lived in memory.
pub(super) fn without_charges(records: &[Record]) -> State {
    let mut state = fold(records);
    (state.ledger, state.last_actions) = (Ledger::default(), BTreeMap::new());
    state
}

/// As if nothing had been under way.
pub(super) fn without_doubt(records: &[Record]) -> State {
    let mut state = fold(records);
    state.in_flight.clear();
    state
}
