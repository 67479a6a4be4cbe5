//! Durable records as they come, for screens. Lossy on purpose: a slow screen is told what it missed. Records are read from
//! the journal when there is somebody to take them, so that a slow one holds neither the journal up nor memory.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use paramedic_policies::event::{Record, Seq};
use tokio::sync::watch;

use super::{ApiError, Shared};
use crate::driver::{Inbox, JournalStanding, Standing};
use crate::journal::Filter;

/// How often a line is sent on a quiet stream, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Records that are read at once.
const PAGE: usize = 64;

/// How many records a slow screen may be behind before it misses some: what is older is no news any more.
const BEHIND_MAX: u64 = 10_000;

struct Feed {
    filter: Filter,
    inbox: Inbox,
    standing: watch::Receiver<Standing>,
    /// Everything before it was sent, missed, or not asked for.
    next: Seq,
    page: std::vec::IntoIter<Record>,
}

pub(super) async fn stream(
    State(served): State<Shared>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let filter = super::api::filter(filter)?;
    // Nothing keeps hold of the archive: while somebody does, a journal that broke cannot be opened again.
    served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let standing = served.inbox.watch();
    let next = standing.borrow().next;
    let next = filter.after.map_or(next, |after| next.max(after.plus(1)));
    let page = Vec::new().into_iter();
    let feed = Feed { filter, inbox: served.inbox.clone(), standing, next, page };
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
            if let Some(record) = self.page.next() {
                return Some(event(&record));
            }
            let durable = self.durable().await?;
            let behind = durable.0.saturating_sub(self.next.0);
            if behind > BEHIND_MAX {
                self.next = durable;
                return Some(missed(behind));
            }
            let after = Some(Seq(self.next.0.saturating_sub(1)));
            let filter = Filter { after, limit: Some(PAGE), newest: false, ..self.filter.clone() };
            let Some(archive) = self.inbox.archive() else {
                // It broke just now, and may open again.
                self.standing.changed().await.ok()?;
                continue;
            };
            match archive.query(filter).await {
                Ok(page) => {
                    let last = page.items.last().map(|record| record.seq.plus(1));
                    // All was looked at, unless there is more than a page.
                    let seen = if page.next.is_some() { None } else { Some(durable) };
                    self.next = self.next.max(last.max(seen).unwrap_or(durable));
                    self.page = page.items.into_iter();
                }
                Err(problem) => {
                    tracing::warn!(%problem, from = %self.next, "records for a stream could not be read");
                    self.next = durable;
                    return Some(missed(behind));
                }
            }
        }
    }

    /// How far the journal is durable, once that is further than what was sent.
    async fn durable(&mut self) -> Option<Seq> {
        let next = self.next;
        let news = self.standing.wait_for(|standing| match standing.journal {
            JournalStanding::Stopping => true,
            JournalStanding::Open => standing.next > next,
            JournalStanding::Opening | JournalStanding::Broken { .. } | JournalStanding::Stuck { .. } => {
                false
            }
        });
        let news = news.await.ok()?;
        (news.journal == JournalStanding::Open).then_some(news.next)
    }
}

fn missed(records: u64) -> Event {
    Event::default().event("missed").data(format!("{{\"records\":{records}}}"))
}

fn event(record: &Record) -> Event {
    let data = serde_json::to_string(record).expect("records are plain data, which serde_json always writes");
    Event::default().id(record.seq.to_string()).event(record.event.kind()).data(data)
}
