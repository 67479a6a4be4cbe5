//! Who is kept out by whom and until when, as it stands in an annotation of the object that keeps them out. It outlives
//! the process, and several intents share it: each adds and takes its own entries, never another's. What is long over
//! anybody may sweep away.

use paramedic_policies::address::{AddressRange, merged};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::{Block, Entry};
use paramedic_policies::time::{Moment, Span};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stamp::annotation;

/// The annotation.
pub(super) const BLOCKED: &str = "paramedic.dev/blocked";

/// An entry whose intent has not taken it out by then has lost its journal.
const SWEPT_AFTER: Span = Span::from_mins(10);

/// An object is no history book: the oldest are forgotten first.
const BEFORE_MAX: usize = 200;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Kept out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    now: Vec<Kept>,
    /// Kept out before, and known until a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<Past>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) range: AddressRange,
    pub(super) until: Moment,
    /// The stamp of its intent.
    intent: String,
    times: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forget: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Past {
    forget: Moment,
    range: AddressRange,
    times: u32,
}

impl Record {
    /// That of an object; empty where there is none.
    ///
    /// # Errors
    /// Where it is not as it was written.
    pub(super) fn of(object: Option<&Value>) -> Result<Self, Reason> {
        let Some(text) = object.and_then(|object| annotation(object, BLOCKED)) else {
            return Ok(Self::default());
        };
        serde_json::from_str(text).map_err(|error| Reason::Changed {
            what: format!("annotation {BLOCKED} cannot be read: {error}"),
        })
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether nothing is left to know.
    pub(super) fn is_empty(&self) -> bool {
        self.now.is_empty() && self.before.is_empty()
    }

    /// What is kept out, without what a wider range covers.
    pub(super) fn ranges(&self) -> Vec<AddressRange> {
        merged(self.now.iter().map(|kept| kept.range))
    }

    /// When the last entry is over.
    pub(super) fn until(&self) -> Option<Moment> {
        self.now.iter().map(|kept| kept.until).max()
    }

    /// Until when all of a range is kept out already.
    pub(super) fn covered(&self, range: AddressRange, now: Moment) -> Option<Moment> {
        let covers = |kept: &&Kept| kept.range.contains(range) && kept.until > now;
        self.now.iter().filter(covers).map(|kept| kept.until).max()
    }

    /// The how manieth time it would be for a range. Who is kept out now does it for the same time.
    pub(super) fn times(&self, range: AddressRange, now: Moment) -> u32 {
        let before = self.before.iter().filter(|past| past.range.overlaps(range) && past.forget > now);
        let over = self.now.iter().filter(|kept| kept.range.overlaps(range) && kept.until <= now);
        let live = self.now.iter().filter(|kept| kept.range.overlaps(range) && kept.until > now);
        let past = before.map(|past| past.times).chain(over.map(|kept| kept.times)).max().unwrap_or(0);
        live.map(|kept| kept.times).max().unwrap_or(0).max(past.saturating_add(1))
    }

    /// With the entries of a block.
    pub(super) fn with(&self, block: &Block, stamp: &str, at: Moment) -> Self {
        let mut record = self.swept(at);
        let within = block.terms.growth.as_ref().map(|growth| growth.within);
        for Entry { range, lasts, times } in &block.ranges {
            if !record.holds(*range, stamp) {
                let until = at + *lasts;
                let (intent, forget) = (stamp.to_owned(), within.map(|within| until + within));
                record.now.push(Kept { range: *range, until, intent, times: *times, forget });
            }
        }
        record.now.sort();
        record
    }

    /// Without these entries of an intent; those that may come back stay known.
    pub(super) fn without(&self, entries: &[Entry], stamp: &str, at: Moment) -> Self {
        let mut record = self.clone();
        record.take_out(at, |kept| {
            kept.intent == stamp && entries.iter().any(|entry| entry.range == kept.range)
        });
        record.swept(at)
    }

    /// Whether an intent has an entry for a range.
    pub(super) fn holds(&self, range: AddressRange, stamp: &str) -> bool {
        self.now.iter().any(|kept| kept.range == range && kept.intent == stamp)
    }

    /// The stamps of those whose entries are in it.
    pub(super) fn stamps(&self) -> Vec<String> {
        let mut stamps: Vec<String> = self.now.iter().map(|kept| kept.intent.clone()).collect();
        stamps.sort();
        stamps.dedup();
        stamps
    }

    /// When the entries for exactly this range are over, whosever they are.
    pub(super) fn ends(&self, range: AddressRange) -> impl Iterator<Item = Moment> {
        self.now.iter().filter(move |kept| kept.range == range).map(|kept| kept.until)
    }

    fn swept(&self, at: Moment) -> Self {
        let mut record = self.clone();
        record.take_out(at, |kept| kept.until + SWEPT_AFTER <= at);
        record.before.retain(|past| past.forget > at);
        record.before.sort();
        record.before.dedup();
        let old = record.before.len().saturating_sub(BEFORE_MAX);
        record.before.drain(..old);
        record
    }

    fn take_out(&mut self, at: Moment, which: impl Fn(&Kept) -> bool) {
        let (out, stay): (Vec<Kept>, Vec<Kept>) =
            std::mem::take(&mut self.now).into_iter().partition(|kept| which(kept));
        self.now = stay;
        for Kept { range, times, forget, .. } in out {
            if let Some(forget) = forget.filter(|forget| *forget > at) {
                self.before.retain(|past| past.range != range || past.times > times);
                self.before.push(Past { forget, range, times });
            }
        }
    }
}
