//! Kubernetes as the remediations see it: workloads to look at, a few changes to make. Patches and API types
//! stay behind the adapter.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paramedic_policies::action::{Diff, Intent};
use paramedic_policies::answer::Surroundings;
use paramedic_policies::reason::Reason;
use paramedic_policies::target::{Sought, Target};
use paramedic_policies::time::Moment;
use serde_json::Value;

use crate::ports::objects::{Address, ObjectChange, Resource};
use crate::seal::Sealed;

/// A workload with all that stands around it, read in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub target: Target,
    /// Its uid.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The annotations of its namespace.
    pub namespace_annotations: BTreeMap<String, String>,
    /// `spec.replicas`, where it has such a field.
    pub replicas: Option<u32>,
    /// How many of its replicas are available, where its kind says so.
    pub available: Option<u32>,
    /// Who last set `spec.replicas`, where the server knows.
    pub replicas_set: Option<SetBy>,
    /// `spec.paused`.
    pub paused: bool,
    /// Its rollout.
    pub rollout: Rollout,
    /// Why a restart would move no pod, such as `OnDelete` or `partition 3`.
    pub immovable: Option<String>,
    /// How many pods a rolling update may take away at once.
    pub max_unavailable: u32,
    /// The HPA that owns its replicas.
    pub autoscaler: Option<Autoscaler>,
    /// PodDisruptionBudgets that select its pods, with the disruptions they allow now.
    pub budgets: Vec<(String, i32)>,
    /// The GitOps controller that owns it.
    pub gitops: Option<GitOps>,
    /// The stamp of the last intent that changed its pod template.
    pub stamp: Option<String>,
    /// Replicas of its whole namespace; `added` is zero here.
    pub surroundings: Surroundings,
}

/// How far a rollout is, judged by `observedGeneration` and updated replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Whether every wanted replica is updated and available.
    pub complete: bool,
    /// Whether the controller still replaces or adds pods. A pod that crashes is none: that is what a restart is for.
    pub under_way: bool,
    /// Whether its progress deadline was exceeded.
    pub stuck: bool,
    /// Such as `3 of 4 updated, 2 available`.
    pub detail: String,
}

/// The field manager that owns a field, which is where a change by a subresource leaves its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetBy {
    /// Its name; ours is [`manager`] of the stamp.
    pub manager: String,
    /// When it last wrote, to the second.
    pub at: Option<Moment>,
}

impl std::fmt::Display for SetBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.manager)?;
        self.at.map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// Field managers are at most this long, says the API server.
pub const MANAGER_CHARS_MAX: usize = 128;

/// The field manager under which a change with this stamp is made.
pub fn manager(stamp: &str) -> String {
    let mut name = format!("paramedic-{stamp}");
    name.truncate(name.floor_char_boundary(MANAGER_CHARS_MAX));
    name
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// `spec.minReplicas`.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
    /// Who last set `spec.minReplicas`, where the server knows.
    pub min_set: Option<SetBy>,
    /// What owns the HPA itself (such as a KEDA ScaledObject), if anything does.
    pub owner: Option<String>,
    /// The GitOps controller that would revert its `minReplicas`.
    pub gitops: Option<String>,
}

/// Which GitOps controller owns an object, and which fields it would revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitOps {
    /// Such as `Argo CD application maestro`.
    pub by: String,
    /// Whether it tracks the number of replicas.
    pub tracks_replicas: bool,
    /// Whether it tracks the pod template.
    pub tracks_template: bool,
}

/// A Service whose endpoints take HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachable {
    /// The Service's uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The annotations of its namespace.
    pub namespace_annotations: BTreeMap<String, String>,
    /// Base URLs of its ready endpoints, sorted.
    pub urls: Vec<String>,
    /// Replicas of its whole namespace; `added` is zero here.
    pub surroundings: Surroundings,
}

/// Why a look failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// There is nothing to look at.
    #[error("{}", Reason::NoKubernetes)]
    NoKubernetes,
    /// It is not there.
    #[error("there is no {what}")]
    Absent {
        /// What was looked for.
        what: String,
    },
    /// The server will not say, now or later.
    #[error("may not {tried}: {problem}")]
    Forbidden {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        problem: String,
    },
    /// Nobody knows; another try may.
    #[error("could not {tried}: {problem}")]
    Failed {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        problem: String,
    },
}

/// Why a change was not made, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The server refused; nothing changed. A conflict (409, failed `test`) is one of these.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
        /// Whether the object was not as it was when looked at.
        conflict: bool,
    },
    /// We have no permission; nothing changed.
    #[error("{message}")]
    Forbidden {
        /// What it said.
        message: String,
    },
    /// The request never left, or was turned away unread; nothing changed.
    #[error("could not {tried}: {problem}")]
    NotSent {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        problem: String,
    },
    /// It may have been made.
    #[error("no answer to {tried}: {problem}")]
    NoAnswer {
        /// What was tried, on what.
        tried: String,
        /// What came back.
        problem: String,
    },
}

/// One change, with the values that must still hold.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterChange {
    /// `spec.replicas` by the scale subresource.
    Replicas {
        /// Of what.
        target: Target,
        /// Its uid.
        uid: String,
        /// The value it must have.
        from: u32,
        /// The value it gets.
        to: u32,
    },
    /// `spec.minReplicas` of an HPA.
    MinReplicas {
        /// The HPA's namespace.
        namespace: String,
        /// The HPA's name.
        hpa: String,
        /// The HPA's uid.
        uid: String,
        /// The value it must have.
        from: u32,
        /// The value it gets.
        to: u32,
    },
    /// The restart annotation of the pod template, with our stamp.
    Restart {
        /// Of what.
        target: Target,
        /// Its uid.
        uid: String,
        /// `metadata.generation` it must have.
        generation: i64,
        /// `kubectl.kubernetes.io/restartedAt`: the intent's moment, never the present.
        at: Moment,
        /// Ties it to the delivery that caused it.
        correlation: Option<String>,
    },
    /// Any other object.
    Object(ObjectChange),
}

