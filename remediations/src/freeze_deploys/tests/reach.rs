//! Freezes that reach Argo CD and Flux, over a cluster in memory: what is appended and suspended, what is somebody else's,
//! and that each is taken back exactly.

use paramedic_policies::answer::Preflight;
use paramedic_policies::remediation::freeze_deploys::reach::{Gate, Reached};

use super::*;
use crate::freeze_deploys::reach::{APP_PROJECTS, KUSTOMIZATIONS};
use crate::ports::objects::Address;

fn project() -> Address {
    APP_PROJECTS.named("argocd", "shop")
}

fn kustomization() -> Address {
    KUSTOMIZATIONS.named("flux-system", "shop")
}

fn wish_far() -> freeze_deploys::Wish {
    let one = |gate, namespace: &str| Reached { gate, namespace: namespace.into(), name: "shop".into() };
    let reach = vec![one(Gate::ArgoCd, "argocd"), one(Gate::Kustomization, "flux-system")];
    freeze_deploys::Wish { reach, ..wish(&["prod"], Span::from_hours(2)) }
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster, at: &Address) -> Value {
    cluster.objects.lock().expect("no test panicked").get(at).cloned().expect("it is there")
}

/// A project with a window of its own, and a Kustomization that runs.
fn with_both() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    let own = json!({"kind": "allow", "schedule": "0 8 * * *", "duration": "8h", "applications": ["*"]});
    put(&cluster, project(), json!({"spec": {"syncWindows": [own]}}));
    put(&cluster, kustomization(), json!({"spec": {"interval": "5m"}}));
    cluster
}

async fn planned(cluster: &Arc<FakeCluster>) -> Preflight {
    preflight(&on(cluster), target(), Wish::FreezeDeploys(wish_far()), true).await
}

fn meant(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent { uid: found.uid.clone(), ..intent(action) }
}

fn thaw(of: &Intent) -> Intent {
    let action = of.action.inverse().expect("a freeze can be thawed");
    Intent { id: Seq(of.id.0 + 100), reverts: Some(of.id), action, ..of.clone() }
}

#[tokio::test(start_paused = true)]
async fn what_is_declared_deploys_nothing_until_the_thaw() {
    let cluster = with_both();
    let (project_was, kustomization_was) = (get(&cluster, &project()), get(&cluster, &kustomization()));
    let found = planned(&cluster).await;
    let said = found.action.as_ref().map(ToString::to_string);
    let words = "freeze deploys in prod for 2h, AppProject argocd/shop, Kustomization flux-system/shop";
    assert_eq!(said.as_deref(), Some(words), "{found:?}");
    let reached: Vec<_> = found.action.iter().flat_map(|action| action.namespaces()).cloned().collect();
    assert_eq!(reached, ["argocd", "flux-system", "prod"], "guards judge each of them");
    let (world, seal) = (on(&cluster), sealed(meant(&found)));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let windows = get(&cluster, &project())["spec"]["syncWindows"].clone();
    assert_eq!(windows.as_array().map(Vec::len), Some(2), "appended, never replaced: {windows}");
    assert_eq!(
        windows[1],
        json!({"kind": "deny", "schedule": "0 9 21 11 *", "duration": "120m", "namespaces": ["prod"],
            "manualSync": false, "timeZone": "UTC"})
    );
    assert_eq!(get(&cluster, &kustomization())["spec"]["suspend"], true);
    let changes = cluster.changes();
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(world.close(&seal).await.name(), "done");
    assert_eq!(cluster.changes(), changes, "the same intent again does nothing more");
    assert!(planned(&cluster).await.already);

    let back = sealed(thaw(&seal));
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    for (at, was) in [(project(), project_was), (kustomization(), kustomization_was)] {
        let is = get(&cluster, &at);
        assert_eq!(is["spec"], was["spec"], "taken back exactly");
        assert_eq!(is["metadata"]["annotations"], json!({}));
    }
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");
    let found = preflight(&world, target(), Wish::Revert(seal.action.clone()), false).await;
    assert!(found.already, "{found:?}");
}

