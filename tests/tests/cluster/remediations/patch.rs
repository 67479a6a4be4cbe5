//! Patches on a real API server: each field of the list, its way back, and what a colleague changed meanwhile.

use std::time::Duration;

use paramedic_policies::action::{Diff, DiffSource, Intent, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::event::Seq;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{Amount, Field, Limited, More, SwitchPlace};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::Remedies;
use paramedic_remediations::ports::cluster::Cluster;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::Asks;
use super::stand::{intent, kubernetes, preflight, rests, sealed, stamp, target, words, world};

const POLICIES: [Asks; 6] = [
    (
        "{kind: StatefulSet, namespace: NS, name: db}",
        "[{patch: {resources: {container: main, limits: {memory: {times: 1.5, max: 5Gi}}}}}]",
    ),
    (
        "{kind: Ingress.networking.k8s.io, namespace: NS, name: auth}",
        "[{patch: {rateLimit: {atMost: 5, paths: [/login], controller: NS/ingress-nginx-controller}, for: 30m}}]",
    ),
    ("{kind: Service, namespace: NS, name: web}", "[{patch: {selector: {label: app, to: green}}}]"),
    ("{kind: ConfigMap, namespace: NS, name: flags}", "[{patch: {switch: {key: maintenance, to: 'on'}}}]"),
    (
        "{kind: ConfigMap, namespace: NS, name: flags}",
        "[{patch: {switch: {annotation: example.com/maintenance, to: 'on'}}}]",
    ),
    // The test itself looks where the traffic goes.
    ("{kind: Service, namespace: NS, name: web}", "[{resetBreaker: {breaker: none, port: http}}]"),
];

const LIMIT: &str = "nginx.ingress.kubernetes.io/limit-rps";

fn done(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false } => {
            let fields = fields.iter().map(|one| format!("{} {} -> {}", one.path, one.before, one.after));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => panic!("not done: {other:?}"),
    }
}

fn names(found: &Preflight) -> Vec<&'static str> {
    found.refusals.iter().map(Reason::name).collect()
}

/// Takes an intent back, as the engine does when its time is over.
async fn taken_back(world: &Remedies, id: u64, patched: &Intent) -> String {
    let found = preflight(world, &patched.target, Wish::Revert(patched.action.clone()), true).await;
    assert_eq!(names(&found), [""; 0], "{found:?}");
    let back = Intent { reverts: Some(patched.id), charged: false, ..intent(id, &patched.target, &found) };
    assert_eq!(back.reverts, Some(Seq(patched.id.0)));
    let seal = sealed(back);
    let said = done(&world.perform(&seal, &Halt::never()).await);
    assert_eq!(done(&world.close(&seal).await), said, "it is seen to have been made");
    said
}

fn generation(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/resourceVersion")
}

#[tokio::test]
async fn a_container_gets_more_memory_within_its_bounds_and_back() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("patch-memory").await;
    let containers = json!([
        {"name": "main", "image": "registry.example/shop/web:1",
            "resources": {"limits": {"memory": "4096Mi", "cpu": "2"}, "requests": {"memory": "2Gi"}}},
        {"name": "exporter", "image": "registry.example/shop/web:1",
            "resources": {"limits": {"memory": "64Mi"}}},
    ]);
    let template = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    shop.workload("StatefulSet", "db", 2, template).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "StatefulSet", "db"));
    rests(&kubernetes, &target).await;
    let more = More::Times { thousandths: 1_500, max: "5Gi".parse().expect("a quantity") };
    // The API server has made 4Gi of 4096Mi; our own amounts are in its form already.
    let wish = Wish::Patch(Field::Resources {
        container: "main".into(),
        amounts: [(Amount::LimitMemory, more)].into(),
    });
    let found = preflight(&world, &target, wish.clone(), true).await;
    // The API server writes 4096Mi as 4Gi nowhere: what it has is what is tested.
    assert_eq!(words(found.action.as_ref()), "patch limits.memory of container main 4Gi -> 5Gi", "{found:?}");
    let diff = found.diff.as_ref().expect("one was asked for");
    assert_eq!((&diff.source, diff.fields[0].after.as_str()), (&DiffSource::ServerDryRun, "5Gi"));
    let before = shop.pods("db").await;

    let patched = Intent { revert_after: Some(Span::from_hours(1)), ..intent(91, &target, &found) };
    let seal = sealed(patched.clone());
    let field = "spec.template.spec.containers[main].resources.limits.memory";
    assert_eq!(done(&world.perform(&seal, &Halt::never()).await), format!("{field} 4Gi -> 5Gi"));
    let made = shop.get("StatefulSet", "db").await;
    let container = |index: usize| format!("/spec/template/spec/containers/{index}/resources");
    assert_eq!(
        made.pointer(&container(0)),
        Some(&json!({"limits": {"memory": "5Gi", "cpu": "2"}, "requests": {"memory": "2Gi"}}))
    );
    assert_eq!(made.pointer(&container(1)), Some(&json!({"limits": {"memory": "64Mi"}})));
    let uid = |pod: &Value| pod.pointer("/metadata/uid").cloned();
    let after = shop.pods("db").await;
    assert!(
        after.values().all(|new| before.values().all(|old| uid(old) != uid(new))),
        "it is done when every pod has more"
    );

    // Once is enough, and so is its bound.
    done(&world.perform(&seal, &Halt::never()).await);
    assert_eq!(
        generation(&shop.get("StatefulSet", "db").await),
        generation(&made),
        "a repeat changes nothing"
    );
    let again = preflight(&world, &target, wish, false).await;
    assert_eq!(names(&again), ["badValue"], "{again:?}");

    assert_eq!(taken_back(&world, 92, &patched).await, format!("{field} 5Gi -> 4Gi"));
    let back = shop.get("StatefulSet", "db").await;
    assert_eq!(back.pointer(&format!("{}/limits/memory", container(0))), Some(&json!("4Gi")));
    assert_eq!(back.pointer("/metadata/annotations/paramedic.dev~1patched"), None);
}

