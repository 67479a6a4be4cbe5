//! Patches over a cluster in memory: bounds, refusals, lost answers, repeats, and the way back.

use std::sync::Arc;

use paramedic_policies::action::{Intent, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::event::Seq;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{self, Amount, Field, Limited, More, SwitchPlace};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::looked::resource;
use crate::fakes::{Answer, FakeCluster, eyes, intent, names, on, preflight, refused, sealed};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, Resource};
use crate::ports::world::World;

fn at(kind: &str) -> Address {
    resource(kind).expect("a kind that can be patched").named("prod", "web")
}

fn on_kind(kind: &str) -> Target {
    Target { kind: kind.into(), namespace: "prod".into(), name: "web".into() }
}

fn put(cluster: &FakeCluster, address: Address, mut object: Value) {
    object["metadata"]["uid"] = json!("uid-1");
    cluster.objects.lock().expect("no test panicked").put(address, object);
}

fn object(cluster: &FakeCluster, kind: &str) -> Value {
    cluster.objects.lock().expect("no test panicked").get(&at(kind)).cloned().expect("it is there")
}

fn merged(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    object.pointer_mut(parent).expect("its parent is there")[key] = value;
    object
}

fn stateful_set() -> Value {
    let resources = json!({"limits": {"memory": "4Gi", "cpu": "2"}, "requests": {"memory": "4Gi"}});
    json!({"metadata": {}, "spec": {"template": {"spec": {"containers": [
        {"name": "proxy"}, {"name": "db", "resources": resources}]}}}})
}

fn times(thousandths: u32, max: &str) -> More {
    More::Times { thousandths, max: max.parse().expect("a quantity") }
}

fn at_least(least: &str) -> More {
    More::AtLeast(least.parse().expect("a quantity"))
}

fn more(amounts: &[(Amount, More)]) -> patch::Wish {
    Field::Resources { container: "db".into(), amounts: amounts.iter().copied().collect() }
}

fn memory(more: More) -> patch::Wish {
    self::more(&[(Amount::LimitMemory, more)])
}

fn config_map() -> Value {
    json!({"metadata": {"annotations": {"team": "shop"}}, "data": {"maintenance": "off", "essay": "x".repeat(300)}})
}

fn turn_on() -> patch::Wish {
    Field::Switch { place: SwitchPlace::Key("maintenance".into()), to: "on".into() }
}

fn annotate() -> patch::Wish {
    Field::Switch { place: SwitchPlace::Annotation("example.com/maintenance".into()), to: "on".into() }
}

/// A cluster with one object, by the kind of the target.
fn with(kind: &str, object: Value) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|workload| workload.target = on_kind(kind));
    put(&cluster, at(kind), object);
    cluster
}

fn said(found: &Preflight) -> String {
    match (&found.action, found.already) {
        (Some(action), false) => action.to_string(),
        (None, true) => "already".into(),
        (None, false) => found.refusals.iter().map(Reason::to_string).collect::<Vec<_>>().join("; "),
        (Some(action), true) => panic!("{action} although already"),
    }
}

async fn asked(cluster: &Arc<FakeCluster>, kind: &str, wish: patch::Wish) -> Preflight {
    preflight(&on(cluster), on_kind(kind), Wish::Patch(wish), true).await
}

async fn wished(kind: &str, object: Value, wish: patch::Wish) -> String {
    said(&asked(&with(kind, object), kind, wish).await)
}

fn intended(found: &Preflight, kind: &str) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent {
        target: on_kind(kind),
        uid: found.uid.clone(),
        revert_after: Some(Span::from_hours(2)),
        ..intent(action)
    }
}

