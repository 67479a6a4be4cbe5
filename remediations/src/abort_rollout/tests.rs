//! That an abort does what its file says, over a cluster in memory with as much of the controller as the tests need.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::remediation::abort_rollout;
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::lacks;
use crate::fakes::{Answer, FakeCluster, intent, names, on as world, preflight, refused, sealed};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, ROLLOUTS};
use crate::ports::world::World;

fn target() -> Target {
    Target { kind: abort_rollout::KIND.into(), namespace: "prod".into(), name: "web".into() }
}

fn at() -> Address {
    ROLLOUTS.named("prod", "web")
}

fn action() -> abort_rollout::Action {
    abort_rollout::Action { from: "b2".into(), to: "a1".into() }
}

fn aborting() -> Intent {
    Intent { target: target(), ..intent(Action::AbortRollout(action())) }
}

/// Canary `b2` beside the stable `a1`.
fn in_progress() -> Value {
    json!({
        "metadata": {"uid": "uid-1", "generation": 4},
        "spec": {"replicas": 4, "strategy": {"canary": {}}},
        "status": {
            "observedGeneration": "4", "currentPodHash": "b2", "stableRS": "a1",
            "updatedReplicas": 1, "availableReplicas": 4,
        },
    })
}

fn cluster(arrange: impl FnOnce(&mut Value)) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|workload| workload.target = target());
    put(&cluster, arrange);
    cluster
}

fn put(cluster: &FakeCluster, arrange: impl FnOnce(&mut Value)) {
    let mut objects = cluster.objects.lock().expect("no test panicked");
    let mut rollout = objects.get(&at()).cloned().unwrap_or_else(in_progress);
    arrange(&mut rollout);
    objects.put(at(), rollout);
}

fn rollout(cluster: &FakeCluster) -> Value {
    cluster.objects.lock().expect("no test panicked").get(&at()).expect("it is there").clone()
}

async fn asked(cluster: &Arc<FakeCluster>) -> Preflight {
    preflight(&world(cluster), target(), Wish::AbortRollout(abort_rollout::Written {}), true).await
}

