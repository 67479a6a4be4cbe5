//! The Job that an intent makes: the CronJob's own template, or the policy's in a pod that can do little. Never more
//! than one try where the policy has the template, and never without an end.

use paramedic_policies::remediation::run_job::{Action, JobTemplate};
use serde_json::{Map, Value, json};

use super::looked::{Looked, TARGET};
use crate::ports::objects::Address;
use crate::stamp::{INTENT, MANAGED_BY};

/// A finished Job stays to be read for a day, where its template says nothing else.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

pub(super) fn job(
    looked: &Looked,
    action: &Action,
    at: &Address,
    stamp: &str,
    correlation: Option<&str>,
) -> Value {
    let mut metadata = json!({
        "name": at.name,
        "namespace": at.namespace,
        "labels": {MANAGED_BY.0: MANAGED_BY.1},
        "annotations": {INTENT: stamp, TARGET: looked.target.to_string()},
    });
    if let Some(correlation) = correlation {
        metadata["annotations"]["paramedic.dev/correlation"] = json!(correlation);
    }
    let mut spec = match &action.wish.template {
        Some(template) => own(template),
        None => {
            copied(looked, "labels", &mut metadata);
            copied(looked, "annotations", &mut metadata);
            // As `kubectl create job --from` marks it.
            metadata["annotations"]["cronjob.kubernetes.io/instantiate"] = json!("manual");
            if keeps_history(looked) {
                metadata["ownerReferences"] = json!([owner(looked)]);
            }
            looked.object.pointer("/spec/jobTemplate/spec").cloned().unwrap_or_else(|| json!({}))
        }
    };
    let within = action.wish.within.ms() / 1000;
    let own_deadline = spec.get("activeDeadlineSeconds").and_then(Value::as_u64);
    spec["activeDeadlineSeconds"] = json!(own_deadline.map_or(within, |own| own.min(within)));
    if spec.get("ttlSecondsAfterFinished").is_none() {
        spec["ttlSecondsAfterFinished"] = json!(KEPT_SECONDS);
    }
    for list in ["initContainers", "containers"] {
        let containers = spec.pointer_mut(&format!("/template/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            set_parameters(container, action);
        }
    }
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

/// What the template wants on its Jobs; our own marks stay.
fn copied(looked: &Looked, what: &str, metadata: &mut Value) {
    let wanted =
        looked.object.pointer(&format!("/spec/jobTemplate/metadata/{what}")).and_then(Value::as_object);
    if let Some(Value::Object(has)) = metadata.get_mut(what) {
        for (key, value) in wanted.into_iter().flatten() {
            has.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// A CronJob that keeps none of its Jobs would remove ours before its end was read.
fn keeps_history(looked: &Looked) -> bool {
    let limits = ["/spec/successfulJobsHistoryLimit", "/spec/failedJobsHistoryLimit"];
    limits.iter().all(|limit| looked.object.pointer(limit).and_then(Value::as_u64) != Some(0))
}

/// So that the CronJob counts it among its Jobs, and its `status.lastSuccessfulTime` moves.
fn owner(looked: &Looked) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "name": looked.target.name, "uid": looked.uid,
        "controller": true,
    })
}

fn own(template: &JobTemplate) -> Value {
    let JobTemplate { image, command, args, service_account, secret } = template;
    let mut container = json!({
        "name": "main",
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    for (key, words) in [("command", command), ("args", args)] {
        if !words.is_empty() {
            container[key] = json!(words);
        }
    }
    if let Some(secret) = secret {
        container["envFrom"] = json!([{"secretRef": {"name": secret}}]);
    }
    let mut pod = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": service_account.is_some(),
        "enableServiceLinks": false,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    });
    if let Some(name) = service_account {
        pod["serviceAccountName"] = json!(name);
    }
    json!({"backoffLimit": 0, "template": {"metadata": {"labels": {MANAGED_BY.0: MANAGED_BY.1}}, "spec": pod}})
}

/// A parameter takes the place of a variable of the same name.
fn set_parameters(container: &mut Value, action: &Action) {
    let Some(container) = container.as_object_mut() else { return };
    set_in(container, action);
}

fn set_in(container: &mut Map<String, Value>, action: &Action) {
    let parameters = &action.wish.parameters;
    if parameters.is_empty() {
        return;
    }
    let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    env.retain(|one| {
        one.get("name").and_then(Value::as_str).is_none_or(|name| !parameters.contains_key(name))
    });
    // First, so that the template's own variables may refer to them.
    let ours = parameters.iter().map(|(name, value)| json!({"name": name, "value": value}));
    container.insert("env".into(), ours.chain(env).collect());
}
