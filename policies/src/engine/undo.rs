//! An operator wants an action taken back now, whether anything was going to. From here it goes the way of every revert:
//! an intent of its own, which acts only while what was changed is still as it was left. It must never decide from what
//! the journal tells where the state knows better.

use crate::action::{Action, Mode, Outcome};
use crate::address::AddressRange;
use crate::engine::lease::{Trace, trace};
use crate::event::{Event, Seq};
use crate::order::Past;
use crate::state::State;

/// What an operator wants undone.
pub(super) struct Wanted<'a> {
    pub(super) intent: Seq,
    /// Of several entries only these.
    pub(super) only: &'a [AddressRange],
    pub(super) reason: &'a str,
    pub(super) past: Option<&'a Past>,
}

/// The order to take it back; nothing where the same was ordered already.
///
/// # Errors
/// Why it cannot be taken back, in words.
pub(super) fn order(state: &State, by: &str, wanted: &Wanted<'_>) -> Result<Vec<Event>, String> {
    let Wanted { intent, only, reason, past } = *wanted;
    let ordered = |of| {
        let (by, reason, only) = (by.to_owned(), reason.to_owned(), only.to_vec());
        Ok(vec![Event::RevertOrdered { intent, by, reason, only, of }])
    };
    if state.in_flight.contains_key(&intent) {
        return Err(format!("intent {intent} is still under way; it can be undone once it has ended"));
    }
    if let Some(lease) = state.leases.get(&intent) {
        holds(intent, &lease.intent.action, only)?;
        let under_way = state.in_flight.values().find(|flight| flight.intent.reverts == Some(intent));
        if let Some(flight) = under_way {
            return Err(format!("intent {} is taking intent {intent} back already", flight.intent.id));
        }
        let same = lease.ordered.as_ref().is_some_and(|order| order.only.as_slice() == only);
        return if same { Ok(Vec::new()) } else { ordered(None) };
    }
    let past = past.ok_or_else(|| format!("the journal has no intent {intent}"))?;
    undone_by(past)?;
    holds(intent, &past.intent.action, only)?;
    ordered(Some(Box::new(past.intent.clone())))
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
    let has = |range: &AddressRange| matches!(action, Action::BlockIp(block) if block.ranges().any(|one| one == *range));
    match only.iter().find(|range| !has(range)) {
        None => Ok(()),
        Some(range) => Err(format!("intent {intent} keeps nobody of {range} out")),
    }
}
