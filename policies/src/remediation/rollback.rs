//! Take a Deployment or an Argo Rollout back to its last revision that was healthy, as Prometheus remembers it. Never to one that was rolled
//! back itself, and never where nobody knows whether it was healthy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks, abort_rollout};
use crate::comparison::Comparison;
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::promql::Query;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

/// For how long a deploy must have been healthy at the end of its time, unless the policy says otherwise.
const HELD: Span = Span::from_mins(10);

/// Which revision was healthy, and what to do where Helm deployed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackDocument {
    /// What held, without a break, at the end of the time in which a healthy revision was the newest one.
    pub healthy: HealthyDocument,
    /// Only while the present deploy is younger than this: trouble with an old one has another cause. Default: any age.
    pub deployed_within: Option<Span>,
    /// Where Helm deployed the workload: `refuse` (default), or `allow`. A rollback leaves Helm's record and the
    /// ConfigMaps of the release as they were deployed, so let a person approve it.
    pub helm: Option<Helm>,
}

/// A query with a comparison, asked about the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthyDocument {
    /// PromQL; exactly one series. Templates only inside quoted matcher values.
    pub query: String,
    /// What its value must satisfy, such as `< 0.01`.
    pub is: String,
    /// For how long it held. Default 10m.
    pub r#for: Option<Span>,
}

/// What to do with a workload that Helm deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Helm {
    /// Nothing.
    Refuse,
    /// Roll it back, and say what stays as it was deployed.
    Allow,
}

/// Which revision was healthy.
#[derive(Debug, Clone)]
pub struct Written {
    /// What held while it was the newest.
    pub query: Query,
    /// What the query's value satisfied.
    pub is: Comparison,
    /// For how long.
    pub held: Span,
    /// How old the present deploy may be.
    pub deployed_within: Option<Span>,
    /// What to do with a workload that Helm deployed.
    pub helm: Helm,
}

/// Which revision was healthy, the query rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Rendered PromQL.
    pub query: String,
    /// The comparison, such as `< 0.01`.
    pub is: String,
    /// For how long it held at the end of a healthy revision's time.
    pub held: Span,
    /// How old the present deploy may be; any age where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_within: Option<Span>,
    /// What to do with a workload that Helm deployed.
    pub helm: Helm,
}

/// From one revision of the Deployment to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `metadata.generation` it must still have.
    pub generation: i64,
    /// The revision that is left.
    pub from: u64,
    /// The healthy revision.
    pub to: u64,
    /// The ReplicaSet that holds the healthy revision's pod template.
    pub replica_set: String,
    /// That ReplicaSet's uid.
    pub replica_set_uid: String,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "rollback", "RollbackDocument")?;
        let usage = "what a healthy revision showed, such as healthy: {query: 'job:http_5xx:ratio5m{...}', is: \"< 0.01\"}";
        let healthy = fields.need(walk, "healthy", usage).and_then(|tree| {
            let mut fields = Fields::open(walk, tree, "healthy", "HealthyDocument")?;
            let query = fields
                .need(walk, "query", "write the PromQL whose value is compared")
                .and_then(|tree| walk.query(tree, "query"));
            let is = fields
                .need(walk, "is", "say what the value must satisfy, such as \"< 0.01\"")
                .and_then(|tree| walk.comparison(tree, "is"));
            let held = fields.or(walk, "for", HELD, |walk, tree, what| match walk.span(tree, what)? {
                Span::ZERO => {
                    walk.error(tree.at, "`for` cannot be 0s", "such as for: 10m");
                    None
                }
                held => Some(held),
            });
            fields.close(walk);
            Some((query?, is?, held?))
        });
        let deployed_within =
            fields.or(walk, "deployedWithin", None, |walk, tree, what| match walk.span(tree, what)? {
                Span::ZERO => {
                    walk.error(tree.at, "`deployedWithin` cannot be 0s", "such as deployedWithin: 2h");
                    None
                }
                span => Some(Some(span)),
            });
        let words = [("refuse", Helm::Refuse), ("allow", Helm::Allow)];
        let helm = fields.or(walk, "helm", Helm::Refuse, |walk, tree, what| walk.choice(tree, what, &words));
        fields.close(walk);
        let (query, is, held) = healthy?;
        Some(Self { query, is, held, deployed_within: deployed_within?, helm: helm? })
    }

    fn document(&self) -> Value {
        let healthy =
            json!({"query": self.query.template.source, "is": self.is.to_string(), "for": self.held});
        let mut document = json!({"healthy": healthy, "helm": self.helm});
        if let Some(span) = self.deployed_within {
            document["deployedWithin"] = json!(span);
        }
        document
    }

    fn templates(&self) -> Vec<&Template> {
        vec![&self.query.template]
    }

    fn queries(&self) -> Vec<&Query> {
        vec![&self.query]
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        (!["Deployment", "workload", abort_rollout::KIND].contains(&kind))
            .then_some("a Deployment or Rollout.argoproj.io")
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let query = self
            .query
            .render(scope)
            .map_err(|error| Reason::BadValue { what: "healthy".to_owned(), problem: error.to_string() })?;
        let Self { is, held, deployed_within, helm, .. } = self;
        Ok(Wish { query, is: is.to_string(), held: *held, deployed_within: *deployed_within, helm: *helm })
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
        write!(f, "roll back revision {} to {}", self.from, self.to)
    }
}
