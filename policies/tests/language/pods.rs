//! `quarantine`, `evictPod`, `deletePod` and `drainNode` as people write them: what each becomes with its defaults, and what
//! is refused or doubted.

use paramedic_policies::load;
use paramedic_policies::remediation::Remediation;
use paramedic_policies::time::Span;

use super::support::{book, said, source};

const POD: &str = "{kind: Pod, namespace: \"{{ labels.namespace }}\", name: \"{{ labels.pod }}\"}";
const NODE: &str = "{from: {node: \"{{ labels.node }}\"}}";

fn policy(target: &str, step: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"X\"']\n  target: {target}\n  \
         ladder:\n    - {step}\n      verify: {{query: up, is: \"> 0\"}}\n"
    )
}

/// The step with every default, as `check` shows it, and when it is taken back.
fn full(target: &str, step: &str) -> (String, Option<Span>) {
    let book = book(&policy(target, step));
    let step = &book.policy("p").expect("it is there").ladder[0].steps[0];
    let shown = match &step.remediation {
        Remediation::Quarantine(written) => serde_json::to_string(written),
        Remediation::EvictPod(written) => serde_json::to_string(written),
        Remediation::DeletePod(written) => serde_json::to_string(written),
        Remediation::DrainNode(written) => serde_json::to_string(written),
        other => panic!("{}", other.name()),
    };
    (shown.expect("it is JSON"), step.revert_after)
}

#[test]
fn each_has_its_defaults() {
    for (target, step, wanted) in [
        (
            POD,
            "quarantine: {for: 24h}",
            r#"{"for":"1d","detach":false,"dns":false,"max":5,"enforced":false}"#,
        ),
        (POD, "evictPod: {}", r#"{"localStorage":"refuse"}"#),
        (POD, "deletePod: {localStorage: allow}", r#"{"localStorage":"allow"}"#),
        (NODE, "drainNode: {}", r#"{"maxNodes":1,"localStorage":"refuse","within":"10m"}"#),
    ] {
        assert_eq!(full(target, step).0, wanted, "{step}");
    }
}

#[test]
fn what_is_written_wrong_is_told_where() {
    let mut told = String::new();
    for (target, step) in [
        (POD, "quarantine: {}"),
        (POD, "quarantine: {for: 10s}"),
        (POD, "quarantine: {for: 60d, max: 0, detach: yes please}"),
        (POD, "evictPod: {localStorage: keep}"),
        (POD, "deletePod: {force: true}"),
        (NODE, "drainNode: {within: 3h, maxNodes: 11}"),
        (NODE, "quarantine: {for: 1h}"),
        (NODE, "evictPod: {}"),
        (POD, "drainNode: {}"),
        (POD, "restart: {}"),
    ] {
        told.push_str(&format!("{step}\n{}\n\n", said(&[("p.yaml", &policy(target, step))])));
    }
    insta::assert_snapshot!("pods_written_wrong", told);
}

#[test]
fn a_pod_is_no_unknown_kind() {
    let lower = said(&[("p.yaml", &policy(&POD.replace("Pod", "pod"), "evictPod: {}"))]);
    assert!(lower.contains("did you mean `Pod`?"), "{lower}");
    assert!(load::book(source(&[("p.yaml", &policy(POD, "evictPod: {}"))])).is_ok());
}
