//! A sequence that has begun, which is one of which something was done (`Case::rung_begun`): its first step was decided
//! by the alert, the rest no longer depends on it, for what a step does may itself silence the alert. Whatever else keeps a policy from acting binds each step. One that ends early is
//! never silent: a person is told what was done, and what was not.

use crate::counted::counted;
use crate::engine::follow;
use crate::event::{Conclusion, Event};
use crate::policy::{Policy, Step};
use crate::state::{Case, Episode, LastRuling, Phase, State};

/// Reasons that do not pass by themselves, and that an order lifts: what they refused is looked at again then.
const LIFTED_BY_ORDER: [&str; 2] = ["clockStepped", "quarantined"];

/// What became of the step at hand of a sequence that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtHand {
    /// It was done.
    Done,
    /// It was not.
    NotDone,
    /// Nobody knows.
    Doubt,
}

/// What is told of a sequence that ends at this step: why, what was done, and what was not. A rung of one step has
/// nothing to add.
pub(super) fn told(policy: &Policy, case: &Case, at_hand: AtHand, why: String) -> String {
    let steps = steps(policy, case);
    if steps.len() < 2 || (at_hand == AtHand::Done && !is_early(policy, case)) {
        return why;
    }
    let names = |steps: &[Step]| match steps {
        [] => "nothing".to_owned(),
        steps => steps.iter().map(|step| step.remediation.name()).collect::<Vec<_>>().join(", "),
    };
    let (before, rest) = steps.split_at(case.step.min(steps.len()));
    let (at_hand_is, after) = rest.split_at(rest.len().min(1));
    let (done, doubt, left) = match at_hand {
        AtHand::Done => (names(&[before, at_hand_is].concat()), String::new(), names(after)),
        AtHand::Doubt => (names(before), format!("; in doubt: {}", names(at_hand_is)), names(after)),
        AtHand::NotDone => (names(before), String::new(), names(rest)),
    };
    format!(
        "{why}; the sequence of {} ends at step {}: done: {done}{doubt}; not done: {left}",
        counted(steps.len(), "step"),
        case.step + 1,
    )
}

/// Whether steps are left behind the one at hand.
pub(super) fn is_early(policy: &Policy, case: &Case) -> bool {
    case.step + 1 < steps(policy, case).len()
}

/// The case ends here; where that leaves a sequence half done, a person is told.
pub(super) fn ends(state: &State, case: &Case, conclusion: Conclusion, at: AtHand, why: &str) -> Vec<Event> {
    let is_half_done = |policy: &&Policy| match at {
        AtHand::NotDone => case.rung_begun,
        AtHand::Done | AtHand::Doubt => is_early(policy, case),
    };
    let policy = state.policy_of(case).filter(is_half_done);
    let told = policy.map(|policy| follow::escalated(case, policy, told(policy, case, at, why.to_owned())));
    told.into_iter().chain([follow::concluded(case, conclusion)]).collect()
}

/// After a ruling that refuses: a sequence that has begun stands still, which a person is told; where the alert is over,
/// so that nothing would ever look again, it ends.
pub(super) fn stands(
    policy: &Policy,
    episode: &Episode,
    case: &Case,
    ruled: &LastRuling,
    reasons: &[String],
) -> Vec<Event> {
    if !case.rung_begun {
        return Vec::new();
    }
    let why = format!("the next step is refused: {}", reasons.join("; "));
    let told = follow::escalated(case, policy, told(policy, case, AtHand::NotDone, why));
    let is_over = !episode.is_open() && !awaits_order(ruled);
    let ended = is_over.then(|| follow::concluded(case, Conclusion::Failed));
    std::iter::once(told).chain(ended).collect()
}

fn awaits_order(ruled: &LastRuling) -> bool {
    ruled.reasons.iter().any(|reason| LIFTED_BY_ORDER.contains(&reason.as_str()))
}

/// The alert ended while the case is not acting: one that has begun a sequence goes on, unless it was refused for good,
/// or for so long that a person was called.
pub(super) fn resolved(state: &State, case: &Case) -> Vec<Event> {
    let was_told = case.kept.as_ref().is_some_and(|kept| kept.due.is_none());
    match case.phase {
        Phase::Resting => Vec::new(),
        Phase::Withheld if case.rung_begun && case.last_ruling.as_ref().is_some_and(awaits_order) => {
            Vec::new()
        }
        Phase::Withheld => {
            let why = "the alert is over, and the next step was refused";
            ends(state, case, Conclusion::Resolved, AtHand::NotDone, why)
        }
        Phase::Waiting { .. } | Phase::Asking { .. } if case.rung_begun && was_told => {
            let why = "the alert is over, and the next step is still refused";
            ends(state, case, Conclusion::Failed, AtHand::NotDone, why)
        }
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. } => {
            let over = (!case.rung_begun).then(|| follow::concluded(case, Conclusion::Resolved));
            over.into_iter().collect()
        }
    }
}

fn steps<'a>(policy: &'a Policy, case: &Case) -> &'a [Step] {
    policy.ladder.get(case.rung).map_or(&[], |rung| rung.steps.as_slice())
}
