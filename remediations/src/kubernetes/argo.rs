//! Rollouts of Argo Rollouts as workloads: how far one is, by what its controller says, and a restart by `spec.restartAt`,
//! which evicts its pods a few at a time. Never touches the pod template: that would begin a canary.

use kube::Client;
use kube::api::DynamicObject;
use paramedic_policies::remediation::abort_rollout;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::calls::get;
use super::kinds::Kind;
use crate::ports::cluster::{LookError, Rollout};
use crate::ports::objects::{Field, add, escaped, remove, test};
use crate::stamp;

/// The kind as targets name it.
pub(super) const KIND: &str = abort_rollout::KIND;

/// How far it is: only its controller knows its steps.
pub(super) fn rollout(object: &DynamicObject) -> Rollout {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    // A number as text, says its controller.
    let observed = text("/status/observedGeneration").parse::<i64>().ok();
    let is_seen = observed.is_some() && observed >= object.metadata.generation;
    let phase = text("/status/phase");
    let is_restarting = restart_is_due(&object.data);
    let mut detail =
        if phase.is_empty() { "its controller has said nothing yet".into() } else { phase.to_owned() };
    if let (message, true) = (text("/status/message"), !text("/status/message").is_empty()) {
        detail.push_str(&format!(": {message}"));
    }
    if is_restarting {
        detail.push_str(", its pods are being restarted");
    }
    if !is_seen {
        detail.push_str(", the newest spec not yet seen by its controller");
    }
    Rollout {
        complete: is_seen && phase == "Healthy" && !is_restarting,
        under_way: !is_seen || is_restarting || !["Healthy", "Degraded"].contains(&phase),
        stuck: is_seen && phase == "Degraded",
        detail,
    }
}

/// Whether its controller has not yet done the restart that its spec asks for.
fn restart_is_due(object: &Value) -> bool {
    let time = |pointer: &str| object.pointer(pointer)?.as_str()?.parse::<Moment>().ok();
    match (time("/spec/restartAt"), time("/status/restartedAt")) {
        (Some(wanted), done) => done != Some(wanted),
        (None, _) => false,
    }
}

/// How many pods its controller takes away at once: what the canary allows, and one at least.
pub(super) fn max_unavailable(object: &Value, replicas: u32) -> u32 {
    let percent = |share: u32| replicas.saturating_mul(share) / 100;
    let written = object.pointer("/spec/strategy/canary/maxUnavailable");
    let least = match written {
        Some(Value::Number(number)) => {
            number.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(1)
        }
        Some(Value::String(text)) => text.trim_end_matches('%').parse().map_or(1, percent),
        _ => percent(25),
    };
    least.max(1)
}

/// A restart, ready to be sent to this path.
pub(super) struct Restart {
    pub(super) resource: String,
    pub(super) operations: Vec<Value>,
    pub(super) fields: Vec<Field>,
    /// What the object was when it was read.
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
}

/// A restart at that moment. Whole seconds: its controller notes no finer time, and would never be done with one.
pub(super) async fn restart(
    client: &Client,
    target: &Target,
    at: Moment,
    stamp: &str,
    correlation: Option<&str>,
) -> Result<Restart, LookError> {
    let what = target.to_string();
    let kind = Kind::of(client, target).await?;
    let Kind::Other(api) = &kind else { return Err(LookError::Absent { what }) };
    let object: DynamicObject = get(api, &target.name, &what).await?;
    let at = Moment::from_unix_ms(at.unix_ms() / 1000 * 1000).to_string().replace(".000Z", "Z");
    let uid = object.metadata.uid.clone();
    let generation = object.metadata.generation;
    let mut operations =
        vec![test("/metadata/uid", json!(uid)), test("/metadata/generation", json!(generation))];
    // The spec has not changed since; an annotation that somebody has set in between is overwritten where it is ours.
    if object.metadata.annotations.is_none() {
        operations.push(add("/metadata/annotations", json!({})));
    }
    let annotations = object.metadata.annotations.unwrap_or_default();
    let note = |name: &str| format!("/metadata/annotations/{}", escaped(name));
    operations.push(add(&note(stamp::INTENT), json!(stamp)));
    match correlation {
        Some(correlation) => operations.push(add(&note("paramedic.dev/correlation"), json!(correlation))),
        None if annotations.contains_key("paramedic.dev/correlation") => {
            operations.push(remove(&note("paramedic.dev/correlation")));
        }
        None => {}
    }
    operations.push(add("/spec/restartAt", json!(at)));
    let before = object.data.pointer("/spec/restartAt").and_then(Value::as_str).unwrap_or("-").to_owned();
    let field = Field { path: "spec.restartAt".into(), pointer: "/spec/restartAt".into(), before, after: at };
    Ok(Restart { resource: kind.path(), operations, fields: vec![field], uid, generation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout_of(object: Value) -> Rollout {
        rollout(&serde_json::from_value(object).expect("a Rollout"))
    }

    #[test]
    fn a_rollout_is_as_far_as_its_controller_says() {
        let of = |observed: &str, phase: &str, spec: Value, status: Value| {
            let mut object = json!({"metadata": {"generation": 3}, "spec": spec, "status": status});
            object["status"]["observedGeneration"] = json!(observed);
            object["status"]["phase"] = json!(phase);
            let rollout = rollout_of(object);
            (rollout.complete, rollout.under_way, rollout.stuck)
        };
        let due = json!({"restartAt": "2026-11-21T09:00:00Z"});
        let done = json!({"restartedAt": "2026-11-21T09:00:00Z"});
        assert_eq!(of("3", "Healthy", json!({}), json!({})), (true, false, false));
        assert_eq!(of("2", "Healthy", json!({}), json!({})), (false, true, false), "not seen yet");
        assert_eq!(of("3", "Paused", json!({}), json!({})), (false, true, false), "a canary waits");
        assert_eq!(of("3", "Degraded", json!({}), json!({})), (false, false, true));
        assert_eq!(of("3", "Healthy", due.clone(), json!({})), (false, true, false), "it is to restart");
        assert_eq!(of("3", "Healthy", due, done), (true, false, false));
        assert!(rollout_of(json!({"metadata": {"generation": 1}})).under_way);
        assert_eq!(max_unavailable(&json!({}), 2), 1);
        assert_eq!(
            max_unavailable(&json!({"spec": {"strategy": {"canary": {"maxUnavailable": "50%"}}}}), 10),
            5
        );
    }
}
