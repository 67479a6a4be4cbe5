//! What follows: from a ruling an intent or a pause, from an outcome a verification, a retry or an end, from a
//! verification the next step, the next rung, or a person.

use crate::action::{Action, Intent, Mode, Outcome};
use crate::counted::counted;
use crate::engine::rule::Inquiry;
use crate::engine::sequence::{self, AtHand};
use crate::engine::{ATTEMPTS_MAX, EFFECT_DEADLINE, by_hand, lease};
use crate::event::{Advance, Conclusion, Event, Seq, Verdict as Helped};
use crate::notifications::Severity;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::ruling::{Ruling, Verdict};
use crate::state::{Case, Episode, InFlight, LastRuling, Phase, State};
use crate::target::Target;
use crate::time::{Moment, Span};

/// Why a sequence ends that was begun in earnest.
const ONLY_REHEARSED: &str = "the next step was only rehearsed: in dry-run nothing more is done";

/// Why a sequence stands whose next step was proposed in vain.
const UNAPPROVED: &str = "nobody approved the next step in time";

/// After a ruling: act, propose, or wait. The same refusal again is not recorded again.
pub(super) fn ruled(state: &State, now: Moment, inquiry: Inquiry<'_>, ruling: Ruling) -> Vec<Event> {
    match ruling.verdict {
        Verdict::Act => {
            let intent = intent(state, now, inquiry, &ruling);
            let mut events = vec![Event::Ruled { ruling: Box::new(ruling) }];
            events.extend(intent.map(|intent| Event::Intended { intent: Box::new(intent) }));
            events
        }
        Verdict::Propose { .. } => vec![Event::Ruled { ruling: Box::new(ruling) }],
        Verdict::Hold { .. } | Verdict::Withhold => {
            let already = crate::guard::all_allow(&ruling.findings)
                && inquiry.preflight().is_some_and(|preflight| preflight.already);
            let until = match ruling.verdict {
                Verdict::Hold { until } => Some(until),
                Verdict::Act | Verdict::Withhold | Verdict::Propose { .. } => None,
            };
            let over = by_hand::is_refused(inquiry.episode, until);
            let mut events = refused(state, inquiry, ruling);
            if already {
                events.extend(nothing_to_do(state, now, inquiry));
            } else if over {
                // Whoever ordered it is told at once, and looks again when it suits them.
                events.push(concluded(inquiry.case, Conclusion::Refused));
            }
            events
        }
    }
}

fn refused(state: &State, inquiry: Inquiry<'_>, ruling: Ruling) -> Vec<Event> {
    let Inquiry { case, policy, .. } = inquiry;
    let short = LastRuling::of(Seq(0), &ruling);
    let same = case
        .last_ruling
        .as_ref()
        .is_some_and(|last| last.verdict == short.verdict && last.reasons == short.reasons);
    if same {
        let until = match ruling.verdict {
            Verdict::Hold { until } => Some(until),
            Verdict::Act | Verdict::Withhold | Verdict::Propose { .. } => None,
        };
        return vec![Event::Held { case: case.id.clone(), until }];
    }
    let needs_a_person = ruling.findings.iter().find_map(|finding| match finding.reason() {
        Some(reason @ (Reason::Relapsed { .. } | Reason::EndedInDoubt { .. })) => Some(reason.to_string()),
        Some(_) | None => None,
    });
    let rounds = ruling.target.as_ref().and_then(|on| state.rounds_after_relapse(&policy.name, on));
    let reasons: Vec<String> =
        ruling.findings.iter().filter_map(|found| found.reason()).map(Reason::to_string).collect();
    let withheld = ruling.verdict == Verdict::Withhold && !reasons.is_empty();
    let mut events = vec![Event::Ruled { ruling: Box::new(ruling) }];
    if let Some(why) = needs_a_person {
        events.extend(called(state, case, policy, &why, rounds));
    }
    if withheld {
        events.extend(sequence::stands(policy, inquiry.episode, case, &short, &reasons));
    }
    events
}

/// The trouble is back on this target: the case goes on at the next rung, unless this has happened too often.
pub(super) fn relapsed(state: &State, policy: &Policy, case: &Case, rung: usize, on: Target) -> Vec<Event> {
    let rounds = state.rounds_after_relapse(&policy.name, &on);
    let mut events = vec![Event::relapsed(&case.id, rung, on)];
    if let Some(rounds) = rounds.filter(|rounds| quarantines(state, policy, *rounds)) {
        let why = "the trouble came back after what seemed to help";
        events.extend(called(state, case, policy, why, Some(rounds)));
    }
    events
}

