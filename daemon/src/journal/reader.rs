//! Reading a journal, beside its writer or alone. Reads block on the disk, so they belong on a blocking thread.
//! It never shows what is not durable yet.

use std::path::Path;
use std::sync::Arc;

use paramedic_policies::state::State;

use super::checkpoint::{self, Which};
use super::error::{OpenError, ReadError};
use super::meta;
use super::partition;
use super::recover::{self, Replay, Unfolded};
use super::shared::{self, HighWater, Mark, Shared};

/// sled's memory when only reading.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a journal.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Opens a journal that no daemon has open. Nothing is begun where there is none.
    ///
    /// # Errors
    /// When there is no journal, another process has it, a newer program wrote it, it is damaged, or the disk refuses.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let none = |problem: &str| OpenError::NoJournal { dir: dir.to_owned(), problem: problem.to_owned() };
        let known = match meta::read(dir)? {
            Some(known) => known,
            None if partition::list(dir)?.is_empty() => return Err(none("there is no journal.json")),
            None => return Err(ReadError::without_identity(dir).into()),
        };
        let lock = shared::lock(dir)?;
        let replay = recover::replay::<Unfolded>(dir, CACHE_BYTES)?;
        let Replay { live, .. } = replay.ok_or_else(|| none("there are no partitions"))?;
        Ok(Self::of(Arc::new(Shared::new(dir, known, live, Mark::none(), lock))))
    }

    /// Names this journal for ever.
    pub fn journal_uuid(&self) -> &str {
        &self.shared.meta.uuid
    }

    /// The state before the oldest record that is kept.
    ///
    /// # Errors
    /// When the journal is damaged or the disk refuses.
    pub fn oldest_state(&self) -> Result<State, ReadError> {
        let oldest = self.shared.live().names.first().cloned();
        let Some(name) = oldest else { return Ok(State::new()) };
        let partition = self.shared.partition(&name)?;
        let checkpoint = checkpoint::read::<State>(&partition, Which::First)?;
        Ok(checkpoint.state.unwrap_or_else(State::new))
    }

    /// How far the journal is durable.
    pub fn high_water(&self) -> HighWater {
        self.shared.live().durable
    }
}
