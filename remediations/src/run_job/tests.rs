//! Jobs over a cluster in memory: what is made, what refuses, lost answers, repeats, and how an end is told.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::{Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::remediation::run_job::{self, CRON_JOB, JobTemplate};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::looked::JOBS;
use crate::fakes::{
    Answer, FakeCluster, eyes, intent, names, now, on, preflight, refused, sealed, target as deployment,
};
use crate::ports::halt::Halt;
use crate::ports::objects::{Address, Resource};
use crate::ports::world::World;
use crate::seal::Sealed;

const CRON_JOBS: Resource = Resource::namespaced("batch", "v1", "cronjobs", "CronJob");
const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");

fn target() -> Target {
    Target { kind: CRON_JOB.into(), namespace: "prod".into(), name: "retention".into() }
}

fn put(cluster: &FakeCluster, address: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(address, object);
}

fn own() -> Address {
    JOBS.named("prod", "paramedic-journal-7")
}

fn job(cluster: &FakeCluster) -> Option<Value> {
    cluster.objects.lock().expect("no test panicked").get(&own()).cloned()
}

fn cron_job() -> Value {
    json!({
        "metadata": {"uid": "uid-1", "generation": 3, "labels": {"team": "data"}},
        "spec": {"schedule": "0 3 * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {
            "metadata": {"labels": {"app": "retention", "app.kubernetes.io/managed-by": "helm"}},
            "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 7200, "template": {"spec": {
                "restartPolicy": "Never",
                "initContainers": [{"name": "wait", "image": "a"}],
                "containers": [{"name": "main", "image": "a", "env": [
                    {"name": "DAYS", "value": "90"}, {"name": "MODE", "value": "full"}]}],
            }}},
        }},
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|workload| workload.target = target());
    let mut object = cron_job();
    change(&mut object);
    put(&cluster, CRON_JOBS.named("prod", "retention"), object);
    cluster
}

fn wish() -> run_job::Wish {
    run_job::Wish {
        template: None,
        parameters: [("DAYS".into(), "30".into())].into(),
        container: None,
        within: Span::from_mins(30),
    }
}

async fn asked(cluster: &Arc<FakeCluster>) -> Preflight {
    preflight(&on(cluster), target(), Wish::RunJob(wish()), true).await
}

fn intended(found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent {
        target: target(),
        uid: found.uid.clone(),
        deadline: now() + Span::from_mins(31),
        ..intent(action)
    }
}

/// Plays the Job controller and the kubelet: after a while there is a pod that ended, and the Job with it.
async fn ends(cluster: &Arc<FakeCluster>, condition: Value, exit: i64) {
    tokio::time::sleep(Duration::from_secs(7)).await;
    let terminated = json!({"exitCode": exit, "reason": if exit == 0 { "Completed" } else { "Error" }});
    let pod = json!({
        "metadata": {"labels": {"job-name": own().name}, "creationTimestamp": "2026-11-21T09:00:02Z"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]},
    });
    put(cluster, PODS.named("prod", "retention-x"), pod);
    let mut job = job(cluster).expect("it was made");
    job["status"] = json!({"conditions": [condition]});
    put(cluster, own(), job);
}

fn complete() -> Value {
    json!({"type": "Complete", "status": "True"})
}

fn failed() -> Value {
    json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"})
}

/// Does it, while the Job ends so.
async fn performed(
    cluster: &Arc<FakeCluster>,
    seal: &Sealed<Intent>,
    condition: Value,
    exit: i64,
) -> Outcome {
    let world = on(cluster);
    let halt = Halt::never();
    tokio::join!(world.perform(seal, &halt), ends(cluster, condition, exit)).0
}

