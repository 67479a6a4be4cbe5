//! Take a node out of service: cordon it, then evict its pods one by one as their PodDisruptionBudgets allow. What is
//! taken back is the cordon; the pods are elsewhere by then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evict_pod::{LocalStorage, local_storage};
use super::{Acts, Asks};
use crate::counted::counted;
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

/// The kind of the target.
pub const NODE: &str = "Node";

/// How long a drain may take, where the policy says nothing.
const WITHIN: Span = Span::from_mins(10);

/// A shorter one does not let one pod end properly.
const WITHIN_MIN: Span = Span::from_mins(1);

/// A longer one is the work of a person.
const WITHIN_MAX: Span = Span::from_hours(2);

/// More nodes out of service than this are no drain but an outage.
const NODES_MAX: u32 = 10;

/// Cordon the node and evict its pods. DaemonSet pods stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrainNodeDocument {
    /// How many nodes of the cluster may be cordoned or not ready, this one included, whoever did that; from 1 to 10.
    /// Default 1. Two are never drained at once.
    pub max_nodes: Option<u32>,
    /// Where a pod keeps data in an `emptyDir`, which goes with it: `refuse` (default), or `allow`.
    pub local_storage: Option<LocalStorage>,
    /// How long it may take, from 1m to 2h. Default 10m. What is not evicted by then stays, and the node stays cordoned.
    pub within: Option<Span>,
}

/// How far a drain may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// How many nodes may be out of service, this one included.
    pub max_nodes: u32,
    /// What to do where a pod has local storage.
    pub local_storage: LocalStorage,
    /// How long it may take.
    pub within: Span,
}

/// There is nothing to render.
pub type Wish = Written;

/// A drain, or the end of its cordon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Cordon the node, evict these pods.
    Drain(Drain),
    /// Let pods be scheduled there again, if the cordon is still ours.
    Uncordon(Drain),
}

/// A drain as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// What was asked for.
    #[serde(flatten)]
    pub wish: Wish,
    /// The pods to evict, by namespace and name.
    pub pods: Vec<Leaving>,
    /// Their namespaces, sorted.
    pub namespaces: Vec<String>,
}

/// One pod that is to leave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaving {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "drainNode", "DrainNodeDocument")?;
        let max_nodes =
            fields.or(walk, "maxNodes", 1, |walk, tree, what| walk.unsigned(tree, what, 1, NODES_MAX));
        let local_storage = local_storage(walk, &mut fields);
        let within = fields.or(walk, "within", WITHIN, |walk, tree, what| {
            let within = walk.span(tree, what)?;
            if !(WITHIN_MIN..=WITHIN_MAX).contains(&within) {
                let message = format!("`within`: {within} is no time for a drain");
                walk.error(tree.at, message, format!("from {WITHIN_MIN} to {WITHIN_MAX}"));
                return None;
            }
            Some(within)
        });
        fields.close(walk);
        Some(Self { max_nodes: max_nodes?, local_storage: local_storage?, within: within? })
    }

    fn document(&self) -> Value {
        json!(self)
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        (kind != NODE).then_some("a node, such as target: {from: {node: \"{{ labels.node }}\"}}")
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn wish(&self, _: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(self.clone())
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        match self {
            Self::Drain(drain) => Some(Self::Uncordon(drain.clone())),
            Self::Uncordon(_) => None,
        }
    }

    /// A later drain has its own cordon.
    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        match self {
            Self::Drain(_) => None,
            Self::Uncordon(_) => Some("an uncordon takes no replica away"),
        }
    }

    /// Those whose pods it touches; an uncordon touches none.
    fn namespaces(&self) -> &[String] {
        match self {
            Self::Drain(drain) => &drain.namespaces,
            Self::Uncordon(_) => &[],
        }
    }

    fn takes(&self) -> Option<Span> {
        match self {
            Self::Drain(drain) => Some(drain.wish.within),
            Self::Uncordon(_) => None,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Drain(drain) => {
                let pods = counted(drain.pods.len(), "pod");
                write!(f, "cordon it and evict {pods}")?;
                if !drain.namespaces.is_empty() {
                    write!(f, " of {}", drain.namespaces.join(", "))?;
                }
                Ok(())
            }
            Self::Uncordon(_) => f.write_str("uncordon it"),
        }
    }
}
