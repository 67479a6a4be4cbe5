//! The only writer: one batch per block, flushed and synced before the receipt is made. After any failure it takes
//! nothing more, because nobody can say what the failed block left behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use paramedic_policies::book::Digest;
use paramedic_policies::event::{SCHEMA, Seq};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

use super::error::{OpenError, ReadError, cannot};
use super::ground::Ground;
use super::index::Tail;
use super::meta::Meta;
use super::partition::{self, Change, Name, Partition};
use super::reader::Reader;
use super::recover::{self, Fold, Recovered, Replay};
use super::retention::{self, Ages};
use super::shared::{HighWater, Live, Mark, Shared};
use super::subjects::Subjects;
use super::{block, checkpoint, keys, meta};

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// A partition covers one such period, counted from the Unix epoch.
    pub period: Span,
    /// A partition of this many bytes is closed early.
    pub partition_bytes: u64,
    /// A checkpoint comes at least after this many records, so that opening stays quick.
    pub checkpoint_records: u64,
    /// Partitions older than this are dropped, at the latest two periods later, unless the clock is in doubt.
    pub keep_for: Option<Span>,
    /// Oldest partitions are dropped while there are more bytes than this.
    pub keep_bytes: Option<u64>,
    /// What sled may keep in memory.
    pub cache_bytes: u64,
    /// The journal that must be there, and how far; `None` opens any, and begins one where there is none.
    pub known: Option<Known>,
}

/// A journal that this process has had open before. Another in its place would be one without the ceilings, cooldowns
/// and intents of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its uuid.
    pub uuid: String,
    /// How far it was durable.
    pub durable: HighWater,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            period: Span::from_hours(24),
            partition_bytes: 1024 * 1024 * 1024,
            checkpoint_records: 100_000,
            keep_for: Some(Span::from_hours(90 * 24)),
            keep_bytes: Some(10 * 1024 * 1024 * 1024),
            cache_bytes: 64 * 1024 * 1024,
            known: None,
        }
    }
}

/// The journal on sled, for writing. Dropping it closes it.
#[derive(Debug)]
pub struct SledJournal {
    shared: Arc<Shared>,
    ground: Arc<Ground>,
    options: Options,
    partition: Arc<Partition>,
    subjects: Subjects,
    head: HighWater,
    /// The newest checkpoint of this partition.
    checkpoint: Seq,
    /// The time at which somebody last asked whether a checkpoint is due, in Unix milliseconds.
    asked_ms: AtomicI64,
    /// A partition was opened, so that old ones may go.
    drops: Option<Ages>,
    /// What went wrong first.
    failed: Option<String>,
    raw: Vec<u8>,
}

impl SledJournal {
    /// Opens the journal in `dir`, or begins one, and reads it to its end. `now` names the first partition.
    ///
    /// # Errors
    /// When another process has it, a newer program wrote it, it is damaged, or the disk refuses.
    pub fn open(dir: &Path, options: Options, now: Moment) -> Result<(Self, Recovered), OpenError> {
        let known = meta::read(dir)?;
        // Before anything is made: a folder that is gone must not become an empty journal.
        if let Some(wanted) = &options.known {
            wanted.is(dir, known.as_ref())?;
        }
        std::fs::create_dir_all(dir).map_err(ReadError::io("create", dir))?;
        let lock = super::shared::lock(dir)?;
        let known = match known {
            Some(mut known) if known.record_schema < SCHEMA => {
                known.record_schema = SCHEMA;
                meta::write(dir, &known)?;
                known
            }
            Some(known) => known,
            None if !partition::list(dir)?.is_empty() => {
                return Err(ReadError::without_identity(dir).into());
            }
            None => {
                let new = meta::create()?;
                meta::write(dir, &new)?;
                new
            }
        };
        recover::clear(dir)?;
        meta::sync_dir(dir)?;
        let replay = match recover::replay::<State>(dir, options.cache_bytes)? {
            Some(replay) => replay,
            None => begin(dir, &options, now)?,
        };
        let Replay { live, subjects, state, last_record_at, replayed, checkpoint } = replay;
        let (partition, head) = (Arc::clone(&live.newest), live.durable);
        if let Some(wanted) = &options.known {
            wanted.reaches(dir, head)?;
        }
        let ground = Arc::new(Ground::of(dir, &lock)?);
        let shared = Arc::new(Shared::new(dir, known, live, Mark::open(dir), lock));
        shared.note(head);
        let state = state.unwrap_or_else(State::empty);
        retention::apply(&shared, &options, Ages::of(&state))?;
        let recovered = Recovered { state, journal_uuid: shared.meta.uuid.clone(), last_record_at, replayed };
        let asked_ms = AtomicI64::new(now.unix_ms());
        let journal = Self {
            shared,
            ground,
            options,
            partition,
            subjects,
            head,
            checkpoint,
            asked_ms,
            drops: None,
            failed: None,
            raw: Vec::new(),
        };
        Ok((journal, recovered))
    }

