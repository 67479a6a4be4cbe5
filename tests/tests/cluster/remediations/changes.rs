//! Changes that reach the API server, and what its objects show afterwards.

use std::time::Duration;

use paramedic_policies::action::{Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::restart;
use paramedic_policies::remediation::scale::{self as scaling, Amount};
use paramedic_policies::time::Span;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::ports::cluster::Cluster;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, User};
use serde_json::{Value, json};

use super::least::{Asks, any};
use super::stand::{config, intent, kubernetes, now, preflight, rests, sealed, stamp, target, words, world};

const POLICIES: [Asks; 6] = [
    (any!("Deployment"), "[{scale: {by: 1, max: 9}}]"),
    (any!("StatefulSet"), "[{scale: {by: 1, max: 9}}]"),
    (any!("ReplicaSet.apps"), "[{scale: {by: 1, max: 9}}]"),
    (any!("Deployment"), "[{restart: {}}]"),
    (any!("StatefulSet"), "[{restart: {}}]"),
    (any!("DaemonSet"), "[{restart: {}}]"),
];

fn scale(amount: Amount) -> Wish {
    Wish::Scale(scaling::Wish { amount, max: None, min: None, max_step: None, allow_down: true })
}

fn done(outcome: &Outcome) -> &Diff {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => diff,
        other => panic!("not done: {other:?}"),
    }
}

fn refusals(outcome: &Outcome) -> Vec<&'static str> {
    match outcome {
        Outcome::Refused { reasons } => reasons.iter().map(Reason::name).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The manager that owns `spec.replicas`.
fn manager(object: &Value, field: &str) -> String {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let owns = |entry: &&Value| entry["fieldsV1"]["f:spec"].get(field).is_some();
    entries
        .iter()
        .filter(owns)
        .map(|entry| entry["manager"].as_str().unwrap_or("-"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[tokio::test]
async fn scaling_sets_a_number_once_under_our_stamp() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("scale").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    for kind in ["Deployment", "StatefulSet"] {
        let name = kind.to_lowercase();
        shop.workload(kind, &name, 2, json!({})).await;
        let target = target(&shop, kind, &name);
        let found = preflight(&world, &target, scale(Amount::By(2)), false).await;
        assert_eq!(words(found.action.as_ref()), "scale 2 -> 4", "{found:?}");
        let seal = sealed(intent(41, &target, &found));
        let outcome = world.perform(&seal, &Halt::never()).await;
        assert_eq!(
            (done(&outcome).fields[0].before.as_str(), done(&outcome).fields[0].after.as_str()),
            ("2", "4")
        );
        assert_eq!(done(&outcome).source, DiffSource::Applied);
        shop.rolled_out(kind, &name).await;
        let object = shop.get(kind, &name).await;
        assert_eq!(manager(&object, "f:replicas"), format!("paramedic-{}", stamp(41)), "{kind}");

        done(&world.perform(&seal, &Halt::never()).await);
        done(&world.close(&seal).await);
        let again = shop.get(kind, &name).await;
        let generation = "/metadata/generation";
        assert_eq!(number(&again, generation), number(&object, generation), "a repeat changes nothing");
    }
}

#[tokio::test]
async fn scaling_to_nothing_and_back_tests_its_old_value_too() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("zero").await;
    shop.deployment("web", 1).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    for (id, to, becomes) in [(1, 0, "scale 1 -> 0"), (2, 2, "scale 0 -> 2")] {
        rests(&kubernetes, &target).await;
        let found = preflight(&world, &target, scale(Amount::To(to)), true).await;
        assert_eq!(words(found.action.as_ref()), becomes, "{found:?}");
        let diff = found.diff.as_ref().expect("one was asked for");
        assert_eq!(
            (&diff.source, diff.fields[0].after.as_str()),
            (&DiffSource::ServerDryRun, to.to_string().as_str())
        );
        done(&world.perform(&sealed(intent(id, &target, &found)), &Halt::never()).await);
    }
    shop.rolled_out("Deployment", "web").await;
}

#[tokio::test]
async fn any_kind_with_a_scale_can_be_scaled() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("scale-any").await;
    let template = json!({
        "metadata": {"labels": {"app": "bare"}},
        "spec": {"containers": [{"name": "main", "image": "registry.example/shop/web:1"}]},
    });
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "bare"}}, "template": template});
    shop.apply(json!({"kind": "ReplicaSet", "metadata": {"name": "bare"}, "spec": spec})).await;
    shop.becomes("ReplicaSet", "bare", "/status/replicas", json!(1)).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "ReplicaSet.apps", "bare"));
    let found = preflight(&world, &target, scale(Amount::AtLeast(3)), false).await;
    assert_eq!(words(found.action.as_ref()), "scale 1 -> 3", "{found:?}");
    done(&world.perform(&sealed(intent(1, &target, &found)), &Halt::never()).await);
    shop.becomes("ReplicaSet", "bare", "/status/replicas", json!(3)).await;
    let restart = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
    assert_eq!(restart.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["wrongKind"]);
}

