//! That restart does what its file says, over a cluster and HTTP endpoints in memory.

use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::remediation::restart;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;

use crate::fakes::{Answer, FakeCluster, STAMP, intent, names, now, on, preflight, refused, sealed, target};
use crate::ports::cluster::{ClusterChange, GitOps, Rollout, Workload};
use crate::ports::halt::Halt;
use crate::ports::world::World;

fn restarting() -> Intent {
    intent(Action::Restart(restart::Action { generation: 4 }))
}

fn rolling(detail: &str) -> Rollout {
    Rollout { complete: false, under_way: true, stuck: false, detail: detail.into() }
}

async fn refusals(arrange: impl FnOnce(&mut Workload)) -> Vec<&'static str> {
    let found =
        preflight(&on(&FakeCluster::new(arrange)), target(), Wish::Restart(restart::Wish {}), false).await;
    assert_eq!(found.action.is_none(), !found.refusals.is_empty());
    names(&found.refusals)
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_by_its_name() {
    assert!(refusals(|_| {}).await.is_empty());
    assert_eq!(refusals(|workload| workload.paused = true).await, ["workloadPaused"]);
    assert_eq!(refusals(|workload| workload.rollout = rolling("1 of 3")).await, ["rollingOut"]);
    assert_eq!(refusals(|workload| workload.immovable = Some("OnDelete".into())).await, ["noPodWouldMove"]);
    assert_eq!(refusals(|workload| workload.replicas = Some(0)).await, ["noPodWouldMove"]);
    let budgets = |workload: &mut Workload| workload.budgets = vec![("a".into(), 1), ("b".into(), 0)];
    assert_eq!(refusals(budgets).await, ["disruptionBudget"]);
    let dead = |workload: &mut Workload| {
        workload.budgets = vec![("a".into(), 0)];
        workload.available = Some(0);
    };
    assert!(refusals(dead).await.is_empty(), "what serves nobody has no replica to lose");
    let unknown = |workload: &mut Workload| {
        workload.budgets = vec![("a".into(), 0)];
        workload.available = None;
    };
    assert_eq!(refusals(unknown).await, ["disruptionBudget"]);
    let surges = |workload: &mut Workload| {
        workload.budgets = vec![("a".into(), 0)];
        workload.max_unavailable = 0;
    };
    assert!(refusals(surges).await.is_empty(), "a rollout that only adds takes none away");
    let pause = |workload: &mut Workload| {
        workload
            .namespace_annotations
            .insert("paramedic.dev/pause-until".into(), "2026-12-24T00:00:00Z".into());
    };
    assert_eq!(refusals(pause).await, ["pausedByAnnotation"]);
    let crashing = |workload: &mut Workload| workload.rollout.complete = false;
    assert!(refusals(crashing).await.is_empty(), "a pod that crashes is what a restart is for");
    let tracked = |workload: &mut Workload| {
        workload.gitops = Some(GitOps {
            by: "Argo CD application maestro".into(),
            tracks_replicas: true,
            tracks_template: true,
        });
    };
    assert!(refusals(tracked).await.is_empty(), "a restart is fine under GitOps");
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_passed_over_is_said() {
    let world = on(&FakeCluster::new(|workload| {
        workload.budgets = vec![("web".into(), 0)];
        workload.available = Some(0);
    }));
    let found = preflight(&world, target(), Wish::Restart(restart::Wish {}), false).await;
    let said =
        "PodDisruptionBudget web allows 0 disruptions, but no replica is available, so none can be lost";
    assert!(found.passed.iter().any(|passed| passed == said), "{:?}", found.passed);
}

#[tokio::test(start_paused = true)]
async fn only_what_rolls_pods_can_be_restarted() {
    let world = on(&FakeCluster::new(|_| {}));
    let node = Target { kind: "Node".into(), namespace: String::new(), name: "node-0".into() };
    assert_eq!(
        names(&preflight(&world, node, Wish::Restart(restart::Wish {}), false).await.refusals),
        ["wrongKind"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_preflight_tells_what_a_restart_may_take_away() {
    let world = on(&FakeCluster::new(|workload| workload.max_unavailable = 2));
    let found = preflight(&world, target(), Wish::Restart(restart::Wish {}), true).await;
    assert_eq!(found.action, Some(Action::Restart(restart::Action { generation: 4 })));
    assert_eq!(found.surroundings.map(|around| around.added), Some(2));
    assert!(found.diff.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_with_its_rollout_and_a_repeat_is_the_same_one() {
    let cluster = FakeCluster::new(|_| {});
    cluster.rollouts.lock().expect("unpoisoned").extend([rolling("0 of 3"), rolling("2 of 3")]);
    let begun = tokio::time::Instant::now();
    let outcome = on(&cluster).perform(&sealed(restarting()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, diff: Some(_) }), "{outcome:?}");
    assert_eq!(begun.elapsed().as_secs(), 2, "two looks showed it under way");
    let stamped = cluster.changes.lock().expect("unpoisoned")[0].clone();
    let ClusterChange::Restart { at, correlation, .. } = stamped else { panic!("{stamped:?}") };
    assert_eq!((at, correlation.as_deref()), (now(), Some("c-1")), "the intent's moment, never the present");

    assert_eq!(on(&cluster).perform(&sealed(restarting()), &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_late_or_stuck_is_a_failure_that_was_applied() {
    let late = FakeCluster::new(|_| {});
    late.rollouts.lock().expect("unpoisoned").extend(std::iter::repeat_n(rolling("1 of 3 updated"), 1000));
    let seal = sealed(Intent { deadline: now() + Span::from_secs(30), ..restarting() });
    let begun = tokio::time::Instant::now();
    let Outcome::Failed { what, applied: true, .. } = on(&late).perform(&seal, &Halt::never()).await else {
        panic!()
    };
    assert!(what.contains("1 of 3 updated"), "{what}");
    assert!((29..=31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

    let stuck = FakeCluster::new(|_| {});
    stuck.rollouts.lock().expect("unpoisoned").push_back(Rollout { stuck: true, ..rolling("0 of 3") });
    let outcome = on(&stuck).perform(&sealed(restarting()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: true, .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_a_look() {
    let made = FakeCluster::new(|_| {}).answering(Answer::LostAfter);
    assert_eq!(on(&made).perform(&sealed(restarting()), &Halt::never()).await.name(), "done");
    let lost = FakeCluster::new(|_| {}).answering(Answer::LostBefore);
    let outcome = on(&lost).perform(&sealed(restarting()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(lost.changes(), 1);
    let blind = FakeCluster::new(|_| {}).answering(Answer::LostBlind);
    assert_eq!(on(&blind).perform(&sealed(restarting()), &Halt::never()).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_change_since_the_decision_refuses() {
    for arrange in [(|workload| workload.generation = 5) as fn(&mut Workload), |workload| {
        workload.uid = "another".into()
    }] {
        let cluster = FakeCluster::new(arrange);
        assert_eq!(refused(&on(&cluster).perform(&sealed(restarting()), &Halt::never()).await), ["changed"]);
        assert_eq!(cluster.changes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_in_doubt_is_closed_by_its_stamp() {
    let ours = FakeCluster::new(|workload| {
        workload.stamp = Some(STAMP.into());
        workload.generation = 5;
    });
    ours.rollouts.lock().expect("unpoisoned").push_back(rolling("2 of 3"));
    assert_eq!(on(&ours).close(&sealed(restarting())).await.name(), "done");

    let untouched = FakeCluster::new(|workload| workload.stamp = Some("journal-3".into()));
    assert_eq!(on(&untouched).close(&sealed(restarting())).await.name(), "failed");

    let moved = FakeCluster::new(|workload| workload.generation = 6);
    assert_eq!(on(&moved).close(&sealed(restarting())).await.name(), "unknown");

    let past = FakeCluster::new(|workload| workload.stamp = Some(STAMP.into()));
    let seal = sealed(Intent { deadline: now() - Span::from_mins(1), ..restarting() });
    assert_eq!(on(&past).close(&seal).await.name(), "done", "it ended before its deadline, unseen");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_touches_no_hands() {
    let cluster = FakeCluster::new(|_| {});
    let seal = sealed(Intent { mode: Mode::DryRun, ..restarting() });
    let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { diff: Some(_), already: false }), "{outcome:?}");
    let paused = FakeCluster::new(|workload| workload.paused = true);
    assert_eq!(refused(&on(&paused).perform(&seal, &Halt::never()).await), ["workloadPaused"]);
    assert_eq!((cluster.changes(), paused.changes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_argo_rollout_is_restarted_as_its_controller_does_it() {
    let rollout = Target { kind: "Rollout.argoproj.io".into(), ..target() };
    let cluster = FakeCluster::new(|workload| workload.target = rollout.clone());
    let found = preflight(&on(&cluster), rollout.clone(), Wish::Restart(restart::Wish {}), false).await;
    assert_eq!(found.action, Some(Action::Restart(restart::Action { generation: 4 })), "{found:?}");
    let cluster = cluster.answering(Answer::LostAfter);
    let seal = sealed(Intent { target: rollout, ..restarting() });
    let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
    let Outcome::Done { diff: Some(diff), .. } = &outcome else { panic!("not done: {outcome:?}") };
    assert_eq!(diff.fields[0].path, "spec.restartAt", "found by looking");
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(cluster.changes(), 1);
    for (answer, name) in [(Answer::LostBefore, "failed"), (Answer::LostBlind, "unknown")] {
        let cluster = FakeCluster::new(|workload| workload.target = seal.target.clone()).answering(answer);
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_has_no_way_back() {
    let cluster = FakeCluster::new(|_| {});
    let found = preflight(&on(&cluster), target(), Wish::Revert(restarting().action), true).await;
    assert_eq!((names(&found.refusals), found.action), (vec!["badValue"], None));
    assert_eq!(restarting().action.inverse(), None, "the old pods do not come back");
    assert_eq!(cluster.changes(), 0);
}
