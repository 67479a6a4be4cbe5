//! What an operator does by hand, through a running daemon and its own command line: a freeze refuses a real update and a
//! thaw lifts it, a client is kept out and let in, an undo brings replicas back, a restoration stops at the step that does
//! not hold. Freezes and blocks run under the roles that `rbac --by-hand` prints, and nothing else.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use paramedic_policies::load::{self, built_in};
use paramedic_remediations::rights::{Plurals, of_book};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::paramedic::{Paramedic, Said};
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::json;

use crate::remediations::least::{self, WEB, account_with};
use crate::remediations::nodes;
use crate::upkeep::kubeconfig;

/// Within this the API server has learned of what it is to refuse, or no longer.
const SOON: Duration = Duration::from_secs(60);

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
facts: {retry: 1s}
guards: {settle: 1s, pace: {every: 1s, burst: 10}}
";

const POLICIES: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: more}
spec:
  mode: enforce
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - scale: {to: 4}
      verify: {rollout: complete, settle: 1s, hold: 1s, within: 1m, every: 1s}
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restore}
spec:
  mode: approve
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {to: 1}
      verify: {rollout: complete, settle: 1s, hold: 1s, within: 20s, every: 1s}
    - scale: {to: 3}
      verify: {rollout: complete, settle: 1s, hold: 1s, within: 20s, every: 1s}
  guards: {cooldown: 0s, blastRadius: {unavailable: "off"}}
"#;

async fn daemon(cluster: &ControlPlane) -> Paramedic {
    Paramedic::plan()
        .kubeconfig(&cluster.kubeconfig(User::Paramedic))
        .config(CONFIG)
        .policy("policies.yaml", POLICIES)
        .mode("enforce")
        .start()
        .await
}

/// A daemon that may do what `rbac --by-hand` prints, for a set of policies that need next to nothing.
async fn least(cluster: &ControlPlane, shop: &Namespace, folder: &Scratch) -> Paramedic {
    // One of the printed roles is for its namespace.
    controller(cluster).await;
    let book = least::book(shop, &[(WEB, "[{restart: {}}]")]);
    let text = book.source().files[0].text.clone();
    let book = load::book(built_in::with(book.source().clone())).expect("ours load beside it");
    let account = account_with(cluster, &of_book(&book, &Plurals::new())).await;
    Paramedic::plan()
        .kubeconfig(kubeconfig(cluster, &account, folder).as_ref())
        .config(CONFIG)
        .policy("policies.yaml", &text)
        .mode("enforce")
        .start()
        .await
}

/// The settings of an ingress controller where one usually stands: what is blocked by hand names no other.
async fn controller(cluster: &ControlPlane) {
    let admin = cluster.client(User::Admin).await;
    let by = PatchParams::apply("tests").force();
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ingress-nginx"}});
    let spaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(admin.clone());
    spaces.patch("ingress-nginx", &by, &Patch::Apply(&space)).await.expect("a namespace can be made");
    let name = "ingress-nginx-controller";
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}});
    let maps = Api::<ConfigMap>::namespaced(admin, "ingress-nginx");
    maps.patch(name, &by, &Patch::Apply(&settings)).await.expect("a ConfigMap can be made");
}

async fn run(daemon: &Paramedic, policy: &str, shop: &Namespace, more: &[&str]) -> Said {
    let namespace = format!("namespace={}", shop.name);
    let mut arguments = vec!["run", policy, "--label", &namespace, "--label", "deployment=web"];
    arguments.extend(more);
    daemon.client(&arguments).await
}

fn image(tag: &str) -> serde_json::Value {
    let container = json!({"name": "main", "image": format!("registry.example/shop/web:{tag}")});
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

#[tokio::test]
async fn a_freeze_by_hand_refuses_a_real_update_and_a_thaw_lifts_it() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("frozen-by-hand").await;
    shop.deployment("web", 1).await;
    let folder = Scratch::new("frozen-by-hand");
    let daemon = least(cluster, &shop, &folder).await;
    let name = shop.name.as_str();
    let reason = ["--for", "1h", "--reason", "incident 4711"];

    let shown = daemon.client(&[&["freeze", "-n", name, "--dry-run"], &reason[..]].concat()).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stderr.contains("NOTHING WAS CHANGED"), "{shown:?}");
    let deployer = shop.seen_by(cluster.client(User::Deployer).await);
    deployer.patch("Deployment", "web", image("1")).await;
    shop.rolled_out("Deployment", "web").await;

    let frozen = daemon.client(&[&["freeze", "-n", name], &reason[..]].concat()).await;
    assert_eq!(frozen.code, Some(0), "{frozen:?}");
    let refused = deployer.try_patch("Deployment", "web", image("2")).await.expect_err("it is frozen");
    assert!(refused.to_string().contains("incident 4711"), "{refused}");

    let listed = daemon.client(&["freeze"]).await;
    assert!(listed.stdout.contains(name) && listed.stdout.contains("incident 4711"), "{listed:?}");

    let thawed = daemon.client(&["thaw", "-n", name, "--reason", "over"]).await;
    assert_eq!(thawed.code, Some(0), "{thawed:?}");
    eventually(SOON, "an update passes again", async || {
        let tried = deployer.try_patch("Deployment", "web", image("2")).await;
        seen(tried.is_ok(), || format!("{:?}", tried.err()))
    })
    .await;
    let again = daemon.client(&["thaw", "-n", name]).await;
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[tokio::test]
async fn an_empty_namespace_is_frozen_by_hand_too() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("frozen-empty").await;
    let folder = Scratch::new("frozen-empty");
    let daemon = least(cluster, &shop, &folder).await;
    let name = shop.name.as_str();
    let frozen = daemon.client(&["freeze", "-n", name, "--for", "1h", "--reason", "incident 4712"]).await;
    assert_eq!(frozen.code, Some(0), "{frozen:?}");
    let thawed = daemon.client(&["thaw", "--all"]).await;
    assert_eq!(thawed.code, Some(0), "{thawed:?}");
}

