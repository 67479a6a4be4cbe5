//! Quarantines on a real API server, with the real controllers of ReplicaSets and EndpointSlices. No network runs here, so
//! nothing enforces a NetworkPolicy: what is shown is that the server has it, that it selects the pod and nobody else, and
//! that the pod gets no more traffic.

use std::time::Duration;

use paramedic_policies::action::{DiffSource, Intent, Mode, Wish};
use paramedic_policies::event::Seq;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::quarantine;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::ControlPlane;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::{Asks, any};
use super::stand::{intent, kubernetes, preflight, sealed, stamp, target, words, world};

const POLICIES: [Asks; 1] = [(any!("Pod"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]")];

/// Whole workloads.
const WORKLOADS: [Asks; 3] = [
    (any!("Deployment"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]"),
    (any!("StatefulSet"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]"),
    (any!("DaemonSet"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]"),
];

const SOON: Duration = Duration::from_secs(30);

fn wish() -> quarantine::Wish {
    quarantine::Wish {
        lasts: Span::from_hours(2),
        detach: true,
        rejoin: false,
        dns: true,
        max: 5,
        enforced: true,
    }
}

#[tokio::test]
async fn a_pod_is_taken_out_of_traffic_walled_in_and_given_back() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("quarantine").await;
    shop.deployment("web", 2).await;
    shop.apply(json!({"kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}))
        .await;
    let world = world(&kubernetes(cluster, &shop, &POLICIES).await);
    let suspect = shop.pods("web").await.into_keys().next().expect("a pod");
    let pod = target(&shop, "Pod", &suspect);
    let before = shop.get("Pod", &suspect).await["metadata"]["labels"].clone();

    // Another policy that lets traffic in keeps the pod reachable, as long as it selects it.
    let lets_in = |selector: Value| {
        json!({"kind": "NetworkPolicy", "metadata": {"name": "open"},
            "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{}]}})
    };
    shop.apply(lets_in(json!({"matchLabels": {"app": "web"}}))).await;
    let kept = quarantine::Wish { detach: false, ..wish() };
    let found = preflight(&world, &pod, Wish::Quarantine(kept), true).await;
    assert_eq!(found.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["wrongLever"], "{found:?}");

    let found = preflight(&world, &pod, Wish::Quarantine(wish()), true).await;
    assert_eq!(
        words(found.action.as_ref()),
        format!("quarantine and detach {suspect} for 2h, then ask a person"),
        "{found:?}"
    );
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));
    let planned = intent(141, &pod, &found);
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..planned.clone() }), &Halt::never()).await;
    assert_eq!(rehearsed.name(), "done", "{rehearsed:?}");
    let seal = sealed(planned);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");

    let held = shop.get("Pod", &suspect).await;
    let labels = &held["metadata"]["labels"];
    assert_eq!(labels["paramedic.dev/quarantine"], stamp(141));
    assert_eq!((labels.get("app"), labels.get("pod-template-hash")), (None, None), "nothing selects it");
    let wall = shop.get("NetworkPolicy", &format!("paramedic-quarantine-{}", stamp(141))).await;
    assert_eq!(wall["spec"]["podSelector"]["matchLabels"]["paramedic.dev/quarantine"], stamp(141));
    assert_eq!(wall["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(wall["spec"].get("ingress"), None, "nothing comes in");
    // The ReplicaSet lets it go and makes another; it runs on.
    eventually(SOON, "the Deployment is whole without it", async || {
        let held = shop.get("Pod", &suspect).await;
        let pods = shop.pods("web").await;
        let is_free = held["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty);
        seen(is_free && pods.len() == 2 && !pods.contains_key(&suspect), || format!("{:?}", pods.keys()))
    })
    .await;
    assert_eq!(shop.get("Pod", &suspect).await["status"]["phase"], "Running");
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(world.close(&seal).await.name(), "done");
    let again = preflight(&world, &pod, Wish::Quarantine(wish()), false).await;
    assert!(again.already, "{again:?}");

    let found = preflight(&world, &pod, Wish::Revert(seal.action.clone()), false).await;
    let back =
        Intent { id: Seq(142), reverts: Some(Seq(141)), uid: seal.uid.clone(), ..intent(142, &pod, &found) };
    let back = sealed(back);
    let outcome = world.perform(&back, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    assert!(shop.try_get("NetworkPolicy", &format!("paramedic-quarantine-{}", stamp(141))).await.is_none());
    // Adopted again, the ReplicaSet has one too many; which one it ends is its own choice.
    eventually(SOON, "two pods are left", async || {
        let pods = shop.pods("web").await;
        seen(pods.len() == 2, || format!("{:?}", pods.keys()))
    })
    .await;
    if let Some(pod) = shop.try_get("Pod", &suspect).await {
        assert_eq!(pod["metadata"]["labels"], before);
    }
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done", "a repeat finds it done");
}

#[tokio::test]
async fn all_pods_of_a_workload_are_walled_in_and_a_stateful_set_goes_on() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("quarantine-all").await;
    let world = world(&kubernetes(cluster, &shop, &WORKLOADS).await);
    for (id, kind, name) in
        [(143, "Deployment", "web"), (145, "StatefulSet", "db"), (147, "DaemonSet", "agent")]
    {
        shop.workload(kind, name, 2, json!({})).await;
        let whole = target(&shop, kind, name);
        let before = shop.pods(name).await;
        let many = quarantine::Wish { max: 50, ..wish() };
        let found = preflight(&world, &whole, Wish::Quarantine(many), true).await;
        let seal = sealed(intent(id, &whole, &found));
        let outcome = world.perform(&seal, &Halt::never()).await;
        assert_eq!(outcome.name(), "done", "{kind}: {outcome:?}");
        for pod in before.keys() {
            let labels = shop.get("Pod", pod).await["metadata"]["labels"].clone();
            assert_eq!(labels["paramedic.dev/quarantine"], stamp(id), "{kind} {pod}");
            // A StatefulSet wants pods of these very names: without its labels it would wait for them for ever.
            assert_eq!(labels.get("app").is_some(), kind == "StatefulSet", "{kind} {pod}: {labels}");
        }
        if kind == "StatefulSet" {
            let scale = json!({"spec": {"replicas": 3}});
            shop.patch(kind, name, scale).await;
            shop.becomes(kind, name, "/status/replicas", json!(3)).await;
        }
        assert_eq!(world.close(&seal).await.name(), "done");
        let found = preflight(&world, &whole, Wish::Revert(seal.action.clone()), false).await;
        let back = Intent { reverts: Some(Seq(id)), uid: seal.uid.clone(), ..intent(id + 1, &whole, &found) };
        assert_eq!(world.perform(&sealed(back), &Halt::never()).await.name(), "done", "{kind}");
        let wall = format!("paramedic-quarantine-{}", stamp(id));
        assert!(shop.try_get("NetworkPolicy", &wall).await.is_none(), "{kind}");
    }
}
