//! How each event changes the state. Reads nothing but the event and the state it is folded into, to which the books
//! belong that earlier events brought; total, so that a journal can always be folded.
//!
//! ```text
//!   episodes.rs  Received, Opened, Closed, storms
//!   cases.rs     Asked, Told, Ruled, Held, Advanced, Concluded, proposals
//!   effects.rs   Intended, Ended, Looked, Verified, leases
//!   pages.rs     proposals, Escalated, Notified, Delivered, Raised, Acknowledged
//!   world.rs     Adopted, Began, pauses, leadership, clock
//! ```

mod cases;
mod effects;
mod episodes;
mod page_text;
mod pages;
mod world;

use crate::event::{Event, Seq};
use crate::state::State;
use crate::time::Moment;

/// Changes the state by one event, which becomes the record with sequence `state.next`.
pub fn apply(state: &mut State, now: Moment, event: &Event) {
    let seq = state.next;
    state.next = seq.plus(1);
    state.now = state.now.max(now);
    let now = state.now;
    state.stands_still_until = state.stands_still_until.filter(|until| now < *until);
    match event {
        Event::Received { repeated, truncated, .. } => episodes::received(state, now, repeated, *truncated),
        Event::Opened { key, labels, annotations, starts_at, fingerprint, correlation, by_hand } => {
            let opened = episodes::Opened {
                key: *key,
                labels,
                annotations,
                starts_at: *starts_at,
                fingerprint,
                correlation,
                by_hand: by_hand.as_deref(),
            };
            episodes::opened(state, now, seq, &opened);
        }
        Event::Closed { episode, why, ended_at } => {
            pages::closed(state, now, *episode, *why);
            episodes::closed(state, now, *episode, *why, *ended_at);
        }
        Event::Asked { question } => cases::asked(state, question),
        Event::Told { answer } => cases::told(state, now, answer),
        Event::Ruled { ruling } => {
            cases::ruled(state, now, seq, ruling);
            pages::proposed(state, now, seq, ruling);
        }
        Event::Held { case, until } => cases::held(state, case, *until),
        Event::Intended { intent } => effects::intended(state, intent),
        Event::Ended { intent, outcome } => effects::ended(state, now, *intent, outcome),
        Event::Looked { intent, holds, again, .. } => effects::looked(state, now, *intent, *holds, *again),
        Event::Verified { intent, .. } => effects::verified(state, *intent),
        Event::Advanced { case, rung, step, why, due, target } => {
            let (to, target) = ((*rung, *step), target.as_ref());
            let advanced = cases::Advanced { case, to, why: *why, due: *due, target };
            cases::advanced(state, now, &advanced);
        }
        Event::Concluded { case, conclusion } => cases::concluded(state, now, case, *conclusion),
        Event::Approved { proposal, by, .. } => cases::approved(state, now, *proposal, by),
        Event::Denied { proposal, .. } | Event::Lapsed { proposal } => {
            state.proposals.remove(proposal);
        }
        Event::Escalated { case, why, notify, about } => {
            let called = pages::Called { case: case.as_ref(), why, notify, about: about.as_deref() };
            pages::escalated(state, now, seq, &called);
            match (about.as_deref().and_then(|about| about.not_taken_back), case) {
                (Some(intent), _) => state.lease_is_told(intent),
                // What is told of something else says nothing of what keeps the case.
                (None, Some(case)) if about.is_none() => state.kept_is_told(case),
                (None, _) => {}
            }
        }
        Event::Notified { notice } => pages::notified(state, now, notice),
        Event::Delivered { notice, receipt } => pages::delivered(state, now, *notice, receipt),
        Event::Raised { page, to, .. } => pages::raised(state, now, *page, to),
        Event::Acknowledged { page, by, .. } => pages::acknowledged(state, now, *page, by),
        // What follows from it is said by the events behind it.
        Event::OrderRefused { .. } | Event::Cancelled { .. } => {}
        Event::Paused { scope, by, until, reason } => world::paused(state, now, scope, by, *until, reason),
        Event::Resumed { scope, .. } => world::resumed(state, now, scope),
        Event::Adopted { digest, source, by: _ } => {
            world::adopted(state, now, *digest, source);
            pages::adopted(state);
        }
        Event::StormBegan { why } => episodes::storm_began(state, now, why),
        Event::StormGoesOn { again } => episodes::storm_goes_on(state, *again),
        Event::StormEnded => episodes::storm_ended(state, now),
        Event::Quarantined { policy, .. } => {
            state.efficacy.entry(policy.clone()).or_default().quarantined_since = Some(now);
        }
        Event::RevertDropped { intent, into, .. } => effects::revert_dropped(state, *intent, *into),
        Event::RevertHeld { intent, until, order_over, why, reason: _, failures, since, behind } => {
            let held = effects::Held {
                until: *until,
                why,
                order_over: *order_over,
                failures: *failures,
                since: *since,
                behind: *behind,
            };
            effects::revert_held(state, *intent, &held);
        }
        Event::RevertOrdered { intent, by, only, of, reason: _ } => {
            effects::revert_ordered(state, now, *intent, by, only, of.as_deref());
        }
        Event::Reigned { leader, epoch } => world::reigned(state, now, *leader, *epoch),
        Event::Began { .. } => {
            world::began(state, now);
            pages::began(state, now);
        }
        Event::ClockStepped { by_ms } => world::clock_stepped(state, now, *by_ms),
        Event::ClockAccepted { .. } => world::clock_accepted(state, now),
    }
}

/// The id that the record being applied has.
fn this(state: &State) -> Seq {
    Seq(state.next.0.saturating_sub(1))
}
