//! Quarantines over a cluster in memory: the wall, the labels, refusals, lost answers, repeats, and the way back.

use std::sync::Arc;

use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::event::Seq;
use paramedic_policies::remediation::quarantine;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::{QUARANTINE, SERVICES, wall};
use crate::block_ip::{DAEMON_SETS, POLICIES};
use crate::fakes::{
    Answer, FakeCluster, STAMP, eyes, halted_after, intent, on, preflight, refused, sealed, target as web,
};
use crate::pods::{NAMESPACES, PODS};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, DEPLOYMENTS, REPLICA_SETS};
use crate::ports::world::World;

mod suspects;

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"uid": format!("uid-{name}"), "labels": {"app": "web", "pod-template-hash": "5d", "tier": "front"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d", "controller": true}]},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster, at: &Address) -> Option<Value> {
    cluster.objects.lock().expect("no test panicked").get(at).cloned()
}

fn labels(cluster: &FakeCluster, name: &str) -> Value {
    get(cluster, &PODS.named("prod", name)).expect("it is there")["metadata"]["labels"].clone()
}

/// Two pods of a Deployment behind a Service, on a network that enforces policies.
fn shop() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    let selector = json!({"matchLabels": {"app": "web"}});
    put(&cluster, DEPLOYMENTS.named("prod", "web"), json!({"spec": {"selector": selector}}));
    let set = json!({
        "metadata": {"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true}]},
        "spec": {"selector": {"matchLabels": {"app": "web", "pod-template-hash": "5d"}}},
    });
    put(&cluster, REPLICA_SETS.named("prod", "web-5d"), set);
    put(&cluster, SERVICES.named("prod", "web"), json!({"spec": {"selector": {"app": "web"}}}));
    put(&cluster, SERVICES.named("prod", "other"), json!({"spec": {"selector": {"app": "other"}}}));
    put(&cluster, DAEMON_SETS.named("kube-system", "calico-node"), json!({}));
    for name in ["web-1", "web-2"] {
        put(&cluster, PODS.named("prod", name), pod(name));
    }
    cluster
}

fn wish(detach: bool) -> quarantine::Wish {
    quarantine::Wish {
        lasts: Span::from_hours(2),
        detach,
        rejoin: false,
        dns: false,
        max: 2,
        enforced: false,
    }
}

fn one() -> Target {
    Target { kind: "Pod".into(), namespace: "prod".into(), name: "web-1".into() }
}

async fn asked(cluster: &Arc<FakeCluster>, target: Target, wish: quarantine::Wish) -> Preflight {
    preflight(&on(cluster), target, Wish::Quarantine(wish), true).await
}

fn intended(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent { uid: found.uid.clone(), ..intent(action) }
}

/// The intent that takes it back.
async fn release(cluster: &Arc<FakeCluster>, of: &Intent) -> Intent {
    let found = preflight(&on(cluster), of.target.clone(), Wish::Revert(of.action.clone()), false).await;
    Intent { id: Seq(9), reverts: Some(of.id), uid: of.uid.clone(), ..intended(&found) }
}

