//! A policy that an operator runs by hand: an episode of its own, with one case, of exactly the named policy. From there
//! everything goes the ordinary way, under the ordinary guards. It must never be taken for an alert, and never wait for
//! days: whoever ordered it looks at the answer now.

use std::collections::BTreeSet;

use crate::alert::{EpisodeKey, Labels};
use crate::engine::orders;
use crate::engine::sequence::{self, AtHand};
use crate::event::{Closing, Conclusion, Event, Seq};
use crate::order::ByHand;
use crate::reason::Reason;
use crate::ruling::Ruling;
use crate::state::{Case, CaseId, Episode, Phase, State};
use crate::time::{Moment, Span};

/// How long an order waits for guards whose reasons may pass. What takes longer is ordered again by somebody who looks at
/// it then.
pub(crate) const PATIENCE: Span = Span::from_mins(10);

/// The alert's name of an episode by hand, where the operator gives none.
const ALERT: &str = "ByHand";

/// The order that opened this episode, where one did.
pub(crate) fn of(state: &State, episode: Seq) -> Option<&ByHand> {
    state.episodes.get(&episode)?.by_hand.as_ref()
}

/// The episode of an order; nothing where the same order was taken before.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn run(state: &State, now: Moment, order: ByHand, labels: &Labels) -> Result<Vec<Event>, String> {
    let mut labels = labels.clone();
    labels.entry("alertname".to_owned()).or_insert_with(|| ALERT.to_owned());
    let key = EpisodeKey::of(&labels, &[]);
    if let Some(known) = state.requested.get(&order.key) {
        let same = (&known.policy, known.labels, known.dry_run) == (&order.policy, key, order.dry_run);
        return match same {
            true => Ok(Vec::new()),
            false => Err(format!("the key {} is of another order, episode {}", order.key, known.episode)),
        };
    }
    let book = state.current_book();
    let policy = book.policy(&order.policy).ok_or_else(|| orders::no_policy(&book, &order.policy))?;
    let given = |name: &String| labels.get(name).is_some_and(|value| !value.is_empty());
    let missing: Vec<String> = policy.labels_in_templates().into_iter().filter(|name| !given(name)).collect();
    if !missing.is_empty() {
        return Err(format!("{} needs values for these labels: {}", policy.name, missing.join(", ")));
    }
    Ok(vec![Event::Opened {
        key,
        labels,
        annotations: Labels::new(),
        starts_at: now,
        fingerprint: None,
        correlation: order.key.clone(),
        by_hand: Some(Box::new(order)),
    }])
}

/// Whether a ruling that does not act ends an order, instead of being looked at again.
pub(super) fn is_refused(episode: &Episode, until: Option<Moment>) -> bool {
    episode.by_hand.as_ref().is_some_and(|order| match until {
        None => true,
        // Who only asks is answered; who waits is not told "later" and then "no".
        Some(until) => order.dry_run || until >= episode.expires_at,
    })
}

/// The guards have not let it through in time.
pub(super) fn given_up(state: &State, episode: Seq) -> Vec<Event> {
    let waits = |case: &&Case| case.phase != Phase::Resting && !case.phase.is_under_way();
    let why = "no guard let the next step through in time";
    let end = |case| sequence::ends(state, case, Conclusion::Refused, AtHand::NotDone, why);
    let mut events: Vec<Event> = state.cases_of(episode).filter(waits).flat_map(end).collect();
    events.push(over(episode));
    events
}

/// What was named is not there: of a person that is a slip of the pen, and nothing to wait for. Once a sequence has begun,
/// its own steps may have taken the object away for a while.
fn misses(state: &State, ruling: &Ruling) -> Option<Vec<Event>> {
    let missing = |reason: &&Reason| matches!(reason, Reason::TargetAbsent { .. });
    let reason = ruling.findings.iter().filter_map(|finding| finding.reason()).find(missing)?;
    of(state, ruling.episode)?;
    let case = state.cases.get(&CaseId { episode: ruling.episode, policy: ruling.policy.clone() })?;
    if case.rung_begun {
        return None;
    }
    Some(sequence::ends(state, case, Conclusion::Refused, AtHand::NotDone, &reason.to_string()))
}

/// An episode by hand ends when its case rests, and that rests where what was named is not there.
pub(super) fn ends(state: &State, mut events: Vec<Event>) -> Vec<Event> {
    let is_over = events.iter().any(|event| matches!(event, Event::Concluded { .. }));
    let missed = events.iter().find_map(|event| match event {
        Event::Ruled { ruling } if !is_over => misses(state, ruling),
        _ => None,
    });
    events.extend(missed.into_iter().flatten());
    let mut rested = BTreeSet::new();
    for event in &events {
        if let Event::Concluded { case, .. } = event
            && state.episodes.get(&case.episode).is_some_and(|one| one.is_open() && one.by_hand.is_some())
        {
            rested.insert(case.episode);
        }
    }
    for event in &events {
        if let Event::Closed { episode, .. } = event {
            rested.remove(episode);
        }
    }
    events.extend(rested.into_iter().map(over));
    events
}

fn over(episode: Seq) -> Event {
    Event::Closed { episode, why: Closing::Over, ended_at: None }
}
