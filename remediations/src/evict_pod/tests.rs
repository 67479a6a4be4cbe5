//! Evictions and deletes over a cluster in memory: the one request, refusals, budgets, lost answers, repeats.

use std::sync::Arc;

use paramedic_policies::action::{Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::remediation::{delete_pod, evict_pod};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use crate::fakes::{
    Answer, FakeCluster, eyes, intent, names, now, on, preflight, refused, sealed, target as deployment,
};
use crate::pods::{BUDGETS, JOBS, NAMESPACES, PODS};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, DEPLOYMENTS, REPLICA_SETS};
use crate::ports::world::World;

fn target() -> Target {
    Target { kind: "Pod".into(), namespace: "prod".into(), name: "web-1".into() }
}

fn at() -> Address {
    PODS.named("prod", "web-1")
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster) -> Option<Value> {
    cluster.objects.lock().expect("no test panicked").get(&at()).cloned()
}

fn pod() -> Value {
    json!({
        "metadata": {"uid": "pod-1", "labels": {"app": "web"}, "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d", "controller": true}]},
        "spec": {"containers": [{"name": "main"}]},
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

fn with(change: impl FnOnce(&mut Value)) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    let set = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true}]}});
    put(&cluster, REPLICA_SETS.named("prod", "web-5d"), set);
    let mut object = pod();
    change(&mut object);
    put(&cluster, at(), object);
    cluster
}

fn evict() -> Wish {
    Wish::EvictPod(evict_pod::Wish { local_storage: LocalStorage::Refuse })
}

fn delete() -> Wish {
    Wish::DeletePod(delete_pod::Wish { local_storage: LocalStorage::Refuse })
}

async fn asked(cluster: &Arc<FakeCluster>, wish: Wish) -> Preflight {
    preflight(&on(cluster), target(), wish, true).await
}