fn told(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            diff.fields.iter().map(|one| format!("{}: {} -> {}", one.path, one.before, one.after)).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn pods_are_walled_in_and_labelled_once() {
    let cluster = shop();
    let found = asked(&cluster, web(), wish(false)).await;
    let said = found.action.as_ref().map(ToString::to_string);
    assert_eq!(said.as_deref(), Some("quarantine web-1, web-2 for 2h"), "{found:?}");
    assert_eq!(found.surroundings.map(|around| around.added), Some(2));
    assert!(
        found.passed.iter().any(|one| one.starts_with("Service web goes on sending")),
        "{:?}",
        found.passed
    );
    let (world, seal) = (on(&cluster), sealed(intended(&found)));
    let rehearsed = Intent { mode: Mode::DryRun, ..(*seal).clone() };
    assert_eq!(eyes(&cluster).perform(&sealed(rehearsed), &Halt::never()).await.name(), "done");
    assert!(get(&cluster, &wall::address("prod", STAMP)).is_none(), "a rehearsal changes nothing");
    let done = [
        "prod/networkpolicy/paramedic-quarantine-journal-7: - -> created",
        "prod/pod/web-1: free -> in quarantine",
        "prod/pod/web-2: free -> in quarantine",
    ];
    assert_eq!(told(&world.perform(&seal, &Halt::never()).await), done);
    let wall = get(&cluster, &wall::address("prod", STAMP)).expect("it stands");
    insta::assert_json_snapshot!("the_wall", wall);
    assert_eq!(labels(&cluster, "web-1")[QUARANTINE], STAMP);
    assert_eq!(labels(&cluster, "web-1")["app"], "web", "only labelled");
    assert_eq!(
        told(&world.perform(&seal, &Halt::never()).await),
        done,
        "the same intent again does nothing more"
    );
    assert_eq!(told(&world.close(&seal).await), done);
    assert_eq!(cluster.changes(), 3);
    let again = asked(&cluster, web(), wish(false)).await;
    assert!(again.already && again.action.is_none(), "{again:?}");

    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(
        told(&world.perform(&back, &Halt::never()).await),
        [
            "prod/pod/web-1: in quarantine -> free",
            "prod/pod/web-2: in quarantine -> free",
            "prod/networkpolicy/paramedic-quarantine-journal-7: present -> deleted",
        ]
    );
    assert_eq!(labels(&cluster, "web-2"), pod("web-2")["metadata"]["labels"]);
    assert_eq!(
        get(&cluster, &PODS.named("prod", "web-2")).expect("it is there")["metadata"]["annotations"],
        json!({})
    );
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 6);
    let over = preflight(&world, web(), Wish::Revert(seal.action.clone()), false).await;
    assert!(over.already && over.action.is_none(), "{over:?}");
}

