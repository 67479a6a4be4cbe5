//! Books, restarts, pauses, leadership, the clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::book::{Digest, Source};
use crate::engine::adoption::Adoption;
use crate::engine::apply::episodes;
use crate::event::Seq;
use crate::guard::pace;
use crate::load;
use crate::order::PauseScope;
use crate::state::{Case, CaseId, Duty, Pause, Phase, State};
use crate::time::{Moment, Span};

/// A book comes into force. Ladders that have begun keep theirs; what has not begun goes on under this one where its
/// policy is unchanged, and is matched again otherwise.
pub(super) fn adopted(state: &mut State, now: Moment, digest: Digest, source: &Source) {
    // A journal is folded by newer programs too: a book that no longer loads leaves the old one in force, and
    // the daemon, which adopts anew at every start, says so.
    let Ok(book) = load::adopted(digest, source.clone()) else { return };
    let book = Arc::new(book);
    let before = state.current_book();
    let adoption = Adoption::between(state, &before, &book);
    let pace = &book.settings().guards.pace;
    if *pace != before.settings().guards.pace {
        for ledger in [&mut state.ledger, &mut state.rehearsals, &mut state.looks] {
            ledger.pace_ns = pace::anew(pace, ledger.charges.iter().map(|charge| charge.at));
        }
    }
    state.books.insert(digest, Arc::clone(&book));
    state.book = Some(digest);
    let open: Vec<Seq> = state.open.values().copied().collect();
    for id in open {
        let Some(episode) = state.episodes.get(&id) else { continue };
        let labels = episode.labels.clone();
        let (kept, rest): (Vec<&Case>, Vec<&Case>) =
            state.cases_of(id).partition(|case| adoption.keeps(case));
        let (kept, rest) = (ids(&kept), ids(&rest));
        for case in rest {
            state.remove_case(&case);
        }
        for case in &kept {
            state.carry_over(case, &adoption, digest);
        }
        let has_case = |name: &String| kept.iter().any(|case| case.policy == *name);
        for policy in book.matching(&labels).into_iter().filter(|policy| !has_case(&policy.name)) {
            state.begin_case(now, id, policy, digest);
        }
    }
    // Whatever was refused may be let through by this one.
    let is_refused = |case: &Case| match case.phase {
        Phase::Withheld => true,
        Phase::Waiting { .. } => case.last_ruling.is_some(),
        Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. }
        | Phase::Resting => false,
    };
    state.reconsider(now, is_refused, None);
    state.reconsider_held_leases(now);
    state.lift_leases(now, &book);
    let used: BTreeSet<Digest> = state.cases.values().map(|case| case.book).chain([digest]).collect();
    state.books.retain(|digest, _| used.contains(digest));
    state.file_by_labels();
}

fn ids(cases: &[&Case]) -> Vec<CaseId> {
    cases.iter().map(|case| case.id.clone()).collect()
}

impl State {
    /// A case that has not begun goes on under the new book, which has the same policy.
    fn carry_over(&mut self, id: &CaseId, adoption: &Adoption, book: Digest) {
        if let Some(case) = self.cases.get_mut(id).filter(|case| adoption.carries_over(case)) {
            case.book = book;
        }
    }
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
    state.cases_end_later(forward);
    state.kept_later(forward);
    state.leases_end_later(forward);
    episodes::storm_ends_later(state, forward);
}

impl State {
    /// Proposals lapse, and verifications end, that much later; nobody has watched in between.
    fn cases_end_later(&mut self, forward: Span) {
        let later = |case: &Case| match case.phase.clone() {
            Phase::Proposed { proposal, action, due } => {
                Some(Phase::Proposed { proposal, action, due: due + forward })
            }
            Phase::Verifying { intent, since, held_since: _, last, open, due } => Some(Phase::Verifying {
                intent,
                since: since + forward,
                held_since: None,
                last,
                open,
                due: due + forward,
            }),
            Phase::Waiting { .. }
            | Phase::Asking { .. }
            | Phase::Approved { .. }
            | Phase::Acting { .. }
            | Phase::Withheld
            | Phase::Resting => None,
        };
        let moved = self.cases.iter().filter_map(|(id, case)| Some((id.clone(), later(case)?)));
        let moved: Vec<(CaseId, Phase)> = moved.collect();
        for (id, phase) in moved {
            self.set_phase(&id, phase);
        }
    }
}

pub(super) fn clock_accepted(state: &mut State, now: Moment) {
    state.clock_stepped = None;
    state.kept_anew(now);
    state.reconsider_refused_for(now, &["clockStepped"]);
    state.reconsider_held_leases(now);
}
