//! That the control plane of the tests behaves as a cluster does where our remediations depend on it.

use std::time::Duration;

use paramedic_tests::control_plane::{ControlPlane, User, ready_replicas};
use paramedic_tests::waiting::{eventually, seen, stays};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_deployment_of_four_rolls_out_on_three_nodes() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("rollout").await;
    shop.deployment("web", 4).await;
    let nodes: std::collections::BTreeSet<String> = shop
        .pods("web")
        .await
        .values()
        .filter_map(|pod| Some(pod.pointer("/spec/nodeName")?.as_str()?.to_string()))
        .collect();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
}

#[tokio::test]
async fn a_restart_replaces_every_pod() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("restart").await;
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let name = kind.to_lowercase();
        shop.workload(kind, &name, 3, json!({})).await;
        let before = shop.pods(&name).await;
        assert_eq!(before.len(), 3, "{kind}");
        let stamp = json!({"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}});
        shop.patch(kind, &name, stamp).await;
        shop.rolled_out(kind, &name).await;
        let uid = |pod: &Value| pod.pointer("/metadata/uid").cloned();
        let after = shop.pods(&name).await;
        assert_eq!(after.len(), 3, "{kind}");
        assert!(after.values().all(|new| before.values().all(|old| uid(old) != uid(new))), "{kind}");
    }
}

#[tokio::test]
async fn a_bad_image_never_becomes_ready() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("bad-image").await;
    shop.deployment("web", 2).await;
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "registry.example/shop/web:bad"}]}}}});
    shop.patch("Deployment", "web", image).await;
    let waiting = "/status/containerStatuses/0/state/waiting/reason";
    eventually(SOON, "a pod that cannot pull its image", async || {
        let pods = shop.pods("web").await;
        let reasons: Vec<&Value> = pods.values().filter_map(|pod| pod.pointer(waiting)).collect();
        seen(reasons == [&json!("ImagePullBackOff")], || format!("{reasons:?}"))
    })
    .await;
    let stuck = async || {
        let web = shop.get("Deployment", "web").await;
        let updated = web.pointer("/status/updatedReplicas").cloned();
        seen(updated == Some(json!(1)) && ready_replicas(&web) == 2, || web["status"].to_string())
    };
    // The Deployment's status comes after its pods'.
    eventually(SOON, "one new pod that is not ready beside the old ones", stuck).await;
    stays(Duration::from_secs(1), "one new pod that is not ready beside the old ones", stuck).await;
}

#[tokio::test]
async fn a_pod_fails_and_recovers_by_annotation() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("failing").await;
    shop.deployment("web", 3).await;
    let pods = shop.pods("web").await;
    let pod = pods.keys().next().expect("there are three");
    shop.annotate_pod(pod, "tests.paramedic.dev/fails", Some("true")).await;
    shop.becomes("Deployment", "web", "/status/unavailableReplicas", json!(1)).await;
    shop.annotate_pod(pod, "tests.paramedic.dev/fails", None).await;
    shop.rolled_out("Deployment", "web").await;
    assert_eq!(shop.pods("web").await.keys().collect::<Vec<_>>(), pods.keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_late_pod_is_not_ready_before_its_time() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("late").await;
    let late = json!({"tests.paramedic.dev/ready-after": "2s"});
    let change = json!({"spec": {"template": {"metadata": {"annotations": late}}}});
    let begun = std::time::Instant::now();
    shop.workload("Deployment", "web", 1, change).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_autoscaler_raises_a_workload_to_its_minimum() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("autoscaler").await;
    shop.deployment("web", 1).await;
    shop.apply(json!({
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 3,
            "maxReplicas": 5,
        },
    }))
    .await;
    shop.becomes("Deployment", "web", "/spec/replicas", json!(3)).await;
    shop.rolled_out("Deployment", "web").await;
}

#[tokio::test]
async fn a_disruption_budget_counts_what_it_allows() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("budget").await;
    shop.deployment("web", 3).await;
    shop.apply(json!({
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    }))
    .await;
    shop.becomes("PodDisruptionBudget", "web", "/status/disruptionsAllowed", json!(1)).await;
}

#[tokio::test]
async fn each_user_may_do_what_it_should() {
    let Some(cluster) = ControlPlane::shared().await else {
        return;
    };
    let shop = cluster.namespace("users").await;
    shop.deployment("web", 1).await;
    let label = json!({"metadata": {"labels": {"touched": "yes"}}});
    for user in [User::Deployer, User::BreakGlass, User::Paramedic] {
        let theirs = shop.seen_by(cluster.client(user).await);
        theirs.patch("Deployment", "web", label.clone()).await;
    }
    let daemons = shop.seen_by(cluster.client(User::Paramedic).await);
    let refused = daemons.try_apply(json!({"kind": "ConfigMap", "metadata": {"name": "x"}})).await;
    let error = refused.expect_err("the daemon may not write ConfigMaps").to_string();
    assert!(error.contains("system:serviceaccount:paramedic:paramedic"), "{error}");
}

#[tokio::test]
async fn an_api_server_that_was_stopped_comes_back_with_its_data() {
    let Some(mut cluster) = ControlPlane::own().await else { return };
    let shop = cluster.namespace("outage").await;
    let uid = shop.deployment("web", 2).await.pointer("/metadata/uid").cloned();
    cluster.stop_api_server();
    let gone = shop.try_apply(json!({"kind": "ConfigMap", "metadata": {"name": "x"}})).await;
    assert!(gone.is_err(), "{gone:?}");
    cluster.start_api_server().await;
    let web = shop.rolled_out("Deployment", "web").await;
    assert_eq!(web.pointer("/metadata/uid").cloned(), uid);
    let stamp = json!({"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}});
    shop.patch("Deployment", "web", stamp).await;
    shop.rolled_out("Deployment", "web").await;
}
