//! The storm stop: on above the settings' measures, off below half of them for a while.

use crate::book::Book;
use crate::counted::counted;
use crate::event::Event;
use crate::settings::StormSettings;
use crate::state::State;
use crate::time::{Moment, Span};

/// The window over which openings are counted.
pub(super) const MINUTE: Span = Span::from_mins(1);

/// `StormBegan` when `more` openings or truncated alerts on top of the state make a storm, with its one page.
pub(super) fn begins(state: &State, book: &Book, now: Moment, more: usize, truncated: u64) -> Vec<Event> {
    if state.storm.since.is_some() {
        return Vec::new();
    }
    let settings = &book.settings().guards.storm;
    let openings = openings(state, now) + more;
    let why = if truncated > 0 {
        Some(format!("Alertmanager left out {} of a group", counted(truncated, "alert")))
    } else if openings > settings.alerts_per_minute as usize {
        Some(format!(
            "{} in a minute, {} allowed",
            counted(openings, "new alert"),
            settings.alerts_per_minute
        ))
    } else {
        share_exceeded(state, settings)
    };
    why.map(|why| {
        vec![
            Event::StormBegan { why: why.clone() },
            Event::Escalated {
                case: None,
                why: format!("a storm began: {why}"),
                notify: Vec::new(),
                about: None,
            },
        ]
    })
    .unwrap_or_default()
}

/// What follows when the time to look whether it is over has come.
pub(super) fn calm(state: &State, book: &Book, now: Moment) -> Vec<Event> {
    let settings = &book.settings().guards.storm;
    let over = state.storm.quiet_from + settings.calm;
    if now < over {
        return vec![Event::StormGoesOn { again: over }];
    }
    let (firing, known) = share(state, settings);
    let loud = known > 0 && firing * 200 >= known * usize::from(settings.targets_firing_percent);
    if loud { vec![Event::StormGoesOn { again: now + MINUTE }] } else { vec![Event::StormEnded] }
}

/// Episodes opened in the last minute; they are kept in order.
fn openings(state: &State, now: Moment) -> usize {
    let openings = &state.storm.openings;
    openings.len() - openings.partition_point(|opened| now.since(*opened) >= MINUTE)
}

fn share_exceeded(state: &State, settings: &StormSettings) -> Option<String> {
    let (firing, known) = share(state, settings);
    let percent = usize::from(settings.targets_firing_percent);
    (known > 0 && firing * 100 > known * percent)
        .then(|| format!("{firing} of {known} known targets are firing, {percent} % allowed"))
}

/// Targets with an open episode, and the workloads of the last look at the cluster; the latter is zero where too few are
/// known to judge.
fn share(state: &State, settings: &StormSettings) -> (usize, usize) {
    let known = state.workloads as usize;
    if known < settings.targets_known_min as usize {
        return (0, 0);
    }
    (state.indexes.firing(), known)
}
