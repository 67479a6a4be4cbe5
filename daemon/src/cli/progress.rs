//! A line on the terminal while a journal is read for longer than a moment. It must never stand between people and what a
//! command says: whatever is written takes it away first, and where nobody watches there is none.

use std::io::{IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use serde_json::Value;

use super::failure::Failure;
use super::records::{Listed, Records};
use crate::journal::Filter;

/// What takes no longer is not worth a line.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How often the line is written anew.
const EACH: Duration = Duration::from_millis(250);

/// The line that stands on the terminal, by its length. One for the process, as there is one terminal.
static STANDS: Mutex<usize> = Mutex::new(0);

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the line. One that cannot be written is no reason to stop.
fn show(line: &str) {
    let mut stands = locked(&STANDS);
    let mut err = std::io::stderr();
    let _ = write!(err, "\r{line:<width$}", width = *stands);
    let _ = err.flush();
    *stands = line.chars().count();
}

/// Takes the line away.
fn clear() {
    let mut stands = locked(&STANDS);
    if *stands > 0 {
        let mut err = std::io::stderr();
        let _ = write!(err, "\r{:width$}\r", "", width = *stands);
        let _ = err.flush();
        *stands = 0;
    }
}

/// A writer to the terminal that takes the line away before it writes.
pub(super) struct InPlaceOf<W>(pub(super) W);

impl<W: Write> Write for InPlaceOf<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        clear();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// How far it is.
#[derive(Debug, Default)]
struct Far {
    records: usize,
    /// When the last of them was written.
    at: Option<Moment>,
    /// Whether somebody waits for it right now.
    is_busy: bool,
    is_over: bool,
}

impl Far {
    /// The line after so long; none where nobody would wonder.
    fn line(&self, lasts: Duration) -> Option<String> {
        let Self { records, at, is_busy, is_over } = self;
        if !is_busy || *is_over || lasts < A_MOMENT {
            return None;
        }
        let read = match (records, at) {
            (0, _) | (_, None) => String::new(),
            (records, Some(at)) => {
                let at = at.to_string();
                format!(", {records} records, now at {}", at.get(..16).unwrap_or(&at))
            }
        };
        Some(format!("reading the journal: {} s{read}", lasts.as_secs()))
    }
}

/// Records that are watched while they are read.
pub(super) struct Watched {
    inner: Box<dyn Records>,
    progress: Progress,
}

/// The line, for as long as this lives.
struct Progress {
    far: Arc<Mutex<Far>>,
    teller: Option<JoinHandle<()>>,
}

impl Watched {
    /// Opens records so; what was opened is read so, too.
    ///
    /// # Errors
    /// What opening fails with.
    pub(super) fn open(
        open: impl FnOnce() -> Result<Box<dyn Records>, Failure>,
    ) -> Result<Box<dyn Records>, Failure> {
        let progress = Progress::new(std::io::stderr().is_terminal() && !cfg!(test));
        locked(&progress.far).is_busy = true;
        let inner = open();
        locked(&progress.far).is_busy = false;
        Ok(Box::new(Self { inner: inner?, progress }))
    }
}

impl Progress {
    fn new(is_watched: bool) -> Self {
        let far = Arc::new(Mutex::new(Far::default()));
        let told = far.clone();
        let teller = is_watched.then(|| {
            std::thread::spawn(move || {
                let begin = Instant::now();
                while !locked(&told).is_over {
                    std::thread::park_timeout(EACH);
                    // Held while it is written: who has read on writes after it.
                    let far = locked(&told);
                    if let Some(line) = far.line(begin.elapsed()) {
                        show(&line);
                    }
                }
            })
        });
        Self { far, teller }
    }

    async fn while_busy<T>(&self, reads: impl Future<Output = T>) -> T {
        locked(&self.far).is_busy = true;
        let read = reads.await;
        locked(&self.far).is_busy = false;
        read
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        locked(&self.far).is_over = true;
        if let Some(teller) = self.teller.take() {
            teller.thread().unpark();
            let _ = teller.join();
            clear();
        }
    }
}

#[async_trait]
impl Records for Watched {
    async fn page(&self, filter: &Filter) -> Result<Listed, Failure> {
        let page = self.progress.while_busy(self.inner.page(filter)).await?;
        let mut far = locked(&self.progress.far);
        far.records += page.items.len();
        far.at = page.items.last().map(|record| record.at).or(far.at);
        Ok(page)
    }

    async fn one(&self, seq: Seq) -> Result<Option<Record>, Failure> {
        self.progress.while_busy(self.inner.one(seq)).await
    }

    async fn oldest_state(&self) -> Result<Option<State>, Failure> {
        self.progress.while_busy(self.inner.oldest_state()).await
    }

    async fn verify(&self) -> Result<Value, Failure> {
        self.progress.while_busy(self.inner.verify()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::records::JournalArgs;
    use crate::cli::tests::fixture;

    #[tokio::test]
    async fn only_a_wait_of_more_than_a_moment_has_a_line() {
        let journal = fixture::journal();
        let args = JournalArgs { data_dir: Some(journal.path().into()), ..JournalArgs::default() };
        let inner = args.open().expect("a journal");
        let watched = Watched { inner, progress: Progress::new(false) };
        let page = watched.page(&Filter::default()).await.expect("records");
        let mut far = locked(&watched.progress.far);
        assert_eq!((far.records, far.is_busy), (page.items.len(), false));
        let long = Duration::from_secs(12);
        assert_eq!(far.line(long), None, "nobody waits");
        far.is_busy = true;
        assert_eq!(far.line(Duration::from_millis(900)), None);
        let line = far.line(long).expect("a line");
        assert_eq!(line, "reading the journal: 12 s, 28 records, now at 2026-11-21T09:20");
        far.is_over = true;
        assert_eq!(far.line(long), None);
    }
}
