//! The committer: one thread that owns the journal, so that appends happen one at a time and in order. While one block is
//! being synced the loop collects the next, which is the group commit. After any failure everything that follows fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use paramedic_policies::state::State;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};
use tokio::sync::{mpsc, oneshot};

/// How many blocks may wait. The loop keeps one in flight; the rest is slack.
const QUEUE_BLOCKS: usize = 16;

/// How long closing may take.
pub(crate) const CLOSES_WITHIN: Duration = Duration::from_secs(10);

enum Work {
    Append(Block, oneshot::Sender<Result<Receipt, JournalError>>),
    Checkpoint(Box<State>, oneshot::Sender<Result<(), JournalError>>),
    Look(oneshot::Sender<Result<(), JournalError>>),
    Stop(oneshot::Sender<()>),
}

/// The thread.
#[derive(Debug)]
pub struct Committer {
    handle: CommitterHandle,
    thread: JoinHandle<()>,
}

/// Hands work to the thread.
#[derive(Debug, Clone)]
pub struct CommitterHandle {
    queue: mpsc::Sender<Work>,
    checkpoint_due: Arc<AtomicBool>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn spawn(journal: impl Journal + 'static) -> std::io::Result<Self> {
        Self::spawn_looking(journal, || Ok(()))
    }

    /// Starts the thread for a journal that can also be looked at while nothing is written.
    ///
    /// # Errors
    /// As for [`spawn`](Self::spawn).
    pub fn spawn_looking(
        journal: impl Journal + 'static,
        look: impl Fn() -> Result<(), JournalError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, work) = mpsc::channel(QUEUE_BLOCKS);
        let checkpoint_due = Arc::new(AtomicBool::new(false));
        let due = Arc::clone(&checkpoint_due);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run(journal, look, work, &due))?;
        Ok(Self { handle: CommitterHandle { queue, checkpoint_due }, thread })
    }

    /// Something to hand work over with.
    pub fn handle(&self) -> CommitterHandle {
        self.handle.clone()
    }

    /// Finishes what is queued, then closes the journal. Later work fails. A thread that does not end in time, on a
    /// disk that hangs, is left behind.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        let closed = async {
            // When the thread is gone already, there is nothing to wait for.
            if self.handle.queue.send(Work::Stop(done)).await.is_ok() {
                let _ = stopped.await;
            }
        };
        if tokio::time::timeout(CLOSES_WITHIN, closed).await.is_err() {
            tracing::error!(
                waited_s = CLOSES_WITHIN.as_secs(),
                "the journal did not close in time; its thread is left behind, look at the disk"
            );
            return;
        }
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the journal's thread did not end well");
        }
    }
}

impl CommitterHandle {
    /// Makes a block durable. It is queued when the future is first polled, so poll it before the next block's; it is
    /// waited for while the queue is full.
    pub fn append(&self, block: Block) -> impl Future<Output = Result<Receipt, JournalError>> + Send + use<> {
        let (done, receipt) = oneshot::channel();
        self.hand_over(Work::Append(block, done), receipt)
    }

    /// Writes a checkpoint; the state is the fold of all blocks handed over so far.
    pub fn checkpoint(&self, state: State) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let (done, written) = oneshot::channel();
        self.hand_over(Work::Checkpoint(Box::new(state), done), written)
    }

    /// Looks whether the journal still stands where it was opened.
    pub fn look(&self) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let (done, seen) = oneshot::channel();
        self.hand_over(Work::Look(done), seen)
    }

    /// Whether a checkpoint was due after the last block.
    pub fn wants_checkpoint(&self) -> bool {
        self.checkpoint_due.load(Ordering::Acquire)
    }

    fn hand_over<T: Send + 'static>(
        &self,
        work: Work,
        answer: oneshot::Receiver<Result<T, JournalError>>,
    ) -> impl Future<Output = Result<T, JournalError>> + Send + use<T> {
        let queue = self.queue.clone();
        async move {
            queue.send(work).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        }
    }
}

fn closed() -> JournalError {
    JournalError {
        tried: "hand a block to the journal".to_owned(),
        problem: "the journal is closed".to_owned(),
    }
}

fn run(
    mut journal: impl Journal,
    look: impl Fn() -> Result<(), JournalError>,
    mut work: mpsc::Receiver<Work>,
    due: &AtomicBool,
) {
    let mut failed: Option<String> = None;
    while let Some(next) = work.blocking_recv() {
        // Whoever asked may be gone; what was written stays written.
        match next {
            Work::Append(block, done) => {
                let last = block.records.last().map(|record| record.at);
                let result = guarded(&mut failed, || journal.append(&block));
                if let (Ok(_), Some(at)) = (&result, last) {
                    due.store(journal.wants_checkpoint(at), Ordering::Release);
                }
                let _ = done.send(result);
            }
            Work::Checkpoint(state, done) => {
                let result = guarded(&mut failed, || journal.checkpoint(&state));
                due.store(false, Ordering::Release);
                let is_written = result.is_ok();
                let _ = done.send(result);
                if is_written {
                    // Nobody waits for it but the next block.
                    let _ = guarded(&mut failed, || {
                        journal.drop_old();
                        Ok(())
                    });
                }
            }
            Work::Look(done) => {
                let _ = done.send(guarded(&mut failed, &look));
            }
            Work::Stop(done) => {
                work.close();
                drop((journal, look));
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Runs one piece of work; after a failure, or a panic below us, none any more.
fn guarded<T>(
    failed: &mut Option<String>,
    work: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    if let Some(problem) = failed {
        let problem = format!("it failed before: {problem}");
        return Err(JournalError { tried: "write to the journal".to_owned(), problem });
    }
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let problem = "the store panicked; see the log".to_owned();
        Err(JournalError { tried: "write to the journal".to_owned(), problem })
    });
    if let Err(error) = &result {
        *failed = Some(error.to_string());
    }
    result
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use paramedic_policies::time::Moment;

    use super::*;

    /// A journal on a disk that hangs until the test lets go.
    struct Hanging(Receiver<()>);

    impl Journal for Hanging {
        fn append(&mut self, _: &Block) -> Result<Receipt, JournalError> {
            Err(closed())
        }
        fn wants_checkpoint(&self, _: Moment) -> bool {
            false
        }
        fn checkpoint(&mut self, _: &State) -> Result<(), JournalError> {
            let _ = self.0.recv();
            Err(closed())
        }
    }

    /// A journal whose old partitions take until the test lets go.
    struct Hoarding(Receiver<()>);

    impl Journal for Hoarding {
        fn append(&mut self, _: &Block) -> Result<Receipt, JournalError> {
            Err(closed())
        }
        fn wants_checkpoint(&self, _: Moment) -> bool {
            false
        }
        fn checkpoint(&mut self, _: &State) -> Result<(), JournalError> {
            Ok(())
        }
        fn drop_old(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[tokio::test]
    async fn a_checkpoint_is_answered_before_old_partitions_are_dropped() {
        let (let_go, held) = channel();
        let committer = Committer::spawn(Hoarding(held)).expect("a thread");
        committer.handle().checkpoint(State::default()).await.expect("written");
        drop(let_go);
        committer.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_hangs_is_left_behind() {
        let (let_go, held) = channel();
        let committer = Committer::spawn(Hanging(held)).expect("a thread");
        let mut written = Box::pin(committer.handle().checkpoint(State::default()));
        assert!(futures::poll!(&mut written).is_pending());
        let began = tokio::time::Instant::now();
        committer.stop().await;
        assert!(began.elapsed() >= CLOSES_WITHIN);
        drop(let_go);
        assert!(written.await.is_err());
    }
}
