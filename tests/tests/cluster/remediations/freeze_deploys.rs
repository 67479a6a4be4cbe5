//! Freezes as a real API server enforces them: whom it refuses, whom it lets through, and that it ends without us.

use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use paramedic_policies::action::{Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{freeze_deploys, restart};
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::{Asks, WEB};
use super::stand::{intent, kubernetes, now, preflight, rests, sealed, stamp, target, words, world};

const POLICIES: [Asks; 3] = [
    (WEB, "[{freezeDeploys: {for: 1h}}]"),
    (WEB, "[{freezeDeploys: {for: 1h, namespaces: ['{{ labels.namespace }}']}}]"),
    (WEB, "[{restart: {}}]"),
];

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

fn freeze(namespaces: &[&Namespace], lasts: Span) -> Wish {
    Wish::FreezeDeploys(freeze_deploys::Wish {
        namespaces: namespaces.iter().map(|namespace| namespace.name.clone()).collect(),
        lasts,
        reason: Some("the error budget is spent".into()),
        break_glass: "break-glass".into(),
        reach: Vec::new(),
    })
}

fn done(outcome: &Outcome) -> &Diff {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => diff,
        other => panic!("not done: {other:?}"),
    }
}

/// A new image, as a deployer sets it.
fn image(tag: &str) -> Value {
    let container = json!({"name": "main", "image": format!("registry.example/shop/web:{tag}")});
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

fn objects(kind: &str, client: kube::Client) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
    Api::all_with(client, &ApiResource::from_gvk(&gvk))
}

async fn is_there(cluster: &ControlPlane, id: u64) -> [bool; 2] {
    let client = cluster.client(User::Admin).await;
    let name = format!("paramedic-freeze-{}", stamp(id));
    let policy = objects(POLICY, client.clone()).get_opt(&name).await.expect("an answer").is_some();
    [policy, objects(BINDING, client).get_opt(&name).await.expect("an answer").is_some()]
}

fn thaw(id: u64, freeze: &Intent, found: &paramedic_policies::answer::Preflight) -> Intent {
    Intent { reverts: Some(freeze.id), charged: false, ..intent(id, &freeze.target, found) }
}