async fn sign_in(shop: &Namespace, paths: &[&str]) -> Target {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let paths: Vec<Value> =
        paths.iter().map(|path| json!({"path": path, "pathType": "Prefix", "backend": backend})).collect();
    shop.apply(json!({"kind": "Ingress", "metadata": {"name": "auth", "annotations": {LIMIT: "50"}},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example", "http": {"paths": paths}}]}}))
        .await;
    target(shop, "Ingress.networking.k8s.io", "auth")
}

fn limit(shop: &Namespace) -> Wish {
    Wish::Patch(Field::RateLimit {
        limited: Limited::LimitRps,
        at_most: 5,
        paths: vec!["/login".into(), "/oauth".into()],
        controller_namespace: shop.name.clone(),
        controller_name: "ingress-nginx-controller".into(),
    })
}

#[tokio::test]
async fn a_rate_limit_is_stricter_for_a_while_and_its_old_value_returns() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("patch-limit").await;
    let class = json!({"kind": "IngressClass", "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"}});
    shop.apply(class).await;
    // The controller's Service, which keeps its clients' addresses.
    let spec = json!({"type": "NodePort", "externalTrafficPolicy": "Local", "ports": [{"port": 443}]});
    shop.apply(json!({"kind": "Service", "metadata": {"name": "ingress-nginx-controller"}, "spec": spec}))
        .await;
    let config = |status: &str| {
        json!({"kind": "ConfigMap", "metadata": {"name": "ingress-nginx-controller"},
            "data": {"limit-req-status-code": status}})
    };
    shop.apply(config("503")).await;
    let auth = sign_in(&shop, &["/login", "/oauth/token"]).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    let refused = preflight(&world, &auth, limit(&shop), false).await;
    assert_eq!(names(&refused), ["badValue"], "a 503 looks like an outage: {refused:?}");
    shop.apply(config("429")).await;

    let found = preflight(&world, &auth, limit(&shop), true).await;
    assert_eq!(words(found.action.as_ref()), format!("patch annotation {LIMIT} 50 -> 5"), "{found:?}");
    let patched = Intent { revert_after: Some(Span::from_mins(30)), ..intent(93, &auth, &found) };
    let seal = sealed(patched.clone());
    assert_eq!(
        done(&world.perform(&seal, &Halt::never()).await),
        format!("metadata.annotations[\"{LIMIT}\"] 50 -> 5")
    );
    let made = shop.get("Ingress", "auth").await;
    let annotations = &made["metadata"]["annotations"];
    assert_eq!((&annotations[LIMIT], &annotations["paramedic.dev/intent"]), (&json!("5"), &json!(stamp(93))));
    assert_eq!(annotations["paramedic.dev/until"], json!((patched.at + Span::from_mins(30)).to_string()));
    assert!(annotations["paramedic.dev/patched"].as_str().is_some_and(|kept| kept.contains(r#""was":"50""#)));
    done(&world.perform(&seal, &Halt::never()).await);
    done(&world.close(&seal).await);
    assert_eq!(generation(&shop.get("Ingress", "auth").await), generation(&made), "a repeat changes nothing");

    let back = format!("metadata.annotations[\"{LIMIT}\"] 5 -> 50");
    assert_eq!(taken_back(&world, 94, &patched).await, back);
    assert_eq!(shop.get("Ingress", "auth").await["metadata"]["annotations"], json!({LIMIT: "50"}));

    // What a colleague changes meanwhile is theirs.
    let found = preflight(&world, &auth, limit(&shop), false).await;
    let patched = intent(95, &auth, &found);
    done(&world.perform(&sealed(patched.clone()), &Halt::never()).await);
    shop.patch("Ingress", "auth", json!({"metadata": {"annotations": {LIMIT: "1"}}})).await;
    let found = preflight(&world, &auth, Wish::Revert(patched.action), false).await;
    assert_eq!(names(&found), ["changed"], "{found:?}");

    // An Ingress that serves anything else is not for this.
    let wide = sign_in(&shop, &["/login", "/"]).await;
    assert_eq!(names(&preflight(&world, &wide, limit(&shop), false).await), ["badValue"]);
}

#[tokio::test]
async fn traffic_moves_to_other_pods_and_never_to_nobody() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("patch-selector").await;
    shop.deployment("blue", 2).await;
    shop.deployment("green", 2).await;
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
    shop.apply(json!({"kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "blue"}, "ports": ports}}))
        .await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Service", "web"));
    let addresses = async |workload: &str| {
        let pods = shop.pods(workload).await;
        let mut all: Vec<String> = pods
            .values()
            .filter_map(|pod| pod.pointer("/status/podIP")?.as_str())
            .map(|ip| format!("http://{ip}:8080"))
            .collect();
        all.sort();
        all
    };
    let serves = async |workload: &str| {
        let wanted = addresses(workload).await;
        eventually(Duration::from_secs(20), "the endpoints moved", async || {
            let urls = kubernetes.endpoints(&target, "http").await.map_err(|error| error.to_string())?.urls;
            seen(urls == wanted, || format!("{urls:?}, wanted {wanted:?}"))
        })
        .await;
    };
    serves("blue").await;
    let to =
        |to: &str, ready: u32| Wish::Patch(Field::Selector { label: "app".into(), to: to.into(), ready });
    assert_eq!(names(&preflight(&world, &target, to("green", 3), false).await), ["targetAbsent"]);
    assert_eq!(names(&preflight(&world, &target, to("red", 1), false).await), ["targetAbsent"]);

    let found = preflight(&world, &target, to("green", 2), true).await;
    assert_eq!(words(found.action.as_ref()), "patch selector app blue -> green", "{found:?}");
    let patched = intent(96, &target, &found);
    let seal = sealed(patched.clone());
    assert_eq!(done(&world.perform(&seal, &Halt::never()).await), "spec.selector.app blue -> green");
    serves("green").await;
    let made = shop.get("Service", "web").await;
    assert_eq!(done(&world.perform(&seal, &Halt::never()).await), "spec.selector.app blue -> green");
    assert_eq!(done(&world.close(&seal).await), "spec.selector.app blue -> green");
    assert_eq!(generation(&shop.get("Service", "web").await), generation(&made), "a repeat changes nothing");
    assert!(preflight(&world, &target, to("green", 2), false).await.already);

    assert_eq!(taken_back(&world, 97, &patched).await, "spec.selector.app green -> blue");
    serves("blue").await;
}

#[tokio::test]
async fn a_maintenance_switch_is_turned_and_a_race_is_a_refusal() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("patch-switch").await;
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"maintenance": "off", "other": "x"}}))
        .await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "ConfigMap", "flags"));
    let key =
        || Wish::Patch(Field::Switch { place: SwitchPlace::Key("maintenance".into()), to: "on".into() });
    let found = preflight(&world, &target, key(), true).await;
    assert_eq!(words(found.action.as_ref()), "patch key maintenance off -> on", "{found:?}");
    let stale = intent(98, &target, &found);
    shop.patch("ConfigMap", "flags", json!({"data": {"maintenance": "read-only"}})).await;
    let Outcome::Refused { reasons } = world.perform(&sealed(stale), &Halt::never()).await else {
        panic!("it has changed")
    };
    assert_eq!(reasons.iter().map(Reason::name).collect::<Vec<_>>(), ["changed"]);

    let found = preflight(&world, &target, key(), false).await;
    let patched = intent(99, &target, &found);
    assert_eq!(
        done(&world.perform(&sealed(patched.clone()), &Halt::never()).await),
        "data.maintenance read-only -> on"
    );
    assert_eq!(
        shop.get("ConfigMap", "flags").await["data"],
        json!({"maintenance": "on", "other": "x"}),
        "nothing else changes"
    );

    // An annotation that was not there goes away again.
    let place = SwitchPlace::Annotation("example.com/maintenance".into());
    let found = preflight(&world, &target, Wish::Patch(Field::Switch { place, to: "on".into() }), true).await;
    let annotated = intent(100, &target, &found);
    let field = "metadata.annotations[\"example.com/maintenance\"]";
    assert_eq!(
        done(&world.perform(&sealed(annotated.clone()), &Halt::never()).await),
        format!("{field} - -> on")
    );
    assert_eq!(taken_back(&world, 101, &annotated).await, format!("{field} on -> -"));
    assert_eq!(taken_back(&world, 102, &patched).await, "data.maintenance on -> read-only");
    let left = shop.get("ConfigMap", "flags").await["metadata"]["annotations"].clone();
    assert!(left.is_null() || left == json!({}), "no trace is left: {left}");
}
