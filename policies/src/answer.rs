//! What the world answers. Empty, NaN, stale and failed are four results, and none of them is "true".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Diff};
use crate::alert::Labels;
use crate::event::Seq;
use crate::reason::Reason;
use crate::target::Target;
use crate::time::Moment;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Which question.
    pub question: Seq,
    /// When the fact was true.
    pub taken_at: Moment,
    /// The fact.
    pub found: Found,
}

/// A float that survives JSON: Prometheus' own text form (`NaN`, `+Inf`, `-Inf`, or a number).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // Rust writes `NaN` as Prometheus does.
            value => write!(f, "{value}"),
        }
    }
}

/// One series of an instant vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: Number,
}

/// How many series of an answer are kept; more than this is a failed answer, since no condition needs them.
pub const SERIES_MAX: usize = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Found {
    /// The series of a query; none is a result of its own.
    Series(Vec<Sample>),
    /// The object meant.
    Target(Target),
    /// What a remediation would do.
    Preflight(Box<Preflight>),
    /// How far a rollout is.
    Rollout {
        /// Whether every wanted replica is updated and available.
        complete: bool,
        /// Such as `3 of 4 updated`.
        detail: String,
    },
    /// A URL's answer.
    Http {
        /// Status code.
        status: u16,
    },
    /// There is no such object.
    Absent {
        /// What was looked for, and what was found instead.
        what: String,
    },
    /// The question could not be answered.
    Failed {
        /// What was tried, and what came back.
        what: String,
    },
}

/// A remediation's own look at its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// The target's uid; empty where the target has none (HTTP only).
    pub uid: String,
    /// What would be done; `None` when it is refused or the desired state already holds.
    pub action: Option<Action>,
    /// Whether the desired state already holds.
    pub already: bool,
    /// What stands against it. Every check speaks.
    pub refusals: Vec<Reason>,
    /// What was checked and does not stand against it, in words.
    #[serde(default)]
    pub passed: Vec<String>,
    /// The target's labels, for protection.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The labels of what else would be touched, for protection.
    #[serde(default, skip_serializing_if = "Beside::is_empty")]
    pub beside: Beside,
    /// Replicas of the target's namespace: wanted and not available, for the blast radius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Surroundings>,
    /// The difference, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
}

/// So many labels of what would be touched are kept: far more than a node full of pods has. Each pod may carry as many as
/// somebody likes, and all that is kept is recorded at each look.
pub(crate) const BESIDE_MAX: usize = 4096;

/// Stands for any name and any value where more labels were seen than are kept: no label is written so.
const ANY: &str = "*";

/// The labels of objects that would be touched beside the target (pods that would leave a node, the workload of a pod): by
/// name and value, each with one object that has it. Beyond a bound only one object more is known, which may have any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beside(BTreeMap<String, BTreeMap<String, String>>);

impl Beside {
    /// Adds the labels of an object, named as people know it.
    pub fn add(&mut self, object: &str, labels: &BTreeMap<String, String>) {
        let mut kept: usize = self.0.values().map(BTreeMap::len).sum();
        for (name, value) in labels {
            if self.0.get(name).is_some_and(|objects| objects.contains_key(value)) {
                continue;
            }
            let (name, value) = if kept < BESIDE_MAX { (name.as_str(), value.as_str()) } else { (ANY, ANY) };
            let objects = self.0.entry(name.to_owned()).or_default();
            objects.entry(value.to_owned()).or_insert_with(|| object.to_owned());
            kept += 1;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An object with a label of this name, and of this value where one is given.
    pub fn with(&self, name: &str, value: Option<&str>) -> Option<&str> {
        let objects = self.0.get(name)?;
        let object = match value {
            None => objects.values().next(),
            Some(value) => objects.get(value),
        };
        object.map(String::as_str)
    }

    /// Where more labels were seen than are kept: an object that may have any. What protects is never overlooked.
    pub fn in_doubt(&self) -> Option<&str> {
        Some(self.0.get(ANY)?.get(ANY)?.as_str())
    }
}

/// Replicas over all workloads of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Surroundings {
    /// Wanted.
    pub desired: u32,
    /// Wanted and not available now.
    pub unavailable: u32,
    /// What this action may make unavailable on top.
    pub added: u32,
    /// Workloads in the cluster, for the storm's share.
    pub workloads: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str, value: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), value.to_owned())].into()
    }

    /// A protecting label that comes after too many others must not be overlooked.
    #[test]
    fn beyond_the_bound_an_object_may_have_any_label() {
        let mut beside = Beside::default();
        for pod in 0..BESIDE_MAX {
            beside.add(&format!("pod prod/web-{pod}"), &labels("pod-name", &format!("web-{pod}")));
            beside.add("pod prod/web-0", &labels("pod-name", "web-0"));
        }
        assert_eq!(beside.with("tier", Some("gold")).or(beside.in_doubt()), None, "all of them are known");
        for pod in 0..3 {
            beside.add(&format!("pod prod/db-{pod}"), &labels("tier", "gold"));
        }
        assert_eq!(
            (beside.with("tier", Some("gold")), beside.with("app", None)),
            (None, None),
            "nobody knows"
        );
        assert_eq!(beside.in_doubt(), Some("pod prod/db-0"));
        assert_eq!(beside.with("pod-name", Some("web-7")), Some("pod prod/web-7"));
        assert_eq!(beside.0.values().map(BTreeMap::len).sum::<usize>(), BESIDE_MAX + 1);
    }
}
