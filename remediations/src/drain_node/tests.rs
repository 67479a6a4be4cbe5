//! Drains over a cluster in memory: cordon and evictions, what is left alone, refusals, budgets, lost answers, the way back.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::event::Seq;
use paramedic_policies::remediation::drain_node;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::cordon::{DRAINING_UNTIL, NODES};
use crate::fakes::{Answer, FakeCluster, STAMP, eyes, intent, names, now, on, preflight, refused, sealed};
use crate::pods::{BUDGETS, NAMESPACES, PODS};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, DEPLOYMENTS, REPLICA_SETS};
use crate::ports::world::World;
use crate::stamp::INTENT;

mod beside;
mod makers;

fn target() -> Target {
    Target { kind: "Node".into(), namespace: String::new(), name: "node-a".into() }
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster, at: &Address) -> Option<Value> {
    cluster.objects.lock().expect("no test panicked").get(at).cloned()
}

fn node(cluster: &FakeCluster) -> Value {
    get(cluster, &NODES.named("", "node-a")).expect("it is there")
}

fn ready_node() -> Value {
    json!({"spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

fn pod(owner: &str, name: &str) -> Value {
    json!({
        "metadata": {"uid": format!("uid-{name}"), "labels": {"app": "web"}, "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": owner, "name": "web-5d", "controller": true}]},
        "spec": {"nodeName": "node-a", "containers": [{"name": "main", "image": "registry.example/shop/web:1"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn budget(allowed: i32) -> Value {
    json!({
        "metadata": {"generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2},
    })
}

/// Two nodes; on the first two pods of a Deployment, one of a DaemonSet, one that has run to its end; on the other one.
fn fleet() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    for name in ["node-a", "node-b"] {
        put(&cluster, NODES.named("", name), ready_node());
    }
    let set = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true}]}});
    put(&cluster, REPLICA_SETS.named("prod", "web-5d"), set.clone());
    put(&cluster, REPLICA_SETS.named("stage", "web-5d"), set);
    put(&cluster, PODS.named("prod", "web-1"), pod("ReplicaSet", "web-1"));
    put(&cluster, PODS.named("stage", "web-2"), pod("ReplicaSet", "web-2"));
    put(&cluster, PODS.named("prod", "agent"), pod("DaemonSet", "agent"));
    let mut over = pod("Job", "done");
    over["status"]["phase"] = json!("Succeeded");
    put(&cluster, PODS.named("prod", "done"), over);
    let mut elsewhere = pod("ReplicaSet", "web-3");
    elsewhere["spec"]["nodeName"] = json!("node-b");
    put(&cluster, PODS.named("prod", "web-3"), elsewhere);
    cluster
}

fn wish() -> drain_node::Wish {
    drain_node::Wish { max_nodes: 1, local_storage: LocalStorage::Refuse, within: Span::from_mins(5) }
}

async fn asked(cluster: &Arc<FakeCluster>) -> Preflight {
    preflight(&on(cluster), target(), Wish::DrainNode(wish()), true).await
}

fn intended(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent { target: target(), uid: found.uid.clone(), ..intent(action) }
}

async fn uncordon(cluster: &Arc<FakeCluster>, of: &Intent) -> Intent {
    let found = preflight(&on(cluster), target(), Wish::Revert(of.action.clone()), true).await;
    Intent { id: Seq(9), reverts: Some(of.id), ..intended(&found) }
}

fn told(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            diff.fields.iter().map(|one| format!("{} {} -> {}", one.path, one.before, one.after)).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

/// How taking a cordon back ends that is not ours any more.
const NOTHING_SENT: Outcome = Outcome::Done { diff: None, already: true };

const DRAINED: [&str; 3] = [
    "spec.unschedulable - -> true",
    "prod/pod/web-1 running -> evicted",
    "stage/pod/web-2 running -> evicted",
];

#[tokio::test(start_paused = true)]
async fn a_node_is_cordoned_then_emptied_and_given_back() {
    let cluster = fleet();
    let found = asked(&cluster).await;
    let said = found.action.as_ref().map(ToString::to_string);
    assert_eq!(said.as_deref(), Some("cordon it and evict 2 pods of prod, stage"), "{found:?}");
    assert_eq!(
        found.action.as_ref().map(Action::namespaces),
        Some(["prod".into(), "stage".into()].as_slice())
    );
    assert_eq!(found.surroundings.map(|around| (around.desired, around.added)), Some((20, 1)));
    let (world, seal) = (on(&cluster), sealed(intended(&found)));
    let rehearsed = Intent { mode: Mode::DryRun, ..(*seal).clone() };
    assert_eq!(told(&eyes(&cluster).perform(&sealed(rehearsed), &Halt::never()).await), DRAINED);
    assert_eq!(node(&cluster)["spec"], json!({}), "a rehearsal changes nothing");
    assert_eq!(told(&world.perform(&seal, &Halt::never()).await), DRAINED);
    assert_eq!(node(&cluster)["spec"], json!({"unschedulable": true}));
    assert_eq!(node(&cluster)["metadata"]["annotations"][INTENT], STAMP);
    for (space, name, is_there) in [
        ("prod", "web-1", false),
        ("stage", "web-2", false),
        ("prod", "agent", true),
        ("prod", "web-3", true),
    ] {
        assert_eq!(get(&cluster, &PODS.named(space, name)).is_some(), is_there, "{name}");
    }
    let again = told(&world.perform(&seal, &Halt::never()).await);
    let gone = ["prod/pod/web-1 running -> gone already", "stage/pod/web-2 running -> gone already"];
    assert_eq!(again[1..], gone, "the same intent again evicts nobody, and does not say so");
    assert_eq!(told(&world.close(&seal).await), DRAINED);
    assert_eq!(cluster.changes(), 3);
    let again = asked(&cluster).await;
    assert!(again.already && again.action.is_none(), "{again:?}");

    let back = sealed(uncordon(&cluster, &seal).await);
    assert_eq!(told(&world.perform(&back, &Halt::never()).await), ["spec.unschedulable true -> -"]);
    assert_eq!(node(&cluster)["spec"], json!({}));
    assert_eq!(node(&cluster)["metadata"]["annotations"], json!({}));
    assert_eq!(world.perform(&back, &Halt::never()).await, NOTHING_SENT);
    assert_eq!(cluster.changes(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_cordon_that_somebody_else_set_is_not_ours() {
    let cluster = fleet();
    let mut cordoned = ready_node();
    cordoned["spec"]["unschedulable"] = json!(true);
    put(&cluster, NODES.named("", "node-a"), cordoned.clone());
    assert_eq!(names(&asked(&cluster).await.refusals), ["managedByOther"]);

    let cluster = fleet();
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let back = sealed(uncordon(&cluster, &seal).await);
    // Somebody has uncordoned it, and cordoned it again since: our marks are still there, and it is theirs.
    let mut theirs = node(&cluster);
    theirs["metadata"]["managedFields"] =
        json!([{"manager": "kubectl-cordon", "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}]);
    put(&cluster, NODES.named("", "node-a"), theirs);
    let found = preflight(&world, target(), Wish::Revert(seal.action.clone()), false).await;
    assert!(found.already && found.action.is_none(), "{found:?}");
    assert_eq!(world.perform(&back, &Halt::never()).await, NOTHING_SENT);
    assert_eq!(node(&cluster)["spec"]["unschedulable"], true, "theirs stays");
    // A later drain of ours has taken it over.
    let mut later = node(&cluster);
    later["metadata"]["managedFields"] = json!([]);
    later["metadata"]["annotations"][INTENT] = json!("journal-8");
    put(&cluster, NODES.named("", "node-a"), later);
    assert_eq!(world.perform(&back, &Halt::never()).await, NOTHING_SENT);
    assert_eq!(node(&cluster)["spec"]["unschedulable"], true, "the later one's stays");
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_in_its_own_words() {
    type Change = fn(&FakeCluster);
    let cases: [(&str, Change); 13] = [
        ("another is cordoned", |cluster| {
            let mut other = ready_node();
            other["spec"]["unschedulable"] = json!(true);
            put(cluster, NODES.named("", "node-b"), other);
        }),
        ("another is not ready", |cluster| put(cluster, NODES.named("", "node-b"), json!({}))),
        ("another is being drained", |cluster| {
            let mut other = ready_node();
            other["spec"]["unschedulable"] = json!(true);
            other["metadata"] =
                json!({"annotations": {(DRAINING_UNTIL): "2026-11-21T09:05:00Z", (INTENT): "journal-5"}});
            put(cluster, NODES.named("", "node-b"), other);
        }),
        ("it hosts us", |cluster| {
            let mut us = pod("ReplicaSet", "us");
            us["spec"]["serviceAccountName"] = json!("paramedic");
            put(cluster, PODS.named("ops", "us"), us);
        }),
        ("it hosts Prometheus", |cluster| {
            let mut prometheus = pod("StatefulSet", "p");
            prometheus["spec"]["containers"][0]["image"] = json!("quay.io/prometheus/prometheus:v3.5.0");
            put(cluster, PODS.named("monitoring", "p"), prometheus);
        }),
        ("it hosts Alertmanager", |cluster| {
            let mut manager = pod("StatefulSet", "am");
            manager["metadata"]["labels"] = json!({"app.kubernetes.io/name": "alertmanager"});
            put(cluster, PODS.named("monitoring", "am"), manager);
        }),
        ("it hosts what is asked in place of Prometheus", |cluster| {
            let mut select = pod("StatefulSet", "vm");
            select["spec"]["containers"][0]["image"] =
                json!("registry.example/victoriametrics/vmselect:v1.140.0-cluster");
            put(cluster, PODS.named("monitoring", "vm"), select);
        }),
        ("a bare pod", |cluster| {
            let mut bare = pod("x", "bare");
            bare["metadata"]["ownerReferences"] = json!([]);
            put(cluster, PODS.named("prod", "bare"), bare);
        }),
        ("local storage", |cluster| {
            let mut local = pod("ReplicaSet", "web-1");
            local["spec"]["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
            put(cluster, PODS.named("prod", "web-1"), local);
        }),
        ("a budget", |cluster| put(cluster, BUDGETS.named("prod", "web"), budget(0))),
        ("a paused namespace", |cluster| {
            let paused = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
            put(cluster, NAMESPACES.named("", "stage"), json!({"metadata": {"annotations": paused}}));
        }),
        ("a paused workload", |cluster| {
            let paused = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
            put(cluster, DEPLOYMENTS.named("stage", "web"), json!({"metadata": {"annotations": paused}}));
        }),
        ("a paused node", |cluster| {
            let mut paused = ready_node();
            paused["metadata"] =
                json!({"annotations": {"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"}});
            put(cluster, NODES.named("", "node-a"), paused);
        }),
    ];
    let mut said = String::new();
    for (what, change) in cases {
        let cluster = fleet();
        change(&cluster);
        let found = asked(&cluster).await;
        let reasons: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
        said.push_str(&format!("{what}: {}\n", reasons.join("; ")));
        assert!(found.action.is_none(), "{what}");
    }
    insta::assert_snapshot!("each_obstacle_refuses_in_its_own_words", said);
    let wrong = preflight(&on(&fleet()), crate::fakes::target(), Wish::DrainNode(wish()), false).await;
    assert_eq!(names(&wrong.refusals), ["wrongKind"]);
    // Between the plan and its time another node has gone.
    let cluster = fleet();
    let seal = sealed(intended(&asked(&cluster).await));
    put(&cluster, NODES.named("", "node-b"), json!({}));
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["outOfBounds"]);
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_waited_for_until_the_deadline_and_no_longer() {
    let cluster = fleet();
    put(&cluster, BUDGETS.named("stage", "web"), budget(1));
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    put(&cluster, BUDGETS.named("stage", "web"), budget(0));
    let beside = async {
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(cluster.changes(), 2, "the cordon and one eviction: nobody asks for what a look refuses");
        put(&cluster, BUDGETS.named("stage", "web"), budget(1));
    };
    let halt = Halt::never();
    assert_eq!(told(&tokio::join!(world.perform(&seal, &halt), beside).0), DRAINED);

    let cluster = fleet();
    let planned = intended(&asked(&cluster).await);
    let seal = sealed(Intent { deadline: now() + Span::from_mins(2), ..planned });
    put(&cluster, BUDGETS.named("stage", "web"), budget(0));
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("it is late")
    };
    let wanted = "1 of 2 pods evicted, then time was up: PodDisruptionBudget web allows 0 disruptions; stage/web-2 stayed";
    assert!(what.starts_with(wanted), "{what}");
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).close(&seal).await else {
        panic!("it is half done")
    };
    assert!(what.starts_with("1 of 2 pods evicted, then the process ended; stage/web-2 stayed"), "{what}");
    assert_eq!(node(&cluster)["spec"]["unschedulable"], true);
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_it_before_the_next_pod() {
    let cluster = fleet();
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    put(&cluster, BUDGETS.named("stage", "web"), budget(0));
    let (halt, stopper) = Halt::with_stopper();
    let beside = async {
        tokio::time::sleep(Duration::from_secs(61)).await;
        stopper.says(Some("everything is paused by ann".to_owned()));
        // That it would be let go now changes nothing.
        put(&cluster, BUDGETS.named("stage", "web"), budget(1));
    };
    let Outcome::Failed { what, applied: true, .. } = tokio::join!(world.perform(&seal, &halt), beside).0
    else {
        panic!("it is half done")
    };
    let wanted = "1 of 2 pods evicted, then everything is paused by ann; stage/web-2 stayed";
    assert!(what.starts_with(wanted), "{what}");
    assert_eq!(cluster.changes(), 2, "the cordon and one eviction");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_looking() {
    let cluster = fleet().answering(Answer::LostAfter);
    let seal = sealed(intended(&asked(&cluster).await));
    assert_eq!(told(&on(&cluster).perform(&seal, &Halt::never()).await), DRAINED);
    for answer in [Answer::LostBefore, Answer::NotSent] {
        let cluster = fleet().answering(answer);
        let seal = sealed(intended(&asked(&cluster).await));
        for outcome in [on(&cluster).perform(&seal, &Halt::never()).await, on(&cluster).close(&seal).await] {
            assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{answer:?}: {outcome:?}");
        }
    }
    let cluster = fleet();
    let seal = sealed(intended(&asked(&cluster).await));
    *cluster.looks_fail.lock().expect("no test panicked") = true;
    assert_eq!(on(&cluster).close(&seal).await.name(), "unknown", "nobody can tell");

    let blind = fleet().answering(Answer::LostBlind);
    let seal = sealed(intended(&asked(&blind).await));
    assert_eq!(on(&blind).perform(&seal, &Halt::never()).await.name(), "unknown");
    // The way back, and one of several evictions.
    for (answer, name) in
        [(Answer::LostAfter, "done"), (Answer::LostBefore, "failed"), (Answer::LostBlind, "unknown")]
    {
        let cluster = fleet();
        let seal = sealed(intended(&asked(&cluster).await));
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
        let back = sealed(uncordon(&cluster, &seal).await);
        let cluster = cluster.answering(answer);
        assert_eq!(on(&cluster).perform(&back, &Halt::never()).await.name(), name, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_protects_a_pod_that_would_leave_or_its_workload_is_told() {
    let cluster = fleet();
    put(&cluster, DEPLOYMENTS.named("prod", "web"), json!({"metadata": {"labels": {"gold": "yes"}}}));
    let mut tagged = pod("ReplicaSet", "web-2");
    tagged["metadata"]["labels"]["tier"] = json!("0");
    put(&cluster, PODS.named("stage", "web-2"), tagged);
    let mut stays = pod("DaemonSet", "agent");
    stays["metadata"]["labels"]["tier"] = json!("1");
    put(&cluster, PODS.named("prod", "agent"), stays);
    let beside = asked(&cluster).await.beside;
    assert_eq!(beside.with("tier", Some("0")), Some("stage/pod/web-2"));
    assert_eq!(beside.with("tier", Some("1")), None, "it stays where it is");
    assert_eq!(beside.with("gold", None), Some("prod/deployment/web"), "of its workload");
}
