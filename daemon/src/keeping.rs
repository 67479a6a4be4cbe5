//! The sled journal behind the driver's ports: opened on a thread that may block, appended to through its committer,
//! read beside it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;
use paramedic_remediations::ports::journal::{Block, JournalError, Receipt};

use crate::causes::causes;
use crate::clock::Clock;
use crate::config::Retention;
use crate::driver::{Archive, Committer, Journals, Opened, ReadProblem};
use crate::journal::{
    Committer as Thread, CommitterHandle, Filter, HighWater, Known, OpenError, Options, Page, ReadError,
    Reader, Report, SledJournal, damage_hint,
};

/// A data directory.
pub struct SledJournals {
    dir: PathBuf,
    options: Options,
    clock: Arc<dyn Clock>,
    /// What was opened before, and how far it is acknowledged: nothing else is opened in its place.
    known: Arc<Mutex<Option<Known>>>,
}

impl SledJournals {
    /// The journal of this directory, kept that long.
    pub fn new(dir: PathBuf, retention: &Retention, clock: Arc<dyn Clock>) -> Self {
        let options = Options {
            period: retention.partition,
            keep_for: Some(retention.age),
            keep_bytes: Some(retention.size.0),
            ..Options::default()
        };
        Self { dir, options, clock, known: Arc::default() }
    }
}

#[async_trait]
impl Journals for SledJournals {
    async fn open(&self) -> Result<Opened, JournalError> {
        let (dir, now) = (self.dir.clone(), self.clock.wall());
        let options = Options { known: known(&self.known).clone(), ..self.options.clone() };
        let opened = tokio::task::spawn_blocking(move || {
            let (journal, recovered) =
                SledJournal::open(&dir, options, now).map_err(|error| unopened(&dir, &error))?;
            let reader = journal.reader();
            let look = journal.look();
            let thread = Thread::spawn_looking(journal, look)
                .map_err(|error| failed("start the journal's thread", &error))?;
            Ok((thread, reader, recovered))
        });
        let (thread, reader, recovered) = opened.await.unwrap_or_else(|_| {
            let problem = format!("the store panicked while it read it (hint: {})", damage_hint(&self.dir));
            Err(JournalError { tried: format!("open the journal in {}", self.dir.display()), problem })
        })?;
        let uuid = recovered.journal_uuid.clone();
        *known(&self.known) = Some(Known { uuid, durable: reader.high_water() });
        tracing::info!(
            records = recovered.state.next.0.saturating_sub(1),
            replayed = recovered.replayed,
            journal = recovered.journal_uuid,
            "journal is open"
        );
        Ok(Opened {
            state: recovered.state,
            uuid: recovered.journal_uuid,
            committer: Box::new(SledCommitter {
                handle: thread.handle(),
                thread,
                known: Arc::clone(&self.known),
            }),
            archive: Arc::new(SledArchive { reader: Arc::new(reader) }),
        })
    }
}

fn failed(tried: &str, error: &dyn std::error::Error) -> JournalError {
    JournalError { tried: tried.to_owned(), problem: error.to_string() }
}

fn unopened(dir: &std::path::Path, error: &OpenError) -> JournalError {
    let mut problem = causes(error);
    let hint = match error {
        // Whoever only reads could ask the daemon; this would be a second one.
        OpenError::InUse { .. } => Some(
            "another paramedic serves this folder: stop it, or give this one a folder of its own with --data-dir; after \
             an append that hung it may be this very process, until the disk answers"
                .to_owned(),
        ),
        OpenError::Newer { .. }
        | OpenError::NoJournal { .. }
        | OpenError::Lost { .. }
        | OpenError::Write(_) => error.hint(),
        OpenError::Read(error) => error.hint().map(|hint| hint.replace("DIR", &dir.display().to_string())),
    };
    if let Some(hint) = hint {
        problem = format!("{problem} (hint: {hint})");
    }
    JournalError { tried: format!("open the journal in {}", dir.display()), problem }
}

fn known(known: &Mutex<Option<Known>>) -> MutexGuard<'_, Option<Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SledCommitter {
    handle: CommitterHandle,
    thread: Thread,
    known: Arc<Mutex<Option<Known>>>,
}

impl Committer for SledCommitter {
    fn append(&self, block: Block) -> BoxFuture<'static, Result<Receipt, JournalError>> {
        let (appended, known_so_far) = (self.handle.append(block), Arc::clone(&self.known));
        async move {
            let receipt = appended.await?;
            if let Some(known) = &mut *known(&known_so_far) {
                known.durable = HighWater { next: receipt.end, root: receipt.root };
            }
            Ok(receipt)
        }
        .boxed()
    }

    fn wants_checkpoint(&self) -> bool {
        self.handle.wants_checkpoint()
    }

    fn checkpoint(&self, state: State) -> BoxFuture<'static, Result<(), JournalError>> {
        self.handle.checkpoint(state).boxed()
    }

    fn look(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.handle.look().boxed()
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.thread.stop().boxed()
    }
}

struct SledArchive {
    reader: Arc<Reader>,
}

impl SledArchive {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadProblem> {
        let reader = Arc::clone(&self.reader);
        match tokio::task::spawn_blocking(move || read(&reader)).await {
            Ok(result) => result.map_err(|error| ReadProblem { problem: causes(&error) }),
            Err(error) => Err(ReadProblem { problem: error.to_string() }),
        }
    }
}

#[async_trait]
impl Archive for SledArchive {
    async fn query(&self, filter: Filter) -> Result<Page, ReadProblem> {
        self.read(move |reader| reader.query(&filter)).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, ReadProblem> {
        self.read(move |reader| reader.record(seq)).await
    }

    async fn verify(&self) -> Result<Report, ReadProblem> {
        self.read(|reader| Ok(reader.verify())).await
    }
}
