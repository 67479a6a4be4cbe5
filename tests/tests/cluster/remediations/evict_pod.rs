//! Evictions and deletes on a real API server, with a PodDisruptionBudget that its controller keeps.

use paramedic_policies::action::{DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::remediation::{delete_pod, evict_pod};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::json;
use std::time::Duration;

use super::least::{Asks, any};
use super::stand::{intent, kubernetes, preflight, sealed, target, world};

const POLICIES: [Asks; 2] = [(any!("Pod"), "[{evictPod: {}}]"), (any!("Pod"), "[{deletePod: {}}]")];

const SOON: Duration = Duration::from_secs(30);

fn evict() -> Wish {
    Wish::EvictPod(evict_pod::Wish { local_storage: LocalStorage::Refuse })
}

fn delete() -> Wish {
    Wish::DeletePod(delete_pod::Wish { local_storage: LocalStorage::Refuse })
}

/// A budget, once its controller has counted.
async fn budget(shop: &Namespace, least: u32, allows: u64) {
    shop.apply(json!({
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}},
    }))
    .await;
    shop.becomes("PodDisruptionBudget", "web", "/status/disruptionsAllowed", json!(allows)).await;
}

#[tokio::test]
async fn a_pod_goes_once_and_only_as_its_budget_allows() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("evict").await;
    shop.deployment("web", 2).await;
    let world = world(&kubernetes(cluster, &shop, &POLICIES).await);
    let first = shop.pods("web").await.into_keys().next().expect("a pod");
    let pod = target(&shop, "Pod", &first);

    budget(&shop, 1, 1).await;
    let found = preflight(&world, &pod, evict(), true).await;
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun), "{found:?}");
    let planned = intent(131, &pod, &found);
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..planned.clone() }), &Halt::never()).await;
    assert_eq!(rehearsed.name(), "done", "{rehearsed:?}");
    // The budget closes between the plan and its time: the refusal names it, and nothing is asked twice.
    budget(&shop, 2, 0).await;
    let refused = world.perform(&sealed(planned.clone()), &Halt::never()).await;
    let Outcome::Refused { reasons } = &refused else { panic!("not refused: {refused:?}") };
    assert_eq!(*reasons, [Reason::DisruptionBudget { budget: "web".into(), allowed: 0 }]);
    assert!(shop.pods("web").await.contains_key(&first));
    let found = preflight(&world, &pod, evict(), true).await;
    assert_eq!(found.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["disruptionBudget"]);

    budget(&shop, 1, 1).await;
    let seal = sealed(planned);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    assert!(shop.try_get("Pod", &first).await.is_none(), "it was watched to its end");
    shop.rolled_out("Deployment", "web").await;
    assert_eq!(
        world.perform(&seal, &Halt::never()).await.name(),
        "done",
        "the same intent again ends no second pod"
    );
    assert_eq!(world.close(&seal).await.name(), "done");
    assert_eq!(shop.pods("web").await.len(), 2);

    // The stronger form goes past the budget, and says so.
    budget(&shop, 2, 0).await;
    let second = shop.pods("web").await.into_keys().next().expect("a pod");
    let pod = target(&shop, "Pod", &second);
    let found = preflight(&world, &pod, delete(), true).await;
    assert!(found.passed.iter().any(|one| one.starts_with("a delete goes past it")), "{found:?}");
    let outcome = world.perform(&sealed(intent(132, &pod, &found)), &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    assert!(shop.try_get("Pod", &second).await.is_none());
}

#[tokio::test]
async fn what_nothing_replaces_is_left() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("bare").await;
    shop.apply(json!({
        "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {"containers": [{"name": "main", "image": "registry.example/tool:1"}],
            "volumes": [{"name": "work", "emptyDir": {}}]},
    }))
    .await;
    eventually(SOON, "it runs", async || {
        let pod = shop.get("Pod", "bare").await;
        seen(pod["status"]["phase"] == "Running", || pod["status"].to_string())
    })
    .await;
    let world = world(&kubernetes(cluster, &shop, &POLICIES).await);
    for wish in [evict(), delete()] {
        let found = preflight(&world, &target(&shop, "Pod", "bare"), wish, true).await;
        let names: Vec<_> = found.refusals.iter().map(Reason::name).collect();
        assert_eq!(names, ["wrongLever", "wrongLever"], "no controller, and data that would go: {found:?}");
    }
}
