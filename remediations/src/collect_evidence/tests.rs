//! That evidence is what is there, without secrets, within its bound; and that a part that cannot be had is said.

use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Number};
use paramedic_policies::evidence::{Evidence, Kept};
use paramedic_policies::question::Ask;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::collect_evidence;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::{CRON_JOBS, EVENTS, PODS, REPLICA_SETS};
use crate::Remedies;
use crate::fakes::{
    FakeCluster, FakeHttp, asked, eyes, intent, names, now, preflight, refused, sealed, target,
};
use crate::pods::JOBS;
use crate::ports::cluster::Hands;
use crate::ports::halt::Halt;
use crate::ports::http::HttpHands;
use crate::ports::metrics::{Metrics, Range, Values};
use crate::ports::objects::{DEPLOYMENTS, ROLLOUTS};
use crate::ports::world::World;

/// A Prometheus that answers `up` alone.
struct Up;

#[async_trait]
impl Metrics for Up {
    async fn query(&self, _: &str) -> Found {
        Found::Series(Vec::new())
    }

    async fn range(&self, promql: &str, over: Range) -> Result<Vec<Values>, String> {
        match promql {
            "up" => Ok(vec![Values {
                labels: [].into(),
                points: vec![(over.from, Number(1.0)), (over.to, Number(0.0))],
            }]),
            _ => Err("Prometheus: connection refused".to_owned()),
        }
    }
}

fn hide(text: &str) -> String {
    text.replace("hunter2", "[secret]").replace("jane@corp.example", "[email]")
}

/// With hands, on a cluster, and with what hides secrets.
fn world(cluster: &Arc<FakeCluster>) -> Remedies {
    let hands = Some(Arc::clone(cluster) as Arc<dyn Hands>);
    let http = FakeHttp::new(&[]) as Arc<dyn HttpHands>;
    Remedies::with_hands(hands, http, Arc::new(Up), Arc::new(now)).with_redaction(Arc::new(hide))
}

fn wish() -> collect_evidence::Wish {
    collect_evidence::Wish {
        queries: vec!["up".into(), "down".into()],
        over: Span::from_mins(30),
        log_lines: 100,
        max_kib: 64,
        required: false,
    }
}

fn collecting(wish: collect_evidence::Wish) -> Intent {
    intent(Action::CollectEvidence(collect_evidence::Action { wish }))
}

fn put(cluster: &FakeCluster, at: crate::ports::objects::Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

/// A Deployment with a pod that crashes and one that is well.
fn cluster() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    let selector = json!({"matchLabels": {"app": "web"}});
    put(
        &cluster,
        DEPLOYMENTS.named("prod", "web"),
        json!({"metadata": {"uid": "uid-1", "labels": {"team": "a"}}, "spec": {"selector": selector}}),
    );
    let pod = |uid: &str, ready: bool, restarts: u64| {
        json!({
            "metadata": {"uid": uid, "labels": {"app": "web"}},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "app", "ready": ready, "restartCount": restarts,
                "state": if ready { json!({"running": {}}) } else { json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}) },
                "lastState": if ready { json!({}) } else { json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T08:59:00Z"}}) },
            }]},
        })
    };
    put(&cluster, PODS.named("prod", "web-a"), pod("uid-a", true, 0));
    put(&cluster, PODS.named("prod", "web-b"), pod("uid-b", false, 7));
    put(
        &cluster,
        PODS.named("prod", "other"),
        json!({"metadata": {"uid": "uid-o", "labels": {"app": "other"}}}),
    );
    let owner = json!([{"uid": "uid-1", "controller": true}]);
    for (name, number, image) in [("web-1", "1", "web:1"), ("web-2", "2", "web:2")] {
        put(
            &cluster,
            REPLICA_SETS.named("prod", name),
            json!({
                "metadata": {
                    "ownerReferences": owner, "creationTimestamp": "2026-11-21T08:00:00Z",
                    "annotations": {"deployment.kubernetes.io/revision": number},
                },
                "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
            }),
        );
    }
    for (name, uid, message) in
        [("e1", "uid-b", "Back-off restarting; token hunter2"), ("e2", "uid-o", "of another pod")]
    {
        put(
            &cluster,
            EVENTS.named("prod", name),
            json!({
                "involvedObject": {"kind": "Pod", "name": "web-b", "uid": uid}, "type": "Warning", "reason": "BackOff",
                "count": 9, "lastTimestamp": "2026-11-21T08:59:30Z", "message": message,
            }),
        );
    }
    let logs = [
        ("web-b app now", "starting"),
        ("web-b app before", "mail to jane@corp.example failed"),
        ("web-a app now", "GET / 200"),
    ];
    *cluster.logs.lock().expect("no test panicked") =
        logs.map(|(run, log)| (run.to_owned(), log.to_owned())).into();
    cluster
}

