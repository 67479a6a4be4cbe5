//! Nodes of a test's own, which kwok plays. A drain looks at all nodes of the cluster, so that whoever takes nodes out of
//! service here does it alone.

use std::time::Duration;

use paramedic_tests::control_plane::Namespace;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

static NODES: Mutex<()> = Mutex::const_new(());

/// Nobody else takes nodes out of service while this is held.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    NODES.lock().await
}

static NETWORK: Mutex<()> = Mutex::const_new(());

/// Nobody else makes the cluster look as if its network enforced NetworkPolicies, or asks whether it does.
pub(crate) async fn network() -> MutexGuard<'static, ()> {
    NETWORK.lock().await
}

/// A ready node that only the pods of its pool come to.
pub(crate) async fn node(shop: &Namespace, name: &str, pool: &str) {
    // The label that a kubelet sets, and by which pods are spread.
    let labels = json!({"pool": pool, "kubernetes.io/hostname": name});
    shop.apply(json!({"kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [{"key": "pool", "value": pool, "effect": "NoSchedule"}]}}))
        .await;
    takes_pods(shop, name).await;
}

/// Waits until a node is ready, and has no taint but that of its pool: that of a cordon goes a while after the cordon.
pub(crate) async fn takes_pods(shop: &Namespace, name: &str) {
    eventually(Duration::from_secs(60), "the node takes pods", async || {
        let node = shop.get("Node", name).await;
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
        let taints = node["spec"]["taints"].as_array().map_or(0, Vec::len);
        seen(ready && taints == 1, || node["spec"].to_string())
    })
    .await;
}

/// What makes the pods of a workload run on the nodes of a pool, spread over them.
pub(crate) fn only_on(pool: &str) -> Value {
    json!({"spec": {"template": {"spec": {
        "nodeSelector": {"pool": pool},
        "tolerations": [{"key": "pool", "operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}}}],
    }}}})
}
