//! Which records a report is made of: an episode with what happened around it, or a window. Reading is bounded, and
//! what was left out is said.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::counted::counted;
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::time::{Moment, Span};

use super::fold::fold;
use super::open::is_unfinished;
use crate::cli::audit::show::episode_of;
use crate::cli::failure::Failure;
use crate::cli::records::Records;
use crate::journal::Filter;

/// Records of one episode that are read: one that lasts for days is repeated and looked at again all the time.
const EPISODE_MAX: usize = 20_000;

/// Records of a window that are read; a report of more would be read by nobody.
const WINDOW_MAX: usize = 200_000;

/// Up to so many episodes of a window are told with every answer and look, as long as there is room for them: a bad night,
/// and no storm.
const WHOLE_MAX: usize = 100;

/// Records of one kind that are read of what happened around.
const AROUND_MAX: usize = 200;

/// Records that others refer to, read one by one.
const MISSING_MAX: usize = 500;

/// How long before an episode's first record something may have mattered to it.
const BEFORE: Span = Span::from_mins(10);

/// Kinds that tell what happened, without the questions, answers and single looks.
const TELLING: [&str; 21] = [
    "opened",
    "closed",
    "ruled",
    "intended",
    "ended",
    "verified",
    "advanced",
    "concluded",
    "escalated",
    "notified",
    "delivered",
    "raised",
    "acknowledged",
    "approved",
    "denied",
    "lapsed",
    "revertDropped",
    "revertHeld",
    "revertOrdered",
    "cancelled",
    "received",
];

/// Kinds that end what an earlier record began, and that may come after the last one that is told.
const ENDING: [&str; 4] = ["resumed", "stormEnded", "clockAccepted", "acknowledged"];

/// Kinds that belong to no episode.
const AROUND: [&str; 11] = [
    "paused",
    "resumed",
    "orderRefused",
    "stormBegan",
    "stormEnded",
    "quarantined",
    "adopted",
    "reigned",
    "began",
    "clockStepped",
    "clockAccepted",
];

/// What the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// One episode; the intent that was asked for, where it was named by one.
    Episode { episode: Seq, intent: Option<Seq> },
    /// Everything from here until there.
    Window { since: Moment, until: Moment },
}

/// The records, in the order of their sequence, and what was left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    pub(super) records: Vec<Record>,
    /// What followed these until now, of what they leave open: told by nothing but the open questions.
    pub(super) later: Vec<Record>,
    pub(super) cut: Vec<String>,
}

/// The episode that a sequence belongs to.
pub(super) async fn episode(records: &dyn Records, seq: Seq) -> Result<Option<Seq>, Failure> {
    let record = records.one(seq).await?.ok_or_else(|| {
        Failure::users(format!("there is no record {seq}"))
            .hint("records begin at 1, and old ones are dropped by `retention`; see `paramedic audit query`")
    })?;
    episode_of(records, &record.event, seq).await
}

/// Reads what the report is about.
pub(super) async fn gather(records: &dyn Records, about: About) -> Result<Gathered, Failure> {
    let mut found = Found::default();
    match about {
        About::Episode { episode, .. } => found.episode(records, episode).await?,
        About::Window { since, until } => found.window(records, since, until).await?,
    }
    found.missing(records).await?;
    let told: Vec<Record> = found.records.into_values().collect();
    let mut after = Found { records: BTreeMap::new(), cut: found.cut };
    after.followed(records, about, &told).await?;
    let seen = |seq: &Seq| told.iter().any(|record| record.seq == *seq);
    after.records.retain(|seq, _| !seen(seq));
    Ok(Gathered { later: after.records.into_values().collect(), records: told, cut: after.cut })
}

#[derive(Default)]
struct Found {
    records: BTreeMap<Seq, Record>,
    cut: Vec<String>,
}

impl Found {
    /// Reads what meets the filter, at most so many; says so where there are more.
    async fn read(
        &mut self,
        records: &dyn Records,
        filter: &Filter,
        most: usize,
        what: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let (found, more) = records.all(filter, most).await?;
        if more {
            self.cut.push(format!("{}: only the first {} are told", what(), counted(found.len(), "record")));
        }
        self.records.extend(found.into_iter().map(|record| (record.seq, record)));
        Ok(())
    }

