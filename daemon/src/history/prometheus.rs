//! `prometheus`: `ALERTS` as raw samples, one chunk of time after the other; the next chunk is read while the last one is
//! replayed. Where evaluations are missing, `ALERTS_FOR_STATE` is read too. It must never ask for more at once than fits into
//! memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::alert::Labels;
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use tokio::task::JoinHandle;

use super::dressed::{Dress, Dressed};
use super::failed;
use super::parts::Unread;
use super::runs::Runs;
use super::samples::{Series, Wanted};
use super::stretches::{self, Asked, Reader, Stretch};
use crate::prometheus::Prometheus;

/// The first chunk, until it is known how much that is.
const CHUNK: Span = Span::from_hours(1);
/// Longer ones are no faster.
const CHUNK_MAX: Span = Span::from_hours(24);
/// An answer that is larger halves the chunks that follow.
const BYTES_LARGE: usize = 16 * 1024 * 1024;
/// An answer that is smaller doubles them.
const BYTES_SMALL: usize = 4 * 1024 * 1024;

/// After one that was too much, so many are not made longer: trying costs as long as Prometheus takes to give up.
const WARY: u32 = 16;

const ALERTS: &str = "ALERTS{alertstate=\"firing\"}";

/// More names of alerts than this are not asked for one by one.
const NAMES_MAX: usize = 50;

/// What to read, and how.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Since when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// How often rules are evaluated, where that is known.
    pub interval: Option<Span>,
    /// How labels change on their way to the daemon.
    pub dress: Dress,
}

/// `ALERTS` of a time.
pub struct AlertsSeries {
    reader: Reader,
    dress: Dress,
    /// A whole second, so that Prometheus takes it for the same moment.
    end: Moment,
    runs: Runs,
    chunk: Span,
    /// Up to where chunks were asked for.
    asked_until: Moment,
    coming: Option<JoinHandle<Result<Chunk, Unread>>>,
    is_over: bool,
    /// So many chunks more are not made longer.
    wary: u32,
    /// What the first answer that was not whole said.
    lacks: Option<String>,
}

impl std::fmt::Debug for AlertsSeries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertsSeries").field("asked_until", &self.asked_until).finish_non_exhaustive()
    }
}

/// What fired in a stretch.
struct Chunk {
    alerts: Dressed,
    stretch: Stretch,
}

impl AlertsSeries {
    /// Reads this time.
    pub fn new(prometheus: Arc<Prometheus>, reading: Reading) -> Self {
        Self {
            reader: Reader::new(prometheus),
            dress: reading.dress,
            end: stretches::up_to(reading.until, Span::from_secs(1)),
            runs: Runs::new(reading.interval),
            chunk: CHUNK,
            // A stretch is without its beginning, and what fires at this moment counts.
            asked_until: reading.from - Span::from_ms(1),
            coming: None,
            is_over: false,
            wary: 0,
            lacks: None,
        }
    }

    /// Asks for the next chunk, which comes while others are replayed.
    fn send_for_more(&mut self) {
        if self.coming.is_some() || self.asked_until >= self.end {
            return;
        }
        let (reader, dress) = (self.reader.clone(), self.dress.clone());
        let (after, length, end) = (self.asked_until, self.chunk, self.end);
        let asked = Asked { promql: ALERTS.to_owned(), step: None, wanted: Wanted::Times };
        self.coming = Some(tokio::spawn(async move {
            let mut stretch = reader.read(&asked, after, length, end).await?;
            let alerts = Dressed::of(std::mem::take(&mut stretch.series), &dress);
            Ok(Chunk { alerts, stretch })
        }));
    }

    async fn take_chunk(&mut self) -> Result<(), HistoryError> {
        let Some(coming) = self.coming.take() else {
            self.is_over = true;
            return Ok(());
        };
        let unread = |unread: Unread| {
            let problem = format!("could not read ALERTS from Prometheus: {unread}");
            failed(problem, Some(unread.hint().to_owned()))
        };
        let gone = |error: tokio::task::JoinError| Unread::no_answer(error.to_string());
        let mut chunk = coming.await.map_err(gone).flatten().map_err(unread)?;
        let stretch = &mut chunk.stretch;
        self.asked_until = stretch.until;
        self.lacks = self.lacks.take().or(stretch.lacks.take());
        self.wary = if stretch.was_cut { WARY } else { self.wary.saturating_sub(1) };
        self.chunk = match stretch.bytes {
            bytes if bytes > BYTES_LARGE => stretches::halved(stretch.length, stretches::SHORTEST),
            bytes if bytes < BYTES_SMALL && self.wary == 0 => {
                Span::from_ms(stretch.length.ms() * 2).min(CHUNK_MAX)
            }
            _ => stretch.length,
        };
        self.send_for_more();
        let doubtful = self.runs.doubtful(&chunk.alerts);
        let since = if doubtful.is_empty() {
            Vec::new()
        } else {
            self.since(&doubtful, &chunk).await.map_err(unread)?
        };
        self.runs.see(chunk.alerts, &since, chunk.stretch.until);
        Ok(())
    }

    /// Since when the alerts of these names were active, sample by sample.
    async fn since(&mut self, names: &BTreeSet<String>, chunk: &Chunk) -> Result<Vec<Series>, Unread> {
        let asked = Asked { promql: active_since(names), step: None, wanted: Wanted::Values };
        // What was pending and did not fire, and when nothing fired, is of no use: it must not be held.
        let fired = chunk.alerts.fired();
        let mut since: BTreeMap<Labels, Series> = BTreeMap::new();
        let Stretch { mut after, mut length, until, .. } = chunk.stretch;
        while after < until {
            let part = self.reader.read(&asked, after, length, until).await?;
            (after, length) = (part.until, part.length);
            self.lacks = self.lacks.take().or(part.lacks);
            for mut one in part.series {
                let own = one.labels.clone();
                self.dress.put_on(&mut one.labels);
                let Some(at) = fired.of(&own, &one.labels) else { continue };
                one.keep(at);
                match since.get_mut(&one.labels) {
                    Some(known) => known.join(one),
                    None => {
                        since.insert(one.labels.clone(), one);
                    }
                }
            }
        }
        Ok(since.into_values().collect())
    }
}

/// The selector of what tells since when alerts of these names are active. A name may hold anything.
fn active_since(names: &BTreeSet<String>) -> String {
    if names.len() > NAMES_MAX {
        return "ALERTS_FOR_STATE".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
    let quoted = names.join("|").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("ALERTS_FOR_STATE{{alertname=~\"{quoted}\"}}")
}

#[async_trait]
impl History for AlertsSeries {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        loop {
            let next = if self.is_over { self.runs.rest() } else { self.runs.certain() };
            if next.is_some() || self.is_over {
                return Ok(next);
            }
            self.send_for_more();
            self.take_chunk().await?;
        }
    }

    fn doubts(&self) -> Vec<String> {
        let lacks = self.lacks.as_ref().map(|lacks| {
            format!("what else fired: Prometheus says that its answers may not be whole ({lacks})")
        });
        self.runs.contradicted().into_iter().chain(lacks).collect()
    }
}

impl Drop for AlertsSeries {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.abort();
        }
    }
}

#[cfg(test)]
mod tests;
