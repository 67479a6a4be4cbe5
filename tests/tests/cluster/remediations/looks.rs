//! Looking things up on the real API server: owners, endpoints, surroundings.

use std::time::Duration;

use paramedic_policies::answer::Found;
use paramedic_policies::question::Ask;
use paramedic_policies::target::{Origin, Sought};
use paramedic_remediations::ports::cluster::{Cluster, LookError};
use paramedic_tests::control_plane::{ControlPlane, NODES};
use paramedic_tests::waiting::eventually;
use serde_json::json;

use super::least::{Asks, any};
use super::stand::{asked, kubernetes, target, world};

const POLICIES: [Asks; 6] = [
    ("{from: {pod: '{{ labels.pod }}', namespace: NS}}", "[{restart: {}}]"),
    ("{from: {service: '{{ labels.service }}', namespace: NS}}", "[{restart: {}}]"),
    (
        "{from: {node: '{{ labels.node }}'}}",
        "[{resetBreaker: {breaker: none, endpoints: ['http://127.0.0.1:1']}}]",
    ),
    (any!("Deployment"), "[{restart: {}}]"),
    (any!("Service"), "[{resetBreaker: {breaker: none, port: http}}]"),
    (any!("Gadget.example.com"), "[{scale: {by: 1, max: 2}}]"),
];

#[tokio::test]
async fn a_pod_a_service_and_a_node_lead_to_what_is_meant() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("owners").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let sought = |origin: Origin, name: &str| Sought::OwnerOf {
        origin,
        namespace: shop.name.clone(),
        name: name.into(),
    };
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let name = kind.to_lowercase();
        shop.workload(kind, &name, 1, json!({})).await;
        let pods = shop.pods(&name).await;
        let pod = pods.keys().next().expect("there is one");
        let found = kubernetes.seek(&sought(Origin::Pod, pod)).await.expect("an owner");
        assert_eq!(found, target(&shop, kind, &name));
        let named = kubernetes.seek(&Sought::Named(found.clone())).await;
        assert_eq!(named.as_ref(), Ok(&found));
    }
    let service = |name: &str, selector: serde_json::Value| json!({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}});
    shop.apply(service("one", json!({"app": "deployment"}))).await;
    let found = kubernetes.seek(&sought(Origin::Service, "one")).await;
    assert_eq!(found, Ok(target(&shop, "Deployment", "deployment")));
    shop.apply(service("none", json!({"app": "nobody"}))).await;
    let none = kubernetes.seek(&sought(Origin::Service, "none")).await;
    assert!(matches!(none, Err(LookError::Absent { .. })), "{none:?}");
    let node = kubernetes.seek(&sought(Origin::Node, NODES[0])).await.expect("a node");
    assert_eq!((node.kind.as_str(), node.name.as_str()), ("Node", NODES[0]));
    for absent in [
        sought(Origin::Pod, "x"),
        Sought::Named(target(&shop, "Gadget", "x")),
        Sought::Named(target(&shop, "Gadget.example.com", "x")),
    ] {
        let found = asked(&world(&kubernetes), Ask::Seek { sought: absent.clone() }).await;
        assert!(matches!(found, Found::Absent { .. }), "{absent}: {found:?}");
    }
}

#[tokio::test]
async fn a_service_behind_two_workloads_leads_to_neither() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("two").await;
    let shared = json!({"spec": {"template": {"metadata": {"labels": {"tier": "front"}}}}});
    for name in ["blue", "green"] {
        shop.workload("Deployment", name, 1, shared.clone()).await;
    }
    let spec = json!({"selector": {"tier": "front"}, "ports": [{"port": 80}]});
    shop.apply(json!({"kind": "Service", "metadata": {"name": "front"}, "spec": spec})).await;
    let sought =
        Sought::OwnerOf { origin: Origin::Service, namespace: shop.name.clone(), name: "front".into() };
    let found = kubernetes(cluster, &shop, &POLICIES).await.seek(&sought).await.expect_err("two are meant");
    assert!(found.to_string().contains("blue") && found.to_string().contains("green"), "{found}");
}

#[tokio::test]
async fn a_services_ready_endpoints_are_found_by_port_name_and_number() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("endpoints").await;
    shop.deployment("web", 2).await;
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090}]);
    let spec = json!({"selector": {"app": "web"}, "ports": ports});
    shop.apply(json!({"kind": "Service", "metadata": {"name": "web"}, "spec": spec})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let service = target(&shop, "Service", "web");
    let reached = eventually(Duration::from_secs(20), "two endpoints", async || {
        let found = kubernetes.endpoints(&service, "http").await.map_err(|error| error.to_string())?;
        if found.urls.len() == 2 { Ok(found) } else { Err(format!("{:?}", found.urls)) }
    })
    .await;
    assert!(
        reached.urls.iter().all(|url| url.starts_with("http://") && url.ends_with(":8080")),
        "{:?}",
        reached.urls
    );
    assert_eq!((reached.surroundings.desired, reached.surroundings.unavailable), (2, 0));
    let by_number = kubernetes.endpoints(&service, "80").await.expect("the same");
    assert_eq!(by_number.urls, reached.urls);
    assert!(matches!(kubernetes.endpoints(&service, "grpc").await, Err(LookError::Absent { .. })));
}

#[tokio::test]
async fn a_look_counts_what_stands_around() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("around").await;
    shop.deployment("web", 3).await;
    shop.stateful_set("db", 2).await;
    let pods = shop.pods("web").await;
    let pod = pods.keys().next().expect("there are three");
    shop.annotate_pod(pod, "tests.paramedic.dev/fails", Some("true")).await;
    shop.becomes("Deployment", "web", "/status/unavailableReplicas", json!(1)).await;
    let workload = kubernetes(cluster, &shop, &POLICIES)
        .await
        .look(&target(&shop, "Deployment", "web"))
        .await
        .expect("it is there");
    let around = workload.surroundings;
    assert_eq!((around.desired, around.unavailable), (5, 1));
    assert!(around.workloads >= 2, "{around:?}");
    assert!(
        !workload.rollout.under_way && !workload.rollout.complete,
        "a crash is no rollout: {:?}",
        workload.rollout
    );
}