    /// A reader of this journal, to be used beside it.
    pub fn reader(&self) -> Reader {
        Reader::of(Arc::clone(&self.shared))
    }

    /// Looks whether the journal still stands where it was opened; for times in which nothing is written.
    pub fn look(&self) -> impl Fn() -> Result<(), JournalError> + Send + use<> {
        let (shared, ground) = (Arc::clone(&self.shared), Arc::clone(&self.ground));
        move || {
            let newest = Arc::clone(&shared.live().newest);
            newest.stands(&ground)
        }
    }

    /// Does something that must not fail halfway: after the first failure, nothing is tried again.
    fn once<T>(
        &mut self,
        tried: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Some(problem) = &self.failed {
            let tried = format!("write to the journal in {}", self.shared.dir.display());
            return Err(JournalError { tried, problem: format!("it failed before: {problem}") });
        }
        let result = tried(self);
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        result
    }

    fn append_block(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        let refuse =
            |problem: String| JournalError { tried: format!("append block {}", block.first()), problem };
        let expected = (self.head.next.0..).map(Seq);
        if block.records.is_empty()
            || !block.records.iter().map(|record| record.seq).zip(expected).all(|(a, b)| a == b)
        {
            return Err(refuse(format!(
                "its records should be numbered from {} without a gap",
                self.head.next
            )));
        }
        let (header, value) = block::encode(block, self.head.root, &mut self.raw).map_err(refuse)?;
        let is_full = {
            // Readers stop at `durable`, so they do not see these yet.
            let mut live = self.shared.live_mut();
            for record in &block.records {
                let terms = self.subjects.learn(record);
                live.tail.add(record.seq, &terms);
            }
            live.tail.is_full()
        };
        let key = keys::block(header.first);
        self.partition.commit(if is_full || header.parts > 1 {
            let mut batch = sled::Batch::default();
            for (key, part) in keys::parts(&key, &value) {
                batch.insert(key, part);
            }
            if is_full {
                self.shared.live().tail.write(&mut batch);
            }
            Change::Many(batch)
        } else {
            Change::One(key.to_vec(), value)
        })?;
        self.partition.stands(&self.ground)?;
        self.head = HighWater { next: header.end(), root: header.chained() };
        {
            let mut live = self.shared.live_mut();
            live.durable = self.head;
            if is_full {
                live.tail = Tail::new(self.head.next);
            }
        }
        self.shared.note(self.head);
        Ok(Receipt { first: header.first, end: header.end(), root: self.head.root })
    }

    fn is_period_over(&self, now: Moment) -> bool {
        let period = i64::try_from(self.options.period.ms().max(1)).unwrap_or(i64::MAX);
        let of = |at: Moment| at.unix_ms().div_euclid(period);
        of(now) > of(self.partition.name.opened)
    }

    fn is_roll_due(&self, now: Moment) -> bool {
        self.head.next > self.partition.name.first
            && (self.is_period_over(now) || self.partition.bytes() >= self.options.partition_bytes)
    }

    fn write_checkpoint(&mut self, state: &State) -> Result<(), JournalError> {
        let next = self.head.next;
        let refuse =
            |problem: String| JournalError { tried: format!("write the checkpoint before {next}"), problem };
        if state.next != next {
            return Err(refuse(format!("the state is the one before {}", state.next)));
        }
        let now = state.now.max(Moment::from_unix_ms(self.asked_ms.load(Ordering::Relaxed)));
        let mut content = sled::Batch::default();
        checkpoint::write(&mut content, next, self.head.root, Some(state), &mut self.subjects)
            .map_err(refuse)?;
        if self.is_roll_due(now) { self.roll(content, now, Ages::of(state)) } else { self.refresh(content) }
    }

