//! `paramedic cleanup` on a real API server: what real levers left is found by its stamps and taken away, and what a
//! colleague changed since is left.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use paramedic_policies::action::{Intent, Outcome, Wish};
use paramedic_policies::remediation::block_ip::{self, ClientAddress, Means, Terms, Whom};
use paramedic_policies::remediation::freeze_deploys;
use paramedic_policies::remediation::patch::{Field, SwitchPlace};
use paramedic_policies::remediation::quarantine;
use paramedic_policies::remediation::scale::{self, Amount};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::Remedies;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::paramedic::{Paramedic, Said, command};
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::kubeconfig;
use crate::remediations::least::{Asks, WEB, account_with, any, book};
use crate::remediations::stand::{intent, kubernetes, preflight, rests, sealed, stamp, target, world};

const POLICIES: [Asks; 6] = [
    (WEB, "[{freezeDeploys: {for: 1h}}]"),
    (
        WEB,
        "[{blockIp: {by: networkPolicy, clientAddress: peer, address: '{{ labels.ip }}', for: 1h, enforced: true}}]",
    ),
    ("{kind: ConfigMap, namespace: NS, name: flags}", "[{patch: {switch: {key: maintenance, to: 'on'}}}]"),
    ("{kind: ConfigMap, namespace: NS, name: theirs}", "[{patch: {switch: {key: maintenance, to: 'on'}}}]"),
    (WEB, "[{scale: {by: 1, max: 9}}]"),
    (any!("Pod"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]"),
];

/// Of the intents of the first test.
const STAMPS: std::ops::Range<u64> = 201..205;

async fn done(world: &Remedies, id: u64, target: &Target, wish: Wish) -> Intent {
    let found = preflight(world, target, wish, false).await;
    assert!(found.refusals.is_empty(), "{found:?}");
    let intent = intent(id, target, &found);
    let outcome = world.perform(&sealed(intent.clone()), &Halt::never()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, .. }), "{outcome:?}");
    intent
}

fn block() -> Wish {
    let terms = Terms {
        by: Means::NetworkPolicy,
        client_address: ClientAddress::Peer,
        lasts: Span::from_hours(1),
        growth: None,
        private: false,
        ipv4_bits: 32,
        ipv6_bits: 64,
        entries: 100,
        enforced: true,
        controller: ("ingress-nginx".into(), "ingress-nginx-controller".into()),
    };
    let whom = Whom::Address("203.0.113.7".parse().expect("an address"));
    Wish::BlockIp(block_ip::Wish { whom, allow: Vec::new(), terms })
}

fn freeze(shop: &Namespace) -> Wish {
    Wish::FreezeDeploys(freeze_deploys::Wish {
        namespaces: vec![shop.name.clone()],
        lasts: Span::from_hours(1),
        reason: None,
        break_glass: "break-glass".into(),
        reach: Vec::new(),
    })
}

fn quarantine() -> Wish {
    let lasts = Span::from_hours(2);
    Wish::Quarantine(quarantine::Wish {
        lasts,
        detach: true,
        dns: true,
        max: 5,
        enforced: true,
        rejoin: false,
    })
}

fn switch() -> Wish {
    Wish::Patch(Field::Switch { place: SwitchPlace::Key("maintenance".into()), to: "on".into() })
}

async fn cleanup(cluster: &ControlPlane, shop: &Namespace, more: &[&str]) -> Said {
    let admin = cluster.kubeconfig(User::Admin).display().to_string();
    let mut all = vec!["cleanup", "--kubeconfig", &admin, "--namespace", &shop.name];
    all.extend(more);
    command(&all).await
}

/// Every object of the namespace and of the freezes that a stamp of these intents is on.
async fn stamped(cluster: &ControlPlane, shop: &Namespace, ids: std::ops::Range<u64>) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: String, object: &Value| {
        let text = object.to_string();
        if ids.clone().any(|id| text.contains(&format!("{}\"", stamp(id)))) {
            found.push(what);
        }
    };
    for kind in ["NetworkPolicy", "ConfigMap", "Deployment", "Service", "Pod"] {
        for (name, object) in shop.list(kind, "").await {
            note(format!("{kind} {name}"), &object);
        }
    }
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let api: Api<DynamicObject> =
            Api::all_with(cluster.client(User::Admin).await, &ApiResource::from_gvk(&gvk));
        for object in api.list(&Default::default()).await.expect("a list").items {
            note(kind.to_owned(), &serde_json::to_value(object).expect("JSON"));
        }
    }
    found
}

