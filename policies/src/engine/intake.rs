//! A webhook delivery: which episodes it opens, repeats and closes. Repeats and duplicates of HA peers are no news.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::{Alert, AlertStatus, EpisodeKey};
use crate::book::Book;
use crate::engine::{LATE_PEER, sequence, storm};
use crate::event::{Closing, Event, Ignored, Late, Seq, Unreadable};
use crate::input::Delivery;
use crate::state::{Resolved, State};
use crate::time::Moment;

pub(super) fn decide(state: &State, book: &Book, now: Moment, delivery: &Delivery) -> Vec<Event> {
    let dropped = &book.settings().episodes.dropped_labels;
    let mut sorted = Sorted::default();
    for alert in &delivery.alerts {
        sorted.take(state, now, EpisodeKey::of(&alert.labels, dropped), alert);
    }
    let opened = sorted.opened.len();
    let mut events = vec![Event::Received {
        sender: delivery.sender.clone(),
        receiver: delivery.receiver.clone(),
        group_key: delivery.group_key.clone(),
        correlation: delivery.correlation.clone(),
        alerts: u32::try_from(delivery.alerts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(Unreadable::alerts(&delivery.unreadable)),
        repeated: sorted.repeated,
        unreadable: delivery.unreadable.clone(),
        truncated: delivery.truncated,
        ignored: sorted.ignored,
    }];
    events.extend(sorted.opened.into_iter().map(|(key, alert)| Event::Opened {
        key,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at,
        fingerprint: alert.fingerprint.clone(),
        correlation: delivery.correlation.clone(),
        by_hand: None,
    }));
    for (episode, ended_at) in sorted.closed {
        events.extend(close(state, episode, Closing::Resolved, ended_at));
    }
    events.extend(storm::begins(state, book, now, opened, delivery.truncated));
    events
}

/// An episode's end, and that of every case of it that has not begun to act.
pub(super) fn close(state: &State, episode: Seq, why: Closing, ended_at: Option<Moment>) -> Vec<Event> {
    let mut events = vec![Event::Closed { episode, why, ended_at }];
    events.extend(
        state
            .cases_of(episode)
            .filter(|case| !case.phase.is_under_way())
            .flat_map(|case| sequence::resolved(state, case)),
    );
    events
}

#[derive(Default)]
struct Sorted<'a> {
    /// What opened an episode or repeated one, in this delivery.
    seen: BTreeSet<EpisodeKey>,
    opened: Vec<(EpisodeKey, &'a Alert)>,
    repeated: Vec<Seq>,
    closed: BTreeMap<Seq, Option<Moment>>,
    ignored: Ignored,
}

impl<'a> Sorted<'a> {
    fn take(&mut self, state: &State, now: Moment, key: EpisodeKey, alert: &'a Alert) {
        let open = state.open.get(&key).copied();
        match (alert.status, open) {
            (AlertStatus::Firing, Some(_)) if !self.seen.insert(key) => self.ignored.duplicate += 1,
            (AlertStatus::Firing, Some(episode)) => self.repeated.push(episode),
            (AlertStatus::Firing, None) => match late(state, now, key, alert) {
                Some(late) => self.ignored.late(late),
                None if self.seen.insert(key) => self.opened.push((key, alert)),
                None => self.ignored.duplicate += 1,
            },
            (AlertStatus::Resolved, Some(episode)) if !is_late_resolve(state, episode, alert) => {
                if self.closed.insert(episode, alert.ends_at).is_some() {
                    self.ignored.duplicate += 1;
                }
            }
            (AlertStatus::Resolved, _) => self.ignored.not_open += 1,
        }
    }
}

/// A peer may send *firing* again after *resolved*: it then began before that end. Only for so long, counted from the
/// end and not from the last repeat: whoever still repeats it then has an alert that fires.
pub fn late(state: &State, now: Moment, key: EpisodeKey, alert: &Alert) -> Option<Late> {
    let Resolved { closed_at, ended_at, episode, stepped } = *state.recently_resolved.get(&key)?;
    let is_late = alert.starts_at <= ended_at && now.since(closed_at) < LATE_PEER;
    // The end as its own record has it; the time from there on is counted without steps of the clock.
    is_late.then_some(Late { episode, closed_at: closed_at - stepped, until: closed_at + LATE_PEER })
}

/// A *resolved* from before this episode began ends an earlier one.
fn is_late_resolve(state: &State, episode: Seq, alert: &Alert) -> bool {
    let began = state.episodes.get(&episode).map(|episode| episode.starts_at);
    matches!((alert.ends_at, began), (Some(ended), Some(began)) if ended < began)
}
