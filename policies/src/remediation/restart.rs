//! Roll the pods of a workload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks, abort_rollout};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// Nothing to set: `{}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestartDocument {}

/// Nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {}

/// Nothing to set.
pub type Wish = Written;

/// One restart of the object as it was seen; the stamp makes a repeat the same rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `metadata.generation` it must still have.
    pub generation: i64,
}

impl Asks for Written {
    type Wish = Wish;

    const BARE: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        Fields::open(walk, tree, "restart", "RestartDocument")?.close(walk);
        Some(Self {})
    }

    fn document(&self) -> Value {
        json!({})
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let fits =
            ["Deployment", "StatefulSet", "DaemonSet", "workload", abort_rollout::KIND].contains(&kind);
        (!fits).then_some("a Deployment, StatefulSet, DaemonSet or Rollout.argoproj.io")
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
        f.write_str("restart")
    }
}
