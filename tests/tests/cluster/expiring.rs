//! What ends by the clock, through a running daemon under its least rights: each lever that lasts is run by hand for a short
//! while on a real API server and comes back by itself, but for a pod that was taken out of production on a suspicion.

use std::collections::BTreeMap;
use std::time::Duration;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::endpoint::Endpoint;
use paramedic_policies::load;
use paramedic_policies::settings::Settings;
use paramedic_remediations::rights::{Plurals, of_book};
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use crate::remediations::freeze_reach::{self, spec};
use crate::remediations::http_call::Queue;
use crate::remediations::least::account_with;
use crate::remediations::nodes;
use crate::upkeep::kubeconfig;

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
facts: {retry: 1s}
guards: {settle: 1s, pace: {every: 1s, burst: 20}, limits: [{max: 50, per: 1h}]}
endpoints: {dlq: {url: 'URL/api'}}
";

/// Each policy: its name, its target and its step.
const POLICIES: [(&str, &str, &str); 8] = [
    (
        "switch",
        "{kind: ConfigMap, namespace: NS, name: flags}",
        "patch: {switch: {key: maintenance, to: 'on'}, for: 30s}",
    ),
    (
        "isolate",
        "{kind: Pod, namespace: NS, name: '{{ labels.pod }}'}",
        "quarantine: {for: 1m, enforced: true}",
    ),
    (
        "detach",
        "{kind: Pod, namespace: NS, name: '{{ labels.pod }}'}",
        "quarantine: {for: 1m, detach: true, enforced: true}",
    ),
    (
        "grow",
        "{kind: Deployment, namespace: NS, name: pool}",
        "scale: {by: 1, max: 4}\n      revert: {after: 30s}",
    ),
    ("drain", "{from: {node: '{{ labels.node }}'}}", "drainNode: {}\n      revert: {after: 30s}"),
    (
        "call",
        "{kind: Deployment, namespace: NS, name: api}",
        "http: {endpoint: dlq, path: /m/1, look: {path: /m/1, field: /state, is: dead}, undo: {path: /m/1/replay, \
         look: {path: /m/1, field: /state, is: queued}}}\n      revert: {after: 30s}",
    ),
    (
        "block",
        "{kind: Deployment, namespace: NS, name: edge}",
        "blockIp: {by: networkPolicy, clientAddress: peer, address: 203.0.113.7, for: 1m, enforced: true}",
    ),
    (
        "freeze",
        "{kind: Deployment, namespace: NS, name: gate}",
        "freezeDeploys: {for: 1m, argoCd: [{namespace: NS, project: shop}], \
         flux: [{kind: Kustomization, namespace: NS, name: shop}, {kind: HelmRelease, namespace: NS, name: shop}]}",
    ),
];

