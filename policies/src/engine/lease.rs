//! Actions that are taken back after a while: an intent of their own, uncharged, only while the field still
//! holds our value.

use crate::action::{Action, Intent, Mode, Outcome, Wish};
use crate::answer::{Found, Preflight};
use crate::book::Book;
use crate::engine::EFFECT_DEADLINE;
use crate::engine::agenda::unanswered;
use crate::event::{Event, Seq};
use crate::guard::{pause, protection};
use crate::question::{Ask, Fact, Question};
use crate::reason::Reason;
use crate::state::{CaseId, Lease, State};
use crate::time::{Moment, Span};

/// How long a held revert waits when nothing says how long it is held; it is looked at earlier when something is
/// resumed, adopted or won.
const HELD: Span = Span::from_mins(5);

/// A lease that is due: hold, ask, or take back.
pub(super) fn due(state: &State, book: &Book, now: Moment, intent: Seq) -> Vec<Event> {
    let Some(lease) = state.leases.get(&intent) else {
        return Vec::new();
    };
    if let Some(open) = lease.open {
        return vec![unanswered(now, open)];
    }
    let held = |reason: &Reason| {
        let until = reason.until().unwrap_or(now + HELD);
        vec![Event::RevertHeld { intent, until, why: reason.to_string() }]
    };
    if state.in_flight.values().any(|flight| flight.intent.reverts == Some(intent)) {
        return vec![Event::RevertHeld { intent, until: now + HELD, why: "it is under way".to_owned() }];
    }
    if let Some(reason) = held_by(state, book, now, lease) {
        return held(&reason);
    }
    let mode = book.settings().mode;
    if is_capped(mode, &lease.intent) {
        let why = format!("the daemon runs with --mode {mode}");
        return vec![Event::RevertHeld { intent, until: now + HELD, why }];
    }
    match lease.looked.as_ref().map(|known| &known.found) {
        None => vec![Event::Asked { question: question(state, book, now, lease) }],
        Some(Found::Preflight(preflight)) => looked(state, book, now, lease, preflight),
        Some(Found::Absent { what }) => dropped(lease, format!("there is no {what}"), true),
        Some(Found::Failed { what }) => {
            vec![Event::RevertHeld { intent, until: now + book.settings().facts.retry, why: what.clone() }]
        }
        Some(Found::Series(_) | Found::Target(_) | Found::Rollout { .. } | Found::Http { .. }) => {
            dropped(lease, "an answer to another question".to_owned(), true)
        }
    }
}

/// What follows from the look at the target: take back only what is still ours.
fn looked(state: &State, book: &Book, now: Moment, lease: &Lease, preflight: &Preflight) -> Vec<Event> {
    let protected = &book.settings().guards.protected;
    if let Some(rule) = protection::protecting_label(protected, &preflight.labels) {
        let why = Reason::Protected { rule: format!("label {rule}") }.to_string();
        return vec![Event::RevertHeld { intent: lease.intent.id, until: now + HELD, why }];
    }
    if are_passing(&preflight.refusals) {
        let until = preflight.refusals.iter().filter_map(Reason::until).max().unwrap_or(now + HELD);
        let why = said(&preflight.refusals);
        return vec![Event::RevertHeld { intent: lease.intent.id, until, why }];
    }
    // A remediation whose objects are its own, known by their stamp, pins nothing.
    if !preflight.uid.is_empty() && preflight.uid != lease.intent.uid {
        let why = format!("{} is another object now (uid {})", lease.intent.target, preflight.uid);
        return dropped(lease, why, true);
    }
    match &preflight.action {
        Some(action) if preflight.refusals.is_empty() => {
            vec![Event::Intended { intent: Box::new(revert(state, now, lease, action)) }]
        }
        Some(_) | None if preflight.already => {
            dropped(lease, "the value from before already holds".to_owned(), false)
        }
        Some(_) | None => dropped(lease, said(&preflight.refusals), true),
    }
}

/// Whether the daemon's cap on modes keeps this from being taken back. Who approved the action approved its end; in
/// dry-run there are no hands at all.
fn is_capped(cap: Mode, intent: &Intent) -> bool {
    match cap {
        Mode::DryRun => true,
        Mode::Approve => intent.approved_by.is_none(),
        Mode::Enforce => false,
    }
}

/// Whether these reasons only hold a revert: not one of them says that the field is ours no more, or that it will never
/// be done.
pub(super) fn are_passing(reasons: &[Reason]) -> bool {
    let passes = |reason: &Reason| match reason {
        // A person, or a controller, has taken over.
        Reason::Changed { .. } | Reason::TargetAbsent { .. } => false,
        // The next process may be one with Kubernetes; what protects may be lifted.
        Reason::NoKubernetes | Reason::Protected { .. } => true,
        other => other.may_pass(),
    };
    !reasons.is_empty() && reasons.iter().all(passes)
}

