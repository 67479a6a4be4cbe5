//! After a policy acted on a target it leaves it alone for a while. The next rung of the ladder that acted is not
//! held by it: that is paced by its verification.

use crate::guard::{Finding, Guard, View, ledger};
use crate::reason::Reason;

/// Refuses while the policy's last charged action on the target is younger than `cooldown:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Cooldown);
    };
    let cooldown = view.policy.guards.cooldown;
    let charges = ledger::of(view).charges.iter();
    let last = charges
        .filter(|charge| charge.policy == view.policy.name && charge.target == *target)
        .map(|charge| charge.at)
        .max();
    match last {
        None => {
            Finding::allows(Guard::Cooldown, format!("not acted on this target lately, cooldown {cooldown}"))
        }
        Some(since) if view.case.acted => Finding::allows(
            Guard::Cooldown,
            format!("acted at {since}, and its own ladder goes on, cooldown {cooldown}"),
        ),
        Some(since) if ledger::is_within(since, cooldown, view.now) => {
            Finding::refuses(Guard::Cooldown, Reason::CoolingDown { since, until: since + cooldown })
        }
        Some(since) => Finding::allows(
            Guard::Cooldown,
            format!("last acted {} ago, cooldown {cooldown}", view.now.since(since)),
        ),
    }
}