#[tokio::test(start_paused = true)]
async fn detached_pods_lose_what_selects_them_and_get_it_back() {
    let cluster = shop();
    let found = asked(&cluster, one(), wish(true)).await;
    let intent = Intent { target: one(), ..intended(&found) };
    let seal = sealed(intent);
    let world = on(&cluster);
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(labels(&cluster, "web-1"), json!({"tier": "front", QUARANTINE: STAMP}));
    assert_eq!(labels(&cluster, "web-2"), pod("web-2")["metadata"]["labels"], "the other serves on");
    // Somebody has given it a label of their own meanwhile: that one stays.
    let mut changed = get(&cluster, &PODS.named("prod", "web-1")).expect("it is there");
    changed["metadata"]["labels"]["app"] = json!("forensics");
    put(&cluster, PODS.named("prod", "web-1"), changed);
    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    assert_eq!(
        labels(&cluster, "web-1"),
        json!({"app": "forensics", "pod-template-hash": "5d", "tier": "front"})
    );
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_in_its_own_words() {
    let policy = |selector: Value, spec: Value| {
        let mut whole = json!({"spec": {"podSelector": selector}});
        for (key, value) in spec.as_object().expect("an object") {
            whole["spec"][key] = value.clone();
        }
        whole
    };
    let (all, app) = (json!({}), json!({"matchLabels": {"app": "web"}}));
    let opens = json!({"policyTypes": ["Ingress"], "ingress": [{}]});
    let sends = json!({"policyTypes": ["Egress"], "egress": [{"to": []}]});
    let closes = json!({"policyTypes": ["Ingress", "Egress"]});
    let at = |name: &str| POLICIES.named("prod", name);
    let mut said = String::new();
    let mut note = |what: &str, found: Preflight| {
        let reasons: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
        let words = if reasons.is_empty() { "nothing stands against it".into() } else { reasons.join("; ") };
        said.push_str(&format!("{what}: {words}\n"));
    };
    for (what, selector, spec, detach) in [
        ("another lets in", &app, &opens, false),
        ("another lets in, detached", &app, &opens, true),
        ("one for all lets in, detached", &all, &opens, true),
        ("another lets out", &app, &sends, false),
        ("another closes", &all, &closes, false),
    ] {
        let cluster = shop();
        put(&cluster, at("another"), policy(selector.clone(), spec.clone()));
        note(what, asked(&cluster, web(), wish(detach)).await);
    }
    let cluster = shop();
    let mut on_node = pod("web-1");
    on_node["spec"]["hostNetwork"] = json!(true);
    put(&cluster, PODS.named("prod", "web-1"), on_node);
    note("on its node's network", asked(&cluster, one(), wish(false)).await);
    note("too many", asked(&shop(), web(), quarantine::Wish { max: 1, ..wish(false) }).await);
    let cluster = FakeCluster::new(|_| {});
    put(&cluster, PODS.named("prod", "web-1"), json!({"metadata": {"labels": {"app": "web"}}}));
    note("nobody enforces", asked(&cluster, one(), wish(false)).await);
    note("declared", asked(&cluster, one(), quarantine::Wish { enforced: true, ..wish(false) }).await);
    let cluster = shop();
    put(
        &cluster,
        DEPLOYMENTS.named("prod", "web"),
        json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}}),
    );
    note("no pods", asked(&cluster, web(), wish(false)).await);
    let paused = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"}}});
    let cluster = shop();
    put(&cluster, NAMESPACES.named("", "prod"), paused);
    note("paused", asked(&cluster, one(), wish(false)).await);
    note("a Service", asked(&shop(), Target { kind: "Service".into(), ..web() }, wish(false)).await);
    insta::assert_snapshot!("each_obstacle_refuses_in_its_own_words", said);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_looking() {
    let cluster = shop().answering(Answer::LostAfter);
    let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    for answer in [Answer::LostBefore, Answer::NotSent] {
        let cluster = shop().answering(answer);
        let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
        for outcome in [on(&cluster).perform(&seal, &Halt::never()).await, on(&cluster).close(&seal).await] {
            assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{answer:?}: {outcome:?}");
        }
    }
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
    *cluster.looks_fail.lock().expect("no test panicked") = true;
    assert_eq!(on(&cluster).close(&seal).await.name(), "unknown", "nobody can tell");

    let blind = shop().answering(Answer::LostBlind);
    let seal = sealed(intended(&asked(&blind, web(), wish(true)).await));
    assert_eq!(on(&blind).perform(&seal, &Halt::never()).await.name(), "unknown");
    for (answer, name) in
        [(Answer::LostAfter, "done"), (Answer::LostBefore, "failed"), (Answer::LostBlind, "unknown")]
    {
        let cluster = shop();
        let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
        let back = sealed(release(&cluster, &seal).await);
        let cluster = cluster.answering(answer);
        assert_eq!(on(&cluster).perform(&back, &Halt::never()).await.name(), name, "{answer:?}");
    }
}

/// A kubelet writes the status of a pod whenever it likes.
#[tokio::test(start_paused = true)]
async fn a_write_between_look_and_request_loses_no_lease() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, one(), wish(true)).await));
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    let back = sealed(release(&cluster, &seal).await);
    *cluster.races.lock().expect("no test panicked") = 2;
    assert_eq!(told(&on(&cluster).perform(&back, &Halt::never()).await).len(), 2);
    assert_eq!(labels(&cluster, "web-1"), pod("web-1")["metadata"]["labels"]);
    // Not for ever: the engine decides what becomes of one that loses every race.
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, one(), wish(true)).await));
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    let (back, before) = (sealed(release(&cluster, &seal).await), cluster.changes());
    *cluster.races.lock().expect("no test panicked") = 100;
    assert_eq!(refused(&on(&cluster).perform(&back, &Halt::never()).await), ["changed"]);
    assert_eq!(cluster.changes() - before, 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_half_done_is_told_and_taken_back_whole() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(false)).await));
    // The process ended after the wall and one pod; the other pod has ended by itself.
    let world = on(&cluster);
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    put(&cluster, PODS.named("prod", "web-1"), pod("web-1"));
    let Outcome::Failed { what, applied: true, .. } = world.close(&seal).await else {
        panic!("it is half done")
    };
    assert!(what.contains("shows no trace of it"), "{what}");
    let mut another = pod("web-2");
    another["metadata"]["uid"] = json!("another");
    put(&cluster, PODS.named("prod", "web-2"), another.clone());
    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    assert!(get(&cluster, &wall::address("prod", STAMP)).is_none());
    assert_eq!(
        labels(&cluster, "web-2"),
        another["metadata"]["labels"],
        "a pod that is not meant is left alone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ended_meanwhile_does_not_stop_the_others() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(false)).await));
    let mut another = pod("web-1");
    another["metadata"]["uid"] = json!("another");
    put(&cluster, PODS.named("prod", "web-1"), another);
    let said = told(&on(&cluster).perform(&seal, &Halt::never()).await);
    assert_eq!(
        said[1..],
        ["prod/pod/web-1: running -> gone by itself", "prod/pod/web-2: free -> in quarantine"]
    );
    assert_eq!(told(&on(&cluster).close(&seal).await)[1..], said[1..]);
    assert!(labels(&cluster, "web-1").get(QUARANTINE).is_none(), "another pod of that name is not meant");
    let Action::Quarantine(action) = &seal.action else { panic!("a quarantine") };
    assert!(matches!(action, quarantine::Action::Isolate(_)));
}

