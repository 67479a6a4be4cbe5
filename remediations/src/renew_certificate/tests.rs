//! Renewals over a cluster in memory: the condition that is set, refusals, lost answers, repeats, and how an end is told.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::{Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::remediation::renew_certificate::{self, CERTIFICATE};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::CERTIFICATES;
use crate::fakes::{
    Answer, FakeCluster, eyes, intent, names, now, on, preflight, refused, sealed, target as deployment,
};
use crate::ports::halt::Halt;
use crate::ports::objects::Resource;
use crate::ports::world::World;

fn target() -> Target {
    Target { kind: CERTIFICATE.into(), namespace: "prod".into(), name: "web-tls".into() }
}

fn put(cluster: &FakeCluster, object: Value) {
    let at = CERTIFICATES.named("prod", "web-tls");
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster) -> Value {
    let at = CERTIFICATES.named("prod", "web-tls");
    cluster.objects.lock().expect("no test panicked").get(&at).cloned().expect("it is there")
}

fn certificate() -> Value {
    json!({
        "metadata": {"uid": "uid-1", "generation": 2, "labels": {"app": "web"}},
        "status": {"revision": 4, "notAfter": "2026-12-01T00:00:00Z", "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready"}]},
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|workload| workload.target = target());
    let mut object = certificate();
    change(&mut object);
    put(&cluster, object);
    cluster
}

#[tokio::test(start_paused = true)]
async fn what_cert_manager_will_renew_by_itself_is_left_to_it() {
    let renewal = |time: &str| with(|object| object["status"]["renewalTime"] = json!(time));
    let ahead = asked(&renewal("2026-11-21T09:00:01Z")).await;
    assert_eq!(names(&ahead.refusals), ["badValue"], "{ahead:?}");
    let late = asked(&renewal("2026-11-20T09:00:00Z")).await;
    assert!(late.refusals.is_empty() && late.action.is_some(), "{late:?}");
}

fn wish() -> Wish {
    Wish::RenewCertificate(renew_certificate::Wish {})
}

async fn asked(cluster: &Arc<FakeCluster>) -> Preflight {
    preflight(&on(cluster), target(), wish(), true).await
}

fn intended(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent { target: target(), uid: found.uid.clone(), ..intent(action) }
}

/// Plays cert-manager: after a while the issuance has ended.
async fn issues(cluster: &Arc<FakeCluster>, change: impl FnOnce(&mut Value)) {
    tokio::time::sleep(Duration::from_secs(7)).await;
    let mut object = get(cluster);
    change(&mut object["status"]);
    put(cluster, object);
}

fn issued(status: &mut Value) {
    status["revision"] = json!(5);
    status["notAfter"] = json!("2027-02-20T00:00:00Z");
    status["conditions"][1] =
        json!({"type": "Issuing", "status": "False", "reason": "Issued", "message": "done"});
}

fn failed(status: &mut Value) {
    status["lastFailureTime"] = json!("2026-11-21T09:00:07Z");
    status["conditions"][1] =
        json!({"type": "Issuing", "status": "False", "reason": "Failed", "message": "the order is invalid"});
}

fn told(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            diff.fields.iter().map(|one| format!("{} {} -> {}", one.path, one.before, one.after)).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

const RENEWED: [&str; 2] =
    ["status.revision 4 -> 5", "status.notAfter 2026-12-01T00:00:00Z -> 2027-02-20T00:00:00Z"];

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_once_and_its_new_end_is_told() {
    let cluster = with(|_| {});
    let found = asked(&cluster).await;
    let said = found.action.as_ref().map(ToString::to_string);
    assert_eq!(said.as_deref(), Some("renew revision 4 that ends 2026-12-01T00:00:00Z"), "{found:?}");
    let (world, seal) = (on(&cluster), sealed(intended(&found)));
    let beside = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let busy = asked(&cluster).await;
        assert_eq!(names(&busy.refusals), ["rollingOut"], "it is being issued");
        assert_eq!(
            get(&cluster)["status"]["conditions"][1],
            json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
                "message": "Certificate re-issuance triggered by paramedic, intent journal-7",
                "observedGeneration": 2, "lastTransitionTime": "2026-11-21T09:00:00Z"})
        );
        issues(&cluster, issued).await;
    };
    let halt = Halt::never();
    assert_eq!(told(&tokio::join!(world.perform(&seal, &halt), beside).0), RENEWED);
    assert_eq!(
        told(&world.perform(&seal, &Halt::never()).await),
        RENEWED,
        "the same intent again asks for no second one"
    );
    assert_eq!(told(&world.close(&seal).await), RENEWED);
    assert_eq!(cluster.changes(), 1);

    let again = asked(&cluster).await;
    let said = again.action.as_ref().map(ToString::to_string);
    assert_eq!(said.as_deref(), Some("renew revision 5 that ends 2027-02-20T00:00:00Z"));
    let back = preflight(&world, target(), Wish::Revert(seal.action.clone()), false).await;
    assert_eq!(names(&back.refusals), ["badValue"], "what is issued is issued");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_issued_has_no_status_yet() {
    let cluster = with(|object| drop(object.as_object_mut().expect("an object").remove("status")));
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    let issue = issues(&cluster, |status| {
        status["revision"] = json!(1);
        status["notAfter"] = json!("2027-02-20T00:00:00Z");
        status["conditions"][0]["status"] = json!("False");
    });
    let halt = Halt::never();
    let outcome = tokio::join!(world.perform(&seal, &halt), issue).0;
    assert_eq!(told(&outcome), ["status.revision 0 -> 1", "status.notAfter - -> 2027-02-20T00:00:00Z"]);
}

