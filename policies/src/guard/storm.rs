//! While too much fires, single remedies are guesses. Whether it storms is `apply`'s to say; here stands only what
//! the policy does in a storm. Lowering the mode is the engine's.

use crate::counted::counted;
use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::InStorm;
use crate::reason::Reason;
use crate::time::Span;

/// Refuses in a storm, unless the policy wants to propose or to act all the same.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some((since, why)) = &view.state.storm.since else {
        let minute = Span::from_mins(1);
        let opened = &view.state.storm.openings;
        let have = opened.len() - opened.partition_point(|at| !ledger::is_within(*at, minute, view.now));
        let above = view.book.settings().guards.storm.alerts_per_minute;
        return Finding::allows(
            Guard::Storm,
            format!("{} in the last minute, a storm begins above {above}", counted(have, "new alert")),
        );
    };
    match view.policy.guards.in_storm {
        InStorm::Withhold => {
            Finding::refuses(Guard::Storm, Reason::Storm { since: *since, why: why.clone() })
        }
        InStorm::Approve => Finding::allows(
            Guard::Storm,
            format!("a storm since {since} ({why}); inStorm: approve, so it proposes"),
        ),
        InStorm::Act => Finding::allows(
            Guard::Storm,
            format!("a storm since {since} ({why}); inStorm: act, so it acts all the same"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn storming() -> World {
        let mut world = World::new();
        world.state.storm.since = Some((at("08:20:00"), "61 new alerts in a minute, 50 allowed".to_owned()));
        world
    }

    #[test]
    fn a_storm_refuses_by_default() {
        assert_eq!(
            storming().says(judge),
            "refuses: a storm since 2026-11-21T08:20:00.000Z: 61 new alerts in a minute, 50 allowed"
        );
    }

    #[test]
    fn a_policy_may_propose_or_act_in_a_storm() {
        let mut world = storming();
        world.policy.guards.in_storm = InStorm::Approve;
        assert_eq!(
            world.says(judge),
            "allows: a storm since 2026-11-21T08:20:00.000Z (61 new alerts in a minute, 50 allowed); \
             inStorm: approve, so it proposes"
        );
        world.policy.guards.in_storm = InStorm::Act;
        assert_eq!(
            world.says(judge),
            "allows: a storm since 2026-11-21T08:20:00.000Z (61 new alerts in a minute, 50 allowed); \
             inStorm: act, so it acts all the same"
        );
    }

    #[test]
    fn a_calm_minute_allows_with_its_numbers() {
        let mut world = World::new();
        world.state.storm.openings.extend([at("08:29:00"), at("08:29:30"), at("08:29:59")]);
        assert_eq!(world.says(judge), "allows: 2 new alerts in the last minute, a storm begins above 50");
    }
}
