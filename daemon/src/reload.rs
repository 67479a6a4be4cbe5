//! Policies from files: read at the start, on change, on SIGHUP and on `POST /-/reload`. A broken set is refused whole;
//! the book in force stays, and that is said in the log, in metrics and in `/readyz`. A stricter mode comes into force
//! even then. It must never put half a set into force, never take an empty folder for the wish to have no policies,
//! never make the mode laxer, and never rely on being told of a change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Digest, Source, SourceFile};
use paramedic_policies::load::{self, built_in};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::Moment;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::driver::NewBook;
use crate::http::tokens::TokensOut;
use crate::metrics::Metrics;

mod files;
mod reading;
mod watching;

pub use files::{FILE_BYTES_MAX, FILES_MAX, Found, found, source};
use files::{print, tzdb};
use reading::{Looked, Reading};
pub use reading::{no_policies, read};
use watching::Watching;

/// Files are read this long after the last change of a burst: a ConfigMap is swapped in several steps.
const QUIET: Duration = Duration::from_millis(300);

/// A burst that does not end is not waited for any longer.
const QUIET_MAX: Duration = Duration::from_secs(3);

/// The files are looked at this often whether or not anybody told of a change: a watch may be lost, a network's file
/// system has none.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A look at the files that takes longer is told, and each time that long again: a file system may hang, and whoever asks for
/// a reload waits behind it.
const STILL_AT_IT: Duration = Duration::from_secs(30);

/// Problems that `/readyz` repeats; the log has all.
const PROBLEMS_SHOWN: usize = 20;

/// How the book in force came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookStatus {
    /// Where it is from.
    pub from: BookFrom,
    /// Why what is on disk now is not in force, where it is not.
    pub broken: Option<Broken>,
    /// What the configuration has and is not in force, a sentence each: what waits for a restart, tokens that cannot be
    /// used.
    pub not_in_force: Vec<String>,
}

/// Where a book is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BookFrom {
    /// The files as they were read.
    Files,
    /// The journal: the files were broken when the daemon started.
    Journal,
}

/// A refused set of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// When it was refused.
    pub at: Moment,
    /// Why; at most a page of it.
    pub problems: Vec<String>,
}

/// A set of files that is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its name.
    pub digest: Digest,
    /// Policies in it.
    pub policies: usize,
    /// Whether it is another than before.
    pub changed: bool,
    /// What it is made of.
    pub source: Arc<Source>,
    /// Tokens that went out with this reload, a sentence each.
    pub tokens_out: Vec<String>,
    /// As in [`BookStatus`].
    pub not_in_force: Vec<String>,
}

/// What is read anew on each reload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// Policy files and folders.
    pub policies: Vec<PathBuf>,
    /// The settings that decisions depend on. Their mode is the one of the configuration; in force comes a stricter one
    /// only, for a laxer one waits for a restart.
    pub settings: Settings,
    /// What waits for a restart beside the mode, a sentence each.
    pub waits: Vec<String>,
    /// Files besides, whose change asks for a reading too: the configuration itself, the tokens.
    pub beside: Vec<PathBuf>,
}

/// Finds out what is wanted: the configuration file may have changed too. The error says all that is wrong.
pub type Want = Arc<dyn Fn() -> Result<Wanted, Vec<String>> + Send + Sync>;

/// Reads the tokens again, and says which are out.
pub type Also = Box<dyn Fn() -> TokensOut + Send>;

/// Somebody who asks for a reload, and waits for what comes of it.
struct Asker {
    by: String,
    answer: oneshot::Sender<Result<Loaded, Vec<String>>>,
}

/// Asks for a reload.
#[derive(Clone)]
pub struct Reloads {
    /// Without an asker where the watch has seen a change.
    asks: mpsc::Sender<Option<Asker>>,
}

