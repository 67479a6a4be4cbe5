//! That a block keeps out whom it names and nobody else, each for its own time, over a cluster in memory.

use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{self, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Number, Preflight, Sample};
use paramedic_policies::event::Seq;
use paramedic_policies::remediation::block_ip::{
    self, Action, Block, ClientAddress, Entry, Growth, INGRESS, Means, Terms, Whom,
};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde_json::{Value, json};

use super::ground::{DAEMON_SETS, PODS};
use super::ingress::{DENYLIST, INGRESSES};
use super::network_policy::{POLICIES, address};
use super::record::BLOCKED;
use super::{SERVICES, text};
use crate::Remedies;
use crate::fakes::{self, Answer, FakeCluster, FakeHttp, STAMP, intent, names, now, refused, target};
use crate::ports::halt::Halt;
use crate::ports::metrics::Metrics;
use crate::ports::objects::{Address, Resource};
use crate::ports::world::World;
use crate::seal::Sealed;

mod by_ingress;
mod by_policy;

const DEPLOYMENTS: Resource = Resource::namespaced("apps", "v1", "deployments", "Deployment");
const NODES: Resource = Resource::of_cluster("", "v1", "nodes", "Node");
const SPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");
const PAUSED: &str = "2999-01-01T00:00:00Z";

fn terms(by: Means) -> Terms {
    let client_address = match by {
        Means::NetworkPolicy => ClientAddress::Peer,
        Means::IngressNginx => ClientAddress::Forwarded,
    };
    Terms {
        by,
        client_address,
        lasts: Span::from_hours(1),
        growth: None,
        private: false,
        ipv4_bits: 32,
        ipv6_bits: 64,
        entries: 100,
        enforced: false,
        controller: ("ingress-nginx".into(), "ingress-nginx-controller".into()),
    }
}

fn growing(by: Means) -> Terms {
    let growth = Growth { factor: 4, up_to: Span::from_hours(24), within: Span::from_hours(48) };
    Terms { growth: Some(growth), ..terms(by) }
}

fn of(address: &str, terms: Terms) -> block_ip::Wish {
    let range = address.parse().expect("an address");
    block_ip::Wish { whom: Whom::Address(range), allow: Vec::new(), terms }
}

fn put(cluster: &FakeCluster, at: Address, object: Value) {
    cluster.objects.lock().expect("no test panicked").put(at, object);
}

fn get(cluster: &FakeCluster, at: &Address) -> Option<Value> {
    cluster.objects.lock().expect("no test panicked").get(at).cloned()
}

