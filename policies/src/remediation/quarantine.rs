//! Cut pods off from the network for a while: a label, and a NetworkPolicy that isolates what carries it. The pods go on
//! running, for whoever wants to look at them. A quarantine always ends: by itself, or, where pods were taken out of traffic,
//! by a person. It must never put back into production by the clock what somebody had taken out of it on a suspicion.

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
    /// How long, from 1m to 30d. Then it is taken back by paramedic, or a person is called where pods were detached; nothing
    /// ends it where paramedic is gone.
    pub r#for: Span,
    /// Take away the labels by which Services and the workload select the pods: no more traffic is sent to them, and the
    /// workload makes others in their place. Default false: they are only labelled and isolated. Not for the pods of a
    /// StatefulSet, which would wait for the one that is gone.
    pub detach: Option<bool>,
    /// Let detached pods serve again once the time is over. Default false: a person is called then, and they stay isolated
    /// until `paramedic undo` lets them go, or somebody deletes them.
    pub rejoin: Option<bool>,
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
    /// Whether detached pods serve again once the time is over, without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejoin: bool,
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
    /// Restore the labels of those that are still held, of which there may be none, and remove the NetworkPolicy.
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
    /// The label of a quarantine that it has already and that nothing enforces any more; it is overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
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
        let (enforced, rejoin) = (flag(walk, "enforced"), flag(walk, "rejoin"));
        let max = fields.or(walk, "max", PODS, |walk, tree, what| walk.unsigned(tree, what, 1, PODS_MAX));
        fields.close(walk);
        let (lasts, at) = lasts?;
        if !(QUARANTINE_MIN..=QUARANTINE_MAX).contains(&lasts) {
            let message = format!("`for`: {lasts} is no length of a quarantine");
            walk.error(at, message, format!("from {QUARANTINE_MIN} to {QUARANTINE_MAX}"));
            return None;
        }
        let (detach, rejoin) = (detach?, rejoin?);
        if rejoin && !detach {
            let message = "`rejoin` without `detach`".to_owned();
            walk.error(
                at,
                message,
                "pods that are only isolated are let go when the time is over, whatever it says",
            );
            return None;
        }
        Some(Self { lasts, detach, rejoin, dns: dns?, max: max?, enforced: enforced? })
    }

    fn document(&self) -> Value {
        let mut whole = json!(self);
        whole["rejoin"] = json!(self.rejoin);
        whole
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

    /// A detached pod that got its labels back would take traffic again, and its workload would end another one for it,
    /// perhaps the clean one.
    fn ends_by_order_alone(&self) -> Option<&'static str> {
        match self {
            Self::Isolate(all) => {
                let asks = all.wish.detach && !all.wish.rejoin;
                asks.then_some(
                    "its pods would serve again. Look at them, then delete them, or let them go by",
                )
            }
            Self::Release(_) => None,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Isolate(all) => {
                let detached = if all.wish.detach { " and detach" } else { "" };
                write!(f, "quarantine{detached} {} for {}", all.names(), all.wish.lasts)?;
                match self.ends_by_order_alone() {
                    Some(_) => f.write_str(", then ask a person"),
                    None => Ok(()),
                }
            }
            Self::Release(all) if all.pods.is_empty() => {
                f.write_str("end a quarantine that holds nobody any more")
            }
            Self::Release(all) => write!(f, "release {} from quarantine", all.names()),
        }
    }
}
