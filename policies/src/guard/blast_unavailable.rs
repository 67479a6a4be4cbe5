//! What share of a namespace's replicas may be unavailable: what already is, whoever did it, and what this action
//! adds. Judged by live facts, so that our own ledger need not know what others did.

use crate::action::Action;
use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;
use crate::reason::Reason;

/// Refuses where more than the allowed share would be unavailable.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(allow_percent) = view.policy.guards.blast_unavailable else {
        return Finding::allows(Guard::BlastUnavailable, "no ceiling is set");
    };
    // Why there is no preflight, the guard of that name says.
    let Ok(preflight) = fact::preflight(view) else {
        return Finding::not_asked(Guard::BlastUnavailable);
    };
    if let Some(why) = preflight.action.as_ref().and_then(Action::spares_replicas) {
        return Finding::allows(Guard::BlastUnavailable, why);
    }
    // Why nothing would be done, the preflight's own guard says.
    if preflight.action.is_none() && preflight.surroundings.is_none() && !preflight.refusals.is_empty() {
        return Finding::not_asked(Guard::BlastUnavailable);
    }
    if preflight.action.is_none() && preflight.already {
        return Finding::allows(Guard::BlastUnavailable, "nothing is left to do");
    }
    let Some(around) = preflight.surroundings else {
        return fact::unknown(&Fact::Preflight, "no count of the namespace's replicas")
            .finding(Guard::BlastUnavailable);
    };
    if around.added == 0 {
        let detail =
            format!("takes no replica away ({} of {} are unavailable)", around.unavailable, around.desired);
        return Finding::allows(Guard::BlastUnavailable, detail);
    }
    let have = around.unavailable.saturating_add(around.added);
    let of = around.desired;
    if u64::from(have) * 100 > u64::from(of) * u64::from(allow_percent) {
        return Finding::refuses(Guard::BlastUnavailable, Reason::TooManyDown { have, of, allow_percent });
    }
    Finding::allows(
        Guard::BlastUnavailable,
        format!(
            "{have} of {of} replicas would be unavailable ({} are, this adds {}), {allow_percent} % allowed",
            around.unavailable, around.added
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Surroundings;
    use crate::guard::fixtures::*;
    use crate::remediation::reset_breaker;

    fn around(desired: u32, unavailable: u32, added: u32) -> World {
        let mut world = World::new();
        world.policy.guards.blast_unavailable = Some(25);
        world.preflight(|preflight| {
            preflight.surroundings = Some(Surroundings { desired, unavailable, added, workloads: 9 });
        });
        world
    }

    #[test]
    fn a_breaker_reset_needs_no_count_of_replicas() {
        let mut world = around(12, 2, 1);
        let action = Action::ResetBreaker(reset_breaker::Action {
            breaker: "postgres".to_owned(),
            endpoints: Vec::new(),
            port: None,
        });
        world.preflight(|preflight| (preflight.action, preflight.surroundings) = (Some(action), None));
        assert_eq!(world.says(judge), "allows: a breaker reset takes no replica away");
    }

    #[test]
    fn a_larger_share_than_allowed_refuses() {
        assert_eq!(
            around(12, 2, 2).says(judge),
            "refuses: 4 of 12 replicas would be unavailable, 25 % allowed"
        );
        assert_eq!(
            around(0, 0, 1).says(judge),
            "refuses: 1 of 0 replicas would be unavailable, 25 % allowed"
        );
        assert_eq!(
            around(8, u32::MAX, u32::MAX).says(judge),
            "refuses: 4294967295 of 8 replicas would be unavailable, 25 % allowed"
        );
    }

    #[test]
    fn a_share_that_nobody_counted_refuses() {
        let mut world = around(12, 2, 1);
        world.preflight(|_| {});
        assert_eq!(
            world.says(judge),
            "refuses: preflight is not known: no count of the namespace's replicas"
        );
        world.case.facts.clear();
        assert_eq!(world.says(judge), "not asked");
    }

    #[test]
    fn what_was_counted_is_judged_whatever_the_look_refuses() {
        let mut world = around(12, 2, 2);
        let around = Some(Surroundings { desired: 12, unavailable: 2, added: 2, workloads: 9 });
        world.preflight(|preflight| {
            (preflight.action, preflight.surroundings) = (None, around);
            preflight.refusals = vec![Reason::WorkloadPaused];
        });
        assert_eq!(world.says(judge), "refuses: 4 of 12 replicas would be unavailable, 25 % allowed");
        world.preflight(|preflight| preflight.refusals = vec![Reason::WorkloadPaused]);
        assert!(world.says(judge).starts_with("refuses: preflight is not known: no count"));
    }

    #[test]
    fn where_nothing_would_be_done_there_is_nothing_to_count() {
        let mut world = around(12, 2, 1);
        world.preflight(|preflight| {
            (preflight.action, preflight.surroundings) = (None, None);
            preflight.refusals = vec![Reason::NoKubernetes];
        });
        assert_eq!(world.says(judge), "not asked");
        world.preflight(|preflight| {
            (preflight.action, preflight.surroundings, preflight.already) = (None, None, true);
        });
        assert_eq!(world.says(judge), "allows: nothing is left to do");
    }

    #[test]
    fn exactly_the_allowed_share_allows() {
        assert_eq!(
            around(12, 2, 1).says(judge),
            "allows: 3 of 12 replicas would be unavailable (2 are, this adds 1), 25 % allowed"
        );
        assert_eq!(World::new().says(judge), "allows: no ceiling is set");
    }
}