/// A person is called; after so many rounds that did not help, the policy is quarantined as well.
fn called(state: &State, case: &Case, policy: &Policy, why: &str, rounds: Option<u32>) -> Vec<Event> {
    match rounds.filter(|rounds| quarantines(state, policy, *rounds)) {
        None => vec![escalated(case, policy, why.to_owned())],
        Some(rounds) => {
            let why = format!(
                "{why}; {} is quarantined: {} in a row did not help",
                policy.name,
                counted(rounds, "round")
            );
            vec![escalated(case, policy, why), Event::Quarantined { policy: policy.name.clone(), rounds }]
        }
    }
}

/// Whether so many rounds in a row that did not help put the policy into quarantine now.
fn quarantines(state: &State, policy: &Policy, rounds: u32) -> bool {
    let after = policy.on_failure.quarantine_after;
    let is_in = state.efficacy.get(&policy.name).is_some_and(|efficacy| efficacy.quarantined_since.is_some());
    after > 0 && rounds >= after && !is_in
}

/// The desired state already holds and the alert fires all the same: this rung cannot help. Of a sequence, what comes
/// after it follows; where nothing does, it is looked whether what was done before helps.
fn nothing_to_do(state: &State, now: Moment, inquiry: Inquiry<'_>) -> Vec<Event> {
    let case = inquiry.case;
    // What was ordered by hand and holds already is no trouble.
    let no_alert = inquiry.episode.by_hand.is_some();
    if no_alert || sequence::is_early(inquiry.policy, case) {
        return next_step(state, inquiry.policy, case, Conclusion::Already);
    }
    if case.rung_begun {
        let verify = inquiry.step().verify.as_ref().filter(|_| case.begun_by.is_some());
        return match verify {
            None => next_step(state, inquiry.policy, case, Conclusion::Already),
            Some(verify) => {
                let (at, due) = ((case.rung, case.step), now + verify.settle);
                vec![Event::advanced(&case.id, at, Advance::Already, Some(due))]
            }
        };
    }
    if case.rung + 1 < inquiry.policy.ladder.len() {
        return did_not_help(state, inquiry.policy, case);
    }
    vec![
        escalated(case, inquiry.policy, "nothing is left to do, and the alert fires".to_owned()),
        concluded(case, Conclusion::Already),
    ]
}

fn intent(state: &State, now: Moment, inquiry: Inquiry<'_>, ruling: &Ruling) -> Option<Intent> {
    let preflight = inquiry.preflight()?;
    let approved_by = match &inquiry.case.phase {
        Phase::Approved { by, .. } => Some(by.clone()),
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. }
        | Phase::Withheld
        | Phase::Resting => inquiry.episode.by_hand.as_ref().map(|order| order.by.clone()),
    };
    let action = ruling.action.clone()?;
    Some(Intent {
        id: state.next.plus(1),
        episode: inquiry.episode.id,
        policy: inquiry.policy.name.clone(),
        book: inquiry.case.book,
        rung: inquiry.case.rung,
        step: inquiry.case.step,
        target: ruling.target.clone()?,
        uid: preflight.uid.clone(),
        mode: ruling.mode.is,
        at: now,
        deadline: now + deadline(&action),
        // To ask what would be done costs nothing.
        charged: inquiry.episode.by_hand.as_ref().is_none_or(|order| !order.dry_run),
        reverts: None,
        revert_after: action.lasts().or(inquiry.step().revert_after),
        action,
        epoch: state.epoch,
        approved_by,
        correlation: Some(inquiry.episode.correlation.clone()),
    })
}

/// Until when an effect must have ended; one that says itself how long it may take gets a little more, to be seen.
fn deadline(action: &Action) -> Span {
    action.takes().map_or(EFFECT_DEADLINE, |takes| {
        EFFECT_DEADLINE.max(Span::from_ms(takes.ms() + Span::from_mins(1).ms()))
    })
}

