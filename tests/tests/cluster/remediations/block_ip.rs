//! Blocks as a real API server keeps them: what it makes of our policy and our list, two intents that come at once, and
//! the way back. There is no network here that would enforce a policy; what a proxy does with a list is shown elsewhere.

use paramedic_policies::action::{Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::{self, ClientAddress, Growth, Means, Terms, Whom};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::Remedies;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use serde_json::{Value, json};

use super::least::{Asks, WEB};
use super::stand::{intent, kubernetes, preflight, sealed, stamp, target, words, world};

/// On pods, and at an Ingress.
pub(super) const POLICIES: [Asks; 2] = [
    (
        WEB,
        "[{blockIp: {by: networkPolicy, clientAddress: peer, address: '{{ labels.ip }}', for: 1h, enforced: true}}]",
    ),
    (
        "{kind: Ingress.networking.k8s.io, namespace: NS, name: shop}",
        "[{blockIp: {by: ingressNginx, clientAddress: forwarded, address: '{{ labels.ip }}', for: 1h, \
         controller: NS/ingress-nginx-controller}}]",
    ),
];

pub(super) const LIST: &str = "nginx.ingress.kubernetes.io/denylist-source-range";
const BLOCKED: &str = "paramedic.dev/blocked";
const POLICY: &str = "paramedic-block-deployment-web";

pub(super) fn wish(address: &str, by: Means, controller: &Namespace) -> Wish {
    let client_address = match by {
        Means::NetworkPolicy => ClientAddress::Peer,
        Means::IngressNginx => ClientAddress::Forwarded,
    };
    let terms = Terms {
        by,
        client_address,
        lasts: Span::from_hours(1),
        growth: None,
        private: false,
        ipv4_bits: 32,
        ipv6_bits: 64,
        entries: 100,
        enforced: true,
        controller: (controller.name.clone(), "ingress-nginx-controller".into()),
    };
    let whom = Whom::Address(address.parse().expect("an address"));
    Wish::BlockIp(block_ip::Wish { whom, allow: Vec::new(), terms })
}

pub(super) fn done(outcome: &Outcome) -> &Diff {
    match outcome {
        Outcome::Done { diff: Some(diff), already: false } => diff,
        other => panic!("not done: {other:?}"),
    }
}

fn names(found: &Preflight) -> Vec<&'static str> {
    found.refusals.iter().map(Reason::name).collect()
}

pub(super) async fn blocking(world: &Remedies, id: u64, target: &Target, wish: Wish) -> Intent {
    let found = preflight(world, target, wish, false).await;
    assert_eq!(names(&found), [""; 0], "{found:?}");
    intent(id, target, &found)
}

/// Takes an intent back, as the engine does when its time is over.
async fn taken_back(world: &Remedies, id: u64, blocked: &Intent) {
    let found = preflight(world, &blocked.target, Wish::Revert(blocked.action.clone()), false).await;
    assert_eq!(names(&found), [""; 0], "{found:?}");
    let back = Intent { reverts: Some(blocked.id), charged: false, ..intent(id, &blocked.target, &found) };
    let seal = sealed(back);
    done(&world.perform(&seal, &Halt::never()).await);
    done(&world.close(&seal).await);
    assert_eq!(world.perform(&seal, &Halt::never()).await, Outcome::Done { diff: None, already: true });
}

fn except(policy: &Value) -> Vec<&str> {
    let from = policy.pointer("/spec/ingress/0/from").and_then(Value::as_array).expect("peers");
    let lists = from.iter().filter_map(|peer| peer.pointer("/ipBlock/except")?.as_array());
    lists.flatten().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn a_policy_keeps_addresses_out_and_goes_with_the_last() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("block-policy").await;
    shop.deployment("web", 2).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, web) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let wish = |address: &str| wish(address, Means::NetworkPolicy, &shop);
    let found = preflight(&world, &web, wish("203.0.113.7"), true).await;
    assert_eq!(words(found.action.as_ref()), "block 203.0.113.7 for 1h", "{found:?}");
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));
    let first = intent(110, &web, &found);
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..first.clone() }), &Halt::never()).await;
    assert_eq!(done(&rehearsed).source, DiffSource::ServerDryRun);
    assert_eq!(shop.try_get("NetworkPolicy", POLICY).await, None, "a rehearsal makes nothing");

    // Two at once: one makes the object, the other finds it made.
    let second = blocking(&world, 111, &web, wish("2001:db8::1")).await;
    let (one, two) = (sealed(first.clone()), sealed(second.clone()));
    let halt = Halt::never();
    let (one_ended, two_ended) = tokio::join!(world.perform(&one, &halt), world.perform(&two, &halt));
    done(&one_ended);
    done(&two_ended);
    let made = shop.get("NetworkPolicy", POLICY).await;
    assert_eq!(except(&made), ["203.0.113.7/32", "2001:db8::1/128"]);
    let kept = made["metadata"]["annotations"][BLOCKED].as_str().expect("a record");
    assert!(kept.contains(&stamp(110)) && kept.contains(&stamp(111)), "{kept}");
    assert_eq!(made.pointer("/metadata/labels/app.kubernetes.io~1managed-by"), Some(&json!("paramedic")));

    // Once is enough.
    done(&world.perform(&one, &Halt::never()).await);
    done(&world.close(&two).await);
    assert_eq!(shop.get("NetworkPolicy", POLICY).await, made, "a repeat changes nothing");
    let again = preflight(&world, &web, wish("203.0.113.7"), false).await;
    assert!(again.already && again.refusals.is_empty(), "{again:?}");

    taken_back(&world, 112, &first).await;
    assert_eq!(except(&shop.get("NetworkPolicy", POLICY).await), ["2001:db8::1/128"]);
    taken_back(&world, 113, &second).await;
    assert_eq!(shop.try_get("NetworkPolicy", POLICY).await, None, "nothing is left behind");
    let revert = preflight(&world, &web, Wish::Revert(second.action), false).await;
    assert!(revert.already && revert.refusals.is_empty(), "{revert:?}");
}

