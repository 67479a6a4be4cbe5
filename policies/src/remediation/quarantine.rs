//! Cut pods off from the network for a while: a label, and a NetworkPolicy that isolates what carries it. The pods go on
//! running, for whoever wants to look at them. A quarantine always ends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

/// No quarantine is longer: after that, somebody has looked or nobody will.
pub const QUARANTINE_MAX: Span = Span::from_hours(24 * 30);

/// A shorter one is over before anybody has looked.
const QUARANTINE_MIN: Span = Span::from_mins(1);

/// Nobody cuts more pods off at once; a wider lockdown is the work of a person.
const PODS_MAX: u32 = 50;

/// So many, where the policy says nothing.
const PODS: u32 = 5;

/// The kinds of targets.
pub const KINDS: [&str; 4] = ["Pod", "Deployment", "StatefulSet", "DaemonSet"];

/// Label the pods and isolate them by a NetworkPolicy of our own, in both directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineDocument {
    /// How long, from 1m to 30d. Then it is taken back by paramedic; nothing ends it where paramedic is gone.
    pub r#for: Span,
    /// Take away the labels by which Services and the workload select the pods: no more traffic is sent to them, and the
    /// workload makes others in their place. Default false: they are only labelled and isolated.
    pub detach: Option<bool>,
    /// Let the pods ask DNS. Default false.
    pub dns: Option<bool>,
    /// No more pods than this, from 1 to 50. Default 5.
    pub max: Option<u32>,
    /// Somebody has seen this cluster's network enforce NetworkPolicies, where it is not one that is known to. Default false.
    pub enforced: Option<bool>,
}

/// What to cut off, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// Whether the labels that select the pods are taken away.
    pub detach: bool,
    /// Whether the pods may ask DNS.
    pub dns: bool,
    /// How many pods at most.
    pub max: u32,
    /// Whether somebody has seen NetworkPolicies enforced.
    pub enforced: bool,
}

/// What to cut off, and for how long; there is nothing to render.
pub type Wish = Written;

/// A quarantine, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Cut them off.
    Isolate(Quarantine),
    /// Restore the labels of those that are still there, and remove the NetworkPolicy.
    Release(Quarantine),
}

/// All that a quarantine is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// What was asked for.
    #[serde(flatten)]
    pub wish: Wish,
    /// The pods, by name.
    pub pods: Vec<Held>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The labels that are taken away, and put back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detached: BTreeMap<String, String>,
}

impl Quarantine {
    /// The names of its pods, as people read them.
    pub fn names(&self) -> String {
        self.pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "quarantine", "QuarantineDocument")?;
        let lasts = fields
            .need(walk, "for", "how long, such as for: 24h")
            .and_then(|tree| walk.span(tree, "for").map(|span| (span, tree.at)));
        let mut flag =
            |walk: &mut Walk, key| fields.or(walk, key, false, |walk, tree, what| walk.flag(tree, what));
        let (detach, dns) = (flag(walk, "detach"), flag(walk, "dns"));
        let enforced = flag(walk, "enforced");
        let max = fields.or(walk, "max", PODS, |walk, tree, what| walk.unsigned(tree, what, 1, PODS_MAX));
        fields.close(walk);
        let (lasts, at) = lasts?;
        if !(QUARANTINE_MIN..=QUARANTINE_MAX).contains(&lasts) {
            let message = format!("`for`: {lasts} is no length of a quarantine");
            walk.error(at, message, format!("from {QUARANTINE_MIN} to {QUARANTINE_MAX}"));
            return None;
        }
        Some(Self { lasts, detach: detach?, dns: dns?, max: max?, enforced: enforced? })
    }

    fn document(&self) -> Value {
        json!(self)
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let fits = kind == "workload" || KINDS.contains(&kind);
        (!fits).then_some("a Pod, Deployment, StatefulSet or DaemonSet")
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn lasts(&self) -> Option<Span> {
        Some(self.lasts)
    }

    fn wish(&self, _: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(self.clone())
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        match self {
            Self::Isolate(quarantine) => Some(Self::Release(quarantine.clone())),
            Self::Release(_) => None,
        }
    }

    /// Every quarantine has a policy of its own: each is taken back by itself.
    fn after(&self, _: &Self) -> Option<Self> {
        None
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Isolate(all) => {
                let detached = if all.wish.detach { " and detach" } else { "" };
                write!(f, "quarantine{detached} {} for {}", all.names(), all.wish.lasts)
            }
            Self::Release(all) => write!(f, "release {} from quarantine", all.names()),
        }
    }
}
