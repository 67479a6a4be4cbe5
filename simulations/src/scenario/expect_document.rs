//! How what is expected of a scenario is written: verdicts, actions, refusals, calls, ends, and objects. Each word stands here
//! once; `judge` shows it as it is written.

use std::collections::BTreeMap;

use paramedic_policies::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is expected. What is not said is not looked at.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectDocument {
    /// The verdicts of policies in order, by policy; the same one in a row counts once. An empty list: it says nothing.
    #[serde(default)]
    pub verdicts: BTreeMap<String, Vec<VerdictWord>>,
    /// All that is done, in order; `[]` is nothing at all.
    #[serde(default)]
    pub actions: Option<Vec<ActionDocument>>,
    /// Refusals that must be among those given.
    #[serde(default)]
    pub refusals: Vec<RefusalDocument>,
    /// All calls for a person, in order, each by a part of its text; `[]` is none.
    #[serde(default)]
    pub calls: Option<Vec<String>>,
    /// How policies end, by policy.
    #[serde(default)]
    pub ends: BTreeMap<String, EndWord>,
    /// Objects and their fields, at the end or at a time.
    #[serde(default)]
    pub state: Vec<StateDocument>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerdictWord {
    /// It acts.
    Act,
    /// It waits, and looks again.
    Hold,
    /// It does nothing.
    Withhold,
    /// It asks a person.
    Propose,
}

/// Something that is done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionDocument {
    /// Part of its text, such as `restart` or `scale replicas 3 -> 6`.
    #[serde(rename = "do")]
    pub does: String,
    /// The target, such as `shop/deployment/cart`.
    #[serde(default)]
    pub on: Option<String>,
    /// By which policy.
    #[serde(default)]
    pub policy: Option<String>,
    /// It takes an earlier action back.
    #[serde(default)]
    pub takes_back: bool,
    /// How it ends.
    #[serde(default)]
    pub ends: Option<OutcomeWord>,
    /// What its verification says.
    #[serde(default)]
    pub verified: Option<HelpWord>,
    /// When it is begun.
    #[serde(default)]
    pub at: Option<Span>,
}

/// How an action ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutcomeWord {
    /// It was done.
    Done,
    /// It looked only, and what it saw is kept.
    Collected,
    /// It was refused at the last look.
    Refused,
    /// It failed.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// What a verification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HelpWord {
    /// It helped.
    Helped,
    /// It did not.
    DidNotHelp,
    /// Nobody knows.
    Unknown,
}

/// Names of reasons, as rulings give them; a test keeps them equal.
pub(crate) const REASONS: [&str; 47] = [
    "notLeading",
    "clockStepped",
    "timeStandsStill",
    "storm",
    "paused",
    "pausedByAnnotation",
    "quarantined",
    "otherCluster",
    "protected",
    "unless",
    "tooYoung",
    "offSchedule",
    "alreadyRunning",
    "outranked",
    "tooManyRunning",
    "coolingDown",
    "settling",
    "limitReached",
    "pace",
    "tooManyTargets",
    "tooManyDown",
    "relapsed",
    "endedInDoubt",
    "notConfirmed",
    "conditionFalse",
    "factUnknown",
    "factStale",
    "badValue",
    "targetAbsent",
    "wrongKind",
    "workloadPaused",
    "suspended",
    "jobRunning",
    "rollingOut",
    "noPodWouldMove",
    "ownedByAutoscaler",
    "neverBlocked",
    "wrongLever",
    "managedByGitOps",
    "managedByOther",
    "disruptionBudget",
    "outOfBounds",
    "wouldLower",
    "changed",
    "serverRefused",
    "noKubernetes",
    "notAsApproved",
];

/// Something that is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefusalDocument {
    /// By which policy.
    pub policy: String,
    /// The reason's name, such as `conditionFalse`.
    #[schemars(extend("enum" = REASONS.as_slice()))]
    pub reason: String,
    /// Part of its text.
    #[serde(default)]
    pub says: Option<String>,
}

/// How a policy ends with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndWord {
    /// A step helped.
    Helped,
    /// All was done, and nothing was to be verified.
    Done,
    /// It was rehearsed.
    Rehearsed,
    /// Nothing had to be changed.
    Already,
    /// No rung helped.
    Exhausted,
    /// Nobody knows.
    Unknown,
    /// It failed.
    Failed,
    /// The alert ended first.
    Resolved,
    /// The policy left.
    Withdrawn,
    /// A person denied it.
    Denied,
    /// A guard refused what was ordered by hand.
    Refused,
    /// A person wanted back what was done, or its time was over, before anybody knew whether it helped.
    TakenBack,
    /// The order was cancelled.
    Cancelled,
}

/// An object as it is expected: a `field` or an `annotation` that `is` something, or that it is `there`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateDocument {
    /// When; at the end where nothing is said.
    #[serde(default)]
    pub at: Option<Span>,
    /// As in policies, such as `Deployment` or `Ingress.networking.k8s.io`.
    pub kind: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its name; where it is not said, the only one of its kind in the namespace.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    pub there: Option<bool>,
    /// A field, step by step: `spec.template.spec.containers[0].image`.
    #[serde(default)]
    pub field: Option<String>,
    /// An annotation of it.
    #[serde(default)]
    pub annotation: Option<String>,
    /// The value; `null` where there is none.
    #[serde(default)]
    pub is: Option<Value>,
}

#[cfg(test)]
mod tests {
    use paramedic_policies::reason::Reason;

    use super::*;

    #[test]
    fn every_reason_can_be_expected_and_no_other() {
        let unknown = serde_json::json!({"is": "no reason at all"});
        let said = serde_json::from_value::<Reason>(unknown).expect_err("there is none").to_string();
        let names: Vec<String> = REASONS.iter().map(|name| format!("`{name}`")).collect();
        let listed = said.split_once("expected one of ").expect("they are listed").1;
        let (mut listed, mut names): (Vec<&str>, Vec<&str>) =
            (listed.split(", ").collect(), names.iter().map(String::as_str).collect());
        listed.sort_unstable();
        names.sort_unstable();
        assert_eq!(listed, names);
        let one: Reason = serde_json::from_value(serde_json::json!({"is": "notLeading"})).expect("a reason");
        assert_eq!(one.name(), REASONS[0]);
    }
}
