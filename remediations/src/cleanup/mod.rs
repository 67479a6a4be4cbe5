//! Everything that paramedic ever left in a cluster, found by its marks alone, and what takes it away: for whoever
//! uninstalls it, or has lost its journal. What somebody else has changed since is theirs: it is left, and said.
//!
//! ```text
//!   objects --found--> Trace: remove it | put back what was | leave it, because --Sweep--> one request each
//! ```
//!
//! The one way to a cluster without a seal: a person runs it, without a daemon and without a journal, and it can only
//! undo what a stamp of ours is on. It must never make anything, nor set a value that was not there before us.

use std::collections::BTreeMap;

use paramedic_policies::action::Change;
use serde_json::Value;

use crate::ports::cluster::{ChangeError, Cluster, LookError};
use crate::ports::objects::{Address, ObjectChange, Resource};
use crate::stamp::{INTENT, MANAGED_BY, annotation};

mod marks;
mod rounds;
#[cfg(test)]
mod tests;

pub(crate) use marks::Known;
pub use marks::Left;
pub use rounds::{Swept, sweep_in_rounds, wanted};

/// What is looked through, in the order in which it is cleaned: a freeze ends with its binding, so that no policy is ever
/// without the objects that it needs; pods are let go before the wall around them is taken down; Jobs are last, since somebody may still read their logs.
const RESOURCES: [Resource; 19] = [
    crate::freeze_deploys::BINDINGS,
    crate::freeze_deploys::POLICIES,
    crate::pods::PODS,
    Resource::namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource::namespaced("networking.k8s.io", "v1", "ingresses", "Ingress"),
    Resource::namespaced("", "v1", "services", "Service"),
    Resource::namespaced("", "v1", "configmaps", "ConfigMap"),
    crate::ports::objects::AUTOSCALERS,
    crate::ports::objects::DEPLOYMENTS,
    Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet"),
    Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet"),
    crate::ports::objects::ROLLOUTS,
    Resource::of_cluster("", "v1", "nodes", "Node"),
    Resource::namespaced("batch", "v1", "cronjobs", "CronJob"),
    Resource::namespaced("argoproj.io", "v1alpha1", "appprojects", "AppProject"),
    Resource::namespaced("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization"),
    Resource::namespaced("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease"),
    Resource::namespaced("cert-manager.io", "v1", "certificates", "Certificate"),
    Resource::namespaced("batch", "v1", "jobs", "Job"),
];

/// The field manager of what is put back. It carries no stamp.
pub const MANAGER: &str = "paramedic-cleanup";

/// Something of ours on an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The object.
    pub at: Address,
    /// The intent that left it, by its stamp.
    pub stamp: String,
    /// What becomes of it.
    pub does: Does,
}

/// What becomes of a trace.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// The object is ours altogether, and is removed; or fields of it are put back.
    Sweep(Sweep),
    /// Nothing, and why.
    Leave(Left),
}

/// A request that takes away what a stamp is on. Only this module makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep(ObjectChange);

impl Sweep {
    /// What it changes, for people.
    pub fn fields(&self) -> Vec<Change> {
        let change = |field: crate::ports::objects::Field| Change {
            path: field.path,
            before: field.before,
            after: field.after,
        };
        self.0.fields().into_iter().map(change).collect()
    }

    /// Whether the whole object goes.
    pub fn removes(&self) -> bool {
        matches!(self.0, ObjectChange::Delete { .. })
    }

