//! How long things took: to detect, decide, approve, act, verify and remediate, for one case and for a policy over many.
//! What no record says is `unknown`, what never happened is `notReached`; neither is ever counted as a number.

use std::collections::BTreeMap;

use paramedic_policies::event::{Conclusion, Verdict};
use paramedic_policies::ruling;
use paramedic_policies::time::{Moment, Span};
use serde::{Serialize, Serializer};

use super::incident::{ActionTold, CaseTold, Incident};
use crate::cli::audit::ends::Ends;

/// A length of time, or why there is none. In JSON: milliseconds, `"notReached"` or `"unknown"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli::audit) enum Took {
    /// So long.
    Known(Span),
    /// It did not come to that.
    #[default]
    NotReached,
    /// It did, or may have, and nobody knows how long it took.
    Unknown,
}

impl Took {
    /// From one moment to another; a later beginning is another clock's, so nothing is known.
    pub(in crate::cli::audit) fn between(from: Option<Moment>, to: Moment) -> Self {
        match from {
            Some(from) if from <= to => Self::Known(to.since(from)),
            Some(_) | None => Self::Unknown,
        }
    }
}

impl Serialize for Took {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(span) => serializer.serialize_u64(span.ms()),
            Self::NotReached => serializer.serialize_str("notReached"),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

/// What is measured, in the order in which it happens: name, and from what to what.
pub(super) const MEASURES: [(&str, &str); 6] = [
    ("detect", "from the alert's own beginning (startsAt) until it was received"),
    ("decide", "from there until the first ruling that acts or proposes"),
    ("approve", "from the proposal until a person approved it"),
    ("act", "from the recorded intent until the action had ended"),
    ("verify", "from there until it was known whether it had helped"),
    ("remediate", "from the alert's own beginning until a check showed that it had helped"),
];

/// The times of one case. Of several actions: the first one's `act`, the last one's `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Figures {
    #[serde(rename = "detectMs")]
    pub detect: Took,
    #[serde(rename = "decideMs")]
    pub decide: Took,
    #[serde(rename = "approveMs")]
    pub approve: Took,
    #[serde(rename = "actMs")]
    pub act: Took,
    #[serde(rename = "verifyMs")]
    pub verify: Took,
    #[serde(rename = "remediateMs")]
    pub remediate: Took,
}

impl Figures {
    /// Of one case, by what its records say.
    pub(super) fn of(incident: &Incident, case: &CaseTold) -> Self {
        let decided = case.rulings.iter().find(|ruling| match ruling.verdict {
            ruling::Verdict::Act | ruling::Verdict::Propose { .. } => !ruling.looks_only,
            ruling::Verdict::Hold { .. } | ruling::Verdict::Withhold => false,
        });
        let own = || case.actions.iter().filter(|action| action.is_counted());
        // What somebody ran began with the order: nothing was to be detected, and no trouble lasted until then.
        let of_alert = |took: Took| if incident.by_hand.is_some() { Took::NotReached } else { took };
        let remediate = match case.conclusion {
            Some(ended) if ended.how == Conclusion::Helped => Took::between(incident.starts_at, ended.at),
            Some(ended) if ended.how == Conclusion::Unknown => Took::Unknown,
            Some(_) | None => Took::NotReached,
        };
        Self {
            detect: of_alert(
                incident.opened_at.map_or(Took::Unknown, |at| Took::between(incident.starts_at, at)),
            ),
            decide: decided.map_or(Took::NotReached, |ruling| Took::between(incident.opened_at, ruling.at)),
            approve: approve(case),
            act: own().next().map_or(Took::NotReached, act),
            verify: own().next_back().map_or(Took::NotReached, verify),
            remediate: of_alert(remediate),
        }
    }

    /// In the order of [`MEASURES`].
    pub(super) fn each(&self) -> [Took; 6] {
        [self.detect, self.decide, self.approve, self.act, self.verify, self.remediate]
    }
}

/// The first proposal that was approved.
fn approve(case: &CaseTold) -> Took {
    let approved = |ruling: &super::incident::Decision| {
        let answer = ruling.answer.as_ref()?;
        (answer.what == APPROVED).then(|| Took::between(Some(ruling.at), answer.at))
    };
    case.rulings.iter().find_map(approved).unwrap_or_default()
}

/// What a person did to a proposal that was approved.
pub(super) const APPROVED: &str = "approved";

/// What nobody did to a proposal whose time ran out.
pub(super) const LAPSED: &str = "answered in time";

fn act(action: &ActionTold) -> Took {
    match &action.ended {
        Some(ended) if ended.outcome == "unknown" => Took::Unknown,
        Some(ended) => Took::between(Some(action.at), ended.at),
        None => Took::NotReached,
    }
}

fn verify(action: &ActionTold) -> Took {
    match (&action.ended, &action.verified) {
        (_, Some(verified)) if verified.verdict == Verdict::Unknown => Took::Unknown,
        (ended, Some(verified)) => Took::between(ended.as_ref().map(|ended| ended.at), verified.at),
        (_, None) => Took::NotReached,
    }
}

/// A policy over all its cases of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyFigures {
    pub policy: String,
    /// Of the episodes that were received in the window.
    #[serde(flatten)]
    pub ends: Ends,
    /// In the order of [`MEASURES`].
    pub times: BTreeMap<&'static str, Spread>,
}

