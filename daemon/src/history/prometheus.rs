//! `prometheus`: `ALERTS` as raw samples, one chunk of time after the other; the next chunk is read while the last one is
//! replayed. Where evaluations are missing, `ALERTS_FOR_STATE` is read too. It must never ask for more at once than fits into
//! memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::alert::Labels;
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use tokio::task::JoinHandle;

use super::failed;
use super::parts::{self, Unread};
use super::runs::Runs;
use super::samples::{self, Series, Wanted};
use crate::prometheus::Prometheus;
use crate::redaction::Redactor;

/// The first chunk, until it is known how much that is.
const CHUNK: Span = Span::from_hours(1);
/// Shorter chunks ask for nothing but trouble.
const CHUNK_MIN: Span = Span::from_mins(5);
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

/// What every alert carries that Prometheus adds on its way out, such as the cluster's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The label.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What to read, and how.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Since when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// How often rules are evaluated, where that is known.
    pub interval: Option<Span>,
    /// A label that alerts get where they have none of that name.
    pub added: Option<Added>,
    /// What is hidden in labels.
    pub redactor: Redactor,
}

/// `ALERTS` of a time.
pub struct AlertsSeries {
    prometheus: Arc<Prometheus>,
    reading: Reading,
    runs: Runs,
    chunk: Span,
    /// Up to where chunks were asked for.
    asked_until: Moment,
    coming: Option<JoinHandle<Result<Chunk, Unread>>>,
    is_over: bool,
    bytes_max: usize,
    /// So many chunks more are not made longer.
    wary: u32,
}

impl std::fmt::Debug for AlertsSeries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertsSeries").field("asked_until", &self.asked_until).finish_non_exhaustive()
    }
}

struct Chunk {
    series: Vec<Series>,
    from: Moment,
    until: Moment,
    bytes: usize,
    /// How long it is.
    length: Span,
    /// Whether a longer one was too much.
    was_cut: bool,
}

impl AlertsSeries {
    /// Reads this time.
    pub fn new(prometheus: Arc<Prometheus>, reading: Reading) -> Self {
        let (runs, asked_until) = (Runs::new(reading.interval), reading.from);
        let (chunk, bytes_max) = (CHUNK, parts::BYTES_MAX);
        Self {
            prometheus,
            reading,
            runs,
            chunk,
            asked_until,
            coming: None,
            is_over: false,
            bytes_max,
            wary: 0,
        }
    }

    /// Asks for the next chunk, which comes while others are replayed.
    fn send_for_more(&mut self) {
        if self.coming.is_some() || self.asked_until >= self.reading.until {
            return;
        }
        let prometheus = Arc::clone(&self.prometheus);
        let (from, length, end) = (self.asked_until, self.chunk, self.reading.until);
        let (added, redactor) = (self.reading.added.clone(), self.reading.redactor.clone());
        let what = What { selector: ALERTS.to_owned(), wanted: Wanted::Times, bytes_max: self.bytes_max };
        self.coming = Some(tokio::spawn(async move {
            let mut chunk = read(&prometheus, &what, from, length, end).await?;
            dress(&mut chunk.series, added.as_ref(), &redactor);
            Ok(chunk)
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
        let gone = |error: tokio::task::JoinError| Unread::Failed(error.to_string());
        let chunk = coming.await.map_err(gone).flatten().map_err(unread)?;
        self.asked_until = chunk.until;
        self.wary = if chunk.was_cut { WARY } else { self.wary.saturating_sub(1) };
        self.chunk = match chunk.bytes {
            bytes if bytes > BYTES_LARGE => halved(chunk.length),
            bytes if bytes < BYTES_SMALL && self.wary == 0 => {
                Span::from_ms(chunk.length.ms() * 2).min(CHUNK_MAX)
            }
            _ => chunk.length,
        };
        self.send_for_more();
        let doubtful = self.runs.doubtful(&chunk.series);
        let since = if doubtful.is_empty() {
            Vec::new()
        } else {
            self.since(&doubtful, &chunk).await.map_err(unread)?
        };
        self.runs.see(chunk.series, &since, chunk.until);
        Ok(())
    }

    /// Since when the alerts of these names were active, sample by sample.
    async fn since(&self, names: &BTreeSet<String>, chunk: &Chunk) -> Result<Vec<Series>, Unread> {
        let selector = match names.len() {
            0..=NAMES_MAX => {
                let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
                let quoted = names.join("|").replace('\\', "\\\\").replace('"', "\\\"");
                format!("ALERTS_FOR_STATE{{alertname=~\"{quoted}\"}}")
            }
            _ => "ALERTS_FOR_STATE".to_owned(),
        };
        let what = What { selector, wanted: Wanted::Values, bytes_max: self.bytes_max };
        // What was pending and did not fire, and when nothing fired, is of no use: it must not be held.
        let fired: HashMap<&Labels, &[i64]> =
            chunk.series.iter().map(|one| (&one.labels, one.at.as_slice())).collect();
        let mut since: BTreeMap<Labels, Series> = BTreeMap::new();
        let (mut from, mut length) = (chunk.from, chunk.length);
        while from < chunk.until {
            let mut part = read(&self.prometheus, &what, from, length, chunk.until).await?;
            (from, length) = (part.until, part.length);
            dress(&mut part.series, self.reading.added.as_ref(), &self.reading.redactor);
            for mut one in part.series {
                let Some(at) = fired.get(&one.labels) else { continue };
                one.keep(at);
                match since.get_mut(&one.labels) {
                    Some(known) => known.append(one),
                    None => {
                        since.insert(one.labels.clone(), one);
                    }
                }
            }
        }
        Ok(since.into_values().collect())
    }
}

/// Labels as the daemon would have got them.
fn dress(series: &mut [Series], added: Option<&Added>, redactor: &Redactor) {
    for one in series {
        redactor.labels(&mut one.labels);
        if let Some(Added { name, value }) = added
            && !one.labels.contains_key(name)
        {
            one.labels.insert(name.clone(), value.clone());
        }
    }
}

fn halved(length: Span) -> Span {
    Span::from_ms(length.ms() / 2).max(CHUNK_MIN)
}

/// What is asked for.
struct What {
    selector: String,
    wanted: Wanted,
    bytes_max: usize,
}

/// One chunk; a shorter one where that is too much for Prometheus, for what stands between, or for us.
async fn read(
    prometheus: &Prometheus,
    what: &What,
    from: Moment,
    length: Span,
    end: Moment,
) -> Result<Chunk, Unread> {
    let (mut length, mut was_cut) = (length.min(end.since(from)), false);
    loop {
        let until = (from + length).min(end);
        let promql = format!("{}[{}ms]", what.selector, until.since(from).ms());
        let answered = match parts::read(prometheus, &promql, until, what.bytes_max).await {
            Ok(body) => {
                samples::read(&body, what.wanted).map(|series| (series, body.len())).map_err(parts::unread)
            }
            Err(unread) => Err(unread),
        };
        match answered {
            Ok((series, bytes)) => return Ok(Chunk { series, from, until, bytes, length, was_cut }),
            Err(Unread::TooMuch(_)) if length > CHUNK_MIN => {
                (length, was_cut) = (halved(length), true);
            }
            Err(Unread::TooMuch(problem)) => {
                return Err(Unread::TooMuch(format!("even for {length}: {problem}")));
            }
            Err(refused @ (Unread::NotAllowed(_) | Unread::Failed(_))) => return Err(refused),
        }
    }
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
        self.runs.contradicted().into_iter().collect()
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