/// Performs, while a controller takes an abort up a few seconds later.
async fn performed(cluster: &Arc<FakeCluster>) -> Outcome {
    let world = world(cluster);
    let seal = sealed(aborting());
    let controller = async {
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            if rollout(cluster)["status"]["abort"] == true {
                put(cluster, |rollout| {
                    rollout["status"]["abortedAt"] = json!("2026-11-21T09:00:03Z");
                    rollout["status"]["updatedReplicas"] = json!(0);
                });
            }
        }
    };
    let halt = Halt::never();
    tokio::select! {
        outcome = world.perform(&seal, &halt) => outcome,
        () = controller => unreachable!("it never ends"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_in_progress_goes_back_to_the_stable_version() {
    let cluster = cluster(|_| {});
    let found = asked(&cluster).await;
    assert_eq!(found.action, Some(Action::AbortRollout(action())), "{:?}", found.refusals);
    let field = &found.diff.expect("it was asked for").fields[0];
    assert_eq!([&field.path, &field.before, &field.after], ["status.abort", "-", "true"]);
    assert_eq!(performed(&cluster).await.name(), "done");
    let found = asked(&cluster).await;
    assert!(found.already && found.action.is_none(), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_progress_is_not_aborted() {
    type Arrange = fn(&mut Value);
    let cases: [(Arrange, &str); 5] = [
        (|rollout| rollout["status"]["currentPodHash"] = json!("a1"), "targetAbsent"),
        // The first deploy has nothing to go back to.
        (|rollout| rollout["status"]["stableRS"] = json!(""), "targetAbsent"),
        (|rollout| rollout["status"]["observedGeneration"] = json!("3"), "rollingOut"),
        (|rollout| rollout["status"] = json!({}), "rollingOut"),
        (|rollout| rollout["status"]["currentPodHash"] = Value::Null, "targetAbsent"),
    ];
    for (arrange, refusal) in cases {
        let found = asked(&cluster(arrange)).await;
        assert_eq!((names(&found.refusals), found.action), (vec![refusal], None));
    }
    let paused = cluster(|_| {});
    paused.workload.lock().expect("no test panicked").paused = true;
    assert_eq!(names(&asked(&paused).await.refusals), ["workloadPaused"]);
    let until = ("paramedic.dev/pause-until".to_owned(), "2027-01-01T00:00:00Z".to_owned());
    let paused = cluster(|_| {});
    paused.workload.lock().expect("no test panicked").namespace_annotations.extend([until]);
    assert_eq!(names(&asked(&paused).await.refusals), ["pausedByAnnotation"]);
    let wish = Wish::AbortRollout(abort_rollout::Written {});
    let found = preflight(&world(&cluster(|_| {})), crate::fakes::target(), wish, false).await;
    assert_eq!(names(&found.refusals), ["wrongKind"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_done_once_whatever_becomes_of_the_answer() {
    for (answer, ended, aborted, sent) in [
        (Answer::Honest, "done", true, 1),
        (Answer::LostAfter, "done", true, 1),
        (Answer::LostBlind, "unknown", true, 1),
        (Answer::LostBefore, "failed", false, 1),
        (Answer::NotSent, "failed", false, 0),
        (Answer::Denied, "refused", false, 1),
    ] {
        let cluster = cluster(|_| {}).answering(answer);
        let outcome = performed(&cluster).await;
        let is_aborted = rollout(&cluster)["status"]["abort"] == true;
        assert_eq!((outcome.name(), is_aborted), (ended, aborted), "{answer:?}: {outcome:?}");
        assert_eq!(cluster.changes(), sent, "{answer:?}");
    }
    let cluster = cluster(|_| {});
    assert_eq!(performed(&cluster).await.name(), "done");
    assert_eq!(performed(&cluster).await.name(), "done");
    assert_eq!(cluster.changes(), 1, "a repeat has no second effect");
    assert_eq!(world(&cluster).close(&sealed(aborting())).await.name(), "done", "its stamp is found");
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_since_is_left_alone() {
    type Arrange = fn(&mut Value);
    let cases: [(Arrange, &str, &str); 3] = [
        (|rollout| rollout["status"]["currentPodHash"] = json!("c3"), "changed", "unknown"),
        (|rollout| rollout["status"]["currentPodHash"] = json!("a1"), "targetAbsent", "unknown"),
        (|rollout| rollout["status"]["abort"] = json!(true), "changed", "unknown"),
    ];
    for (arrange, refusal, closed) in cases {
        let cluster = cluster(arrange);
        let outcome = world(&cluster).perform(&sealed(aborting()), &Halt::never()).await;
        assert_eq!(refused(&outcome), [refusal]);
        assert_eq!(world(&cluster).close(&sealed(aborting())).await.name(), closed);
        assert_eq!(cluster.changes(), 0);
    }
    let closed = world(&cluster(|_| {})).close(&sealed(aborting())).await;
    assert_eq!(closed.name(), "failed", "no trace of it: {closed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_abort_that_nobody_takes_up_is_late_and_a_retry_ends_it() {
    let dead = cluster(|_| {});
    let outcome = world(&dead).perform(&sealed(aborting()), &Halt::never()).await;
    assert!(
        matches!(&outcome, Outcome::Failed { what, applied: true, .. } if what.contains("not taken the abort up")),
        "{outcome:?}"
    );
    let retried = cluster(|_| {});
    let world = world(&retried);
    let seal = sealed(aborting());
    let person = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        put(&retried, |rollout| rollout["status"]["abort"] = json!(false));
        std::future::pending::<()>().await;
    };
    let halt = Halt::never();
    let outcome = tokio::select! {
        outcome = world.perform(&seal, &halt) => outcome,
        () = person => unreachable!("it never ends"),
    };
    assert!(
        matches!(&outcome, Outcome::Failed { what, applied: true, .. } if what.ends_with("was taken back"))
    );
}

#[test]
fn it_has_ended_when_the_stable_version_has_everything() {
    let mut rollout = in_progress();
    let told = |rollout: &Value| lacks(rollout, &action()).unwrap_or_default();
    assert_eq!(told(&rollout), "its controller has not taken the abort up");
    rollout["status"]["abortedAt"] = json!("2026-11-21T09:00:03Z");
    assert_eq!(told(&rollout), "1 pods of the canary are left");
    // With a traffic router the canary's pods stay for a while, without traffic.
    rollout["status"]["canary"] = json!({"weights": {"canary": {"weight": 20}}});
    assert_eq!(told(&rollout), "the canary has 20 % of the traffic");
    rollout["status"]["canary"]["weights"]["canary"]["weight"] = json!(0);
    assert_eq!(told(&rollout), "");
    rollout["status"]["availableReplicas"] = json!(3);
    assert_eq!(told(&rollout), "3 of 4 replicas are available");
    rollout["spec"]["strategy"] = json!({"blueGreen": {}});
    rollout["status"]["blueGreen"] = json!({"activeSelector": "b2"});
    assert_eq!(told(&rollout), "b2 has the traffic");
    rollout["status"]["blueGreen"]["activeSelector"] = json!("a1");
    assert_eq!(told(&rollout), "");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_touches_nothing_and_an_abort_has_no_way_back() {
    let cluster = cluster(|_| {});
    let rehearsed = Intent { mode: Mode::DryRun, ..aborting() };
    let outcome = world(&cluster).perform(&sealed(rehearsed), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { diff: Some(_), already: false }), "{outcome:?}");
    assert_eq!(cluster.changes(), 0);
    let back = Wish::Revert(Action::AbortRollout(action()));
    let found = preflight(&world(&cluster), target(), back, false).await;
    assert_eq!(names(&found.refusals), ["badValue"]);
}