/// How the times of one measure are spread. Only observed values are given: nothing is interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(in crate::cli::audit) struct Spread {
    /// How many are known.
    pub count: usize,
    /// How many happened, and nobody knows how long they took.
    pub unknown: usize,
    #[serde(rename = "medianMs")]
    pub median: Took,
    #[serde(rename = "p90Ms")]
    pub p90: Took,
}

impl Spread {
    /// Of these.
    pub(in crate::cli::audit) fn of(times: &[Took]) -> Self {
        let mut known: Vec<Span> = times
            .iter()
            .filter_map(|took| match took {
                Took::Known(span) => Some(*span),
                Took::NotReached | Took::Unknown => None,
            })
            .collect();
        known.sort_unstable();
        let unknown = times.iter().filter(|took| **took == Took::Unknown).count();
        let none = if unknown > 0 { Took::Unknown } else { Took::NotReached };
        let rank = |percent: usize| nearest_rank(&known, percent).map_or(none, Took::Known);
        Self { count: known.len(), unknown, median: rank(50), p90: rank(90) }
    }
}

/// The smallest value that so many percent of all do not exceed.
fn nearest_rank(sorted: &[Span], percent: usize) -> Option<Span> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Every policy by name. Episodes that were received before the window, or whose opening is not known, do not count:
/// half of their story is missing.
pub(super) fn by_policy(incidents: &[Incident], since: Option<Moment>) -> Vec<PolicyFigures> {
    let counts =
        |incident: &&Incident| incident.opened_at.is_some_and(|at| since.is_none_or(|since| at >= since));
    let mut cases: BTreeMap<&str, Vec<&CaseTold>> = BTreeMap::new();
    for case in incidents.iter().filter(counts).flat_map(|incident| &incident.cases) {
        cases.entry(&case.policy).or_default().push(case);
    }
    cases.into_iter().map(|(policy, cases)| of_policy(policy, &cases)).collect()
}

fn of_policy(policy: &str, cases: &[&CaseTold]) -> PolicyFigures {
    let own = || cases.iter().flat_map(|case| &case.actions).filter(|action| action.is_counted());
    let of_cases =
        |take: fn(&Figures) -> Took| -> Vec<Took> { cases.iter().map(|case| take(&case.figures)).collect() };
    let times = [
        of_cases(|figures| figures.detect),
        of_cases(|figures| figures.decide),
        of_cases(|figures| figures.approve),
        own().map(act).collect(),
        own().map(verify).collect(),
        of_cases(|figures| figures.remediate),
    ];
    let spreads = times.iter().map(|times| Spread::of(times));
    PolicyFigures {
        policy: policy.to_owned(),
        ends: Ends::of(cases.iter().map(|case| case.known())),
        times: MEASURES.iter().map(|(name, _)| *name).zip(spreads).collect(),
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::event::Event;

    use super::super::fold::fold;
    use super::*;
    use crate::cli::tests::fixture;

    /// Who acted did not do nothing, however its case ended.
    #[test]
    fn what_was_done_and_is_over_before_it_is_verified_is_never_nothing() {
        for how in [
            Conclusion::Resolved,
            Conclusion::Withdrawn,
            Conclusion::Denied,
            Conclusion::Refused,
            Conclusion::TakenBack,
            Conclusion::Cancelled,
        ] {
            let mut records = fixture::journal().records;
            for record in &mut records {
                if let Event::Concluded { conclusion, .. } = &mut record.event {
                    *conclusion = how;
                }
            }
            let [policy] = &by_policy(&fold(&records).incidents, None)[..] else { panic!("one policy") };
            let Ends { cases, acted, ended_after, nothing_done, .. } = policy.ends;
            assert_eq!((cases, acted, ended_after, nothing_done), (1, 1, 1, 0), "{how:?}");
        }
    }

    fn known(secs: &[u64]) -> Vec<Took> {
        secs.iter().map(|secs| Took::Known(Span::from_secs(*secs))).collect()
    }

    #[test]
    fn only_observed_values_are_given() {
        let spread = Spread::of(&known(&[5, 1, 3, 2]));
        assert_eq!((spread.median, spread.p90), (known(&[2])[0], known(&[5])[0]));
        let ten: Vec<u64> = (1..=10).collect();
        let spread = Spread::of(&known(&ten));
        assert_eq!((spread.median, spread.p90, spread.count), (known(&[5])[0], known(&[9])[0], 10));
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let none = Spread::of(&[Took::NotReached, Took::NotReached]);
        assert_eq!((none.count, none.unknown, none.median), (0, 0, Took::NotReached));
        let unknown = Spread::of(&[Took::Unknown, Took::NotReached]);
        assert_eq!((unknown.count, unknown.unknown, unknown.median), (0, 1, Took::Unknown));
        let mixed = Spread::of(&[Took::Unknown, Took::Known(Span::from_secs(4))]);
        assert_eq!((mixed.count, mixed.unknown, mixed.median), (1, 1, Took::Known(Span::from_secs(4))));
    }

    #[test]
    fn a_clock_that_is_ahead_makes_no_time_of_nothing() {
        let (early, late) = (Moment::from_unix_ms(1000), Moment::from_unix_ms(2000));
        assert_eq!(Took::between(Some(late), early), Took::Unknown);
        assert_eq!(Took::between(None, late), Took::Unknown);
        assert_eq!(Took::between(Some(early), late), Took::Known(Span::from_secs(1)));
    }
}