#[tokio::test]
async fn a_policy_is_refused_where_it_would_not_hold_or_hit_the_cluster() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("block-refused").await;
    shop.deployment("web", 1).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, web) = (world(&kubernetes), target(&shop, "Deployment", "web"));
    let wish = |address: &str| wish(address, Means::NetworkPolicy, &shop);
    for own in ["127.0.0.1", "10.0.0.1"] {
        assert_eq!(names(&preflight(&world, &web, wish(own), false).await), ["neverBlocked"], "{own}");
    }
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    shop.apply(json!({"kind": "NetworkPolicy", "metadata": {"name": "all"}, "spec": spec})).await;
    let found = preflight(&world, &web, wish("203.0.113.7"), false).await;
    assert_eq!(names(&found), ["wrongLever"]);
    let why = found.refusals[0].to_string();
    assert!(why.contains("networkpolicy/all lets 203.0.113.7 in"), "{why}");
    shop.delete("NetworkPolicy", "all").await;

    // What a colleague makes of our policy is theirs.
    let first = blocking(&world, 114, &web, wish("203.0.113.7")).await;
    done(&world.perform(&sealed(first.clone()), &Halt::never()).await);
    shop.patch("NetworkPolicy", POLICY, json!({"spec": {"ingress": []}})).await;
    let found = preflight(&world, &web, Wish::Revert(first.action), false).await;
    assert_eq!(names(&found), ["changed"], "{found:?}");
}

pub(super) async fn front(shop: &Namespace, annotations: Value) -> Target {
    let class = json!({"kind": "IngressClass", "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"}});
    shop.apply(class).await;
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "ingress-nginx-controller"}, "data": {}}))
        .await;
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    shop.apply(json!({"kind": "Ingress", "metadata": {"name": "shop", "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example", "http": {"paths": paths}}]}}))
        .await;
    target(shop, block_ip::INGRESS, "shop")
}

#[tokio::test]
async fn an_ingress_keeps_what_people_wrote_and_loses_what_we_did() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("block-ingress").await;
    let front = front(&shop, json!({LIST: "198.51.100.0/24, 192.0.2.1"})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    let wish = |address: &str| wish(address, Means::IngressNginx, &shop);
    let list = async || {
        let annotations = shop.get("Ingress", "shop").await["metadata"]["annotations"].clone();
        annotations[LIST].as_str().unwrap_or("-").to_owned()
    };
    let one = blocking(&world, 115, &front, wish("203.0.113.7")).await;
    let two = blocking(&world, 116, &front, wish("2001:db8::/64")).await;
    let (first, second) = (sealed(one.clone()), sealed(two.clone()));
    let halt = Halt::never();
    let (one_ended, two_ended) = tokio::join!(world.perform(&first, &halt), world.perform(&second, &halt));
    done(&one_ended);
    done(&two_ended);
    assert_eq!(list().await, "198.51.100.0/24, 192.0.2.1,203.0.113.7/32,2001:db8::/64");
    taken_back(&world, 117, &two).await;
    // A person goes on writing meanwhile.
    let more = format!("{},192.0.2.9", list().await);
    shop.patch("Ingress", "shop", json!({"metadata": {"annotations": {LIST: more}}})).await;
    taken_back(&world, 118, &one).await;
    assert_eq!(list().await, "198.51.100.0/24, 192.0.2.1,192.0.2.9");
    let annotations = shop.get("Ingress", "shop").await["metadata"]["annotations"].clone();
    assert_eq!(annotations.get(BLOCKED), None, "{annotations}");
}

#[tokio::test]
async fn who_comes_back_stays_out_longer_on_a_bare_ingress_too() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("block-again").await;
    let front = front(&shop, json!({})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    let wish = || {
        let Wish::BlockIp(mut wish) = wish("203.0.113.7", Means::IngressNginx, &shop) else { unreachable!() };
        let growth = Growth { factor: 4, up_to: Span::from_hours(24), within: Span::from_hours(24) };
        wish.terms.growth = Some(growth);
        Wish::BlockIp(wish)
    };
    let one = blocking(&world, 119, &front, wish()).await;
    done(&world.perform(&sealed(one.clone()), &Halt::never()).await);
    taken_back(&world, 120, &one).await;
    let annotations = shop.get("Ingress", "shop").await["metadata"]["annotations"].clone();
    assert_eq!(annotations.get(LIST), None, "{annotations}");
    let found = preflight(&world, &front, wish(), false).await;
    assert_eq!(words(found.action.as_ref()), "block 203.0.113.7 for 4h (time 2)", "{found:?}");
}
