//! Books, restarts, pauses, leadership, the clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::book::{Book, Digest, Source};
use crate::event::Seq;
use crate::load;
use crate::order::PauseScope;
use crate::state::{Case, CaseId, Duty, Pause, Phase, State};
use crate::time::{Moment, Span};

/// A book comes into force. Ladders that have begun keep theirs; what has not begun is matched again.
pub(super) fn adopted(state: &mut State, now: Moment, digest: Digest, source: &Source) {
    // A journal is folded by newer programs too: a book that no longer loads leaves the old one in force, and
    // the daemon, which adopts anew at every start, says so.
    let Ok(book) = load::adopted(digest, source.clone()) else { return };
    let book = Arc::new(book);
    let before = state.current_book();
    state.books.insert(digest, Arc::clone(&book));
    state.book = Some(digest);
    let open: Vec<Seq> = state.open.values().copied().collect();
    for id in open {
        let Some(episode) = state.episodes.get(&id) else { continue };
        let labels = episode.labels.clone();
        let begun: BTreeSet<String> = state
            .cases_of(id)
            .filter(|case| case.acted || case.phase.is_under_way() || is_over(case, &before, &book))
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
    state.reconsider_held_leases(now);
    let used: BTreeSet<Digest> = state.cases.values().map(|case| case.book).chain([digest]).collect();
    state.books.retain(|digest, _| used.contains(digest));
    state.file_by_labels();
}

/// Whether a case has ended under a policy that the new book holds unchanged: a denied proposal does not come back
/// because somebody edited another file.
fn is_over(case: &Case, before: &Book, now: &Book) -> bool {
    let unchanged = match (before.policy(&case.id.policy), now.policy(&case.id.policy)) {
        (Some(before), Some(now)) => load::effective(before) == load::effective(now),
        (Some(_) | None, _) => false,
    };
    case.phase == Phase::Resting && unchanged && before.settings() == now.settings()
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
        state.set_phase(&id, phase);
    }
    // A round begins anew; checkpoints of older programs hold answers of rounds that were over.
    for case in state.cases.values_mut().filter(|case| !case.phase.is_under_way()) {
        case.facts.clear();
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
        for (_, last) in state.last_ladders.iter_mut().filter(|((name, _), _)| name == policy) {
            last.ineffective_before = 0;
        }
    }
    state.reconsider_refused_for(now, &["paused", "quarantined"]);
    state.reconsider_held_leases(now);
}

pub(super) fn reigned(state: &mut State, now: Moment, leader: bool, epoch: u64) {
    state.leader = leader;
    state.epoch = epoch;
    if leader {
        state.reconsider_refused_for(now, &["notLeading"]);
        state.reconsider_held_leases(now);
    }
}

/// The wall clock moved. What was to end by itself ends that much later: nobody may lose an open episode, a pause
/// or the time to answer a proposal to a clock. Time never decreases: after a step back it goes on once the clock has
/// passed what was recorded last.
pub(super) fn clock_stepped(state: &mut State, now: Moment, by_ms: i64) {
    state.clock_stepped = Some(by_ms);
    if by_ms < 0 {
        state.stands_still_until = Some(now + Span::from_ms(1));
    }
    let Ok(forward) = u64::try_from(by_ms).map(Span::from_ms) else { return };
    for pause in state.pauses.values_mut() {
        pause.until = pause.until.map(|until| until + forward);
    }
    for (id, episode) in &mut state.episodes {
        if state.agenda.remove(&(episode.expires_at, Duty::Expire(*id))) {
            episode.expires_at = episode.expires_at + forward;
            state.agenda.insert((episode.expires_at, Duty::Expire(*id)));
        }
    }
    let proposed: Vec<CaseId> = state.proposals.values().cloned().collect();
    for id in proposed {
        if let Some(Phase::Proposed { proposal, action, due }) =
            state.cases.get(&id).map(|case| case.phase.clone())
        {
            state.set_phase(&id, Phase::Proposed { proposal, action, due: due + forward });
            state.proposals.insert(proposal, id);
        }
    }
}

pub(super) fn clock_accepted(state: &mut State, now: Moment) {
    state.clock_stepped = None;
    state.reconsider_refused_for(now, &["clockStepped"]);
    state.reconsider_held_leases(now);
}
