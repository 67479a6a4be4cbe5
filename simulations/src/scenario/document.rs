//! How a scenario is written, for serde and for the JSON Schema. What stands here is shown by editors. Nothing is decided
//! here; what these types cannot say is checked in `read`.

use std::collections::BTreeMap;

use paramedic_policies::settings::Settings;
use paramedic_policies::time::{Moment, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

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
    pub copies: Option<u32>,
    /// How often Alertmanager sends it again.
    #[serde(default)]
    pub repeated_every: Option<Span>,
}

/// An answer of Prometheus: one of `series`, `query`, or `policy` with `place`; and its value now, or `over` time.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactDocument {
    /// A series as a selector with equality matchers, such as `up{job="web"}`. Selectors find it, and `sum`, `min`, `max`,
    /// `avg`, `count` and comparisons over it are computed.
    #[serde(default)]
    pub series: Option<String>,
    /// A whole expression, or a part of one, as it is asked: with the labels' values in it.
    #[serde(default)]
    pub query: Option<String>,
    /// The policy that asks.
    #[serde(default)]
    pub policy: Option<String>,
    /// Where it asks: `confirmation`, `let.NAME`, `when[0]`, `verification`.
    #[serde(default)]
    pub place: Option<String>,
    /// The value.
    #[serde(default)]
    pub is: Option<f64>,
    /// The series of the answer, where it has labels or is more than one.
    #[serde(default)]
    pub samples: Option<Vec<SampleDocument>>,
    /// No series at all.
    #[serde(default)]
    pub empty: bool,
    /// A value that is not a number.
    #[serde(default)]
    pub nan: bool,
    /// The question fails with this.
    #[serde(default)]
    pub fails: Option<String>,
    /// How long the answer takes.
    #[serde(default)]
    pub takes: Span,
    /// Answers that follow each other; the first holds before its time too.
    #[serde(default)]
    pub over: Vec<SpellDocument>,
}

/// An answer from a time on: `at`, or `ago` for before the beginning.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpellDocument {
    /// From when.
    #[serde(default)]
    pub at: Option<Span>,
    /// So long before the beginning.
    #[serde(default)]
    pub ago: Option<Span>,
    /// The value.
    #[serde(default)]
    pub is: Option<f64>,
    /// The series of the answer.
    #[serde(default)]
    pub samples: Option<Vec<SampleDocument>>,
    /// No series at all.
    #[serde(default)]
    pub empty: bool,
    /// A value that is not a number.
    #[serde(default)]
    pub nan: bool,
    /// The question fails with this.
    #[serde(default)]
    pub fails: Option<String>,
    /// How long the answer takes.
    #[serde(default)]
    pub takes: Span,
}

/// One series of an answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SampleDocument {
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub is: f64,
}

/// An operator's order: one of `approve`, `deny`, `pause`, `resume`, `acknowledge`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderDocument {
    /// When.
    pub at: Span,
    /// By whom.
    #[serde(default = "somebody")]
    pub by: String,
    /// The open proposal of this policy is approved.
    #[serde(default)]
    pub approve: Option<String>,
    /// The open proposal of this policy is denied.
    #[serde(default)]
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

/// What is expected. What is not said is not looked at.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectDocument {
    /// The verdicts of policies in order, by policy; the same one in a row counts once. An empty list: it says nothing.
    #[serde(default)]
    pub verdicts: BTreeMap<String, Vec<VerdictWord>>,
    /// All that is done, in order; `[]` is nothing at all.
    #[serde(default)]
    pub actions: Option<Vec<ActionDocument>>,
    /// Refusals that must be among those given.
    #[serde(default)]
    pub refusals: Vec<RefusalDocument>,
    /// All calls for a person, in order, each by a part of its text; `[]` is none.
    #[serde(default)]
    pub calls: Option<Vec<String>>,
    /// How policies end, by policy.
    #[serde(default)]
    pub ends: BTreeMap<String, EndWord>,
    /// Objects and their fields, at the end or at a time.
    #[serde(default)]
    pub state: Vec<StateDocument>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerdictWord {
    /// It acts.
    Act,
    /// It waits, and looks again.
    Hold,
    /// It does nothing.
    Withhold,
    /// It asks a person.
    Propose,
}

/// Something that is done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionDocument {
    /// Part of its text, such as `restart` or `scale replicas 3 -> 6`.
    #[serde(rename = "do")]
    pub does: String,
    /// The target, such as `shop/deployment/cart`.
    #[serde(default)]
    pub on: Option<String>,
    /// By which policy.
    #[serde(default)]
    pub policy: Option<String>,
    /// It takes an earlier action back.
    #[serde(default)]
    pub takes_back: bool,
    /// How it ends.
    #[serde(default)]
    pub ends: Option<OutcomeWord>,
    /// What its verification says.
    #[serde(default)]
    pub verified: Option<HelpWord>,
    /// When it is begun.
    #[serde(default)]
    pub at: Option<Span>,
}

/// How an action ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutcomeWord {
    /// It was done.
    Done,
    /// It looked only, and what it saw is kept.
    Collected,
    /// It was refused at the last look.
    Refused,
    /// It failed.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// What a verification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HelpWord {
    /// It helped.
    Helped,
    /// It did not.
    DidNotHelp,
    /// Nobody knows.
    Unknown,
}

/// Something that is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefusalDocument {
    /// By which policy.
    pub policy: String,
    /// The reason's name, such as `conditionFalse`.
    pub reason: String,
    /// Part of its text.
    #[serde(default)]
    pub says: Option<String>,
}

/// How a policy ends with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndWord {
    /// A step helped.
    Helped,
    /// All was done, and nothing was to be verified.
    Done,
    /// It was rehearsed.
    Rehearsed,
    /// Nothing had to be changed.
    Already,
    /// No rung helped.
    Exhausted,
    /// Nobody knows.
    Unknown,
    /// It failed.
    Failed,
    /// The alert ended first.
    Resolved,
    /// The policy left.
    Withdrawn,
    /// A person denied it.
    Denied,
    /// A guard refused what was ordered by hand.
    Refused,
}

/// An object as it is expected: a `field` or an `annotation` that `is` something, or that it is `there`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateDocument {
    /// When; at the end where nothing is said.
    #[serde(default)]
    pub at: Option<Span>,
    /// As in policies, such as `Deployment` or `Ingress.networking.k8s.io`.
    pub kind: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its name; where it is not said, the only one of its kind in the namespace.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    pub there: Option<bool>,
    /// A field, step by step: `spec.template.spec.containers[0].image`.
    #[serde(default)]
    pub field: Option<String>,
    /// An annotation of it.
    #[serde(default)]
    pub annotation: Option<String>,
    /// The value; `null` where there is none.
    #[serde(default)]
    pub is: Option<Value>,
}
