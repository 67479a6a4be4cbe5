//! Whether the journal still stands where it was opened. A process may go on writing into files that were removed or
//! replaced under it, and what it writes there is lost: so before anything counts as durable, the names are compared
//! with the files that are open. It must never write.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use paramedic_remediations::ports::journal::JournalError;

use super::error::ReadError;

/// A file, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(data: &Metadata) -> Self {
        Self(data.dev(), data.ino())
    }
}

/// The files that must stay under their names while the journal is open.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    dir: PathBuf,
    files: [(PathBuf, Identity); 2],
}

impl Ground {
    /// Remembers the identity file as it is now, and the lock that is held.
    pub(super) fn of(dir: &Path, lock: &File) -> Result<Self, ReadError> {
        let (meta, lock_path) = (dir.join("journal.json"), dir.join("lock"));
        let of_meta = std::fs::metadata(&meta).map_err(ReadError::io("look at", &meta))?;
        let of_lock = lock.metadata().map_err(ReadError::io("look at", &lock_path))?;
        let files = [(meta, Identity::of(&of_meta)), (lock_path, Identity::of(&of_lock))];
        Ok(Self { dir: dir.to_owned(), files })
    }

    /// Whether these files, and an open one of this path, are still there.
    pub(super) fn holds(&self, path: &Path, open: &File) -> Result<(), JournalError> {
        for (path, identity) in &self.files {
            self.is(path, *identity)?;
        }
        let open = open.metadata().map_err(|error| self.unseen(path, &error))?;
        self.is(path, Identity::of(&open))
    }

    fn is(&self, path: &Path, identity: Identity) -> Result<(), JournalError> {
        match std::fs::metadata(path) {
            Ok(data) if Identity::of(&data) == identity => Ok(()),
            Ok(_) => Err(self.gone(path, "is another file than the one that was opened")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(self.gone(path, "is not there any more"))
            }
            Err(error) => Err(self.unseen(path, &error)),
        }
    }

    fn gone(&self, path: &Path, what: &str) -> JournalError {
        JournalError {
            tried: format!("keep the journal in {}", self.dir.display()),
            problem: format!(
                "{} {what}: the folder was removed, moved or replaced under the running daemon (hint: put it back \
                 as it was, and the daemon goes on by itself; to begin with another journal, stop the daemon first)",
                path.display()
            ),
        }
    }

    fn unseen(&self, path: &Path, error: &std::io::Error) -> JournalError {
        JournalError {
            tried: format!("keep the journal in {}", self.dir.display()),
            problem: format!("could not look at {}: {error}", path.display()),
        }
    }
}
