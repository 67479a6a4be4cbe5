//! Jobs on a real API server with the real Job controller. No kubelet runs here: kwok starts the pods, and the test plays
//! the end of a container by writing the pod's status, as a kubelet would; that is also why no log can be read.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use paramedic_policies::action::{Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::run_job::{self, JobTemplate};
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::{Asks, any};
use super::stand::{intent, kubernetes, now, preflight, sealed, stamp, target, words, world};

const POLICIES: [Asks; 2] = [
    ("{kind: CronJob.batch, namespace: NS, name: backup}", "[{runJob: {}}]"),
    (any!("ConfigMap"), "[{runJob: {template: {image: 'registry.example/maestro/drill:1'}}}]"),
];

const CRON_JOB: &str = "CronJob.batch";

fn wish(parameters: &[(&str, &str)]) -> run_job::Wish {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    run_job::Wish {
        template: None,
        parameters: parameters.collect(),
        container: None,
        within: Span::from_mins(1),
    }
}

fn run(wish: run_job::Wish) -> Wish {
    Wish::RunJob(wish)
}

fn names(found: &Preflight) -> Vec<&'static str> {
    found.refusals.iter().map(Reason::name).collect()
}

fn fields(outcome: &Outcome) -> Vec<(String, String)> {
    match outcome {
        Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false } => {
            fields.iter().map(|one| (one.path.clone(), one.after.clone())).collect()
        }
        other => panic!("not done: {other:?}"),
    }
}

/// A CronJob that never runs by itself while a test lasts.
pub(super) async fn cron_job(shop: &Namespace, spec: Value) {
    let container = json!({"name": "main", "image": "registry.example/shop/backup:1",
        "env": [{"name": "MODE", "value": "full"}]});
    let mut object = json!({"kind": "CronJob", "metadata": {"name": "backup"}, "spec": {
        "schedule": "0 0 29 2 *", "concurrencyPolicy": "Forbid",
        "jobTemplate": {"metadata": {"labels": {"app": "backup"}}, "spec": {"backoffLimit": 0, "template": {
            "spec": {"restartPolicy": "Never", "containers": [container]}}}},
    }});
    for (key, value) in spec.as_object().expect("keys of the spec") {
        object["spec"][key] = value.clone();
    }
    shop.apply(object).await;
}

/// Plays the end of a Job's container: waits for its pod to run, then writes the status of one that has ended.
pub(super) async fn container_ends(shop: &Namespace, job: &str, exit: i32) {
    let selector = format!("job-name={job}");
    let pod = eventually(Duration::from_secs(20), "the Job's pod runs", async || {
        let pods = shop.list("Pod", &selector).await;
        let running = pods.iter().find(|(_, pod)| pod["status"]["phase"] == "Running");
        running.map(|(name, _)| name.clone()).ok_or_else(|| format!("{} pods", pods.len()))
    })
    .await;
    let (phase, reason) = if exit == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
    let terminated = json!({"exitCode": exit, "reason": reason, "startedAt": null, "finishedAt": null});
    let image = "registry.example/shop/backup:1";
    let status = json!({"containerStatuses": [{"name": "main", "image": image, "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": terminated, "running": null}}], "phase": phase});
    let ended = Patch::Merge(json!({"status": status}));
    shop.of_kind("Pod")
        .patch_status(&pod, &PatchParams::default(), &ended)
        .await
        .expect("a status can be written");
}

#[tokio::test]
async fn a_cron_jobs_template_is_run_once_and_its_end_is_told() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("job-now").await;
    cron_job(&shop, json!({})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, CRON_JOB, "backup"));
    let found = preflight(&world, &target, run(wish(&[("BACKUP_ID", "latest")])), true).await;
    let said = "run a Job of its template with BACKUP_ID=latest within 1m";
    assert_eq!(words(found.action.as_ref()), said, "{found:?}");
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));
    let running = Intent { deadline: now() + Span::from_mins(2), ..intent(111, &target, &found) };
    let name = format!("paramedic-{}", stamp(111));
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..running.clone() }), &Halt::never()).await;
    assert!(matches!(rehearsed, Outcome::Done { .. }), "{rehearsed:?}");
    assert!(shop.try_get("Job", &name).await.is_none(), "a rehearsal makes nothing");

    let seal = sealed(running.clone());
    let beside = async {
        eventually(Duration::from_secs(20), "the Job is there", async || {
            seen(shop.try_get("Job", &name).await.is_some(), || "not yet".into())
        })
        .await;
        let busy = preflight(&world, &target, run(wish(&[])), false).await;
        assert_eq!(names(&busy), ["jobRunning"], "one at a time: {busy:?}");
        container_ends(&shop, &name, 0).await;
    };
    let halt = Halt::never();
    let (outcome, ()) = tokio::join!(world.perform(&seal, &halt), beside);
    let told = fields(&outcome);
    assert_eq!(told[0], (format!("{}/job/{name}", shop.name), "created".into()));
    assert_eq!(told[1], ("exit code of container main".into(), "0 (Completed)".into()));
    assert!(told[2].1.starts_with("(no log: "), "there is no kubelet, and that is said: {told:?}");

    let job = shop.get("Job", &name).await;
    let cron = shop.get("CronJob", "backup").await;
    assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], cron["metadata"]["uid"]);
    assert_eq!(job["metadata"]["annotations"]["paramedic.dev/intent"], json!(stamp(111)));
    assert_eq!(job["spec"]["activeDeadlineSeconds"], json!(60));
    let env = &job["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(*env, json!([{"name": "BACKUP_ID", "value": "latest"}, {"name": "MODE", "value": "full"}]));
    // Alerts on a job that is overdue end by this.
    eventually(Duration::from_secs(30), "the CronJob counts it", async || {
        let cron = shop.get("CronJob", "backup").await;
        seen(cron["status"]["lastSuccessfulTime"].is_string(), || cron["status"].to_string())
    })
    .await;

    // The same intent again makes no second one.
    fields(&world.perform(&seal, &Halt::never()).await);
    fields(&world.close(&seal).await);
    assert_eq!(shop.list("Job", "").await.len(), 1);
    let again = preflight(&world, &target, run(wish(&[])), false).await;
    assert_eq!(names(&again), [""; 0], "it is over");
}

