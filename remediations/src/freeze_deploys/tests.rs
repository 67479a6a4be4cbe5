//! That a freeze does what its file says, over a cluster in memory that refuses the proof of a whole freeze.

use std::sync::Arc;

use paramedic_policies::action::{self, Intent, Mode, Outcome, Wish};
use paramedic_policies::event::Seq;
use paramedic_policies::remediation::freeze_deploys::{self, Action, Freeze};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::SPACES;
use super::admission::{BINDINGS, POLICIES, Terms, name};
use crate::fakes::{
    Answer, FakeCluster, STAMP, eyes, halted_after, intent, names, now, on, preflight, refused, sealed,
    target,
};
use crate::ports::cluster::ClusterChange;
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, ObjectChange};
use crate::ports::world::World;

mod reach;

const US: &str = "system:serviceaccount:ops:paramedic";

fn wish(namespaces: &[&str], lasts: Span) -> freeze_deploys::Wish {
    freeze_deploys::Wish {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        lasts,
        reason: None,
        break_glass: "paramedic:break-glass".into(),
        reach: Vec::new(),
    }
}

fn freeze() -> Freeze {
    Freeze::new(wish(&["prod"], Span::from_hours(2)), US.into())
}

fn freezing() -> Intent {
    intent(action::Action::FreezeDeploys(Action::Freeze(freeze())))
}

/// What takes the freeze of [`freezing`] back.
fn thawing() -> Intent {
    let thaw = action::Action::FreezeDeploys(Action::Thaw(freeze()));
    Intent { reverts: Some(Seq(7)), ..intent(thaw) }
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn is_there(cluster: &FakeCluster) -> [bool; 2] {
    let objects = cluster.objects.lock().expect("no test panicked");
    [POLICIES, BINDINGS].map(|kind| objects.get(&kind.named("", &name(STAMP))).is_some())
}

async fn frozen(world: &Arc<FakeCluster>) {
    let outcome = on(world).perform(&sealed(freezing()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, diff: Some(_) }), "{outcome:?}");
}

async fn wished(cluster: &Arc<FakeCluster>, wish: freeze_deploys::Wish) -> String {
    let found = preflight(&on(cluster), target(), Wish::FreezeDeploys(wish), false).await;
    match (found.action, found.already) {
        (Some(action), false) => action.to_string(),
        (None, true) => "already".into(),
        (None, false) => names(&found.refusals).join(", "),
        (Some(_), true) => panic!("both"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_by_its_name() {
    let two_hours = || wish(&["prod"], Span::from_hours(2));
    let cluster = FakeCluster::new(|_| {});
    assert_eq!(wished(&cluster, two_hours()).await, "freeze deploys in prod for 2h");
    let found = preflight(&on(&cluster), target(), Wish::FreezeDeploys(two_hours()), false).await;
    assert_eq!(found.uid, "uid-1", "an intent pins the workload on which it is proven");
    for (namespace, refusal) in [("kube-system", "protected"), ("ops", "protected, targetAbsent")] {
        put(&cluster, SPACES.named("", "kube-system"), json!({}));
        assert_eq!(wished(&cluster, wish(&[namespace, "prod"], Span::from_hours(2))).await, refusal);
    }
    let pause = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "2999-01-01T00:00:00Z"}}});
    put(&cluster, SPACES.named("", "stage"), pause);
    assert_eq!(wished(&cluster, wish(&["prod", "stage"], Span::from_hours(2))).await, "pausedByAnnotation");

    let paused = FakeCluster::new(|workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2999-01-01T00:00:00Z".into());
    });
    assert_eq!(wished(&paused, two_hours()).await, "pausedByAnnotation");
    let old = FakeCluster::new(|_| {});
    *old.unserved.lock().expect("no test panicked") = Some(POLICIES);
    assert_eq!(wished(&old, two_hours()).await, "targetAbsent");

    let service = Target { kind: "Service".into(), ..target() };
    let found = preflight(&on(&cluster), service, Wish::FreezeDeploys(two_hours()), false).await;
    assert_eq!(names(&found.refusals), ["wrongKind"]);
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_lasts_long_enough_is_one_already() {
    let cluster = FakeCluster::new(|_| {});
    frozen(&cluster).await;
    assert_eq!(wished(&cluster, wish(&["prod"], Span::from_hours(2))).await, "already");
    let longer = wish(&["prod"], Span::from_hours(3));
    assert_eq!(wished(&cluster, longer).await, "freeze deploys in prod for 3h");
    put(&cluster, SPACES.named("", "stage"), json!({}));
    let wider = wish(&["prod", "stage"], Span::from_hours(1));
    assert_eq!(wished(&cluster, wider).await, "freeze deploys in prod, stage for 1h");
    let half = FakeCluster::new(|_| {});
    frozen(&half).await;
    drop_one(&half, BINDINGS.named("", &name(STAMP)));
    assert_eq!(wished(&half, wish(&["prod"], Span::from_hours(1))).await, "freeze deploys in prod for 1h");
}

