//! Where a case stands, and, while an action of it is under way, what it waits for and what comes then. Read from the state
//! and the policy alone; it must never say that something would be done which another thing decides first.

use paramedic_policies::action::Mode;
use paramedic_policies::event::{Conclusion, Seq};
use paramedic_policies::policy::{Policy, Step};
use paramedic_policies::ruling::Verdict;
use paramedic_policies::state::{Case, Lease, Phase, State};
use paramedic_policies::time::Moment;
use serde::{Deserialize, Serialize};

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Such as `waiting`, or `verifying intent 12`.
    pub phase: String,
    /// The last recorded ruling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ruling: Option<Seq>,
    /// Whether nothing more will be done for this episode, whatever the guards say now.
    pub over: bool,
    /// How it ended, where it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Conclusion>,
    /// The proposal that waits for a person, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Seq>,
    /// What it waits for, while an action of it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
}

/// An action of the case that is under way, and what comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnderWay {
    /// Its intent.
    pub intent: Seq,
    /// Whether it has ended, and is being verified.
    pub verifying: bool,
    /// When it is known at the latest.
    pub until: Moment,
    /// What comes then, by what is seen.
    pub then: Vec<Then>,
    /// What the guards would come to now on what is explained beside this; none where nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Verdict>,
}

/// One way in which it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Then {
    /// What is seen, such as `it did not help`.
    pub when: String,
    /// What comes, such as `rung 2 of 2: restart`.
    pub comes: String,
}

/// The place in the ladder that comes next, and on what it depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) rung: usize,
    pub(super) step: usize,
}

/// What is explained of a case under way: the step that follows where what is under way ends well, else the next rung.
pub(super) fn next(state: &State, policy: &Policy, case: &Case) -> Option<Next> {
    if !case.phase.is_under_way() || is_rehearsed(state, &case.phase) {
        return None;
    }
    let (rung, step) = (case.rung, case.step + 1);
    if policy.ladder.get(rung).is_some_and(|rung| step < rung.steps.len()) {
        return Some(Next { rung, step });
    }
    // What nobody verifies is over once it is done.
    let is_verified = at(policy, case.rung, case.step).is_some_and(|step| step.verify.is_some());
    (is_verified && rung + 1 < policy.ladder.len()).then_some(Next { rung: rung + 1, step: 0 })
}

/// Whether what is under way is a rehearsal, after which nothing more is done.
fn is_rehearsed(state: &State, phase: &Phase) -> bool {
    let Phase::Acting { intent } = phase else { return false };
    state
        .in_flight
        .get(intent)
        .is_some_and(|flight| flight.intent.mode == Mode::DryRun && !flight.intent.action.looks_only())
}

/// The case as it would be there.
pub(super) fn moved(case: &Case, to: Next, now: Moment) -> Case {
    let climbs = to.rung != case.rung;
    Case {
        rung: to.rung,
        step: to.step,
        attempts: 0,
        fact_failures: 0,
        rung_begun: !climbs,
        last_ruling: None,
        phase: Phase::Waiting { due: now },
        ..case.clone()
    }
}

/// Where it stands; `next` is what the guards would come to now on what follows.
pub(super) fn standing(state: &State, policy: &Policy, case: &Case, next: Option<Verdict>) -> Standing {
    let said = |intent: &Seq| {
        state.in_flight.get(intent).map(|flight| format!(" ({})", flight.intent.action)).unwrap_or_default()
    };
    let phase = match &case.phase {
        Phase::Waiting { due } => format!("waiting, to be looked at again at {due}"),
        Phase::Asking { .. } => "asking for facts".to_owned(),
        Phase::Proposed { proposal, due, .. } => {
            format!("proposal {proposal} waits for approval until {due}")
        }
        Phase::Approved { by, .. } => format!("approved by {by}, being decided again"),
        Phase::Acting { intent } if is_in_doubt(state, *intent) => {
            format!("intent {intent}{}: was it done before the restart?", said(intent))
        }
        Phase::Acting { intent } => format!("acting: intent {intent}{} is under way", said(intent)),
        Phase::Verifying { intent, since, last, .. } => {
            let seen = match last {
                Some(true) => "the last look: it holds",
                Some(false) => "the last look: it does not hold yet",
                None => "nothing seen yet",
            };
            format!("intent {intent} was done at {since}, being verified; {seen}")
        }
        Phase::Withheld => "withheld until the alert is repeated or something changes".to_owned(),
        Phase::Resting => "over: nothing more is done for this episode".to_owned(),
    };
    Standing {
        phase,
        last_ruling: case.last_ruling.as_ref().map(|last| last.seq),
        over: case.phase == Phase::Resting,
        ended: case.ended.filter(|_| case.phase == Phase::Resting),
        proposal: match &case.phase {
            Phase::Proposed { proposal, .. } => Some(*proposal),
            _ => None,
        },
        under_way: under_way(state, policy, case, next),
    }
}

