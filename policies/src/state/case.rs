//! A case: how far one policy has come with one episode. Only [`apply`](crate::apply) changes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::action::{Action, Intent};
use crate::answer::Found;
use crate::book::Digest;
use crate::event::{Conclusion, Seq};
use crate::question::Fact;
use crate::reason::Reason;
use crate::ruling::Ruling;
use crate::target::Target;
use crate::time::Moment;

/// One policy's handling of one episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseId {
    /// The episode.
    pub episode: Seq,
    /// The policy's name.
    pub policy: String,
}

impl CaseId {
    /// The case that an intent belongs to.
    pub fn of(intent: &Intent) -> Self {
        Self { episode: intent.episode, policy: intent.policy.clone() }
    }
}

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "episode {} under {}", self.episode, self.policy)
    }
}

/// How far one policy has come with one episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Which.
    pub id: CaseId,
    /// Digest of the book under which it runs.
    pub book: Digest,
    /// The policy's priority, for precedence and the order of work.
    pub priority: i32,
    /// Rung of the ladder, from 0.
    pub rung: usize,
    /// Step within the rung, from 0.
    pub step: usize,
    /// Attempts at this step that failed without an effect.
    pub attempts: u32,
    /// Failed rounds of facts in a row, for growing pauses between them.
    pub fact_failures: u32,
    /// Whether an intent of it was recorded that was no rehearsal.
    pub acted: bool,
    /// Whether anything of the rung at hand was done, or may have been: what is left of it needs no alert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rung_begun: bool,
    /// The last intent that did so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_by: Option<Seq>,
    /// The target, once known.
    pub target: Option<Target>,
    /// On what the first action of its ladder was: what a relapse is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted_on: Option<Target>,
    /// What it is known by as well: where later rungs began, and where the trouble was back that made it climb.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also_on: BTreeSet<Target>,
    /// Whether it has looked at something in earnest or in rehearsal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looked: bool,
    /// What `let:` found for the last intent: its verification asks by these.
    pub lets: BTreeMap<String, String>,
    /// Answers of this round, or of this look of a verification; empty between rounds.
    #[serde(with = "super::pairs")]
    pub facts: BTreeMap<Fact, Known>,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended, while it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Conclusion>,
    /// What the last ruling said, so that the same is not recorded again.
    pub last_ruling: Option<LastRuling>,
    /// Since when it has been kept from acting, where that is news to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// What keeps a case from acting without a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Since when.
    pub since: Moment,
    /// When a person is called; nothing once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Moment>,
    /// The reasons of the last ruling, with their numbers.
    pub says: Vec<String>,
}

impl Case {
    /// Whether it waits for the next step of a sequence that has begun, which it goes on with by itself. One that was
    /// refused for good, which people were told, does not.
    pub(crate) fn is_between_steps(&self) -> bool {
        match self.phase {
            Phase::Waiting { .. }
            | Phase::Asking { .. }
            | Phase::Proposed { .. }
            | Phase::Approved { .. } => self.rung_begun,
            Phase::Acting { .. } | Phase::Verifying { .. } | Phase::Withheld | Phase::Resting => false,
        }
    }

    /// Whether it is about to be decided for the first time, or a person has approved it: it then comes before cases
    /// of less precedence on its target.
    pub(crate) fn may_come_first(&self) -> bool {
        match self.phase {
            Phase::Approved { .. } => true,
            Phase::Waiting { .. } | Phase::Asking { .. } => self.last_ruling.is_none(),
            Phase::Proposed { .. }
            | Phase::Acting { .. }
            | Phase::Verifying { .. }
            | Phase::Withheld
            | Phase::Resting => false,
        }
    }
}

/// The last ruling of a case, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRuling {
    /// Its record.
    pub seq: Seq,
    /// Its verdict's name.
    pub verdict: String,
    /// Names of the reasons it gave, sorted.
    pub reasons: Vec<String>,
}

