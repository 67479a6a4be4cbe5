//! An operator wants an action taken back now, whether anything was going to. From here it goes the way of every revert:
//! an intent of its own, which acts only while what was changed is still as it was left. It must never decide from what
//! the journal tells where the state knows better.

use crate::action::{Action, Intent, Mode, Outcome};
use crate::address::AddressRange;
use crate::book::Book;
use crate::engine::by_hand;
use crate::engine::lease::{self, Trace, has_entry, trace};
use crate::engine::questions::Aim;
use crate::engine::rule::Inquiry;
use crate::engine::sequence::{self, AtHand};
use crate::event::{Conclusion, Event, Seq};
use crate::order::Past;
use crate::state::{Case, CaseId, Lease, Phase, State};
use crate::target::Target;
use crate::time::Moment;

/// What an operator wants undone.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The intent that did it.
    pub intent: Seq,
    /// Of several entries only these.
    pub only: &'a [AddressRange],
    /// For the record.
    pub reason: &'a str,
    /// What the journal tells of it; none where it tells nothing.
    pub past: Option<&'a Past>,
}

/// What takes an action back that nobody wants taken back by an order. What holds it when its time is over is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anyway {
    /// Nothing: it has no end, or its end is left to a person.
    Never,
    /// Its time is over then.
    Due(Moment),
    /// It stays while its alert is open, until then at the latest.
    DueAtTheLatest(Moment),
    /// Its time is over, and something holds it: it is looked at again then, or earlier.
    LookedAt(Moment),
}

/// What an order to take something back would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// Whether the same was ordered before, and stands.
    pub repeated: bool,
    /// What would be taken back.
    pub action: Action,
    /// On what.
    pub target: Target,
    /// When nobody orders it.
    pub anyway: Anyway,
    /// What would hold it now, as far as that is known without a look.
    pub held: Option<String>,
    /// The orders by hand that would be cancelled with it.
    pub cancels: Vec<Seq>,
}

/// What the order would come to, decided as the order is if it were given now. Nothing follows from it.
///
/// # Errors
/// Why it would be refused, in the words in which it would be.
pub fn rehearse(
    state: &State,
    book: &Book,
    now: Moment,
    by: &str,
    wanted: &Wanted<'_>,
) -> Result<Rehearsed, String> {
    // As an order is: what a clock says that was put back makes nothing younger.
    let now = now.max(state.now);
    let events = order(state, now, by, wanted)?;
    let lease = state.leases.get(&wanted.intent);
    let known = lease.map(|lease| &lease.intent).or_else(|| wanted.past.map(|past| &past.intent));
    let known = known.ok_or_else(|| unknown(wanted.intent))?;
    let is_order = |event: &Event| matches!(event, Event::RevertOrdered { .. });
    let cancelled = |event: &Event| match event {
        Event::Cancelled { episode, .. } => Some(*episode),
        _ => None,
    };
    Ok(Rehearsed {
        repeated: !events.iter().any(is_order),
        action: known.action.part(wanted.only).unwrap_or_else(|| known.action.clone()),
        target: known.target.clone(),
        anyway: lease.map_or(Anyway::Never, |lease| anyway(state, now, lease)),
        held: lease::held_once_ordered(state, book, now, known),
        cancels: events.iter().filter_map(cancelled).collect(),
    })
}

/// What takes this back where nobody orders it.
pub fn anyway(state: &State, now: Moment, lease: &Lease) -> Anyway {
    let now = now.max(state.now);
    let anyway = lease::anyway(state, now, lease);
    // A pause, a protection or a lost leadership is no matter of the alert: no time is promised where one of them holds it.
    let is_held =
        || lease.held && lease::held_once_ordered(state, &state.current_book(), now, &lease.intent).is_some();
    match anyway {
        Anyway::DueAtTheLatest(_) if is_held() => Anyway::LookedAt(lease.due),
        Anyway::DueAtTheLatest(_) | Anyway::Never | Anyway::Due(_) | Anyway::LookedAt(_) => anyway,
    }
}

/// The order to take it back; nothing where the same was ordered already.
///
/// # Errors
/// Why it cannot be taken back, in words.
pub(super) fn order(state: &State, now: Moment, by: &str, wanted: &Wanted<'_>) -> Result<Vec<Event>, String> {
    let Wanted { intent, only, reason, past } = *wanted;
    let is_part = !only.is_empty();
    let ordered = |of: Option<Box<Intent>>, done: &Intent| {
        let (reason, only) = (reason.to_owned(), only.to_vec());
        let mut events = vec![Event::RevertOrdered { intent, by: by.to_owned(), reason, only, of }];
        events.extend(stopped(state, done));
        if !is_part {
            events.extend(again(state, now, by, done));
        }
        Ok(events)
    };
    // Whoever orders it once more means what was ordered since then, too.
    let once_more = |done: &Intent| if is_part { Vec::new() } else { again(state, now, by, done) };
    if state.in_flight.contains_key(&intent) {
        return Err(format!("intent {intent} is still under way; it can be undone once it has ended"));
    }
    if let Some(lease) = state.leases.get(&intent) {
        holds(intent, &lease.intent.action, only)?;
        let under_way = state.in_flight.values().find(|flight| flight.intent.reverts == Some(intent));
        if let Some(flight) = under_way {
            let waiting = once_more(&lease.intent);
            let already = format!("intent {} is taking intent {intent} back already", flight.intent.id);
            return if waiting.is_empty() { Err(already) } else { Ok(waiting) };
        }
        let same = lease.ordered.as_ref().is_some_and(|order| order.by.is_some() && order.covers(only));
        return if same { Ok(once_more(&lease.intent)) } else { ordered(None, &lease.intent) };
    }
    let past = past.ok_or_else(|| unknown(intent))?;
    undone_by(past)?;
    holds(intent, &past.intent.action, only)?;
    ordered(Some(Box::new(past.intent.clone())), &past.intent)
}

