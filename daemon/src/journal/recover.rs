//! Opening a journal: the newest partition's last checkpoint, and the fold of what came after it. Every block read is
//! checked against its root and the chain; what does not fit is an error that names the block, never skipped.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use paramedic_policies::apply;
use paramedic_policies::event::{Record, SCHEMA, Seq};
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use serde::de::DeserializeOwned;

use super::checkpoint::{self, Checkpoint, Which};
use super::error::{OpenError, ReadError};
use super::index::{self, Tail};
use super::partition::{self, Partition};
use super::shared::{HighWater, Live, Mark};
use super::subjects::Subjects;

/// What opening a journal gave back.
#[derive(Debug)]
pub struct Recovered {
    /// The fold of all records.
    pub state: State,
    /// Names this journal for ever.
    pub journal_uuid: String,
    /// When the last record was made, where there is one.
    pub last_record_at: Option<Moment>,
    /// How many records were read after the last checkpoint.
    pub replayed: u64,
}

/// The newest partition, read to its end.
#[derive(Debug)]
pub(super) struct Replay<S> {
    pub(super) live: Live,
    pub(super) subjects: Subjects,
    pub(super) state: Option<S>,
    pub(super) last_record_at: Option<Moment>,
    pub(super) replayed: u64,
    /// The newest checkpoint.
    pub(super) checkpoint: Seq,
}

/// A state that records are folded into, or nothing.
pub(super) trait Fold: DeserializeOwned {
    /// Before the first record.
    fn empty() -> Self;
    /// One record further.
    fn fold(&mut self, record: &Record);
    /// When the last record was made.
    fn last_record_at(&self) -> Option<Moment>;
}

impl Fold for State {
    fn empty() -> Self {
        Self::new()
    }
    fn fold(&mut self, record: &Record) {
        apply(self, record.at, &record.event);
    }
    fn last_record_at(&self) -> Option<Moment> {
        (self.next > Seq(1)).then_some(self.now)
    }
}

/// For those who only read: no state is made.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Unfolded(#[allow(dead_code, reason = "only its absence matters")] serde::de::IgnoredAny);

impl Fold for Unfolded {
    fn empty() -> Self {
        Self(serde::de::IgnoredAny)
    }
    fn fold(&mut self, _: &Record) {}
    fn last_record_at(&self) -> Option<Moment> {
        None
    }
}

/// Removes what a crash left half-made or half-removed. Only for the writer.
pub(super) fn clear(dir: &Path) -> Result<(), ReadError> {
    let folder = partition::folder(dir);
    fs::create_dir_all(&folder).map_err(ReadError::io("create", &folder))?;
    for entry in fs::read_dir(&folder).map_err(ReadError::io("list", &folder))? {
        let path = entry.map_err(ReadError::io("list", &folder))?.path();
        if path.extension().is_some_and(|kind| kind == "new" || kind == "dropped") {
            fs::remove_dir_all(&path).map_err(ReadError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Reads the newest partition; `None` where there is none.
pub(super) fn replay<S: Fold>(dir: &Path, cache_bytes: u64) -> Result<Option<Replay<S>>, OpenError> {
    let names = partition::list(dir)?;
    let Some(name) = names.last() else { return Ok(None) };
    let newest = Partition::open(dir, name, cache_bytes)?;
    let Checkpoint { next: checkpoint, head, state, mut subjects } =
        checkpoint::read::<S>(&newest, Which::Last)?;
    let mut state = state.unwrap_or_else(S::empty);
    let mut last_record_at = state.last_record_at();
    // Postings may end before or after the checkpoint's place only if something is wrong before it.
    let mut tail = Tail::new(index::indexed(&newest)?.max(checkpoint));
    let mut durable = HighWater { next: checkpoint, root: head };
    for block in newest.blocks(checkpoint) {
        let block = block?;
        let damaged = |problem: String| newest.damaged(Some(block.header.first), problem);
        if block.header.first != durable.next {
            return Err(damaged(format!("it should begin with {}", durable.next)).into());
        }
        if block.header.previous != durable.root {
            return Err(damaged("it does not follow the block before it".to_owned()).into());
        }
        for record in block.records() {
            let record = record.map_err(damaged)?;
            if record.schema > SCHEMA {
                let (what, has) = ("record schema", record.schema);
                return Err(OpenError::Newer { dir: dir.to_owned(), what, has, reads: SCHEMA });
            }
            let terms = subjects.learn(&record);
            if record.seq >= tail.from() {
                tail.add(record.seq, &terms);
            }
            state.fold(&record);
            last_record_at = Some(record.at);
        }
        durable = HighWater { next: block.header.end(), root: block.header.chained() };
    }
    acknowledged(dir, &name.to_string(), durable)?;
    let replayed = durable.next.0 - checkpoint.0;
    let live = Live { names, newest: Arc::new(newest), tail, durable };
    Ok(Some(Replay { live, subjects, state: Some(state), last_record_at, replayed, checkpoint }))
}

/// Whether everything that was acknowledged is there.
pub(super) fn acknowledged(dir: &Path, newest: &str, durable: HighWater) -> Result<(), ReadError> {
    let Some(mark) = Mark::read(dir) else { return Ok(()) };
    if mark.next > durable.next {
        let problem = format!(
            "it ends before record {}, but records up to {} were acknowledged",
            durable.next,
            mark.next.0 - 1
        );
        return Err(ReadError::damaged(dir, newest, None, problem));
    }
    if mark.next == durable.next && mark.root != durable.root {
        let problem =
            format!("record {} is not the one that was acknowledged", mark.next.0.saturating_sub(1));
        return Err(ReadError::damaged(dir, newest, None, problem));
    }
    Ok(())
}
