//! Before acting, Prometheus must show the alert firing: forged, stale and late webhooks end here. What is asked,
//! and about which labels, is the engine's.

use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;
use crate::reason::Reason;

/// Refuses unless `ALERTS` has a firing series for the alert, where confirmation is on.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if view.episode.by_hand.is_some() {
        return Finding::allows(Guard::Confirmation, "by hand: there is no alert to confirm");
    }
    if !view.book.settings().guards.confirmation {
        return Finding::allows(Guard::Confirmation, "switched off");
    }
    if view.case.rung_begun {
        let steps = view.policy.ladder.get(view.case.rung).map_or(0, |rung| rung.steps.len());
        let what = if steps > 1 { "sequence" } else { "rung" };
        return Finding::allows(
            Guard::Confirmation,
            format!("the {what} has begun: what is left no longer depends on the alert"),
        );
    }
    match fact::series(view, &Fact::Confirmation) {
        Err(unseen) => unseen.finding(Guard::Confirmation),
        Ok([]) => {
            let found = "ALERTS has no firing series with its labels".to_owned();
            Finding::refuses(Guard::Confirmation, Reason::NotConfirmed { found })
        }
        Ok(series) => {
            Finding::allows(Guard::Confirmation, format!("ALERTS has {} firing series", series.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn told(when: &str, found: crate::answer::Found) -> World {
        let mut world = World::new();
        world.told(Fact::Confirmation, when, found);
        world
    }

    #[test]
    fn an_alert_that_prometheus_does_not_show_refuses() {
        assert_eq!(
            told("08:29:50", series(&[])).says(judge),
            "refuses: Prometheus does not show the alert firing: ALERTS has no firing series with its labels"
        );
    }

    #[test]
    fn a_failed_and_a_stale_answer_refuse() {
        let failed = crate::answer::Found::Failed { what: "query timed out after 15s".to_owned() };
        assert_eq!(
            told("08:29:50", failed).says(judge),
            "refuses: confirmation is not known: query timed out after 15s"
        );
        assert_eq!(
            told("08:29:29", series(&[("", 1.0)])).says(judge),
            "refuses: confirmation is 31s old, 30s allowed"
        );
    }

    #[test]
    fn an_answer_that_there_is_nothing_is_no_word_of_the_target() {
        let absent = crate::answer::Found::Absent { what: "such series".to_owned() };
        assert_eq!(
            told("08:29:50", absent).says(judge),
            "refuses: confirmation is not known: there is no such series"
        );
    }

    #[test]
    fn behind_the_first_step_of_a_sequence_nothing_is_confirmed() {
        let mut world = told("08:29:50", series(&[]));
        world.case.step = 1;
        assert!(world.says(judge).starts_with("refuses: "), "what held already is nothing that was done");
        world.case.rung_begun = true;
        assert_eq!(
            world.says(judge),
            "allows: the rung has begun: what is left no longer depends on the alert"
        );
        let step = world.policy.ladder[0].steps[0].clone();
        world.policy.ladder[0].steps.push(step);
        assert_eq!(
            world.says(judge),
            "allows: the sequence has begun: what is left no longer depends on the alert"
        );
    }

    #[test]
    fn firing_series_allow_and_so_does_confirmation_switched_off() {
        let mut world = told("08:29:30", series(&[("a", 1.0), ("b", 1.0)]));
        assert_eq!(world.says(judge), "allows: ALERTS has 2 firing series");
        world.case.facts.clear();
        assert_eq!(world.says(judge), "not asked");
        world.settings.guards.confirmation = false;
        assert_eq!(world.says(judge), "allows: switched off");
    }
}
