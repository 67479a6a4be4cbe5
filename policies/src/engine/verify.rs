//! Whether an action helped. Only a check that was seen not to hold counts as no help; everything unclear stays
//! unknown and calls a person.

use crate::answer::Found;
use crate::book::Book;
use crate::engine::follow;
use crate::engine::rule::Inquiry;
use crate::engine::sequence::AtHand;
use crate::event::{Event, Seq, Verdict};
use crate::guard::conditions;
use crate::policy::{Check, Verification};
use crate::question::{Fact, Question};
use crate::state::{Case, Known, State};
use crate::time::Moment;

/// What a verification has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// The intent it is about.
    pub(super) intent: Seq,
    /// When the effect ended.
    pub(super) since: Moment,
    /// Since when the check has held without a break.
    pub(super) held_since: Option<Moment>,
}

/// A look that is due: ask, or judge the answer.
pub(super) fn look(state: &State, book: &Book, now: Moment, case: &Case, watch: Watch) -> Vec<Event> {
    let (Some(policy), Some(episode)) = (state.policy_of(case), state.episodes.get(&case.id.episode)) else {
        return follow::withdrawn(state, case, AtHand::Done);
    };
    let inquiry = Inquiry { state, book, policy, episode, case, now, ask_anyway: false };
    let Some(verify) = &inquiry.step().verify else {
        return follow::withdrawn(state, case, AtHand::Done);
    };
    let seen = match case.facts.get(&Fact::Verification) {
        Some(known) => judge(&verify.check, known, now, book),
        None => {
            let ask = case.target.as_ref().map(|target| inquiry.verification(target));
            match ask {
                Some(Ok(Some(ask))) => {
                    let deadline = now + book.settings().facts.deadline;
                    let id = state.next;
                    let question =
                        Question { id, case: case.id.clone(), fact: Fact::Verification, ask, deadline };
                    return vec![Event::Asked { question }];
                }
                Some(Err(problem)) => Seen { holds: None, shown: problem },
                Some(Ok(None)) | None => {
                    Seen { holds: None, shown: "there is nothing to look at".to_owned() }
                }
            }
        }
    };
    conclude(verify, now, watch, &seen).map_or_else(
        || {
            let again = now + verify.every;
            vec![Event::Looked { intent: watch.intent, holds: seen.holds, seen: seen.shown.clone(), again }]
        },
        |verdict| {
            let mut events =
                vec![Event::Verified { intent: watch.intent, verdict, seen: seen.shown.clone() }];
            events.extend(follow::verified(state, policy, case, verdict, &seen.shown));
            events
        },
    )
}

struct Seen {
    holds: Option<bool>,
    shown: String,
}

/// The verdict, once there is one. A check that holds at the end may finish its `hold`.
fn conclude(verify: &Verification, now: Moment, watch: Watch, seen: &Seen) -> Option<Verdict> {
    let over = now.since(watch.since) >= verify.within;
    match seen.holds {
        Some(true) => {
            let held_since = watch.held_since.unwrap_or(now);
            (now.since(held_since) >= verify.hold).then_some(Verdict::Helped)
        }
        Some(false) => over.then_some(Verdict::DidNotHelp),
        None => over.then_some(Verdict::Unknown),
    }
}

fn judge(check: &Check, known: &Known, now: Moment, book: &Book) -> Seen {
    let age = now.since(known.taken_at);
    let allow = book.settings().facts.max_age;
    if age > allow {
        return Seen { holds: None, shown: format!("{age} old, {allow} allowed") };
    }
    match (check, &known.found) {
        (_, Found::Failed { what }) => Seen { holds: None, shown: what.clone() },
        (_, Found::Absent { what }) => Seen { holds: None, shown: format!("there is no {what}") },
        (Check::Query(condition), Found::Series(series)) => match conditions::look(condition, series) {
            Ok(seen) => {
                Seen { holds: Some(seen.holds), shown: format!("{}, wanted {}", seen.value, condition.is) }
            }
            Err(found) => Seen { holds: None, shown: found },
        },
        (Check::Http { status: wanted, .. }, Found::Http { status }) => {
            Seen { holds: Some(status == wanted), shown: format!("status {status}, wanted {wanted}") }
        }
        (Check::Rollout, Found::Rollout { complete, detail }) => {
            Seen { holds: Some(*complete), shown: detail.clone() }
        }
        (
            Check::Query(_) | Check::Http { .. } | Check::Rollout,
            Found::Series(_)
            | Found::Target(_)
            | Found::Preflight(_)
            | Found::Rollout { .. }
            | Found::Http { .. },
        ) => Seen { holds: None, shown: "an answer to another question".to_owned() },
    }
}
