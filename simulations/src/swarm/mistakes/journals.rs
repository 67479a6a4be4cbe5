//! Mistakes about what was recorded: a journal that promises too early, a checkpoint that lacks something, and folds that
//! forget.

use std::collections::BTreeMap;

use paramedic_policies::book::Digest;
use paramedic_policies::state::{Ledger, State};
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

use super::super::disk::Disk;

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

/// Leaves out of a checkpoint what is to be taken back.
pub(super) struct Thin(pub(super) Disk);

impl Journal for Thin {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        self.0.append(block)
    }

    fn wants_checkpoint(&self, now: Moment) -> bool {
        self.0.wants_checkpoint(now)
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), JournalError> {
        let mut state = state.clone();
        state.leases.clear();
        self.0.checkpoint(&state)
    }
}

/// As if budgets lived in memory.
pub(super) fn without_charges(mut state: State) -> State {
    (state.ledger, state.last_actions) = (Ledger::default(), BTreeMap::new());
    state
}

/// As if nothing had been under way.
pub(super) fn without_doubt(mut state: State) -> State {
    state.in_flight.clear();
    state
}