/// After an effect.
pub(super) fn ended(state: &State, now: Moment, intent: Seq, outcome: &Outcome) -> Vec<Event> {
    let Some(InFlight { intent, .. }) = state.in_flight.get(&intent) else {
        return Vec::new();
    };
    let mut events = vec![Event::Ended { intent: intent.id, outcome: outcome.clone() }];
    if intent.reverts.is_some() {
        events.extend(lease::ended(state, now, intent, outcome));
        return events;
    }
    events.extend(lease::taken_over(state, intent, outcome));
    let Some(case) = state.cases.get(&crate::state::CaseId::of(intent)) else {
        return events;
    };
    let Some(policy) = state.policy_of(case) else {
        events.extend(withdrawn(state, case, AtHand::Done));
        return events;
    };
    let rehearsed = intent.mode == Mode::DryRun;
    // As it is once that has ended.
    let case = &Case { rung_begun: case.rung_begun || begins(intent, outcome), ..case.clone() };
    events.extend(match (rehearsed, outcome) {
        // Nothing was changed by it, so what comes after it is no guess.
        (true, Outcome::Collected { .. }) => next_step(state, policy, case, Conclusion::Rehearsed),
        (false, Outcome::Collected { .. }) => next_step(state, policy, case, Conclusion::Done),
        (true, Outcome::Done { .. }) => {
            sequence::ends(state, case, Conclusion::Rehearsed, AtHand::NotDone, ONLY_REHEARSED)
        }
        (true, Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. }) => {
            sequence::ends(state, case, Conclusion::Failed, AtHand::NotDone, ONLY_REHEARSED)
        }
        (false, Outcome::Done { .. }) => done(state, policy, case),
        (false, Outcome::Refused { reasons }) => again_or_failed(state, now, policy, case, &said(reasons)),
        (false, outcome) if outcome.is_not_begun() => not_begun(state, now, case),
        (false, Outcome::Failed { what, applied: false, .. }) => {
            again_or_failed(state, now, policy, case, what)
        }
        (false, Outcome::Failed { what, applied: true, .. }) => {
            let why = sequence::told(policy, case, AtHand::Doubt, lease::told_of(intent, outcome, what));
            vec![escalated(case, policy, why), concluded(case, Conclusion::Failed)]
        }
        (false, Outcome::Unknown { what }) => {
            let why = sequence::told(policy, case, AtHand::Doubt, lease::told_of(intent, outcome, what));
            vec![escalated(case, policy, why), concluded(case, Conclusion::Unknown)]
        }
    });
    events
}

/// Whether an effect with this outcome has, or may have, changed something: what is left of its rung needs no alert then.
pub(super) fn begins(intent: &Intent, outcome: &Outcome) -> bool {
    intent.mode != Mode::DryRun
        && !intent.action.looks_only()
        && lease::trace(outcome) != lease::Trace::Nothing
}

