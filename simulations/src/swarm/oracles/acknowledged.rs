//! What was answered 200 was durable by then and is still there: the delivery itself, and for every alert of it an episode
//! that was open, was opened, or had just ended.

use std::collections::BTreeMap;

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::event::{Closing, Event, Seq};
use paramedic_policies::time::{Moment, Span};

use super::Evidence;

/// A peer may still send what has ended, for this long.
const LATE_PEER: Span = Span::from_mins(5);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut received: BTreeMap<&str, Seq> = BTreeMap::new();
    for record in evidence.records {
        if let Event::Received { correlation, .. } = &record.event {
            received.insert(correlation, record.seq);
        }
    }
    let episodes = episodes(evidence);
    for one in &evidence.tape.acknowledged {
        if one.durable < one.end {
            says.push(format!(
                "{} was acknowledged at {} up to record {}, the disk had what is before {}",
                one.correlation, one.at, one.end, one.durable
            ));
        }
        let Some(seq) = received.get(one.correlation.as_str()) else {
            says.push(format!("{} was acknowledged and is not on the disk", one.correlation));
            continue;
        };
        for alert in one.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing) {
            if !is_known(evidence, &episodes, alert, *seq, one.end) {
                says.push(format!(
                    "{} was acknowledged with alert {:?}, of which the disk knows nothing",
                    one.correlation, alert.labels
                ));
            }
        }
    }
}

/// One episode, by its records.
struct Episode {
    opened: Seq,
    identity: Labels,
    closed: Option<(Seq, Moment, Closing)>,
}

fn episodes(evidence: &Evidence<'_>) -> Vec<Episode> {
    let mut all: BTreeMap<Seq, Episode> = BTreeMap::new();
    for record in evidence.records {
        match &record.event {
            Event::Opened { labels, by_hand: None, .. } => {
                let identity = evidence.identity(labels);
                all.insert(record.seq, Episode { opened: record.seq, identity, closed: None });
            }
            Event::Closed { episode, why, .. } => {
                if let Some(episode) = all.get_mut(episode) {
                    episode.closed = Some((record.seq, record.at, *why));
                }
            }
            _ => {}
        }
    }
    all.into_values().collect()
}

/// Whether an episode of this alert is open when the delivery was received, is opened by it, or had ended shortly before.
fn is_known(evidence: &Evidence<'_>, episodes: &[Episode], alert: &Alert, seq: Seq, end: Seq) -> bool {
    let identity: Labels = evidence.identity(&alert.labels);
    let Some(received) = evidence.record(seq) else { return false };
    let of_it = episodes.iter().filter(|episode| episode.identity == identity && episode.opened < end);
    of_it.into_iter().any(|episode| match episode.closed {
        None => true,
        // By true time: the wall clock may have been set in between.
        Some((closed, at, why)) => {
            let since = evidence.handed(seq).since(evidence.handed(closed)).min(received.at.since(at));
            closed >= seq || (why == Closing::Resolved && since <= LATE_PEER)
        }
    })
}
