//! Exact ceilings over sliding windows, counted from the ledger: the policy's, the step's and the global ones. A pace
//! that refills cannot be one; [`pace`](super::pace) is that.

use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::{Limit, LimitScope};
use crate::reason::Reason;
use crate::state::Charge;
use crate::target::Target;
use crate::time::Moment;

/// One finding for each ceiling: refuses where it is reached.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    let step = view.policy.ladder.get(view.case.rung).and_then(|rung| rung.steps.get(view.case.step));
    let limits = view
        .policy
        .guards
        .limits
        .iter()
        .chain(step.into_iter().flat_map(|step| &step.limits))
        .chain(&view.book.settings().guards.limits);
    let findings: Vec<Finding> = limits.map(|limit| judge_one(view, limit)).collect();
    if findings.is_empty() { vec![Finding::allows(Guard::Limits, "no ceiling is set")] } else { findings }
}

fn judge_one(view: &View<'_>, limit: &Limit) -> Finding {
    let target = view.known_target();
    if target.is_none() && matches!(limit.by, LimitScope::Target | LimitScope::Namespace) {
        return Finding::not_asked(Guard::Limits);
    }
    let counted: Vec<Moment> = ledger::within(view, limit.per)
        .filter(|charge| counts(charge, limit.by, &view.policy.name, target))
        .map(|charge| charge.at)
        .collect();
    let have = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    let Limit { max: allow, per, by } = *limit;
    if have < allow {
        return Finding::allows(Guard::Limits, format!("{have} of {allow} used in {per} by {by}"));
    }
    // As soon as all but `allow - 1` have dropped out of the window; a ceiling of none never opens.
    let until = counted.get((have - allow) as usize).map_or(view.now + per, |at| *at + per);
    Finding::refuses(Guard::Limits, Reason::LimitReached { by, have, allow, per, until })
}

fn counts(charge: &Charge, by: LimitScope, policy: &str, target: Option<&Target>) -> bool {
    match by {
        LimitScope::Target => charge.policy == policy && Some(&charge.target) == target,
        LimitScope::Policy => charge.policy == policy,
        LimitScope::Namespace => target.is_some_and(|target| charge.target.namespace == target.namespace),
        LimitScope::Global => true,
    }
}