#[tokio::test]
async fn a_client_is_kept_out_by_hand_and_let_in_again() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("blocked-by-hand").await;
    let workloads = [("Deployment", "web"), ("StatefulSet", "db"), ("DaemonSet", "agent")];
    for (kind, name) in workloads {
        shop.workload(kind, name, 1, json!({})).await;
    }
    let _network = nodes::network().await;
    // By this the network is known to enforce NetworkPolicies, though nothing here does.
    shop.workload("DaemonSet", "kindnet", 0, json!({})).await;
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    shop.apply(json!({"kind": "Ingress", "metadata": {"name": "shop"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example", "http": {"paths": [path]}}]}}))
        .await;
    shop.apply(json!({"kind": "IngressClass", "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"}}))
        .await;
    let folder = Scratch::new("blocked-by-hand");
    let daemon = least(cluster, &shop, &folder).await;
    let until = ["--for", "1h", "--reason", "password guessing"];
    for (kind, name) in workloads {
        let on = format!("{}/{kind}/{name}", shop.name);
        let place = ["block", "203.0.113.7", "--app", &on];
        let shown = daemon.client(&[&place[..], &["--dry-run"], &until[..]].concat()).await;
        assert_eq!(shown.code, Some(0), "{kind}: {shown:?}");
        assert!(shop.list("NetworkPolicy", "").await.is_empty(), "a rehearsal changes nothing");
        let blocked = daemon.client(&[&place[..], &until[..]].concat()).await;
        assert_eq!(blocked.code, Some(0), "{kind}: {blocked:?}");
        let policy = format!("paramedic-block-{}-{name}", kind.to_lowercase());
        let except = shop.get("NetworkPolicy", &policy).await["spec"]["ingress"].to_string();
        assert!(except.contains("203.0.113.7/32"), "{except}");
        let listed = daemon.client(&["block"]).await;
        assert!(listed.stdout.contains("203.0.113.7") && listed.stdout.contains(name), "{listed:?}");
        let unblocked = daemon.client(&["unblock", "203.0.113.7", "--app", &on]).await;
        assert_eq!(unblocked.code, Some(0), "{kind}: {unblocked:?}");
        assert!(shop.try_get("NetworkPolicy", &policy).await.is_none());
    }
    let on = format!("{}/shop", shop.name);
    let list = async || {
        let ingress = shop.get("Ingress", "shop").await;
        ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/denylist-source-range"].clone()
    };
    let blocked = daemon.client(&[&["block", "203.0.113.8", "--ingress", &on], &until[..]].concat()).await;
    assert_eq!(blocked.code, Some(0), "{blocked:?}");
    assert_eq!(list().await, "203.0.113.8/32");
    let unblocked = daemon.client(&["unblock", "203.0.113.8"]).await;
    assert_eq!(unblocked.code, Some(0), "{unblocked:?}");
    assert_eq!(list().await, json!(null));
    shop.delete("DaemonSet", "kindnet").await;
    let refused = daemon.client(&["unblock", "203.0.113.8"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[tokio::test]
async fn an_undo_brings_the_replicas_back() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("undone-by-hand").await;
    shop.deployment("web", 2).await;
    let daemon = daemon(cluster).await;

    let shown = run(&daemon, "more", &shop, &["--dry-run"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("spec.replicas: 2 -> 4"), "{shown:?}");
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], 2);

    let scaled = run(&daemon, "more", &shop, &["--reason", "a sale begins"]).await;
    assert_eq!(scaled.code, Some(0), "{scaled:?}");
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], 4);
    let intents = daemon.records("kind=intended").await;
    let intent = intents.iter().find(|record| record["event"]["intent"]["mode"] == "enforce");
    let intent = intent.expect("it was intended")["seq"].to_string();
    assert!(scaled.stderr.contains(&format!("paramedic undo {intent}")), "{scaled:?}");

    let undone = daemon.client(&["undo", &intent, "--reason", "the sale is over"]).await;
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], 2);
    let again = daemon.client(&["undo", &intent]).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("was taken back already"), "{again:?}");
}

#[tokio::test]
async fn a_gradual_restoration_stops_at_the_first_step_that_does_not_hold() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("restored-by-hand").await;
    shop.deployment("web", 1).await;
    shop.patch("Deployment", "web", json!({"spec": {"replicas": 0}})).await;
    shop.rolled_out("Deployment", "web").await;
    let daemon = daemon(cluster).await;

    // Pods of this template never become ready.
    let failing = json!({"metadata": {"annotations": {"tests.paramedic.dev/fails": "true"}}});
    shop.patch("Deployment", "web", json!({"spec": {"template": failing}})).await;
    let stopped = run(&daemon, "restore", &shop, &[]).await;
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert!(stopped.stdout.contains("ends at step 1"), "{stopped:?}");
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], 1);

    let mended = json!({"metadata": {"annotations": {"tests.paramedic.dev/fails": null}}});
    shop.patch("Deployment", "web", json!({"spec": {"replicas": 0, "template": mended}})).await;
    shop.rolled_out("Deployment", "web").await;
    let restored = run(&daemon, "restore", &shop, &["--reason", "the data is sound"]).await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert_eq!(shop.get("Deployment", "web").await["spec"]["replicas"], 3);
}
