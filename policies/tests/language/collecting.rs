//! `collectEvidence` as people write it.

use paramedic_policies::load;

use super::support::{book, said};

fn policy(collect: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: look}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"Down\"']\n  \
         target: {{kind: Deployment, namespace: prod, name: web}}\n  \
         sequence:\n    - collectEvidence: {collect}\n    - restart: {{}}\n      verify: {{rollout: complete}}\n"
    )
}

#[test]
fn evidence_has_defaults_and_is_shown_with_them() {
    for written in [
        "{}",
        r#"{queries: ['up{pod="{{ labels.pod }}"}'], over: 1h, logLines: 20, maxKib: 16, required: true}"#,
    ] {
        let text = policy(written);
        assert_eq!(said(&[("look.yaml", &text)]), "");
        for policy in book(&text).policies().values() {
            let shown = load::effective(policy);
            let again = book(&serde_json::to_string(&shown).expect("plain data"));
            assert_eq!(again.policies().values().map(load::effective).collect::<Vec<_>>(), [shown]);
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut told = String::new();
    for (claim, collect) in [
        ("an unknown key", "{pods: 3}"),
        ("too much", "{maxKib: 4096}"),
        ("too long", "{over: 48h}"),
        ("a query that is none", "{queries: ['up{']}"),
        ("a template outside of a matcher", "{queries: ['{{ labels.pod }}']}"),
        ("a verification", "{}\n      verify: {rollout: complete}"),
        ("a revert", "{}\n      revert: {after: 1h}"),
    ] {
        told.push_str(&format!("# {claim}\n{}\n\n", said(&[("look.yaml", &policy(collect))])));
    }
    insta::assert_snapshot!("broken_evidence", told);
}

#[test]
fn a_target_of_which_it_knows_nothing_is_warned_of() {
    for (target, warned) in [
        (r#"{from: {node: "{{ labels.node }}"}}"#, "on a Node will always be refused"),
        (
            "{kind: Certificate.cert-manager.io, namespace: prod, name: web}",
            "on a Certificate.cert-manager.io will",
        ),
        ("{kind: Pod, namespace: prod, name: web-0}", ""),
        ("{kind: CronJob.batch, namespace: prod, name: drill}", ""),
    ] {
        let step = format!("collectEvidence: {{}}\n      target: {target}");
        let said = said(&[("look.yaml", &policy("{}").replace("collectEvidence: {}", &step))]);
        assert_eq!(said.contains("will always be refused"), !warned.is_empty(), "{said}");
        assert!(said.contains(warned), "{said}");
    }
}
