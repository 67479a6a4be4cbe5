//! Our marks on objects, one kind after the other: whole objects, entries in a list, fields with their old values, stamps
//! alone, field managers.

use serde_json::{Value, json};

use super::{Does, Sweep};
use crate::drain_node::cordon;
use crate::freeze_deploys::{self, NAMESPACES};
use crate::pods::PODS;
use crate::ports::objects::{Address, DEPLOYMENTS, Field, ObjectChange, Resource, escaped, remove, test};
use crate::stamp::{CORRELATION, INTENT, UNTIL, annotation};
use crate::{block_ip, patch, quarantine};

/// Why something is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// In words.
    pub why: String,
    /// Whether it has an effect; a mark alone has none.
    pub matters: bool,
}

impl Left {
    fn matters(why: impl Into<String>) -> Self {
        Self { why: why.into(), matters: true }
    }
}

/// The managers that Kubernetes itself writes by, on what is ours too.
const OF_THE_CLUSTER: [&str; 3] = ["kube-controller-manager", "kube-apiserver", "kube-scheduler"];

/// Whether an object is about other namespaces alone than those that are to be cleaned.
pub(super) fn is_elsewhere(object: &Value, namespaces: &[String]) -> bool {
    let frozen = annotation(object, NAMESPACES).filter(|_| !namespaces.is_empty());
    frozen.is_some_and(|frozen| !frozen.split(',').any(|name| namespaces.iter().any(|wanted| wanted == name)))
}

/// Why an object that is ours altogether is not removed.
pub(super) fn keeps(resource: Resource, object: &Value, namespaces: &[String]) -> Option<Left> {
    if let Some(frozen) = annotation(object, NAMESPACES).filter(|_| !namespaces.is_empty()) {
        let others: Vec<&str> =
            frozen.split(',').filter(|name| !namespaces.iter().any(|wanted| wanted == name)).collect();
        if !others.is_empty() {
            return Some(Left::matters(format!(
                "it freezes {} too; name those namespaces as well, or none",
                others.join(", ")
            )));
        }
    }
    if let Some(other) = changed_by(object) {
        return Some(Left::matters(format!("{other} has changed it since paramedic made it")));
    }
    let is = |pointer: &str| object.pointer(pointer).and_then(Value::as_array);
    let ended = is("/status/conditions").into_iter().flatten().any(|one| {
        ["Complete", "Failed"].iter().any(|wanted| one.get("type").is_some_and(|is| is == wanted))
            && one.get("status").is_some_and(|is| is == "True")
    });
    (resource.kind == "Job" && !ended)
        .then(|| Left::matters("it is still running; clean up again once it has ended"))
}

/// Who else wrote to an object, beside its status.
fn changed_by(object: &Value) -> Option<&str> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().find_map(|entry| {
        let manager = entry.get("manager")?.as_str()?;
        let is_status = entry.get("subresource").is_some_and(|sub| sub == "status");
        let is_known = manager.starts_with("paramedic-") || OF_THE_CLUSTER.contains(&manager);
        (!is_status && !is_known).then_some(manager)
    })
}

/// What of ours is on an object that is not ours.
pub(super) fn on(at: &Address, object: &Value) -> Vec<(String, Does)> {
    let mut found = Vec::new();
    if let Some(listed) = block_ip::left(at, object) {
        found.push(told(listed));
    }
    found.extend(patch::left(at, object).into_iter().map(told));
    let one = [freeze_deploys::left(at, object), quarantine::left(at, object), cordon::left(at, object)];
    found.extend(one.into_iter().flatten().map(told));
    let stamp = annotation(object, INTENT);
    if let (Some(stamp), true) = (stamp, found.is_empty() && !is_inherited(at, object)) {
        found.push((stamp.to_owned(), stamped(at, object, stamp)));
    }
    found.extend(template(object));
    found.extend(numbers(at, object));
    found
}

/// What a remediation knows of its own marks: a stamp, and the change that takes them away, or why not.
pub(crate) type Known = (String, Result<ObjectChange, String>);

fn told((stamp, known): Known) -> (String, Does) {
    let does = match known {
        Ok(change) => Does::Sweep(Sweep(change)),
        Err(why) => Does::Leave(Left::matters(why)),
    };
    (stamp, does)
}

/// A pod that a controller made has the annotations of its template, at which the stamp is told.
fn is_inherited(at: &Address, object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    at.resource.kind == PODS.kind
        && owners.into_iter().flatten().any(|owner| owner.get("controller").is_some_and(|is| is == true))
}

/// A stamp without anything that says what was there before.
fn stamped(at: &Address, object: &Value, stamp: &str) -> Does {
    // Whoever made a drained node schedulable again has left our notes on it.
    let is_given_back = at.resource == cordon::NODES && annotation(object, cordon::DRAINING_UNTIL).is_some();
    if at.resource != DEPLOYMENTS && !is_given_back {
        return Does::Leave(Left::matters(format!(
            "intent {stamp} changed it, and nothing on it says what was there before; look it up in the audit, and take \
             the annotation {INTENT} away once it is as it should be"
        )));
    }
    // A rollback: its template is a revision of the Deployment's own.
    Does::Sweep(Sweep(unstamped(at, object)))
}

/// The stamp goes, everything else stays.
fn unstamped(at: &Address, object: &Value) -> ObjectChange {
    let mut operations = vec![
        test("/metadata/uid", object["metadata"]["uid"].clone()),
        test("/metadata/resourceVersion", object["metadata"]["resourceVersion"].clone()),
    ];
    let mut fields = Vec::new();
    for name in [INTENT, UNTIL, cordon::DRAINING_UNTIL, CORRELATION] {
        let Some(before) = annotation(object, name) else { continue };
        let pointer = format!("/metadata/annotations/{}", escaped(name));
        operations.extend([test(&pointer, json!(before)), remove(&pointer)]);
        let path = format!("metadata.annotations[\"{name}\"]");
        fields.push(Field { path, pointer: String::new(), before: before.to_owned(), after: "-".into() });
    }
    ObjectChange::Patch { at: at.clone(), subresource: None, operations, fields }
}

/// The stamp of a restart. Taking it off a pod template would roll its pods once more.
fn template(object: &Value) -> Option<(String, Does)> {
    let annotations = object.pointer("/spec/template/metadata/annotations")?;
    let stamp = annotations.get(INTENT)?.as_str()?.to_owned();
    let why = "a restart left its stamp on the pod template: it does nothing, and taking it off would roll the pods";
    Some((stamp, Does::Leave(Left { why: why.into(), matters: false })))
}

/// Numbers that a scale has set: the one before is nowhere.
fn numbers(at: &Address, object: &Value) -> Vec<(String, Does)> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut found = Vec::new();
    for entry in entries.into_iter().flatten() {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or_default();
        let Some(stamp) = manager.strip_prefix("paramedic-").filter(|_| manager != super::MANAGER) else {
            continue;
        };
        for (field, key) in [("f:replicas", "replicas"), ("f:minReplicas", "minReplicas")] {
            if entry.pointer("/fieldsV1/f:spec").is_some_and(|spec| spec.get(field).is_some()) {
                let value = object.pointer(&format!("/spec/{key}")).map_or("-".into(), Value::to_string);
                let why = format!(
                    "intent {stamp} set spec.{key} of {at} to {value}, and the number before is nowhere on the object: set \
                     what is right"
                );
                found.push((stamp.to_owned(), Does::Leave(Left::matters(why))));
            }
        }
    }
    found
}