#[tokio::test]
async fn nothing_with_a_stamp_remains_after_a_clean_up() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("cleanup").await;
    shop.deployment("web", 2).await;
    let data = json!({"maintenance": "off", "other": "x"});
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "flags"}, "data": data})).await;
    let web = target(&shop, "Deployment", "web");
    let suspect = shop.pods("web").await.into_keys().next().expect("a pod");
    let labels = shop.get("Pod", &suspect).await["metadata"]["labels"].clone();
    {
        // The daemon's own hands, which are gone after this.
        let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
        let world = world(&kubernetes);
        rests(&kubernetes, &web).await;
        done(&world, 201, &web, freeze(&shop)).await;
        done(&world, 202, &web, block()).await;
        done(&world, 203, &target(&shop, "ConfigMap", "flags"), switch()).await;
        done(&world, 204, &target(&shop, "Pod", &suspect), quarantine()).await;
    }
    assert_eq!(stamped(cluster, &shop, STAMPS).await.len(), 6);

    let said = cleanup(cluster, &shop, &["--dry-run"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let block = format!("{}/networkpolicy/paramedic-block-deployment-web", shop.name);
    for part in
        ["remove   validatingadmissionpolicybinding/", &block, "data.maintenance: on -> off", "(intent "]
    {
        assert!(said.stdout.contains(part), "no {part} in {said:?}");
    }
    assert!(said.stderr.contains("6 traces would be cleaned"), "{said:?}");
    assert_eq!(stamped(cluster, &shop, STAMPS).await.len(), 6, "a dry run changes nothing");

    let unasked = cleanup(cluster, &shop, &[]).await;
    assert_eq!(unasked.code, Some(1), "nobody can be asked here: {unasked:?}");
    assert!(unasked.stderr.contains("add --yes"), "{unasked:?}");

    let said = cleanup(cluster, &shop, &["--yes"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let order: Vec<Option<usize>> =
        ["validatingadmissionpolicybinding/", "validatingadmissionpolicy/", "/pod/", "networkpolicy/"]
            .iter()
            .map(|kind| said.stderr.find(kind))
            .collect();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{said:?}");
    assert_eq!(stamped(cluster, &shop, STAMPS).await, [""; 0]);
    // The ReplicaSet may have ended it meanwhile: it has made another for it.
    if let Some(pod) = shop.try_get("Pod", &suspect).await {
        assert_eq!(pod["metadata"]["labels"], labels);
    }
    assert_eq!(shop.get("ConfigMap", "flags").await["data"], json!({"maintenance": "off", "other": "x"}));

    let again = cleanup(cluster, &shop, &["--yes"]).await;
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{again:?}");
}

#[tokio::test]
async fn what_a_colleague_changed_and_what_nobody_remembers_is_left() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("cleanup-not").await;
    shop.deployment("web", 2).await;
    let data = json!({"maintenance": "off"});
    shop.apply(json!({"kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": data})).await;
    let (web, theirs) = (target(&shop, "Deployment", "web"), target(&shop, "ConfigMap", "theirs"));
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    rests(&kubernetes, &web).await;
    done(&world, 211, &web, block()).await;
    done(&world, 212, &theirs, switch()).await;
    let more =
        scale::Wish { amount: Amount::By(1), max: Some(9), min: None, max_step: None, allow_down: false };
    done(&world, 213, &web, Wish::Scale(more)).await;
    shop.patch(
        "NetworkPolicy",
        "paramedic-block-deployment-web",
        json!({"metadata": {"labels": {"team": "shop"}}}),
    )
    .await;
    shop.patch("ConfigMap", "theirs", json!({"data": {"maintenance": "read-only"}})).await;
    let before = shop.get("ConfigMap", "theirs").await;

    let said = cleanup(cluster, &shop, &["--yes"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in [
        "tests has changed it since paramedic made it",
        "data.maintenance was off before the intent, and tests has written it since",
        &format!("intent {} set spec.replicas", stamp(213)),
    ] {
        assert!(said.stdout.contains(part), "no {part} in {said:?}");
    }
    assert_eq!(
        shop.get("ConfigMap", "theirs").await["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], json!(3));
    assert!(shop.try_get("NetworkPolicy", "paramedic-block-deployment-web").await.is_some());
}

/// Not by its address: a daemon inside the cluster calls it otherwise than whoever cleans from outside.
#[tokio::test]
async fn nothing_is_cleaned_beside_a_daemon_that_acts_on_the_same_cluster_or_cannot_tell() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("cleanup-beside").await;
    let folder = Scratch::new("cleanup-beside");
    let least = kubeconfig(cluster, &account_with(cluster, &BTreeMap::new()).await, &folder);
    let admin = cluster.kubeconfig(User::Admin);
    let book = book(&shop, &[(WEB, "[{restart: {}}]")]);
    let policy = &book.source().files[0].text;
    let clean = async |server: &str, more: &[&str]| {
        cleanup(cluster, &shop, &[&["--yes", "--server", server], more].concat()).await
    };
    for (account, mode, refused, way_on) in [
        (admin.as_path(), "enforce", "and acts on this cluster", false),
        (Path::new(&least), "approve", "nobody knows whether that is this cluster", true),
        (admin.as_path(), "dry-run", "", true),
    ] {
        let plan = Paramedic::plan().policy("restart.yaml", policy).kubeconfig(account).mode(mode);
        let daemon = plan.start().await;
        eventually(Duration::from_secs(60), "the daemon has asked the API server", async || {
            let (_, status) = daemon.get("/api/v1/status").await;
            let knows = status["clusterUid"].is_string() || mode == "approve";
            seen(knows && status["kubernetesAnswers"]["is"] == "answered", || status.to_string())
        })
        .await;
        let said = clean(&daemon.url(), &[]).await;
        assert_eq!(said.code, Some(i32::from(!refused.is_empty())), "{mode}: {said:?}");
        assert!(said.stderr.contains(refused), "{mode}: {said:?}");
        let said = clean(&daemon.url(), &["--daemon-is-elsewhere"]).await;
        assert_eq!(said.code, Some(i32::from(!way_on)), "{mode}: {said:?}");
    }
}
