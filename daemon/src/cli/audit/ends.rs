//! How cases ended, counted in one way: `audit stats` and `audit report` must never tell two stories of the same cases.

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Conclusion, Worth};
use serde::Serialize;

/// How a policy's cases ended. The numbers from `helped` on add up to `cases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ends {
    /// Episodes that the policy spoke on.
    pub(super) cases: usize,
    /// Of them: something was done, or nobody knows whether it was; an intent that ended without an effect is none.
    pub(super) acted: usize,
    /// A verification showed that it had helped.
    pub(super) helped: usize,
    /// No rung helped, or an action failed.
    pub(super) not_helped: usize,
    /// Nobody knows.
    pub(super) unknown: usize,
    /// Done, and nothing says how to verify it; or it was so already.
    pub(super) unchecked: usize,
    /// Rehearsed in dry-run.
    pub(super) rehearsed: usize,
    /// Something was done, and the alert was over, or the case was taken back, before it was known whether it helped.
    pub(super) ended_after: usize,
    /// Something was done, and the case has not ended yet.
    pub(super) under_way: usize,
    /// Nothing was done, and something still may: it waits for a person, for a guard, or to be tried again.
    pub(super) pending: usize,
    /// The alert ended first, a guard refused to the end, denied, withdrawn, or refused for as long as nothing changes.
    pub(super) nothing_done: usize,
}

/// What is known of one case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// How it ended, where it has.
    pub(super) conclusion: Option<Conclusion>,
    /// Whether anything had an effect, or may have had one.
    pub(super) acted: bool,
    /// Whether anything was tried, with an effect or without.
    pub(super) tried: bool,
    /// Whether the last ruling waits for a person or a guard.
    pub(super) waits: bool,
}

impl Ends {
    /// Of these cases.
    pub(super) fn of(cases: impl IntoIterator<Item = Known>) -> Self {
        let mut sum = Self::default();
        cases.into_iter().for_each(|case| sum.count(case));
        sum
    }

    fn count(&mut self, case: Known) {
        let Known { conclusion, acted, tried, waits } = case;
        self.cases += 1;
        self.acted += usize::from(acted);
        *match conclusion.map(Conclusion::worth) {
            Some(Worth::Helped) => &mut self.helped,
            Some(Worth::DidNotHelp) => &mut self.not_helped,
            Some(Worth::NotKnown) => &mut self.unknown,
            Some(Worth::Unchecked) => &mut self.unchecked,
            Some(Worth::Rehearsed) => &mut self.rehearsed,
            Some(Worth::EndedEarly) if acted => &mut self.ended_after,
            None if acted => &mut self.under_way,
            None if waits || tried => &mut self.pending,
            Some(Worth::EndedEarly) | None => &mut self.nothing_done,
        } += 1;
    }

    /// Name and number of each column, in the order in which every table shows them.
    pub(super) fn columns(&self) -> [(&'static str, usize); 11] {
        [
            ("cases", self.cases),
            ("acted", self.acted),
            ("helped", self.helped),
            ("not helped", self.not_helped),
            ("unknown", self.unknown),
            ("unchecked", self.unchecked),
            ("rehearsed", self.rehearsed),
            ("ended after", self.ended_after),
            ("under way", self.under_way),
            ("pending", self.pending),
            ("nothing done", self.nothing_done),
        ]
    }
}

/// Whether this outcome says that something was changed, or may have been.
pub(super) fn has_effect(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { already, .. } => !already,
        Outcome::Failed { applied, .. } => *applied,
        Outcome::Unknown { .. } => true,
        Outcome::Refused { .. } | Outcome::Collected { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way in which a case can be known, counted in exactly one column.
    #[test]
    fn the_columns_add_up_to_the_cases() {
        let conclusions = [
            Conclusion::Helped,
            Conclusion::Done,
            Conclusion::Rehearsed,
            Conclusion::Already,
            Conclusion::Exhausted,
            Conclusion::Unknown,
            Conclusion::Failed,
            Conclusion::Resolved,
            Conclusion::Withdrawn,
            Conclusion::Denied,
            Conclusion::Refused,
            Conclusion::TakenBack,
            Conclusion::Cancelled,
        ];
        let mut all = Vec::new();
        for conclusion in conclusions.map(Some).into_iter().chain([None]) {
            for (acted, tried, waits) in
                [(true, true, false), (false, true, false), (false, false, true), (false, false, false)]
            {
                all.push(Known { conclusion, acted, tried, waits });
            }
        }
        let sum = Ends::of(all.iter().copied());
        assert_eq!(sum.cases, all.len());
        let columns: usize = sum.columns()[2..].iter().map(|(_, count)| count).sum();
        assert_eq!(columns, sum.cases, "{sum:?}");
        for case in all {
            let one = Ends::of([case]);
            assert!(!case.acted || one.nothing_done == 0, "{case:?}: {one:?}");
            assert!(case.acted || one.ended_after + one.under_way == 0, "{case:?}: {one:?}");
        }
    }

    #[test]
    fn only_what_is_known_to_have_changed_nothing_has_no_effect() {
        let what = || "gone".to_owned();
        for (outcome, effect) in [
            (Outcome::Done { diff: None, already: false }, true),
            (Outcome::Done { diff: None, already: true }, false),
            (Outcome::Failed { what: what(), applied: true, diff: None }, true),
            (Outcome::Failed { what: what(), applied: false, diff: None }, false),
            (Outcome::Unknown { what: what() }, true),
            (Outcome::Refused { reasons: Vec::new() }, false),
        ] {
            assert_eq!(has_effect(&outcome), effect, "{outcome:?}");
        }
    }
}
