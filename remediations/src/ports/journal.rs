//! Where records become durable.

use paramedic_policies::book::Digest;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;

/// Records that become durable together, in order, without a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// At least one.
    pub records: Vec<Record>,
}

impl Block {
    /// Sequence of its first record.
    pub fn first(&self) -> Seq {
        self.records.first().map_or(Seq(0), |record| record.seq)
    }

    /// Sequence after its last record.
    pub fn end(&self) -> Seq {
        self.records.last().map_or(Seq(0), |record| record.seq.plus(1))
    }
}

/// The proof that a block is durable. Only a journal makes one, and only after its fsync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The block's first sequence.
    pub first: Seq,
    /// The sequence after its last.
    pub end: Seq,
    /// The block's Merkle root, chained to the one before.
    pub root: Digest,
}

/// Why the journal did not take a block. Nothing of the block may be believed.
#[derive(Debug, thiserror::Error)]
#[error("could not {tried}: {problem}")]
pub struct JournalError {
    /// What was tried, on what.
    pub tried: String,
    /// What came back.
    pub problem: String,
}

/// Takes blocks in order. Blocking: it belongs on a thread of its own.
pub trait Journal: Send {
    /// Makes the block durable: every file that it touched is synced when this returns.
    ///
    /// # Errors
    /// When any of it may not be durable; the journal takes nothing more afterwards.
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError>;

    /// Whether a new partition is due at the time of the next block.
    fn wants_checkpoint(&self, now: paramedic_policies::time::Moment) -> bool;

    /// Opens a new partition with this state, which is the fold of all blocks appended so far.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn checkpoint(&mut self, state: &State) -> Result<(), JournalError>;

    /// Drops what is no longer kept. It may take long, so it comes after a checkpoint has been answered; what cannot be
    /// dropped is tried again after the next.
    fn drop_old(&mut self) {}
}
