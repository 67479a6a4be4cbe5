//! Why one book acts on a case where the other does not, or not yet: what the other one's guards said of the same case last,
//! or at that moment. It only reads what was ruled, and never guesses.

use std::collections::BTreeMap;

use paramedic_policies::guard::Guard;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::open_cases::{OpenCase, Refused};

/// What the other policies make of the case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Why {
    /// They have no policy of this name.
    NoPolicy,
    /// Their policy of this name is not for this alert.
    NotMatched,
    /// They refuse it, and these guards said so last.
    Refused {
        /// Each guard with its reason.
        by: Vec<RefusedBy>,
    },
    /// They act on the case too, in another way or on another target.
    ActsOtherwise,
    /// They did not come to a decision before the alert ended.
    Undecided,
}

/// One guard's refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedBy {
    /// Which guard.
    pub guard: Guard,
    /// What it said.
    pub reason: &'static str,
}

/// So many actions for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Because {
    /// Why.
    pub why: Why,
    /// How many actions.
    pub actions: u64,
}

/// What the other book has to do with an action's policy and alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// It has no policy of that name.
    #[default]
    NoPolicy,
    /// It has one, for other alerts.
    NotMatched,
    /// It has one that is for this alert.
    Matched,
}

impl Why {
    /// What a case says that did not do what the other side did at this moment. A refusal that was over by then, such as that
    /// of `for`, is none.
    pub(super) fn of(case: &OpenCase, at: Moment) -> Self {
        if case.acted.is_some() {
            return Self::ActsOtherwise;
        }
        case.last().and_then(|said| Self::refused(&said.refusals, at)).unwrap_or(Self::Undecided)
    }

    /// What a case said at this moment that does the same, and not yet.
    pub(super) fn not_yet(case: &OpenCase, at: Moment) -> Self {
        let did = || case.acted.filter(|acted| *acted < at).map(|_| Self::ActsOtherwise);
        let refused = case.at(at).and_then(|said| Self::refused(&said.refusals, at));
        refused.or_else(did).unwrap_or(Self::Undecided)
    }

    fn refused(refusals: &[Refused], at: Moment) -> Option<Self> {
        let is_in_force = |until: &Option<Moment>| until.is_none_or(|until| until > at);
        let some_are = refusals.iter().any(|(_, _, until)| is_in_force(until));
        let by = refusals.iter().filter(|(_, _, until)| !some_are || is_in_force(until));
        let by: Vec<RefusedBy> = by.map(|(guard, reason, _)| RefusedBy { guard: *guard, reason }).collect();
        (!by.is_empty()).then_some(Self::Refused { by })
    }

    /// What is known without the case.
    pub(super) fn without(elsewhere: Elsewhere) -> Self {
        match elsewhere {
            Elsewhere::NoPolicy => Self::NoPolicy,
            Elsewhere::NotMatched => Self::NotMatched,
            Elsewhere::Matched => Self::Undecided,
        }
    }
}

/// The most frequent first.
pub(super) fn ranked(counts: BTreeMap<Why, u64>) -> Vec<Because> {
    let mut all: Vec<Because> = counts.into_iter().map(|(why, actions)| Because { why, actions }).collect();
    all.sort_by(|a, b| b.actions.cmp(&a.actions).then_with(|| a.why.cmp(&b.why)));
    all
}
