//! Cases: their phases, the facts they gather, and the one place that keeps agenda and indexes true to the phases.

use std::collections::BTreeSet;

use crate::answer::{Answer, Found};
use crate::engine::apply::pages;
use crate::event::{Advance, Conclusion, Seq};
use crate::guard::Finding;
use crate::question::{Ask, Fact, Question};
use crate::reason::Reason;
use crate::ruling::{Ruling, Verdict};
use crate::state::{
    Case, CaseId, Duty, Efficacy, Episode, Known, LastLadder, LastRuling, Phase, RungEnd, State,
};
use crate::target::Target;
use crate::time::Moment;

pub(super) fn asked(state: &mut State, question: &Question) {
    state.questions.insert(question.id, question.clone());
    if let Fact::Revert(intent) = question.fact {
        state.lease_asked(intent, question);
        return;
    }
    let Some(case) = state.cases.get_mut(&question.case) else { return };
    let phase = match case.phase.clone() {
        Phase::Asking { mut open, due } => {
            open.insert(question.id);
            Phase::Asking { open, due: due.max(question.deadline) }
        }
        Phase::Approved { action, by, mut open, .. } => {
            open.insert(question.id);
            Phase::Approved { action, by, open, due: question.deadline }
        }
        Phase::Verifying { intent, since, held_since, last, .. } => Phase::Verifying {
            intent,
            since,
            held_since,
            last,
            open: Some(question.id),
            due: question.deadline,
        },
        Phase::Waiting { .. } | Phase::Withheld | Phase::Proposed { .. } => {
            Phase::Asking { open: BTreeSet::from([question.id]), due: question.deadline }
        }
        phase @ (Phase::Acting { .. } | Phase::Resting) => phase,
    };
    if let Ask::Preflight { target, .. } = &question.ask {
        state.set_target(&question.case, target.clone());
    }
    state.set_phase(&question.case, phase);
}

pub(super) fn told(state: &mut State, now: Moment, answer: &Answer) {
    let Some(question) = state.questions.remove(&answer.question) else { return };
    let known = Known { taken_at: answer.taken_at.min(now), found: answer.found.clone() };
    if let Found::Preflight(preflight) = &answer.found
        && let Some(surroundings) = preflight.surroundings
    {
        state.workloads = surroundings.workloads;
    }
    if let Fact::Revert(intent) = question.fact {
        state.lease_told(now, intent, known);
        return;
    }
    let Some(case) = state.cases.get_mut(&question.case) else { return };
    let phase = match case.phase.clone() {
        Phase::Asking { mut open, due } => {
            open.remove(&question.id);
            let due = if open.is_empty() { now } else { due };
            Phase::Asking { open, due }
        }
        Phase::Approved { action, by, mut open, due } => {
            open.remove(&question.id);
            let due = if open.is_empty() { now } else { due };
            Phase::Approved { action, by, open, due }
        }
        Phase::Verifying { intent, since, held_since, last, .. } => {
            Phase::Verifying { intent, since, held_since, last, open: None, due: now }
        }
        Phase::Waiting { .. }
        | Phase::Withheld
        | Phase::Proposed { .. }
        | Phase::Acting { .. }
        | Phase::Resting => return,
    };
    case.facts.insert(question.fact.clone(), known);
    if let (Fact::Target, Found::Target(target)) = (&question.fact, &answer.found) {
        state.set_target(&question.case, target.clone());
    }
    state.set_phase(&question.case, phase);
}

pub(super) fn ruled(state: &mut State, now: Moment, seq: Seq, ruling: &Ruling) {
    let id = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
    if let Some(target) = &ruling.target {
        state.set_target(&id, target.clone());
    }
    let mut reasons = ruling.findings.iter().filter_map(Finding::reason);
    let relapsed = reasons.any(|reason| matches!(reason, Reason::Relapsed { .. }));
    if relapsed && let Some(target) = &ruling.target {
        state.count_relapse(&id.policy, target);
    }
    state.note_kept(now, &id, ruling);
    let Some(case) = state.cases.get_mut(&id) else { return };
    case.last_ruling = Some(LastRuling::of(seq, ruling));
    // The round is over: the next one begins with nothing. Only an intent in the same block goes by it still.
    if ruling.verdict != Verdict::Act {
        case.facts.clear();
    }
    let phase = match ruling.verdict {
        // The intent follows in the same block and makes it `Acting`.
        Verdict::Act => Phase::Withheld,
        Verdict::Hold { until } => {
            case.fact_failures = case.fact_failures.saturating_add(1);
            Phase::Waiting { due: until.max(now) }
        }
        Verdict::Withhold => Phase::Withheld,
        Verdict::Propose { until } => match &ruling.action {
            Some(action) => {
                // Whatever kept it is over: what does not fit its approval is looked at again soon.
                case.fact_failures = 0;
                Phase::Proposed { proposal: seq, action: action.clone(), due: until }
            }
            None => Phase::Withheld,
        },
    };
    if matches!(phase, Phase::Proposed { .. }) {
        state.proposals.insert(seq, id.clone());
    }
    state.set_phase(&id, phase);
}

