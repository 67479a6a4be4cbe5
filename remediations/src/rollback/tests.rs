//! That rollback does what its file says, over a cluster in memory and a Prometheus that remembers what it is told to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Number, Preflight, Sample};
use paramedic_policies::remediation::rollback::{self, Helm};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use crate::Remedies;
use crate::fakes::{
    Answer, FakeCluster, FakeHttp, intent, names, now, preflight, refused, sealed, target, workload,
};
use crate::ports::cluster::{GitOps, Hands, Workload};
use crate::ports::halt::Halt;
use crate::ports::http::HttpHands;
use crate::ports::metrics::Metrics;
use crate::ports::objects::{DEPLOYMENTS, REPLICA_SETS, ROLLOUTS};
use crate::ports::world::World;

/// Answers the two counts of a health question, by the second at which the window ends.
struct Memory {
    /// Second of the day, values shown, values that met the condition.
    windows: Vec<(&'static str, f64, f64)>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Metrics for Memory {
    async fn query(&self, promql: &str) -> Found {
        self.asked.lock().expect("no test panicked").push(promql.to_owned());
        let window = self.windows.iter().find(|(end, ..)| promql.ends_with(end));
        match window {
            None => Found::Failed { what: "connection refused".into() },
            Some((_, shown, held)) => {
                let value = if promql.contains(">= -Inf") { *shown } else { *held };
                let sample = Sample { labels: Default::default(), value: Number(value) };
                Found::Series(if value == 0.0 { Vec::new() } else { vec![sample] })
            }
        }
    }
}

fn set(number: u64, minute: u64) -> Value {
    json!({
        "metadata": {
            "uid": format!("rs-{number}"),
            "creationTimestamp": format!("2026-11-21T08:{minute:02}:00Z"),
            "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
            "ownerReferences": [{"uid": "uid-1", "controller": true}],
        },
        "spec": {"template": template(number)},
    })
}

fn template(number: u64) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": format!("web:{number}")}]},
    })
}

/// Three deploys: at 08:00, at 08:20 and, now bad, at 08:40.
fn cluster(arrange: impl FnOnce(&mut Workload)) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(arrange);
    {
        let mut objects = cluster.objects.lock().expect("no test panicked");
        for (number, minute) in [(1, 0), (2, 20), (3, 40)] {
            objects.put(REPLICA_SETS.named("prod", &format!("web-{number}")), set(number, minute));
        }
        let deployment = json!({
            "metadata": {"uid": "uid-1", "generation": 4},
            "spec": {"template": template(3)},
        });
        objects.put(DEPLOYMENTS.named("prod", "web"), deployment);
    }
    cluster
}

/// The end of revision 2's time, and of revision 1's.
const END_OF_2: &str = "@ 1795250399.999)";
const END_OF_1: &str = "@ 1795249199.999)";

fn healthy() -> Arc<Memory> {
    memory(&[(END_OF_2, 20.0, 20.0)])
}

