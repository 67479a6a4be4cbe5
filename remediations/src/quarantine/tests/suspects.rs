//! Who is taken for isolated, who can be, and by which network: labels that isolate nobody, pods of StatefulSets, Cilium.

use super::*;
use crate::fakes::names;
use crate::makers::STATEFUL_SETS;
use crate::stamp::MANAGED_BY;

const LABEL: &str = "journal-3";

fn labelled(cluster: &FakeCluster) {
    let mut suspect = pod("web-1");
    suspect["metadata"]["labels"][QUARANTINE] = json!(LABEL);
    put(cluster, PODS.named("prod", "web-1"), suspect);
}

/// The wall of an earlier intent, as somebody may have changed it.
fn wall_of(change: impl FnOnce(&mut Value)) -> Value {
    let (managed, by) = MANAGED_BY;
    let mut wall = json!({
        "metadata": {"labels": {(managed): by}},
        "spec": {"podSelector": {"matchLabels": {(QUARANTINE): LABEL}}, "policyTypes": ["Ingress", "Egress"]},
    });
    change(&mut wall);
    wall
}

#[tokio::test(start_paused = true)]
async fn a_label_without_its_wall_isolates_nobody() {
    let cluster = shop();
    labelled(&cluster);
    put(&cluster, wall::address("prod", LABEL), wall_of(|_| {}));
    let found = asked(&cluster, one(), wish(false)).await;
    assert!(found.already && found.action.is_none(), "{found:?}");

    type Change = fn(&mut Value);
    let broken: [(&str, Option<Change>); 6] = [
        ("it is gone", None),
        ("it is not ours", Some(|wall| wall["metadata"]["labels"] = json!({}))),
        ("it selects another", Some(|wall| wall["spec"]["podSelector"] = json!({"matchLabels": {"a": "b"}}))),
        ("it lets in", Some(|wall| wall["spec"]["ingress"] = json!([{}]))),
        ("it lets out", Some(|wall| wall["spec"]["egress"] = json!([{}]))),
        ("it is of one way", Some(|wall| wall["spec"]["policyTypes"] = json!(["Ingress"]))),
    ];
    for (what, change) in broken {
        let cluster = shop();
        labelled(&cluster);
        if let Some(change) = change {
            put(&cluster, wall::address("prod", LABEL), wall_of(change));
        }
        let found = asked(&cluster, one(), wish(true)).await;
        if change.is_some_and(|_| what.starts_with("it lets")) {
            // Somebody opened it: a policy that lets this pod through stands against every other wall.
            assert_eq!(
                (found.already, names(&found.refusals)),
                (false, vec!["wrongLever"]),
                "{what}: {found:?}"
            );
            continue;
        }
        let seal = sealed(Intent { target: one(), ..intended(&found) });
        assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done", "{what}");
        assert_eq!(labels(&cluster, "web-1")[QUARANTINE], STAMP, "{what}");
        assert!(get(&cluster, &wall::address("prod", STAMP)).is_some(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_another_intent_has_taken_meanwhile_is_left_to_it() {
    let cluster = shop();
    let seal = sealed(Intent { target: one(), ..intended(&asked(&cluster, one(), wish(false)).await) });
    labelled(&cluster);
    let outcome = on(&cluster).perform(&seal, &Halt::never()).await;
    assert!(
        matches!(&outcome, Outcome::Failed { applied: true, what, .. } if what.contains(LABEL)),
        "{outcome:?}"
    );
    assert_eq!(labels(&cluster, "web-1")[QUARANTINE], LABEL);
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_a_stateful_set_keeps_what_its_set_knows_it_by() {
    let cluster = shop();
    let mut ordinal = pod("db-0");
    ordinal["metadata"]["labels"] = json!({"app": "db", "role": "leader"});
    ordinal["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": true}]);
    put(&cluster, PODS.named("prod", "db-0"), ordinal);
    let selector = json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}});
    put(&cluster, STATEFUL_SETS.named("prod", "db"), selector);
    let serves = |wanted: Value| json!({"spec": {"selector": wanted}});
    put(&cluster, SERVICES.named("prod", "leader"), serves(json!({"app": "db", "role": "leader"})));
    put(&cluster, SERVICES.named("prod", "db"), serves(json!({"app": "db"})));
    let target = Target { name: "db-0".into(), ..one() };
    let found = asked(&cluster, target.clone(), wish(true)).await;
    let said = "Service db goes on sending to pod db-0 while it is ready: its StatefulSet would stop without its labels";
    assert!(found.passed.iter().any(|one| one == said), "{found:?}");
    let seal = sealed(Intent { target, ..intended(&found) });
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(
        labels(&cluster, "db-0"),
        json!({"app": "db", (QUARANTINE): STAMP}),
        "no Service of leaders any more"
    );
}