fn is_in_doubt(state: &State, intent: Seq) -> bool {
    state.in_flight.get(&intent).is_some_and(|flight| flight.in_doubt)
}

fn under_way(state: &State, policy: &Policy, case: &Case, next: Option<Verdict>) -> Option<UnderWay> {
    let verify = at(policy, case.rung, case.step).and_then(|step| step.verify.as_ref());
    let then = |when: &str, comes: String| Then { when: when.to_owned(), comes };
    match &case.phase {
        Phase::Acting { intent } if is_rehearsed(state, &case.phase) => {
            let until = state.in_flight.get(intent).map_or(state.now, |flight| flight.intent.deadline);
            let then = vec![then("it is rehearsed", "over, in dry-run nothing more is done".to_owned())];
            Some(UnderWay { intent: *intent, verifying: false, until, then, next })
        }
        Phase::Acting { intent } => {
            let done = match verify {
                Some(verify) => format!("it is verified, for at most {}", verify.within),
                None => after_help(policy, case, "nobody looks whether it helped"),
            };
            let until = state.in_flight.get(intent).map_or(state.now, |flight| flight.intent.deadline);
            let failed = "it is tried again, or a person is called".to_owned();
            let then = vec![then("it is done", done), then("it fails", failed)];
            Some(UnderWay { intent: *intent, verifying: false, until, then, next })
        }
        Phase::Verifying { intent, since, held_since, .. } => {
            let verify = verify?;
            let at_the_latest = *since + verify.within;
            // A check that holds at the end may finish its `hold`.
            let until = held_since.map_or(at_the_latest, |held| at_the_latest.max(held + verify.hold));
            let seen = [
                then("it helped", after_help(policy, case, "nothing more is done")),
                then("it did not help", after_no_help(policy, case)),
                then("nobody can tell", "a person is called, and nothing more is done".to_owned()),
            ];
            let back =
                state.leases.get(intent).and_then(|lease| taken_back_first(policy, case, lease, until));
            let then = seen.into_iter().chain(back).collect();
            Some(UnderWay { intent: *intent, verifying: true, until, then, next })
        }
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Withheld
        | Phase::Resting => None,
    }
}

/// What comes where it is taken back before its verification is over: then nobody judges it any more.
fn taken_back_first(policy: &Policy, case: &Case, lease: &Lease, until: Moment) -> Option<Then> {
    let by_itself = lease.ordered.is_some() || lease.intent.action.ends_by_order_alone().is_none();
    let when = match (lease.held, lease.due) {
        // What holds it may end at any time.
        (true, _) => "it is taken back first, once nothing holds that".to_owned(),
        (false, due) if due < until => format!("it is taken back first, at {due} at the earliest"),
        (false, _) => return None,
    };
    let steps = policy.ladder.get(case.rung).map_or(0, |rung| rung.steps.len());
    let called = if case.step + 1 < steps {
        "a person is called, since steps of the sequence are left"
    } else {
        "a person is called if the alert is open"
    };
    let comes = format!("over, nobody knows whether it helped; {called}");
    by_itself.then_some(Then { when, comes })
}

fn after_help(policy: &Policy, case: &Case, otherwise: &str) -> String {
    let steps = policy.ladder.get(case.rung).map_or(&[][..], |rung| rung.steps.as_slice());
    match steps.get(case.step + 1) {
        Some(step) => format!("step {} of {}: {}", case.step + 2, steps.len(), step.remediation.name()),
        None => format!("over, {otherwise}"),
    }
}

fn after_no_help(policy: &Policy, case: &Case) -> String {
    let rungs = policy.ladder.len();
    match policy.ladder.get(case.rung + 1) {
        Some(rung) => {
            let names: Vec<&str> = rung.steps.iter().map(|step| step.remediation.name()).collect();
            format!("rung {} of {rungs}: {}", case.rung + 2, names.join(", then "))
        }
        None => "no rung is left: a person is called".to_owned(),
    }
}

fn at(policy: &Policy, rung: usize, step: usize) -> Option<&Step> {
    policy.ladder.get(rung)?.steps.get(step)
}