fn drop_one(cluster: &FakeCluster, at: Address) {
    let mut objects = cluster.objects.lock().expect("no test panicked");
    let uid = super::steps::uid(objects.get(&at));
    objects.change(&ObjectChange::Delete { at, uid, version: None }).expect("it is there");
}

#[tokio::test(start_paused = true)]
async fn the_policy_comes_before_what_switches_it_on_and_a_repeat_makes_nothing() {
    let cluster = FakeCluster::new(|_| {});
    frozen(&cluster).await;
    let made: Vec<&str> = cluster
        .changes
        .lock()
        .expect("no test panicked")
        .iter()
        .map(|change| match change {
            ClusterChange::Object(change) => change.address().resource.plural,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(made, ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]);
    frozen(&cluster).await;
    assert_eq!(on(&cluster).close(&sealed(freezing())).await.name(), "done");
    assert_eq!(cluster.changes(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_refuses_nothing_has_failed() {
    let cluster = FakeCluster::new(|_| {});
    *cluster.enforces.lock().expect("no test panicked") = false;
    let Outcome::Failed { what, applied: true, .. } =
        on(&cluster).perform(&sealed(freezing()), &Halt::never()).await
    else {
        panic!("nobody has seen it refuse");
    };
    assert!(what.contains("it is let through"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_a_look() {
    let made = FakeCluster::new(|_| {}).answering(Answer::LostAfter);
    frozen(&made).await;
    let lost = FakeCluster::new(|_| {}).answering(Answer::LostBefore);
    let outcome = on(&lost).perform(&sealed(freezing()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(lost.changes(), 1);
    let denied = FakeCluster::new(|_| {}).answering(Answer::Denied);
    assert_eq!(refused(&on(&denied).perform(&sealed(freezing()), &Halt::never()).await), ["serverRefused"]);
    let blind = FakeCluster::new(|_| {}).answering(Answer::LostBlind);
    assert_eq!(on(&blind).perform(&sealed(freezing()), &Halt::never()).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_closed_by_looking_at_both() {
    let none = FakeCluster::new(|_| {});
    let outcome = on(&none).close(&sealed(freezing())).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");

    let half = FakeCluster::new(|_| {});
    frozen(&half).await;
    drop_one(&half, BINDINGS.named("", &name(STAMP)));
    let outcome = on(&half).close(&sealed(freezing())).await;
    assert!(matches!(outcome, Outcome::Failed { applied: true, .. }), "it is taken back: {outcome:?}");

    let others = FakeCluster::new(|_| {});
    put(&others, POLICIES.named("", &name(STAMP)), json!({}));
    assert_eq!(on(&others).close(&sealed(freezing())).await.name(), "unknown");
    assert_eq!(refused(&on(&others).perform(&sealed(freezing()), &Halt::never()).await), ["changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_thaw_removes_what_its_own_freeze_has_made() {
    let cluster = FakeCluster::new(|_| {});
    frozen(&cluster).await;
    let revert = || Wish::Revert(freezing().action);
    let found = preflight(&on(&cluster), target(), revert(), false).await;
    assert_eq!(found.action.map(|action| action.to_string()).as_deref(), Some("thaw deploys in prod"));

    // Nobody knows what another intent, whose stamp is another, has frozen.
    let other = Intent { reverts: Some(Seq(5)), ..thawing() };
    let outcome = on(&cluster).perform(&sealed(other), &Halt::never()).await;
    assert_eq!((outcome, is_there(&cluster)), (Outcome::Done { diff: None, already: true }, [true, true]));

    assert_eq!(on(&cluster).perform(&sealed(thawing()), &Halt::never()).await.name(), "done");
    assert_eq!(is_there(&cluster), [false, false]);
    let again = on(&cluster).perform(&sealed(thawing()), &Halt::never()).await;
    assert_eq!(again, Outcome::Done { diff: None, already: true }, "absent is thawed");
    assert_eq!(on(&cluster).close(&sealed(thawing())).await.name(), "done");
    assert!(preflight(&on(&cluster), target(), revert(), false).await.already);
    let thaw = Wish::Revert(thawing().action);
    assert_eq!(names(&preflight(&on(&cluster), target(), thaw, false).await.refusals), ["badValue"]);
}

#[tokio::test(start_paused = true)]
async fn a_thaw_in_doubt_is_closed_by_looking_and_a_pause_holds_it() {
    let lost = FakeCluster::new(|_| {});
    frozen(&lost).await;
    let lost = lost.answering(Answer::LostAfter);
    assert_eq!(on(&lost).perform(&sealed(thawing()), &Halt::never()).await.name(), "done");
    assert_eq!(is_there(&lost), [false, false]);

    let cluster = FakeCluster::new(|_| {});
    frozen(&cluster).await;
    let outcome = on(&cluster).close(&sealed(thawing())).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    let pause = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": "2999-01-01T00:00:00Z"}}});
    put(&cluster, SPACES.named("", "prod"), pause);
    let found = preflight(&on(&cluster), target(), Wish::Revert(freezing().action), false).await;
    assert_eq!(names(&found.refusals), ["pausedByAnnotation"]);
    assert_eq!(
        refused(&on(&cluster).perform(&sealed(thawing()), &Halt::never()).await),
        ["pausedByAnnotation"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_finds_its_first_object_gone_has_changed_nothing_yet() {
    for (answer, ended) in [(Answer::NotSent, "failed"), (Answer::Denied, "refused")] {
        let cluster = FakeCluster::new(|_| {});
        frozen(&cluster).await;
        let [_, binding] = is_there(&cluster);
        assert!(binding);
        drop_one(&cluster, BINDINGS.named("", &name(STAMP)));
        let cluster = cluster.answering(answer);
        let outcome = on(&cluster).perform(&sealed(thawing()), &Halt::never()).await;
        assert_eq!(outcome.name(), ended, "{outcome:?}");
        assert!(!matches!(outcome, Outcome::Failed { applied: true, .. }), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_touches_no_hands() {
    let cluster = FakeCluster::new(|_| {});
    let seal = sealed(Intent { mode: Mode::DryRun, ..freezing() });
    let Outcome::Done { diff: Some(diff), already: false } =
        eyes(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("a rehearsal shows what would be done");
    };
    assert_eq!(diff.fields[0].path, "deploys in prod");
    assert_eq!((diff.fields.len(), cluster.changes()), (3, 0));
}

#[test]
fn the_policy_says_what_it_refuses_until_when_and_how_to_thaw_it() {
    let freeze = Freeze { exempt: "a \"quoted\" \\ user".into(), ..freeze() };
    let terms = Terms {
        freeze: &freeze,
        stamp: STAMP.into(),
        until: now() + Span::from_hours(2),
        reason: "the error budget is spent".into(),
        correlation: Some("c-1".into()),
    };
    let objects = terms.objects().map(|made| match made {
        ObjectChange::Create { object, .. } => object,
        other => panic!("{other:?}"),
    });
    insta::assert_json_snapshot!(objects);
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_a_freeze_before_its_binding_and_the_half_is_thawed() {
    let cluster = FakeCluster::new(|_| {});
    let halt = halted_after(1, &cluster.pauses);
    let outcome = on(&cluster).perform(&sealed(freezing()), &halt).await;
    let Outcome::Failed { what, applied: true, .. } = &outcome else { panic!("half done: {outcome:?}") };
    assert!(what.starts_with("everything is paused by ann; done: validatingadmissionpolicy/"), "{what}");
    assert!(what.contains("; not done: validatingadmissionpolicybinding/"), "{what}");
    assert_eq!((cluster.changes(), is_there(&cluster)), (1, [true, false]), "it refuses nothing");
    assert_eq!(on(&cluster).perform(&sealed(thawing()), &Halt::never()).await.name(), "done");
    assert_eq!(is_there(&cluster), [false, false]);
}