#[tokio::test]
async fn a_freeze_refuses_deploys_and_nothing_else() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let (shop, other) = (cluster.namespace("frozen").await, cluster.namespace("not-frozen").await);
    shop.deployment("web", 2).await;
    shop.deployment("old", 1).await;
    shop.stateful_set("db", 1).await;
    shop.workload("DaemonSet", "agent", 0, json!({})).await;
    other.deployment("web", 1).await;
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "main", "image": "backup:1"}]});
    shop.apply(json!({"kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {
        "schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}}))
        .await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    rests(&kubernetes, &target).await;
    let wish = freeze(&[&shop], Span::from_hours(1));
    let found = preflight(&world, &target, wish.clone(), true).await;
    assert_eq!(words(found.action.as_ref()), format!("freeze deploys in {} for 1h", shop.name), "{found:?}");
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));

    // A busy machine may take long before its repeat.
    let freezing = Intent { deadline: now() + Span::from_mins(5), ..intent(61, &target, &found) };
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..freezing.clone() }), &Halt::never()).await;
    assert_eq!(done(&rehearsed).source, DiffSource::ServerDryRun);
    assert_eq!(is_there(cluster, 61).await, [false, false], "a rehearsal makes nothing");

    let seal = sealed(freezing.clone());
    assert_eq!(done(&world.perform(&seal, &Halt::never()).await).fields.len(), 3);
    assert_eq!(is_there(cluster, 61).await, [true, true]);

    let deployer = shop.seen_by(cluster.client(User::Deployer).await);
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "db"), ("DaemonSet", "agent")] {
        let refused = deployer.try_patch(kind, name, image("2")).await.expect_err("it is frozen");
        let kube::Error::Api(status) = &refused else { panic!("{refused}") };
        assert_eq!(status.code, 403, "{}", status.message);
        for part in ["paramedic has frozen deploys", "the error budget is spent", "break-glass", "thaws it"] {
            assert!(status.message.contains(part), "{}", status.message);
        }
    }
    // The template of a CronJob, and not its schedule.
    let job = |image: &str| {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]});
        json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})
    };
    let refused = deployer.try_patch("CronJob", "nightly", job("backup:2")).await.expect_err("it is frozen");
    assert!(refused.to_string().contains("paramedic has frozen deploys"), "{refused}");
    deployer.patch("CronJob", "nightly", json!({"spec": {"schedule": "0 4 * * *"}})).await;
    let anew = json!({"kind": "Deployment", "metadata": {"name": "new"}, "spec": {
        "selector": {"matchLabels": {"app": "new"}},
        "template": {"metadata": {"labels": {"app": "new"}},
            "spec": {"containers": [{"name": "main", "image": "registry.example/shop/web:1"}]}},
    }});
    deployer.try_apply(anew).await.expect_err("a new workload is a deploy too");

    // Scale, labels, deletes and other namespaces.
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    let workloads = deployer.of_kind("Deployment");
    workloads
        .patch_subresource("scale", "web", &PatchParams::default(), &scale)
        .await
        .expect("a scale passes");
    deployer.patch("Deployment", "web", json!({"metadata": {"labels": {"team": "shop"}}})).await;
    deployer.delete("Deployment", "old").await;
    other.seen_by(cluster.client(User::Deployer).await).patch("Deployment", "web", image("2")).await;

    // The controllers that scale.
    shop.rolled_out("Deployment", "web").await;
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": reference, "minReplicas": 5, "maxReplicas": 6});
    shop.apply(json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": spec})).await;
    shop.becomes("Deployment", "web", "/spec/replicas", json!(5)).await;

    // The people for emergencies, and ourselves.
    let breaker = shop.seen_by(cluster.client(User::BreakGlass).await);
    breaker.patch("StatefulSet", "db", image("3")).await;
    rests(&kubernetes, &target).await;
    let restart = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
    done(&world.perform(&sealed(intent(62, &target, &restart)), &Halt::never()).await);

    // Once is enough.
    done(&world.perform(&seal, &Halt::never()).await);
    done(&world.close(&seal).await);
    let shorter = preflight(&world, &target, freeze(&[&shop], Span::from_mins(5)), false).await;
    assert!(shorter.already && shorter.refusals.is_empty(), "{shorter:?}");
    let longer = preflight(&world, &target, freeze(&[&shop], Span::from_hours(2)), false).await;
    assert!(!longer.already && longer.action.is_some(), "{longer:?}");

    // Its expressions are what the API server takes them for.
    let policies = objects(POLICY, cluster.client(User::Admin).await);
    let name = format!("paramedic-freeze-{}", stamp(61));
    eventually(Duration::from_secs(20), "the policy is type-checked", async || {
        let policy = policies.get(&name).await.map_err(|error| error.to_string())?;
        let status = policy.data["status"].clone();
        assert!(status.pointer("/typeChecking/expressionWarnings").is_none(), "{status}");
        seen(status["observedGeneration"] == json!(1), || status.to_string())
    })
    .await;

    let revert = Wish::Revert(freezing.action.clone());
    let found = preflight(&world, &target, revert.clone(), false).await;
    assert_eq!(words(found.action.as_ref()), format!("thaw deploys in {}", shop.name), "{found:?}");
    let thawing = sealed(thaw(63, &freezing, &found));
    done(&world.perform(&thawing, &Halt::never()).await);
    assert_eq!(is_there(cluster, 61).await, [false, false]);
    assert_eq!(world.perform(&thawing, &Halt::never()).await, Outcome::Done { diff: None, already: true });
    assert!(preflight(&world, &target, revert, false).await.already, "nothing is left to thaw");
    eventually(Duration::from_secs(10), "a deploy passes", async || {
        deployer.try_patch("Deployment", "web", image("4")).await.map_err(|error| error.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_freeze_whose_daemon_is_gone_opens_by_itself() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("opens").await;
    shop.deployment("web", 1).await;
    let target = target(&shop, "Deployment", "web");
    let until = {
        let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
        let world = world(&kubernetes);
        let found = preflight(&world, &target, freeze(&[&shop], Span::from_secs(6)), false).await;
        let freezing = intent(64, &target, &found);
        done(&world.perform(&sealed(freezing.clone()), &Halt::never()).await);
        freezing.at + Span::from_secs(6)
    };
    let deployer = shop.seen_by(cluster.client(User::Deployer).await);
    deployer.try_patch("Deployment", "web", image("2")).await.expect_err("it is frozen");
    eventually(Duration::from_secs(15), "it opens by itself", async || {
        deployer.try_patch("Deployment", "web", image("2")).await.map_err(|error| error.to_string())
    })
    .await;
    assert!(now() > until, "not before its end");
    assert_eq!(is_there(cluster, 64).await, [true, true], "nobody has removed anything");
    deployer.patch("Deployment", "web", image("3")).await;
}

#[tokio::test]
async fn two_freezes_of_one_namespace_stand_side_by_side() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("twice-frozen").await;
    shop.deployment("web", 1).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let mut frozen = Vec::new();
    for (id, hours) in [(65, 1), (66, 2)] {
        let found = preflight(&world, &target, freeze(&[&shop], Span::from_hours(hours)), false).await;
        let freezing = intent(id, &target, &found);
        done(&world.perform(&sealed(freezing.clone()), &Halt::never()).await);
        frozen.push(freezing);
    }
    let deployer = shop.seen_by(cluster.client(User::Deployer).await);
    for (id, freezing) in [(67, &frozen[1]), (68, &frozen[0])] {
        deployer.try_patch("Deployment", "web", image("2")).await.expect_err("one of them holds");
        let found = preflight(&world, &target, Wish::Revert(freezing.action.clone()), false).await;
        done(&world.perform(&sealed(thaw(id, freezing, &found)), &Halt::never()).await);
        assert_eq!(is_there(cluster, freezing.id.0).await, [false, false]);
    }
    eventually(Duration::from_secs(10), "a deploy passes", async || {
        deployer.try_patch("Deployment", "web", image("2")).await.map_err(|error| error.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_the_two_objects_is_seen() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("half-frozen").await;
    shop.deployment("web", 1).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let found = preflight(&world, &target, freeze(&[&shop], Span::from_hours(1)), false).await;
    let freezing = intent(69, &target, &found);
    done(&world.perform(&sealed(freezing.clone()), &Halt::never()).await);
    let bindings = objects(BINDING, cluster.client(User::Admin).await);
    let name = format!("paramedic-freeze-{}", stamp(69));
    bindings.delete(&name, &Default::default()).await.expect("the binding is there");
    // Long past, so that no request can be under way any more.
    let past = Intent { deadline: now() - Span::from_mins(5), ..freezing.clone() };
    let Outcome::Failed { applied: true, .. } = world.close(&sealed(past)).await else {
        panic!("half a freeze is none, and is to be taken back");
    };
    let deployer = shop.seen_by(cluster.client(User::Deployer).await);
    eventually(Duration::from_secs(10), "half a freeze refuses nothing", async || {
        deployer.try_patch("Deployment", "web", image("2")).await.map_err(|error| error.to_string())
    })
    .await;
    let found = preflight(&world, &target, Wish::Revert(freezing.action.clone()), false).await;
    done(&world.perform(&sealed(thaw(70, &freezing, &found)), &Halt::never()).await);
    assert_eq!(is_there(cluster, 69).await, [false, false]);
}

#[tokio::test]
async fn what_must_stay_repairable_is_never_frozen() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("wide").await;
    shop.deployment("web", 1).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    for (namespace, reason) in
        [("kube-system", "protected"), ("paramedic", "protected"), ("nowhere", "targetAbsent")]
    {
        let Wish::FreezeDeploys(mut wish) = freeze(&[&shop], Span::from_hours(1)) else { unreachable!() };
        wish.namespaces.insert(0, namespace.into());
        let found = preflight(&world, &target, Wish::FreezeDeploys(wish), false).await;
        let names: Vec<_> = found.refusals.iter().map(Reason::name).collect();
        assert_eq!(names, [reason], "{namespace}");
    }
}
