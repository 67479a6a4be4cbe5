//! What an update strategy does to pods: how many a rolling update may take away at once, and whether it moves any.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How many pods of a Deployment may be away at once.
pub(super) fn deployment_unavailable(object: &Deployment) -> u32 {
    let Some(spec) = &object.spec else { return 0 };
    let replicas = count(spec.replicas.unwrap_or(1));
    let strategy = spec.strategy.clone().unwrap_or_default();
    if strategy.type_.as_deref() == Some("Recreate") {
        return replicas;
    }
    let rolling = strategy.rolling_update.unwrap_or_default();
    let quarter = IntOrString::String("25%".into());
    let away = share(rolling.max_unavailable.as_ref().unwrap_or(&quarter), replicas, Round::Down);
    let more = share(rolling.max_surge.as_ref().unwrap_or(&quarter), replicas, Round::Up);
    // The controller takes one where both come to nothing.
    if away == 0 && more == 0 { replicas.min(1) } else { away.min(replicas) }
}

/// How many pods of a StatefulSet.
pub(super) fn stateful_set_unavailable(object: &StatefulSet) -> u32 {
    let Some(spec) = &object.spec else { return 0 };
    let replicas = count(spec.replicas.unwrap_or(1));
    let rolling = spec.update_strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let away = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    away.map_or(1, |away| share(away, replicas, Round::Up).max(1)).min(replicas)
}

/// How many pods of a DaemonSet.
pub(super) fn daemon_set_unavailable(object: &DaemonSet) -> u32 {
    let pods = count(object.status.as_ref().map_or(0, |status| status.desired_number_scheduled));
    let strategy = object.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.clone()).unwrap_or_default();
    let more = rolling.max_surge.as_ref().map_or(0, |surge| share(surge, pods, Round::Up));
    let away = rolling.max_unavailable.as_ref().map(|away| share(away, pods, Round::Up));
    if more > 0 { away.unwrap_or(0) } else { away.unwrap_or(1).max(1) }.min(pods)
}

/// Why a StatefulSet would move no pod.
pub(super) fn stateful_set_immovable(object: &StatefulSet) -> Option<String> {
    let spec = object.spec.as_ref()?;
    let strategy = spec.update_strategy.as_ref()?;
    if strategy.type_.as_deref() == Some("OnDelete") {
        return Some("OnDelete".into());
    }
    let (partition, replicas) = (partition(object), spec.replicas.unwrap_or(1));
    // Below the partition the pods stay, so those would not be restarted and nobody would notice.
    (partition > 0).then(|| format!("partition {partition} of {replicas} replicas"))
}

/// Why a DaemonSet would move no pod.
pub(super) fn daemon_set_immovable(object: &DaemonSet) -> Option<String> {
    let strategy = object.spec.as_ref()?.update_strategy.as_ref()?;
    (strategy.type_.as_deref() == Some("OnDelete")).then(|| "OnDelete".into())
}

/// A StatefulSet's partition, 0 where it has none.
pub(super) fn partition(object: &StatefulSet) -> i32 {
    let strategy = object.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition).unwrap_or(0)
}

/// A number of pods; what is below zero is none.
pub(super) fn count(pods: i32) -> u32 {
    u32::try_from(pods).unwrap_or(0)
}

#[derive(Clone, Copy)]
enum Round {
    Up,
    Down,
}

/// A number, or a share of all in percent. What cannot be read counts as all of them.
fn share(amount: &IntOrString, of: u32, round: Round) -> u32 {
    match amount {
        IntOrString::Int(number) => count(*number),
        IntOrString::String(text) => match text.trim_end_matches('%').parse::<u32>() {
            Ok(percent) => {
                let hundredths = u64::from(percent) * u64::from(of);
                let whole = match round {
                    Round::Up => hundredths.div_ceil(100),
                    Round::Down => hundredths / 100,
                };
                u32::try_from(whole).unwrap_or(of)
            }
            Err(_) => of,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(replicas: i32, strategy: Value) -> Deployment {
        serde_json::from_value(
            json!({"spec": {"replicas": replicas, "selector": {}, "template": {}, "strategy": strategy}}),
        )
        .expect("a Deployment")
    }

    #[test]
    fn a_deployments_share_is_rounded_as_its_controller_rounds() {
        let rolling =
            |away: Value, more: Value| json!({"rollingUpdate": {"maxUnavailable": away, "maxSurge": more}});
        for (replicas, strategy, away) in [
            (10, json!({}), 2),
            (3, json!({}), 0),
            (3, rolling(json!("50%"), json!(0)), 1),
            (3, rolling(json!("10%"), json!("0%")), 1),
            (3, rolling(json!(2), json!(1)), 2),
            (3, rolling(json!(9), json!(1)), 3),
            (4, json!({"type": "Recreate"}), 4),
        ] {
            assert_eq!(
                deployment_unavailable(&deployment(replicas, strategy.clone())),
                away,
                "{replicas} {strategy}"
            );
        }
    }

    #[test]
    fn a_partition_or_on_delete_moves_no_pod() {
        let set = |strategy: Value| -> StatefulSet {
            serde_json::from_value(json!({"spec": {
                "replicas": 3, "selector": {}, "template": {}, "serviceName": "db", "updateStrategy": strategy,
            }}))
            .expect("a StatefulSet")
        };
        assert_eq!(stateful_set_immovable(&set(json!({"type": "OnDelete"}))).as_deref(), Some("OnDelete"));
        let partitioned = set(json!({"rollingUpdate": {"partition": 2}}));
        assert_eq!(stateful_set_immovable(&partitioned).as_deref(), Some("partition 2 of 3 replicas"));
        assert_eq!(stateful_set_immovable(&set(json!({}))), None);
    }
}
