//! `when:` must hold, each by exactly one series. Empty means what the condition says; NaN and several series mean
//! that nothing is known. Verification reads its query the same way.

use crate::answer::{Number, Sample};
use crate::guard::{Finding, Guard, View, fact};
use crate::policy::{Condition, Empty};
use crate::question::Fact;
use crate::reason::Reason;

/// One finding for each condition: refuses where it does not hold or is not known.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    if view.policy.when.is_empty() {
        return vec![Finding::allows(Guard::Conditions, "")];
    }
    view.policy.when.iter().enumerate().map(|(position, wanted)| judge_one(view, position, wanted)).collect()
}

fn judge_one(view: &View<'_>, position: usize, wanted: &Condition) -> Finding {
    let fact = Fact::When(position);
    let seen = fact::series(view, &fact)
        .and_then(|series| look(wanted, series).map_err(|found| fact::unknown(&fact, found)));
    match seen {
        Err(unseen) => unseen.finding(Guard::Conditions),
        Ok(Seen { holds: true, value }) => {
            Finding::allows(Guard::Conditions, format!("when[{position}] is {value}, wanted {}", wanted.is))
        }
        Ok(Seen { holds: false, value }) => {
            let condition = u32::try_from(position).unwrap_or(u32::MAX);
            let wanted = wanted.is.to_string();
            Finding::refuses(Guard::Conditions, Reason::ConditionFalse { condition, value, wanted })
        }
    }
}

/// A condition's verdict with the number that made it: compared once, kept together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Whether it holds.
    pub(crate) holds: bool,
    /// The number, in words.
    pub(crate) value: String,
}

/// What these series show.
///
/// # Errors
/// With what was found, where it shows nothing.
pub(crate) fn look(wanted: &Condition, series: &[Sample]) -> Result<Seen, String> {
    let (value, note) = match (series, wanted.empty) {
        ([], Empty::Unknown) => return Err("no series".to_owned()),
        ([], Empty::Is(value)) => (value, " (no series)"),
        ([one], _) => (one.value.0, ""),
        (many, _) => return Err(format!("{} series, wanted one", many.len())),
    };
    match wanted.is.holds(value) {
        Some(holds) => Ok(Seen { holds, value: format!("{}{note}", Number(value)) }),
        None => Err("NaN".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Found;
    use crate::comparison::{Comparison, Relation};
    use crate::guard::fixtures::*;

    const ABOVE_ONE: Comparison = Comparison { relation: Relation::Greater, bound: 1.0 };

    #[track_caller]
    fn check(empty: Empty, found: Found, says: &str) {
        let mut world = World::new();
        world.policy.when = vec![condition(ABOVE_ONE, empty)];
        world.told(Fact::When(0), "08:29:50", found);
        assert_eq!(world.each_says(judge), [says]);
    }

    #[test]
    fn a_condition_that_does_not_hold_refuses() {
        check(Empty::Unknown, series(&[("", 0.25)]), "refuses: when[0] is 0.25, wanted > 1");
        check(Empty::Is(0.0), series(&[]), "refuses: when[0] is 0 (no series), wanted > 1");
    }

    #[test]
    fn empty_nan_several_and_failed_are_not_known() {
        check(Empty::Unknown, series(&[]), "refuses: when[0] is not known: no series");
        check(Empty::Is(2.0), series(&[("", f64::NAN)]), "refuses: when[0] is not known: NaN");
        check(
            Empty::Is(2.0),
            series(&[("a", 2.0), ("b", 2.0)]),
            "refuses: when[0] is not known: 2 series, wanted one",
        );
        check(
            Empty::Is(2.0),
            Found::Failed { what: "connection refused".to_owned() },
            "refuses: when[0] is not known: connection refused",
        );
    }

    #[test]
    fn a_condition_that_holds_allows_with_its_number() {
        check(Empty::Unknown, series(&[("", 1.5)]), "allows: when[0] is 1.5, wanted > 1");
        check(Empty::Unknown, series(&[("", f64::INFINITY)]), "allows: when[0] is +Inf, wanted > 1");
        check(Empty::Is(2.0), series(&[]), "allows: when[0] is 2 (no series), wanted > 1");
        assert_eq!(World::new().each_says(judge), ["allows: "]);
    }

    #[test]
    fn each_condition_speaks() {
        let mut world = World::new();
        world.policy.when = vec![condition(ABOVE_ONE, Empty::Unknown); 3];
        world.told(Fact::When(0), "08:29:50", series(&[("", 2.0)]));
        world.told(Fact::When(1), "08:29:00", series(&[("", 2.0)]));
        assert_eq!(
            world.each_says(judge),
            ["allows: when[0] is 2, wanted > 1", "refuses: when[1] is 1m old, 30s allowed", "not asked",]
        );
    }
}
