//! A sequence that has begun: its first step was decided by the alert, the rest no longer depends on it, for what a step
//! does may itself silence the alert. Whatever else keeps a policy from acting binds each step. One that ends early is
//! never silent: a person is told what was done, and what was not.

use crate::counted::counted;
use crate::engine::follow;
use crate::event::{Conclusion, Event};
use crate::policy::{Policy, Step};
use crate::state::{Case, Episode, Phase, State};

/// Whether a step of the sequence at hand is done that changed something: what is left of it needs no alert. A look
/// before the first change begins nothing.
pub(crate) fn is_begun(policy: &Policy, case: &Case) -> bool {
    steps(policy, case).iter().take(case.step).any(|step| !step.remediation.looks_only())
}

/// The same under the policy that the case began with; nothing has begun where that is gone.
pub(super) fn has_begun(state: &State, case: &Case) -> bool {
    state.policy_of(case).is_some_and(|policy| is_begun(policy, case))
}

/// The same once it is known what became of the step at hand.
pub(super) fn is_begun_by(policy: &Policy, case: &Case, at_hand: AtHand) -> bool {
    let done = case.step + usize::from(at_hand == AtHand::Done);
    steps(policy, case).iter().take(done).any(|step| !step.remediation.looks_only())
}

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
    let (before, rest) = steps.split_at(case.step.min(steps.len()));
    let name = |step: &Step| step.remediation.name();
    let mut done: Vec<&str> = before.iter().map(name).collect();
    let mut left: Vec<&str> = rest.iter().map(name).collect();
    let mut doubt = None;
    match at_hand {
        AtHand::NotDone => {}
        AtHand::Done | AtHand::Doubt if left.is_empty() => {}
        AtHand::Done => done.push(left.remove(0)),
        AtHand::Doubt => doubt = Some(left.remove(0)),
    }
    let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let doubt = doubt.map(|name| format!("; in doubt: {name}")).unwrap_or_default();
    format!(
        "{why}; the sequence of {} ends at step {}: done: {}{doubt}; not done: {}",
        counted(steps.len(), "step"),
        case.step + 1,
        list(&done),
        list(&left),
    )
}

/// Whether steps are left behind the one at hand.
pub(super) fn is_early(policy: &Policy, case: &Case) -> bool {
    case.step + 1 < steps(policy, case).len()
}

/// The case ends here; where that leaves a sequence half done, a person is told.
pub(super) fn ends(state: &State, case: &Case, conclusion: Conclusion, at: AtHand, why: &str) -> Vec<Event> {
    let is_half_done = |policy: &&Policy| match at {
        AtHand::NotDone => is_begun(policy, case),
        AtHand::Done | AtHand::Doubt => is_early(policy, case),
    };
    let policy = state.policy_of(case).filter(is_half_done);
    let told = policy.map(|policy| follow::escalated(case, policy, told(policy, case, at, why.to_owned())));
    told.into_iter().chain([follow::concluded(case, conclusion)]).collect()
}

/// After a ruling that refuses: a sequence that has begun stands still, which a person is told; where the alert is over,
/// so that nothing would ever look again, it ends.
pub(super) fn stands(policy: &Policy, episode: &Episode, case: &Case, reasons: &[String]) -> Vec<Event> {
    if !is_begun(policy, case) {
        return Vec::new();
    }
    let why = format!("the next step is refused: {}", reasons.join("; "));
    let told = follow::escalated(case, policy, told(policy, case, AtHand::NotDone, why));
    let ended = (!episode.is_open()).then(|| follow::concluded(case, Conclusion::Failed));
    std::iter::once(told).chain(ended).collect()
}

/// The alert ended while the case is not acting: one that has begun a sequence goes on, unless it was refused for good.
pub(super) fn resolved(state: &State, case: &Case) -> Vec<Event> {
    match case.phase {
        Phase::Resting => Vec::new(),
        Phase::Withheld => {
            let why = "the alert is over, and the next step was refused";
            ends(state, case, Conclusion::Resolved, AtHand::NotDone, why)
        }
        // It was held so long that a person was called: nothing would end it any more.
        Phase::Waiting { .. } | Phase::Asking { .. }
            if has_begun(state, case) && case.kept.as_ref().is_some_and(|kept| kept.due.is_none()) =>
        {
            let why = "the alert is over, and the next step is still refused";
            ends(state, case, Conclusion::Failed, AtHand::NotDone, why)
        }
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. }
            if has_begun(state, case) =>
        {
            Vec::new()
        }
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. } => vec![follow::concluded(case, Conclusion::Resolved)],
    }
}

fn steps<'a>(policy: &'a Policy, case: &Case) -> &'a [Step] {
    policy.ladder.get(case.rung).map_or(&[], |rung| rung.steps.as_slice())
}
