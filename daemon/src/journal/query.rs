//! Finding records: partitions by sequence and time, records by the index, blocks only where a record is wanted.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use paramedic_policies::event::{Record, Seq};
use paramedic_policies::time::{Moment, Span};
use serde::Serialize;

use super::block::Decoded;
use super::error::ReadError;
use super::filter::Filter;
use super::index;
use super::partition::{Name, Partition};
use super::reader::Reader;

/// A page of records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Oldest first, unless `newest` was asked for.
    pub items: Vec<Record>,
    /// What to give as `after` for the page that follows, when one does.
    pub next: Option<Seq>,
}

/// What of the journal is read, taken at one moment.
struct View {
    names: Vec<Name>,
    end: Seq,
    tail: Seq,
    /// The newest partition's unwritten part of the index, per term.
    unwritten: Vec<Vec<u64>>,
}

impl Reader {
    /// One page of what the filter looks for.
    ///
    /// # Errors
    /// When the journal is damaged or the disk refuses.
    pub fn query(&self, filter: &Filter) -> Result<Page, ReadError> {
        let (mut items, mut more, page) = (Vec::new(), false, filter.page());
        self.visit(filter, |found| {
            if items.len() == page {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            items.push(found.record()?);
            Ok(ControlFlow::Continue(()))
        })?;
        let next = items.last().filter(|_| more).map(|record: &Record| record.seq);
        Ok(Page { items, next })
    }

    /// Every record that the filter looks for, whatever its `limit`, as canonical bytes: for exports.
    ///
    /// # Errors
    /// As for [`query`](Self::query), and whatever `write` says.
    pub fn export<E: From<ReadError>>(
        &self,
        filter: &Filter,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.visit(filter, |found| {
            Ok(match write(found.bytes()?) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// One record; `None` when it is not durable yet, or its partition was dropped.
    ///
    /// # Errors
    /// When the journal is damaged or the disk refuses.
    pub fn record(&self, seq: Seq) -> Result<Option<Record>, ReadError> {
        let (names, end) = {
            let live = self.shared.live();
            (live.names.clone(), live.durable.next)
        };
        let Some(name) = names.iter().rev().find(|name| name.first <= seq).filter(|_| seq < end) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(self.shared.partition(name)?);
        cursor.seek(seq)?;
        cursor.found(seq).record().map(Some)
    }

    fn view(&self, filter: &Filter, range: &Range<u64>) -> View {
        let live = self.shared.live();
        let end = live.durable.next;
        let range = range.start..range.end.min(end.0);
        View {
            names: live.names.clone(),
            end,
            tail: live.tail.from(),
            unwritten: filter.terms().iter().map(|term| live.tail.of(*term, &range)).collect(),
        }
    }

    fn visit(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(Found<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<(), ReadError> {
        let range = match (filter.after, filter.newest) {
            (Some(after), false) => after.0.saturating_add(1)..u64::MAX,
            (Some(before), true) => 0..before.0,
            (None, _) => 0..u64::MAX,
        };
        let view = self.view(filter, &range);
        let mut spans: Vec<(&Name, Range<u64>)> = Vec::new();
        for (index, name) in view.names.iter().enumerate() {
            let after = view.names.get(index + 1);
            let end = after.map_or(view.end, |after| after.first);
            let span = range.start.max(name.first.0)..range.end.min(end.0);
            // Names are exact to the second.
            let ended = after.is_some_and(|after| {
                filter.since.is_some_and(|since| since > after.opened + Span::from_secs(1))
            });
            if !span.is_empty() && !ended && filter.until.is_none_or(|until| until > name.opened) {
                spans.push((name, span));
            }
        }
        if filter.newest {
            spans.reverse();
        }
        for (name, span) in spans {
            let partition = self.shared.partition(name)?;
            let start = filter.since.map_or(Ok(span.start), |since| first_at(&partition, since, &span))?;
            let end = filter.until.map_or(Ok(span.end), |until| first_at(&partition, until, &span))?;
            let is_newest = view.names.last() == Some(name);
            let unwritten = if is_newest { Some(view.unwritten.as_slice()) } else { None };
            let mut cursor = Cursor::new(Arc::clone(&partition));
            let mut step = |seq: u64| -> Result<ControlFlow<()>, ReadError> {
                cursor.seek(Seq(seq))?;
                visit(cursor.found(Seq(seq)))
            };
            let flow = match candidates(&partition, filter, view.tail, unwritten, &(start..end))? {
                None if filter.newest => walk((start..end).rev(), &mut step)?,
                None => walk(start..end, &mut step)?,
                Some(seqs) if filter.newest => walk(seqs.into_iter().rev(), &mut step)?,
                Some(seqs) => walk(seqs.into_iter(), &mut step)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn walk(
    seqs: impl Iterator<Item = u64>,
    step: &mut impl FnMut(u64) -> Result<ControlFlow<()>, ReadError>,
) -> Result<ControlFlow<()>, ReadError> {
    for seq in seqs {
        if step(seq)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The records of a partition that have all terms, in order; `None` means all of `range`.
fn candidates(
    partition: &Partition,
    filter: &Filter,
    tail: Seq,
    unwritten: Option<&[Vec<u64>]>,
    range: &Range<u64>,
) -> Result<Option<Vec<u64>>, ReadError> {
    let terms = filter.terms();
    if terms.is_empty() {
        return Ok(None);
    }
    let before = if unwritten.is_some() { tail } else { Seq(u64::MAX) };
    let mut lists = Vec::with_capacity(terms.len());
    for (index, term) in terms.into_iter().enumerate() {
        let mut list = index::of(partition, term, before, range)?;
        let rest = unwritten.and_then(|lists| lists.get(index)).into_iter().flatten();
        list.extend(rest.copied().filter(|seq| range.contains(seq)));
        lists.push(list);
    }
    Ok(Some(index::intersect(lists)))
}

/// The first sequence of `span` whose record is not before `at`; the span's end where none is. Times never decrease.
fn first_at(partition: &Partition, at: Moment, span: &Range<u64>) -> Result<u64, ReadError> {
    let (mut low, mut high) = (span.start, span.end);
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(first) = partition.first_of(Seq(middle))? else { return Ok(span.start) };
        let header = partition.header(first)?;
        if header.from >= at {
            high = first.0.max(span.start).min(middle);
        } else if header.to < at {
            low = header.end().0;
        } else {
            // The time is within this block.
            let block = partition.block(first)?;
            for record in block.records() {
                let record = record.map_err(|problem| partition.damaged(Some(first), problem))?;
                if record.at >= at {
                    return Ok(record.seq.0.clamp(span.start, span.end));
                }
            }
            low = header.end().0;
        }
    }
    Ok(low.clamp(span.start, span.end))
}

/// Holds the block that was read last.
struct Cursor {
    partition: Arc<Partition>,
    block: Option<Decoded>,
}

/// A record that was found.
struct Found<'a> {
    cursor: &'a Cursor,
    seq: Seq,
}

impl Cursor {
    fn new(partition: Arc<Partition>) -> Self {
        Self { partition, block: None }
    }

    fn seek(&mut self, seq: Seq) -> Result<(), ReadError> {
        if self.block.as_ref().is_some_and(|block| block.bytes(seq).is_some()) {
            return Ok(());
        }
        let first = self.partition.first_of(seq)?;
        let first =
            first.ok_or_else(|| self.partition.damaged(None, format!("record {seq} is not there")))?;
        self.block = Some(self.partition.block(first)?);
        Ok(())
    }

    fn found(&self, seq: Seq) -> Found<'_> {
        Found { cursor: self, seq }
    }
}

impl Found<'_> {
    fn bytes(&self) -> Result<&[u8], ReadError> {
        let bytes = self.cursor.block.as_ref().and_then(|block| block.bytes(self.seq));
        bytes.ok_or_else(|| self.cursor.partition.damaged(None, format!("record {} is not there", self.seq)))
    }

    fn record(&self) -> Result<Record, ReadError> {
        let damaged = |problem: String| self.cursor.partition.damaged(None, problem);
        match &self.cursor.block {
            Some(block) => block.record(self.seq).map_err(damaged),
            None => Err(damaged(format!("record {} is not there", self.seq))),
        }
    }
}