#[tokio::test]
async fn under_an_autoscaler_its_minimum_is_raised() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("scale-hpa").await;
    shop.deployment("web", 2).await;
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 4});
    shop.apply(json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": spec})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let found = preflight(&world, &target, scale(Amount::By(9)), true).await;
    assert_eq!(words(found.action.as_ref()), "scale minReplicas of HPA web 2 -> 4", "{found:?}");
    let seal = sealed(intent(7, &target, &found));
    done(&world.perform(&seal, &Halt::never()).await);
    shop.becomes("Deployment", "web", "/spec/replicas", json!(4)).await;
    let hpa = shop.get("HorizontalPodAutoscaler", "web").await;
    assert_eq!(manager(&hpa, "f:minReplicas"), format!("paramedic-{}", stamp(7)));
    done(&world.close(&seal).await);
    rests(&kubernetes, &target).await;
    let more = preflight(&world, &target, scale(Amount::By(1)), false).await;
    assert_eq!(more.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["ownedByAutoscaler"]);
}

#[tokio::test]
async fn a_restart_completes_and_its_repeat_rolls_nothing() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("restarts").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let name = kind.to_lowercase();
        shop.workload(kind, &name, 3, json!({})).await;
        let target = target(&shop, kind, &name);
        rests(&kubernetes, &target).await;
        let before = shop.pods(&name).await;
        let found = preflight(&world, &target, Wish::Restart(restart::Wish {}), true).await;
        assert!(found.refusals.is_empty(), "{kind}: {:?}", found.refusals);
        assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));
        let intent = intent(9, &target, &found);
        let at = intent.at;
        let seal = sealed(intent);
        let outcome = world.perform(&seal, &Halt::never()).await;
        assert_eq!(done(&outcome).fields[0].after, at.to_string(), "{kind}");
        let uid = |pod: &Value| pod.pointer("/metadata/uid").cloned();
        let after = shop.pods(&name).await;
        assert!(
            after.values().all(|new| before.values().all(|old| uid(old) != uid(new))),
            "{kind}: every pod is new"
        );

        let object = shop.get(kind, &name).await;
        let annotations = &object["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], json!(at.to_string()));
        assert_eq!(annotations["paramedic.dev/intent"], json!(stamp(9)));
        assert_eq!(annotations["paramedic.dev/correlation"], json!("c-1"));
        done(&world.perform(&seal, &Halt::never()).await);
        done(&world.close(&seal).await);
        let again = shop.get(kind, &name).await;
        let generation = "/metadata/generation";
        assert_eq!(number(&again, generation), number(&object, generation), "{kind}: a repeat rolls nothing");
    }
}

#[tokio::test]
async fn a_rollout_that_does_not_end_in_time_failed_and_was_applied() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("late-restart").await;
    // Ready at once, available only much later: the rollout waits for that.
    shop.deployment("web", 1).await;
    let slow = json!({"spec": {"minReadySeconds": 300}});
    shop.patch("Deployment", "web", slow).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let found =
        paramedic_tests::waiting::eventually(Duration::from_secs(20), "no rollout under way", async || {
            let found = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
            if found.refusals.is_empty() { Ok(found) } else { Err(format!("{:?}", found.refusals)) }
        })
        .await;
    let intent = Intent { deadline: now() + Span::from_secs(3), ..intent(1, &target, &found) };
    let Outcome::Failed { what, applied: true, .. } = world.perform(&sealed(intent), &Halt::never()).await
    else {
        panic!("a rollout that cannot end");
    };
    assert!(what.contains("was not complete by"), "{what}");
}

