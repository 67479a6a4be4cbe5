//! What the writer and the readers of one open journal share. The writer changes it only in memory and only briefly;
//! a reader takes what it needs and lets go before it reads from the disk.

use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use serde::Serialize;

use super::error::{OpenError, ReadError};
use super::index::{self, Tail};
use super::meta::Meta;
use super::partition::{Name, Partition};

/// How many closed partitions stay open for reading.
const OLDER_MAX: usize = 2;
/// Closed partitions are read now and then; the cache is for the newest.
const OLDER_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// How far the journal is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HighWater {
    /// The sequence of the next record: all below are durable.
    pub next: Seq,
    /// The chained root over all of them.
    pub root: Digest,
}

/// The part that changes.
#[derive(Debug)]
pub(super) struct Live {
    /// Oldest first; the last one is written.
    pub(super) names: Vec<Name>,
    /// The one that is written.
    pub(super) newest: Arc<Partition>,
    /// The end of its index.
    pub(super) tail: Tail,
    /// How far readers may read.
    pub(super) durable: HighWater,
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Shared {
    /// The data directory.
    pub(super) dir: PathBuf,
    /// What it is.
    pub(super) meta: Meta,
    live: RwLock<Live>,
    older: Mutex<Vec<Arc<Partition>>>,
    mark: Mark,
    /// Held as long as this journal is open; the last field, so that it is released last.
    _lock: File,
}

impl Shared {
    pub(super) fn new(dir: &Path, meta: Meta, live: Live, mark: Mark, lock: File) -> Self {
        Self {
            dir: dir.to_owned(),
            meta,
            live: RwLock::new(live),
            older: Mutex::default(),
            mark,
            _lock: lock,
        }
    }

    pub(super) fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live_mut(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers how far the journal is durable, after it is.
    pub(super) fn note(&self, durable: HighWater) {
        self.mark.write(durable);
    }

    /// A partition for reading.
    pub(super) fn partition(&self, name: &Name) -> Result<Arc<Partition>, ReadError> {
        let newest = Arc::clone(&self.live().newest);
        if newest.name == *name {
            return Ok(newest);
        }
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match older.iter().position(|open| open.name == *name) {
            Some(at) => older.remove(at),
            None => Arc::new(self.open_older(name)?),
        };
        older.push(Arc::clone(&open));
        if older.len() > OLDER_MAX {
            older.remove(0);
        }
        Ok(open)
    }

    /// Opens a closed partition, and sees that it reaches to the next: the store cuts off what it cannot read.
    fn open_older(&self, name: &Name) -> Result<Partition, ReadError> {
        let partition = Partition::open(&self.dir, name, OLDER_CACHE_BYTES)?;
        let next = self.live().names.iter().find(|other| *other > name).map(|next| next.first);
        let end = partition.end()?.min(index::indexed(&partition)?);
        match next {
            Some(next) if next != end => {
                let problem = format!(
                    "it, or its index, ends before record {end}, but the next one begins with {next}"
                );
                Err(partition.damaged(None, problem))
            }
            Some(_) | None => Ok(partition),
        }
    }

    /// Closes a partition that is about to be removed.
    pub(super) fn forget(&self, name: &Name) {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| open.name != *name);
    }
}

/// Takes the lock of a data directory, or says who has it.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(ReadError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(ReadError::io("lock", &path)(error).into()),
    }
}

/// `DIR/high-water`: how far the journal was when it last acknowledged, written without a sync after each commit. The
/// store takes a damaged end for a torn one and cuts it off in silence; this shows what it cut.
#[derive(Debug)]
pub(super) struct Mark {
    file: Option<File>,
}

const MARK_BYTES: usize = 8 + 32 + 8;

impl Mark {
    /// Opens it for writing; without one, nothing is remembered (it is a check, not the truth).
    pub(super) fn open(dir: &Path) -> Self {
        let path = dir.join("high-water");
        Self { file: File::options().create(true).truncate(false).write(true).open(path).ok() }
    }

    /// For those who only read.
    pub(super) fn none() -> Self {
        Self { file: None }
    }

    /// Reads it; `None` where it is missing or torn.
    pub(super) fn read(dir: &Path) -> Option<HighWater> {
        let bytes = std::fs::read(dir.join("high-water")).ok()?;
        let (body, check) = bytes.first_chunk::<MARK_BYTES>()?.split_at(40);
        if Digest::of(body).bytes()[..8] != *check {
            return None;
        }
        let (next, root) = body.split_first_chunk::<8>()?;
        Some(HighWater {
            next: Seq(u64::from_be_bytes(*next)),
            root: Digest::from_bytes(root.try_into().ok()?),
        })
    }

    fn write(&self, durable: HighWater) {
        let mut bytes = [0_u8; MARK_BYTES];
        bytes[..8].copy_from_slice(&durable.next.0.to_be_bytes());
        bytes[8..40].copy_from_slice(durable.root.bytes());
        let check = Digest::of(&bytes[..40]);
        bytes[40..].copy_from_slice(&check.bytes()[..8]);
        // A mark that cannot be written only weakens a check of the next start.
        let _ = self.file.as_ref().map(|file| file.write_all_at(&bytes, 0));
    }
}
