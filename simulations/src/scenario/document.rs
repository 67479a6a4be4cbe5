//! How a scenario is written, for serde and for the JSON Schema. What stands here is shown by editors. Nothing is decided
//! here; what these types cannot say is checked in `read`. The cluster, the answers of Prometheus and the expectations have
//! files of their own beside this one.

use std::collections::BTreeMap;

use paramedic_policies::settings::Settings;
use paramedic_policies::time::{Moment, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::amounts::{COPIES_MAX, REPLICAS_MAX, ROUNDS_MAX};
use super::expect_document::ExpectDocument;
use super::fact_document::FactDocument;
use super::world_document::WorldDocument;

/// A scenario: a cluster, what happens in it, and what paramedic is expected to do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub struct ScenarioDocument {
    /// `paramedic.dev/v1alpha1`.
    pub api_version: String,
    /// `Scenario`.
    pub kind: String,
    /// Its name.
    pub metadata: Metadata,
    /// What happens, and what is expected.
    pub spec: Spec,
}

/// What a scenario is called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScenarioMetadata")]
pub struct Metadata {
    /// A claim, such as `a-stale-fact-withholds`; unique in its file.
    pub name: String,
}

/// What happens, and what is expected. Times are counted from the beginning, such as `90s` or `1h 30m`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScenarioSpec")]
pub struct Spec {
    /// What it shows, for people.
    #[serde(default)]
    pub description: String,
    /// When it begins; a Monday morning where nothing is said.
    #[serde(default)]
    pub begins: Option<Moment>,
    /// How long it goes on; an hour where nothing is said.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// Settings as the daemon's configuration has them, over those of `--config`. Without a `mode` policies may enforce.
    #[serde(default)]
    pub settings: Option<Settings>,
    /// The cluster as it is at the beginning.
    #[serde(default)]
    pub world: WorldDocument,
    /// Alerts that fire.
    #[serde(default)]
    pub alerts: Vec<AlertDocument>,
    /// What Prometheus answers.
    #[serde(default)]
    pub facts: Vec<FactDocument>,
    /// What operators order.
    #[serde(default)]
    pub orders: Vec<OrderDocument>,
    /// What other people change in the cluster.
    #[serde(default)]
    pub changes: Vec<ChangeDocument>,
    /// What breaks.
    #[serde(default)]
    pub faults: Vec<FaultDocument>,
    /// What is expected.
    pub expect: ExpectDocument,
}

/// An alert, in Prometheus and by webhook.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlertDocument {
    /// Its labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// When it begins to fire.
    #[serde(default)]
    pub from: Span,
    /// When it ends; never, where nothing is said.
    #[serde(default)]
    pub until: Option<Span>,
    /// The webhook comes, and Prometheus shows no such alert.
    #[serde(default)]
    pub forged: bool,
    /// So many alerts, which differ in the label `instance`.
    #[serde(default)]
    #[schemars(range(min = 1, max = COPIES_MAX))]
    pub copies: Option<u32>,
    /// How often Alertmanager sends it again.
    #[serde(default)]
    pub repeated_every: Option<Span>,
    /// It ends and begins anew, so often in all, so long after each beginning; needs `until`.
    #[serde(default)]
    pub recurs: Option<RecursDocument>,
}

/// An alert that comes back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Recurs")]
pub struct RecursDocument {
    /// From one beginning to the next.
    pub every: Span,
    /// How often it fires in all.
    #[schemars(range(min = 1, max = ROUNDS_MAX))]
    pub times: u32,
}

/// An operator's order: one of `run`, `undo`, `approve`, `deny`, `pause`, `resume`, `acknowledge`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderDocument {
    /// When.
    pub at: Span,
    /// By whom.
    #[serde(default = "somebody")]
    pub by: String,
    /// A policy is started by hand.
    #[serde(default)]
    pub run: Option<RunDocument>,
    /// The newest action of this policy is taken back.
    #[serde(default)]
    #[schemars(extend("examples" = ["the name of a policy"]))]
    pub undo: Option<String>,
    /// The open proposal of this policy is approved.
    #[serde(default)]
    #[schemars(extend("examples" = ["the name of a policy"]))]
    pub approve: Option<String>,
    /// The open proposal of this policy is denied.
    #[serde(default)]
    #[schemars(extend("examples" = ["the name of a policy"]))]
    pub deny: Option<String>,
    /// Somebody has the newest call for a person.
    #[serde(default)]
    pub acknowledge: bool,
    /// Nothing is done here any more.
    #[serde(default)]
    pub pause: Option<ScopeDocument>,
    /// It may be done again.
    #[serde(default)]
    pub resume: Option<ScopeDocument>,
    /// For how long it is paused; until it is resumed, where nothing is said.
    #[serde(default, rename = "for")]
    pub lasts: Option<Span>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Part of the answer, where the order is expected to be refused.
    #[serde(default)]
    pub refused: Option<String>,
}

fn somebody() -> String {
    "ana".to_owned()
}

/// A policy that is started by hand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RunByHand")]
pub struct RunDocument {
    /// Which.
    pub policy: String,
    /// What its templates take.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Only what would be done is shown.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is paused: one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeDocument {
    /// Everything.
    #[serde(default)]
    pub everything: bool,
    /// A namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// A policy.
    #[serde(default)]
    pub policy: Option<String>,
    /// One object.
    #[serde(default)]
    pub target: Option<Named>,
}

/// An object by name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ObjectName")]
pub struct Named {
    /// As in policies, such as `Deployment` or `Ingress.networking.k8s.io`.
    pub kind: String,
    /// Its namespace; empty where it has none.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What somebody else does in the cluster: one of these.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeDocument {
    /// When.
    pub at: Span,
    /// By whom.
    #[serde(default = "somebody")]
    pub by: String,
    /// A new image for this workload.
    #[serde(default)]
    pub deploy: Option<Named>,
    /// Which image; the next one where nothing is said.
    #[serde(default)]
    pub image: Option<String>,
    /// Its pods never become ready.
    #[serde(default)]
    pub broken: bool,
    /// Another number of replicas for this workload.
    #[serde(default)]
    pub scale: Option<Named>,
    /// To how many.
    #[serde(default)]
    #[schemars(range(max = REPLICAS_MAX))]
    pub to: Option<u32>,
    /// An object is made, or fields of one that is there are set (JSON merge patch).
    #[serde(default)]
    pub put: Option<Value>,
    /// An object is removed.
    #[serde(default)]
    pub delete: Option<Named>,
    /// The daemon's process ends without a word, and another begins on its journal.
    #[serde(default)]
    pub daemon_restarts: bool,
}

/// Something that breaks, for a while.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultDocument {
    /// From when.
    #[serde(default)]
    pub from: Span,
    /// Until when; for ever, where nothing is said.
    #[serde(default)]
    pub until: Option<Span>,
    /// What.
    pub what: FaultWord,
    /// For so many changes only.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub changes: Option<u32>,
}

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FaultWord {
    /// Prometheus cannot be reached.
    PrometheusDown,
    /// The API server cannot be reached.
    KubernetesDown,
    /// No pod and no service answers by HTTP.
    HttpDown,
    /// A change times out, and nothing was changed.
    RequestLost,
    /// A change is made, and its answer is lost.
    AnswerLost,
    /// A change finds the object changed (409).
    Conflict,
    /// The API server breaks over a change (500).
    ServerError,
    /// The API server turns a change away (429).
    TooManyRequests,
    /// Admission refuses a change (403).
    Denied,
}
