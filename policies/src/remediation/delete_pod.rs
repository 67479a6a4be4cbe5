//! Delete one pod, whatever its PodDisruptionBudgets say: the stronger form of an eviction, for a pod that must go now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evict_pod::{LocalStorage, POD, local_storage};
use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// What becomes of data that lives and dies with the pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletePodDocument {
    /// Where the pod keeps data in an `emptyDir`, which goes with it: `refuse` (default), or `allow`.
    pub local_storage: Option<LocalStorage>,
}

/// What becomes of local data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// What to do where the pod has local storage.
    pub local_storage: LocalStorage,
}

/// There is nothing to render.
pub type Wish = Written;

/// The end of one pod, the target's uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// What makes another in its place, such as `ReplicaSet web-5d8f`.
    pub controller: String,
    /// What to do where the pod has local storage.
    pub local_storage: LocalStorage,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "deletePod", "DeletePodDocument")?;
        let local_storage = local_storage(walk, &mut fields);
        fields.close(walk);
        Some(Self { local_storage: local_storage? })
    }

    fn document(&self) -> Value {
        json!(self)
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        (kind != POD).then_some("a Pod")
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, _: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(self.clone())
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        None
    }

    fn after(&self, _: &Self) -> Option<Self> {
        None
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "delete a pod of {}", self.controller)
    }
}
