//! Pods as the remediations see them that end, move or isolate some: what makes another in their place, what would be
//! lost with them, and whether their budgets let them go. Pure but for one look; changes nothing.

use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::abort_rollout;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::target::Target;
use serde_json::Value;

use crate::block_ip::{selects, text, texts};
use crate::ports::cluster::{Cluster, LookError, Workload};
use crate::ports::objects::{Address, REPLICA_SETS, Resource};
use crate::restart::KINDS;
use crate::stamp::annotation;

pub(crate) const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
pub(crate) const BUDGETS: Resource =
    Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
pub(crate) const JOBS: Resource = Resource::namespaced("batch", "v1", "jobs", "Job");
pub(crate) const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// What made a pod, and makes another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Controller {
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) name: String,
}

impl std::fmt::Display for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The controller of an object, by its owner references.
pub(crate) fn controller(object: &Value) -> Option<Controller> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let version = text(owner, "/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
    Some(Controller { kind: text(owner, "/kind").into(), group, name: text(owner, "/name").into() })
}

/// The workload of a pod with all that stands around it; none where it is of a kind that has no replicas to count.
///
/// # Errors
/// When nobody knows.
pub(crate) async fn workload(cluster: &dyn Cluster, pod: &Value) -> Result<Option<Workload>, LookError> {
    let set = match controller(pod).filter(|owner| owner.kind == "ReplicaSet") {
        Some(owner) => {
            cluster.get(&REPLICA_SETS.named(text(pod, "/metadata/namespace"), &owner.name)).await?
        }
        None => None,
    };
    workload_above(cluster, pod, set.as_ref()).await
}