fn intended(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent { target: target(), uid: found.uid.clone(), ..intent(action) }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            let fields = diff.fields.iter();
            fields.map(|one| format!("{} {} -> {}", one.path, one.before, one.after)).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_evicted_or_deleted_once() {
    for (wish, words, verb) in [
        (evict(), "evict a pod of ReplicaSet web-5d", "evicted"),
        (delete(), "delete a pod of ReplicaSet web-5d", "deleted"),
    ] {
        let cluster = with(|_| {});
        put(&cluster, BUDGETS.named("prod", "web"), budget(1));
        let found = asked(&cluster, wish.clone()).await;
        assert_eq!(found.action.as_ref().map(ToString::to_string).as_deref(), Some(words), "{found:?}");
        assert_eq!(found.surroundings.map(|around| (around.desired, around.added)), Some((20, 1)));
        let (world, seal) = (on(&cluster), sealed(intended(&found)));
        let rehearsed = Intent { mode: Mode::DryRun, ..(*seal).clone() };
        assert_eq!(eyes(&cluster).perform(&sealed(rehearsed), &Halt::never()).await.name(), "done");
        assert!(get(&cluster).is_some(), "a rehearsal changes nothing");
        let done =
            format!("prod/pod/web-1 {} -> {verb}", if verb == "evicted" { "running" } else { "present" });
        assert_eq!(told(&world.perform(&seal, &Halt::never()).await), done);
        assert!(get(&cluster).is_none());
        // Its controller makes another of the same name, as a StatefulSet does: that one is not meant.
        let mut next = pod();
        next["metadata"]["uid"] = json!("pod-2");
        put(&cluster, at(), next);
        assert_eq!(
            world.perform(&seal, &Halt::never()).await.name(),
            "done",
            "the same intent again ends no second pod"
        );
        assert_eq!(world.close(&seal).await.name(), "done");
        assert_eq!(cluster.changes(), 1);
        assert!(get(&cluster).is_some());
        let back = preflight(&world, target(), Wish::Revert(seal.action.clone()), false).await;
        assert_eq!(names(&back.refusals), ["badValue"], "what has ended has ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_went_by_itself_meanwhile_is_not_said_to_be_our_doing() {
    for wish in [evict(), delete()] {
        let cluster = with(|_| {});
        let seal = sealed(intended(&asked(&cluster, wish).await));
        cluster.objects.lock().expect("no test panicked").remove(&at());
        assert_eq!(
            on(&cluster).perform(&seal, &Halt::never()).await,
            Outcome::Done { diff: None, already: true }
        );
        // After a crash nobody knows whose doing it was.
        let said = told(&on(&cluster).close(&seal).await);
        assert_eq!(said, "prod/pod/web-1 running -> gone");
        // Told to end by somebody else, and held by something: none of our doing either.
        let mut going = pod();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-21T09:00:00Z");
        put(&cluster, at(), going);
        let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
        assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
        assert_eq!(cluster.changes(), 0, "nothing was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_told_to_end_needs_no_second_word() {
    let cluster = with(|pod| pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T09:00:00Z"));
    let found = asked(&cluster, evict()).await;
    assert!(found.already && found.action.is_none(), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 7] = [
        ("a bare pod", |pod| pod["metadata"]["ownerReferences"] = json!([])),
        ("a static pod", |pod| {
            pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        }),
        ("local storage", |pod| pod["spec"]["volumes"] = json!([{"name": "cache", "emptyDir": {}}])),
        ("paused", |pod| {
            pod["metadata"]["annotations"] = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
        }),
        ("ready", |_| {}),
        ("not ready", |pod| pod["status"]["conditions"] = json!([])),
        ("not running yet", |pod| pod["status"]["phase"] = json!("Pending")),
    ];
    let mut said = String::new();
    for (what, change) in cases {
        let cluster = with(change);
        put(&cluster, BUDGETS.named("prod", "web"), budget(0));
        put(&cluster, BUDGETS.named("stage", "web"), budget(0));
        for wish in [evict(), delete()] {
            let found = asked(&cluster, wish).await;
            let reasons: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
            let words =
                if reasons.is_empty() { "nothing stands against it".into() } else { reasons.join("; ") };
            said.push_str(&format!("{what}: {words}\n"));
        }
    }
    let cluster = with(|_| {});
    put(&cluster, BUDGETS.named("prod", "web"), budget(1));
    put(&cluster, BUDGETS.named("prod", "all"), budget(1));
    let several = asked(&cluster, evict()).await;
    said.push_str(&format!("two budgets: {}\n", several.refusals[0]));
    insta::assert_snapshot!("each_obstacle_refuses", said);

    let wrong = preflight(&on(&cluster), deployment(), evict(), false).await;
    assert_eq!(names(&wrong.refusals), ["wrongKind"]);
    let paused = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"}}});
    let cluster = with(|_| {});
    put(&cluster, NAMESPACES.named("", "prod"), paused);
    assert_eq!(names(&asked(&cluster, evict()).await.refusals), ["pausedByAnnotation"]);
    let allowed = Wish::EvictPod(evict_pod::Wish { local_storage: LocalStorage::Allow });
    let cluster = with(|pod| pod["spec"]["volumes"] = json!([{"name": "cache", "emptyDir": {}}]));
    let found = asked(&cluster, allowed).await;
    assert!(found.action.is_some(), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn evidence_and_the_last_try_of_a_job_are_not_ended() {
    let held = with(|pod| pod["metadata"]["labels"][crate::quarantine::QUARANTINE] = json!("journal-3"));
    let of_job = with(|pod| {
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "controller": true}]);
    });
    put(&of_job, JOBS.named("prod", "migrate"), json!({"spec": {"backoffLimit": 0}}));
    for wish in [evict(), delete()] {
        assert_eq!(names(&asked(&held, wish.clone()).await.refusals), ["protected"]);
        assert_eq!(names(&asked(&of_job, wish.clone()).await.refusals), ["jobRunning"]);
        // The same at the last look before the request.
        let cluster = with(|_| {});
        let seal = sealed(intended(&asked(&cluster, wish).await));
        let mut taken = pod();
        taken["metadata"]["labels"][crate::quarantine::QUARANTINE] = json!("journal-3");
        put(&cluster, at(), taken);
        assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["protected"]);
        assert_eq!(cluster.changes(), 0);
    }
    let retried = json!({"spec": {"backoffLimit": 2}, "status": {"failed": 1}});
    put(&of_job, JOBS.named("prod", "migrate"), retried);
    of_job.asked.lock().expect("no test panicked").clear();
    let found = asked(&of_job, evict()).await;
    assert!(found.action.is_some(), "its Job tries again: {found:?}");
    let read = of_job.asked.lock().expect("no test panicked").clone();
    assert_eq!(read.iter().filter(|one| one.contains("migrate")).count(), 1, "once is enough: {read:?}");
    let paused = json!({"annotations": {"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"}});
    put(&of_job, JOBS.named("prod", "migrate"), json!({"metadata": paused, "spec": {"backoffLimit": 2}}));
    assert_eq!(names(&asked(&of_job, evict()).await.refusals), ["pausedByAnnotation"]);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_says_no_is_named_and_not_asked_again() {
    let cluster = with(|_| {}).answering(Answer::NoDisruption);
    put(&cluster, BUDGETS.named("prod", "web"), budget(1));
    let seal = sealed(intended(&asked(&cluster, evict()).await));
    let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
    let Outcome::Refused { reasons } = &outcome else { panic!("not refused: {outcome:?}") };
    assert_eq!(*reasons, [Reason::DisruptionBudget { budget: "web".into(), allowed: 0 }]);
    assert_eq!(cluster.changes(), 1, "asked once");
    // It was already so at the look before the request.
    put(&cluster, BUDGETS.named("prod", "web"), budget(0));
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["disruptionBudget"]);
    assert_eq!(cluster.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_looking() {
    for wish in [evict(), delete()] {
        let cluster = with(|_| {}).answering(Answer::LostAfter);
        let seal = sealed(intended(&asked(&cluster, wish.clone()).await));
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
        for answer in [Answer::LostBefore, Answer::NotSent] {
            let cluster = with(|_| {}).answering(answer);
            let seal = sealed(intended(&asked(&cluster, wish.clone()).await));
            for outcome in
                [on(&cluster).perform(&seal, &Halt::never()).await, on(&cluster).close(&seal).await]
            {
                assert!(
                    matches!(&outcome, Outcome::Failed { applied: false, .. }),
                    "{answer:?}: {outcome:?}"
                );
            }
        }
        let cluster = with(|_| {});
        let seal = sealed(intended(&asked(&cluster, wish.clone()).await));
        *cluster.looks_fail.lock().expect("no test panicked") = true;
        assert_eq!(on(&cluster).close(&seal).await.name(), "unknown", "nobody can tell");
        let blind = with(|_| {}).answering(Answer::LostBlind);
        let seal = sealed(intended(&asked(&blind, wish).await));
        assert_eq!(on(&blind).perform(&seal, &Halt::never()).await.name(), "unknown");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_go_in_time_is_told() {
    let cluster = with(|_| {});
    let seal =
        sealed(Intent { deadline: now() + Span::from_mins(1), ..intended(&asked(&cluster, evict()).await) });
    let mut held = pod();
    held["metadata"]["finalizers"] = json!(["example.com/keep"]);
    held["metadata"]["deletionTimestamp"] = json!("2026-11-21T09:00:00Z");
    cluster.then.lock().expect("no test panicked").push((1, at(), held));
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("it did not go")
    };
    assert!(what.ends_with("finalizers hold it"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_protects_the_workload_of_a_pod_is_told() {
    let cluster = with(|_| {});
    put(&cluster, DEPLOYMENTS.named("prod", "web"), json!({"metadata": {"labels": {"gold": "yes"}}}));
    for wish in [evict(), delete()] {
        cluster.asked.lock().expect("no test panicked").clear();
        let beside = asked(&cluster, wish).await.beside;
        assert_eq!(beside.with("gold", Some("yes")), Some("prod/deployment/web"));
        let read = cluster.asked.lock().expect("no test panicked").clone();
        let sets = read.iter().filter(|one| one.to_lowercase().contains("replicaset")).count();
        assert_eq!(sets, 1, "once is enough: {read:?}");
    }
}