fn memory(windows: &[(&'static str, f64, f64)]) -> Arc<Memory> {
    Arc::new(Memory { windows: windows.to_vec(), asked: Mutex::default() })
}

fn world(cluster: &Arc<FakeCluster>, memory: &Arc<Memory>) -> Remedies {
    Remedies::with_hands(
        Some(Arc::clone(cluster) as Arc<dyn Hands>),
        FakeHttp::new(&[]) as Arc<dyn HttpHands>,
        Arc::clone(memory) as Arc<dyn Metrics>,
        Arc::new(now),
    )
}

fn wish(helm: Helm) -> Wish {
    Wish::Rollback(rollback::Wish {
        query: "job:http_5xx:ratio5m".into(),
        is: "< 0.01".into(),
        held: Span::from_mins(10),
        deployed_within: None,
        helm,
    })
}

async fn asked(cluster: &Arc<FakeCluster>, memory: &Arc<Memory>) -> Preflight {
    preflight(&world(cluster, memory), target(), wish(Helm::Refuse), true).await
}

fn action() -> rollback::Action {
    rollback::Action {
        generation: 4,
        from: 3,
        to: 2,
        replica_set: "web-2".into(),
        replica_set_uid: "rs-2".into(),
    }
}

fn rolling_back() -> Intent {
    intent(Action::Rollback(action()))
}

fn image(cluster: &Arc<FakeCluster>) -> String {
    let objects = cluster.objects.lock().expect("no test panicked");
    let deployment = objects.get(&DEPLOYMENTS.named("prod", "web")).expect("it is there");
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_last_healthy_deploy_is_found_by_two_counts_over_its_last_ten_minutes() {
    let memory = healthy();
    let found = asked(&cluster(|_| {}), &memory).await;
    assert_eq!(found.action, Some(Action::Rollback(action())), "{:?}", found.refusals);
    let diff = found.diff.expect("it was asked for");
    assert_eq!(
        (diff.fields[0].before.as_str(), diff.fields[0].after.as_str()),
        ("revision 3 (web:3)", "revision 2 (web:2)")
    );
    assert_eq!(
        *memory.asked.lock().expect("no test panicked"),
        [
            "count_over_time(((job:http_5xx:ratio5m) >= -Inf)[600000ms:30000ms] @ 1795250399.999)",
            "count_over_time(((job:http_5xx:ratio5m) < 0.01)[600000ms:30000ms] @ 1795250399.999)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_deploy_is_passed_over_and_an_unknown_one_refuses() {
    for (windows, to, refusal) in [
        (vec![(END_OF_2, 20.0, 3.0), (END_OF_1, 20.0, 20.0)], Some(1), None),
        (vec![(END_OF_2, 20.0, 3.0), (END_OF_1, 20.0, 0.0)], None, Some("targetAbsent")),
        // Gaps, and a Prometheus that does not answer.
        (vec![(END_OF_2, 12.0, 12.0), (END_OF_1, 20.0, 20.0)], None, Some("factUnknown")),
        (vec![(END_OF_1, 20.0, 20.0)], None, Some("factUnknown")),
    ] {
        let found = asked(&cluster(|_| {}), &memory(&windows)).await;
        let chosen = match &found.action {
            Some(Action::Rollback(action)) => Some(action.to),
            _ => None,
        };
        assert_eq!((chosen, names(&found.refusals).first().copied()), (to, refusal), "{windows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses() {
    type Arrange = fn(&mut Workload);
    let cases: [(Arrange, &str); 3] = [
        (|workload| workload.paused = true, "workloadPaused"),
        (
            |workload| {
                workload
                    .annotations
                    .insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
            },
            "pausedByAnnotation",
        ),
        (
            |workload| {
                let by = "Argo CD application maestro".into();
                workload.gitops = Some(GitOps { by, tracks_replicas: false, tracks_template: true });
            },
            "managedByGitOps",
        ),
    ];
    for (arrange, refusal) in cases {
        let found = asked(&cluster(arrange), &healthy()).await;
        assert_eq!((names(&found.refusals), found.action), (vec![refusal], None));
    }
    let found = asked(&cluster(|workload| workload.rollout.under_way = true), &healthy()).await;
    assert!(found.action.is_some(), "a rollout under way is what it ends");
    let mut other = target();
    other.kind = "StatefulSet".into();
    let found = preflight(&world(&cluster(|_| {}), &healthy()), other, wish(Helm::Refuse), false).await;
    assert_eq!(names(&found.refusals), ["wrongKind"]);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_whose_revision_is_not_made_yet_waits() {
    let cluster = cluster(|_| {});
    {
        let mut objects = cluster.objects.lock().expect("no test panicked");
        let deployment =
            json!({"metadata": {"uid": "uid-1", "generation": 4}, "spec": {"template": template(4)}});
        objects.put(DEPLOYMENTS.named("prod", "web"), deployment);
    }
    assert_eq!(names(&asked(&cluster, &healthy()).await.refusals), ["rollingOut"]);
}

#[tokio::test(start_paused = true)]
async fn trouble_with_an_old_deploy_has_another_cause() {
    // The present deploy is of 08:40.
    let since = now().since("2026-11-21T08:40:00Z".parse().expect("a time"));
    for (within, refusal) in [(since, None), (Span::from_mins(19), Some("targetAbsent"))] {
        let memory = healthy();
        let Wish::Rollback(mut young) = wish(Helm::Refuse) else { panic!("it is a rollback") };
        young.deployed_within = Some(within);
        let world = world(&cluster(|_| {}), &memory);
        let found = preflight(&world, target(), Wish::Rollback(young), false).await;
        assert_eq!(names(&found.refusals).first().copied(), refusal, "{:?}", found.refusals);
        let asked = memory.asked.lock().expect("no test panicked").len();
        assert_eq!(asked == 0, refusal.is_some(), "a clear refusal asks nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn what_helm_deployed_needs_a_word_for_it() {
    let cluster = cluster(|_| {});
    {
        let mut objects = cluster.objects.lock().expect("no test panicked");
        let at = DEPLOYMENTS.named("prod", "web");
        let mut deployment = objects.get(&at).expect("it is there").clone();
        deployment["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "maestro"});
        objects.put(at, deployment);
    }
    assert_eq!(names(&asked(&cluster, &healthy()).await.refusals), ["managedByOther"]);
    let found = preflight(&world(&cluster, &healthy()), target(), wish(Helm::Allow), false).await;
    assert!(found.action.is_some());
    assert!(
        found.passed.iter().any(|one| one.contains("ConfigMaps stay as they were deployed")),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_done_once_whatever_becomes_of_the_answer() {
    for (answer, ended, image_is, sent) in [
        (Answer::Honest, "done", "web:2", 1),
        (Answer::LostAfter, "done", "web:2", 1),
        (Answer::LostBlind, "unknown", "web:2", 1),
        (Answer::LostBefore, "failed", "web:3", 1),
        (Answer::NotSent, "failed", "web:3", 0),
        (Answer::Denied, "refused", "web:3", 1),
    ] {
        let cluster = cluster(|_| {}).answering(answer);
        let outcome = world(&cluster, &healthy()).perform(&sealed(rolling_back()), &Halt::never()).await;
        assert_eq!((outcome.name(), image(&cluster).as_str()), (ended, image_is), "{answer:?}: {outcome:?}");
        assert_eq!(cluster.changes(), sent, "{answer:?}");
    }
    let cluster = cluster(|_| {});
    let world = world(&cluster, &healthy());
    assert_eq!(world.perform(&sealed(rolling_back()), &Halt::never()).await.name(), "done");
    assert_eq!(world.perform(&sealed(rolling_back()), &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 1, "a repeat has no second effect");
    assert_eq!(world.close(&sealed(rolling_back())).await.name(), "done", "its stamp is found");
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_since_is_left_alone() {
    let moved = cluster(|workload| workload.generation = 5);
    let outcome = world(&moved, &healthy()).perform(&sealed(rolling_back()), &Halt::never()).await;
    assert_eq!(refused(&outcome), ["changed"]);
    let pruned = cluster(|_| {});
    {
        let mut objects = pruned.objects.lock().expect("no test panicked");
        objects.put(REPLICA_SETS.named("prod", "web-2"), json!({"metadata": {"uid": "another"}}));
    }
    let outcome = world(&pruned, &healthy()).perform(&sealed(rolling_back()), &Halt::never()).await;
    assert_eq!(refused(&outcome), ["targetAbsent"]);
    assert_eq!(moved.changes() + pruned.changes(), 0);

    let closed = world(&cluster(|_| {}), &healthy()).close(&sealed(rolling_back())).await;
    assert_eq!(closed.name(), "failed", "no trace of it: {closed:?}");
    let closed = world(&moved, &healthy()).close(&sealed(rolling_back())).await;
    assert_eq!(closed.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_touches_nothing_and_a_rollback_has_no_way_back() {
    let cluster = cluster(|_| {});
    let mut rehearsed = rolling_back();
    rehearsed.mode = Mode::DryRun;
    let outcome = world(&cluster, &healthy()).perform(&sealed(rehearsed), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { diff: Some(_), already: false }), "{outcome:?}");
    assert_eq!((cluster.changes(), workload().generation), (0, 4));
    let back = Wish::Revert(Action::Rollback(action()));
    let found = preflight(&world(&cluster, &healthy()), target(), back, false).await;
    assert_eq!(names(&found.refusals), ["badValue"]);
}

/// The same as an Argo Rollout: its ReplicaSets say their revisions in its controller's words.
fn rollout() -> (Arc<FakeCluster>, Target) {
    let target = Target { kind: "Rollout.argoproj.io".into(), ..target() };
    let cluster = FakeCluster::new(|workload| workload.target = target.clone());
    let mut objects = cluster.objects.lock().expect("no test panicked");
    for (number, minute) in [(1, 0), (2, 20), (3, 40)] {
        let mut set = set(number, minute);
        set["metadata"]["annotations"] = json!({"rollout.argoproj.io/revision": number.to_string()});
        set["metadata"]["labels"] = json!({"rollouts-pod-template-hash": format!("hash-{number}")});
        set["spec"]["template"]["metadata"]["labels"]["rollouts-pod-template-hash"] =
            json!(format!("hash-{number}"));
        // What the API server fills in for a ReplicaSet, and not for a Rollout.
        set["spec"]["template"]["spec"]["dnsPolicy"] = json!("ClusterFirst");
        objects.put(REPLICA_SETS.named("prod", &format!("web-{number}")), set);
    }
    let object = json!({
        "metadata": {"uid": "uid-1", "generation": 4},
        "spec": {"template": template(3)},
        "status": {"observedGeneration": "4", "currentPodHash": "hash-3"},
    });
    objects.put(ROLLOUTS.named("prod", "web"), object);
    drop(objects);
    (cluster, target)
}

#[tokio::test(start_paused = true)]
async fn an_argo_rollout_goes_back_to_the_template_of_its_healthy_replica_set() {
    let (cluster, target) = rollout();
    let world = world(&cluster, &healthy());
    let found = preflight(&world, target.clone(), wish(Helm::Refuse), true).await;
    assert_eq!(found.action, Some(Action::Rollback(action())), "{:?}", found.refusals);
    let seal = sealed(Intent { target: target.clone(), ..rolling_back() });
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let at = ROLLOUTS.named("prod", "web");
    let object = cluster.objects.lock().expect("no test panicked").get(&at).cloned().expect("it is there");
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
    assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"app": "web"}), "without the hash");
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 1);

    for (pointer, value, reason) in [
        ("/status/currentPodHash", json!("hash-4"), "rollingOut"),
        ("/status/observedGeneration", json!("3"), "rollingOut"),
        ("/spec/workloadRef", json!({"name": "web"}), "wrongLever"),
    ] {
        let (cluster, target) = rollout();
        {
            let mut objects = cluster.objects.lock().expect("no test panicked");
            let mut object = objects.get(&at).cloned().expect("it is there");
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            object.pointer_mut(parent).expect("it has one")[key] = value;
            objects.put(at.clone(), object);
        }
        let found = preflight(&self::world(&cluster, &healthy()), target, wish(Helm::Refuse), false).await;
        assert_eq!(names(&found.refusals), [reason], "{pointer}");
    }
}