/// The same, where its ReplicaSet was read already.
///
/// # Errors
/// When nobody knows.
pub(crate) async fn workload_above(
    cluster: &dyn Cluster,
    pod: &Value,
    set: Option<&Value>,
) -> Result<Option<Workload>, LookError> {
    let namespace = text(pod, "/metadata/namespace");
    let Some(owner) = set.and_then(controller).or_else(|| controller(pod)) else { return Ok(None) };
    let kind = match owner.group.as_str() {
        "apps" => owner.kind.clone(),
        group => format!("{}.{group}", owner.kind),
    };
    if !KINDS.contains(&kind.as_str()) && kind != abort_rollout::KIND {
        return Ok(None);
    }
    let target = Target { kind, namespace: namespace.to_owned(), name: owner.name };
    match cluster.look(&target).await {
        // It is gone before its pods are.
        Err(LookError::Absent { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// Where a pod is.
pub(crate) fn address(pod: &Value) -> Address {
    PODS.named(text(pod, "/metadata/namespace"), text(pod, "/metadata/name"))
}

/// Whether a file on its node makes it: nothing that is done to it here would last.
pub(crate) fn is_static(pod: &Value) -> bool {
    annotation(pod, "kubernetes.io/config.mirror").is_some()
        || controller(pod).is_some_and(|owner| owner.kind == "Node")
}

/// Whether a DaemonSet makes it: it comes back to the same node.
pub(crate) fn is_of_daemon_set(pod: &Value) -> bool {
    controller(pod).is_some_and(|owner| owner.kind == "DaemonSet")
}

/// Whether it has run to its end.
pub(crate) fn is_over(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(pod, "/status/phase"))
}

/// Whether it has been told to end.
pub(crate) fn is_going(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// Whether it serves.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|one| text(one, "/type") == "Ready" && text(one, "/status") == "True")
}

/// Whether data would be lost with it.
///
/// # Errors
/// Where that is not declared.
pub(crate) fn storage(pod: &Value, wanted: LocalStorage) -> Result<String, Reason> {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let local = volumes.into_iter().flatten().filter(|volume| volume.get("emptyDir").is_some());
    let local: Vec<&str> = local.map(|volume| text(volume, "/name")).collect();
    let at = address(pod);
    match (local.as_slice(), wanted) {
        ([], _) => Ok(format!("{at} has no local storage")),
        (local, LocalStorage::Allow) => Ok(format!("{at} loses its emptyDir {}", local.join(", "))),
        (local, LocalStorage::Refuse) => Err(Reason::WrongLever {
            why: format!(
                "{at} keeps data in emptyDir {}, which goes with it; localStorage: allow lets it go",
                local.join(", ")
            ),
        }),
    }
}

/// Whether something makes another in its place.
///
/// # Errors
/// Where nothing does.
pub(crate) fn replaced(pod: &Value) -> Result<Controller, Reason> {
    let at = address(pod);
    if is_static(pod) {
        return Err(Reason::WrongLever { why: format!("{at} is a static pod of its node") });
    }
    controller(pod).ok_or_else(|| Reason::WrongLever {
        why: format!("{at} is a bare pod: no controller would make another in its place"),
    })
}

/// Whether nobody keeps it for a look: a pod in quarantine is evidence as it runs.
///
/// # Errors
/// Where it is in quarantine.
pub(crate) fn free(pod: &Value) -> Result<String, Reason> {
    let at = address(pod);
    match texts(pod, "/metadata/labels").contains_key(crate::quarantine::QUARANTINE) {
        true => Err(Reason::Protected { rule: format!("{at}, which is in quarantine") }),
        false => Ok(format!("{at} is in no quarantine")),
    }
}

/// The Job of a pod, where one makes it.
pub(crate) fn job(pod: &Value) -> Option<Address> {
    let owner = controller(pod).filter(|owner| owner.kind == "Job" && owner.group == JOBS.group)?;
    Some(JOBS.named(text(pod, "/metadata/namespace"), &owner.name))
}

/// Whether its Job tries again what ends with this pod. A pod that is told to end counts as failed to it, by an eviction and
/// by a delete: its last try cut off is a migration or a restore cut in the middle.
///
/// # Errors
/// Where the Job may be over with it, or what is cut is ours.
pub(crate) fn tried_again(pod: &Value, job: &Value) -> Result<String, Reason> {
    let at = JOBS.named(text(pod, "/metadata/namespace"), text(job, "/metadata/name"));
    let running = |why: String| Err(Reason::JobRunning { job: format!("{at}, {why},") });
    if is_over(pod) || is_going(pod) {
        return Ok(format!("{at} has nothing to lose with {}", address(pod)));
    }
    let number = |pointer: &str| job.pointer(pointer).and_then(Value::as_i64);
    if annotation(job, crate::stamp::INTENT).is_some() {
        return running("which paramedic itself runs".into());
    }
    if number("/spec/backoffLimitPerIndex").is_some() || job.pointer("/spec/podFailurePolicy").is_some() {
        return running("whose rules of failure nobody here can judge".into());
    }
    let (failed, limit) =
        (number("/status/failed").unwrap_or(0), number("/spec/backoffLimit").unwrap_or(JOB_TRIES));
    if failed >= limit {
        return running(format!("which fails for good with its pod ({failed} failed, backoffLimit {limit})"));
    }
    Ok(format!("{at} tries again: {failed} failed of a backoffLimit of {limit}"))
}

/// `backoffLimit`, where a Job says nothing.
const JOB_TRIES: i64 = 6;

/// The budgets that select a pod.
pub(crate) fn budgets<'b>(all: &'b [Value], pod: &Value) -> Vec<&'b Value> {
    let labels = texts(pod, "/metadata/labels");
    let here = text(pod, "/metadata/namespace");
    let meets = |budget: &&Value| {
        // No selector selects nothing, an empty one everything.
        text(budget, "/metadata/namespace") == here
            && budget.pointer("/spec/selector").is_some_and(|selector| selects(selector, &labels))
    };
    all.iter().filter(meets).collect()
}

/// Whether its budgets let a pod be evicted now, as the API server judges.
///
/// # Errors
/// The budget that does not.
pub(crate) fn disruptable(all: &[Value], pod: &Value) -> Result<String, Reason> {
    let at = address(pod);
    let found = budgets(all, pod);
    let name = |budget: &Value| text(budget, "/metadata/name").to_owned();
    if is_over(pod) || is_going(pod) || text(pod, "/status/phase") == "Pending" {
        return Ok(format!("{at} does not run, so no PodDisruptionBudget holds it"));
    }
    match found.as_slice() {
        [] => Ok(format!("no PodDisruptionBudget selects {at}")),
        [budget] => {
            let allowed = allowed(budget);
            if allowed > 0 {
                return Ok(format!("PodDisruptionBudget {} allows {allowed} for {at}", name(budget)));
            }
            if !is_ready(pod) && lets_unready_go(budget) {
                return Ok(format!(
                    "PodDisruptionBudget {} does not hold {at}, which is not ready",
                    name(budget)
                ));
            }
            Err(Reason::DisruptionBudget { budget: name(budget), allowed })
        }
        several => Err(Reason::WrongLever {
            why: format!(
                "PodDisruptionBudgets {} all select {at}, and the API server evicts no such pod",
                several.iter().map(|budget| name(budget)).collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

/// How many disruptions a budget allows; none while its controller has not seen its newest spec.
fn allowed(budget: &Value) -> i32 {
    let number = |pointer: &str| budget.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return 0;
    }
    i32::try_from(number("/status/disruptionsAllowed")).unwrap_or(0)
}

fn lets_unready_go(budget: &Value) -> bool {
    let number = |pointer: &str| budget.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (healthy, wanted) = (number("/status/currentHealthy"), number("/status/desiredHealthy"));
    text(budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow" || (wanted > 0 && healthy >= wanted)
}

/// What stands in an object's own words for a pause, and the object it is on.
pub(crate) fn pause(
    on: &str,
    object: Option<&Value>,
    now: paramedic_policies::time::Moment,
) -> Result<String, Reason> {
    let annotations = object.map(|object| texts(object, "/metadata/annotations")).unwrap_or_default();
    crate::checks::pause(on, &annotations, now)
}
