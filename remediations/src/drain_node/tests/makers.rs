//! What made the pods that would leave: whose labels are read, by how many requests, and what cannot be read.

use std::sync::atomic::Ordering;

use paramedic_policies::question::Ask;

use super::*;
use crate::makers::{AT_ONCE, CRON_JOBS, STATEFUL_SETS};
use crate::pods::JOBS;

/// Nodes, their pods, budgets and namespaces.
const LISTS: usize = 4;

/// A pod of this controller on the node.
fn pod_of(cluster: &FakeCluster, name: &str, (version, kind, of): (&str, &str, &str)) {
    let mut made = pod(kind, name);
    made["metadata"]["ownerReferences"] = owned(version, kind, of);
    put(cluster, PODS.named("prod", name), made);
}

fn owned(version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": version, "kind": kind, "name": name, "controller": true}])
}

fn labelled(label: &str) -> Value {
    json!({"metadata": {"labels": {(label): "yes"}}, "spec": {"backoffLimit": 6}})
}

#[tokio::test(start_paused = true)]
async fn the_labels_of_every_kind_that_a_role_names_are_told() {
    let cluster = fleet();
    pod_of(&cluster, "db-0", ("apps/v1", "StatefulSet", "db"));
    put(&cluster, STATEFUL_SETS.named("prod", "db"), labelled("of-set"));
    pod_of(&cluster, "report-1-x", ("batch/v1", "Job", "report-1"));
    let mut job = labelled("of-job");
    job["metadata"]["ownerReferences"] = owned("batch/v1", "CronJob", "report");
    put(&cluster, JOBS.named("prod", "report-1"), job);
    put(&cluster, CRON_JOBS.named("prod", "report"), labelled("of-cron-job"));
    put(&cluster, DEPLOYMENTS.named("stage", "web"), labelled("of-deployment"));
    let found = asked(&cluster).await;
    for (label, object) in [
        ("of-set", "prod/statefulset/db"),
        ("of-job", "prod/job/report-1"),
        ("of-cron-job", "prod/cronjob/report"),
        ("of-deployment", "stage/deployment/web"),
    ] {
        assert_eq!(found.beside.with(label, None), Some(object));
    }
    assert!(found.action.is_some() && !found.passed.iter().any(|one| one.contains("not read")), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_no_role_names_is_not_asked_for_and_that_is_said() {
    let cluster = fleet();
    pod_of(&cluster, "pg-0", ("postgresql.cnpg.io/v1", "Cluster", "pg"));
    let found = asked(&cluster).await;
    let said: Vec<&String> = found.passed.iter().filter(|one| one.contains("not read")).collect();
    assert_eq!(
        said,
        [
            "labels of Cluster.postgresql.cnpg.io are not read; what these make is protected by labels of its pods"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_a_doubt() {
    let cluster = fleet();
    *cluster.forbidden.lock().expect("no test panicked") = Some(DEPLOYMENTS);
    let ask = Ask::Preflight { target: target(), wish: Wish::DrainNode(wish()), diff: true };
    let told = format!("{:?}", crate::fakes::asked(&on(&cluster), ask).await);
    assert!(told.starts_with("Failed") && told.contains("may not get prod/deployment/web"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_full_node_is_asked_about_by_one_small_request_for_each_that_made_its_pods() {
    let cluster = fleet();
    for number in 0..60 {
        let (set, name) = (format!("app-{number}-5d"), format!("app-{number}"));
        let above = json!({"metadata": {"ownerReferences": owned("apps/v1", "Deployment", &name)}});
        put(&cluster, REPLICA_SETS.named("prod", &set), above);
        put(&cluster, DEPLOYMENTS.named("prod", &name), labelled(&name));
        for replica in ["a", "b"] {
            pod_of(&cluster, &format!("{set}-{replica}"), ("apps/v1", "ReplicaSet", &set));
        }
    }
    cluster.workload.lock().expect("no test panicked").target.name = "app-0".into();
    cluster.is_slow.store(true, Ordering::SeqCst);
    let found = asked(&cluster).await;
    assert_eq!(found.beside.with("app-59", None), Some("prod/deployment/app-59"));
    let asked = cluster.asked.lock().expect("no test panicked").clone();
    let count = |what: &str| asked.iter().filter(|one| one.starts_with(what)).count();
    // 62 ReplicaSets and as many Deployments, each once; two ReplicaSets more lead to the one look for each namespace.
    assert_eq!((count("look at"), count("list"), count("get")), (2, LISTS, 1 + 2 * 62 + 2), "{asked:#?}");
    let most = cluster.reading.1.load(Ordering::SeqCst);
    assert!(most > 1 && most <= AT_ONCE, "{most} at once");
}

/// The Deployment controller copies annotations to its ReplicaSet, and takes none away again.
#[tokio::test(start_paused = true)]
async fn a_pause_is_heeded_where_people_write_it() {
    let paused = |owner: Value| {
        let pause = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
        json!({"metadata": {"annotations": pause, "ownerReferences": owner}})
    };
    let cluster = fleet();
    pod_of(&cluster, "shop-1-x", ("apps/v1", "ReplicaSet", "shop-1"));
    put(&cluster, REPLICA_SETS.named("prod", "shop-1"), paused(owned("apps/v1", "Deployment", "shop")));
    put(&cluster, DEPLOYMENTS.named("prod", "shop"), labelled("of-shop"));
    let found = asked(&cluster).await;
    assert_eq!(names(&found.refusals), [""; 0], "its Deployment is not paused any more");
    put(&cluster, REPLICA_SETS.named("prod", "shop-1"), paused(json!([])));
    assert_eq!(names(&asked(&cluster).await.refusals), ["pausedByAnnotation"], "one that nobody made");
}