/// A Job of the policy's own template.
fn drill() -> run_job::Wish {
    let template = JobTemplate {
        image: "registry.example/maestro/drill:1".into(),
        command: vec!["/drill".into()],
        args: vec!["$(BACKUP_ID)".into()],
        service_account: None,
        secret: None,
    };
    run_job::Wish { template: Some(template), ..wish(&[("BACKUP_ID", "7")]) }
}

#[tokio::test]
async fn a_job_of_the_policy_runs_once_and_its_end_is_told() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("job-own-well").await;
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "drills"}})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "ConfigMap", "drills"));
    let found = preflight(&world, &target, run(drill()), true).await;
    let seal = sealed(Intent { deadline: now() + Span::from_mins(2), ..intent(114, &target, &found) });
    let name = format!("paramedic-{}", stamp(114));
    let halt = Halt::never();
    let (outcome, ()) = tokio::join!(world.perform(&seal, &halt), container_ends(&shop, &name, 0));
    let told = fields(&outcome);
    assert_eq!(told[0], (format!("{}/job/{name}", shop.name), "created".into()));
    assert_eq!(told[1], ("exit code of container main".into(), "0 (Completed)".into()));
    let env = shop.get("Job", &name).await["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    assert_eq!(env, json!([{"name": "BACKUP_ID", "value": "7"}]));
    // The same intent again makes no second one, and what has run has run.
    assert_eq!(fields(&world.perform(&seal, &Halt::never()).await)[..2], told[..2]);
    assert_eq!(fields(&world.close(&seal).await)[..2], told[..2]);
    assert_eq!(shop.list("Job", "").await.len(), 1);
    let back = preflight(&world, &target, Wish::Revert(seal.action.clone()), false).await;
    assert_eq!(names(&back), ["badValue"]);
}

#[tokio::test]
async fn a_job_of_the_policy_that_fails_says_its_exit_code() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("job-own").await;
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "drills"}})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, "ConfigMap", "drills"));
    let wanted = drill();
    let found = preflight(&world, &target, run(wanted), true).await;
    let said = "run a Job of registry.example/maestro/drill:1 with BACKUP_ID=7 within 1m";
    assert_eq!(words(found.action.as_ref()), said, "{found:?}");
    let seal = sealed(Intent { deadline: now() + Span::from_mins(2), ..intent(112, &target, &found) });
    let name = format!("paramedic-{}", stamp(112));
    let halt = Halt::never();
    let (outcome, ()) = tokio::join!(world.perform(&seal, &halt), container_ends(&shop, &name, 3));
    let Outcome::Failed { what, applied: true, .. } = &outcome else { panic!("it failed: {outcome:?}") };
    assert!(
        what.contains("BackoffLimitExceeded") && what.contains("exit code of container main: 3 (Error)"),
        "{what}"
    );
    let pod = &shop.get("Job", &name).await["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], json!(false));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], json!(true));
    let closed = world.close(&seal).await;
    assert!(matches!(&closed, Outcome::Failed { applied: true, .. }), "{closed:?}");
}

#[tokio::test]
async fn what_somebody_suspended_or_changed_is_not_run() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("job-not").await;
    cron_job(&shop, json!({"suspend": true})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, CRON_JOB, "backup"));
    assert_eq!(names(&preflight(&world, &target, run(wish(&[])), false).await), ["suspended"]);
    cron_job(&shop, json!({"suspend": false})).await;
    let found = preflight(&world, &target, run(wish(&[])), false).await;
    let stale = sealed(intent(113, &target, &found));
    shop.patch("CronJob", "backup", json!({"spec": {"suspend": true}})).await;
    let Outcome::Refused { reasons } = world.perform(&stale, &Halt::never()).await else {
        panic!("it was suspended meanwhile")
    };
    assert_eq!(reasons.iter().map(Reason::name).collect::<Vec<_>>(), ["changed", "suspended"]);
    assert_eq!(shop.list("Job", "").await.len(), 0);
}