#[tokio::test(start_paused = true)]
async fn an_issuance_that_fails_or_never_ends_is_told() {
    let cluster = with(|_| {});
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    let halt = Halt::never();
    let Outcome::Failed { what, applied: true, .. } =
        tokio::join!(world.perform(&seal, &halt), issues(&cluster, failed)).0
    else {
        panic!("it failed")
    };
    assert_eq!(
        what,
        "cert-manager could not issue prod/certificate.cert-manager.io/web-tls: the order is invalid"
    );
    let cluster = with(|_| {});
    let seal = sealed(intended(&asked(&cluster).await));
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("it is late")
    };
    assert!(what.contains("was not renewed by 2026-11-21T09:10:00.000Z: Issuing is True"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_being_issued_or_another_one_is_left_alone() {
    let refusals = async |cluster: &Arc<FakeCluster>| names(&asked(cluster).await.refusals);
    let issuing = json!({"type": "Issuing", "status": "True", "reason": "Renewing"});
    let busy = with(|object| object["status"]["conditions"][0] = issuing);
    assert_eq!(refusals(&busy).await, ["rollingOut"]);
    let paused = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
    assert_eq!(
        refusals(&with(|object| object["metadata"]["annotations"] = paused.clone())).await,
        ["pausedByAnnotation"]
    );
    let cluster = with(|_| {});
    let namespace = Resource::of_cluster("", "v1", "namespaces", "Namespace").named("", "prod");
    let object = json!({"metadata": {"annotations": paused}});
    cluster.objects.lock().expect("no test panicked").put(namespace, object);
    assert_eq!(refusals(&cluster).await, ["pausedByAnnotation"]);
    let wrong = preflight(&on(&cluster), deployment(), wish(), false).await;
    assert_eq!(names(&wrong.refusals), ["wrongKind"]);

    let cluster = with(|_| {});
    let seal = sealed(intended(&asked(&cluster).await));
    let mut other = certificate();
    other["metadata"]["uid"] = json!("uid-2");
    put(&cluster, other);
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["changed"]);
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_looking() {
    let cluster = with(|_| {}).answering(Answer::LostAfter);
    let (world, seal) = (on(&cluster), sealed(intended(&asked(&cluster).await)));
    let halt = Halt::never();
    assert_eq!(told(&tokio::join!(world.perform(&seal, &halt), issues(&cluster, issued)).0), RENEWED);
    let blind = with(|_| {}).answering(Answer::LostBlind);
    let seal = sealed(intended(&asked(&blind).await));
    assert_eq!(on(&blind).perform(&seal, &Halt::never()).await.name(), "unknown");
    for answer in [Answer::LostBefore, Answer::NotSent] {
        let cluster = with(|_| {}).answering(answer);
        let seal = sealed(intended(&asked(&cluster).await));
        for outcome in [on(&cluster).perform(&seal, &Halt::never()).await, on(&cluster).close(&seal).await] {
            assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{answer:?}: {outcome:?}");
        }
        // Somebody else has asked meanwhile.
        let issuing = json!({"type": "Issuing", "status": "True", "reason": "Renewing"});
        put(&cluster, {
            let mut object = certificate();
            object["status"]["conditions"][0] = issuing;
            object
        });
        assert_eq!(on(&cluster).close(&seal).await.name(), "unknown");
    }
    let cluster = with(|_| {}).answering(Answer::Denied);
    let seal = sealed(intended(&asked(&cluster).await));
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["serverRefused"]);
    let rehearsed = Intent { mode: Mode::DryRun, deadline: now() + Span::from_mins(1), ..(*seal).clone() };
    assert_eq!(eyes(&cluster).perform(&sealed(rehearsed), &Halt::never()).await.name(), "done");
    assert_eq!(get(&cluster)["status"], certificate()["status"], "a rehearsal changes nothing");
}