pub(super) fn held(state: &mut State, id: &CaseId, until: Option<Moment>) {
    let Some(case) = state.cases.get_mut(id) else { return };
    case.fact_failures = case.fact_failures.saturating_add(1);
    case.facts.clear();
    state.set_phase(id, until.map_or(Phase::Withheld, |due| Phase::Waiting { due }));
}

pub(super) fn approved(state: &mut State, now: Moment, proposal: Seq, by: &str) {
    let Some(id) = state.proposals.remove(&proposal) else { return };
    let Some(case) = state.cases.get_mut(&id) else { return };
    let Phase::Proposed { action, .. } = case.phase.clone() else { return };
    state.set_phase(&id, Phase::Approved { action, by: by.to_owned(), open: BTreeSet::new(), due: now });
}

pub(super) struct Advanced<'a> {
    pub(super) case: &'a CaseId,
    pub(super) to: (usize, usize),
    pub(super) why: Advance,
    pub(super) due: Option<Moment>,
    pub(super) target: Option<&'a Target>,
}

pub(super) fn advanced(state: &mut State, now: Moment, advanced: &Advanced<'_>) {
    let id = advanced.case;
    state.unkeep(id);
    let Some(case) = state.cases.get_mut(id) else { return };
    (case.rung, case.step) = advanced.to;
    case.facts.clear();
    case.fact_failures = 0;
    (case.last_ruling, case.ended) = (None, None);
    let begun_by = case.begun_by;
    match advanced.why {
        Advance::Retry => case.attempts += 1,
        Advance::NextStep => case.attempts = 0,
        Advance::NotBegun | Advance::Already => {}
        Advance::NextRung | Advance::Again => (case.attempts, case.rung_begun) = (0, false),
        Advance::Relapse => {
            (case.attempts, case.rung_begun) = (0, false);
            case.also_on.extend(advanced.target.cloned());
            match advanced.target {
                Some(target) => state.count_relapse(&id.policy, target),
                // Records did not always say where.
                None => state.efficacy.entry(id.policy.clone()).or_default().ineffective += 1,
            }
        }
    }
    let due = advanced.due.unwrap_or(now);
    let phase = match (advanced.why, begun_by) {
        (Advance::Already, Some(intent)) => {
            let (held_since, last, open) = (None, None, None);
            Phase::Verifying { intent, since: now, held_since, last, open, due }
        }
        (
            Advance::Already
            | Advance::NotBegun
            | Advance::Retry
            | Advance::NextStep
            | Advance::NextRung
            | Advance::Again
            | Advance::Relapse,
            _,
        ) => Phase::Waiting { due },
    };
    state.set_phase(id, phase);
    state.waits_again(id.episode, due.max(now));
}

/// What is known of the rung at hand when its case ends. Doubt, and what never happened, are no proof that it does not
/// help; what was taken back before anybody knew is doubt. An order by hand, which alone is cancelled, is remembered for
/// no relapse.
fn rung_end(conclusion: Conclusion, begun: bool) -> RungEnd {
    match conclusion {
        Conclusion::Helped
        | Conclusion::Done
        | Conclusion::Rehearsed
        | Conclusion::Already
        | Conclusion::Exhausted => RungEnd::Tried,
        Conclusion::Unknown | Conclusion::TakenBack | Conclusion::Cancelled => RungEnd::Unknown,
        Conclusion::Failed if begun => RungEnd::Unknown,
        Conclusion::Resolved | Conclusion::Withdrawn | Conclusion::Denied if begun => RungEnd::Tried,
        Conclusion::Failed
        | Conclusion::Resolved
        | Conclusion::Withdrawn
        | Conclusion::Denied
        | Conclusion::Refused => RungEnd::NotDone,
    }
}

pub(super) fn concluded(state: &mut State, now: Moment, id: &CaseId, conclusion: Conclusion) {
    let Some(case) = state.cases.get(id) else { return };
    if state.episodes.get(&id.episode).is_some_and(|episode| episode.by_hand.is_some()) {
        // Whether it helps against its alert is not known from what somebody wanted by hand.
        return state.rest(id, conclusion);
    }
    let before = state.efficacy.get(&id.policy).map_or(0, |efficacy| efficacy.ineffective);
    let helped = conclusion == Conclusion::Helped;
    let exhausted = conclusion == Conclusion::Exhausted;
    if case.acted {
        let first = case.acted_on.as_ref().or(case.target.as_ref());
        let targets: BTreeSet<Target> = first.into_iter().chain(&case.also_on).cloned().collect();
        let rung_end = rung_end(conclusion, case.rung_begun);
        let last = LastLadder {
            rung: case.rung,
            rung_end,
            episode: id.episode,
            ended_at: now,
            // Only what seemed to help can be found out to have been no help.
            is_counted: exhausted || rung_end != RungEnd::Tried,
            ineffective_before: if helped { before } else { 0 },
        };
        for target in targets {
            state.last_ladders.insert((id.policy.clone(), target), last.clone());
        }
        state.forget_last(now);
    }
    if helped || exhausted {
        let efficacy = state.efficacy.entry(id.policy.clone()).or_default();
        efficacy.ineffective = if helped { 0 } else { before.saturating_add(1) };
        if *efficacy == Efficacy::default() {
            state.efficacy.remove(&id.policy);
        }
    }
    state.rest(id, conclusion);
}