    async fn episode(&mut self, records: &dyn Records, episode: Seq) -> Result<(), Failure> {
        let filter = Filter { episode: Some(episode), ..Filter::default() };
        self.read(records, &filter, EPISODE_MAX, || format!("episode {episode}")).await?;
        let at = || self.records.values().map(|record| record.at);
        let (Some(first), Some(last)) = (at().min(), at().max()) else { return Ok(()) };
        let until = last + Span::from_ms(1);
        self.received(records, first).await?;
        let names = self.named();
        let before: BTreeSet<Seq> = self.records.keys().copied().collect();
        self.around(records, first - BEFORE, until).await?;
        // What was refused of other policies and targets at that time is noise here.
        self.records.retain(|seq, record| match &record.event {
            Event::OrderRefused { why, .. } => before.contains(seq) || is_about(why, &names),
            _ => true,
        });
        Ok(())
    }

    /// By what words a refused order is known to be about what was found: policies, targets, numbers of records.
    fn named(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.records.keys().map(ToString::to_string).collect();
        for record in self.records.values() {
            match &record.event {
                Event::Ruled { ruling } => {
                    names.insert(ruling.policy.clone());
                    names.extend(ruling.target.iter().map(ToString::to_string));
                }
                Event::Opened { by_hand: Some(order), .. } => drop(names.insert(order.policy.clone())),
                _ => {}
            }
        }
        names
    }

    /// The delivery that opened the episode: it comes first in the same block, and has the same correlation id.
    async fn received(&mut self, records: &dyn Records, first: Moment) -> Result<(), Failure> {
        let of = |event: &Event| match event {
            Event::Opened { correlation, .. } => Some(correlation.clone()),
            _ => None,
        };
        let Some(wanted) = self.records.values().find_map(|record| of(&record.event)) else { return Ok(()) };
        let filter = Filter {
            since: Some(first),
            until: Some(first + Span::from_ms(1)),
            kind: Some("received".to_owned()),
            ..Filter::default()
        };
        let (found, _) = records.all(&filter, AROUND_MAX).await?;
        let is_it = |record: &Record| matches!(&record.event, Event::Received { correlation, .. } if *correlation == wanted);
        self.records.extend(found.into_iter().filter(is_it).map(|record| (record.seq, record)));
        Ok(())
    }

    async fn around(&mut self, records: &dyn Records, since: Moment, until: Moment) -> Result<(), Failure> {
        for kind in AROUND {
            let filter = in_window(kind, since, until);
            self.read(records, &filter, AROUND_MAX, || format!("what happened around, {kind}")).await?;
        }
        Ok(())
    }

    async fn window(&mut self, records: &dyn Records, since: Moment, until: Moment) -> Result<(), Failure> {
        for kind in TELLING {
            let most = WINDOW_MAX.saturating_sub(self.records.len()).max(1);
            self.read(records, &in_window(kind, since, until), most, || format!("records of kind {kind}"))
                .await?;
        }
        self.around(records, since, until).await?;
        let episodes = self.episodes();
        if episodes.len() <= WHOLE_MAX {
            for episode in episodes {
                let (since, until) = (Some(since), Some(until));
                let filter = Filter { episode: Some(episode), since, until, ..Filter::default() };
                // A long one leaves the others less.
                let most = EPISODE_MAX.min(WINDOW_MAX.saturating_sub(self.records.len())).max(1);
                self.read(records, &filter, most, || format!("episode {episode}")).await?;
            }
        } else {
            self.cut.push(format!(
                "{} are too many to tell each answer and look: `paramedic audit report --episode N` does for one",
                counted(episodes.len(), "episode")
            ));
        }
        Ok(())
    }

    /// What followed until now of what is still open at the end of what is told: without it a pause that was lifted since
    /// would read as one in force.
    async fn followed(
        &mut self,
        records: &dyn Records,
        about: About,
        told: &[Record],
    ) -> Result<(), Failure> {
        let Some(last) = told.iter().map(|record| record.at).max() else { return Ok(()) };
        let since = match about {
            About::Episode { .. } => last,
            About::Window { until, .. } => until,
        };
        let filter = Filter { since: Some(since), ..Filter::default() };
        for kind in ENDING {
            let filter = Filter { kind: Some(kind.to_owned()), ..filter.clone() };
            self.read(records, &filter, AROUND_MAX, || format!("what ended since, {kind}")).await?;
        }
        let About::Window { .. } = about else { return Ok(()) };
        let unfinished: Vec<Seq> =
            fold(told).incidents.iter().filter(|one| is_unfinished(one)).map(|one| one.episode).collect();
        for episode in unfinished.iter().take(WHOLE_MAX) {
            let filter = Filter { episode: Some(*episode), ..filter.clone() };
            self.read(records, &filter, EPISODE_MAX, || format!("episode {episode} since")).await?;
        }
        if let Some(more @ 1..) = unfinished.len().checked_sub(WHOLE_MAX) {
            self.cut.push(format!(
                "of {} that had open questions at the end of the window it was not read what became of them since",
                counted(more, "episode")
            ));
        }
        Ok(())
    }

