//! `rollback` as people write it: what it becomes, what is refused, and what no label can do to it.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::remediation::rollback::{self, Helm};
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;
use paramedic_policies::time::Span;

use super::support::{book, said};

fn policy(rollback: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: back}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"BadDeploy\"']\n  \
         target: {{kind: Deployment, namespace: prod, name: web}}\n  \
         ladder:\n    - rollback: {rollback}\n      verify: {{rollout: complete}}\n"
    )
}

/// What a rollback comes to for an alert with this label `job`.
fn wished(rollback: &str, job: &str) -> rollback::Wish {
    let labels: Labels = [("job".to_owned(), job.to_owned())].into();
    let none = BTreeMap::new();
    let target =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    let scope = Scope { labels: &labels, vars: &none, lets: &none, target: Some(&target) };
    let book = book(&policy(rollback));
    let step = &book.policy("back").expect("it is there").ladder[0].steps[0];
    match step.remediation.wish(&scope).expect("nothing is missing") {
        Wish::Rollback(wish) => wish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rollback_says_what_healthy_was_and_refuses_helm_unless_told_otherwise() {
    let short = wished("{healthy: {query: up, is: \"== 1\"}}", "web");
    assert_eq!((short.query.as_str(), short.is.as_str(), short.held), ("up", "== 1", Span::from_mins(10)));
    assert_eq!((short.deployed_within, short.helm), (None, Helm::Refuse));
    let long = "{healthy: {query: 'x{job=\"{{ labels.job }}\"}', is: < 1, for: 5m}, deployedWithin: 2h, helm: allow}";
    let long = wished(long, "web\"} or vector(0) #");
    assert_eq!(long.query, "x{job=\"web\\\"} or vector(0) #\"}", "no label gets out of its quotes");
    assert_eq!(long.deployed_within, Some(Span::from_hours(2)));
    assert_eq!((long.held, long.helm), (Span::from_mins(5), Helm::Allow));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut told = String::new();
    for (claim, rollback) in [
        ("nothing that was healthy", "{}"),
        ("no comparison", "{healthy: {query: up}}"),
        ("no PromQL", "{healthy: {query: \"sum(\", is: < 1}}"),
        ("held for no time", "{healthy: {query: up, is: < 1, for: 0s}}"),
        ("within no time", "{healthy: {query: up, is: < 1}, deployedWithin: 0s}"),
        ("a word for Helm that is none", "{healthy: {query: up, is: < 1}, helm: yes}"),
        ("a revision", "{healthy: {query: up, is: < 1}, to: 3}"),
        ("a revert", "{healthy: {query: up, is: < 1}}\n      revert: {after: 1h}"),
    ] {
        let said = said(&[("back.yaml", &policy(rollback))]);
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    let other = policy("{healthy: {query: up, is: < 1}}").replace("kind: Deployment", "kind: StatefulSet");
    told.push_str(&format!("# another kind\n{}\n", said(&[("back.yaml", &other)])));
    insta::assert_snapshot!("broken_rollbacks", told);
}

#[test]
fn the_shipped_policies_load_without_a_word_and_are_shown_as_they_are() {
    let texts =
        [include_str!("../../maestro/01-rollback.yaml"), include_str!("../../maestro/16-deploy-stuck.yaml")];
    let beside = ("high-error-rate.yaml", include_str!("../../maestro/02-high-error-rate.yaml"));
    assert_eq!(said(&[("01-rollback.yaml", texts[0]), ("16-deploy-stuck.yaml", texts[1]), beside]), "");
    for text in texts {
        for policy in book(text).policies().values() {
            let shown = load::effective(policy);
            let again = book(&serde_json::to_string(&shown).expect("plain data"));
            assert_eq!(again.policies().values().map(load::effective).collect::<Vec<_>>(), [shown]);
        }
    }
}
