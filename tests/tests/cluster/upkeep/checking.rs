//! `paramedic check --live` against a real API server, Prometheus and Alertmanager: a right that is missing, a query
//! that gives nothing, a target that is gone, a route that misses us are found by it, and not at three in the morning.

use std::time::Duration;

use paramedic_remediations::rights::{Plurals, of_book};
use paramedic_tests::alertmanager::{Alertmanager, Release};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::paramedic::{Said, command};
use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::json;

use super::kubeconfig;
use crate::remediations::least::{self, Asks, WEB, account_with};
use crate::remediations::nodes;

const RESTART: [Asks; 1] = [(WEB, "[{restart: {}}]")];

async fn check(policies: &str, kubeconfig: &str, prometheus: &Prometheus, more: &[&str]) -> Said {
    let url = prometheus.url();
    let mut all = vec!["check", "--live", policies, "--mode", "enforce", "--kubeconfig", kubeconfig];
    all.extend(["--prometheus-url", &url]);
    all.extend(more);
    command(&all).await
}

#[tokio::test]
async fn each_right_that_is_missing_is_found_before_the_night() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let Some(prometheus) = Prometheus::plan().start().await else { return };
    let shop = cluster.namespace("rights").await;
    shop.deployment("web", 1).await;
    let folder = Scratch::new("rights");
    let book = least::book(&shop, &RESTART);
    let policies = folder.write("policies.yaml", book.source().files[0].text.clone()).display().to_string();
    let rights = of_book(&book, &Plurals::new());

    let all = kubeconfig(cluster, &account_with(cluster, &rights).await, &folder);
    let said = check(&policies, &all, &prometheus, &[]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let (count, allowed) = (rights.len(), format!("{0} of {0} allowed to", rights.len()));
    assert!(count > 5 && said.stdout.contains(&allowed), "{said:?}");

    for missing in rights.keys() {
        let mut others = rights.clone();
        others.remove(missing);
        let less = kubeconfig(cluster, &account_with(cluster, &others).await, &folder);
        let said = check(&policies, &less, &prometheus, &[]).await;
        assert_eq!(said.code, Some(1), "{missing}: {said:?}");
        for part in
            [format!("may not {missing}, which restart needs"), missing.rule(), "policies.yaml:".into()]
        {
            assert!(said.stdout.contains(&part), "{missing}: no {part} in {said:?}");
        }
        assert_eq!(said.stdout.matches("which restart needs").count(), 1, "{missing}: {said:?}");
    }
}

#[tokio::test]
async fn a_quarantine_that_isolates_nobody_is_told_before_the_night() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let Some(prometheus) = Prometheus::plan().start().await else { return };
    let _network = nodes::network().await;
    let shop = cluster.namespace("no-network").await;
    shop.deployment("web", 1).await;
    let folder = Scratch::new("no-network");
    let book = least::book(&shop, &[(WEB, "[{quarantine: {for: 1h, detach: true}}]")]);
    let policies = folder.write("policies.yaml", book.source().files[0].text.clone()).display().to_string();
    let least = account_with(cluster, &of_book(&book, &Plurals::new())).await;
    let least = kubeconfig(cluster, &least, &folder);
    let said = check(&policies, &least, &prometheus, &[]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let wanted = "quarantine is refused in this cluster: it is the wrong lever here: no network that enforces NetworkPolicies";
    assert!(said.stdout.contains(wanted), "{}", said.stdout);
    shop.workload("DaemonSet", "cilium", 0, json!({})).await;
    let said = check(&policies, &least, &prometheus, &[]).await;
    shop.delete("DaemonSet", "cilium").await;
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// A policy of a namespace.
fn policy(shop: &Namespace, name: &str, alert: &str, target: &str, query: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:\n  mode: enforce\n  \
         match: ['alertname=\"{alert}\"']\n  target: {{kind: Deployment, namespace: {}, name: {target}}}\n  when: [{{query: \
         '{query}', is: \"> 0\"}}]\n  ladder: [{{restart: {{}}}}]\n",
        shop.name
    )
}

#[tokio::test]
async fn what_the_world_lacks_is_told_by_the_real_servers() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("live").await;
    shop.deployment("web", 1).await;
    let service = MetricsService::start().await;
    service.set("errors_ratio{deployment=\"web\"}", 0.4);
    let Some(alertmanager) =
        Alertmanager::plan(Release::Newest, "http://127.0.0.1:1/webhook/alertmanager").start().await
    else {
        return;
    };
    let plan = Prometheus::plan().scrape(service.address()).tell(&alertmanager.url());
    let plan = plan.alert("WebErrors", "errors_ratio > 0.1", json!({}));
    let Some(prometheus) = plan.alert("Unhandled", "errors_ratio > 0.2", json!({})).start().await else {
        return;
    };
    eventually(Duration::from_secs(30), "both alerts fire", async || {
        let alerts = alertmanager.alerts().await;
        seen(alerts.len() == 2, || format!("{alerts:?}"))
    })
    .await;
    let folder = Scratch::new("live");
    let filled = "errors_ratio{deployment=\"{{ labels.deployment }}\"}";
    let policies = [
        policy(&shop, "good", "WebErrors", "web", filled),
        policy(&shop, "renamed", "WebErrors", "web", "error_ratio{deployment=\"{{ labels.deployment }}\"}"),
        policy(&shop, "unfilled", "WebErrors", "'{{ labels.workload }}'", filled),
        policy(
            &shop,
            "refused",
            "NeverFires",
            "web",
            "label_replace(errors_ratio, \"a\", \"$1\", \"b\", \"(\")",
        ),
        policy(&shop, "gone", "NeverFires", "search", filled),
    ];
    let policies = folder.write("policies.yaml", policies.join("---\n")).display().to_string();
    let admin = cluster.kubeconfig(User::Admin).display().to_string();
    let url = alertmanager.url();
    let said = check(&policies, &admin, &prometheus, &["--alertmanager-url", &url]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in [
        "the query gives no series, with the values of the alert WebErrors that fires now",
        "the alert WebErrors that fires now names no target for it",
        "the query is not answered, whatever its templates become",
        &format!("there is no {}/deployment/search", shop.name),
        "alerts: warning: Unhandled fires now and no policy matches it",
        // 0.31 shows no addresses.
        "whether test posts to paramedic is not known",
    ] {
        assert!(said.stdout.contains(part), "no {part:?} in\n{}", said.stdout);
    }
    assert_eq!(said.stdout.matches(": error: ").count(), 4, "{}", said.stdout);
    let named =
        check(&policies, &admin, &prometheus, &["--alertmanager-url", &url, "--receiver", "test"]).await;
    assert!(named.stdout.contains("receiver test posts to us"), "{}", named.stdout);

    // An older one shows where it posts.
    let ours = "http://127.0.0.1:1/webhook/alertmanager";
    let Some(older) = Alertmanager::plan(Release::Debian, ours).start().await else { return };
    let url = older.url();
    let said = check(&policies, &admin, &prometheus, &["--alertmanager-url", &url]).await;
    assert!(said.stdout.contains("receiver test posts to us"), "{}", said.stdout);
    let said = check(
        &policies,
        &admin,
        &prometheus,
        &["--alertmanager-url", &url, "--webhook-url", "http://other/"],
    )
    .await;
    assert!(said.stdout.contains("no receiver posts to paramedic"), "{}", said.stdout);
}
