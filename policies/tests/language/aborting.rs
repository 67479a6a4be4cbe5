//! `abortRollout` as people write it.

use paramedic_policies::load;

use super::support::{book, said};

fn policy(abort: &str, kind: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: abort}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"BadCanary\"']\n  \
         target: {{kind: {kind}, namespace: prod, name: web}}\n  \
         ladder:\n    - abortRollout: {abort}\n      verify: {{query: up, is: \"> 0\"}}\n"
    )
}

#[test]
fn an_abort_has_no_settings_no_revert_and_one_kind_of_target() {
    let rollout = "Rollout.argoproj.io";
    assert_eq!(said(&[("abort.yaml", &policy("{}", rollout))]), "");
    let mut told = String::new();
    for (claim, text) in [
        ("a setting", policy("{to: 3}", rollout)),
        ("a revert", policy("{}\n      revert: {after: 1h}", rollout)),
        ("another kind", policy("{}", "Deployment")),
    ] {
        told.push_str(&format!("# {claim}\n{}\n\n", said(&[("abort.yaml", &text)])));
    }
    insta::assert_snapshot!("broken_aborts", told);
}

#[test]
fn the_shipped_policy_loads_without_a_word_and_is_shown_as_it_is() {
    let text = include_str!("../../maestro/19-canary-abort.yaml");
    assert_eq!(said(&[("19-canary-abort.yaml", text)]), "");
    for policy in book(text).policies().values() {
        let shown = load::effective(policy);
        let again = book(&serde_json::to_string(&shown).expect("plain data"));
        assert_eq!(again.policies().values().map(load::effective).collect::<Vec<_>>(), [shown]);
    }
}
