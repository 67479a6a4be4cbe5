//! Why a journal could not be opened or read, each with what to do next. Deliberately absent: a way to go on with a
//! damaged journal; that is a person's decision.

use std::path::{Path, PathBuf};

use paramedic_policies::event::Seq;
use paramedic_remediations::ports::journal::JournalError;

use crate::causes::causes;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("journal in {} is in use by another process", .dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// A newer program wrote it. Nothing was touched.
    #[error("journal in {} has {what} {has}; this program reads up to {reads}", .dir.display())]
    Newer {
        /// The data directory.
        dir: PathBuf,
        /// Which version.
        what: &'static str,
        /// What the journal has.
        has: u32,
        /// What this program reads.
        reads: u32,
    },
    /// There is no journal, or what is there is not one.
    #[error("no journal in {}: {problem}", .dir.display())]
    NoJournal {
        /// The data directory.
        dir: PathBuf,
        /// What is there instead.
        problem: String,
    },
    /// It is not the journal that this process had open before. Nothing was touched.
    #[error("the journal that was open in {} is not there: {problem}", .dir.display())]
    Lost {
        /// The data directory.
        dir: PathBuf,
        /// What is there instead.
        problem: String,
    },
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The first partition could not be written.
    #[error(transparent)]
    Write(#[from] JournalError),
}

impl OpenError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => {
                Some("read it through the daemon: --server http://127.0.0.1:9911".to_owned())
            }
            Self::Newer { .. } => {
                Some("use the program that wrote it, or a newer one; nothing was changed".to_owned())
            }
            Self::NoJournal { .. } => Some("name the daemon's data directory with --data-dir DIR".to_owned()),
            Self::Lost { .. } => Some(
                "put the folder back as it was, and the daemon goes on by itself; to go on with another journal, \
                 stop the daemon and start it on that one"
                    .to_owned(),
            ),
            Self::Read(error) => error.hint(),
            Self::Write(_) => Some("look at free space and permissions of the data directory".to_owned()),
        }
    }
}

/// The file that says what the journal is.
pub(super) const IDENTITY: &str = "journal.json";

/// What to do with a damaged journal. Copied first: the store cuts a damaged end off when it opens.
pub fn damage_hint(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "copy the folder before anything opens it again (`cp -a {dir} {dir}.damaged`); `paramedic audit verify \
         --data-dir {dir}.damaged` names the damage, or opens it where only a start that did not come to its end left \
         something (`partitions/*/snap.*.generating`, removed by each opening); then restore a backup, or move the folder aside and begin anew \
         with `--mode approve`, since ceilings and cooldowns are empty then"
    )
}

fn is_read_only(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Why a journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("could not {tried}")]
    Io {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        #[source]
        source: std::io::Error,
    },
    /// The store refused.
    #[error("could not {tried}")]
    Store {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        #[source]
        source: sled::Error,
    },
    /// What is stored is not what was written.
    #[error("journal in {} is damaged: {what}: {problem}", .dir.display())]
    Damaged {
        /// The data directory.
        dir: PathBuf,
        /// Partition and block.
        what: String,
        /// What is wrong.
        problem: String,
    },
}

impl ReadError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if is_read_only(source) => Some(
                "the data directory must be writable even for reading, since the store locks and repairs what it \
                 opens: give this user the right to write, or read a copy (`cp -a DIR COPY` while no daemon runs, \
                 or from a snapshot, then `--data-dir COPY`)"
                    .to_owned(),
            ),
            Self::Io { .. } => Some("look at the data directory and its permissions".to_owned()),
            // The store found what it did not write; whoever knows the folder can say it better.
            Self::Store { source: sled::Error::Corruption { .. } | sled::Error::ReportableBug(_), .. } => {
                Some(damage_hint(Path::new("DIR")))
            }
            Self::Store { .. } => {
                Some("look at free space and the disk's health in the kernel log".to_owned())
            }
            Self::Damaged { dir, what, .. } if what == IDENTITY => Some(format!(
                "restore {IDENTITY} from a backup of {}: it holds the uuid that is part of every stamp; without one, \
                 move the folder aside and begin anew with `--mode approve`, since ceilings and cooldowns are empty then",
                dir.display()
            )),
            Self::Damaged { dir, .. } => Some(damage_hint(dir)),
        }
    }

    /// Partitions without the file that says what they are.
    pub(super) fn without_identity(dir: &Path) -> Self {
        let problem = "it is not there, and there are partitions".to_owned();
        Self::Damaged { dir: dir.to_owned(), what: IDENTITY.to_owned(), problem }
    }

    /// Of a file or directory.
    pub(super) fn io(tried: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let tried = format!("{tried} {}", path.display());
        move |source| Self::Io { tried, source }
    }

    /// Of a partition.
    pub(super) fn store(tried: &str, partition: &str) -> impl FnOnce(sled::Error) -> Self + use<> {
        let tried = format!("{tried} partition {partition}");
        move |source| Self::Store { tried, source }
    }

    /// Of a partition, or one of its blocks.
    pub(super) fn damaged(
        dir: &Path,
        partition: &str,
        block: Option<Seq>,
        problem: impl Into<String>,
    ) -> Self {
        let block = block.map(|first| format!(", block {first}")).unwrap_or_default();
        Self::Damaged {
            dir: dir.to_owned(),
            what: format!("partition {partition}{block}"),
            problem: problem.into(),
        }
    }
}

/// A failed write, in words that name the usual causes.
pub(super) fn cannot(tried: impl Into<String>, problem: &dyn std::error::Error) -> JournalError {
    let text = causes(problem);
    let plain = ["No space left on device", "Read-only file system", "Disk quota exceeded"];
    let problem = match plain.into_iter().find(|cause| text.contains(cause)) {
        Some("No space left on device") => format!("the disk is full ({text})"),
        Some("Read-only file system") => format!("the disk is mounted read-only ({text})"),
        Some(_) => format!("the disk quota is used up ({text})"),
        None => text,
    };
    JournalError { tried: tried.into(), problem }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_is_to_be_copied() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let error = ReadError::io("open", Path::new("/data/lock"))(Error::from(kind));
            let hint = error.hint().unwrap_or_default();
            assert!(hint.contains("`cp -a DIR COPY`"), "{hint}");
        }
        let error = ReadError::io("open", Path::new("/data/lock"))(Error::from(ErrorKind::NotADirectory));
        assert!(!error.hint().unwrap_or_default().contains("cp -a"));
    }
}
