//! What becomes of each mark, object by object, and in which order.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::freeze_deploys::{BINDINGS, NAMESPACES, POLICIES};
use crate::ports::objects::DEPLOYMENTS;

const STAMP: &str = "journal-7";

fn resource(kind: &str) -> Resource {
    RESOURCES.into_iter().find(|resource| resource.kind == kind).expect("it is looked through")
}

fn object(marks: Value, managers: &[(&str, Value)]) -> Value {
    let managed: Vec<Value> =
        managers.iter().map(|(name, fields)| json!({"manager": name, "fieldsV1": fields})).collect();
    let mut metadata = json!({"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "5"});
    for (key, value) in marks.as_object().into_iter().flatten() {
        metadata[key] = value.clone();
    }
    metadata["managedFields"] = json!(managed);
    json!({"metadata": metadata})
}

fn ours() -> Value {
    json!({"labels": {"app.kubernetes.io/managed-by": "paramedic"}, "annotations": {INTENT: STAMP}})
}

fn does(kind: &str, object: &Value) -> Vec<Does> {
    of(resource(kind), object, &[]).into_iter().map(|trace| trace.does).collect()
}

fn why(does: &[Does]) -> &str {
    match does {
        [Does::Leave(left)] => &left.why,
        other => panic!("it is not left: {other:?}"),
    }
}

fn fields(does: &[Does]) -> Vec<(String, String, String)> {
    let [Does::Sweep(sweep)] = does else { panic!("it is not swept: {does:?}") };
    sweep.fields().into_iter().map(|field| (field.path, field.before, field.after)).collect()
}

#[test]
fn what_is_ours_altogether_is_removed_as_it_was_seen() {
    let policy = object(ours(), &[("paramedic-journal-7", json!({}))]);
    let found = does("NetworkPolicy", &policy);
    let [Does::Sweep(Sweep(ObjectChange::Delete { uid, version, .. }))] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((uid.as_str(), version.as_deref()), ("u", Some("5")));
}

#[test]
fn what_a_colleague_has_changed_is_theirs() {
    let policy = object(ours(), &[("paramedic-journal-7", json!({})), ("kubectl-edit", json!({}))]);
    assert_eq!(why(&does("NetworkPolicy", &policy)), "kubectl-edit has changed it since paramedic made it");
}

#[test]
fn a_mark_of_somebody_else_is_none() {
    for metadata in [
        json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
        json!({"labels": {"app.kubernetes.io/managed-by": "paramedic"}}),
        json!({"annotations": {"paramedic.dev/pause-until": "2999-01-01T00:00:00Z"}}),
    ] {
        for resource in RESOURCES {
            assert_eq!(of(resource, &object(metadata.clone(), &[]), &[]), [], "{}", resource.kind);
        }
    }
}

#[test]
fn a_job_that_runs_is_let_run() {
    let mut job = object(ours(), &[]);
    assert!(why(&does("Job", &job)).contains("still running"));
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    assert!(matches!(does("Job", &job).as_slice(), [Does::Sweep(_)]));
}

#[test]
fn a_freeze_of_other_namespaces_too_is_left_where_one_is_named() {
    let mut marks = ours();
    marks["annotations"][NAMESPACES] = json!("shop,search");
    let policy = object(marks, &[]);
    let named = of(POLICIES, &policy, &["shop".into()]);
    assert!(matches!(&named[0].does, Does::Leave(left) if left.why.contains("search")), "{named:?}");
    assert_eq!(of(POLICIES, &policy, &["other".into()]), [], "it is about others alone");
    let both = of(POLICIES, &policy, &["shop".into(), "search".into()]);
    assert!(matches!(both[0].does, Does::Sweep(_)), "{both:?}");
}

fn patched(by: &str) -> Value {
    let limit = "nginx.ingress.kubernetes.io/limit-rps";
    let key = format!("metadata.annotations[\"{limit}\"]");
    let notes = json!({key: {"intent": STAMP, "was": "50"}}).to_string();
    let annotations = json!({(limit): "5", "paramedic.dev/patched": notes, (INTENT): STAMP});
    let owned = json!({"f:metadata": {"f:annotations": {format!("f:{limit}"): {}}}});
    object(json!({"annotations": annotations}), &[(by, owned)])
}

#[test]
fn a_patch_is_put_back_to_what_it_noted() {
    let found = does("Ingress", &patched("paramedic-journal-7"));
    let limit = "metadata.annotations[\"nginx.ingress.kubernetes.io/limit-rps\"]".to_owned();
    assert_eq!(fields(&found), [(limit, "5".to_owned(), "50".to_owned())]);
    let [Does::Sweep(Sweep(ObjectChange::Patch { operations, .. }))] = found.as_slice() else {
        unreachable!()
    };
    for mark in ["paramedic.dev~1patched", "paramedic.dev~1intent"] {
        let gone = json!({"op": "remove", "path": format!("/metadata/annotations/{mark}")});
        assert!(operations.contains(&gone), "{operations:?}");
    }
    assert!(operations.contains(&json!({"op": "test", "path": "/metadata/resourceVersion", "value": "5"})));
}

#[test]
fn a_patched_field_that_a_colleague_wrote_is_left_with_its_old_value_in_words() {
    let found = does("Ingress", &patched("kubectl-edit"));
    let why = why(&found);
    assert!(
        why.contains("was 50 before the intent") && why.contains("kubectl-edit has written it since"),
        "{why}"
    );
}

#[test]
fn our_entries_leave_a_list_and_others_stay() {
    let kept = json!({"now": [{"range": "203.0.113.7/32", "until": "2026-11-21T10:00:00Z", "intent": STAMP, "times": 1}]});
    let list = "nginx.ingress.kubernetes.io/denylist-source-range";
    let annotations =
        json!({(list): "198.51.100.0/24,203.0.113.7/32", "paramedic.dev/blocked": kept.to_string()});
    let found = of(resource("Ingress"), &object(json!({"annotations": annotations}), &[]), &[]);
    assert_eq!(found[0].stamp, STAMP);
    let does: Vec<Does> = found.into_iter().map(|trace| trace.does).collect();
    let (_, before, after) = fields(&does).remove(0);
    assert_eq!((before.as_str(), after.as_str()), ("198.51.100.0/24,203.0.113.7/32", "198.51.100.0/24"));
}

#[test]
fn the_stamp_of_a_rollback_goes_and_that_of_a_restart_is_left_for_its_pods() {
    let rolled_back = object(json!({"annotations": {INTENT: STAMP}}), &[]);
    let path = format!("metadata.annotations[\"{INTENT}\"]");
    assert_eq!(fields(&does("Deployment", &rolled_back)), [(path, STAMP.to_owned(), "-".to_owned())]);
    let mut restarted = object(json!({}), &[]);
    restarted["spec"] = json!({"template": {"metadata": {"annotations": {INTENT: STAMP}}}});
    let found = does("Deployment", &restarted);
    assert!(matches!(found.as_slice(), [Does::Leave(Left { matters: false, .. })]), "{found:?}");
}

#[test]
fn a_pod_that_has_the_stamp_of_its_template_is_not_told() {
    let owner = json!([{"kind": "ReplicaSet", "name": "web-1", "controller": true}]);
    let restarted = object(json!({"annotations": {INTENT: STAMP}, "ownerReferences": owner}), &[]);
    assert_eq!(does("Pod", &restarted), []);
    let alone = object(json!({"annotations": {INTENT: STAMP}}), &[]);
    assert!(why(&does("Pod", &alone)).starts_with("intent journal-7 changed it"));
}

#[test]
fn a_number_without_a_memory_is_left_and_named() {
    let mut scaled = object(json!({}), &[("paramedic-journal-7", json!({"f:spec": {"f:replicas": {}}}))]);
    scaled["spec"] = json!({"replicas": 6});
    let found = does("Deployment", &scaled);
    assert!(
        why(&found).starts_with("intent journal-7 set spec.replicas of shop/deployment/web to 6"),
        "{found:?}"
    );
    let cleaned = object(json!({}), &[(MANAGER, json!({"f:spec": {"f:replicas": {}}}))]);
    assert_eq!(does("Deployment", &cleaned), []);
}

#[test]
fn what_nobody_here_can_undo_is_named_with_its_stamp() {
    let node = object(json!({"annotations": {INTENT: STAMP}}), &[]);
    assert!(why(&does("Node", &node)).starts_with("intent journal-7 changed it"));
    assert!(matches!(does(DEPLOYMENTS.kind, &node).as_slice(), [Does::Sweep(_)]));
}

fn operations(does: &[Does]) -> &[Value] {
    let [Does::Sweep(Sweep(ObjectChange::Patch { operations, .. }))] = does else { panic!("{does:?}") };
    operations
}

fn has(operations: &[Value], op: &str, path: &str) -> bool {
    operations.iter().any(|one| one["op"] == op && one["path"] == path)
}

fn drained(by: &str) -> Value {
    let annotations = json!({(INTENT): STAMP, "paramedic.dev/draining-until": "2026-11-21T10:00:00Z"});
    let mut node =
        object(json!({"annotations": annotations}), &[(by, json!({"f:spec": {"f:unschedulable": {}}}))]);
    node["spec"] = json!({"unschedulable": true});
    node
}

#[test]
fn a_node_that_we_cordoned_is_given_back() {
    let found = does("Node", &drained("paramedic-journal-7"));
    assert_eq!(fields(&found), [("spec.unschedulable".to_owned(), "true".to_owned(), "-".to_owned())]);
    assert!(has(operations(&found), "remove", "/spec/unschedulable"));
    assert!(has(operations(&found), "remove", "/metadata/annotations/paramedic.dev~1intent"));
    let theirs = does("Node", &drained("kubectl-cordon"));
    assert!(why(&theirs).contains("somebody else has cordoned it since"), "{theirs:?}");
    let mut uncordoned = drained("paramedic-journal-7");
    uncordoned["spec"] = json!({});
    let found = does("Node", &uncordoned);
    assert!(!has(operations(&found), "remove", "/spec/unschedulable"), "{found:?}");
    assert!(has(operations(&found), "remove", "/metadata/annotations/paramedic.dev~1draining-until"));
}

#[test]
fn a_pod_in_quarantine_gets_its_labels_back_before_its_wall_falls() {
    let labels = json!({"paramedic.dev/quarantine": STAMP, "tier": "new"});
    let detached = json!({"app": "web", "tier": "front"}).to_string();
    let annotations = json!({(INTENT): STAMP, "paramedic.dev/detached-labels": detached});
    let held = object(json!({"labels": labels, "annotations": annotations}), &[]);
    let found = does("Pod", &held);
    assert!(has(operations(&found), "remove", "/metadata/labels/paramedic.dev~1quarantine"), "{found:?}");
    assert!(has(operations(&found), "add", "/metadata/labels/app"), "{found:?}");
    assert!(!has(operations(&found), "add", "/metadata/labels/tier"), "somebody has set it since: {found:?}");
    let unreadable = object(json!({"labels": {"paramedic.dev/quarantine": STAMP}}), &[]);
    assert!(why(&does("Pod", &unreadable)).contains("delete the pod once nobody needs it"));
    let place = |kind: &str| RESOURCES.iter().position(|resource| resource.kind == kind);
    assert!(place("Pod") < place("NetworkPolicy"));
}

#[test]
fn every_freeze_on_a_project_or_a_kustomization_ends_at_once() {
    let window = |schedule: &str| json!({"kind": "deny", "schedule": schedule, "duration": "60m"});
    let mark =
        |schedule: &str| json!({"until": "2026-11-21T10:00:00Z", "window": window(schedule)}).to_string();
    let marks =
        json!({"freeze.paramedic.dev/journal-7": mark("1"), "freeze.paramedic.dev/journal-9": mark("2")});
    let mut project = object(json!({"annotations": marks}), &[]);
    project["spec"] = json!({"syncWindows": [window("1"), {"kind": "allow"}, window("2")]});
    let found = does("AppProject", &project);
    let removed: Vec<&str> = operations(&found)
        .iter()
        .filter(|one| one["op"] == "remove")
        .filter_map(|one| one["path"].as_str())
        .collect();
    assert_eq!(
        removed,
        [
            "/spec/syncWindows/2",
            "/spec/syncWindows/0",
            "/metadata/annotations/freeze.paramedic.dev~1journal-7",
            "/metadata/annotations/freeze.paramedic.dev~1journal-9",
        ]
    );

    let mark = json!({"until": "2026-11-21T10:00:00Z", "was": null}).to_string();
    let marks = json!({"freeze.paramedic.dev/journal-7": mark, "freeze.paramedic.dev/journal-9": mark});
    let mut suspended = object(json!({"annotations": marks}), &[]);
    suspended["spec"] = json!({"suspend": true});
    assert!(has(operations(&does("Kustomization", &suspended)), "remove", "/spec/suspend"));
    suspended["metadata"]["annotations"] = json!({"freeze.paramedic.dev/journal-7": "?"});
    assert!(why(&does("Kustomization", &suspended)).contains("nobody can read what its annotation"));
}

#[tokio::test]
async fn a_freeze_whose_binding_stays_keeps_its_policy() {
    let trace = |resource: Resource| of(resource, &object(ours(), &[]), &[]).remove(0);
    let order: Vec<&str> = RESOURCES.iter().take(2).map(|resource| resource.kind).collect();
    assert_eq!(order, [BINDINGS.kind, POLICIES.kind]);
    let sent = Mutex::new(0);
    let send = async |_: &Sweep| {
        *sent.lock().expect("no test panicked") += 1;
        Err(ChangeError::Forbidden { message: "no".into() })
    };
    let mut came = Vec::new();
    sweep(&[trace(BINDINGS), trace(POLICIES)], send, |_, one| came.push(one.clone())).await;
    assert_eq!(*sent.lock().expect("no test panicked"), 1);
    assert_eq!(came[1], Came::Refused("its binding is still there: no".into()));
}

/// Two walls of ours; the request that would remove the second comes back as told.
async fn swept_beside(second: ChangeError, then: Traces) -> Swept {
    let policy = resource("NetworkPolicy");
    let mut other = object(ours(), &[]);
    other["metadata"]["name"] = json!("other");
    let found = [object(ours(), &[]), other].iter().flat_map(|one| of(policy, one, &[])).collect();
    let first = Traces { found, unseen: Vec::new() };
    let (sent, second) = (Mutex::new(0), Mutex::new(Some(second)));
    let send = async |_: &Sweep| {
        let mut sent = sent.lock().expect("no test panicked");
        *sent += 1;
        let answer = (*sent == 2).then(|| second.lock().expect("no test panicked").take()).flatten();
        answer.map_or(Ok(()), Err)
    };
    sweep_in_rounds(&first, async || then.clone(), send, |_, _, _, _| {}).await
}

fn no_answer() -> ChangeError {
    ChangeError::NoAnswer { tried: "remove it".into(), problem: "connection reset".into() }
}

#[tokio::test]
async fn what_failed_is_not_taken_for_gone_where_the_last_look_failed() {
    let nothing_seen = Traces { found: Vec::new(), unseen: vec!["could not list pods".into()] };
    let swept = swept_beside(no_answer(), nothing_seen.clone()).await;
    assert_eq!((swept.cleaned, swept.failed.len()), (1, 1), "{swept:?}");
    assert_eq!(swept.last, nothing_seen);

    let gone = swept_beside(no_answer(), Traces::default()).await;
    assert_eq!((gone.cleaned, gone.failed.len(), gone.last), (1, 0, Traces::default()));
}

#[tokio::test]
async fn what_a_colleague_takes_over_between_two_looks_is_said() {
    let changed = object(ours(), &[("paramedic-journal-7", json!({})), ("kubectl-edit", json!({}))]);
    let left = of(resource("NetworkPolicy"), &changed, &[]);
    let conflict = ChangeError::Refused { message: "the object has been modified".into(), conflict: true };
    let swept = swept_beside(conflict, Traces { found: left.clone(), unseen: Vec::new() }).await;
    assert_eq!((swept.failed.len(), &swept.anew, &swept.last.found), (0, &left, &left), "{swept:?}");
    assert!(matches!(&swept.last.found[0].does, Does::Leave(left) if left.matters));
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_named() {
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let cluster = crate::fakes::FakeCluster::new(|_| {});
    cluster.objects.lock().expect("no test panicked").put(crate::pods::NAMESPACES.named("", "shop"), shop);
    let names = ["shop".to_owned(), "shpo".to_owned()];
    assert_eq!(missing(cluster.as_ref(), &names).await, ["shpo"]);
}
