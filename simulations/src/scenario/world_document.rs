//! How the cluster of a scenario is written. Workloads are described in a few words; every other object is written as
//! Kubernetes has it.

use std::collections::BTreeMap;

use paramedic_policies::time::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::amounts::REPLICAS_MAX;

/// The cluster as it is at the beginning.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "World")]
pub struct WorldDocument {
    /// Annotations of namespaces; a namespace in which anything stands is there without being named.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Deployments, StatefulSets and DaemonSets.
    pub workloads: Vec<WorkloadDocument>,
    /// Services whose pods answer by HTTP.
    pub services: Vec<ServiceDocument>,
    /// Any other object, as Kubernetes has it: Ingresses, ConfigMaps, Nodes, CronJobs, Certificates, Rollouts.
    pub objects: Vec<Value>,
    /// Declared endpoints, by name: what they show, and what calls make of it.
    pub endpoints: BTreeMap<String, EndpointDocument>,
    /// How Jobs go.
    pub jobs: Option<JobsDocument>,
    /// How cert-manager issues.
    pub certificates: Option<CertificatesDocument>,
}

/// A workload.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Workload")]
pub struct WorkloadDocument {
    /// Deployment where nothing is said.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many replicas it wants.
    #[serde(default = "three")]
    #[schemars(range(max = REPLICAS_MAX))]
    pub replicas: u32,
    /// How many of them are ready; all, where nothing is said. The others never become it.
    #[serde(default)]
    #[schemars(range(max = REPLICAS_MAX))]
    pub ready: Option<u32>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Labels of its pods; `app: NAME` where nothing is said.
    #[serde(default)]
    pub pod_labels: BTreeMap<String, String>,
    /// Its containers as Kubernetes has them; one named as the workload where nothing is said.
    #[serde(default)]
    pub containers: Vec<Value>,
    /// What was deployed and when, oldest first. The last is what runs.
    #[serde(default)]
    pub deploys: Vec<DeployDocument>,
    /// How long a pod takes to become ready; 20s where nothing is said.
    #[serde(default)]
    pub pods_take: Option<Span>,
    /// The node on which its pods are at the beginning; where a world has nodes and nothing is said, they are spread over all.
    #[serde(default)]
    pub node: Option<String>,
    /// The HPA that owns its replicas.
    #[serde(default)]
    pub hpa: Option<HpaDocument>,
    /// How many pods its PodDisruptionBudget keeps.
    #[serde(default)]
    pub budget: Option<u32>,
    /// `spec.paused`.
    #[serde(default)]
    pub paused: bool,
    /// Its pods are replaced by nobody (`OnDelete`).
    #[serde(default)]
    pub on_delete: bool,
    /// The GitOps controller that owns it.
    #[serde(default)]
    pub gitops: Option<GitOpsDocument>,
}

fn three() -> u32 {
    3
}

/// The kind of a workload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// A Deployment.
    #[default]
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

/// A deploy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Deploy")]
pub struct DeployDocument {
    /// The image of the first container.
    pub image: String,
    /// How long before the beginning.
    pub ago: Span,
    /// Its pods never become ready.
    #[serde(default)]
    pub broken: bool,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Hpa")]
pub struct HpaDocument {
    /// `minReplicas`.
    #[schemars(range(max = REPLICAS_MAX))]
    pub min: u32,
    /// `maxReplicas`.
    #[schemars(range(max = REPLICAS_MAX))]
    pub max: u32,
}

/// A GitOps controller: one of `argoCd` and `flux`, by the name of the application.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GitOps")]
pub struct GitOpsDocument {
    /// The Argo CD application.
    #[serde(default)]
    pub argo_cd: Option<String>,
    /// The Flux Kustomization.
    #[serde(default)]
    pub flux: Option<String>,
    /// What it puts back.
    #[serde(default)]
    pub tracks: Vec<Tracked>,
}

/// What a GitOps controller puts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tracked {
    /// The number of replicas.
    Replicas,
    /// The pod template.
    Template,
}

/// A Service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Service")]
pub struct ServiceDocument {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The workload whose pods it selects.
    pub workload: String,
    /// The name of its port.
    #[serde(default = "http")]
    pub port_name: String,
    /// The port.
    #[serde(default = "eight_thousand_eighty")]
    pub port: u16,
    /// The circuit breakers that each of its pods has.
    #[serde(default)]
    pub breakers: Vec<String>,
    /// Those of them that stand open.
    #[serde(default)]
    pub open: Vec<String>,
}

fn http() -> String {
    "http".to_owned()
}

fn eight_thousand_eighty() -> u16 {
    8080
}

/// A declared endpoint.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "SimulatedEndpoint")]
pub struct EndpointDocument {
    /// What paths show; others answer 404.
    pub shows: BTreeMap<String, AnswerDocument>,
    /// Calls, by method and path: `POST /queues/a/messages/1/replay`.
    pub calls: BTreeMap<String, CallDocument>,
}

/// An answer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Answer")]
pub struct AnswerDocument {
    /// Status code; 200 where nothing is said.
    #[serde(default = "ok")]
    pub status: u16,
    /// The body.
    #[serde(default)]
    pub body: Value,
}

fn ok() -> u16 {
    200
}

/// A call that may change something.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Call")]
pub struct CallDocument {
    /// Status code; 200 where nothing is said.
    #[serde(default = "ok")]
    pub status: u16,
    /// What paths show after it.
    #[serde(default)]
    pub then: BTreeMap<String, AnswerDocument>,
}

/// How Jobs go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Jobs")]
pub struct JobsDocument {
    /// How long one runs.
    pub takes: Span,
    /// Its exit code; 0 where nothing is said.
    #[serde(default)]
    pub exit_code: i32,
    /// Its last words.
    #[serde(default)]
    pub log: String,
}

/// How cert-manager issues.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Certificates")]
pub struct CertificatesDocument {
    /// How long it takes.
    pub takes: Span,
    /// Why it fails, where it does.
    #[serde(default)]
    pub fails: Option<String>,
}
