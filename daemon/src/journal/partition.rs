//! One partition: a sled database in a directory of its own, with the handle by which it is really synced.
//!
//! sled's own `flush` is `sync_file_range`, so [`Partition::commit`] also syncs the `db` file. Values stay so small that
//! sled keeps them all in `db`; an entry in `blobs/` would not be covered, and is an error.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use paramedic_policies::event::Seq;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::JournalError;

use super::block::{Decoded, Header};
use super::error::{ReadError, cannot};
use super::ground::Ground;
use super::keys;
use super::meta::sync_dir;

/// sled's segment; see [`keys::VALUE_MAX`].
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;
/// How long a database that this process has just closed may keep its lock.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
/// How sled calls a snapshot until it is whole. It takes a left-over one for the newest, so it must not be there.
const HALF_MADE: &str = ".generating";

/// Where and when a partition begins: its directory's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The first sequence that it may hold.
    pub(super) first: Seq,
    /// When it was opened, to the second.
    pub(super) opened: Moment,
}

impl Name {
    /// The name of a partition that begins here and now.
    pub(super) fn new(first: Seq, opened: Moment) -> Self {
        let second = opened.unix_ms().div_euclid(1000) * 1000;
        Self { first, opened: Moment::from_unix_ms(second) }
    }

    /// Reads a directory's name; `None` when it is not a partition's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, at) = text.split_once('-')?;
        let part = |range: std::ops::Range<usize>| at.get(range);
        let (date, time) =
            ((part(0..4)?, part(4..6)?, part(6..8)?), (part(9..11)?, part(11..13)?, part(13..15)?));
        let rfc = format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2);
        let name = Self { first: Seq(first.parse().ok()?), opened: rfc.parse().ok()? };
        (name.to_string() == text).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at: String = self.opened.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let seconds = at.split('.').next().unwrap_or_default();
        write!(f, "{:020}-{seconds}Z", self.first.0)
    }
}

/// The directory of a journal's partitions.
pub(super) fn folder(dir: &Path) -> PathBuf {
    dir.join("partitions")
}

/// The partitions of a journal, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<Name>, ReadError> {
    let folder = folder(dir);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReadError::io("list", &folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(ReadError::io("list", &folder))?;
        names.extend(entry.file_name().to_str().and_then(Name::parse));
    }
    names.sort();
    Ok(names)
}

/// What one commit writes.
#[derive(Debug)]
pub(super) enum Change {
    /// One value, which is atomic by itself: a batch would cost a write and a wait more.
    One(Vec<u8>, Vec<u8>),
    /// Several, all or none.
    Many(sled::Batch),
}

/// An open partition.
#[derive(Debug)]
pub(super) struct Partition {
    dir: PathBuf,
    /// Its name.
    pub(super) name: Name,
    /// The database.
    pub(super) db: sled::Db,
    path: PathBuf,
    file: File,
    /// When an entry of `blobs/` last came or went, as far as it was looked at.
    blobs_seen: Mutex<Option<SystemTime>>,
}

impl Partition {
    /// Opens a partition of the journal in `dir`. What recovery will see is made durable first: after a crash it
    /// may stand only in the page cache, and what is believed must be on the disk.
    pub(super) fn open(dir: &Path, name: &Name, cache_bytes: u64) -> Result<Self, ReadError> {
        let path = folder(dir).join(name.to_string());
        let file_path = path.join("db");
        File::options()
            .write(true)
            .open(&file_path)
            .and_then(|file| file.sync_all())
            .map_err(ReadError::io("sync", &file_path))?;
        let partition = Self::open_at(dir, path, name.clone(), cache_bytes)?;
        partition.no_blobs().map_err(|problem| ReadError::damaged(dir, &name.to_string(), None, problem))?;
        Ok(partition)
    }