impl State {
    fn rest(&mut self, id: &CaseId, conclusion: Conclusion) {
        self.drop_questions(id);
        self.unkeep(id);
        if let Some(case) = self.cases.get_mut(id) {
            case.facts.clear();
            case.ended = Some(conclusion);
        }
        self.set_phase(id, Phase::Resting);
        self.forget_if_over(id.episode);
    }

    /// Moves a case to a phase and keeps agenda and indexes true to it. The only way a phase changes.
    pub(super) fn set_phase(&mut self, id: &CaseId, phase: Phase) {
        let Some(case) = self.cases.get_mut(id) else { return };
        let duty = Duty::Case { rank: -i64::from(case.priority), id: id.clone() };
        let before = case.phase.due();
        let mut answered = None;
        if let Phase::Proposed { proposal, .. } = case.phase
            && !matches!(phase, Phase::Proposed { .. })
        {
            self.proposals.remove(&proposal);
            answered = Some(proposal);
        }
        let after = phase.due();
        self.indexes.leaves_phase(case);
        case.phase = phase;
        let open = self.episodes.get(&id.episode).is_some_and(Episode::fires);
        self.indexes.entered(case, open);
        if let Some(due) = before {
            self.agenda.remove(&(due, duty.clone()));
        }
        if let Some(due) = after {
            self.agenda.insert((due, duty));
        }
        if let Some(proposal) = answered {
            pages::answered(self, proposal);
        }
    }

    /// Notes the target of a case, for guards that look at everything on one target.
    pub(super) fn set_target(&mut self, id: &CaseId, target: Target) {
        let Some(case) = self.cases.get_mut(id) else { return };
        if case.target.as_ref() == Some(&target) {
            return;
        }
        self.indexes.leaves(case);
        case.target = Some(target);
        let open = self.episodes.get(&id.episode).is_some_and(Episode::fires);
        self.indexes.arrived(case, open);
    }

    /// The trouble came back within `relapse`: what seemed to help did not, counted once however many alerts tell.
    fn count_relapse(&mut self, policy: &str, target: &Target) {
        let Some(rounds) = self.rounds_after_relapse(policy, target) else { return };
        self.efficacy.entry(policy.to_owned()).or_default().ineffective = rounds;
        let Some(last) = self.last_ladders.get_mut(&(policy.to_owned(), target.clone())) else { return };
        last.is_counted = true;
        let ladder = last.episode;
        // It may be known by several targets, and is one round all the same.
        for ((of, _), last) in &mut self.last_ladders {
            last.is_counted |= of == policy && last.episode == ladder;
        }
    }

    /// Forgets a case.
    pub(super) fn remove_case(&mut self, id: &CaseId) {
        self.drop_questions(id);
        self.unkeep(id);
        self.set_phase(id, Phase::Resting);
        if let Some(case) = self.cases.remove(id) {
            self.indexes.leaves(&case);
        }
    }

    /// Nobody waits for answers to this case's questions any more.
    pub(super) fn drop_questions(&mut self, id: &CaseId) {
        let open: Vec<Seq> = match self.cases.get(id).map(|case| &case.phase) {
            Some(Phase::Asking { open, .. } | Phase::Approved { open, .. }) => open.iter().copied().collect(),
            Some(Phase::Verifying { open, .. }) => open.iter().copied().collect(),
            Some(
                Phase::Waiting { .. }
                | Phase::Proposed { .. }
                | Phase::Acting { .. }
                | Phase::Withheld
                | Phase::Resting,
            )
            | None => Vec::new(),
        };
        for question in open {
            self.questions.remove(&question);
        }
    }

    /// Looks again, now, at cases that wait or were withheld.
    pub(super) fn reconsider(&mut self, now: Moment, which: impl Fn(&Case) -> bool, episode: Option<Seq>) {
        let chosen: Vec<CaseId> = match episode {
            Some(episode) => {
                self.cases_of(episode).filter(|case| which(case)).map(|case| case.id.clone()).collect()
            }
            None => self.cases.values().filter(|case| which(case)).map(|case| case.id.clone()).collect(),
        };
        for id in chosen {
            self.set_phase(&id, Phase::Waiting { due: now });
        }
    }

    /// Looks again, now, at cases whose last ruling gave one of these reasons.
    pub(super) fn reconsider_refused_for(&mut self, now: Moment, reasons: &[&str]) {
        let refused_for = |case: &Case| {
            matches!(case.phase, Phase::Waiting { .. } | Phase::Withheld)
                && case
                    .last_ruling
                    .as_ref()
                    .is_some_and(|last| last.reasons.iter().any(|reason| reasons.contains(&reason.as_str())))
        };
        self.reconsider(now, refused_for, None);
    }
}
