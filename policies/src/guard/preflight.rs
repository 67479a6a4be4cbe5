//! The remediation's own look at its target: all that it found against the action refuses, each by itself.

use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;

/// One finding for each refusal of the preflight; one that allows where there is none.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    let preflight = match fact::preflight(view) {
        Ok(preflight) => preflight,
        Err(unseen) => return vec![unseen.finding(Guard::Preflight)],
    };
    if !preflight.refusals.is_empty() {
        let refuse = |reason: &crate::reason::Reason| Finding::refuses(Guard::Preflight, reason.clone());
        return preflight.refusals.iter().map(refuse).collect();
    }
    let would = match &preflight.action {
        Some(action) => action.to_string(),
        None if preflight.already => "the desired state already holds".to_owned(),
        None => {
            let nothing = fact::unknown(&Fact::Preflight, "neither an action nor a refusal");
            return vec![nothing.finding(Guard::Preflight)];
        }
    };
    let detail =
        std::iter::once(would).chain(preflight.passed.iter().cloned()).collect::<Vec<_>>().join("; ");
    vec![Finding::allows(Guard::Preflight, detail)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Found;
    use crate::guard::fixtures::*;
    use crate::reason::Reason;

    #[test]
    fn each_refusal_of_the_look_speaks() {
        let mut world = World::new();
        world.preflight(|preflight| {
            preflight.refusals = vec![
                Reason::WorkloadPaused,
                Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 },
            ];
        });
        assert_eq!(
            world.each_says(judge),
            [
                "refuses: the workload is paused (spec.paused)",
                "refuses: PodDisruptionBudget web allows 0 disruptions",
            ]
        );
    }

    #[test]
    fn a_look_that_failed_found_nothing_or_is_old_refuses() {
        let mut world = World::new();
        let absent = Found::Absent { what: "deployment prod/web".to_owned() };
        world.told(Fact::Preflight, "08:29:50", absent);
        assert_eq!(world.each_says(judge), ["refuses: there is no deployment prod/web"]);
        let failed = Found::Failed { what: "API server: 503".to_owned() };
        world.told(Fact::Preflight, "08:29:50", failed);
        assert_eq!(world.each_says(judge), ["refuses: preflight is not known: API server: 503"]);
        world.told(Fact::Preflight, "08:29:50", series(&[]));
        assert_eq!(
            world.each_says(judge),
            ["refuses: preflight is not known: an answer that is no preflight"]
        );
        world.preflight(|_| {});
        world.now = at("08:30:21");
        assert_eq!(world.each_says(judge), ["refuses: preflight is 31s old, 30s allowed"]);
        world.now = at("08:30:00");
        world.preflight(|preflight| preflight.action = None);
        assert_eq!(
            world.each_says(judge),
            ["refuses: preflight is not known: neither an action nor a refusal"]
        );
    }

    #[test]
    fn a_look_without_refusals_allows() {
        let mut world = World::new();
        world.preflight(|_| {});
        assert_eq!(world.each_says(judge), ["allows: scale 3 -> 5; not paused"]);
        world.preflight(|preflight| {
            preflight.action = None;
            preflight.already = true;
        });
        assert_eq!(world.each_says(judge), ["allows: the desired state already holds; not paused"]);
    }
}
