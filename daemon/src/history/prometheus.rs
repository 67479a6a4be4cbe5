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

use super::failed;
use super::runs::Runs;
use super::samples::{self, Series};
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
    coming: Option<JoinHandle<Result<Chunk, String>>>,
    is_over: bool,
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
    /// What the chunks that follow should be, where this one had to be cut.
    length: Span,
}

impl AlertsSeries {
    /// Reads this time.
    pub fn new(prometheus: Arc<Prometheus>, reading: Reading) -> Self {
        let (runs, asked_until) = (Runs::new(reading.interval), reading.from);
        Self { prometheus, reading, runs, chunk: CHUNK, asked_until, coming: None, is_over: false }
    }

    /// Asks for the next chunk, which comes while others are replayed.
    fn send_for_more(&mut self) {
        if self.coming.is_some() || self.asked_until >= self.reading.until {
            return;
        }
        let prometheus = Arc::clone(&self.prometheus);
        let (from, length, end) = (self.asked_until, self.chunk, self.reading.until);
        let (added, redactor) = (self.reading.added.clone(), self.reading.redactor.clone());
        self.coming = Some(tokio::spawn(async move {
            let mut chunk = read(&prometheus, ALERTS, from, length, end).await?;
            dress(&mut chunk.series, added.as_ref(), &redactor);
            Ok(chunk)
        }));
    }

    async fn take_chunk(&mut self) -> Result<(), HistoryError> {
        let Some(coming) = self.coming.take() else {
            self.is_over = true;
            return Ok(());
        };
        let unread = |problem: String| {
            let hint = "is --prometheus-url its base URL, and is the time within its retention?";
            failed(format!("could not read ALERTS from Prometheus: {problem}"), Some(hint.to_owned()))
        };
        let chunk = coming.await.map_err(|error| unread(error.to_string()))?.map_err(unread)?;
        self.asked_until = chunk.until;
        self.chunk = match chunk.bytes {
            bytes if bytes > BYTES_LARGE => halved(chunk.length),
            bytes if bytes < BYTES_SMALL => Span::from_ms(chunk.length.ms() * 2).min(CHUNK_MAX),
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
    async fn since(&self, names: &BTreeSet<String>, chunk: &Chunk) -> Result<Vec<Series>, String> {
        let selector = match names.len() {
            0..=NAMES_MAX => {
                let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
                let quoted = names.join("|").replace('\\', "\\\\").replace('"', "\\\"");
                format!("ALERTS_FOR_STATE{{alertname=~\"{quoted}\"}}")
            }
            _ => "ALERTS_FOR_STATE".to_owned(),
        };
        let mut since: BTreeMap<Labels, Series> = BTreeMap::new();
        let mut from = chunk.from;
        while from < chunk.until {
            let part = read(&self.prometheus, &selector, from, chunk.until.since(from), chunk.until).await?;
            from = part.until;
            for one in part.series {
                match since.get_mut(&one.labels) {
                    Some(known) => known.append(one),
                    None => {
                        since.insert(one.labels.clone(), one);
                    }
                }
            }
        }
        let mut since: Vec<Series> = since.into_values().collect();
        dress(&mut since, self.reading.added.as_ref(), &self.reading.redactor);
        Ok(since)
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

/// One chunk; a shorter one where Prometheus refuses so many samples.
async fn read(
    prometheus: &Prometheus,
    selector: &str,
    from: Moment,
    length: Span,
    end: Moment,
) -> Result<Chunk, String> {
    let mut length = length;
    loop {
        let until = (from + length).min(end);
        let promql = format!("{selector}[{}ms]", until.since(from).ms());
        let body = body(prometheus, &promql, until).await?;
        let refused = match samples::read(&body) {
            Ok(series) => return Ok(Chunk { series, from, until, bytes: body.len(), length }),
            Err(problem) => problem,
        };
        let shorter = halved(length);
        if shorter == length {
            return Err(refused);
        }
        length = shorter;
    }
}

async fn body(prometheus: &Prometheus, promql: &str, at: Moment) -> Result<Vec<u8>, String> {
    let answer = prometheus.raw_at(promql, at).await?;
    let body = answer.bytes().await.map_err(|error| crate::causes::causes(&error))?;
    Ok(body.into())
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
}

impl Drop for AlertsSeries {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.abort();
        }
    }
}