/// How many lines of a log are read at most.
pub const LOG_LINES_MAX: u32 = 200;

/// One run of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run<'a> {
    /// Of this pod.
    pub pod: Address,
    /// Its name.
    pub container: &'a str,
    /// The run before the present one.
    pub previous: bool,
    /// As many lines from its end.
    pub lines: u32,
}

/// As much of a log is read at most, whatever its lines are.
pub const LOG_READ_BYTES_MAX: u32 = 1024 * 1024;

/// What is kept of each object of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The whole of those at whose pointer this text stands.
    Where(&'static str, String),
    /// What stands at these pointers.
    Parts(&'static [&'static str]),
}

impl Keep {
    /// What is kept of this one, in its own shape.
    pub fn of(&self, mut object: Value) -> Option<Value> {
        match self {
            Self::Where(pointer, wanted) => {
                let is_meant = object.pointer(pointer).and_then(Value::as_str) == Some(wanted);
                is_meant.then_some(object)
            }
            Self::Parts(pointers) => {
                let mut kept = Value::Null;
                for pointer in *pointers {
                    let part = object.pointer_mut(pointer).map(Value::take).unwrap_or_default();
                    let mut at = &mut kept;
                    for key in pointer.split('/').skip(1) {
                        at = &mut at[key];
                    }
                    *at = part;
                }
                Some(kept)
            }
        }
    }
}

/// Eyes on a cluster. An adapter without hands is what dry-run gets.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Which object is meant.
    ///
    /// # Errors
    /// When there is none, or nobody knows.
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError>;

    /// A workload with all that stands around it.
    ///
    /// # Errors
    /// When it is not there, or any part of it could not be read.
    async fn look(&self, target: &Target) -> Result<Workload, LookError>;

    /// How far a workload's rollout is: one small question, asked every second while a rollout is watched.
    ///
    /// # Errors
    /// When it is not there, does not roll out, or nobody knows.
    async fn rollout(&self, target: &Target) -> Result<Rollout, LookError>;

    /// A Service with its ready endpoints on one port.
    ///
    /// # Errors
    /// When there is no such Service or port, or nobody knows.
    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError>;

    /// One object; none where there is no such object.
    ///
    /// # Errors
    /// [`LookError::Absent`] where the server does not know the resource; otherwise when nobody knows.
    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError>;

    /// The objects of a resource in a namespace (in all where it is empty) whose labels meet a selector, such as
    /// `app=web`; an empty selector is met by all.
    ///
    /// # Errors
    /// [`LookError::Absent`] where the server does not know the resource; otherwise when nobody knows.
    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError>;

    /// Those of a namespace in which this text stands at this path of fields, such as `involvedObject.uid`: the server leaves
    /// out the others, where it knows the path.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    async fn list_where(
        &self,
        resource: Resource,
        namespace: &str,
        (path, wanted): (&str, &str),
    ) -> Result<Vec<Value>, LookError> {
        let pointer = format!("/{}", path.replace('.', "/"));
        let mut found = self.list(resource, namespace, "").await?;
        found.retain(|object| object.pointer(&pointer).and_then(Value::as_str) == Some(wanted));
        Ok(found)
    }

    /// All objects of a resource in the whole cluster, however many: of each only what `keep` leaves of it, as it comes, so
    /// that a large cluster does not fill the memory. With `fields`, such as `spec.nodeName=a`, a server leaves out others;
    /// it may send them all the same, so `keep` judges too.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    async fn scan(&self, resource: Resource, _fields: &str, keep: Keep) -> Result<Vec<Value>, LookError> {
        Ok(self.list(resource, "", "").await?.into_iter().filter_map(|object| keep.of(object)).collect())
    }

    /// The last lines of a pod's log, at most [`LOG_LINES_MAX`]; of its first container where none is named.
    ///
    /// # Errors
    /// When the pod is gone, has not begun, or nobody knows.
    async fn log_tail(&self, pod: &Address, container: Option<&str>) -> Result<String, LookError>;

    /// The last lines of one run of a container.
    ///
    /// # Errors
    /// When the pod or that run of its container is gone, or nobody knows.
    async fn log_of(&self, run: &Run<'_>) -> Result<String, LookError> {
        let tried = format!("read the log of {}", run.pod);
        Err(LookError::Failed { tried, problem: "nobody here can".into() })
    }

    /// The user that this process is to the API server, such as `system:serviceaccount:ops:paramedic`.
    ///
    /// # Errors
    /// [`LookError::Absent`] where the server cannot say; otherwise when nobody knows.
    async fn username(&self) -> Result<String, LookError>;

    /// What the server says the change would do; computed, and said so, where it may not be asked.
    ///
    /// # Errors
    /// When the server refuses the dry run for another reason than missing permission.
    async fn preview(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError>;
}

/// Hands on a cluster: nothing changes without a seal.
#[async_trait]
pub trait Hands: Cluster {
    /// Makes one change by one request, stamped with the seal's stamp.
    ///
    /// # Errors
    /// When it was refused, or was not or may not have been made.
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError>;
}
