//! That scale does what its file says, over a cluster and HTTP endpoints in memory.

use std::sync::Arc;

use paramedic_policies::action::{Action, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::event::Seq;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::restart;
use paramedic_policies::remediation::scale::{self, Amount, Wish as Scale};
use paramedic_policies::time::Span;

use crate::fakes::{Answer, FakeCluster, eyes, intent, names, now, on, preflight, refused, sealed, target};
use crate::ports::cluster::{Autoscaler, GitOps, SetBy, Workload};
use crate::ports::halt::Halt;
use crate::ports::world::World;

fn by(amount: i32) -> Scale {
    Scale { amount: Amount::By(amount), max: None, min: None, max_step: None, allow_down: false }
}

fn to(amount: u32) -> Scale {
    Scale { amount: Amount::To(amount), ..by(0) }
}

fn at_least(amount: u32) -> Scale {
    Scale { amount: Amount::AtLeast(amount), ..by(0) }
}

fn hpa(min: u32, max: u32) -> Option<Autoscaler> {
    Some(Autoscaler {
        name: "web".into(),
        uid: "uid-hpa".into(),
        min,
        max,
        min_set: None,
        owner: None,
        gitops: None,
    })
}

fn gitops(tracks_replicas: bool) -> Option<GitOps> {
    Some(GitOps { by: "Argo CD application maestro".into(), tracks_replicas, tracks_template: true })
}

/// Where the fake cluster's replicas were last set by whom they are at first.
fn replicas(from: u32, to: u32) -> Action {
    let set_by = Some(format!("kubectl at {}", now() - Span::from_hours(1)));
    Action::Scale(scale::Action { lever: scale::Lever::Replicas, from, to, wanted: None, set_by })
}

fn minimum(from: u32, to: u32) -> Action {
    Action::Scale(scale::Action {
        lever: scale::Lever::MinReplicas { hpa: "web".into(), uid: "uid-hpa".into() },
        from,
        to,
        wanted: None,
        set_by: None,
    })
}

/// What a wish becomes: the change in words, `already`, or the names of the refusals.
async fn wished(arrange: impl FnOnce(&mut Workload), wish: Scale) -> String {
    let world = on(&FakeCluster::new(arrange));
    let found = preflight(&world, target(), Wish::Scale(wish), false).await;
    match (found.action, found.already) {
        (Some(action), false) => action.to_string(),
        (None, true) => "already".into(),
        (None, false) => names(&found.refusals).join(", "),
        (Some(action), true) => panic!("{action} although already"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_becomes_absolute_numbers_within_its_bounds() {
    let bounded = |wish: Scale| Scale { max: Some(5), min: Some(2), max_step: Some(2), ..wish };
    let down = |wish: Scale| Scale { allow_down: true, ..wish };
    for (wish, becomes) in [
        (by(2), "scale 3 -> 5"),
        (bounded(by(9)), "scale 3 -> 5"),
        (Scale { max: Some(4), ..by(2) }, "scale 3 -> 4"),
        (Scale { max: Some(3), ..by(2) }, "outOfBounds"),
        (by(0), "already"),
        (by(-1), "wouldLower"),
        (down(by(-1)), "scale 3 -> 2"),
        (down(by(-9)), "scale 3 -> 1"),
        (down(bounded(by(-9))), "scale 3 -> 2"),
        (down(Scale { min: Some(3), ..by(-1) }), "outOfBounds"),
        (to(6), "scale 3 -> 6"),
        (to(3), "already"),
        (to(1), "wouldLower"),
        (down(to(0)), "scale 3 -> 0"),
        (bounded(to(6)), "outOfBounds"),
        (Scale { max_step: Some(1), ..to(5) }, "outOfBounds"),
        (at_least(6), "scale 3 -> 6"),
        (at_least(3), "already"),
        (at_least(2), "already"),
        (bounded(at_least(9)), "outOfBounds"),
        (Scale { max_step: Some(2), ..at_least(9) }, "scale 3 -> 5, short of 9"),
        (Scale { max_step: Some(6), ..at_least(9) }, "scale 3 -> 9"),
        (to(u32::MAX), "outOfBounds"),
    ] {
        assert_eq!(wished(|_| {}, wish.clone()).await, becomes, "{wish:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_is_asked_for_more_and_never_fought() {
    let with = |min, max| move |workload: &mut Workload| workload.autoscaler = hpa(min, max);
    assert_eq!(wished(with(2, 10), by(2)).await, "scale minReplicas of HPA web 2 -> 5");
    assert_eq!(wished(with(2, 4), by(2)).await, "scale minReplicas of HPA web 2 -> 4");
    assert_eq!(wished(with(2, 3), by(2)).await, "ownedByAutoscaler", "it runs its maximum already");
    assert_eq!(wished(with(2, 10), at_least(6)).await, "scale minReplicas of HPA web 2 -> 6");
    assert_eq!(wished(with(2, 5), at_least(6)).await, "ownedByAutoscaler");
    assert_eq!(wished(with(6, 10), at_least(6)).await, "already");
    assert_eq!(wished(with(1, 10), at_least(3)).await, "already", "3 run, whatever the minimum says");
    let runs = |min, running| {
        move |workload: &mut Workload| {
            workload.autoscaler = hpa(min, 12);
            workload.replicas = Some(running);
        }
    };
    let six = Scale { max: Some(10), max_step: Some(4), ..at_least(6) };
    assert_eq!(wished(runs(1, 5), six.clone()).await, "scale minReplicas of HPA web 1 -> 6");
    assert_eq!(wished(runs(1, 1), six.clone()).await, "scale minReplicas of HPA web 1 -> 5, short of 6");
    assert_eq!(wished(runs(2, 8), six).await, "already", "more run than are wanted");
    assert_eq!(wished(with(2, 10), to(1)).await, "wouldLower");
    let switched_off = |workload: &mut Workload| {
        workload.autoscaler = hpa(2, 10);
        workload.replicas = Some(0);
    };
    assert_eq!(wished(switched_off, by(2)).await, "ownedByAutoscaler");
    let keda = |workload: &mut Workload| {
        workload.autoscaler =
            hpa(2, 10).map(|hpa| Autoscaler { owner: Some("ScaledObject web".into()), ..hpa });
    };
    assert_eq!(wished(keda, by(2)).await, "ownedByAutoscaler");
    let tracked = |workload: &mut Workload| {
        workload.autoscaler = hpa(2, 10).map(|hpa| Autoscaler { gitops: Some("Flux".into()), ..hpa });
    };
    assert_eq!(wished(tracked, by(2)).await, "managedByGitOps");
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_by_its_name() {
    let pause = |workload: &mut Workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2026-11-22T00:00:00Z".into());
    };
    assert_eq!(wished(pause, by(1)).await, "pausedByAnnotation");
    let over = |workload: &mut Workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2026-11-20T00:00:00Z".into());
    };
    assert_eq!(wished(over, by(1)).await, "scale 3 -> 4");
    let unreadable = |workload: &mut Workload| {
        workload.namespace_annotations.insert("paramedic.dev/pause-until".into(), "monday".into());
    };
    assert_eq!(wished(unreadable, by(1)).await, "pausedByAnnotation");
    assert_eq!(wished(|workload| workload.paused = true, by(1)).await, "workloadPaused");
    assert_eq!(wished(|workload| workload.rollout.under_way = true, by(1)).await, "rollingOut");
    assert_eq!(wished(|workload| workload.replicas = None, by(1)).await, "wrongKind");
    assert_eq!(wished(|workload| workload.gitops = gitops(true), by(1)).await, "managedByGitOps");
    assert_eq!(wished(|workload| workload.gitops = gitops(false), by(1)).await, "scale 3 -> 4");
    let all = |workload: &mut Workload| {
        workload.paused = true;
        workload.rollout.under_way = true;
        workload.gitops = gitops(true);
    };
    let every = "workloadPaused, rollingOut, managedByGitOps, wouldLower";
    assert_eq!(wished(all, by(-1)).await, every, "none short-circuits");
}

#[tokio::test(start_paused = true)]
async fn a_preflight_shows_uid_labels_surroundings_and_the_difference() {
    let world = on(&FakeCluster::new(|_| {}));
    let found = preflight(&world, target(), Wish::Scale(by(2)), true).await;
    assert_eq!(found.uid, "uid-1");
    assert_eq!(found.labels.get("app").map(String::as_str), Some("web"));
    assert_eq!(found.surroundings.map(|around| (around.desired, around.added)), Some((20, 0)));
    let diff = found.diff.expect("one was asked for");
    assert_eq!(diff.source, DiffSource::ServerDryRun);
    assert_eq!((diff.fields[0].before.as_str(), diff.fields[0].after.as_str()), ("3", "5"));
    assert!(found.passed.iter().any(|one| one.contains("no autoscaler")), "{:?}", found.passed);
}

fn scaling() -> Intent {
    intent(replicas(3, 5))
}

#[tokio::test(start_paused = true)]
async fn scaling_is_done_once_however_often_it_is_repeated() {
    let cluster = FakeCluster::new(|_| {});
    for _ in 0..3 {
        let outcome = on(&cluster).perform(&sealed(scaling()), &Halt::never()).await;
        let Outcome::Done { diff: Some(diff), already: false } = outcome else { panic!("{outcome:?}") };
        assert_eq!((diff.fields[0].before.as_str(), diff.fields[0].after.as_str()), ("3", "5"));
    }
    assert_eq!(cluster.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_minimum_is_raised_by_the_autoscalers_own_lever() {
    let cluster = FakeCluster::new(|workload| workload.autoscaler = hpa(2, 10));
    let outcome = on(&cluster).perform(&sealed(intent(minimum(2, 5))), &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    assert_eq!(cluster.workload.lock().expect("unpoisoned").autoscaler.as_ref().map(|hpa| hpa.min), Some(5));
    let other = FakeCluster::new(|workload| {
        workload.autoscaler = hpa(2, 10).map(|hpa| Autoscaler { uid: "another".into(), ..hpa });
    });
    assert_eq!(
        refused(&on(&other).perform(&sealed(intent(minimum(2, 5))), &Halt::never()).await),
        ["changed"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_decision_is_not_touched() {
    for arrange in [(|workload| workload.uid = "another".into()) as fn(&mut Workload), |workload| {
        workload.replicas = Some(4)
    }] {
        let cluster = FakeCluster::new(arrange);
        assert_eq!(refused(&on(&cluster).perform(&sealed(scaling()), &Halt::never()).await), ["changed"]);
        assert_eq!(cluster.changes(), 0);
    }
    let cluster = FakeCluster::new(|workload| workload.paused = true);
    assert_eq!(refused(&on(&cluster).perform(&sealed(scaling()), &Halt::never()).await), ["workloadPaused"]);
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_no_is_a_refusal_and_one_that_never_left_a_failure() {
    let denied = on(&FakeCluster::new(|_| {}).answering(Answer::Denied))
        .perform(&sealed(scaling()), &Halt::never())
        .await;
    assert_eq!(
        denied,
        Outcome::Refused { reasons: vec![Reason::ServerRefused { message: "freeze until Monday".into() }] }
    );
    let not_sent = on(&FakeCluster::new(|_| {}).answering(Answer::NotSent))
        .perform(&sealed(scaling()), &Halt::never())
        .await;
    assert!(matches!(not_sent, Outcome::Failed { applied: false, .. }), "{not_sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_a_look() {
    let made = FakeCluster::new(|_| {}).answering(Answer::LostAfter);
    let outcome = on(&made).perform(&sealed(scaling()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, .. }), "{outcome:?}");

    let lost = FakeCluster::new(|_| {}).answering(Answer::LostBefore);
    let outcome = on(&lost).perform(&sealed(scaling()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(lost.changes(), 1, "never sent twice");

    let blind = FakeCluster::new(|_| {}).answering(Answer::LostBlind);
    assert_eq!(on(&blind).perform(&sealed(scaling()), &Halt::never()).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn an_intent_in_doubt_is_closed_by_value_and_manager() {
    let set = |manager: &str, at| Some(SetBy { manager: manager.into(), at: Some(at) });
    let (before, back_then) = (now() - Span::from_hours(1), now() - Span::from_hours(2));
    for (replicas, by, outcome) in [
        (5, set("paramedic-journal-7", now()), "done"),
        (3, set("kubectl", before), "failed"),
        (5, set("kubectl", now()), "unknown"),
        (4, set("kubectl", now()), "unknown"),
        // Somebody set it back after us, by a server whose clock is right or is hours behind ours.
        (3, set("kubectl", now() + Span::from_secs(5)), "unknown"),
        (3, set("kubectl", back_then), "unknown"),
        (3, set("ben", before), "unknown"),
        (3, None, "unknown"),
    ] {
        let cluster = FakeCluster::new(|workload| {
            workload.replicas = Some(replicas);
            workload.replicas_set = by.clone();
        });
        let closed = on(&cluster).close(&sealed(scaling())).await;
        assert_eq!(closed.name(), outcome, "{replicas} by {by:?}: {closed:?}");
        assert_eq!(cluster.changes(), 0);
    }
    let another = FakeCluster::new(|workload| workload.uid = "another".into());
    assert_eq!(on(&another).close(&sealed(scaling())).await.name(), "unknown");
    let blind = FakeCluster::new(|_| {});
    *blind.looks_fail.lock().expect("unpoisoned") = true;
    assert_eq!(on(&blind).close(&sealed(scaling())).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_shows_the_difference_and_touches_no_hands() {
    let cluster = FakeCluster::new(|_| {});
    let seal = sealed(Intent { mode: Mode::DryRun, ..scaling() });
    for world in [on(&cluster), eyes(&cluster)] {
        let Outcome::Done { diff: Some(diff), already: false } = world.perform(&seal, &Halt::never()).await
        else {
            panic!()
        };
        assert_eq!(diff.source, DiffSource::ServerDryRun);
        assert_eq!(world.close(&seal).await.name(), "failed");
    }
    assert_eq!(cluster.changes(), 0);
    assert_eq!(
        refused(&eyes(&cluster).perform(&sealed(scaling()), &Halt::never()).await),
        ["serverRefused"],
        "no hands"
    );
}

#[tokio::test(start_paused = true)]
async fn a_revert_acts_only_on_our_own_value() {
    let wish = || Wish::Revert(replicas(3, 5));
    let ours = FakeCluster::new(|workload| {
        workload.replicas = Some(5);
        workload.rollout.under_way = true;
        workload.gitops = gitops(true);
    });
    let found = preflight(&on(&ours), target(), wish(), false).await;
    assert_eq!(found.action, Some(replicas(5, 3)), "held by pause alone: {:?}", found.refusals);
    let seal = sealed(Intent { reverts: Some(Seq(5)), ..intent(replicas(5, 3)) });
    assert_eq!(on(&ours).perform(&seal, &Halt::never()).await.name(), "done");

    let moved = FakeCluster::new(|workload| workload.replicas = Some(4));
    let found = preflight(&on(&moved), target(), wish(), false).await;
    assert_eq!((names(&found.refusals), found.action), (vec!["changed"], None));
    assert_eq!(refused(&on(&moved).perform(&seal, &Halt::never()).await), ["changed"]);

    let restart = Wish::Revert(Action::Restart(restart::Action { generation: 1 }));
    assert_eq!(names(&preflight(&on(&ours), target(), restart, false).await.refusals), ["badValue"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let cluster = FakeCluster::new(|_| {});
    let outcome =
        on(&cluster).perform(&sealed(Intent { deadline: now(), ..scaling() }), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(cluster.changes(), 0);
}

/// The API server may take a request up to a minute after the one who sent it is gone.
#[tokio::test(start_paused = true)]
async fn a_request_that_lands_late_is_found_by_the_second_look() {
    let begun = tokio::time::Instant::now();
    let land = |cluster: Arc<FakeCluster>| async move {
        tokio::time::sleep(std::time::Duration::from_secs(40)).await;
        let mut workload = cluster.workload.lock().expect("no test panicked");
        workload.replicas = Some(5);
        workload.replicas_set = Some(SetBy { manager: "paramedic-journal-7".into(), at: Some(now()) });
    };

    let cluster = FakeCluster::new(|_| {});
    let world = on(&cluster);
    let seal = sealed(scaling());
    let (closed, ()) = tokio::join!(world.close(&seal), land(Arc::clone(&cluster)));
    assert_eq!(closed.name(), "done", "{closed:?}");

    let cluster = FakeCluster::new(|_| {}).answering(Answer::LostBefore);
    let world = on(&cluster);
    let halt = Halt::never();
    let (ended, ()) = tokio::join!(world.perform(&seal, &halt), land(Arc::clone(&cluster)));
    assert_eq!(ended.name(), "done", "{ended:?}");
    assert_eq!(cluster.changes(), 1, "nothing is sent twice");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(120), "both looked a second time");
}

/// The wall clock was set far ahead while the process was down: the deadline only seems to be long over.
#[tokio::test(start_paused = true)]
async fn a_request_is_waited_for_however_old_its_deadline_seems() {
    let cluster = FakeCluster::new(|_| {});
    let mut old = scaling();
    old.deadline = now() - Span::from_hours(2);
    let (world, seal) = (on(&cluster), sealed(old));
    let late = async {
        tokio::time::sleep(std::time::Duration::from_secs(40)).await;
        let mut workload = cluster.workload.lock().expect("no test panicked");
        workload.replicas = Some(5);
        workload.replicas_set = Some(SetBy { manager: "paramedic-journal-7".into(), at: Some(now()) });
    };
    let (closed, ()) = tokio::join!(world.close(&seal), late);
    assert_eq!(closed.name(), "done", "{closed:?}");
}
