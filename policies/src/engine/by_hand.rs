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
use crate::state::{Case, Episode, Phase, State};
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

/// Whether nobody waits for what holds an order: it takes longer than anybody looks on, or what was named is not there,
/// which is a slip of the pen of a person. Once a sequence has begun, its own steps may have taken the object away for a
/// while.
pub(super) fn never_waits(episode: &Episode, case: &Case, until: Moment, reasons: &[&Reason]) -> bool {
    let is_missing = |reason: &&Reason| matches!(reason, Reason::TargetAbsent { .. });
    let is_by_hand = episode.by_hand.is_some();
    is_by_hand && (until >= episode.expires_at || (!case.rung_begun && reasons.iter().any(is_missing)))
}

/// Whether a ruling that does not act ends an order, instead of being looked at again.
pub(super) fn is_refused(episode: &Episode, until: Option<Moment>) -> bool {
    episode.by_hand.as_ref().is_some_and(|order| match until {
        None => true,
        // Who only asks is answered.
        Some(_) => order.dry_run,
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

/// Somebody does not want any more what was ordered: what of it is not done stays undone.
///
/// # Errors
/// Why there is nothing to cancel, in words.
pub(super) fn cancel(state: &State, by: &str, episode: Seq, reason: &str) -> Result<Vec<Event>, String> {
    let Some(known) = state.episodes.get(&episode) else {
        return Err(format!("no order {episode} waits; it may be over, or never have been"));
    };
    if known.by_hand.is_none() {
        return Err(format!(
            "{episode} is the alert {}, and no order; nobody ordered it by hand",
            known.alert()
        ));
    }
    let mut events = vec![cancelled(episode, by, reason)];
    let why = format!("{by} has cancelled the order");
    for case in state.cases_of(episode) {
        match case.phase {
            Phase::Acting { intent } => {
                return Err(format!("order {episode} is being done: intent {intent} is under way"));
            }
            Phase::Verifying { intent, .. } => {
                return Err(format!("order {episode} was done by intent {intent}, and is being verified"));
            }
            Phase::Resting => {}
            Phase::Waiting { .. }
            | Phase::Asking { .. }
            | Phase::Proposed { .. }
            | Phase::Approved { .. }
            | Phase::Withheld => {
                events.extend(sequence::ends(state, case, Conclusion::Cancelled, AtHand::NotDone, &why));
            }
        }
    }
    if events.len() == 1 {
        return Err(format!("order {episode} is over"));
    }
    Ok(events)
}

/// The record of it.
pub(super) fn cancelled(episode: Seq, by: &str, reason: &str) -> Event {
    Event::Cancelled { episode, by: by.to_owned(), reason: reason.to_owned() }
}

/// An episode by hand ends when its case rests.
pub(super) fn ends(state: &State, mut events: Vec<Event>) -> Vec<Event> {
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
