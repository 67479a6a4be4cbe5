//! How far a rollout is, judged by `observedGeneration` and updated replicas: neither a 200 nor "available" says that
//! the pods are the new ones.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};

use super::strategies::partition;
use crate::ports::cluster::Rollout;

/// A Deployment's.
pub(super) fn of_deployment(object: &Deployment) -> Rollout {
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = object.status.clone().unwrap_or_default();
    let (all, updated) = (status.replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    let available = status.available_replicas.unwrap_or(0);
    let is_seen = status.observed_generation >= object.metadata.generation;
    let is_stuck =
        status.conditions.iter().flatten().any(|one| {
            one.type_ == "Progressing" && one.reason.as_deref() == Some("ProgressDeadlineExceeded")
        });
    let under_way = !is_seen || updated < wanted || all > updated;
    Rollout {
        complete: !under_way && available >= wanted,
        under_way,
        stuck: is_seen && is_stuck,
        detail: detail(is_seen, wanted, updated, available),
    }
}

/// A StatefulSet's.
pub(super) fn of_stateful_set(object: &StatefulSet) -> Rollout {
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = object.status.clone().unwrap_or_default();
    let is_seen = status.observed_generation >= object.metadata.generation;
    // Once a rollout is over, the server counts in `currentReplicas` what it counted in `updatedReplicas`.
    let is_one_revision = status.current_revision == status.update_revision;
    let updated = if is_one_revision { status.replicas } else { status.updated_replicas.unwrap_or(0) };
    let available = status.available_replicas.unwrap_or(0);
    let to_update = wanted.saturating_sub(partition(object));
    let under_way = !is_seen || status.replicas != wanted || updated < to_update;
    Rollout {
        complete: !under_way && available >= wanted && (is_one_revision || partition(object) > 0),
        under_way,
        stuck: false,
        detail: detail(is_seen, wanted, updated, available),
    }
}

/// A DaemonSet's.
pub(super) fn of_daemon_set(object: &DaemonSet) -> Rollout {
    let status = object.status.clone().unwrap_or_default();
    let wanted = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or(0);
    let available = status.number_available.unwrap_or(0);
    let is_seen = status.observed_generation >= object.metadata.generation;
    let under_way = !is_seen || updated < wanted;
    Rollout {
        complete: !under_way && available >= wanted,
        under_way,
        stuck: false,
        detail: detail(is_seen, wanted, updated, available),
    }
}

/// Of a scale subresource, which knows numbers only.
pub(super) fn of_scale(wanted: i32, has: i32) -> Rollout {
    Rollout {
        complete: has == wanted,
        under_way: has != wanted,
        stuck: false,
        detail: format!("{has} of {wanted} replicas"),
    }
}

fn detail(is_seen: bool, wanted: i32, updated: i32, available: i32) -> String {
    let counts = format!("{updated} of {wanted} updated, {available} available");
    if is_seen { counts } else { format!("{counts}, the newest spec not yet seen by its controller") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_rolls_until_its_old_pods_are_gone() {
        for (status, complete, under_way) in [
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
                true,
                false,
            ),
            (
                json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
                false,
                true,
            ),
            (
                json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}),
                false,
                true,
            ),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}),
                false,
                true,
            ),
            // A pod crashes: no rollout, and what a restart is for.
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}),
                false,
                false,
            ),
            (json!({}), false, true),
        ] {
            let object: Deployment = serde_json::from_value(json!({
                "metadata": {"generation": 2},
                "spec": {"replicas": 3, "selector": {}, "template": {}},
                "status": status,
            }))
            .expect("a Deployment");
            let rollout = of_deployment(&object);
            assert_eq!(
                (rollout.complete, rollout.under_way),
                (complete, under_way),
                "{status}: {}",
                rollout.detail
            );
        }
    }

    #[test]
    fn a_stateful_set_rolls_down_to_its_partition() {
        for (partition, status, complete, under_way) in [
            (0, json!({"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}), false, true),
            (0, json!({"currentRevision": "b", "updateRevision": "b"}), true, false),
            (2, json!({"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}), true, false),
            (2, json!({"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 0}), false, true),
        ] {
            let mut status = status;
            status["observedGeneration"] = json!(2);
            status["replicas"] = json!(3);
            status["availableReplicas"] = json!(3);
            let object: StatefulSet = serde_json::from_value(json!({
                "metadata": {"generation": 2},
                "spec": {"replicas": 3, "selector": {}, "template": {}, "serviceName": "db",
                         "updateStrategy": {"rollingUpdate": {"partition": partition}}},
                "status": status,
            }))
            .expect("a StatefulSet");
            let rollout = of_stateful_set(&object);
            assert_eq!((rollout.complete, rollout.under_way), (complete, under_way), "{status}");
        }
    }
}