/// The controllers of Argo CD and Flux write what they look at, whenever they do.
#[tokio::test(start_paused = true)]
async fn a_write_between_look_and_request_stops_neither_freeze_nor_thaw() {
    let cluster = with_both();
    let seal = sealed(meant(&planned(&cluster).await));
    let races = |count: usize| *cluster.races.lock().expect("no test panicked") = count;
    races(3);
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    races(3);
    assert_eq!(on(&cluster).perform(&sealed(thaw(&seal)), &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &kustomization())["spec"].get("suspend"), None);
    assert_eq!(get(&cluster, &project())["spec"]["syncWindows"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_others_did_is_left_as_it_is() {
    let cluster = with_both();
    put(&cluster, kustomization(), json!({"spec": {"suspend": true}}));
    let found = planned(&cluster).await;
    assert!(found.passed.iter().any(|one| one.contains("suspended by somebody else")), "{found:?}");
    let (world, seal) = (on(&cluster), sealed(meant(&found)));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &kustomization())["metadata"].get("annotations"), None);
    assert_eq!(world.perform(&sealed(thaw(&seal)), &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &kustomization())["spec"]["suspend"], true, "theirs stays");

    // Two freezes of ours: the first thaw opens nothing, the second all.
    let cluster = with_both();
    let world = on(&cluster);
    let first = sealed(meant(&planned(&cluster).await));
    let second = sealed(Intent { id: Seq(8), ..(*first).clone() });
    for seal in [&first, &second] {
        assert_eq!(world.perform(seal, &Halt::never()).await.name(), "done");
    }
    assert_eq!(world.perform(&sealed(thaw(&first)), &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &kustomization())["spec"]["suspend"], true);
    assert_eq!(get(&cluster, &project())["spec"]["syncWindows"].as_array().map(Vec::len), Some(2));
    // A person has resumed it meanwhile: that is theirs too.
    let mut resumed = get(&cluster, &kustomization());
    resumed["spec"]["suspend"] = json!(false);
    put(&cluster, kustomization(), resumed);
    assert_eq!(world.perform(&sealed(thaw(&second)), &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &kustomization())["spec"]["suspend"], false);
    assert_eq!(get(&cluster, &project())["spec"]["syncWindows"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reached_refuses_the_whole_freeze() {
    let names = async |cluster: &Arc<FakeCluster>| names(&planned(cluster).await.refusals);
    let cluster = FakeCluster::new(|_| {});
    put(&cluster, project(), json!({"spec": {}}));
    assert_eq!(names(&cluster).await, ["targetAbsent"], "no such Kustomization");
    let cluster = with_both();
    let paused = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
    put(&cluster, project(), json!({"metadata": {"annotations": paused}, "spec": {}}));
    assert_eq!(names(&cluster).await, ["pausedByAnnotation"]);
    let cluster = with_both();
    let tracked = json!({"argocd.argoproj.io/tracking-id": "projects:argoproj.io/AppProject:argocd/shop"});
    put(&cluster, project(), json!({"metadata": {"annotations": tracked}, "spec": {}}));
    assert_eq!(names(&cluster).await, ["managedByGitOps"], "Argo CD would revert it");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_any_step_is_found_out_by_looking() {
    let cluster = with_both().answering(Answer::LostAfter);
    let seal = sealed(meant(&planned(&cluster).await));
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    // Nor is a thaw made twice, or believed where nobody has seen it.
    let thawed = sealed(thaw(&seal));
    assert_eq!(on(&cluster).perform(&thawed, &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster, &project())["spec"]["syncWindows"].as_array().map(Vec::len), Some(1));
    for (answer, name) in [(Answer::LostBefore, "failed"), (Answer::LostBlind, "unknown")] {
        let cluster = with_both();
        let seal = sealed(meant(&planned(&cluster).await));
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
        let cluster = cluster.answering(answer);
        assert_eq!(
            on(&cluster).perform(&sealed(thaw(&seal)), &Halt::never()).await.name(),
            name,
            "{answer:?}"
        );
    }
    // The process ended before it came to Flux.
    let cluster = with_both();
    let seal = sealed(meant(&planned(&cluster).await));
    let world = on(&cluster);
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    put(&cluster, kustomization(), json!({"spec": {"interval": "5m"}}));
    let closed = world.close(&seal).await;
    assert!(matches!(&closed, Outcome::Failed { applied: true, .. }), "{closed:?}");
    assert_eq!(
        world.perform(&sealed(thaw(&seal)), &Halt::never()).await.name(),
        "done",
        "what was done is taken back"
    );
    assert_eq!(get(&cluster, &project())["spec"]["syncWindows"].as_array().map(Vec::len), Some(1));
}
