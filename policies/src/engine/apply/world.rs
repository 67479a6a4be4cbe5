//! Books, restarts, pauses, leadership, the clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::book::{Digest, Source};
use crate::event::Seq;
use crate::load;
use crate::order::PauseScope;
use crate::state::{CaseId, Pause, Phase, State};
use crate::time::Moment;

/// A book comes into force. Ladders that have begun keep theirs; what has not begun is matched again.
pub(super) fn adopted(state: &mut State, now: Moment, digest: Digest, source: &Source) {
    // A journal is folded by newer programs too: a book that no longer loads leaves the old one in force, and
    // the daemon, which adopts anew at every start, says so.
    let Ok(book) = load::book(source.clone()) else { return };
    let book = Arc::new(book);
    state.books.insert(digest, Arc::clone(&book));
    state.book = Some(digest);
    let open: Vec<Seq> = state.open.values().copied().collect();
    for id in open {
        let Some(episode) = state.episodes.get(&id) else { continue };
        let labels = episode.labels.clone();
        let begun: BTreeSet<String> = state
            .cases_of(id)
            .filter(|case| case.acted || case.phase.is_under_way())
            .map(|case| case.id.policy.clone())
            .collect();
        let rest: Vec<CaseId> = state
            .cases_of(id)
            .filter(|case| !begun.contains(&case.id.policy))
            .map(|case| case.id.clone())
            .collect();
        for case in rest {
            state.remove_case(&case);
        }
        for policy in book.matching(&labels).into_iter().filter(|policy| !begun.contains(&policy.name)) {
            state.begin_case(now, id, policy, digest);
        }
    }
    let used: BTreeSet<Digest> = state.cases.values().map(|case| case.book).chain([digest]).collect();
    state.books.retain(|digest, _| used.contains(digest));
}

/// A process began: questions of the one before are lost, its effects are in doubt.
pub(super) fn began(state: &mut State, now: Moment) {
    state.questions.clear();
    state.leader = false;
    for flight in state.in_flight.values_mut() {
        flight.in_doubt = true;
    }
    let asking: Vec<(CaseId, Phase)> = state
        .cases
        .values()
        .filter_map(|case| {
            let phase = match case.phase.clone() {
                Phase::Asking { .. } => Phase::Waiting { due: now },
                Phase::Approved { action, by, .. } => {
                    Phase::Approved { action, by, open: BTreeSet::new(), due: now }
                }
                Phase::Verifying { intent, since, held_since, last, open: Some(_), .. } => {
                    Phase::Verifying { intent, since, held_since, last, open: None, due: now }
                }
                Phase::Waiting { .. }
                | Phase::Proposed { .. }
                | Phase::Acting { .. }
                | Phase::Verifying { .. }
                | Phase::Withheld
                | Phase::Resting => return None,
            };
            Some((case.id.clone(), phase))
        })
        .collect();
    for (id, phase) in asking {
        if let Some(case) = state.cases.get_mut(&id) {
            case.facts.clear();
        }
        state.set_phase(&id, phase);
    }
    state.lease_unasked(now);
}

pub(super) fn paused(
    state: &mut State,
    now: Moment,
    scope: &PauseScope,
    by: &str,
    until: Option<Moment>,
    reason: &str,
) {
    state.pauses.retain(|_, pause| pause.until.is_none_or(|until| until > now));
    let pause = Pause { by: by.to_owned(), since: now, until, reason: reason.to_owned() };
    state.pauses.insert(scope.clone(), pause);
}

pub(super) fn resumed(state: &mut State, now: Moment, scope: &PauseScope) {
    state.pauses.remove(scope);
    if let PauseScope::Policy(policy) = scope {
        state.efficacy.remove(policy);
    }
    state.reconsider_refused_for(now, &["paused", "quarantined"]);
}

pub(super) fn reigned(state: &mut State, now: Moment, leader: bool, epoch: u64) {
    state.leader = leader;
    state.epoch = epoch;
    if leader {
        state.reconsider_refused_for(now, &["notLeading"]);
    }
}

pub(super) fn clock_accepted(state: &mut State, now: Moment) {
    state.clock_stepped = None;
    state.reconsider_refused_for(now, &["clockStepped"]);
}
