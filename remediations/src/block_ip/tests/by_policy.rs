//! By a NetworkPolicy of our own.

use super::*;
use crate::ports::objects::ObjectChange;

/// A Deployment of the web, in a network that enforces.
pub(super) fn cluster() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new(|_| {});
    let labels = json!({"app": "web", "tier": "front"});
    put(
        &cluster,
        DEPLOYMENTS.named("prod", "web"),
        json!({"metadata": {"labels": {"team": "shop"}}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": labels}, "spec": {}},
        }}),
    );
    put(&cluster, SPACES.named("", "prod"), json!({}));
    put(&cluster, DAEMON_SETS.named("kube-system", "calico-node"), json!({}));
    put(&cluster, NODES.named("", "first"), json!({"spec": {"podCIDR": "10.244.0.0/24"}}));
    cluster
}

pub(super) fn kept_out(cluster: &FakeCluster) -> Vec<String> {
    let Some(policy) = get(cluster, &address(&target())) else { return Vec::new() };
    let from = policy.pointer("/spec/ingress/0/from").and_then(Value::as_array).expect("peers");
    let except = from.iter().filter_map(|peer| peer.pointer("/ipBlock/except")?.as_array()).flatten();
    except.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn drop_one(cluster: &FakeCluster, at: Address) {
    let mut objects = cluster.objects.lock().expect("no test panicked");
    let uid = objects.get(&at).map(|object| text(object, "/metadata/uid").to_owned()).expect("it is there");
    objects.change(&ObjectChange::Delete { at, uid, version: None }).expect("it is there");
}

fn wish() -> block_ip::Wish {
    of("203.0.113.7", terms(Means::NetworkPolicy))
}

async fn first(cluster: &Arc<FakeCluster>) -> Sealed<Intent> {
    let found = asked(&at_once(cluster), &target(), wish()).await;
    blocking(&target(), &found, Span::ZERO, 7)
}

#[tokio::test(start_paused = true)]
async fn a_policy_allows_all_but_the_address() {
    let cluster = cluster();
    let seal = first(&cluster).await;
    done(&at_once(&cluster).perform(&seal, &Halt::never()).await);
    insta::assert_json_snapshot!(get(&cluster, &address(&target())).expect("it was made"));
    // Once is enough.
    done(&at_once(&cluster).perform(&seal, &Halt::never()).await);
    done(&at_once(&cluster).close(&seal).await);
    assert_eq!(cluster.changes(), 1);
    assert_eq!(said(&asked(&at_once(&cluster), &target(), wish()).await), "already");
}

#[tokio::test(start_paused = true)]
async fn two_intents_of_one_object_do_not_undo_each_other() {
    let (cluster, web) = (cluster(), target());
    let terms = || terms(Means::NetworkPolicy);
    let one = block(&cluster, &web, of("203.0.113.7", terms()), Span::ZERO, 7).await;
    let second = of("2001:db8::1", Terms { ipv6_bits: 128, ..terms() });
    let two = block(&cluster, &web, second, Span::from_mins(30), 8).await;
    // The same address by another intent, for longer.
    let third = of("203.0.113.7", Terms { lasts: Span::from_hours(5), ..terms() });
    let three = block(&cluster, &web, third, Span::from_mins(30), 9).await;
    assert_eq!(kept_out(&cluster), ["203.0.113.7/32", "2001:db8::1/128"]);
    for (id, seal, hours, left) in [
        (20, &one, 1, vec!["203.0.113.7/32", "2001:db8::1/128"]),
        (21, &two, 2, vec!["203.0.113.7/32"]),
        (22, &three, 6, vec![]),
    ] {
        let over = Span::from_hours(hours);
        let back = unblocking(&cluster, seal, over, id).await;
        done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
        assert_eq!(kept_out(&cluster), left, "{id}");
        let again = at(&cluster, over, &[]).perform(&back, &Halt::never()).await;
        assert_eq!(again, Outcome::Done { diff: None, already: true }, "it is taken out once");
    }
    assert_eq!(get(&cluster, &address(&web)), None, "nothing is left to remember");
    let revert = Wish::Revert(three.action.clone());
    let found = fakes::preflight(&at_once(&cluster), web, revert, false).await;
    assert!(found.already && found.refusals.is_empty(), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wide_range_covers_and_uncovers_a_narrow_one() {
    let (cluster, web) = (cluster(), target());
    let wide = || Terms { ipv4_bits: 24, ..terms(Means::NetworkPolicy) };
    let whole = "203.0.113.0/24";
    let narrow = of("203.0.113.7", Terms { lasts: Span::from_hours(5), ..wide() });
    block(&cluster, &web, narrow, Span::ZERO, 7).await;
    let seal = block(&cluster, &web, of(whole, wide()), Span::ZERO, 8).await;
    assert_eq!(kept_out(&cluster), [whole]);
    let found = asked(&at_once(&cluster), &web, of("203.0.113.9", wide())).await;
    assert_eq!(said(&found), "already");
    let over = Span::from_hours(1);
    let back = unblocking(&cluster, &seal, over, 9).await;
    done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
    assert_eq!(kept_out(&cluster), ["203.0.113.7/32"]);
}

fn another(name: &str, spec: Value) -> (Address, Value) {
    (POLICIES.named("prod", name), json!({"spec": spec}))
}

fn service(kind: &str, traffic: &str) -> (Address, Value) {
    let spec = json!({"type": kind, "externalTrafficPolicy": traffic, "selector": {"app": "web"}});
    (SERVICES.named("prod", "web"), json!({"spec": spec}))
}

fn workload(metadata: Value, spec: Value) -> (Address, Value) {
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    (DEPLOYMENTS.named("prod", "web"), json!({"metadata": metadata, "spec": spec}))
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_in_its_own_words() {
    let block = |cidr: &str, except: &str| json!({"ipBlock": {"cidr": cidr, "except": [except]}});
    let canary = json!({"matchExpressions": [{"key": "canary", "operator": "In", "values": ["yes"]}]});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let rules = json!([{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]);
    let cilium = Resource::namespaced("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy");
    let pause = || json!({"annotations": {"paramedic.dev/pause-until": PAUSED}});
    let mut told = String::new();
    for (claim, there) in [
        ("free", vec![]),
        (
            "another application's policy",
            vec![another("api", json!({"podSelector": {"matchLabels": {"app": "api"}}}))],
        ),
        (
            "a policy of what goes out",
            vec![another("out", json!({"podSelector": {}, "policyTypes": ["Egress"]}))],
        ),
        (
            "a policy that allows all",
            vec![another("all", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}))],
        ),
        (
            "a policy that allows its network",
            vec![another(
                "net",
                json!({"podSelector": {"matchLabels": {"tier": "front"}},
                    "ingress": [{"from": [block("203.0.113.0/24", "203.0.113.128/25")]}]}),
            )],
        ),
        (
            "a policy that closes the pods",
            vec![another(
                "closed",
                json!({"podSelector": {},
                    "ingress": [{"from": [block("0.0.0.0/0", "203.0.113.0/24"), {"podSelector": {}}]}]}),
            )],
        ),
        (
            "a policy of a label that only a running pod has",
            vec![
                (
                    PODS.named("prod", "web-1"),
                    json!({"metadata": {"labels": {"app": "web", "canary": "yes"}}}),
                ),
                another("canary", json!({"podSelector": canary})),
            ],
        ),
        ("Cilium's own", vec![(cilium.named("prod", "web"), json!({}))]),
        (
            "a network whose ranges match no node",
            vec![(DAEMON_SETS.named("kube-system", "anetd"), json!({"metadata": {"name": "anetd"}}))],
        ),
        ("the node's network", vec![workload(json!({}), json!({"hostNetwork": true}))]),
        ("a balancer that keeps addresses", vec![service("LoadBalancer", "Local")]),
        ("a balancer that hides them", vec![service("LoadBalancer", "Cluster")]),
        (
            "an Ingress",
            vec![
                service("ClusterIP", ""),
                (INGRESSES.named("prod", "shop"), json!({"spec": {"rules": rules}})),
            ],
        ),
        ("a paused workload", vec![workload(pause(), json!({}))]),
        ("a paused namespace", vec![(SPACES.named("", "prod"), json!({"metadata": pause()}))]),
        ("a policy of that name", vec![(address(&target()), json!({"spec": {}}))]),
    ] {
        let cluster = cluster();
        for (at, object) in there {
            put(&cluster, at, object);
        }
        let found = asked(&at_once(&cluster), &target(), wish()).await;
        told.push_str(&format!("{claim}: {}\n", said(&found)));
    }
    let unknown = cluster();
    drop_one(&unknown, DAEMON_SETS.named("kube-system", "calico-node"));
    let found = asked(&at_once(&unknown), &target(), wish()).await;
    told.push_str(&format!("no network known to enforce: {}\n", said(&found)));
    let known = of("203.0.113.7", Terms { enforced: true, ..terms(Means::NetworkPolicy) });
    let found = asked(&at_once(&unknown), &target(), known).await;
    told.push_str(&format!("somebody has seen it: {}\n", said(&found)));
    insta::assert_snapshot!(told);

    let cluster = cluster();
    let ingress = Target { kind: INGRESS.into(), ..target() };
    assert_eq!(names(&asked(&at_once(&cluster), &ingress, wish()).await.refusals), ["wrongKind"]);
    self::block(&cluster, &target(), wish(), Span::ZERO, 7).await;
    let full = Terms { entries: 1, ..terms(Means::NetworkPolicy) };
    let found = asked(&at_once(&cluster), &target(), of("203.0.113.8", full)).await;
    assert_eq!(names(&found.refusals), ["outOfBounds"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_changed_is_left_alone() {
    let cluster = cluster();
    let seal = block(&cluster, &target(), wish(), Span::ZERO, 7).await;
    let mut policy = get(&cluster, &address(&target())).expect("it was made");
    policy["spec"]["ingress"] = json!([{}]);
    put(&cluster, address(&target()), policy);
    let revert = Wish::Revert(seal.action.clone());
    let found = fakes::preflight(&at(&cluster, Span::from_hours(1), &[]), target(), revert, false).await;
    assert_eq!(names(&found.refusals), ["changed"]);
    let other = asked(&at_once(&cluster), &target(), of("203.0.113.8", terms(Means::NetworkPolicy))).await;
    assert_eq!(names(&other.refusals), ["changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_a_look() {
    let lost = cluster().answering(Answer::LostAfter);
    let seal = first(&lost).await;
    done(&at_once(&lost).perform(&seal, &Halt::never()).await);
    assert_eq!((kept_out(&lost).len(), lost.changes()), (1, 1));

    let lost = cluster().answering(Answer::LostBefore);
    let outcome = at_once(&lost).perform(&first(&lost).await, &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert_eq!(lost.changes(), 1, "one intent, one request");
    let denied = cluster().answering(Answer::Denied);
    assert_eq!(
        refused(&at_once(&denied).perform(&first(&denied).await, &Halt::never()).await),
        ["serverRefused"]
    );
    let blind = cluster().answering(Answer::LostBlind);
    assert_eq!(at_once(&blind).perform(&first(&blind).await, &Halt::never()).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_closed_by_the_entries_of_its_stamp() {
    let cluster = cluster();
    let seal = first(&cluster).await;
    assert_eq!(seal.stamp(), STAMP);
    let outcome = at_once(&cluster).close(&seal).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    block(&cluster, &target(), wish(), Span::ZERO, 8).await;
    let outcome = at_once(&cluster).close(&seal).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "another's entry: {outcome:?}");
    let mut policy = get(&cluster, &address(&target())).expect("it was made");
    policy["metadata"]["annotations"][BLOCKED] = json!("?");
    put(&cluster, address(&target()), policy);
    assert_eq!(at_once(&cluster).close(&seal).await.name(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_revert_is_held_by_a_pause_and_outlives_its_target() {
    let cluster = cluster();
    let seal = block(&cluster, &target(), wish(), Span::ZERO, 7).await;
    let over = Span::from_hours(1);
    let back = unblocking(&cluster, &seal, over, 8).await;
    let pause = json!({"metadata": {"annotations": {"paramedic.dev/pause-until": PAUSED}}});
    put(&cluster, SPACES.named("", "prod"), pause);
    assert_eq!(
        refused(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await),
        ["pausedByAnnotation"]
    );
    put(&cluster, SPACES.named("", "prod"), json!({}));
    drop_one(&cluster, DEPLOYMENTS.named("prod", "web"));
    done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
    assert_eq!(get(&cluster, &address(&target())), None);
    let ask = paramedic_policies::question::Ask::Preflight {
        target: target(),
        wish: Wish::BlockIp(wish()),
        diff: false,
    };
    let found = fakes::asked(&at_once(&cluster), ask).await;
    assert!(matches!(&found, Found::Absent { what } if what == "prod/deployment/web"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_touches_no_hands() {
    let cluster = cluster();
    let seal = first(&cluster).await;
    let seal = fakes::sealed(Intent { mode: Mode::DryRun, ..(*seal).clone() });
    done(&at_once(&cluster).perform(&seal, &Halt::never()).await);
    assert_eq!((kept_out(&cluster).len(), cluster.changes()), (0, 0));
    let found = fakes::preflight(&at_once(&cluster), target(), Wish::BlockIp(wish()), true).await;
    let fields = found.diff.expect("one was asked for").fields;
    assert_eq!(fields[0].path, "client 203.0.113.7 of prod/deployment/web");
}

#[test]
fn an_entry_of_an_intent_is_told_from_the_same_of_another() {
    let range = "203.0.113.7".parse().expect("an address");
    let entry = Entry { range, lasts: Span::from_hours(1), times: 1 };
    let block = Block { ranges: vec![entry], terms: terms(Means::NetworkPolicy) };
    let record = super::super::record::Record::default().with(&block, "a", now()).with(&block, "b", now());
    let left = record.without(&block.ranges, "a", now());
    assert!(left.holds(range, "b") && !left.holds(range, "a"));
    // What a lost journal left behind is swept away by whoever comes by.
    let swept = left.with(&block, "c", later(Span::from_hours(2)));
    assert!(!swept.holds(range, "b"));
}