fn unknown(intent: Seq) -> String {
    format!("the journal has no intent {intent}")
}

/// A person has taken over: the case that did it neither goes on nor finds out that it did not help. One that acts is
/// left to its end.
fn stopped(state: &State, intent: &Intent) -> Vec<Event> {
    let Some(case) = state.cases.get(&CaseId::of(intent)).filter(|case| case.rung == intent.rung) else {
        return Vec::new();
    };
    let at = match case.phase {
        Phase::Acting { .. } | Phase::Resting => return Vec::new(),
        Phase::Verifying { .. } => AtHand::Done,
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Withheld => AtHand::NotDone,
    };
    sequence::ends(state, case, Conclusion::TakenBack, at, "a person wants what was done taken back")
}

/// Who wants it taken back does not want it done again by an order that still waits for its guards, minutes later and with
/// nobody watching. A rehearsal does nothing again.
fn again(state: &State, now: Moment, by: &str, intent: &Intent) -> Vec<Event> {
    let is_same = |case: &&Case| {
        case.id != CaseId::of(intent)
            && case.id.policy == intent.policy
            && case.phase != Phase::Resting
            && !case.phase.is_under_way()
            && by_hand::of(state, case.id.episode).is_some_and(|order| !order.dry_run)
            && may_be_on(state, now, case, intent)
    };
    let why = "a person wants taken back what it would do again";
    let withdrawn = |case: &Case| {
        let reason = format!("intent {} is to be taken back", intent.id);
        let mut events = vec![by_hand::cancelled(case.id.episode, by, &reason)];
        events.extend(sequence::ends(state, case, Conclusion::Cancelled, AtHand::NotDone, why));
        events
    };
    state.cases.values().filter(is_same).flat_map(withdrawn).collect()
}

/// Whether an order is for the target of this intent. One whose target nobody has looked up yet is, where it names the same
/// as whatever the intent was made for.
fn may_be_on(state: &State, now: Moment, case: &Case, intent: &Intent) -> bool {
    if let Some(target) = &case.target {
        return *target == intent.target;
    }
    let (Some(policy), Some(episode)) = (state.policy_of(case), state.episodes.get(&case.id.episode)) else {
        return false;
    };
    let book = state.current_book();
    let inquiry = Inquiry { state, book: &book, policy, episode, case, now, ask_anyway: false };
    match inquiry.aim() {
        Aim::Known(target) => target == intent.target,
        Aim::Sought(_) | Aim::Pending => {
            let of_lease = state.leases.get(&intent.id).map(|lease| &lease.labels);
            let of_episode = state.episodes.get(&intent.episode).map(|known| &known.labels);
            let made_for = of_episode.or(of_lease.filter(|labels| !labels.is_empty()));
            let named = match inquiry.labels_of_target() {
                Some(named) => named,
                None => policy.labels_in_templates(),
            };
            made_for
                .is_some_and(|labels| named.iter().all(|name| labels.get(name) == episode.labels.get(name)))
        }
        Aim::Bad(_) => false,
    }
}

/// Whether anything is left of it that can be taken back.
fn undone_by(past: &Past) -> Result<(), String> {
    let intent = &past.intent;
    let id = intent.id;
    if let Some(of) = intent.reverts {
        return Err(format!("intent {id} took intent {of} back; what it undid is to be run anew"));
    }
    if intent.mode == Mode::DryRun {
        return Err(format!("intent {id} was a rehearsal; it changed nothing"));
    }
    if let Some(by) = past.taken_back {
        return Err(format!("intent {id} was taken back already, by intent {by}"));
    }
    if let Some(into) = past.into {
        return Err(format!("intent {into} restores what was there before intent {id}; undo that one"));
    }
    let outcome = past.outcome.as_ref().ok_or_else(|| format!("nobody knows how intent {id} ended"))?;
    match trace(outcome) {
        Trace::Made | Trace::Perhaps => {}
        Trace::Nothing => {
            let how = match outcome {
                Outcome::Collected { .. } => "it only looked".to_owned(),
                Outcome::Done { .. } => "it was done already, so it changed nothing".to_owned(),
                Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => {
                    format!("it was never done ({})", outcome.name())
                }
            };
            return Err(format!("there is nothing to undo of intent {id}: {how}"));
        }
    }
    match intent.action.inverse() {
        Some(_) => Ok(()),
        None => Err(format!("intent {id} cannot be undone: nothing takes back `{}`", intent.action)),
    }
}

/// Whether it has these entries.
fn holds(intent: Seq, action: &Action, only: &[AddressRange]) -> Result<(), String> {
    match only.iter().find(|range| !has_entry(action, range)) {
        None => Ok(()),
        Some(range) => Err(format!("intent {intent} keeps nobody of {range} out")),
    }
}
