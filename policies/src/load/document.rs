//! Policies as people write them: the types from which the JSON Schema is made. Their doc comments are what
//! editors show. The loader walks the same keys (a test keeps both equal) because serde would stop at the first
//! mistake and forget where it stands.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::action::Mode;
use crate::policy::{BlastTargets, InStorm, Limit};
use crate::remediation::abort_rollout::AbortRolloutDocument;
use crate::remediation::block_ip::BlockIpDocument;
use crate::remediation::collect_evidence::CollectEvidenceDocument;
use crate::remediation::delete_pod::DeletePodDocument;
use crate::remediation::drain_node::DrainNodeDocument;
use crate::remediation::evict_pod::EvictPodDocument;
use crate::remediation::freeze_deploys::FreezeDeploysDocument;
use crate::remediation::http_call::HttpDocument;
use crate::remediation::patch::PatchDocument;
use crate::remediation::quarantine::QuarantineDocument;
use crate::remediation::renew_certificate::RenewCertificateDocument;
use crate::remediation::reset_breaker::ResetBreakerDocument;
use crate::remediation::restart::RestartDocument;
use crate::remediation::rollback::RollbackDocument;
use crate::remediation::run_job::RunJobDocument;
use crate::remediation::scale::ScaleDocument;
use crate::time::Span;

/// The only version.
pub const API_VERSION: &str = "paramedic.dev/v1alpha1";

/// The kind of a policy document.
pub const KIND: &str = "RemediationPolicy";

/// The JSON Schema of policy documents, for editors.
pub fn schema() -> Schema {
    schemars::schema_for!(PolicyDocument)
}

/// What is done about an alert, and under which guards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RemediationPolicy", title = "RemediationPolicy")]
pub struct PolicyDocument {
    /// `paramedic.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `RemediationPolicy`.
    pub kind: PolicyKind,
    /// Its name.
    pub metadata: Metadata,
    /// What it does.
    pub spec: Spec,
}

/// The version of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only version.
    #[serde(rename = "paramedic.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// The only kind among policies.
    RemediationPolicy,
}

/// As on every Kubernetes object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique over all policies: lower-case letters, digits, `-` and `.`. It stands in every record and metric.
    pub name: String,
    /// For tools; paramedic does not read them.
    pub labels: Option<BTreeMap<String, String>>,
    /// For tools; paramedic does not read them.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// For people; shown with every decision.
    pub description: Option<String>,
    /// How far it may go: `dry-run` (default), `approve` or `enforce`. The daemon's `--mode` caps it. `enforce` needs
    /// an equality matcher on `alertname`.
    pub mode: Option<Mode>,
    /// Where two policies want one target, the higher goes first, then the lesser name. Default 0.
    pub priority: Option<i32>,
    /// Matchers in Alertmanager's syntax; the alert must meet all of them. At least one. Without the key no alert starts the
    /// policy: it is only run by hand, by `paramedic run`.
    pub r#match: Option<Vec<String>>,
    /// Withheld while one open alert meets all of these matchers.
    pub unless: Option<Vec<String>>,
    /// How long the episode must have been open. Default 0s.
    pub r#for: Option<Span>,
    /// What it acts on.
    pub target: TargetDocument,
    /// Values found by query, by name; used as `{{ let.NAME }}` in everything after it.
    pub r#let: Option<BTreeMap<String, LetDocument>>,
    /// What must hold before it acts; all of them.
    pub when: Option<Vec<ConditionDocument>>,
    /// Rungs, tried in order until one helps. Either this or `sequence`.
    pub ladder: Option<Vec<StepDocument>>,
    /// Steps, all done in order, each verified; the first that fails ends it. Either this or `ladder`.
    pub sequence: Option<Vec<StepDocument>>,
    /// What keeps it from doing harm. Every guard has a default.
    pub guards: Option<GuardsDocument>,
    /// What follows when nothing helped.
    pub on_failure: Option<OnFailureDocument>,
}

/// What is acted on: either a name (`kind`, `namespace`, `name`) or the owner of something (`from`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetDocument {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Service`, `Pod`, or `Kind.group` such as `Rollout.argoproj.io`.
    pub kind: Option<String>,
    /// Template of its namespace.
    pub namespace: Option<String>,
    /// Template of its name.
    pub name: Option<String>,
    /// Look up the owner of this instead.
    pub from: Option<FromDocument>,
}

/// Something whose owner is meant: exactly one of `pod`, `service` and `node`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromDocument {
    /// Template of a pod's name: the workload that owns it.
    pub pod: Option<String>,
    /// Template of a Service's name: the workload whose pods it selects.
    pub service: Option<String>,
    /// Template of a node's name: the node itself.
    pub node: Option<String>,
    /// Template of the namespace of the pod or Service.
    pub namespace: Option<String>,
}

/// A value found by query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LetDocument {
    /// PromQL; must give exactly one series.
    pub query: String,
    /// The label of that series whose value is taken.
    pub label: String,
}

/// A query with a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionDocument {
    /// PromQL; must give exactly one series. Templates only inside quoted matcher values.
    pub query: String,
    /// What its value must satisfy, such as `> 1` or `<= 0.05`.
    pub is: String,
    /// What no series means: `unknown` (default: nothing is shown) or a number.
    pub empty: Option<EmptyDocument>,
}

/// What no series means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EmptyDocument {
    /// Nothing is shown.
    Unknown(UnknownWord),
    /// The value is this.
    Number(f64),
}

/// The word `unknown`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnknownWord {
    /// Nothing is shown.
    Unknown,
}