    pub(crate) fn request(&self) -> &ObjectChange {
        &self.0
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traces {
    /// What was found, in the order in which it is to be cleaned.
    pub found: Vec<Trace>,
    /// What could not be looked through, and why.
    pub unseen: Vec<String>,
}

/// Those of these namespaces that are not there: a slip in a name would pass for a clean one. What may not be asked is no
/// slip.
pub async fn missing(cluster: &dyn Cluster, namespaces: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for name in namespaces {
        if let Ok(None) = cluster.get(&crate::pods::NAMESPACES.named("", name)).await {
            missing.push(name.clone());
        }
    }
    missing
}

/// Looks through a cluster, or some of its namespaces (all where none is named).
pub async fn traces(cluster: &dyn Cluster, namespaces: &[String]) -> Traces {
    let mut traces = Traces::default();
    for resource in RESOURCES {
        // Of what belongs to the whole cluster, only a freeze says which namespaces it is about.
        let is_freeze =
            [crate::freeze_deploys::BINDINGS, crate::freeze_deploys::POLICIES].contains(&resource);
        if !namespaces.is_empty() && !resource.namespaced && !is_freeze {
            continue;
        }
        let everywhere = [String::new()];
        let within = if resource.namespaced && !namespaces.is_empty() { namespaces } else { &everywhere };
        for namespace in within {
            match cluster.list(resource, namespace, "").await {
                Ok(objects) => {
                    let found = objects.iter().flat_map(|object| of(resource, object, namespaces));
                    traces.found.extend(found);
                }
                // The server does not know it.
                Err(LookError::Absent { .. }) => {}
                Err(error) => traces.unseen.push(error.to_string()),
            }
        }
    }
    traces
}

/// What of ours is on an object.
fn of(resource: Resource, object: &Value, namespaces: &[String]) -> Vec<Trace> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let at = resource.named(text("/metadata/namespace"), text("/metadata/name"));
    if is_ours(object) && marks::is_elsewhere(object, namespaces) {
        return Vec::new();
    }
    if is_ours(object) {
        let stamp = annotation(object, INTENT).unwrap_or_default().to_owned();
        let does = match marks::keeps(resource, object, namespaces) {
            Some(left) => Does::Leave(left),
            None => Does::Sweep(Sweep(ObjectChange::Delete {
                at: at.clone(),
                uid: text("/metadata/uid").to_owned(),
                version: Some(text("/metadata/resourceVersion").to_owned()),
            })),
        };
        return vec![Trace { at, stamp, does }];
    }
    let mut found = Vec::new();
    for (stamp, does) in marks::on(&at, object) {
        found.push(Trace { at: at.clone(), stamp, does });
    }
    found
}

/// Whether an object is ours altogether: what we make carries both.
fn is_ours(object: &Value) -> bool {
    let (label, by) = MANAGED_BY;
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(label)).is_some_and(|is| is == by)
        && annotation(object, INTENT).is_some()
}

/// What became of a trace that was cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It is gone.
    Done,
    /// Somebody changed it since the look, or the server refuses; nothing was done.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// Cleans one thing after the other; `told` is called for each. What depends on what could not be removed is left.
pub async fn sweep(
    traces: &[Trace],
    send: impl AsyncFn(&Sweep) -> Result<(), ChangeError>,
    mut told: impl FnMut(&Trace, &Came),
) {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for trace in traces {
        let Does::Sweep(sweep) = &trace.does else { continue };
        let came =
            match kept.get(&trace.at.name).filter(|_| trace.at.resource == crate::freeze_deploys::POLICIES) {
                Some(problem) => Came::Refused(format!("its binding is still there: {problem}")),
                None => match send(sweep).await {
                    Ok(()) => Came::Done,
                    Err(
                        error @ (ChangeError::Refused { .. }
                        | ChangeError::Forbidden { .. }
                        | ChangeError::NotSent { .. }),
                    ) => Came::Refused(error.to_string()),
                    Err(error @ ChangeError::NoAnswer { .. }) => Came::Unknown(error.to_string()),
                },
            };
        match &came {
            Came::Refused(problem) | Came::Unknown(problem)
                if trace.at.resource == crate::freeze_deploys::BINDINGS =>
            {
                kept.insert(trace.at.name.clone(), problem.clone());
            }
            Came::Done | Came::Refused(_) | Came::Unknown(_) => {}
        }
        told(trace, &came);
    }
}
