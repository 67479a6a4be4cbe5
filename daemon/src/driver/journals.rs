//! The journal as the driver and the API see it: opened with its folded state, appended to, read. Behind it stands
//! sled, or memory in tests.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;
use paramedic_remediations::ports::journal::{Block, JournalError, Receipt};

use crate::journal::{Filter, Page, Report};

/// A place where a journal is, whether it is open or not.
#[async_trait]
pub trait Journals: Send + Sync {
    /// Opens the journal and folds its records. Whatever was opened before must have been dropped.
    ///
    /// # Errors
    /// When it cannot be opened, read or folded.
    async fn open(&self) -> Result<Opened, JournalError>;
}

/// An open journal.
pub struct Opened {
    /// The fold of its records.
    pub state: State,
    /// Its uuid.
    pub uuid: String,
    /// Takes blocks.
    pub committer: Box<dyn Committer>,
    /// Is read.
    pub archive: Arc<dyn Archive>,
}

/// Makes blocks durable, in the order in which they are handed over.
pub trait Committer: Send {
    /// Makes a block durable.
    ///
    /// # Errors
    /// The future fails when any of it may not be durable; nothing is taken afterwards.
    fn append(&self, block: Block) -> BoxFuture<'static, Result<Receipt, JournalError>>;

    /// Whether a new partition is due.
    fn wants_checkpoint(&self) -> bool;

    /// Opens a new partition with this state, the fold of all blocks appended so far.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn checkpoint(&self, state: State) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Looks whether the journal is still where it was opened, for times in which nothing is appended.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn look(&self) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Ends what is handed over and closes the journal.
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Reads records that are durable.
#[async_trait]
pub trait Archive: Send + Sync {
    /// A page of records.
    ///
    /// # Errors
    /// When reading fails.
    async fn query(&self, filter: Filter) -> Result<Page, ReadProblem>;

    /// One record.
    ///
    /// # Errors
    /// When reading fails.
    async fn record(&self, seq: Seq) -> Result<Option<Record>, ReadProblem>;

    /// Checks every root of the journal.
    ///
    /// # Errors
    /// When reading fails.
    async fn verify(&self) -> Result<Report, ReadProblem>;
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ReadProblem {
    /// What was tried, and what came back.
    pub problem: String,
}