#[tokio::test(start_paused = true)]
async fn networks_whose_ranges_match_no_node_isolate_all_the_same() {
    for name in ["cilium", "anetd", "kindnet"] {
        let cluster = shop();
        cluster
            .objects
            .lock()
            .expect("no test panicked")
            .remove(&DAEMON_SETS.named("kube-system", "calico-node"));
        put(&cluster, DAEMON_SETS.named("kube-system", name), json!({}));
        let found = asked(&cluster, one(), wish(true)).await;
        assert!(found.passed.contains(&format!("{name} enforces NetworkPolicies")), "{found:?}");
        assert!(found.action.is_some() && found.refusals.is_empty(), "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_detached_pod_and_its_successor_the_suspect_goes_first() {
    let cluster = shop();
    let seal = sealed(Intent { target: one(), ..intended(&asked(&cluster, one(), wish(true)).await) });
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    let cost = |cluster: &FakeCluster| {
        let pod = get(cluster, &PODS.named("prod", "web-1")).expect("it is there");
        pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"].clone()
    };
    assert_eq!(cost(&cluster), "-2147483648");
    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(on(&cluster).perform(&back, &Halt::never()).await.name(), "done");
    assert_eq!(cost(&cluster), "-2147483648", "its ReplicaSet takes it back and has one too many");
}

#[tokio::test(start_paused = true)]
async fn of_pods_that_are_gone_only_the_wall_is_taken_down() {
    let cluster = shop();
    let seal = sealed(intended(&asked(&cluster, web(), wish(true)).await));
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    let pods = |intent: &Intent| match &intent.action {
        Action::Quarantine(quarantine::Action::Release(all)) => all.names(),
        other => panic!("no release: {other}"),
    };
    let gone = |name: &str| {
        cluster.objects.lock().expect("no test panicked").remove(&PODS.named("prod", name));
    };
    gone("web-1");
    assert_eq!(pods(&release(&cluster, &seal).await), "web-2");
    gone("web-2");
    let back = sealed(release(&cluster, &seal).await);
    assert_eq!(pods(&back), "");
    let done = on(&cluster).perform(&back, &Halt::never()).await;
    assert_eq!(told(&done), ["prod/networkpolicy/paramedic-quarantine-journal-7: present -> deleted"]);
    let again = on(&cluster).perform(&back, &Halt::never()).await;
    assert!(matches!(again, Outcome::Done { already: true, .. }), "{again:?}");
    let revert = Wish::Revert(seal.action.clone());
    assert!(preflight(&on(&cluster), web(), revert, false).await.already);
}

#[tokio::test(start_paused = true)]
async fn a_release_of_a_pod_that_somebody_let_go_has_changed_nothing_yet() {
    let cluster = shop();
    let seal = sealed(Intent { target: one(), ..intended(&asked(&cluster, one(), wish(false)).await) });
    assert_eq!(on(&cluster).perform(&seal, &Halt::never()).await.name(), "done");
    let back = sealed(release(&cluster, &seal).await);
    put(&cluster, PODS.named("prod", "web-1"), pod("web-1"));
    let cluster = cluster.answering(Answer::NotSent);
    let outcome = on(&cluster).perform(&back, &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
}
