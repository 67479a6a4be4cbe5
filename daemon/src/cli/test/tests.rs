//! What people read of a whole run, where no single part of it can show it.

use std::path::Path;

use crate::cli::tests::{Ran, paramedic};

const POLICY: &str = "apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: stuck-consumer}
spec:
  mode: enforce
  match: ['alertname=\"QueueStuck\"']
  for: 5m
  target: {kind: Deployment, namespace: shop, name: consumer}
  when: [{query: 'sum(rate(consumed_total{queue=\"mail\"}[5m]))', is: '< 1'}]
  ladder: [{restart: {}}]
";

/// One that is as expected, and one with a slip in its fact.
const SCENARIOS: &str = "apiVersion: paramedic.dev/v1alpha1
kind: Scenario
metadata: {name: rolled}
spec:
  world: {workloads: [{namespace: shop, name: consumer, replicas: 4}]}
  alerts: [{labels: {alertname: QueueStuck}, until: 9m}]
  facts: [{query: 'sum(rate(consumed_total{queue=\"mail\"}[5m]))', is: 0}]
  expect: {actions: [{do: restart, at: 5m}]}
---
apiVersion: paramedic.dev/v1alpha1
kind: Scenario
metadata: {name: slipped}
spec:
  world: {workloads: [{namespace: shop, name: consumer, replicas: 4}]}
  alerts: [{labels: {alertname: QueueStuck}, until: 9m}]
  facts: [{query: 'sum(rate(consumed_total{queue=\"mial\"}[5m]))', is: 0}]
  expect: {actions: [{do: restart, at: 5m}]}
";

/// Runs the scenarios of a folder of their own; what is written is told without the folder's name.
fn ran(more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("policy.yaml"), POLICY).expect("a file");
    std::fs::create_dir(at("scenarios")).expect("a folder");
    std::fs::write(at("scenarios/consumer.yaml"), SCENARIOS).expect("a file");
    let args = ["test", &at("scenarios"), "--policies", &at("policy.yaml")];
    let ran = paramedic(&[&args[..], more].concat());
    let home = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    Ran { code: ran.code, out: ran.out.replace(&home, ""), err: ran.err.replace(&home, "") }
}

#[test]
fn a_filter_that_finds_nothing_is_what_is_told() {
    let Ran { code, out, err } = ran(&["--filter", "nonsense"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let wanted = "error: of 2 scenarios none has `nonsense` in its name or file\nhint: --filter takes a part of a name such as `rolled`";
    assert!(err.starts_with(wanted), "{err}");
    assert_eq!(ran(&["--filter", "roll"]).err, "1 scenario: ok\n");
}

#[test]
fn what_was_told_and_not_asked_stands_beside_what_was_asked_and_not_told() {
    let wanted = "
  Prometheus was asked and not told: rate(consumed_total{queue=\"mail\"}[5m])
  Prometheus was told and not asked: scenarios/consumer.yaml:16:11: sum(rate(consumed_total{queue=\"mial\"}[5m]))
  hint: tell it under `facts`";
    let Ran { code, out, .. } = ran(&[]);
    assert_eq!(code, 1);
    assert!(out.contains(wanted), "{out}");
    let data: serde_json::Value = serde_json::from_str(&ran(&["-o", "json"]).out).expect("JSON");
    assert_eq!(data.pointer("/scenarios/0/unasked"), Some(&serde_json::json!([])));
    let place = data.pointer("/scenarios/1/unasked/0").and_then(serde_json::Value::as_str);
    assert!(place.is_some_and(|place| place.contains("consumer.yaml:16:11: sum(rate(")), "{data}");
}

#[test]
fn results_are_shown_though_their_file_cannot_be_written() {
    let too_long = format!("{}.xml", "x".repeat(300));
    for (filter, code, verdict) in
        [("rolled", 1, "1 scenario: ok"), ("consumer", 1, "error: 1 of 2 scenarios failed")]
    {
        let ran = ran(&["--filter", filter, "--junit", &too_long]);
        assert!(ran.out.starts_with("ok      scenarios/consumer.yaml: rolled\n"), "{}", ran.out);
        assert!(ran.err.contains("error: could not write xxx") && ran.err.contains(verdict), "{}", ran.err);
        assert_eq!(ran.code, code);
    }
    let ran = ran(&["--junit", &Path::new("no").join("such").join("junit.xml").display().to_string()]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("there is no folder") && ran.err.contains("nothing was run"), "{}", ran.err);
}

#[test]
fn a_file_without_a_scenario_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("policy.yaml"), POLICY).expect("a file");
    std::fs::write(at("consumer.yaml"), SCENARIOS).expect("a file");
    std::fs::write(at("later.yaml"), "# to be written\n").expect("a file");
    let files = [&at("consumer.yaml"), &at("later.yaml")];
    let ran =
        paramedic(&["test", files[0], files[1], "--policies", &at("policy.yaml"), "--filter", "rolled"]);
    let named = "later.yaml:1:1: warning: no scenario in this file\n  hint: write one, or remove the file\n";
    assert!(ran.code == 0 && ran.err.contains(named) && ran.err.ends_with("1 scenario: ok\n"), "{}", ran.err);
}

/// A CI that publishes the file whatever the run ends with must not show yesterday's results.
#[test]
fn results_of_another_run_are_never_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("policy.yaml"), POLICY).expect("a file");
    for (scenarios, filter, says) in [
        (SCENARIOS.replacen("expect:", "expects:", 1), "", "<error message=\"2 errors in the scenarios\">"),
        (SCENARIOS.to_owned(), "nonsense", "<error message=\"of 2 scenarios none has `nonsense`"),
    ] {
        std::fs::write(at("junit.xml"), "<testsuites/> of yesterday").expect("a file");
        std::fs::write(at("consumer.yaml"), &scenarios).expect("a file");
        let args =
            ["test", &at("consumer.yaml"), "--policies", &at("policy.yaml"), "--junit", &at("junit.xml")];
        let ran = paramedic(&[&args[..], &["--filter", filter]].concat());
        assert_eq!(ran.code, 1, "{}", ran.err);
        let left = std::fs::read_to_string(at("junit.xml")).expect("it is there");
        assert!(left.contains(says) && !left.contains("yesterday"), "{left}");
        assert_eq!(left.contains("consumer.yaml:8:3: error: "), filter.is_empty(), "{left}");
    }
    let ran = paramedic(&[
        "test",
        &at("consumer.yaml"),
        "--policies",
        &at("policy.yaml"),
        "--junit",
        &at("consumer.yaml"),
    ]);
    assert!(ran.err.contains("consumer.yaml: it would overwrite "), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(at("consumer.yaml")).expect("it is there"), SCENARIOS);
}
