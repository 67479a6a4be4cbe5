//! `let:` takes a value from exactly one series; which one of several would be a guess, so it withholds.

use crate::answer::Sample;
use crate::guard::{Finding, Guard, View, fact};
use crate::policy::Let;
use crate::question::Fact;

/// One finding for each `let:`: refuses where it found no value.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    if view.policy.lets.is_empty() {
        return vec![Finding::allows(Guard::Lets, "")];
    }
    view.policy.lets.iter().map(|wanted| judge_one(view, wanted)).collect()
}

fn judge_one(view: &View<'_>, wanted: &Let) -> Finding {
    let fact = Fact::Let(wanted.name.clone());
    let value = fact::series(view, &fact)
        .and_then(|series| value(wanted, series).map_err(|found| fact::unknown(&fact, found)));
    match value {
        Ok(value) => Finding::allows(Guard::Lets, format!("let.{} is {value}", wanted.name)),
        Err(unseen) => unseen.finding(Guard::Lets),
    }
}

/// The value that these series give.
///
/// # Errors
/// With what was found instead of one series with the label.
pub(crate) fn value<'a>(wanted: &Let, series: &'a [Sample]) -> Result<&'a str, String> {
    match series {
        [] => Err("no series".to_owned()),
        [one] => match one.labels.get(&wanted.label) {
            Some(value) if !value.is_empty() => Ok(value),
            Some(_) | None => Err(format!("one series without the label {}", wanted.label)),
        },
        many => Err(format!("{} series, wanted one", many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[track_caller]
    fn check(found: crate::answer::Found, says: &str) {
        let mut world = World::new();
        world.policy.lets = vec![wants_let("area", "zone")];
        world.told(Fact::Let("area".to_owned()), "08:29:50", found);
        assert_eq!(world.each_says(judge), [says]);
    }

    #[test]
    fn anything_but_one_series_with_the_label_refuses() {
        check(series(&[]), "refuses: let.area is not known: no series");
        check(series(&[("a", 1.0), ("b", 1.0)]), "refuses: let.area is not known: 2 series, wanted one");
        check(series(&[("", 1.0)]), "refuses: let.area is not known: one series without the label zone");
        check(
            crate::answer::Found::Http { status: 200 },
            "refuses: let.area is not known: an answer that is no series",
        );
    }

    #[test]
    fn one_series_with_the_label_allows() {
        check(series(&[("eu-1a", 0.0)]), "allows: let.area is eu-1a");
        assert_eq!(World::new().each_says(judge), ["allows: "]);
    }

    #[test]
    fn an_empty_label_is_none() {
        let found = crate::answer::Found::Series(vec![Sample {
            labels: labels(&[("zone", "")]),
            value: crate::answer::Number(1.0),
        }]);
        check(found, "refuses: let.area is not known: one series without the label zone");
    }
}