fn policies(shop: &Namespace) -> String {
    let one = |(name, target, step): &(&str, &str, &str)| {
        format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:\n  mode: enforce\n  \
             target: {target}\n  ladder:\n    - {step}\n  guards: {{cooldown: 0s, concurrency: 5, blastRadius: {{targets: \"off\", \
             unavailable: \"off\"}}}}\n"
        )
    };
    POLICIES.iter().map(one).collect::<Vec<_>>().join("---\n").replace("NS", &shop.name)
}

async fn run(daemon: &Paramedic, policy: &str, label: &str) {
    let said = daemon.client(&["run", policy, "--label", label, "--reason", "a test"]).await;
    assert_eq!(said.code, Some(0), "{policy}: {said:?}");
}

#[tokio::test]
async fn what_lasts_comes_back_by_the_clock_but_a_suspect() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("expiring").await;
    let _alone = nodes::alone().await;
    nodes::node(&shop, "expiring-a", "expiring").await;
    shop.deployment("web", 2).await;
    // Of their own, so that no action waits until another one has settled.
    shop.deployment("api", 1).await;
    shop.deployment("gate", 1).await;
    shop.deployment("edge", 1).await;
    shop.deployment("pool", 1).await;
    let flags = json!({"kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"maintenance": "off"}});
    shop.apply(flags).await;
    let delivery = freeze_reach::delivery(cluster, &shop).await;
    let all = [&delivery.projects, &delivery.reconciled, &delivery.released];
    let specs = async || {
        let mut found = Vec::new();
        for api in all {
            found.push(spec(api).await);
        }
        found
    };
    let before = specs().await;
    let queue = Queue::default();
    let url = queue.serve().await;

    let text = policies(&shop);
    let files = vec![SourceFile { path: "policies.yaml".into(), text: text.clone() }];
    let endpoint = Endpoint { url: format!("{url}/api"), ca_file: None, headers: BTreeMap::new() };
    let endpoints = [("dlq".to_owned(), endpoint)].into();
    let settings = Settings { mode: Mode::Enforce, endpoints, ..Settings::default() };
    let book = load::book(Source { files, settings, tzdb: String::new() }).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    let folder = Scratch::new("expiring");
    let account = account_with(cluster, &of_book(&book, &Plurals::new())).await;
    let least = kubeconfig(cluster, &account, &folder);
    let daemon = Paramedic::plan()
        .kubeconfig(least.as_ref())
        .config(&CONFIG.replace("URL", &url))
        .policy("policies.yaml", &text)
        .mode("enforce")
        .start()
        .await;

    let pods: Vec<String> = shop.pods("web").await.into_keys().collect();
    let labels = async |pod: &str| shop.get("Pod", pod).await["metadata"]["labels"].clone();
    let was = [labels(&pods[0]).await, labels(&pods[1]).await];
    run(&daemon, "isolate", &format!("pod={}", pods[0])).await;
    run(&daemon, "detach", &format!("pod={}", pods[1])).await;
    run(&daemon, "switch", "a=b").await;
    run(&daemon, "grow", "a=b").await;
    run(&daemon, "drain", "node=expiring-a").await;
    run(&daemon, "call", "a=b").await;
    run(&daemon, "block", "a=b").await;
    run(&daemon, "freeze", "a=b").await;
    let held = labels(&pods[1]).await;
    assert_eq!((held.get("app"), held["paramedic.dev/quarantine"].is_string()), (None, true), "{held}");
    assert_eq!(shop.get("Node", "expiring-a").await["spec"]["unschedulable"], true);
    assert!(shop.try_get("NetworkPolicy", "paramedic-block-deployment-edge").await.is_some());
    assert_eq!(specs().await[2]["suspend"], true);
    let scaled = daemon.records("kind=intended").await;
    assert!(scaled.iter().any(|record| record.to_string().contains("\"scale\"")), "{scaled:?}");

    let state = async || {
        let calls = daemon.records("kind=escalated").await;
        BTreeMap::from([
            ("one pod is free", json!(labels(&pods[0]).await == was[0])),
            ("the switch", shop.get("ConfigMap", "flags").await["data"]["maintenance"].clone()),
            ("the replicas", shop.get("Deployment", "pool").await["spec"]["replicas"].clone()),
            ("the node", json!(shop.get("Node", "expiring-a").await["spec"].get("unschedulable").is_some())),
            ("the calls to the queue", json!(queue.taken().len())),
            (
                "the block",
                json!(shop.try_get("NetworkPolicy", "paramedic-block-deployment-edge").await.is_some()),
            ),
            ("Argo CD and Flux", json!(specs().await == before)),
            ("people are called", json!(calls.len())),
        ])
    };
    let wanted: BTreeMap<&str, Value> = BTreeMap::from([
        ("one pod is free", json!(true)),
        ("the switch", json!("off")),
        ("the replicas", json!(1)),
        ("the node", json!(false)),
        ("the calls to the queue", json!(2)),
        ("the block", json!(false)),
        ("Argo CD and Flux", json!(true)),
        ("people are called", json!(1)),
    ]);
    eventually(Duration::from_secs(150), "everything is as it was", async || {
        let is = state().await;
        seen(is == wanted, || format!("{is:?}"))
    })
    .await;

    // The suspect is still out of production, behind its wall, and somebody has been told how it ends.
    assert_eq!(labels(&pods[1]).await, held);
    let stamp = held["paramedic.dev/quarantine"].as_str().expect("a stamp");
    let wall = format!("paramedic-quarantine-{stamp}");
    assert!(shop.try_get("NetworkPolicy", &wall).await.is_some());
    let id = stamp.rsplit('-').next().expect("a stamp ends with its intent");
    let called = daemon.records("kind=escalated").await.remove(0)["event"].to_string();
    assert!(called.contains(&format!("paramedic undo {id}")), "{called}");
    let undone = daemon.client(&["undo", id, "--reason", "it was a scanner"]).await;
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert!(shop.try_get("NetworkPolicy", &wall).await.is_none());
    if let Some(pod) = shop.try_get("Pod", &pods[1]).await {
        assert_eq!(
            pod["metadata"]["labels"], was[1],
            "its workload may have ended it since: it has one too many"
        );
    }
    shop.delete("Node", "expiring-a").await;
}
