//! Stop the rollout of an Argo Rollout that is in progress: traffic and replicas go back to the stable version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// The kind of an Argo Rollout, as targets name it.
pub const KIND: &str = "Rollout.argoproj.io";

/// Nothing to set: `{}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortRolloutDocument {}

/// Nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {}

/// Nothing to set.
pub type Wish = Written;

/// The end of one rollout as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The pod template hash that is rolled out.
    pub from: String,
    /// The pod template hash of the stable version.
    pub to: String,
}

impl Asks for Written {
    type Wish = Wish;

    const BARE: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        Fields::open(walk, tree, "abortRollout", "AbortRolloutDocument")?.close(walk);
        Some(Self {})
    }

    fn document(&self) -> Value {
        json!({})
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        (![KIND, "workload"].contains(&kind)).then_some("a Rollout.argoproj.io")
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
        write!(f, "abort the rollout of {}, back to {}", self.from, self.to)
    }
}