    /// Opens a new partition; the old one's index is written to its end first.
    fn roll(&mut self, content: sled::Batch, now: Moment, ages: Ages) -> Result<(), JournalError> {
        let next = self.head.next;
        let mut last = sled::Batch::default();
        if !self.shared.live().tail.is_empty() {
            self.shared.live().tail.write(&mut last);
            self.partition.commit(Change::Many(last))?;
        }
        let name = Name::new(next, now);
        let partition = Partition::create(&self.shared.dir, name.clone(), self.options.cache_bytes, content)?;
        self.partition = Arc::new(partition);
        {
            let mut live = self.shared.live_mut();
            live.names.push(name);
            live.newest = Arc::clone(&self.partition);
            live.tail = Tail::new(next);
        }
        self.partition.stands(&self.ground)?;
        self.checkpoint = next;
        self.drops = Some(ages);
        Ok(())
    }

    /// Writes a checkpoint into the partition, in place of the one before, unless that is the one it opens with.
    fn refresh(&mut self, mut content: sled::Batch) -> Result<(), JournalError> {
        let next = self.head.next;
        if self.checkpoint == next {
            return Ok(());
        }
        if self.checkpoint > self.partition.name.first {
            for key in self.partition.db.scan_prefix(keys::checkpoint(self.checkpoint)).keys() {
                content.remove(key.map_err(|error| cannot("read the checkpoint before", &error))?);
            }
        }
        self.shared.live().tail.write(&mut content);
        self.partition.commit(Change::Many(content))?;
        self.partition.stands(&self.ground)?;
        self.shared.live_mut().tail = Tail::new(next);
        self.checkpoint = next;
        Ok(())
    }
}

impl Journal for SledJournal {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        self.once(|journal| journal.append_block(block))
    }

    fn wants_checkpoint(&self, now: Moment) -> bool {
        self.asked_ms.store(now.unix_ms(), Ordering::Relaxed);
        self.is_roll_due(now) || self.head.next.0 - self.checkpoint.0 >= self.options.checkpoint_records
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), JournalError> {
        self.once(|journal| journal.write_checkpoint(state))
    }

    fn drop_old(&mut self) {
        let Some(ages) = self.drops.take() else { return };
        // Too many partitions are no reason to stop: it is tried again with the next one.
        if let Err(error) = retention::apply(&self.shared, &self.options, ages) {
            tracing::warn!(error = %crate::causes::causes(&error), "could not drop an old partition of the journal");
        }
    }
}

impl Known {
    fn is(&self, dir: &Path, found: Option<&Meta>) -> Result<(), OpenError> {
        let problem = match found {
            Some(meta) if meta.uuid == self.uuid => return Ok(()),
            Some(meta) => format!("there is another, {}, where {} was", meta.uuid, self.uuid),
            None => "there is none any more".to_owned(),
        };
        Err(OpenError::Lost { dir: dir.to_owned(), problem })
    }

    fn reaches(&self, dir: &Path, found: HighWater) -> Result<(), OpenError> {
        let Self { durable, .. } = self;
        let last = |at: HighWater| at.next.0.saturating_sub(1);
        let problem = if found.next < durable.next {
            format!("it ends with record {}, and record {} was durable", last(found), last(*durable))
        } else if found.next == durable.next && found.root != durable.root {
            format!("its record {} is not the one that was durable", last(found))
        } else {
            return Ok(());
        };
        Err(OpenError::Lost { dir: dir.to_owned(), problem })
    }
}

/// Begins a journal with an empty partition.
fn begin(dir: &Path, options: &Options, now: Moment) -> Result<Replay<State>, OpenError> {
    let (next, root) = (Seq(1), Digest::default());
    recover::acknowledged(dir, "(none)", HighWater { next, root })?;
    let mut subjects = Subjects::default();
    let mut content = sled::Batch::default();
    checkpoint::write(&mut content, next, root, None, &mut subjects)
        .map_err(|problem| JournalError { tried: "write the first checkpoint".to_owned(), problem })?;
    let name = Name::new(next, now);
    let newest = Arc::new(Partition::create(dir, name.clone(), options.cache_bytes, content)?);
    let live = Live { names: vec![name], newest, tail: Tail::new(next), durable: HighWater { next, root } };
    Ok(Replay { live, subjects, state: None, last_record_at: None, replayed: 0, checkpoint: next })
}
