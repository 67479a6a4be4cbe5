//! Durable records as they come, for screens. Lossy on purpose: a slow screen is told what it missed and never holds
//! the journal up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use paramedic_policies::event::Record;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

use super::{ApiError, Shared};
use crate::driver::{Archive, JournalStanding, Standing};
use crate::journal::{Committed, Filter};

/// How often a line is sent on a quiet stream, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Feed {
    filter: Filter,
    records: Receiver<Arc<[Committed]>>,
    archives: watch::Receiver<Option<Arc<dyn Archive>>>,
    standing: watch::Receiver<Standing>,
    batch: std::vec::IntoIter<Event>,
}

pub(super) async fn stream(
    State(served): State<Shared>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let filter = super::api::filter(filter)?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let feed = Feed {
        filter,
        records: archive.subscribe(),
        archives: served.inbox.archives(),
        standing: served.inbox.watch(),
        batch: Vec::new().into_iter(),
    };
    let events = futures::stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Feed {
    /// The next event; none when the daemon stops, since a stream must not hold up its end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.batch.next() {
                return Some(event);
            }
            let received = tokio::select! {
                received = self.records.recv() => received,
                () = stopping(&mut self.standing) => return None,
            };
            match received {
                Ok(batch) => {
                    let wanted = batch.iter().filter(|committed| self.filter.accepts(committed));
                    self.batch =
                        wanted.map(|committed| event(&committed.record)).collect::<Vec<_>>().into_iter();
                }
                Err(RecvError::Lagged(blocks)) => return Some(missed(&format!("{{\"blocks\":{blocks}}}"))),
                // The journal was closed: it broke, and may open again.
                Err(RecvError::Closed) => {
                    self.records = self.reopened().await?;
                    return Some(missed("{\"journal\":\"opened again\"}"));
                }
            }
        }
    }

    async fn reopened(&mut self) -> Option<Receiver<Arc<[Committed]>>> {
        tokio::select! {
            archive = self.archives.wait_for(Option::is_some) => {
                archive.ok()?.as_ref().map(|archive| archive.subscribe())
            }
            () = stopping(&mut self.standing) => None,
        }
    }
}

async fn stopping(standing: &mut watch::Receiver<Standing>) {
    drop(standing.wait_for(|standing| standing.journal == JournalStanding::Stopping).await.map(|_| ()));
}

fn missed(what: &str) -> Event {
    Event::default().event("missed").data(what)
}

fn event(record: &Record) -> Event {
    let data = serde_json::to_string(record).expect("records are plain data, which serde_json always writes");
    Event::default().id(record.seq.to_string()).event(record.event.kind()).data(data)
}
