//! Keep what will be gone once something was done: pods, events, ends of logs, revisions, values. It changes nothing,
//! so it needs nobody's approval and counts against nothing but its own kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::evidence::{BYTES_DEFAULT, BYTES_MAX};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::promql::Query;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

/// What is kept of the target before anything is touched. Everything has a default: written `collectEvidence: {}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CollectEvidenceDocument {
    /// Further PromQL whose values are kept, with templates inside quoted matcher values. The queries of the policy's
    /// `when` and of the rung's `verify` are kept anyway.
    pub queries: Option<Vec<String>>,
    /// How far back the values go. Default 30m.
    pub over: Option<Span>,
    /// How many lines of each container's log are read, of its present run and the one before. Default 100.
    pub log_lines: Option<u32>,
    /// How much is kept in all, in KiB. Default 64.
    pub max_kib: Option<u32>,
    /// Whether a part that cannot be had ends the step as failed. By default it is said, and what follows goes on.
    pub required: Option<bool>,
}

/// What is kept.
#[derive(Debug, Clone)]
pub struct Written {
    /// Further queries.
    pub queries: Vec<Query>,
    /// How far back values go.
    pub over: Span,
    /// Lines of a log.
    pub log_lines: u32,
    /// In all, in KiB.
    pub max_kib: u32,
    /// Whether a part that cannot be had ends the step as failed.
    pub required: bool,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Rendered PromQL.
    pub queries: Vec<String>,
    /// How far back values go.
    pub over: Span,
    /// Lines of a log.
    pub log_lines: u32,
    /// In all, in KiB.
    pub max_kib: u32,
    /// Whether a part that cannot be had ends the step as failed.
    pub required: bool,
}

/// Look once, and keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// What is kept.
    #[serde(flatten)]
    pub wish: Wish,
}

/// Queries whose values are kept.
pub const QUERIES_MAX: usize = 16;

/// Lines of a log.
pub const LOG_LINES_MAX: u32 = 1000;

/// The kinds of targets that it knows.
pub const KINDS: [&str; 10] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Pod",
    "Service",
    "ConfigMap",
    "CronJob",
    "CronJob.batch",
    "Ingress.networking.k8s.io",
    "Rollout.argoproj.io",
];

const OVER: Span = Span::from_mins(30);
const OVER_MAX: Span = Span::from_hours(24);
const LOG_LINES: u32 = 100;
const KIB: usize = 1024;

/// As KiB.
const fn kib(bytes: usize) -> u32 {
    (bytes / KIB) as u32
}

impl Wish {
    /// With further queries, each once.
    pub(crate) fn and(mut self, queries: impl IntoIterator<Item = String>) -> Self {
        for query in queries {
            if self.queries.len() < QUERIES_MAX && !self.queries.contains(&query) {
                self.queries.push(query);
            }
        }
        self
    }

    /// How much is kept in all.
    pub fn bytes_max(&self) -> usize {
        (self.max_kib as usize).saturating_mul(KIB)
    }
}

impl Asks for Written {
    type Wish = Wish;

    const PROVES_ITSELF: bool = true;

    const LOOKS_ONLY: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "collectEvidence", "CollectEvidenceDocument")?;
        let queries = fields.or(walk, "queries", Vec::new(), |walk, tree, what| {
            let queries = walk.each(tree, what, Walk::query)?;
            if queries.len() > QUERIES_MAX {
                walk.error(
                    tree.at,
                    format!("`queries` has {} items", queries.len()),
                    format!("at most {QUERIES_MAX}"),
                );
                return None;
            }
            Some(queries)
        });
        let over = fields.or(walk, "over", OVER, |walk, tree, what| {
            let over = walk.span(tree, what)?;
            if over < Span::from_mins(1) || over > OVER_MAX {
                walk.error(tree.at, format!("`{what}` cannot be {over}"), "from 1m to 24h");
                return None;
            }
            Some(over)
        });
        let log_lines = fields
            .or(walk, "logLines", LOG_LINES, |walk, tree, what| walk.unsigned(tree, what, 0, LOG_LINES_MAX));
        let max_kib = fields.or(walk, "maxKib", kib(BYTES_DEFAULT), |walk, tree, what| {
            walk.unsigned(tree, what, 4, kib(BYTES_MAX))
        });
        let required = fields.or(walk, "required", false, Walk::flag);
        fields.close(walk);
        Some(Self {
            queries: queries?,
            over: over?,
            log_lines: log_lines?,
            max_kib: max_kib?,
            required: required?,
        })
    }

    fn document(&self) -> Value {
        let Self { queries, over, log_lines, max_kib, required } = self;
        let mut body = json!({"over": over, "logLines": log_lines, "maxKib": max_kib, "required": required});
        if !queries.is_empty() {
            body["queries"] = queries.iter().map(|query| json!(query.template.source)).collect();
        }
        body
    }

    fn templates(&self) -> Vec<&Template> {
        self.queries.iter().map(|query| &query.template).collect()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let fits = kind == "workload" || KINDS.contains(&kind);
        (!fits).then_some(
            "a workload, Pod, Service, ConfigMap, CronJob.batch, Ingress.networking.k8s.io or Rollout.argoproj.io",
        )
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let bad = |problem: String| Reason::BadValue { what: "query".to_owned(), problem };
        let render = |query: &Query| query.render(scope).map_err(|error| bad(error.to_string()));
        Ok(Wish {
            queries: self.queries.iter().map(render).collect::<Result<_, _>>()?,
            over: self.over,
            log_lines: self.log_lines,
            max_kib: self.max_kib,
            required: self.required,
        })
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        None
    }

    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("collecting evidence changes nothing")
    }

    fn takes(&self) -> Option<Span> {
        Some(Span::from_mins(1))
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("collect evidence")
    }
}