impl LastRuling {
    /// A ruling in short.
    pub fn of(seq: Seq, ruling: &Ruling) -> Self {
        let reasons: BTreeSet<&str> =
            ruling.findings.iter().filter_map(|finding| finding.reason()).map(Reason::name).collect();
        Self {
            seq,
            verdict: ruling.verdict.name().to_owned(),
            reasons: reasons.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// An answer with its age's beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// When the fact was true.
    pub taken_at: Moment,
    /// The fact.
    pub found: Found,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Phase {
    /// To be looked at when due.
    Waiting {
        /// When.
        due: Moment,
    },
    /// Questions are out.
    Asking {
        /// Which are unanswered.
        open: BTreeSet<Seq>,
        /// When those that are have failed.
        due: Moment,
    },
    /// A person is asked.
    Proposed {
        /// The ruling that proposed.
        proposal: Seq,
        /// What is proposed.
        action: Action,
        /// When it lapses.
        due: Moment,
    },
    /// A person has approved; it is decided again.
    Approved {
        /// What was approved.
        action: Action,
        /// Who approved.
        by: String,
        /// The questions that are out.
        open: BTreeSet<Seq>,
        /// When to look at it.
        due: Moment,
    },
    /// An effect is under way.
    Acting {
        /// Its intent.
        intent: Seq,
    },
    /// It is being watched whether it helped.
    Verifying {
        /// The intent.
        intent: Seq,
        /// When the effect ended.
        since: Moment,
        /// Since when the check has held without a break.
        held_since: Option<Moment>,
        /// What the last look showed.
        last: Option<bool>,
        /// The question that is out.
        open: Option<Seq>,
        /// When to look next, or when the question has failed.
        due: Moment,
    },
    /// A guard refuses; looked at again when the alert is repeated, a book adopted or something resumed.
    Withheld,
    /// It has ended.
    Resting,
}

impl Phase {
    /// Whether an action of the case runs or is being verified.
    pub fn is_under_way(&self) -> bool {
        match self {
            Self::Acting { .. } | Self::Verifying { .. } => true,
            Self::Waiting { .. }
            | Self::Asking { .. }
            | Self::Proposed { .. }
            | Self::Approved { .. }
            | Self::Withheld
            | Self::Resting => false,
        }
    }

    /// When it wants to be looked at.
    pub fn due(&self) -> Option<Moment> {
        match self {
            Self::Waiting { due }
            | Self::Asking { due, .. }
            | Self::Proposed { due, .. }
            | Self::Approved { due, .. }
            | Self::Verifying { due, .. } => Some(*due),
            Self::Acting { .. } | Self::Withheld | Self::Resting => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::tests::{at, case};

    fn approved() -> Phase {
        let action = serde_json::from_value(json!({"restart": {"generation": 1}})).expect("plain data");
        Phase::Approved { action, by: "ann".to_owned(), open: BTreeSet::new(), due: at("09:00:00") }
    }

    /// Every phase, each due at nine where it is due at all.
    fn phases() -> [(&'static str, Phase); 8] {
        let due = at("09:00:00");
        let Phase::Approved { action, .. } = approved() else { panic!("it is one") };
        [
            ("waiting", Phase::Waiting { due }),
            ("asking", Phase::Asking { open: BTreeSet::new(), due }),
            ("proposed", Phase::Proposed { proposal: Seq(3), action, due }),
            ("approved", approved()),
            ("acting", Phase::Acting { intent: Seq(4) }),
            (
                "verifying",
                Phase::Verifying {
                    intent: Seq(4),
                    since: due,
                    held_since: None,
                    last: None,
                    open: None,
                    due,
                },
            ),
            ("withheld", Phase::Withheld),
            ("resting", Phase::Resting),
        ]
    }

    fn named(is: impl Fn(Case) -> bool) -> Vec<&'static str> {
        let phases = phases().into_iter();
        let met = phases.filter(|(_, phase)| is(Case { phase: phase.clone(), ..case(1, "restart-web") }));
        met.map(|(name, _)| name).collect()
    }

    #[test]
    fn only_a_case_that_has_begun_and_still_wants_to_go_on_is_between_steps() {
        assert_eq!(named(|case| case.is_between_steps()), [""; 0]);
        let begun = named(|case| Case { rung_begun: true, ..case }.is_between_steps());
        assert_eq!(begun, ["waiting", "asking", "proposed", "approved"]);
    }

    #[test]
    fn a_case_comes_first_before_its_first_ruling_and_once_it_is_approved() {
        assert_eq!(named(|case| case.may_come_first()), ["waiting", "asking", "approved"]);
        let ruling = LastRuling { seq: Seq(2), verdict: "withhold".to_owned(), reasons: Vec::new() };
        let ruled = named(|case| Case { last_ruling: Some(ruling.clone()), ..case }.may_come_first());
        assert_eq!(ruled, ["approved"]);
    }

    #[test]
    fn an_action_is_under_way_until_it_is_verified() {
        assert_eq!(named(|case| case.phase.is_under_way()), ["acting", "verifying"]);
    }

    #[test]
    fn a_case_that_waits_for_a_moment_is_due_then() {
        let due = named(|case| case.phase.due() == Some(at("09:00:00")));
        assert_eq!(due, ["waiting", "asking", "proposed", "approved", "verifying"]);
        assert_eq!(named(|case| case.phase.due().is_none()), ["acting", "withheld", "resting"]);
    }

    #[test]
    fn a_case_is_named_by_its_episode_and_its_policy() {
        assert_eq!(case(7, "restart-web").id.to_string(), "episode 7 under restart-web");
    }
}
