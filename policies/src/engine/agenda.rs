//! A wake-up: the one thing that is due first. Who does not lead decides nothing: cases and reverts wait, as they are, for
//! whoever leads next.

use crate::answer::{Answer, Found};
use crate::book::Book;
use crate::engine::{by_hand, follow, intake, kept, lease, page, rule, storm, verify};
use crate::event::{Closing, Event, Seq};
use crate::state::{Case, CaseId, Duty, Phase, State};
use crate::time::Moment;

pub(super) fn decide(state: &State, book: &Book, now: Moment) -> Vec<Event> {
    let Some((_, duty)) = first(state).filter(|(due, _)| *due <= now) else {
        return Vec::new();
    };
    match duty {
        Duty::Expire(episode) if by_hand::of(state, *episode).is_some() => by_hand::given_up(state, *episode),
        Duty::Expire(episode) => intake::close(state, *episode, Closing::Expired, None),
        Duty::Page(page) => page::due(state, now, *page),
        Duty::Kept(id) => kept::due(state, now, id),
        Duty::Calm => storm::calm(state, book, now),
        Duty::Revert(intent) => lease::due(state, book, now, *intent),
        Duty::Case { id, .. } => {
            state.cases.get(id).map(|case| look_at(state, book, now, case)).unwrap_or_default()
        }
    }
}

/// What is to be looked at first, and when. While nobody has accepted a step of the clock, nothing ends that ends after a
/// while.
pub(super) fn first(state: &State) -> Option<(Moment, &Duty)> {
    let verifies =
        |id: &CaseId| state.cases.get(id).is_some_and(|case| matches!(case.phase, Phase::Verifying { .. }));
    let waits = |duty: &Duty| match duty {
        Duty::Expire(_) | Duty::Calm => false,
        Duty::Revert(_) | Duty::Page(_) => !state.leader,
        Duty::Kept(_) => !state.leader || state.clock_stepped.is_some(),
        Duty::Case { id, .. } => !state.leader || (state.clock_stepped.is_some() && verifies(id)),
    };
    state.agenda.iter().find(|(_, duty)| !waits(duty)).map(|(due, duty)| (*due, duty))
}

fn look_at(state: &State, book: &Book, now: Moment, case: &Case) -> Vec<Event> {
    match &case.phase {
        Phase::Waiting { .. } | Phase::Withheld => rule::consider(state, book, now, case),
        Phase::Asking { open, .. } | Phase::Approved { open, .. } if !open.is_empty() => {
            open.iter().map(|question| unanswered(now, *question)).collect()
        }
        Phase::Asking { .. } | Phase::Approved { .. } => rule::consider(state, book, now, case),
        Phase::Proposed { proposal, action, .. } => follow::lapsed(state, now, case, *proposal, action),
        Phase::Verifying { open: Some(question), .. } => vec![unanswered(now, *question)],
        Phase::Verifying { intent, since, held_since, .. } => verify::look(
            state,
            book,
            now,
            case,
            verify::Watch { intent: *intent, since: *since, held_since: *held_since },
        ),
        Phase::Acting { .. } | Phase::Resting => Vec::new(),
    }
}

/// No answer by the deadline is a failed one.
pub(super) fn unanswered(now: Moment, question: Seq) -> Event {
    let found = Found::Failed { what: "no answer before the question's deadline".to_owned() };
    Event::Told { answer: Answer { question, taken_at: now, found } }
}