    fn episodes(&self) -> BTreeSet<Seq> {
        self.records.values().filter_map(|record| names(&record.event).0).collect()
    }

    /// What others refer to and the window does not hold.
    async fn missing(&mut self, records: &dyn Records) -> Result<(), Failure> {
        let mut tried = 0;
        // Twice: an intent that is fetched names its episode.
        for _ in 0..2 {
            let named = self.records.values().flat_map(|record| {
                let (episode, other) = names(&record.event);
                episode.into_iter().chain(other)
            });
            let missing: BTreeSet<Seq> = named.filter(|seq| !self.records.contains_key(seq)).collect();
            for seq in missing {
                if tried >= MISSING_MAX {
                    self.cut.push("what happened before the window is told in part only".to_owned());
                    return Ok(());
                }
                tried += 1;
                if let Some(record) = records.one(seq).await? {
                    self.records.insert(seq, record);
                }
            }
        }
        Ok(())
    }
}

/// Whether one of these names is a word of the sentence.
fn is_about(why: &str, names: &BTreeSet<String>) -> bool {
    let is_of_a_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '/' | '_');
    why.split(|c| !is_of_a_name(c)).any(|word| names.contains(word.trim_end_matches('.')))
}

fn in_window(kind: &str, since: Moment, until: Moment) -> Filter {
    Filter { since: Some(since), until: Some(until), kind: Some(kind.to_owned()), ..Filter::default() }
}

/// The episode that a record names, and the intent, proposal or call.
fn names(event: &Event) -> (Option<Seq>, Option<Seq>) {
    match event {
        Event::Closed { episode, .. } | Event::Cancelled { episode, .. } => (Some(*episode), None),
        Event::Ruled { ruling } => (Some(ruling.episode), None),
        Event::Held { case, .. } | Event::Advanced { case, .. } | Event::Concluded { case, .. } => {
            (Some(case.episode), None)
        }
        Event::Intended { intent } => (Some(intent.episode), intent.reverts),
        Event::Ended { intent, .. }
        | Event::Verified { intent, .. }
        | Event::RevertDropped { intent, .. }
        | Event::RevertHeld { intent, .. }
        | Event::RevertOrdered { intent, .. } => (None, Some(*intent)),
        Event::Escalated { case, .. } => (case.as_ref().map(|case| case.episode), None),
        Event::Approved { proposal, .. } | Event::Denied { proposal, .. } | Event::Lapsed { proposal } => {
            (None, Some(*proposal))
        }
        Event::Raised { page, .. } | Event::Acknowledged { page, .. } => (None, Some(*page)),
        Event::Delivered { notice, .. } => (None, Some(*notice)),
        Event::Notified { notice } => (notice.case.as_ref().map(|case| case.episode), None),
        Event::Opened { .. }
        | Event::Received { .. }
        | Event::Asked { .. }
        | Event::Told { .. }
        | Event::Looked { .. }
        | Event::OrderRefused { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Adopted { .. }
        | Event::StormBegan { .. }
        | Event::StormGoesOn { .. }
        | Event::StormEnded
        | Event::Quarantined { .. }
        | Event::Reigned { .. }
        | Event::Began { .. }
        | Event::ClockStepped { .. }
        | Event::ClockAccepted { .. } => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::words::KINDS;

    /// Kinds that a large window is told without: each is a part of what another one says.
    const LEFT_OUT: [&str; 5] = ["asked", "told", "held", "looked", "stormGoesOn"];

    #[test]
    fn a_refused_order_is_told_where_it_names_what_is_told() {
        let names = ["web-errors", "shop/deployment/web", "22"].map(str::to_owned).into();
        for (why, told) in [
            ("there is no open proposal 22; it may have been answered", true),
            ("web-errors needs values for these labels: namespace", true),
            ("target shop/deployment/web is not paused", true),
            ("there is no open proposal 222", false),
            ("web-errors-2 needs values", false),
            ("a reload: policies/a.yaml:2:1: error", false),
        ] {
            assert_eq!(is_about(why, &names), told, "{why}");
        }
    }

    #[test]
    fn every_kind_is_read_or_left_out_on_purpose() {
        for kind in KINDS {
            let places = [&TELLING[..], &AROUND[..], &LEFT_OUT[..]];
            let count = places.iter().filter(|all| all.contains(&kind)).count();
            assert_eq!(count, 1, "`{kind}` is in {count} of the lists");
        }
        let known = TELLING.len() + AROUND.len() + LEFT_OUT.len();
        assert_eq!(known, KINDS.len(), "one of the lists has a kind that is none");
        assert!(ENDING.iter().all(|kind| KINDS.contains(kind)));
    }
}