#[tokio::test]
async fn each_obstacle_of_a_restart_is_seen_on_the_real_object() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("obstacles").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    let refused = async |kind: &str, name: &str| {
        let target = target(&shop, kind, name);
        let found = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
        found.refusals.iter().map(Reason::name).collect::<Vec<_>>()
    };
    // Of four, a rollout takes one away; of two it would take none.
    shop.deployment("guarded", 4).await;
    let selector = json!({"matchLabels": {"app": "guarded"}});
    let budget = json!({"minAvailable": 4, "selector": selector});
    shop.apply(json!({"kind": "PodDisruptionBudget", "metadata": {"name": "guarded"}, "spec": budget})).await;
    shop.becomes("PodDisruptionBudget", "guarded", "/status/currentHealthy", json!(4)).await;
    assert_eq!(refused("Deployment", "guarded").await, ["disruptionBudget"]);

    shop.deployment("paused", 1).await;
    shop.patch("Deployment", "paused", json!({"spec": {"paused": true}})).await;
    shop.rolled_out("Deployment", "paused").await;
    assert_eq!(refused("Deployment", "paused").await, ["workloadPaused"]);

    let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
    shop.workload("StatefulSet", "on-delete", 1, on_delete.clone()).await;
    assert_eq!(refused("StatefulSet", "on-delete").await, ["noPodWouldMove"]);

    shop.deployment("asleep", 1).await;
    let pause = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "2999-01-01T00:00:00Z"}}});
    shop.patch("Deployment", "asleep", pause).await;
    // An annotation raises a Deployment's generation too.
    shop.rolled_out("Deployment", "asleep").await;
    assert_eq!(refused("Deployment", "asleep").await, ["pausedByAnnotation"]);

    shop.deployment("rolling", 1).await;
    let bad = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x:bad"}]}}}});
    shop.patch("Deployment", "rolling", bad).await;
    assert_eq!(refused("Deployment", "rolling").await, ["rollingOut"]);
}

#[tokio::test]
async fn an_object_made_anew_is_not_the_one_that_was_meant() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("anew").await;
    shop.deployment("web", 2).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let scaling = preflight(&world, &target, scale(Amount::By(1)), false).await;
    let restart = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
    shop.delete("Deployment", "web").await;
    paramedic_tests::waiting::eventually(Duration::from_secs(20), "it is gone", async || {
        paramedic_tests::waiting::seen(shop.try_get("Deployment", "web").await.is_none(), || {
            "it is there".into()
        })
    })
    .await;
    shop.deployment("web", 2).await;
    for found in [scaling, restart] {
        let outcome = world.perform(&sealed(intent(3, &target, &found)), &Halt::never()).await;
        assert!(refusals(&outcome).iter().all(|reason| *reason == "changed"), "{outcome:?}");
    }
    assert_eq!(number(&shop.get("Deployment", "web").await, "/metadata/generation"), 1);
}

#[tokio::test]
async fn a_dry_run_is_the_servers_own_and_changes_nothing() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("dry-run").await;
    shop.deployment("web", 2).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    rests(&kubernetes, &target).await;
    let before = shop.get("Deployment", "web").await;
    for wish in [scale(Amount::By(2)), Wish::Restart(restart::Wish {})] {
        let found = preflight(&world, &target, wish, false).await;
        let rehearsed = Intent { mode: Mode::DryRun, ..intent(5, &target, &found) };
        let outcome = world.perform(&sealed(rehearsed), &Halt::never()).await;
        assert_eq!(done(&outcome).source, DiffSource::ServerDryRun);
    }
    let after = shop.get("Deployment", "web").await;
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn without_permission_the_difference_is_computed_and_says_so() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("viewer").await;
    shop.deployment("web", 2).await;
    // Somebody who may read everything and write nothing; nobody else has this name.
    let viewer = "viewer-of-the-remediations-tests";
    let subject = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": viewer});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
    let binding: k8s_openapi::api::rbac::v1::ClusterRoleBinding =
        serde_json::from_value(json!({"metadata": {"name": viewer}, "roleRef": role, "subjects": [subject]}))
            .expect("a binding");
    kube::Api::all(cluster.client(User::Admin).await)
        .create(&kube::api::PostParams::default(), &binding)
        .await
        .expect("a binding can be created");
    let mut config = config(cluster, User::Admin).await;
    config.auth_info.impersonate = Some(viewer.into());
    let eyes = KubernetesEyes::new(config).expect("a client");
    let target = target(&shop, "Deployment", "web");
    let workload = eyes.look(&target).await.expect("reading is allowed");
    let change = paramedic_remediations::ports::cluster::ClusterChange::Restart {
        target: target.clone(),
        uid: workload.uid,
        generation: workload.generation,
        at: now(),
        correlation: None,
    };
    let diff = eyes.preview(&change, "x").await.expect("a computed difference");
    let DiffSource::Computed { because } = &diff.source else { panic!("{diff:?}") };
    assert!(because.contains(viewer) && because.contains("forbidden"), "{because}");
    assert_eq!(diff.fields[0].before, "-");
}