impl Reloads {
    /// Reads the files now, for this operator, and says what came of it. The driver is told of a new book, and will have
    /// recorded it a little later.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub async fn now(&self, by: &str) -> Result<Loaded, Vec<String>> {
        let (answer, answered) = oneshot::channel();
        let gone = || vec!["the daemon is stopping".to_owned()];
        let asker = Asker { by: by.to_owned(), answer };
        self.asks.send(Some(asker)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// The task that loads.
pub struct Reloader {
    asks: mpsc::Receiver<Option<Asker>>,
    /// For the watch; it keeps nobody waiting who could be asked no more.
    own: mpsc::WeakSender<Option<Asker>>,
    want: Want,
    also: Also,
    looked: Looked,
    /// Whether to be told of changes, and not only look for them.
    watches: bool,
    watching: Option<Watching>,
    book: watch::Sender<Option<NewBook>>,
    status: watch::Sender<BookStatus>,
    /// Policies of the wanted book.
    policies: usize,
    /// What waited for a restart when the configuration could be read last.
    waits: Vec<String>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// What the first reading gave: the task, the way to ask it, the wanted book, how it came about.
pub struct Begun {
    /// The task.
    pub reloader: Reloader,
    /// The way to ask it.
    pub reloads: Reloads,
    /// The book that should be in force; none where the files are broken.
    pub book: watch::Receiver<Option<NewBook>>,
    /// How it came about.
    pub status: watch::Receiver<BookStatus>,
}

impl Reloader {
    /// Reads for the first time, under this mode at the most: the one that the process was made for. `also` runs before
    /// each later reading.
    pub fn begin(
        want: Want,
        at_most: Mode,
        also: Also,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Begun {
        let Reading { looked, result: first, configured: _ } = Reading::now(&want, Some(at_most), &[]);
        metrics.reloaded(first.is_ok());
        let policies = first.as_ref().map_or(0, |(_, policies)| *policies);
        let (source, status) = match first {
            Ok((source, policies)) => {
                tracing::info!(policies, digest = short(source.digest()), "policies read");
                let status = BookStatus { from: BookFrom::Files, broken: None, not_in_force: Vec::new() };
                (Some(NewBook { source, by: None }), status)
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!(
                        problem = in_one_line(problem),
                        "policies refused; no book is in force yet"
                    );
                }
                let broken = Some(Broken { at: clock.wall(), problems: shown(problems) });
                (None, BookStatus { from: BookFrom::Journal, broken, not_in_force: Vec::new() })
            }
        };
        let (ask, asks) = mpsc::channel(16);
        let own = ask.downgrade();
        let (book, book_seen) = watch::channel(source);
        let (status, status_seen) = watch::channel(status);
        let waits = Vec::new();
        let reloader = Self {
            asks,
            own,
            want,
            also,
            looked,
            watches: false,
            watching: None,
            book,
            status,
            policies,
            waits,
            clock,
            metrics,
        };
        Begun { reloader, reloads: Reloads { asks: ask }, book: book_seen, status: status_seen }
    }

    /// Wants the files that were adopted last, under the settings of today, since those on disk are broken. What is
    /// broken stays said.
    ///
    /// # Errors
    /// Everything that keeps them from loading under these settings; nothing is wanted then.
    pub fn fall_back(&mut self, adopted: Vec<SourceFile>, settings: Settings) -> Result<(), Vec<String>> {
        let source = built_in::with(Source { files: adopted, settings, tzdb: tzdb() });
        self.policies = match load::book(source.clone()) {
            Ok(book) if book.written() == 0 => {
                return Err(vec!["there is no policy in them".to_owned()]);
            }
            Ok(book) => book.written(),
            Err(problems) => return Err(problems.iter().map(ToString::to_string).collect()),
        };
        tracing::error!(
            digest = short(source.digest()),
            mode = %source.settings.mode,
            "policies are broken; the last adopted ones of the journal are in force, under today's settings"
        );
        self.book.send_replace(Some(NewBook { source: Arc::new(source), by: None }));
        Ok(())
    }

    /// The same, told of each change of a file by the system.
    #[must_use]
    pub fn watching(self) -> Self {
        Self { watches: true, ..self }
    }

    /// Loads whenever asked or something has changed, until nobody can ask any more.
    pub async fn run(mut self) {
        self.watch().await;
        // What changed since the first reading, nobody has seen.
        let mut patience = Duration::ZERO;
        loop {
            let asked = tokio::time::timeout(patience, self.asks.recv()).await;
            patience = LOOK_EVERY;
            let mut askers = match asked {
                Ok(None) => return,
                Ok(Some(ask)) => Vec::from_iter(ask),
                Err(_) if self.has_changed().await => Vec::new(),
                Err(_) => continue,
            };
            if askers.is_empty() {
                self.wait_for_quiet(&mut askers).await;
            }
            // Anew, since folders may be others under the same names; before reading, so that nothing is missed.
            self.watch().await;
            let tokens = (self.also)();
            let (want, at_most, before) = (Arc::clone(&self.want), self.mode(), self.looked.at.clone());
            let reading = tokio::task::spawn_blocking(move || Reading::now(&want, at_most, &before));
            let reading = told_where_slow(&self.looked.at, reading).await.unwrap_or_else(|error| Reading {
                looked: self.looked.clone(),
                configured: None,
                result: Err(vec![format!("reading broke: {error}")]),
            });
            let elsewhere = reading.looked.at != self.looked.at;
            self.looked = reading.looked.clone();
            if elsewhere {
                self.watch().await;
                patience = Duration::ZERO;
            }
            let result = self.settle(reading, tokens, askers.first().map(|asker| asker.by.clone()));
            for asker in askers {
                // Whoever asked may have gone.
                drop(asker.answer.send(result.clone()));
            }
        }
    }

    async fn watch(&mut self) {
        if !self.watches {
            return;
        }
        let (at, own) = (self.looked.at.clone(), self.own.clone());
        // A file system may hang.
        let begun = tokio::task::spawn_blocking(move || Watching::begin(&at, own));
        match told_where_slow(&self.looked.at, begun)
            .await
            .map_err(|error| error.to_string())
            .and_then(|begun| begun.map_err(|error| error.to_string()))
        {
            Ok(watching) => self.watching = Some(watching),
            Err(error) => {
                // The old one may still see some of it.
                tracing::warn!(
                    error,
                    "changed files are not seen at once; they are looked at every minute, on SIGHUP and POST /-/reload"
                );
            }
        }
    }

    /// Whether what stands on disk is another than at the last reading.
    async fn has_changed(&mut self) -> bool {
        let at = self.looked.at.clone();
        let looked = tokio::task::spawn_blocking(move || print(&at));
        match told_where_slow(&self.looked.at, looked).await {
            Ok(print) => print != self.looked.print,
            Err(_) => true,
        }
    }

    async fn wait_for_quiet(&mut self, askers: &mut Vec<Asker>) {
        let patience = tokio::time::Instant::now() + QUIET_MAX;
        while tokio::time::Instant::now() < patience {
            match tokio::time::timeout(QUIET, self.asks.recv()).await {
                Ok(Some(Some(asker))) => return askers.push(asker),
                Ok(Some(None)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The mode of the wanted book: later readings may lower it and not raise it.
    fn mode(&self) -> Option<Mode> {
        self.book.borrow().as_ref().map(|book| book.source.settings.mode)
    }

    fn settle(
        &mut self,
        Reading { looked: _, configured, result }: Reading,
        TokensOut { taken_out, unusable }: TokensOut,
        by: Option<String>,
    ) -> Result<Loaded, Vec<String>> {
        let before = self.mode();
        let result = result.and_then(|(source, policies)| match (self.policies, policies) {
            (1.., 0) => Err(vec![format!(
                "the new set holds no policy, and {} of before are in force (hint: to go on without any, start anew \
                 without --policies; to stop acting now, `paramedic pause`)",
                self.policies
            )]),
            _ => Ok((source, policies)),
        });
        self.metrics.reloaded(result.is_ok());
        match result {
            Ok((source, policies)) => {
                let (digest, mode) = (source.digest(), source.settings.mode);
                self.policies = policies;
                let changed = self.book.send_if_modified(|book| {
                    let changed = book.as_ref().is_none_or(|old| old.source.digest() != digest);
                    if changed {
                        *book = Some(NewBook { source: Arc::clone(&source), by });
                    }
                    changed
                });
                if changed {
                    tracing::info!(policies, digest = short(digest), "new policies");
                }
                lowered(before, mode);
                let not_in_force = self.not_in_force(configured, unusable);
                self.status.send_replace(BookStatus {
                    from: BookFrom::Files,
                    broken: None,
                    not_in_force: not_in_force.clone(),
                });
                Ok(Loaded { digest, policies, changed, source, tokens_out: taken_out, not_in_force })
            }
            Err(mut problems) => {
                refused(&problems);
                let broken = Broken { at: self.clock.wall(), problems: shown(problems.clone()) };
                let wanted = configured.as_ref().map(|(mode, _)| *mode);
                if let Some(mode) = wanted.filter(|mode| self.lower(*mode, by)) {
                    problems
                        .push(format!("the stricter mode of the configuration holds all the same: {mode}"));
                }
                let not_in_force = self.not_in_force(configured, unusable);
                problems.extend(taken_out);
                problems.extend(not_in_force.iter().cloned());
                self.status.send_modify(|status| {
                    status.broken = Some(broken);
                    status.not_in_force = not_in_force;
                });
                Err(problems)
            }
        }
    }

    /// Wants the book of before under this mode, where that is stricter: whoever lowers the mode does not wait for
    /// somebody to repair a policy.
    fn lower(&self, mode: Mode, by: Option<String>) -> bool {
        let before = self.mode();
        let is_lower = self.book.send_if_modified(|book| match book {
            Some(book) if mode < book.source.settings.mode => {
                let mut source = Source::clone(&book.source);
                source.settings.mode = mode;
                *book = NewBook { source: Arc::new(source), by };
                true
            }
            Some(_) | None => false,
        });
        lowered(before, self.mode().unwrap_or(mode));
        is_lower
    }

    /// What is to be said for as long as it is so; each reading logs it anew.
    fn not_in_force(
        &mut self,
        configured: Option<(Mode, Vec<String>)>,
        unusable: Vec<String>,
    ) -> Vec<String> {
        if let Some((configured, waits)) = configured {
            let laxer = self.mode().filter(|running| configured > *running).map(|running| {
                format!(
                    "the configuration says mode {configured}, {running} is in force: a laxer mode takes a restart"
                )
            });
            self.waits = laxer.into_iter().chain(waits).collect();
        }
        for what in &self.waits {
            tracing::warn!(what, "the configuration is not in force as it is");
        }
        self.waits.iter().cloned().chain(unusable).collect()
    }
}

/// Waits for a look at these files, and logs that it waits where that takes long.
async fn told_where_slow<T>(at: &[PathBuf], looking: impl Future<Output = T>) -> T {
    let say = |for_s| {
        tracing::warn!(
            files = ?at,
            for_s,
            "still reading policies and configuration; every reload waits for it, and the book in force stays"
        );
    };
    told_each(STILL_AT_IT, looking, say).await
}

/// Waits, and says each time that this has passed once more for how many seconds.
async fn told_each<T>(each: Duration, looking: impl Future<Output = T>, mut say: impl FnMut(u64)) -> T {
    let (begun, mut looking) = (tokio::time::Instant::now(), std::pin::pin!(looking));
    loop {
        match tokio::time::timeout(each, &mut looking).await {
            Ok(looked) => return looked,
            Err(_) => say(begun.elapsed().as_secs()),
        }
    }
}

fn lowered(before: Option<Mode>, mode: Mode) {
    if before.is_some_and(|before| mode < before) {
        tracing::warn!(%mode, "a stricter mode is in force; a laxer one takes a restart");
    }
}

fn refused(problems: &[String]) {
    for problem in problems {
        tracing::error!(problem = in_one_line(problem), "policies refused; the book in force stays");
    }
}

/// A problem with its hint, for a log, a record and a table.
pub(crate) fn in_one_line(problem: &str) -> String {
    match problem.split_once("\n  hint: ") {
        Some((problem, hint)) => format!("{problem} (hint: {})", hint.replace('\n', " ")),
        None => problem.replace('\n', " "),
    }
}

fn shown(problems: Vec<String>) -> Vec<String> {
    let mut problems: Vec<String> = problems.iter().map(|problem| in_one_line(problem)).collect();
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    problems.truncate(PROBLEMS_SHOWN);
    if more > 0 {
        problems.push(format!("and {more} more; the log has all"));
    }
    problems
}

/// A digest as people compare it.
fn short(digest: Digest) -> String {
    digest.to_string()[..12].to_owned()
}

#[cfg(test)]
mod tests;
