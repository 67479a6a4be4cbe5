//! A restart that helps, and the same in dry-run, where nothing changes.

use std::time::Duration;

use paramedic_tests::alertmanager::Release;
use paramedic_tests::chain::Chain;
use paramedic_tests::story::{event, lines, of_kind, only, tells};
use paramedic_tests::waiting::{seen, stays};
use serde_json::{Value, json};

use super::{Patient, SOON, story_to};

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: high-error-rate}
spec:
  description: errors without an end; roll the pods
  mode: enforce
  match: ['alertname="HighErrorRate"', 'severity=~"critical|page"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  when:
    - {query: 'errors_ratio{namespace="{{ labels.namespace }}"}', is: "> 0.05", empty: unknown}
  ladder:
    - restart: {}
      verify:
        query: 'errors_ratio{namespace="{{ target.namespace }}", deployment="{{ target.name }}"}'
        is: "< 0.01"
        settle: 1s
        hold: 1s
        within: 1m
        every: 1s
"#;

#[tokio::test]
async fn an_alert_becomes_a_restart_that_helps_by_debians_alertmanager() {
    restarts_and_helps(Release::Debian).await;
}

#[tokio::test]
async fn an_alert_becomes_a_restart_that_helps_by_the_newest_alertmanager() {
    restarts_and_helps(Release::Newest).await;
}

#[tokio::test]
async fn dry_run_changes_nothing_and_shows_the_servers_difference_by_debians_alertmanager() {
    rehearses(Release::Debian).await;
}

#[tokio::test]
async fn dry_run_changes_nothing_and_shows_the_servers_difference_by_the_newest_alertmanager() {
    rehearses(Release::Newest).await;
}

async fn restarts_and_helps(release: Release) {
    let Some(patient) = Patient::healthy("restarting").await else { return };
    let plan = patient.chain(release, POLICY).await.paramedic(|plan| plan.mode("enforce"));
    let Some(chain) = plan.start(&patient.service).await else { return };
    let before = patient.pods().await;

    patient.errors(0.2);
    patient.recovers_by_other_pods_than(&before).await;
    let story = story_to(&chain, "closed").await;

    let target = json!({"kind": "Deployment", "namespace": patient.shop.name, "name": "web"});
    tells(
        &story,
        &[
            event("opened", json!({"labels": {"alertname": "HighErrorRate", "cluster": "tests"}})),
            event("asked", json!({"question": {"ask": {}}})),
            event("told", json!({})),
            event(
                "ruled",
                json!({"ruling": {
                    "verdict": {"is": "act"}, "mode": {"wanted": "enforce", "is": "enforce"}, "target": target,
                }}),
            ),
            event("intended", json!({"intent": {"mode": "enforce", "target": target, "charged": true}})),
            event("ended", json!({"outcome": {"done": {"already": false}}})),
            event("verified", json!({"verdict": "helped"})),
            event("concluded", json!({"conclusion": "helped"})),
            event("closed", json!({"why": "resolved"})),
        ],
    );
    let intent = only(&story, "intended");
    only(&story, "ended");
    assert_eq!(of_kind(&story, "escalated").len(), 0, "{}", lines(&story));

    // What stands on the workload leads back to the record.
    let web = patient.web().await;
    let annotations = &web["spec"]["template"]["metadata"]["annotations"];
    let stamp = annotations["paramedic.dev/intent"].as_str().unwrap_or_default().to_owned();
    assert!(stamp.ends_with(&format!("-{}", intent["seq"])), "{annotations}");
    let opened = only(&story, "opened");
    assert_eq!(annotations["paramedic.dev/correlation"], opened["event"]["correlation"], "{annotations}");
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");

    // The command line tells the same.
    let episode = opened["seq"].to_string();
    let said = chain.paramedic.client(&["audit", "query", "--episode", &episode, "--output", "json"]).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let queried: Vec<Value> = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(queried, story);
    let shown = chain.paramedic.client(&["audit", "show", &intent["seq"].to_string()]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for word in ["HighErrorRate", "restart", "helped", "resolved"] {
        assert!(shown.stdout.contains(word), "no {word} in:\n{}", shown.stdout);
    }
    let verified = chain.paramedic.client(&["audit", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

async fn rehearses(release: Release) {
    let Some(patient) = Patient::healthy("rehearsing").await else { return };
    // No `--mode`: the default is that nothing is touched.
    let plan = patient.chain(release, POLICY).await;
    let Some(chain) = plan.start(&patient.service).await else { return };
    let (before, pods) = (patient.web().await, patient.pods().await);

    patient.errors(0.2);
    let story = story_to(&chain, "concluded").await;

    tells(
        &story,
        &[
            event("opened", json!({"labels": {"alertname": "HighErrorRate"}})),
            event(
                "ruled",
                json!({"ruling": {
                    "verdict": {"is": "act"},
                    "mode": {"wanted": "enforce", "is": "dry-run", "cappedBy": "daemon"},
                    "diff": {"source": "serverDryRun"},
                }}),
            ),
            event("intended", json!({"intent": {"mode": "dry-run"}})),
            event("ended", json!({"outcome": {"done": {"diff": {"source": "serverDryRun"}}}})),
            event("concluded", json!({"conclusion": "rehearsed"})),
        ],
    );
    let ended = &only(&story, "ended")["event"]["outcome"]["done"]["diff"]["fields"];
    let paths: Vec<&str> =
        ended.as_array().into_iter().flatten().filter_map(|one| one["path"].as_str()).collect();
    let restarted = "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
    assert!(paths.contains(&restarted), "{ended}");

    // Not even a managed field has moved, and nothing does later.
    stays(Duration::from_secs(2), "the workload is as it was", async || {
        let (now, running) = (patient.web().await, patient.pods().await);
        seen(now == before && running == pods, || now.to_string())
    })
    .await;

    let capped = "enforce, capped to dry-run by --mode";
    let (status, policies) = chain.paramedic.get("/api/v1/policies").await;
    assert_eq!((status, policies["items"][0]["mode"].as_str()), (200, Some(capped)));
    let ruled = only(&story, "ruled")["seq"].to_string();
    says(&chain, &["audit", "show", &ruled], capped).await;
    says(&chain, &["audit", "query", "--kind", "ruled"], capped).await;

    patient.errors(0.0);
    chain.paramedic.record("kind=closed", SOON).await;
}

async fn says(chain: &Chain, arguments: &[&str], what: &str) {
    let said = chain.paramedic.client(arguments).await;
    assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
    assert!(said.stdout.contains(what), "{arguments:?} does not say `{what}`:\n{}", said.stdout);
}