/// One thing to do (exactly one remediation; on a ladder also `sequence`), and how to see that it helped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepDocument {
    /// Change the number of replicas.
    pub scale: Option<ScaleDocument>,
    /// Roll the pods of a workload; written `restart: {}`.
    pub restart: Option<RestartDocument>,
    /// Close a circuit breaker of Maestro on every endpoint of a service.
    pub reset_breaker: Option<ResetBreakerDocument>,
    /// Refuse new pod templates for a while; scaling goes on.
    pub freeze_deploys: Option<FreezeDeploysDocument>,
    /// Keep clients out by their addresses for a while.
    pub block_ip: Option<BlockIpDocument>,
    /// Change one field of a short list, within bounds, and put the old value back.
    pub patch: Option<PatchDocument>,
    /// Take a Deployment back to its last revision that was healthy.
    pub rollback: Option<RollbackDocument>,
    /// A call to an endpoint that the configuration declares.
    pub http: Option<HttpDocument>,
    /// Stop the rollout of an Argo Rollout; written `abortRollout: {}`.
    pub abort_rollout: Option<AbortRolloutDocument>,
    /// Run a Job once, and wait until it has ended.
    pub run_job: Option<RunJobDocument>,
    /// Let cert-manager issue a Certificate anew.
    pub renew_certificate: Option<RenewCertificateDocument>,
    /// Cut pods off from the network for a while; they go on running.
    pub quarantine: Option<QuarantineDocument>,
    /// Evict one pod, as its PodDisruptionBudgets allow; its controller makes another.
    pub evict_pod: Option<EvictPodDocument>,
    /// Delete one pod, past its PodDisruptionBudgets; its controller makes another.
    pub delete_pod: Option<DeletePodDocument>,
    /// Take a node out of service: cordon it, then evict its pods.
    pub drain_node: Option<DrainNodeDocument>,
    /// Keep pods, events, ends of logs, revisions and values before anything is touched; changes nothing.
    pub collect_evidence: Option<CollectEvidenceDocument>,
    /// Several steps as one rung, all done in order. Only on a ladder.
    pub sequence: Option<Vec<StepDocument>>,
    /// Acts on this instead of the policy's target.
    pub target: Option<TargetDocument>,
    /// A stricter mode than the policy's.
    pub mode: Option<Mode>,
    /// Further ceilings for this step.
    pub limits: Option<Vec<Limit>>,
    /// How to see that it helped. Every rung before another needs it.
    pub verify: Option<VerifyDocument>,
    /// Take it back later. Only for what can be taken back.
    pub revert: Option<RevertDocument>,
}

/// How to see that a step helped: exactly one of `query`, `http` and `rollout`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyDocument {
    /// PromQL; must give exactly one series. Needs `is`.
    pub query: Option<String>,
    /// What the query's value must satisfy.
    pub is: Option<String>,
    /// What no series means: `unknown` (default) or a number.
    pub empty: Option<EmptyDocument>,
    /// Template of a URL that must answer with `status`.
    pub http: Option<String>,
    /// The status that `http` must answer. Default 200.
    pub status: Option<u16>,
    /// `complete`: the target's rollout is complete.
    pub rollout: Option<RolloutWord>,
    /// Do not look before this has passed since the action's end. Default 1m.
    pub settle: Option<Span>,
    /// It must hold for this long without a break. Default 1m.
    pub hold: Option<Span>,
    /// If it has not held by then, counted from the action's end, it did not help. Default 10m.
    pub within: Option<Span>,
    /// How often to look. Default 15s.
    pub every: Option<Span>,
}

/// The word `complete`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutWord {
    /// Every wanted replica is updated and available.
    Complete,
}

/// When to take an action back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevertDocument {
    /// This long after it was done, if the field still holds our value.
    pub after: Span,
}

/// What keeps a policy from doing harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardsDocument {
    /// No action of this policy on a target for this long after the last one. Default 15m.
    pub cooldown: Option<Span>,
    /// Trouble that comes back within this is the same trouble: the ladder goes on where it stood. Default 2h.
    pub relapse: Option<Span>,
    /// Exact ceilings over sliding windows, kept across restarts. Default `[{max: 3, per: 1h, by: target}]`; a list here
    /// replaces it.
    pub limits: Option<Vec<Limit>>,
    /// How many actions of this policy may run at once, over all targets. Default 1.
    pub concurrency: Option<u32>,
    /// How much may be hit at once.
    pub blast_radius: Option<BlastRadiusDocument>,
    /// What to do in a storm: `withhold` (default), `approve` or `act`.
    pub in_storm: Option<InStorm>,
    /// When it may act, such as `Mon-Fri 09:00-17:00 Europe/Berlin`. Default always.
    pub schedule: Option<Vec<String>>,
    /// How long a proposal waits for approval. Default 30m.
    pub approval: Option<Span>,
}

/// How much may be hit at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlastRadiusDocument {
    /// Distinct targets acted on in a window, or `off`. Default `{max: 2, in: namespace, per: 30m}`.
    pub targets: Option<BlastTargetsDocument>,
    /// Percent of the namespace's wanted replicas that may be unavailable, this action's share included, such as `25%`,
    /// or `off`. Default 25%.
    pub unavailable: Option<String>,
}

/// Distinct targets in a window, or `off`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BlastTargetsDocument {
    /// At most this many.
    Most(BlastTargets),
    /// No bound.
    Off(OffWord),
}

/// The word `off`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OffWord {
    /// No bound.
    Off,
}

/// What follows when nothing helped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnFailureDocument {
    /// Receivers to tell when a person is needed; without any, the configuration's routes say who.
    pub notify: Option<Vec<String>>,
    /// After this many rounds in a row that did not help, the policy is quarantined; 0 means never. Default 3.
    pub quarantine_after: Option<u32>,
}
