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