/// What is let go is one too many for its workload, which may end it before anybody looks.
#[tokio::test(start_paused = true)]
async fn a_release_cut_short_may_have_let_go_who_is_gone_since() {
    let cluster = shop();
    let world = on(&cluster);
    let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let back = sealed(release(&cluster, &seal).await);
    let Outcome::Failed { applied: false, .. } = world.close(&back).await else {
        panic!("both are held still: nothing was done")
    };
    let mut another = pod("web-1");
    another["metadata"]["uid"] = json!("another");
    put(&cluster, PODS.named("prod", "web-1"), another);
    let Outcome::Failed { what, applied: true, .. } = world.close(&back).await else {
        panic!("web-1 may have been let go before it ended")
    };
    assert!(what.ends_with("done: prod/pod/web-1 (gone by itself)"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_it_before_the_next_pod_and_it_is_taken_back_whole() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(false)).await));
    let halt = halted_after(2, &cluster.pauses);
    let world = on(&cluster);
    let outcome = world.perform(&seal, &halt).await;
    let Outcome::Failed { what, applied: true, .. } = &outcome else { panic!("half done: {outcome:?}") };
    let wanted = "everything is paused by ann; done: prod/networkpolicy/paramedic-quarantine-journal-7, \
                  prod/pod/web-1; not done: prod/pod/web-2";
    assert_eq!(what, wanted);
    assert_eq!(cluster.changes(), 2, "the wall and one pod");
    assert_eq!(labels(&cluster, "web-2"), pod("web-2")["metadata"]["labels"]);

    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    assert!(get(&cluster, &wall::address("prod", STAMP)).is_none());
    assert_eq!(labels(&cluster, "web-1"), pod("web-1")["metadata"]["labels"]);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_stopped_leaves_the_wall_until_it_is_done() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(false)).await));
    let world = on(&cluster);
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let back = sealed(release(&cluster, &seal).await);
    let halt = halted_after(cluster.changes() + 1, &cluster.pauses);
    let outcome = world.perform(&back, &halt).await;
    assert!(matches!(outcome, Outcome::Failed { applied: true, .. }), "{outcome:?}");
    assert!(get(&cluster, &wall::address("prod", STAMP)).is_some());
    assert_eq!(labels(&cluster, "web-2")[QUARANTINE], STAMP);
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
}

#[tokio::test(start_paused = true)]
async fn what_protects_a_pod_or_its_workload_is_told() {
    let cluster = shop();
    let mut deployment = get(&cluster, &DEPLOYMENTS.named("prod", "web")).unwrap_or_default();
    deployment["metadata"]["labels"] = json!({"gold": "yes"});
    put(&cluster, DEPLOYMENTS.named("prod", "web"), deployment);
    let mut tagged = pod("web-2");
    tagged["metadata"]["labels"]["tier"] = json!("0");
    put(&cluster, PODS.named("prod", "web-2"), tagged);
    let beside = asked(&cluster, web(), wish(false)).await.beside;
    assert_eq!(beside.with("tier", Some("0")), Some("prod/pod/web-2"));
    assert_eq!(
        asked(&cluster, one(), wish(false)).await.beside.with("gold", None),
        Some("prod/deployment/web")
    );
}