/// Series of a query, by address.
struct Series(Vec<&'static str>);

#[async_trait]
impl Metrics for Series {
    async fn query(&self, _: &str) -> Found {
        let sample = |address: &&str| Sample {
            labels: [("source_ip".to_owned(), (*address).to_owned())].into_iter().collect(),
            value: Number(120.0),
        };
        Found::Series(self.0.iter().map(sample).collect())
    }
}

/// The world, so long after the beginning.
fn at(cluster: &Arc<FakeCluster>, after: Span, series: &[&'static str]) -> Remedies {
    let clock = move || now() + after;
    let http = FakeHttp::new(&[]);
    Remedies::with_hands(Some(cluster.clone()), http, Arc::new(Series(series.to_vec())), Arc::new(clock))
}

fn at_once(cluster: &Arc<FakeCluster>) -> Remedies {
    at(cluster, Span::ZERO, &[])
}

fn later(after: Span) -> Moment {
    now() + after
}

async fn asked(world: &Remedies, target: &Target, wish: block_ip::Wish) -> Preflight {
    fakes::preflight(world, target.clone(), Wish::BlockIp(wish), false).await
}

fn said(found: &Preflight) -> String {
    match (&found.action, found.already) {
        (Some(action), false) => action.to_string(),
        (None, true) if found.refusals.is_empty() => "already".into(),
        (None, _) => found.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        (Some(_), true) => panic!("both"),
    }
}

fn blocking(target: &Target, found: &Preflight, after: Span, id: u64) -> Sealed<Intent> {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    let moment = later(after);
    let one = Intent {
        id: Seq(id),
        target: target.clone(),
        uid: String::new(),
        at: moment,
        deadline: moment + Span::from_mins(10),
        ..intent(action)
    };
    fakes::sealed(one)
}

/// Blocks an address, as the engine would.
async fn block(
    cluster: &Arc<FakeCluster>,
    target: &Target,
    wish: block_ip::Wish,
    after: Span,
    id: u64,
) -> Sealed<Intent> {
    let world = at(cluster, after, &[]);
    let seal = blocking(target, &asked(&world, target, wish).await, after, id);
    done(&world.perform(&seal, &Halt::never()).await);
    seal
}

/// What takes a block back, as the engine would ask for it, so long after the beginning.
async fn unblocking(cluster: &Arc<FakeCluster>, of: &Sealed<Intent>, after: Span, id: u64) -> Sealed<Intent> {
    let world = at(cluster, after, &[]);
    let revert = Wish::Revert(of.action.clone());
    let found = fakes::preflight(&world, of.target.clone(), revert, false).await;
    let seal = blocking(&of.target, &found, after, id);
    let back = Intent { reverts: Some(of.id), charged: false, ..(*seal).clone() };
    fakes::sealed(back)
}

fn done(outcome: &Outcome) -> &Outcome {
    assert!(matches!(outcome, Outcome::Done { already: false, diff: Some(_) }), "{outcome:?}");
    outcome
}

#[tokio::test(start_paused = true)]
async fn who_must_never_be_blocked_is_not() {
    let cluster = by_policy::cluster();
    let node = json!({"status": {"addresses": [
        {"type": "InternalIP", "address": "203.0.113.50"}, {"type": "Hostname", "address": "a"}]},
        "spec": {"podCIDR": "2001:db8:1::/64", "podCIDRs": ["2001:db8:1::/64", "198.51.100.0/24"]}});
    put(&cluster, NODES.named("", "a"), node);
    let service = json!({"spec": {"clusterIPs": ["203.0.113.60"], "externalIPs": ["203.0.113.61"]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.62"}, {"hostname": "x"}]}}});
    put(&cluster, SERVICES.named("kube-system", "dns"), service);
    let mut told = String::new();
    for address in [
        "203.0.113.7",
        "203.0.113.0/24",
        "203.0.113.50",
        "198.51.100.9",
        "2001:db8:1::/64",
        "2001:db8:2::/64",
        "2001:db8::/32",
        "203.0.113.60",
        "203.0.113.61",
        "203.0.113.62",
        "203.0.113.90",
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.9",
        "35.191.3.4",
        "192.0.2.200",
    ] {
        let mut wish = of(address, terms(Means::NetworkPolicy));
        wish.allow =
            vec!["203.0.113.90".parse().expect("an address"), "192.0.2.128/25".parse().expect("a range")];
        told.push_str(&format!("{address}: {}\n", said(&asked(&at_once(&cluster), &target(), wish).await)));
    }
    insta::assert_snapshot!(told);
    let inner = Terms { private: true, ..terms(Means::NetworkPolicy) };
    let found = asked(&at_once(&cluster), &target(), of("10.0.0.9", inner)).await;
    assert_eq!(said(&found), "block 10.0.0.9 for 1h");
    // A range that holds who is allowed is no better than the address itself.
    let mut wide = of("192.0.2.0/24", Terms { ipv4_bits: 24, ..terms(Means::NetworkPolicy) });
    wide.allow = vec!["192.0.2.200".parse().expect("an address")];
    assert_eq!(names(&asked(&at_once(&cluster), &target(), wide).await.refusals), ["neverBlocked"]);
}

#[tokio::test(start_paused = true)]
async fn a_query_names_several_and_its_bad_ones_are_left_out() {
    let cluster = by_policy::cluster();
    let wish = |max: u32| block_ip::Wish {
        whom: Whom::Query { promql: "q".into(), label: "source_ip".into(), max },
        ..of("192.0.2.1", terms(Means::NetworkPolicy))
    };
    let series = ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.7", "10.0.0.1", "-", "2001:db8::1"];
    let found = asked(&at(&cluster, Span::ZERO, &series), &target(), wish(5)).await;
    let wanted = "block 203.0.113.7 for 1h, 203.0.113.9 for 1h, 2001:db8::/64 for 1h";
    assert_eq!(said(&found), wanted, "{found:?}");
    let left: Vec<&String> = found.passed.iter().filter(|passed| passed.starts_with("leaves")).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let found = asked(&at(&cluster, Span::ZERO, &series), &target(), wish(3)).await;
    assert_eq!(names(&found.refusals), ["outOfBounds"], "{found:?}");
    for (series, refusal) in
        [(vec![], "factUnknown"), (vec!["-"], "factUnknown"), (vec!["10.0.0.1"], "neverBlocked")]
    {
        let found = asked(&at(&cluster, Span::ZERO, &series), &target(), wish(3)).await;
        assert_eq!(names(&found.refusals), [refusal], "{series:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_stays_out_longer_and_is_forgotten_in_the_end() {
    let (cluster, web) = (by_policy::cluster(), target());
    let wish = || of("203.0.113.7", growing(Means::NetworkPolicy));
    let mut clock = Span::ZERO;
    let mut lengths = Vec::new();
    for round in 0..4 {
        let seal = block(&cluster, &web, wish(), clock, 10 + 2 * round).await;
        lengths.push(seal.action.to_string());
        let action::Action::BlockIp(Action::Block(Block { ranges, .. })) = &seal.action else { panic!() };
        clock = Span::from_ms(clock.ms() + ranges[0].lasts.ms() + 1);
        let back = unblocking(&cluster, &seal, clock, 11 + 2 * round).await;
        done(&at(&cluster, clock, &[]).perform(&back, &Halt::never()).await);
    }
    assert_eq!(
        lengths,
        [
            "block 203.0.113.7 for 1h",
            "block 203.0.113.7 for 4h (time 2)",
            "block 203.0.113.7 for 16h (time 3)",
            "block 203.0.113.7 for 1d (time 4)",
        ]
    );
    // The policy is still there to remember, and selects nobody.
    let kept = get(&cluster, &address(&web)).expect("it remembers");
    assert_eq!(kept.pointer("/spec/podSelector/matchExpressions/0/operator"), Some(&json!("Exists")));
    let found =
        asked(&at(&cluster, clock, &[]), &web, of("203.0.113.8", growing(Means::NetworkPolicy))).await;
    assert_eq!(said(&found), "block 203.0.113.8 for 1h", "another is a stranger");
    let forgotten = Span::from_ms(clock.ms() + Span::from_hours(49).ms());
    let found = asked(&at(&cluster, forgotten, &[]), &web, wish()).await;
    assert_eq!(said(&found), "block 203.0.113.7 for 1h", "it has stayed away for long");
}

#[tokio::test(start_paused = true)]
async fn entries_of_one_intent_end_each_at_its_own_time() {
    let (cluster, web) = (by_policy::cluster(), target());
    let growing = || growing(Means::NetworkPolicy);
    let first = block(&cluster, &web, of("203.0.113.7", growing()), Span::ZERO, 7).await;
    let back = unblocking(&cluster, &first, Span::from_mins(61), 8).await;
    done(&at(&cluster, Span::from_mins(61), &[]).perform(&back, &Halt::never()).await);
    // Once more, with another one.
    let begun = Span::from_hours(2);
    let series = ["203.0.113.7", "203.0.113.8"];
    let whom = Whom::Query { promql: "q".into(), label: "source_ip".into(), max: 5 };
    let world = at(&cluster, begun, &series);
    let found = asked(&world, &web, block_ip::Wish { whom, ..of("192.0.2.1", growing()) }).await;
    assert_eq!(said(&found), "block 203.0.113.7 for 4h (time 2), 203.0.113.8 for 1h");
    let seal = blocking(&web, &found, begun, 9);
    done(&world.perform(&seal, &Halt::never()).await);
    let over = Span::from_mins(3 * 60 + 1);
    let back = unblocking(&cluster, &seal, over, 10).await;
    let action::Action::BlockIp(Action::Unblock(unblock)) = &back.action else { panic!() };
    assert_eq!(back.action.to_string(), "unblock 203.0.113.8");
    assert_eq!(unblock.again, Some(later(Span::from_hours(6))), "the other one stays out");
    done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
    assert_eq!(by_policy::kept_out(&cluster), ["203.0.113.7/32"]);
    // What a person takes back before its time is taken back whole.
    let early = unblocking(&cluster, &seal, over, 11).await;
    assert_eq!(early.action.to_string(), "unblock 203.0.113.7");
}