fn said(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

/// A revert is held only by pause, protection, mode, leadership and the clock.
fn held_by(state: &State, book: &Book, now: Moment, lease: &Lease) -> Option<Reason> {
    let intent = &lease.intent;
    if !state.leader {
        return Some(Reason::NotLeading);
    }
    if let Some(reason) = state.clock_trouble(now) {
        return Some(reason);
    }
    let (protected, reached) = (&book.settings().guards.protected, intent.namespaces());
    let rule = reached.iter().find_map(|name| protection::protecting_namespace(protected, name));
    rule.map(|rule| Reason::Protected { rule })
        .or_else(|| pause::covering(state, &intent.policy, Some(&intent.target), &reached, now))
}

fn question(state: &State, book: &Book, now: Moment, lease: &Lease) -> Question {
    Question {
        id: state.next,
        case: CaseId::of(&lease.intent),
        fact: Fact::Revert(lease.intent.id),
        ask: Ask::Preflight {
            target: lease.intent.target.clone(),
            wish: Wish::Revert(lease.intent.action.clone()),
            diff: false,
        },
        deadline: now + book.settings().facts.deadline,
    }
}

fn revert(state: &State, now: Moment, lease: &Lease, action: &Action) -> Intent {
    Intent {
        id: state.next,
        action: action.clone(),
        at: now,
        deadline: now + EFFECT_DEADLINE,
        charged: false,
        reverts: Some(lease.intent.id),
        revert_after: None,
        epoch: state.epoch,
        ..lease.intent.clone()
    }
}

fn dropped(lease: &Lease, why: String, call: bool) -> Vec<Event> {
    let mut events = vec![Event::RevertDropped { intent: lease.intent.id, into: None, why: why.clone() }];
    if call {
        events.push(Event::Escalated {
            case: Some(CaseId::of(&lease.intent)),
            why: format!("intent {} is not taken back: {why}", lease.intent.id),
            notify: Vec::new(),
        });
    }
    events
}

/// What a person is told of an action that did not end well: whether anything will be taken back.
pub(super) fn told_of(intent: &Intent, outcome: &Outcome, what: &str) -> String {
    match (trace(outcome), intent.revert_after) {
        (Trace::Made, Some(after)) => format!("{what}; what was changed is taken back in {after}"),
        (Trace::Perhaps, Some(after)) => {
            format!("{what}; if it was done all the same, it is taken back in {after}")
        }
        (Trace::Nothing, _) | (_, None) => what.to_owned(),
    }
}

/// After the effect of a revert. One that failed without an effect is tried again, one that was held goes on waiting.
pub(super) fn ended(state: &State, now: Moment, revert: &Intent, outcome: &Outcome) -> Vec<Event> {
    let lease = revert.reverts.and_then(|intent| state.leases.get(&intent));
    let what = match (outcome, lease) {
        (Outcome::Done { .. } | Outcome::Collected { .. }, _) => return Vec::new(),
        (Outcome::Failed { what, applied: false }, Some(lease)) if lease.may_be_tried_again() => {
            let until = now + state.current_book().settings().facts.retry;
            return vec![Event::RevertHeld { intent: lease.intent.id, until, why: what.clone() }];
        }
        (Outcome::Refused { reasons }, Some(lease)) if are_passing(reasons) => {
            let until = reasons.iter().filter_map(Reason::until).max().unwrap_or(now + HELD);
            return vec![Event::RevertHeld { intent: lease.intent.id, until, why: said(reasons) }];
        }
        (Outcome::Refused { reasons }, _) => said(reasons),
        (Outcome::Failed { what, .. } | Outcome::Unknown { what }, _) => what.clone(),
    };
    vec![Event::Escalated {
        case: Some(CaseId::of(revert)),
        why: format!(
            "the revert of intent {} ended {}: {what}",
            revert.reverts.unwrap_or_default(),
            outcome.name()
        ),
        notify: Vec::new(),
    }]
}

/// What an effect has left behind that a lease must take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// The change was made.
    Made,
    /// It may have been; the look before the revert tells, which acts only on our own value.
    Perhaps,
    /// Nothing was changed.
    Nothing,
}

/// What an effect with this outcome has left behind.
pub(super) fn trace(outcome: &Outcome) -> Trace {
    match outcome {
        Outcome::Done { already: false, .. } | Outcome::Failed { applied: true, .. } => Trace::Made,
        Outcome::Unknown { .. } => Trace::Perhaps,
        Outcome::Done { already: true, .. }
        | Outcome::Collected { .. }
        | Outcome::Refused { .. }
        | Outcome::Failed { applied: false, .. } => Trace::Nothing,
    }
}

/// A later lease on the same field takes the earlier one over, so that in the end the value from before the
/// first is restored. Where nobody knows whether the later change was made, each restores what it can be sure of.
pub(super) fn taken_over(state: &State, intent: &Intent, outcome: &Outcome) -> Vec<Event> {
    if trace(outcome) != Trace::Made || intent.mode == Mode::DryRun || intent.revert_after.is_none() {
        return Vec::new();
    }
    let earlier = state.leases.values().filter(|lease| {
        lease.intent.target == intent.target && intent.action.after(&lease.intent.action).is_some()
    });
    earlier
        .map(|lease| Event::RevertDropped {
            intent: lease.intent.id,
            into: Some(intent.id),
            why: format!("intent {} takes over what it restores", intent.id),
        })
        .collect()
}