fn diff(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            let fields =
                diff.fields.iter().map(|one| format!("{} {} -> {}", one.path, one.before, one.after));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_gets_more_within_its_bounds_and_never_less() {
    for (wish, becomes) in [
        (memory(times(1_500, "16Gi")), "patch limits.memory of container db 4Gi -> 6Gi"),
        (memory(times(3_000, "8Gi")), "patch limits.memory of container db 4Gi -> 8Gi"),
        (memory(times(1_500, "4Gi")), "no usable limits.memory: 4Gi is at its max 4Gi already"),
        (memory(at_least("8Gi")), "patch limits.memory of container db 4Gi -> 8Gi"),
        (memory(at_least("4096Mi")), "already"),
        (memory(at_least("1Gi")), "already"),
        (
            more(&[(Amount::LimitMemory, at_least("8Gi")), (Amount::RequestMemory, times(1_250, "8Gi"))]),
            "patch limits.memory of container db 4Gi -> 8Gi, requests.memory of container db 4Gi -> 5Gi",
        ),
        (more(&[(Amount::RequestCpu, at_least("500m"))]), "patch requests.cpu of container db - -> 500m"),
        (
            more(&[(Amount::RequestCpu, times(2_000, "4"))]),
            "no usable requests.cpu: it is not set, so there is nothing to multiply",
        ),
    ] {
        assert_eq!(wished("StatefulSet", stateful_set(), wish.clone()).await, becomes, "{wish:?}");
    }
    let unlimited = merged(stateful_set(), "/spec/template/spec/containers/1/resources", json!({}));
    assert_eq!(
        wished("StatefulSet", unlimited, memory(at_least("8Gi"))).await,
        "already",
        "no limit is more"
    );
    let nobody = merged(stateful_set(), "/spec/template/spec/containers/1/name", json!("other"));
    let said = wished("StatefulSet", nobody, memory(at_least("8Gi"))).await;
    assert_eq!(said, "there is no container db of prod/statefulset/web");
}

#[tokio::test(start_paused = true)]
async fn nothing_else_moves_the_object_and_nobody_paused_it() {
    let wish = || memory(times(1_500, "16Gi"));
    let tracked =
        merged(stateful_set(), "/metadata/labels", json!({"kustomize.toolkit.fluxcd.io/name": "shop"}));
    let reasons = asked(&with("StatefulSet", tracked), "StatefulSet", wish()).await.refusals;
    assert_eq!(names(&reasons), ["managedByGitOps"]);
    let operator = json!([{"kind": "Cluster", "name": "pg", "controller": true}]);
    let owned = merged(stateful_set(), "/metadata/ownerReferences", operator);
    let reasons = asked(&with("StatefulSet", owned), "StatefulSet", wish()).await.refusals;
    assert_eq!(names(&reasons), ["managedByGitOps"]);

    for (arrange, reason) in [
        (
            (|workload| workload.rollout.under_way = true) as fn(&mut crate::ports::cluster::Workload),
            "rollingOut",
        ),
        (|workload| workload.paused = true, "workloadPaused"),
        (|workload| workload.immovable = Some("OnDelete".into()), "noPodWouldMove"),
        (|workload| workload.budgets = vec![("db".into(), 0)], "disruptionBudget"),
        (
            |workload| {
                workload
                    .annotations
                    .insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
            },
            "pausedByAnnotation",
        ),
    ] {
        let cluster = FakeCluster::new(|workload| {
            workload.target = on_kind("StatefulSet");
            arrange(workload);
        });
        put(&cluster, at("StatefulSet"), stateful_set());
        assert_eq!(names(&asked(&cluster, "StatefulSet", wish()).await.refusals), [reason]);
    }

    let paused = merged(
        config_map(),
        "/metadata/annotations",
        json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"}),
    );
    let reasons = asked(&with("ConfigMap", paused), "ConfigMap", turn_on()).await.refusals;
    assert_eq!(names(&reasons), ["pausedByAnnotation"]);
    let cluster = with("ConfigMap", config_map());
    let namespace = Resource::of_cluster("", "v1", "namespaces", "Namespace").named("", "prod");
    put(&cluster, namespace, json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "tomorrow"}}}));
    assert_eq!(names(&asked(&cluster, "ConfigMap", turn_on()).await.refusals), ["pausedByAnnotation"]);
    let wrong = asked(&with("Service", json!({"metadata": {}})), "Service", turn_on()).await;
    assert_eq!(names(&wrong.refusals), ["wrongKind"]);
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_set_where_it_is_and_stays_a_word() {
    let said = async |wish| wished("ConfigMap", config_map(), wish).await;
    let key = |key: &str| Field::Switch { place: SwitchPlace::Key(key.into()), to: "on".into() };
    assert_eq!(said(turn_on()).await, "patch key maintenance off -> on");
    assert_eq!(said(key("absent")).await, "there is no key absent in prod/configmap/web");
    assert_eq!(said(key("essay")).await, "no usable essay: it holds 300 characters, which is no switch");
    assert_eq!(said(annotate()).await, "patch annotation example.com/maintenance - -> on");
    let immutable = merged(json!({"x": config_map()}), "/x/immutable", json!(true))["x"].take();
    assert_eq!(
        wished("ConfigMap", immutable, turn_on()).await,
        "no usable maintenance: the ConfigMap is immutable"
    );
    let on = merged(config_map(), "/data/maintenance", json!("on"));
    assert_eq!(wished("ConfigMap", on, turn_on()).await, "already");
}

