//! What a drain sees around it while it goes on, cordons of our own that are taken over, and Jobs that are not cut.

use super::*;
use crate::drain_node::cordon;
use crate::pods::JOBS;
use crate::ports::cluster::manager;

/// A node that another drain of ours is emptying.
fn rival(stamp: &str) -> Value {
    let mut node = ready_node();
    node["spec"]["unschedulable"] = json!(true);
    node["metadata"] = json!({"annotations": {(DRAINING_UNTIL): "2026-11-21T09:05:00Z", (INTENT): stamp}});
    node
}

/// This comes to be once so many changes were made.
fn then(cluster: &FakeCluster, after: usize, at: Address, object: Value) {
    cluster.then.lock().expect("no test panicked").push((after, at, object));
}

fn pods_are_there(cluster: &FakeCluster) -> bool {
    get(cluster, &PODS.named("prod", "web-1")).is_some()
        && get(cluster, &PODS.named("stage", "web-2")).is_some()
}

#[tokio::test(start_paused = true)]
async fn of_two_drains_that_begin_at_once_the_younger_gives_its_node_back() {
    for stamp in ["journal-5", "another-9"] {
        let cluster = fleet();
        let seal = sealed(intended(&asked(&cluster).await));
        then(&cluster, 1, NODES.named("", "node-b"), rival(stamp));
        let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
        assert_eq!(refused(&outcome), ["outOfBounds", "rollingOut"], "{stamp}");
        assert!(pods_are_there(&cluster), "{stamp}");
        assert_eq!(node(&cluster)["spec"], json!({}), "{stamp}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_older_waits_for_the_younger_and_goes_on() {
    let cluster = fleet();
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    then(&cluster, 1, NODES.named("", "node-b"), rival("journal-12"));
    let beside = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(cluster.changes(), 1, "it waits");
        put(&cluster, NODES.named("", "node-b"), ready_node());
    };
    let halt = Halt::never();
    assert_eq!(told(&tokio::join!(world.perform(&seal, &halt), beside).0), DRAINED);

    // Who does not give way goes on: then it is ours that does.
    let cluster = fleet();
    let seal = sealed(intended(&asked(&cluster).await));
    then(&cluster, 1, NODES.named("", "node-b"), rival("journal-12"));
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["outOfBounds", "rollingOut"]);
    assert!(pods_are_there(&cluster) && node(&cluster)["spec"] == json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_sick_meanwhile_stops_a_drain() {
    let cluster = fleet();
    let seal = sealed(intended(&asked(&cluster).await));
    then(&cluster, 2, NODES.named("", "node-b"), json!({"status": {"conditions": []}}));
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("it must stop")
    };
    let wanted = "1 of 2 pods evicted, then 2 is beyond maxNodes out of service (node-b and this one) 1";
    assert!(what.starts_with(wanted) && what.contains("stage/web-2 stayed"), "{what}");
    assert!(get(&cluster, &PODS.named("stage", "web-2")).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_came_to_the_node_before_its_cordon_and_may_not_be_moved_stops_it_before_it_begins() {
    let cluster = fleet();
    let seal = sealed(intended(&asked(&cluster).await));
    let mut us = pod("ReplicaSet", "us");
    us["spec"]["serviceAccountName"] = json!("paramedic");
    then(&cluster, 1, PODS.named("ops", "us"), us);
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["protected"]);
    assert!(pods_are_there(&cluster) && node(&cluster)["spec"] == json!({}));
}

/// As the API server notes it: who sets a field to what it is already does not become its owner.
fn owned_by(node: &mut Value, manager: &str) {
    node["metadata"]["managedFields"] =
        json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}]);
}

#[tokio::test(start_paused = true)]
async fn a_cordon_of_an_earlier_drain_is_taken_over_and_given_back() {
    // The first could not end: its budget let nobody go.
    for owner in [manager(STAMP), "ancient-changes".to_owned()] {
        let cluster = fleet();
        put(&cluster, BUDGETS.named("stage", "web"), budget(1));
        let first = intended(&asked(&cluster).await);
        put(&cluster, BUDGETS.named("stage", "web"), budget(0));
        let first = sealed(Intent { deadline: now() + Span::from_mins(2), ..first });
        assert_eq!(on(&cluster).perform(&first, &Halt::never()).await.name(), "failed");
        let mut cordoned = node(&cluster);
        owned_by(&mut cordoned, &owner);
        put(&cluster, NODES.named("", "node-a"), cordoned);
        put(&cluster, BUDGETS.named("stage", "web"), budget(1));

        let again = asked(&cluster).await;
        let second = sealed(Intent { id: Seq(12), ..intended(&again) });
        let world = on(&cluster);
        assert_eq!(world.perform(&second, &Halt::never()).await.name(), "done", "{owner}");
        assert_eq!(cordon::of_whom(&node(&cluster)), Some("journal-12"), "{owner}");
        assert_eq!(world.perform(&second, &Halt::never()).await.name(), "done", "a repeat evicts nobody");
        assert_eq!(world.close(&second).await.name(), "done");
        let back = sealed(Intent { id: Seq(13), ..uncordon(&cluster, &second).await });
        assert_eq!(
            told(&world.perform(&back, &Halt::never()).await),
            ["spec.unschedulable true -> -"],
            "{owner}"
        );
        assert_eq!(node(&cluster)["spec"], json!({}));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_try_of_a_job_is_not_cut() {
    let held = |job: Value| async move {
        let cluster = fleet();
        put(&cluster, PODS.named("prod", "migrate-x"), {
            let mut pod = pod("Job", "migrate-x");
            pod["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "controller": true}]);
            pod
        });
        put(&cluster, JOBS.named("prod", "migrate"), job);
        asked(&cluster).await
    };
    for (what, job) in [
        ("no tries", json!({"spec": {"backoffLimit": 0}})),
        ("all spent", json!({"spec": {"backoffLimit": 2}, "status": {"failed": 2}})),
        ("own rules", json!({"spec": {"backoffLimit": 6, "podFailurePolicy": {"rules": []}}})),
        ("of each index", json!({"spec": {"backoffLimitPerIndex": 1}})),
        ("ours", json!({"metadata": {"annotations": {(INTENT): "journal-3"}}, "spec": {"backoffLimit": 6}})),
    ] {
        let found = held(job).await;
        assert_eq!(crate::fakes::names(&found.refusals), ["jobRunning"], "{what}: {found:?}");
    }
    let found = held(json!({"spec": {"backoffLimit": 2}, "status": {"failed": 1}})).await;
    assert!(found.refusals.is_empty() && found.action.is_some(), "{found:?}");
}
