//! What a look at the target of a patch shows. Changes nothing.

use std::collections::BTreeMap;

use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{Action, Place};
use paramedic_policies::target::Target;
use serde_json::Value;

use super::fields::path;
use crate::checks::Checks;
use crate::ports::cluster::{Cluster, LookError, Workload};
use crate::ports::objects::{Address, Resource};

pub(super) const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "configmaps", "ConfigMap");
const DEPLOYMENTS: Resource = Resource::namespaced("apps", "v1", "deployments", "Deployment");
const STATEFUL_SETS: Resource = Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet");
const DAEMON_SETS: Resource = Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet");
const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");
const INGRESSES: Resource = Resource::namespaced("networking.k8s.io", "v1", "ingresses", "Ingress");
pub(super) const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// The resource of a target's kind, where it is one that can be patched.
pub(crate) fn resource(kind: &str) -> Option<Resource> {
    Some(match kind {
        "Deployment" => DEPLOYMENTS,
        "StatefulSet" => STATEFUL_SETS,
        "DaemonSet" => DAEMON_SETS,
        "Service" => SERVICES,
        "ConfigMap" => CONFIG_MAPS,
        "Ingress.networking.k8s.io" => INGRESSES,
        _ => return None,
    })
}

/// The target and what stands around it.
pub(super) struct Looked {
    pub(super) at: Address,
    pub(super) uid: String,
    pub(super) object: Value,
    pub(super) namespace_annotations: BTreeMap<String, String>,
    /// Where its pods are rolled by the patch.
    pub(super) workload: Option<Workload>,
    /// Where traffic is sent elsewhere: to how many ready pods, and how many there must be.
    pub(super) ready: Option<(usize, usize)>,
}

impl Looked {
    /// The value of a field, where it is a text.
    pub(super) fn value(&self, place: &Place, key: &str) -> Option<&str> {
        path(place, key).value(&self.object)?.as_str()
    }

    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        texts(&self.object, "/metadata/annotations")
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        texts(&self.object, "/metadata/labels")
    }

    /// Never sends traffic to nobody.
    pub(super) fn enough_ready(&self, checks: &mut Checks) {
        let Some((ready, wanted)) = self.ready else { return };
        checks.note(if ready >= wanted {
            Ok(format!("{ready} ready pods meet the new selector, {wanted} are needed"))
        } else {
            let what = "place for the traffic to go";
            Err(Reason::TargetAbsent {
                what: format!("{what}: {ready} ready pods meet the new selector, {wanted} are needed"),
            })
        });
    }
}

/// The texts of a mapping.
pub(crate) fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let pairs = object.pointer(pointer).and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    pairs.into_iter().flatten().filter_map(text).collect()
}

/// What an action looks at.
pub(super) async fn of(cluster: &dyn Cluster, target: &Target, action: &Action) -> Result<Looked, LookError> {
    let selects = match &action.place {
        Place::Selector => {
            action.edits.iter().find_map(|(label, edit)| Some((label.clone(), edit.to.clone()?, 1)))
        }
        Place::Resources { .. } | Place::RateLimit | Place::Annotation | Place::Data => None,
    };
    look(cluster, target, &action.place, selects.as_ref()).await
}

/// Looks once; a label, its new value and the ready pods needed where a selector is changed.
pub(super) async fn look(
    cluster: &dyn Cluster,
    target: &Target,
    place: &Place,
    selects: Option<&(String, String, usize)>,
) -> Result<Looked, LookError> {
    let absent = || LookError::Absent { what: target.to_string() };
    let at = resource(&target.kind).ok_or_else(absent)?.named(&target.namespace, &target.name);
    let object = cluster.get(&at).await?.ok_or_else(absent)?;
    let namespace = cluster.get(&NAMESPACES.named("", &target.namespace)).await?;
    let workload = match place {
        Place::Resources { .. } => Some(cluster.look(target).await?),
        Place::RateLimit | Place::Selector | Place::Annotation | Place::Data => None,
    };
    let ready = match selects {
        Some((label, to, wanted)) => {
            let mut selector = texts(&object, "/spec/selector");
            selector.insert(label.clone(), to.clone());
            let selector: Vec<String> =
                selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let pods = cluster.list(PODS, &target.namespace, &selector.join(",")).await?;
            Some((pods.iter().filter(|pod| is_ready(pod)).count(), *wanted))
        }
        None => None,
    };
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let namespace_annotations =
        namespace.map(|namespace| texts(&namespace, "/metadata/annotations")).unwrap_or_default();
    Ok(Looked { at, uid, object, namespace_annotations, workload, ready })
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let is_true = |one: &Value| {
        one.get("type").is_some_and(|name| name == "Ready")
            && one.get("status").is_some_and(|is| is == "True")
    };
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.is_some_and(|all| all.iter().any(is_true))
}