    fn open_at(dir: &Path, path: PathBuf, name: Name, cache_bytes: u64) -> Result<Self, ReadError> {
        let config = sled::Config::new()
            .path(&path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        let deadline = Instant::now() + RELEASE_WAIT;
        let db = loop {
            match remove_half_made(&path).and_then(|()| config.open()) {
                Ok(db) => break db,
                // A database that was just closed is let go by a background thread.
                Err(sled::Error::Io(error)) if is_locked(&error) && Instant::now() < deadline => {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err(error) => return Err(ReadError::store("open", &name.to_string())(error)),
            }
        };
        let file_path = path.join("db");
        let file = File::options().write(true).open(&file_path).map_err(ReadError::io("open", &file_path))?;
        Ok(Self { dir: dir.to_owned(), name, db, path, file, blobs_seen: Mutex::new(None) })
    }

    /// Creates a partition with this first content. It gets its name only when it is whole and durable; until then
    /// it is called `<name>.new`, and the next start removes it.
    pub(super) fn create(
        dir: &Path,
        name: Name,
        cache_bytes: u64,
        content: sled::Batch,
    ) -> Result<Self, JournalError> {
        let folder = folder(dir);
        let (path, new) = (folder.join(name.to_string()), folder.join(format!("{name}.new")));
        let tried = format!("create partition {name}");
        let create = || -> Result<(), ReadError> {
            if new.exists() {
                fs::remove_dir_all(&new).map_err(ReadError::io("remove", &new))?;
            }
            let partition = Self::open_at(dir, new.clone(), name.clone(), cache_bytes)?;
            partition.db.apply_batch(content).map_err(ReadError::store("write to", &name.to_string()))?;
            partition.db.flush().map_err(ReadError::store("flush", &name.to_string()))?;
            drop(partition);
            sync_tree(&new)?;
            fs::rename(&new, &path).map_err(ReadError::io("name", &path))?;
            sync_dir(&folder)
        };
        create().map_err(|error| cannot(&tried, &error))?;
        Self::open(dir, &name, cache_bytes).map_err(|error| cannot(tried, &error))
    }

    /// Applies a change as a whole and returns once every file that it touched is on the disk.
    pub(super) fn commit(&self, change: Change) -> Result<(), JournalError> {
        let tried = |what: &str| format!("{what} partition {} in {}", self.name, self.dir.display());
        let applied = match change {
            Change::One(key, value) => self.db.insert(key, value).map(drop),
            Change::Many(batch) => self.db.apply_batch(batch),
        };
        applied.map_err(|error| cannot(tried("write to"), &error))?;
        self.db.flush().map_err(|error| cannot(tried("flush"), &error))?;
        self.file.sync_all().map_err(|error| cannot(tried("sync"), &error))?;
        self.no_blobs().map_err(|problem| JournalError { tried: tried("sync"), problem })
    }

    /// Whether the files that it writes are still those under its name.
    pub(super) fn stands(&self, ground: &Ground) -> Result<(), JournalError> {
        ground.holds(&self.path.join("db"), &self.file)
    }

    /// Whether `blobs/` is empty; looked at again only when it has changed.
    fn no_blobs(&self) -> Result<(), String> {
        let blobs = self.path.join("blobs");
        let changed = match fs::metadata(&blobs).and_then(|meta| meta.modified()) {
            Ok(changed) => changed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("could not look at {}: {error}", blobs.display())),
        };
        let mut seen = self.blobs_seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *seen == Some(changed) {
            return Ok(());
        }
        let mut entries = fs::read_dir(&blobs).map_err(|error| error.to_string())?;
        if let Some(entry) = entries.next() {
            let name =
                entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
            return Err(format!("{} holds `{name}`, which is not synced with the rest", blobs.display()));
        }
        *seen = Some(changed);
        Ok(())
    }

    /// Bytes of its `db` file.
    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.len())
    }

    /// Damage in it.
    pub(super) fn damaged(&self, block: Option<Seq>, problem: impl Into<String>) -> ReadError {
        ReadError::damaged(&self.dir, &self.name.to_string(), block, problem)
    }

    fn failed(&self) -> impl FnOnce(sled::Error) -> ReadError {
        ReadError::store("read", &self.name.to_string())
    }

    /// All parts of a value, put together; `None` where there is none.
    pub(super) fn value(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let mut whole: Option<Vec<u8>> = None;
        for entry in self.db.scan_prefix(prefix) {
            let (_, part) = entry.map_err(self.failed())?;
            whole.get_or_insert_default().extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// The last key below `key` that begins with its first byte.
    pub(super) fn last_below(&self, key: &[u8]) -> Result<Option<(sled::IVec, sled::IVec)>, ReadError> {
        let found = self.db.get_lt(key).map_err(self.failed())?;
        Ok(found.filter(|(found, _)| found.first() == key.first()))
    }

    /// The block that begins with `first`.
    pub(super) fn block(&self, first: Seq) -> Result<Decoded, ReadError> {
        let stored = self.value(&keys::block(first))?;
        let stored = stored.ok_or_else(|| self.damaged(Some(first), "it is not there"))?;
        self.decoded(first, &stored)
    }

    fn decoded(&self, first: Seq, stored: &[u8]) -> Result<Decoded, ReadError> {
        let block = Decoded::read(stored).map_err(|problem| self.damaged(Some(first), problem))?;
        if block.header.first == first {
            Ok(block)
        } else {
            Err(self.damaged(Some(first), format!("its header says block {}", block.header.first)))
        }
    }

    /// The first sequence of the block that holds `seq`, if this partition has it.
    pub(super) fn first_of(&self, seq: Seq) -> Result<Option<Seq>, ReadError> {
        let found = self.last_below(&keys::block(seq.plus(1)))?;
        Ok(found.and_then(|(key, _)| keys::seq_of(&key)))
    }

    /// The header of the block that begins with `first`.
    pub(super) fn header(&self, first: Seq) -> Result<Header, ReadError> {
        let stored = self.db.get(keys::block(first)).map_err(self.failed())?;
        let stored = stored.ok_or_else(|| self.damaged(Some(first), "it is not there"))?;
        Header::read(&stored).map_err(|problem| self.damaged(Some(first), problem))
    }

    /// The sequence after its last record.
    pub(super) fn end(&self) -> Result<Seq, ReadError> {
        match self.first_of(Seq(u64::MAX - 1))? {
            Some(first) => Ok(self.header(first)?.end()),
            None => Ok(self.name.first),
        }
    }

    /// The blocks from the one that begins with `from`, in order.
    pub(super) fn blocks(&self, from: Seq) -> impl Iterator<Item = Result<Decoded, ReadError>> {
        let mut entries = self.db.range(keys::block(from)..[keys::BLOCK + 1; 9]).peekable();
        std::iter::from_fn(move || {
            let entry = entries.next()?;
            Some((|| {
                let (key, stored) = entry.map_err(self.failed())?;
                let first =
                    keys::seq_of(&key).ok_or_else(|| self.damaged(None, "a block's key is too short"))?;
                if key.len() != keys::block(first).len() {
                    return Err(self.damaged(Some(first), "its first part is not there"));
                }
                let mut whole = None;
                while let Some(Ok((next, _))) = entries.peek()
                    && next.starts_with(&key)
                {
                    let Some(Ok((_, part))) = entries.next() else { break };
                    whole.get_or_insert_with(|| stored.to_vec()).extend_from_slice(&part);
                }
                self.decoded(first, whole.as_deref().unwrap_or(&stored))
            })())
        })
    }
}

fn is_locked(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Removes the snapshot that an earlier opening left half-made: on a full disk, or when the power went. The one before
/// it is there still, for sled removes that only after the new one has its name. The lock is sled's own, so that
/// nothing is taken from a database that is still being closed.
fn remove_half_made(path: &Path) -> Result<(), sled::Error> {
    let db = match File::options().write(true).open(path.join("db")) {
        Ok(db) => db,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(sled::Error::Io(error)),
    };
    db.try_lock().map_err(|error| sled::Error::Io(error.into()))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(HALF_MADE) {
            tracing::warn!(file = %entry.path().display(), "removed a snapshot that an earlier start left half-made");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Syncs every file and directory below a new partition, then the directory itself.
fn sync_tree(path: &Path) -> Result<(), ReadError> {
    for entry in fs::read_dir(path).map_err(ReadError::io("list", path))? {
        let entry = entry.map_err(ReadError::io("list", path))?.path();
        if entry.is_dir() {
            sync_tree(&entry)?;
        } else {
            File::open(&entry).and_then(|file| file.sync_all()).map_err(ReadError::io("sync", &entry))?;
        }
    }
    sync_dir(path)
}