fn said(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

/// Done: where the step says how to verify it, that begins by itself; otherwise on to what follows.
fn done(state: &State, policy: &Policy, case: &Case) -> Vec<Event> {
    let verify = step_of(policy, case).is_some_and(|step| step.verify.is_some());
    if verify { Vec::new() } else { next_step(state, policy, case, Conclusion::Done) }
}

/// Whatever stopped it is judged again by the guards; a try that never was is none.
fn not_begun(state: &State, now: Moment, case: &Case) -> Vec<Event> {
    let due = now + state.current_book().settings().facts.retry;
    let next = Event::advanced(&case.id, (case.rung, case.step), Advance::NotBegun, Some(due));
    go_on(state, case, next, AtHand::NotDone)
}

fn again_or_failed(state: &State, now: Moment, policy: &Policy, case: &Case, what: &str) -> Vec<Event> {
    if case.attempts + 1 < ATTEMPTS_MAX {
        let due = now + state.current_book().settings().facts.retry;
        let retry = Event::advanced(&case.id, (case.rung, case.step), Advance::Retry, Some(due));
        return go_on(state, case, retry, AtHand::NotDone);
    }
    let why = sequence::told(policy, case, AtHand::NotDone, what.to_owned());
    vec![escalated(case, policy, why), concluded(case, Conclusion::Failed)]
}

/// After a verification.
pub(super) fn verified(
    state: &State,
    policy: &Policy,
    case: &Case,
    verdict: Helped,
    seen: &str,
) -> Vec<Event> {
    match verdict {
        Helped::Helped => next_step(state, policy, case, Conclusion::Helped),
        Helped::DidNotHelp => did_not_help(state, policy, case),
        Helped::Unknown => {
            let why = format!("nobody knows whether it helped: {seen}");
            let why = sequence::told(policy, case, AtHand::Done, why);
            vec![escalated(case, policy, why), concluded(case, Conclusion::Unknown)]
        }
    }
}

/// The next step of the rung, or the end of the case.
fn next_step(state: &State, policy: &Policy, case: &Case, last: Conclusion) -> Vec<Event> {
    if !sequence::is_early(policy, case) {
        return vec![concluded(case, last)];
    }
    let next = Event::advanced(&case.id, (case.rung, case.step + 1), Advance::NextStep, None);
    go_on(state, case, next, AtHand::Done)
}

/// The next rung, or a person; after enough rounds, quarantine.
fn did_not_help(state: &State, policy: &Policy, case: &Case) -> Vec<Event> {
    if case.rung + 1 < policy.ladder.len() {
        let next = Event::advanced(&case.id, (case.rung + 1, 0), Advance::NextRung, None);
        let early = sequence::is_early(policy, case).then(|| {
            let why = format!("rung {} of {} did not help", case.rung + 1, policy.ladder.len());
            escalated(case, policy, sequence::told(policy, case, AtHand::Done, why))
        });
        return early.into_iter().chain(climb(state, case, next)).collect();
    }
    let rounds =
        state.efficacy.get(&policy.name).map_or(0, |efficacy| efficacy.ineffective).saturating_add(1);
    // Whether it helps against its alert is not known from what somebody wanted by hand.
    let rounds = Some(rounds).filter(|_| by_hand::of(state, case.id.episode).is_none());
    let why =
        sequence::told(policy, case, AtHand::Done, format!("no rung of {} helped", policy.ladder.len()));
    let mut events = called(state, case, policy, &why, rounds);
    events.push(concluded(case, Conclusion::Exhausted));
    events
}

/// A ladder climbs while its alert is open and its policy is still in force.
fn climb(state: &State, case: &Case, advanced: Event) -> Vec<Event> {
    let open = state.episodes.get(&case.id.episode).is_some_and(Episode::is_open);
    match (open, is_in_force(state, case)) {
        (false, _) => vec![concluded(case, Conclusion::Resolved)],
        (true, false) => vec![concluded(case, Conclusion::Withdrawn)],
        (true, true) => vec![advanced],
    }
}

/// A rung goes on while its policy is in force; a sequence of which something is done no longer needs its alert.
fn go_on(state: &State, case: &Case, advanced: Event, at: AtHand) -> Vec<Event> {
    let open = state.episodes.get(&case.id.episode).is_some_and(Episode::is_open);
    if !case.rung_begun && !open {
        vec![concluded(case, Conclusion::Resolved)]
    } else if is_in_force(state, case) {
        vec![advanced]
    } else {
        withdrawn(state, case, at)
    }
}

fn is_in_force(state: &State, case: &Case) -> bool {
    state.current_book().policy(&case.id.policy).is_some()
}

/// The policy left the book.
pub(super) fn withdrawn(state: &State, case: &Case, at: AtHand) -> Vec<Event> {
    sequence::ends(state, case, Conclusion::Withdrawn, at, "the policy left the book")
}

/// A proposal was not answered in time, which those are told who are told next, too. What nothing would ever look at
/// again ends.
pub(super) fn lapsed(state: &State, now: Moment, case: &Case, proposal: Seq, action: &Action) -> Vec<Event> {
    let mut events = vec![Event::Lapsed { proposal }];
    let policy = state.policy_of(case);
    if let Some(policy) = policy.filter(|_| !case.rung_begun) {
        let on = case.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
        let why = format!("nobody approved {action}{on} in time (proposal {proposal})");
        let notify = all_of(state, now, case, policy);
        events.push(Event::Escalated { case: Some(case.id.clone()), why, notify, about: None });
    }
    if state.episodes.get(&case.id.episode).is_some_and(Episode::is_open) {
        if let Some(policy) = policy.filter(|_| case.rung_begun) {
            let why = sequence::told(policy, case, AtHand::NotDone, UNAPPROVED.to_owned());
            events.push(escalated(case, policy, why));
        }
        events.push(Event::Held { case: case.id.clone(), until: None });
    } else {
        events.extend(sequence::ends(state, case, Conclusion::Failed, AtHand::NotDone, UNAPPROVED));
    }
    events
}

/// Everybody who is told by a policy, and those who are told after them.
fn all_of(state: &State, now: Moment, case: &Case, policy: &Policy) -> Vec<String> {
    let book = state.current_book();
    let settings = &book.settings().notifications;
    let episode = state.episodes.get(&case.id.episode);
    let severity = episode.and_then(|episode| episode.labels.get("severity")).map(String::as_str);
    let first = settings.told(&policy.on_failure.notify, Severity::of_label(severity), now);
    let next = first.iter().filter_map(|name| settings.receivers.get(name)).flat_map(|one| one.then.clone());
    let mut all = first.clone();
    for name in next {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    if all.is_empty() { policy.on_failure.notify.clone() } else { all }
}

pub(super) fn concluded(case: &Case, conclusion: Conclusion) -> Event {
    Event::Concluded { case: case.id.clone(), conclusion }
}

pub(super) fn escalated(case: &Case, policy: &Policy, why: String) -> Event {
    let notify = policy.on_failure.notify.clone();
    Event::Escalated { case: Some(case.id.clone()), why, notify, about: None }
}

fn step_of<'a>(policy: &'a Policy, case: &Case) -> Option<&'a crate::policy::Step> {
    policy.ladder.get(case.rung)?.steps.get(case.step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remediation::{restart, run_job};

    #[test]
    fn what_says_how_long_it_may_take_gets_a_minute_more() {
        let job = |within| {
            let (template, parameters, container) = (None, Default::default(), None);
            let wish = run_job::Wish { template, parameters, container, within };
            Action::RunJob(run_job::Action { wish, generation: Some(1) })
        };
        for (action, wanted) in [
            (Action::Restart(restart::Action { generation: 1 }), 10),
            (job(Span::from_mins(5)), 10),
            (job(Span::from_mins(20)), 21),
        ] {
            assert_eq!(deadline(&action), Span::from_mins(wanted), "{action}");
        }
    }
}
