//! Operators, books, leadership, and answers: what is true of the outside now.

use crate::answer::Answer;
use crate::book::{Book, Source};
use crate::engine::sequence::{self, AtHand};
use crate::engine::{adoption, by_hand, undo};
use crate::event::{Conclusion, Event, Seq};
use crate::notifications::Receipt;
use crate::order::{ByHand, Command, Order, PauseScope};
use crate::state::{CaseId, Page, Phase, State};
use crate::time::Moment;

/// How many policies are named to somebody who mistyped one.
const NAMES_SHOWN_MAX: usize = 20;

/// Why a sequence ends whose next step a person denied.
const DENIED: &str = "a person denied the next step";

/// An answer, unless its question was answered, given up or never asked.
pub(super) fn told(state: &State, answer: &Answer) -> Vec<Event> {
    if state.questions.contains_key(&answer.question) {
        vec![Event::Told { answer: answer.clone() }]
    } else {
        Vec::new()
    }
}

/// The end of a message, unless it was given up.
pub(super) fn delivered(state: &State, notice: Seq, receipt: &Receipt) -> Vec<Event> {
    if state.paging.notices.contains_key(&notice) {
        vec![Event::Delivered { notice, receipt: receipt.clone() }]
    } else {
        Vec::new()
    }
}

pub(super) fn order(state: &State, now: Moment, order: &Order) -> Vec<Event> {
    let by = order.by.clone();
    let refused = |why: String| vec![Event::OrderRefused { by: order.by.clone(), why }];
    match &order.command {
        Command::Approve { proposal, comment } => match proposed(state, *proposal) {
            Some((_, due)) if due <= now => refused(format!("proposal {proposal} lapsed at {due}")),
            Some(_) => vec![Event::Approved { proposal: *proposal, by, comment: comment.clone() }],
            None => refused(no_proposal(*proposal)),
        },
        Command::Deny { proposal, comment } => match proposed(state, *proposal) {
            Some((case, _)) => {
                let mut events = vec![Event::Denied { proposal: *proposal, by, comment: comment.clone() }];
                let denied = |case| sequence::ends(state, case, Conclusion::Denied, AtHand::NotDone, DENIED);
                events.extend(state.cases.get(case).into_iter().flat_map(denied));
                events
            }
            None => refused(no_proposal(*proposal)),
        },
        Command::Acknowledge { page, comment } => match state.paging.pages.get(page) {
            Some(Page { acknowledged: Some(who), .. }) => {
                refused(format!("{who} has acknowledged {page} already"))
            }
            Some(_) => vec![Event::Acknowledged { page: *page, by, comment: comment.clone() }],
            None => refused(format!("no call {page} is open; it may be over, or have told nobody")),
        },
        Command::Pause { until: Some(until), .. } if *until <= now => {
            refused(format!("{until} is past; a pause ends in the future"))
        }
        Command::Pause { scope: PauseScope::Policy(name), .. }
            if state.current_book().policy(name).is_none() =>
        {
            refused(no_policy(&state.current_book(), name))
        }
        Command::Pause { scope, until, reason } => {
            vec![Event::Paused { scope: scope.clone(), by, until: *until, reason: reason.clone() }]
        }
        Command::Resume { scope } => {
            if state.pauses.contains_key(scope) || is_quarantined(state, scope) {
                vec![Event::Resumed { scope: scope.clone(), by }]
            } else {
                refused(format!("{scope} is not paused"))
            }
        }
        Command::AcceptClock if state.clock_stepped.is_some() => vec![Event::ClockAccepted { by }],
        Command::AcceptClock => refused("the clock has not stepped".to_owned()),
        Command::Run { policy, labels, reason, dry_run, key } => {
            let wanted = ByHand {
                by,
                policy: policy.clone(),
                reason: reason.clone(),
                dry_run: *dry_run,
                key: key.clone(),
            };
            by_hand::run(state, now, wanted, labels).unwrap_or_else(refused)
        }
        Command::Cancel { episode, reason } => {
            by_hand::cancel(state, &by, *episode, reason).unwrap_or_else(refused)
        }
        Command::Undo { intent, only, reason, past } => {
            let wanted = undo::Wanted { intent: *intent, only, reason, past: past.as_deref() };
            undo::order(state, now, &by, &wanted).unwrap_or_else(refused)
        }
    }
}

/// What somebody is told who mistyped a policy.
pub(super) fn no_policy(book: &Book, name: &str) -> String {
    let names: Vec<&str> = book.policies().keys().map(String::as_str).take(NAMES_SHOWN_MAX).collect();
    format!("there is no policy {name}; there are: {}", names.join(", "))
}

fn no_proposal(proposal: Seq) -> String {
    format!(
        "there is no open proposal {proposal}; it may have been answered, have lapsed, its alert have ended, or its policy \
         have been changed"
    )
}

fn proposed(state: &State, proposal: Seq) -> Option<(&CaseId, Moment)> {
    let id = state.proposals.get(&proposal)?;
    match state.cases.get(id)?.phase {
        Phase::Proposed { due, .. } => Some((id, due)),
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. }
        | Phase::Withheld
        | Phase::Resting => None,
    }
}

fn is_quarantined(state: &State, scope: &PauseScope) -> bool {
    match scope {
        PauseScope::Policy(name) => {
            state.efficacy.get(name).is_some_and(|efficacy| efficacy.quarantined_since.is_some())
        }
        PauseScope::Everything | PauseScope::Namespace(_) | PauseScope::Target(_) => false,
    }
}

/// A book comes into force unless it is in force already. The caller has checked that it loads.
pub(super) fn adopt(state: &State, source: &Source, by: Option<&String>) -> Vec<Event> {
    let digest = source.digest();
    if state.book == Some(digest) {
        return Vec::new();
    }
    let mut events = adoption::ends(state, digest, source);
    events.push(Event::Adopted { digest, source: Box::new(source.clone()), by: by.cloned() });
    events
}

pub(super) fn reign(state: &State, leader: bool, epoch: u64) -> Vec<Event> {
    if state.leader == leader && state.epoch == epoch {
        return Vec::new();
    }
    vec![Event::Reigned { leader, epoch }]
}