fn ingress(annotations: Value, paths: &[&str]) -> Value {
    let paths: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
    json!({"metadata": {"annotations": annotations}, "spec": {
        "ingressClassName": "nginx", "rules": [{"host": "a", "http": {"paths": paths}}]}})
}

/// An Ingress behind an ingress-nginx with this configuration, whose Service keeps the clients' addresses.
async fn limited(ingress: Value, class: &str, config: Option<Value>) -> String {
    limited_behind(ingress, class, config, Some("Local")).await
}

async fn limited_behind(ingress: Value, class: &str, config: Option<Value>, traffic: Option<&str>) -> String {
    let cluster = with("Ingress.networking.k8s.io", ingress);
    let classes = Resource::of_cluster("networking.k8s.io", "v1", "ingressclasses", "IngressClass");
    put(&cluster, classes.named("", "nginx"), json!({"metadata": {}, "spec": {"controller": class}}));
    if let Some(config) = config {
        let controller = super::looked::CONFIG_MAPS.named("ingress-nginx", "ingress-nginx-controller");
        put(&cluster, controller, json!({"metadata": {}, "data": config}));
    }
    if let Some(policy) = traffic {
        let spec = json!({"type": "LoadBalancer", "externalTrafficPolicy": policy});
        let at = Resource::namespaced("", "v1", "services", "Service")
            .named("ingress-nginx", "ingress-nginx-controller");
        put(&cluster, at, json!({"metadata": {"name": "ingress-nginx-controller"}, "spec": spec}));
    }
    let wish = Field::RateLimit {
        limited: Limited::LimitRps,
        at_most: 5,
        paths: vec!["/login".into(), "/oauth/".into()],
        controller_namespace: "ingress-nginx".into(),
        controller_name: "ingress-nginx-controller".into(),
    };
    said(&asked(&cluster, "Ingress.networking.k8s.io", wish).await)
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_hits_only_what_it_is_for_and_answers_429() {
    const LIMIT: &str = "nginx.ingress.kubernetes.io/limit-rps";
    let nginx = "k8s.io/ingress-nginx";
    let good = || Some(json!({"limit-req-status-code": "429"}));
    let auth = |annotations| ingress(annotations, &["/login", "/oauth/token"]);
    let set = |from: &str| format!("patch annotation {LIMIT} {from} -> 5");
    assert_eq!(limited(auth(json!({})), nginx, good()).await, set("-"));
    assert_eq!(limited(auth(json!({LIMIT: "50"})), nginx, good()).await, set("50"));
    assert_eq!(limited(auth(json!({LIMIT: "0"})), nginx, good()).await, set("0"), "zero is no limit");
    assert_eq!(limited(auth(json!({LIMIT: "3"})), nginx, good()).await, "already", "stricter stays");
    for (ingress, class, config, problem) in [
        (
            auth(json!({})),
            nginx,
            Some(json!({})),
            "limit-req-status-code of ingress-nginx/configmap/ingress-nginx-controller is not set, which means 503; set it to \"429\"",
        ),
        (
            auth(json!({})),
            nginx,
            Some(json!({"limit-req-status-code": "503"})),
            "limit-req-status-code of ingress-nginx/configmap/ingress-nginx-controller is 503; set it to \"429\"",
        ),
        (
            auth(json!({})),
            nginx,
            None,
            "there is no ingress-nginx/configmap/ingress-nginx-controller to say that it answers 429",
        ),
        (
            auth(json!({})),
            "traefik.io/ingress-controller",
            good(),
            "class nginx is traefik.io/ingress-controller, not ingress-nginx",
        ),
        (ingress(json!({}), &["/login", "/loginx", "/"]), nginx, good(), "it serves /loginx, / too"),
        (
            auth(json!({"nginx.ingress.kubernetes.io/use-regex": "true"})),
            nginx,
            good(),
            "it serves paths as expressions (use-regex) too",
        ),
        (
            merged(auth(json!({})), "/spec/defaultBackend", json!({})),
            nginx,
            good(),
            "it serves everything else (spec.defaultBackend) too",
        ),
        (
            merged(auth(json!({})), "/spec/ingressClassName", json!(null)),
            nginx,
            good(),
            "it has no class, so nobody knows which controller reads it",
        ),
        (
            merged(auth(json!({})), "/spec/ingressClassName", json!("other")),
            nginx,
            good(),
            "there is no class other",
        ),
    ] {
        let said = limited(ingress, class, config).await;
        assert_eq!(said, format!("no usable Ingress for a rate limit: {problem}"));
    }
    let odd = limited(auth(json!({LIMIT: "many"})), nginx, good()).await;
    assert_eq!(odd, format!("no usable {LIMIT}: `many` is no number"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_each_client_is_refused_where_clients_cannot_be_told_apart() {
    let nginx = "k8s.io/ingress-nginx";
    let set = "patch annotation nginx.ingress.kubernetes.io/limit-rps - -> 5";
    let hides = "behind Service ingress-nginx-controller of ingress-nginx it sees nodes and not clients";
    let forged = "believes X-Forwarded-For of everybody (enable-real-ip)";
    let balancer = json!({"use-forwarded-headers": "true", "proxy-real-ip-cidr": "192.0.2.0/24"});
    for (more, traffic, wanted) in [
        (json!({}), Some("Local"), set),
        (json!({}), Some("Cluster"), hides),
        (json!({}), None, "shows that it can tell its clients apart"),
        (json!({"use-proxy-protocol": "true"}), Some("Cluster"), set),
        (balancer, Some("Cluster"), set),
        (json!({"enable-real-ip": "1"}), Some("Local"), forged),
    ] {
        let mut config = more;
        config["limit-req-status-code"] = json!("429");
        let auth = ingress(json!({}), &["/login"]);
        let said = limited_behind(auth, nginx, Some(config), traffic).await;
        assert!(said.contains(wanted), "{traffic:?}: {said}");
    }
}

fn service() -> Value {
    json!({"metadata": {}, "spec": {"selector": {"app": "web", "color": "blue"}}})
}

/// A Service with a pod of each color, of which some are ready.
fn colors(service: Value, ready: &[(&str, bool)]) -> Arc<FakeCluster> {
    let cluster = with("Service", service);
    for (index, (color, ready)) in ready.iter().enumerate() {
        let pods = Resource::namespaced("", "v1", "pods", "Pod");
        let status =
            json!({"conditions": [{"type": "Ready", "status": if *ready { "True" } else { "False" }}]});
        let labels = json!({"app": "web", "color": color});
        put(
            &cluster,
            pods.named("prod", &format!("pod-{index}")),
            json!({"metadata": {"labels": labels}, "status": status}),
        );
    }
    cluster
}

fn to_green(ready: u32) -> patch::Wish {
    Field::Selector { label: "color".into(), to: "green".into(), ready }
}

#[tokio::test(start_paused = true)]
async fn traffic_is_never_sent_to_nobody() {
    let asked = async |service, pods: &[(&str, bool)], wish| {
        said(&asked(&colors(service, pods), "Service", wish).await)
    };
    let nobody = |ready: usize, needed: u32| {
        format!(
            "there is no place for the traffic to go: {ready} ready pods meet the new selector, {needed} are needed"
        )
    };
    let both = [("blue", true), ("green", true)];
    assert_eq!(asked(service(), &both, to_green(1)).await, "patch selector color blue -> green");
    assert_eq!(asked(service(), &both, to_green(2)).await, nobody(1, 2));
    assert_eq!(asked(service(), &[("blue", true), ("green", false)], to_green(1)).await, nobody(0, 1));
    let tier = Field::Selector { label: "tier".into(), to: "x".into(), ready: 1 };
    let said = asked(service(), &both, tier).await;
    assert!(said.contains("no usable selector: it has no label tier, and none is added"), "{said}");
    let rollouts = merged(service(), "/spec/selector/rollouts-pod-template-hash", json!("abc"));
    let said = asked(rollouts, &both, to_green(1)).await;
    assert!(said.contains("Argo Rollouts would revert spec.selector"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn traffic_is_moved_once_however_often_that_is_repeated() {
    for answer in [Answer::Honest, Answer::LostAfter] {
        let cluster = colors(service(), &[("blue", true), ("green", true)]).answering(answer);
        let found = asked(&cluster, "Service", to_green(1)).await;
        let seal = sealed(intended(&found, "Service"));
        for outcome in [
            on(&cluster).perform(&seal, &Halt::never()).await,
            on(&cluster).perform(&seal, &Halt::never()).await,
            on(&cluster).close(&seal).await,
        ] {
            assert_eq!(diff(&outcome), "spec.selector.color blue -> green", "{answer:?}");
        }
        assert_eq!(cluster.changes(), 1, "{answer:?}");
        assert_eq!(said(&asked(&cluster, "Service", to_green(1)).await), "already");
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_goes_back_only_where_somebody_takes_it() {
    let cluster = colors(service(), &[("blue", true), ("green", true)]);
    let world = on(&cluster);
    let found = asked(&cluster, "Service", to_green(1)).await;
    let done = intended(&found, "Service");
    assert_eq!(
        diff(&world.perform(&sealed(done.clone()), &Halt::never()).await),
        "spec.selector.color blue -> green"
    );
    let revert = || Wish::Revert(done.action.clone());
    let back = preflight(&world, on_kind("Service"), revert(), true).await;
    assert_eq!(said(&back), "patch selector color green -> blue");
    let pod = Resource::namespaced("", "v1", "pods", "Pod").named("prod", "pod-0");
    put(&cluster, pod, json!({"metadata": {"labels": {"app": "web", "color": "blue"}}}));
    let back = preflight(&world, on_kind("Service"), revert(), true).await;
    assert_eq!(names(&back.refusals), ["targetAbsent"], "the old pods are gone");
}

#[tokio::test(start_paused = true)]
async fn a_patch_keeps_the_old_value_on_the_object_and_goes_back_to_it() {
    let cluster = with("ConfigMap", config_map());
    let world = on(&cluster);
    let found = asked(&cluster, "ConfigMap", turn_on()).await;
    let seal = sealed(intended(&found, "ConfigMap"));
    assert_eq!(diff(&world.perform(&seal, &Halt::never()).await), "data.maintenance off -> on");
    let made = object(&cluster, "ConfigMap");
    assert_eq!(made["data"]["maintenance"], "on");
    let annotations = &made["metadata"]["annotations"];
    assert_eq!(annotations["paramedic.dev/intent"], "journal-7");
    assert_eq!(annotations["paramedic.dev/until"], "2026-11-21T11:00:00.000Z");
    let kept =
        r#"{"data.maintenance":{"intent":"journal-7","until":"2026-11-21T11:00:00.000Z","was":"off"}}"#;
    assert_eq!(annotations["paramedic.dev/patched"], kept);

    // The same intent again has no second effect.
    assert_eq!(diff(&world.perform(&seal, &Halt::never()).await), "data.maintenance off -> on");
    assert_eq!(world.close(&seal).await.name(), "done");
    assert_eq!(cluster.changes(), 1);

    let back = preflight(&world, on_kind("ConfigMap"), Wish::Revert(seal.action.clone()), true).await;
    let revert = |found: &Preflight| {
        let id = Seq(9);
        sealed(Intent { id, reverts: Some(Seq(7)), revert_after: None, ..intended(found, "ConfigMap") })
    };
    let undo = revert(&back);
    assert_eq!(diff(&world.perform(&undo, &Halt::never()).await), "data.maintenance on -> off");
    assert_eq!(object(&cluster, "ConfigMap")["data"], config_map()["data"]);
    assert_eq!(
        object(&cluster, "ConfigMap")["metadata"]["annotations"],
        json!({"team": "shop"}),
        "no trace is left"
    );
    assert_eq!(world.perform(&undo, &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 2, "a repeat sends nothing");
    let again = preflight(&world, on_kind("ConfigMap"), Wish::Revert(seal.action.clone()), true).await;
    assert_eq!(said(&again), "already");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_changed_is_left_alone() {
    let cluster = with("ConfigMap", config_map());
    let world = on(&cluster);
    let found = asked(&cluster, "ConfigMap", annotate()).await;
    let seal = sealed(intended(&found, "ConfigMap"));
    diff(&world.perform(&seal, &Halt::never()).await);
    let mut by_hand = object(&cluster, "ConfigMap");
    by_hand["metadata"]["annotations"]["example.com/maintenance"] = json!("read-only");
    put(&cluster, at("ConfigMap"), by_hand);
    let back = preflight(&world, on_kind("ConfigMap"), Wish::Revert(seal.action.clone()), true).await;
    assert_eq!(names(&back.refusals), ["changed"]);
    assert_eq!(refused(&world.perform(&seal, &Halt::never()).await), ["changed"]);
    assert!(matches!(world.close(&seal).await, Outcome::Unknown { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_looking() {
    for (answer, name) in [
        (Answer::LostAfter, "done"),
        (Answer::LostBefore, "failed"),
        (Answer::NotSent, "failed"),
        (Answer::LostBlind, "unknown"),
    ] {
        let cluster = with("ConfigMap", config_map()).answering(answer);
        let world = on(&cluster);
        let found = asked(&cluster, "ConfigMap", annotate()).await;
        let seal = sealed(intended(&found, "ConfigMap"));
        assert_eq!(world.perform(&seal, &Halt::never()).await.name(), name, "{answer:?}");
        assert_eq!(world.close(&seal).await.name(), name, "{answer:?}");
        assert!(cluster.changes() <= 1);
    }
    let cluster = with("ConfigMap", config_map()).answering(Answer::Denied);
    let found = asked(&cluster, "ConfigMap", annotate()).await;
    assert_eq!(
        refused(&on(&cluster).perform(&sealed(intended(&found, "ConfigMap")), &Halt::never()).await),
        ["serverRefused"]
    );
    let world = eyes(&cluster);
    let rehearsed =
        Intent { mode: paramedic_policies::action::Mode::DryRun, ..intended(&found, "ConfigMap") };
    assert_eq!(world.perform(&sealed(rehearsed), &Halt::never()).await.name(), "done");
    assert_eq!(object(&cluster, "ConfigMap"), object(&with("ConfigMap", config_map()), "ConfigMap"));
}

#[tokio::test(start_paused = true)]
async fn more_for_a_container_is_watched_until_its_pods_have_rolled() {
    let cluster = with("StatefulSet", stateful_set());
    let world = on(&cluster);
    let found = asked(&cluster, "StatefulSet", memory(times(1_500, "16Gi"))).await;
    let field = "spec.template.spec.containers[db].resources.limits.memory";
    let seal = sealed(intended(&found, "StatefulSet"));
    let stuck = crate::ports::cluster::Rollout {
        complete: false,
        under_way: true,
        stuck: true,
        detail: "1 of 3 updated".into(),
    };
    cluster.rollouts.lock().expect("no test panicked").push_back(stuck);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Failed { applied: true, .. }), "{outcome:?}");
    assert_eq!(diff(&world.close(&seal).await), format!("{field} 4Gi -> 6Gi"));
    let back = preflight(&world, on_kind("StatefulSet"), Wish::Revert(seal.action.clone()), true).await;
    assert_eq!(said(&back), "patch limits.memory of container db 6Gi -> 4Gi");
    assert_eq!(found.surroundings.map(|around| around.added), Some(1));
}