async fn collected(cluster: &Arc<FakeCluster>, wish: collect_evidence::Wish) -> Evidence {
    match world(cluster).perform(&sealed(collecting(wish)), &Halt::never()).await {
        Outcome::Collected { evidence } => *evidence,
        other => panic!("nothing was collected: {other:?}"),
    }
}

fn shown(evidence: &Evidence) -> String {
    let mut text = String::new();
    for piece in &evidence.pieces {
        let found = match &piece.found {
            Kept::Text(lines) => lines.clone(),
            Kept::Values(series) => format!("{} series, {} values", series.len(), series[0].points.len()),
            Kept::Missing { why } => format!("MISSING: {why}"),
        };
        text.push_str(&format!("# {}\n{found}\n", piece.name));
    }
    text
}

#[tokio::test(start_paused = true)]
async fn all_that_will_be_gone_is_kept_the_sickest_first_and_without_secrets() {
    let cluster = cluster();
    insta::assert_snapshot!(shown(&collected(&cluster, wish()).await));
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_is_said_and_stops_nothing_unless_it_is_required() {
    let cluster = cluster();
    *cluster.unserved.lock().expect("no test panicked") = Some(EVENTS);
    let evidence = collected(&cluster, wish()).await;
    let missing = |name: &str| {
        evidence.pieces.iter().any(|piece| piece.name == name && matches!(piece.found, Kept::Missing { .. }))
    };
    assert!(missing("events") && missing("down"), "{evidence:?}");
    let required = collect_evidence::Wish { required: true, ..wish() };
    match world(&cluster).perform(&sealed(collecting(required)), &Halt::never()).await {
        Outcome::Failed { what, applied: false, .. } => {
            assert!(what.contains("events") && what.contains("down"), "{what}");
        }
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_loud_log_leaves_room_for_the_rest_and_the_whole_within_its_bound() {
    let cluster = cluster();
    let loud: String = (0..100_000).map(|n| format!("line {n} \"quoted\"\n")).collect();
    cluster.logs.lock().expect("no test panicked").insert("web-b app now".into(), loud);
    let evidence = collected(&cluster, collect_evidence::Wish { max_kib: 8, ..wish() }).await;
    let size = serde_json::to_string(&evidence).expect("plain data").len();
    assert!(size <= 8 * 1024 + 64, "{size}");
    let log = |name: &str| evidence.pieces.iter().find(|piece| piece.name == name);
    let loud = log("log of web-b, container app").expect("its end is kept");
    assert!(
        loud.cut.is_some() && matches!(&loud.found, Kept::Text(text) if text.contains("line 99999")),
        "{loud:?}"
    );
    assert!(log("log of web-a, container app").is_some(), "{evidence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_hidden_before_anything_is_cut() {
    let cluster = cluster();
    // The cut would fall into the middle of the secret.
    let log = format!("{}hunter2{}", "a".repeat(3000), "b".repeat(1020));
    cluster.logs.lock().expect("no test panicked").insert("web-b app now".into(), log);
    let evidence = collected(&cluster, collect_evidence::Wish { max_kib: 4, ..wish() }).await;
    let all = serde_json::to_string(&evidence).expect("plain data");
    for part in ["hunter2", "nter2", "er2b"] {
        assert!(!all.contains(part), "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_is_the_thing_itself_and_needs_no_hands() {
    let cluster = cluster();
    let rehearsed = Intent { mode: Mode::DryRun, ..collecting(wish()) };
    let outcome =
        eyes(&cluster).with_redaction(Arc::new(hide)).perform(&sealed(rehearsed), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Collected { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_where_nothing_hides_secrets() {
    let outcome = crate::fakes::on(&cluster()).perform(&sealed(collecting(wish())), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn another_object_of_that_name_and_a_pause_refuse() {
    let cluster = cluster();
    let other = Intent { uid: "uid-9".into(), ..collecting(wish()) };
    let world = world(&cluster);
    let again = || preflight(&world, target(), Wish::CollectEvidence(wish()), false);
    let found = again().await;
    assert_eq!(
        (found.uid.as_str(), found.action.is_some(), found.labels["team"].as_str()),
        ("uid-1", true, "a")
    );
    let mut paused = cluster
        .objects
        .lock()
        .expect("no test panicked")
        .get(&DEPLOYMENTS.named("prod", "web"))
        .cloned()
        .expect("it is there");
    paused["metadata"]["annotations"] = json!({"paramedic.dev/pause-until": "2026-11-21T10:00:00Z"});
    put(&cluster, DEPLOYMENTS.named(&target().namespace, &target().name), paused);
    assert_eq!(names(&again().await.refusals), ["pausedByAnnotation"]);
    assert_eq!(refused(&world.perform(&sealed(other), &Halt::never()).await), ["changed"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_it_is_known_that_nothing_was_changed() {
    let outcome = world(&cluster()).close(&sealed(collecting(wish()))).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
}

fn of(kind: &str, wish: collect_evidence::Wish) -> Intent {
    Intent { target: Target { kind: kind.into(), ..target() }, ..collecting(wish) }
}

async fn collected_of(cluster: &Arc<FakeCluster>, kind: &str) -> Evidence {
    match world(cluster).perform(&sealed(of(kind, wish())), &Halt::never()).await {
        Outcome::Collected { evidence } => *evidence,
        other => panic!("nothing was collected: {other:?}"),
    }
}

fn part<'e>(evidence: &'e Evidence, name: &str) -> &'e Kept {
    let found = evidence.pieces.iter().find(|piece| piece.name == name);
    &found.unwrap_or_else(|| panic!("no {name} in {evidence:?}")).found
}

fn owned_by_target(spec: Value) -> Value {
    json!({"metadata": {"ownerReferences": [{"uid": "uid-1", "controller": true}],
        "creationTimestamp": "2026-11-21T08:00:00Z"}, "spec": spec})
}

fn labelled(key: &str, value: &str) -> Value {
    json!({"metadata": {"labels": {key: value}}, "status": {"phase": "Failed"}})
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_cron_job_are_those_of_its_jobs() {
    let cluster = FakeCluster::new(|_| {});
    put(&cluster, CRON_JOBS.named("prod", "web"), json!({"metadata": {"uid": "uid-1"}, "spec": {}}));
    let none = collected_of(&cluster, "CronJob.batch").await;
    assert_eq!(*part(&none, "pods"), Kept::Text("no pods are there".into()));
    put(&cluster, JOBS.named("prod", "web-1"), owned_by_target(json!({})));
    put(&cluster, JOBS.named("prod", "else-1"), json!({}));
    put(&cluster, PODS.named("prod", "web-1-a"), labelled("job-name", "web-1"));
    put(&cluster, PODS.named("prod", "else-1-a"), labelled("job-name", "else-1"));
    let found = collected_of(&cluster, "CronJob.batch").await;
    let Kept::Text(pods) = part(&found, "pods") else { panic!("{found:?}") };
    assert!(pods.starts_with("web-1-a; Failed") && pods.lines().count() == 1, "{pods}");
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_rollout_that_borrows_its_template_are_those_of_its_replica_sets() {
    let cluster = FakeCluster::new(|_| {});
    let spec = json!({"workloadRef": {"kind": "Deployment", "name": "web-template"}});
    put(&cluster, ROLLOUTS.named("prod", "web"), json!({"metadata": {"uid": "uid-1"}, "spec": spec}));
    let none = collected_of(&cluster, "Rollout.argoproj.io").await;
    assert!(
        matches!(part(&none, "pods"), Kept::Missing { why } if why.contains("web-template")),
        "nobody knows which, which is not the same as none: {none:?}"
    );
    let required =
        of("Rollout.argoproj.io", collect_evidence::Wish { required: true, queries: vec![], ..wish() });
    let outcome = world(&cluster).perform(&sealed(required), &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Failed { what, .. } if what.contains("pods")), "{outcome:?}");
    let labels = json!({"app": "web", "rollouts-pod-template-hash": "5d"});
    let set = owned_by_target(json!({"selector": {"matchLabels": labels}}));
    put(&cluster, REPLICA_SETS.named("prod", "web-5d"), set);
    put(&cluster, PODS.named("prod", "web-5d-a"), labelled("app", "web"));
    let found = collected_of(&cluster, "Rollout.argoproj.io").await;
    let Kept::Text(pods) = part(&found, "pods") else { panic!("{found:?}") };
    assert!(pods.starts_with("web-5d-a; Failed"), "{pods}");
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_nobody_can_read_is_missing_and_not_empty() {
    let cluster = cluster();
    let selector = json!({"matchExpressions": [{"key": "app", "operator": "Resembles", "values": ["web"]}]});
    let object = json!({"metadata": {"uid": "uid-1"}, "spec": {"selector": selector}});
    put(&cluster, DEPLOYMENTS.named("prod", "web"), object);
    let found = collected(&cluster, wish()).await;
    assert!(matches!(part(&found, "pods"), Kept::Missing { .. }), "{found:?}");
}

/// Every event of the namespace but its own would be too many to be read in time: they are not asked for.
#[tokio::test(start_paused = true)]
async fn in_a_storm_of_events_only_those_of_the_target_and_its_pods_are_asked_for() {
    let cluster = cluster();
    for number in 0..12_000 {
        let involved = json!({"kind": "Pod", "name": "other", "uid": "uid-o"});
        let event = json!({"involvedObject": involved, "reason": "BackOff", "message": "of another pod"});
        put(&cluster, EVENTS.named("prod", &format!("storm-{number}")), event);
    }
    let required = collect_evidence::Wish { required: true, queries: vec!["up".into()], ..wish() };
    let found = collected(&cluster, required).await;
    let Kept::Text(events) = part(&found, "events") else { panic!("{found:?}") };
    assert_eq!(events.lines().count(), 1, "{events}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_of_another_kind_gives_no_evidence() {
    let cluster = cluster();
    let wanted = Wish::CollectEvidence(wish());
    let node = Target { kind: "Node".into(), namespace: String::new(), name: "a".into() };
    assert_eq!(
        names(&preflight(&world(&cluster), node, wanted.clone(), false).await.refusals),
        ["wrongKind"]
    );
    let gone = Target { name: "gone".into(), ..target() };
    let found = asked(&world(&cluster), Ask::Preflight { target: gone, wish: wanted, diff: false }).await;
    assert!(matches!(&found, Found::Absent { .. }), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_looks_again_and_nothing_can_be_taken_back() {
    let cluster = cluster();
    let (first, second) = (collected(&cluster, wish()).await, collected(&cluster, wish()).await);
    assert_eq!(shown(&first), shown(&second));
    assert_eq!(cluster.changes(), 0, "nothing is ever sent");
    let found = preflight(&world(&cluster), target(), Wish::Revert(collecting(wish()).action), false).await;
    let [Reason::BadValue { .. }] = found.refusals.as_slice() else { panic!("{found:?}") };
}