fn fields(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => {
            diff.fields.iter().map(|one| format!("{}: {}", one.path, one.after)).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_cron_jobs_template_is_run_once_and_its_last_words_are_kept() {
    let cluster = with(|_| {});
    let found = asked(&cluster).await;
    assert_eq!(
        found.action.as_ref().map(ToString::to_string).as_deref(),
        Some("run a Job of its template with DAYS=30 within 30m"),
        "{found:?}"
    );
    let seal = sealed(intended(&found));
    let outcome = performed(&cluster, &seal, complete(), 0).await;
    let told = [
        "prod/job/paramedic-journal-7: created",
        "exit code of container main: 0 (Completed)",
        "log of container main: the log of prod/pod/retention-x",
    ];
    assert_eq!(fields(&outcome), told);

    let made = job(&cluster).expect("it was made");
    assert_eq!(
        made["metadata"]["labels"],
        json!({"app": "retention", "app.kubernetes.io/managed-by": "paramedic"})
    );
    assert_eq!(made["metadata"]["annotations"]["paramedic.dev/intent"], "journal-7");
    assert_eq!(made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"], "manual");
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "uid-1");
    let spec = &made["spec"];
    assert_eq!((&spec["backoffLimit"], &spec["activeDeadlineSeconds"]), (&json!(2), &json!(1800)));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["initContainers"][0]["env"], json!([{"name": "DAYS", "value": "30"}]));
    assert_eq!(
        pod["containers"][0]["env"],
        json!([{"name": "DAYS", "value": "30"}, {"name": "MODE", "value": "full"}])
    );

    // The same intent again makes no second one.
    assert_eq!(fields(&on(&cluster).perform(&seal, &Halt::never()).await), told);
    assert_eq!(fields(&on(&cluster).close(&seal).await), told);
    assert_eq!(cluster.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_says_why() {
    let cluster = with(|_| {});
    let seal = sealed(intended(&asked(&cluster).await));
    let outcome = performed(&cluster, &seal, failed(), 3).await;
    let Outcome::Failed { what, applied: true, diff: Some(diff) } = outcome else { panic!("{outcome:?}") };
    let exit = "exit code of container main: 3 (Error)";
    let failed = "prod/job/paramedic-journal-7 failed: BackoffLimitExceeded: too often";
    assert_eq!(what, format!("{failed}; {exit}"), "what people are told holds no log");
    let left = diff.fields.last().map(|field| (field.path.as_str(), field.after.as_str()));
    assert_eq!(left, Some(("log of container main", "the log of prod/pod/retention-x")));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_told_at_its_deadline() {
    let cluster = with(|_| {});
    let seal = sealed(intended(&asked(&cluster).await));
    let Outcome::Failed { what, applied: true, .. } = on(&cluster).perform(&seal, &Halt::never()).await
    else {
        panic!("it is late")
    };
    assert!(what.contains("had not ended by 2026-11-21T09:31:00.000Z: it is still running"), "{what}");
    // Cleaned up before its end was seen.
    let vanishing = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        *cluster.objects.lock().expect("no test panicked") = Default::default();
    };
    let seal = sealed(Intent { deadline: now() + Span::from_mins(5), ..(*seal).clone() });
    let world = on(&cluster);
    let halt = Halt::never();
    let outcome = tokio::join!(world.perform(&seal, &halt), vanishing).0;
    assert!(matches!(&outcome, Outcome::Unknown { what } if what.contains("is gone")), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_suspended_paused_or_running_is_left_alone() {
    let refusals = async |cluster: &Arc<FakeCluster>| names(&asked(cluster).await.refusals);
    assert_eq!(refusals(&with(|object| object["spec"]["suspend"] = json!(true))).await, ["suspended"]);
    let inner = with(|object| object["spec"]["jobTemplate"]["spec"]["suspend"] = json!(true));
    assert_eq!(refusals(&inner).await, ["suspended"]);
    let paused = json!({"paramedic.dev/pause-until": "2027-01-01T00:00:00Z"});
    let by_annotation = with(|object| object["metadata"]["annotations"] = paused.clone());
    assert_eq!(refusals(&by_annotation).await, ["pausedByAnnotation"]);
    let cluster = with(|_| {});
    let namespaces = Resource::of_cluster("", "v1", "namespaces", "Namespace");
    put(&cluster, namespaces.named("", "prod"), json!({"metadata": {"annotations": paused}}));
    assert_eq!(refusals(&cluster).await, ["pausedByAnnotation"]);

    let owned = json!({"ownerReferences": [{"kind": "CronJob", "uid": "uid-1"}]});
    let ours = json!({"annotations": {"paramedic.dev/target": "prod/cronjob.batch/retention"}});
    let others = json!({"ownerReferences": [{"kind": "CronJob", "uid": "uid-2"}]});
    for (policy, metadata, wanted) in [
        ("Forbid", &owned, &["jobRunning"][..]),
        ("Replace", &owned, &["jobRunning"]),
        ("Allow", &owned, &[]),
        ("Allow", &ours, &["jobRunning"]),
        ("Forbid", &others, &[]),
    ] {
        let cluster = with(|object| object["spec"]["concurrencyPolicy"] = json!(policy));
        put(&cluster, JOBS.named("prod", "running"), json!({"metadata": metadata}));
        assert_eq!(refusals(&cluster).await, wanted, "{policy} {metadata}");
        let over = json!({"metadata": metadata, "status": {"conditions": [complete()]}});
        put(&cluster, JOBS.named("prod", "running"), over);
        assert_eq!(refusals(&cluster).await, [""; 0], "{policy}: it is over");
    }

    let cluster = with(|_| {});
    let wrong = preflight(&on(&cluster), deployment(), Wish::RunJob(wish()), false).await;
    assert_eq!(names(&wrong.refusals), ["wrongKind"]);
    let nowhere = run_job::Wish { container: Some("other".into()), ..wish() };
    let nowhere = preflight(&on(&cluster), target(), Wish::RunJob(nowhere), false).await;
    assert_eq!(names(&nowhere.refusals), ["targetAbsent"]);
}

#[tokio::test(start_paused = true)]
async fn a_template_that_changed_since_is_not_run() {
    let cluster = with(|_| {});
    let seal = sealed(intended(&asked(&cluster).await));
    for (change, uid) in [(json!({"generation": 4}), "uid-1"), (json!({"generation": 3}), "uid-2")] {
        let mut object = cron_job();
        object["metadata"] = change;
        object["metadata"]["uid"] = json!(uid);
        put(&cluster, CRON_JOBS.named("prod", "retention"), object);
        assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["changed"]);
    }
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_the_name() {
    let cluster = with(|_| {}).answering(Answer::LostAfter);
    let seal = sealed(intended(&asked(&cluster).await));
    assert_eq!(performed(&cluster, &seal, complete(), 0).await.name(), "done");
    for answer in [Answer::LostBefore, Answer::NotSent] {
        let cluster = with(|_| {}).answering(answer);
        let seal = sealed(intended(&asked(&cluster).await));
        let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
        assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{answer:?}: {outcome:?}");
        let closed = on(&cluster).close(&seal).await;
        assert!(matches!(&closed, Outcome::Failed { applied: false, .. }), "{answer:?}: {closed:?}");
        // Long after, a Job that ran may have been cleaned up.
        let late = sealed(Intent { at: now() - Span::from_hours(1), ..(*seal).clone() });
        assert_eq!(on(&cluster).close(&late).await.name(), "unknown");
    }
    let blind = with(|_| {}).answering(Answer::LostBlind);
    let seal = sealed(intended(&asked(&blind).await));
    assert_eq!(on(&blind).perform(&seal, &Halt::never()).await.name(), "unknown");
    let cluster = with(|_| {}).answering(Answer::Denied);
    let seal = sealed(intended(&asked(&cluster).await));
    assert_eq!(refused(&on(&cluster).perform(&seal, &Halt::never()).await), ["serverRefused"]);
    let rehearsed = Intent { mode: Mode::DryRun, ..(*seal).clone() };
    assert_eq!(eyes(&cluster).perform(&sealed(rehearsed), &Halt::never()).await.name(), "done");
    assert_eq!(job(&cluster), None, "a rehearsal makes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_template_of_the_policy_runs_in_a_pod_that_can_do_little() {
    let cluster = FakeCluster::new(|_| {});
    let deployments = Resource::namespaced("apps", "v1", "deployments", "Deployment");
    put(&cluster, deployments.named("prod", "web"), json!({"metadata": {"uid": "uid-1"}}));
    let template = JobTemplate {
        image: "registry.example/maestro/drill:1".into(),
        command: vec!["/drill".into()],
        args: vec!["--backup".into(), "$(DAYS)".into()],
        service_account: None,
        secret: Some("drill".into()),
    };
    let wish = run_job::Wish { template: Some(template), ..wish() };
    let found = preflight(&on(&cluster), deployment(), Wish::RunJob(wish.clone()), false).await;
    let seal = sealed(Intent { target: deployment(), ..intended(&found) });
    assert_eq!(performed(&cluster, &seal, complete(), 0).await.name(), "done");
    let mut made = job(&cluster).expect("it was made");
    made["metadata"]["uid"].take();
    made["metadata"]["resourceVersion"].take();
    insta::assert_json_snapshot!("own_template", made);
    let of_cron_job = preflight(&on(&with(|_| {})), target(), Wish::RunJob(wish), false).await;
    assert_eq!(names(&of_cron_job.refusals), ["wrongKind"], "a CronJob has a template already");
    let back = preflight(&on(&cluster), deployment(), Wish::Revert(seal.action.clone()), false).await;
    assert_eq!(names(&back.refusals), ["badValue"], "what has run has run");
}
