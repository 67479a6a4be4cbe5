//! Answers that are lost, refused at the door or overtaken: no effect twice, and no certainty without a look.

use paramedic_policies::action::{Outcome, Wish};
use paramedic_policies::remediation::restart;
use paramedic_policies::remediation::scale::{self, Amount};
use paramedic_remediations::ports::cluster::{ChangeError, Cluster, ClusterChange, Hands};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::ControlPlane;
use serde_json::json;

use super::least::{Asks, WEB};
use super::proxy::{Fault, Proxy};
use super::stand::{intent, kubernetes, kubernetes_by, now, preflight, rests, sealed, stamp, target, world};

const POLICIES: [Asks; 2] = [(WEB, "[{scale: {by: 1, max: 9}}]"), (WEB, "[{restart: {}}]")];

fn by(amount: i32) -> Wish {
    Wish::Scale(scale::Wish {
        amount: Amount::By(amount),
        max: None,
        min: None,
        max_step: None,
        allow_down: false,
    })
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_found_made_and_never_repeated() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("lost").await;
    shop.deployment("web", 2).await;
    let proxy = Proxy::before(cluster).await;
    let kubernetes = kubernetes_by(cluster, &proxy.url, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));

    let found = preflight(&world, &target, by(1), false).await;
    proxy.fails(Fault::CutAfter);
    let outcome = world.perform(&sealed(intent(1, &target, &found)), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, .. }), "{outcome:?}");
    assert_eq!(proxy.changes(), 1);

    rests(&kubernetes, &target).await;
    let found = preflight(&world, &target, Wish::Restart(restart::Wish {}), false).await;
    let outcome = world.perform(&sealed(intent(2, &target, &found)), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, .. }), "{outcome:?}");
    assert_eq!(proxy.changes(), 2);
    let object = shop.get("Deployment", "web").await;
    assert_eq!(object["spec"]["replicas"], json!(3));
    assert_eq!(
        object["spec"]["template"]["metadata"]["annotations"]["paramedic.dev/intent"],
        json!(stamp(2))
    );
}

#[tokio::test]
async fn a_change_that_never_arrived_is_known_not_to_have_been_made() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("never").await;
    shop.deployment("web", 2).await;
    let proxy = Proxy::before(cluster).await;
    let kubernetes = kubernetes_by(cluster, &proxy.url, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    rests(&kubernetes, &target).await;
    proxy.fails(Fault::CutBefore);
    for wish in [by(1), Wish::Restart(restart::Wish {})] {
        let found = preflight(&world, &target, wish, false).await;
        let outcome = world.perform(&sealed(intent(1, &target, &found)), &Halt::never()).await;
        assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    }
    assert_eq!(proxy.changes(), 2, "one for each intent");
    assert_eq!(shop.get("Deployment", "web").await["metadata"]["generation"], json!(1));
}

#[tokio::test]
async fn a_change_turned_away_by_flow_control_is_sent_once() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("flow").await;
    shop.deployment("web", 2).await;
    let proxy = Proxy::before(cluster).await;
    let kubernetes = kubernetes_by(cluster, &proxy.url, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let found = preflight(&world, &target, by(1), false).await;
    proxy.fails(Fault::TooManyRequests);
    let outcome = world.perform(&sealed(intent(1, &target, &found)), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(proxy.changes(), 1, "kube's own retries are off");
}

#[tokio::test]
async fn of_two_changes_from_one_old_value_the_second_is_refused_by_the_server() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("race").await;
    shop.deployment("web", 2).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    rests(&kubernetes, &target).await;
    let found = preflight(&world, &target, by(1), false).await;
    let seal = sealed(intent(1, &target, &found));
    // Past our own looks, straight to the server, whose tests are the last word.
    let scaling = ClusterChange::Replicas { target: target.clone(), uid: found.uid.clone(), from: 2, to: 3 };
    kubernetes.change(&seal, &scaling).await.expect("the first is made");
    for change in [
        scaling,
        ClusterChange::Replicas { target: target.clone(), uid: "another".into(), from: 3, to: 4 },
        ClusterChange::Restart {
            target: target.clone(),
            uid: found.uid.clone(),
            generation: 1,
            at: now(),
            correlation: None,
        },
    ] {
        let refused = kubernetes.change(&seal, &change).await.expect_err("its old value is gone");
        assert!(matches!(refused, ChangeError::Refused { conflict: true, .. }), "{change:?}: {refused:?}");
        let previewed = kubernetes.preview(&change, "x").await.expect_err("a dry run tests too");
        assert!(
            matches!(previewed, ChangeError::Refused { conflict: true, .. }),
            "{change:?}: {previewed:?}"
        );
    }
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], json!(3));
}

#[tokio::test]
async fn without_a_server_a_look_fails_and_nothing_was_sent() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("gone").await;
    shop.deployment("web", 2).await;
    let target = target(&shop, "Deployment", "web");
    let found = preflight(&world(&kubernetes(cluster, &shop, &POLICIES).await), &target, by(1), false).await;
    let nowhere = kubernetes_by(cluster, "http://127.0.0.1:1", &shop, &POLICIES).await;
    let seal = sealed(intent(1, &target, &found));
    let change = ClusterChange::Replicas { target: target.clone(), uid: found.uid, from: 2, to: 3 };
    let error = nowhere.change(&seal, &change).await.expect_err("nobody listens");
    assert!(matches!(error, ChangeError::NotSent { .. }), "{error:?}");
    assert!(nowhere.look(&target).await.is_err());
}
