//! `freezeDeploys` as people write it: what it becomes, what is refused, and what no label can do to it.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::freeze_deploys;
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;
use paramedic_policies::time::Span;

use super::support::{book, said};

fn policy(freeze: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: freeze}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"BudgetSpent\"']\n  \
         target: {{kind: Deployment, namespace: \"{{{{ labels.namespace }}}}\", name: web}}\n  \
         ladder:\n    - freezeDeploys: {freeze}\n"
    )
}

/// What a freeze comes to for these labels, on `prod/web`.
fn wished(freeze: &str, labels: &[(&str, &str)]) -> Result<freeze_deploys::Wish, Reason> {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let none = BTreeMap::new();
    let target =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    let scope = Scope { labels: &labels, vars: &none, lets: &none, target: Some(&target) };
    let book = book(&policy(freeze));
    let step = &book.policy("freeze").expect("it is there").ladder[0].steps[0];
    assert_eq!(step.revert_after, step_length(freeze), "a freeze is thawed when it ends");
    step.remediation.wish(&scope).map(|wish| match wish {
        Wish::FreezeDeploys(wish) => wish,
        other => panic!("{other:?}"),
    })
}

fn step_length(freeze: &str) -> Option<Span> {
    freeze.split("for: ").nth(1)?.split([',', '}']).next()?.parse().ok()
}

#[test]
fn a_freeze_is_of_the_targets_namespace_unless_it_says_more() {
    let short = wished("{for: 2h}", &[]).expect("nothing is missing");
    assert_eq!((short.namespaces.as_slice(), short.lasts), (&["prod".to_owned()][..], Span::from_hours(2)));
    assert_eq!((short.break_glass.as_str(), short.reason), ("paramedic:break-glass", None));
    let long = "{for: 7d, namespaces: [\"{{ target.namespace }}\", \"{{ labels.also }}\", a, prod], \
                reason: \"{{ labels.alertname }} fires\", breakGlass: sre}";
    let long = wished(long, &[("also", "stage"), ("alertname", "BudgetSpent")]).expect("nothing is missing");
    assert_eq!(long.namespaces, ["a", "prod", "stage"], "sorted, each once");
    assert_eq!((long.break_glass.as_str(), long.reason.as_deref()), ("sre", Some("BudgetSpent fires")));
}

#[test]
fn no_label_can_freeze_what_is_no_namespace_or_write_two_lines() {
    let freeze = "{for: 2h, namespaces: [prod, \"{{ labels.also }}\"], reason: \"{{ labels.why }}\"}";
    let long = "x".repeat(201);
    let mut told = String::new();
    for (also, why) in [
        ("../stage", "fires"),
        ("a,b", "fires"),
        ("stage", "fires\nand more"),
        ("stage", &long),
        ("stage", ""),
    ] {
        let reason = wished(freeze, &[("also", also), ("why", why)]).expect_err("refused");
        told.push_str(&format!("{reason}\n"));
    }
    let elsewhere = wished("{for: 2h, namespaces: [stage]}", &[]).expect_err("refused");
    told.push_str(&format!("{elsewhere}\n"));
    insta::assert_snapshot!("bad_freezes", told);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut told = String::new();
    for (claim, freeze) in [
        ("no length", "{}"),
        ("too short", "{for: 5s}"),
        ("too long", "{for: 8d}"),
        ("a bare number", "{for: 2}"),
        ("no namespaces", "{for: 2h, namespaces: []}"),
        ("no namespace", "{for: 2h, namespaces: [Prod_1]}"),
        ("one namespace as text", "{for: 2h, namespaces: prod}"),
        ("two lines", "{for: 2h, reason: \"a\\nb\"}"),
        ("a misspelt key", "{for: 2h, reasons: x}"),
        ("a revert of its own", "{for: 2h}\n      revert: {after: 1h}"),
    ] {
        let said = said(&[("freeze.yaml", &policy(freeze))]);
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    insta::assert_snapshot!("broken_freezes", told);
}

#[test]
fn the_shipped_policies_load_without_a_word_and_are_shown_as_they_are() {
    let text = include_str!("../../maestro/20-deploy-freeze.yaml");
    assert_eq!(said(&[("20-deploy-freeze.yaml", text)]), "");
    let book = book(text);
    for policy in book.policies().values() {
        let shown = load::effective(policy);
        let again = super::support::book(&serde_json::to_string(&shown).expect("plain data"));
        let again: Vec<_> = again.policies().values().map(load::effective).collect();
        assert_eq!(again, [shown]);
    }
}

#[test]
fn a_freeze_reaches_what_the_policy_names_and_no_label_can_name_more() {
    let freeze = "{for: 2h, argoCd: [{namespace: argocd, project: \"{{ labels.project }}\"}], \
                  flux: [{kind: HelmRelease, namespace: apps, name: web}, {kind: Kustomization, namespace: flux, name: shop}]}";
    let wish = wished(freeze, &[("project", "shop")]).expect("nothing is missing");
    let reached: Vec<String> = wish.reach.iter().map(ToString::to_string).collect();
    assert_eq!(reached, ["AppProject argocd/shop", "Kustomization flux/shop", "HelmRelease apps/web"]);
    let all = freeze_deploys::Freeze::new(wish, "us".to_owned());
    assert_eq!(all.touches, ["apps", "argocd", "flux", "prod"], "guards judge each of them");
    let refused = wished(freeze, &[("project", "../other")]).expect_err("refused");
    assert!(refused.to_string().contains("is not a name"), "{refused}");
    let wrong =
        "{for: 2h, argoCd: [{namespace: Argo_CD}], flux: [{kind: GitRepository, namespace: a, name: b}]}";
    let told = said(&[("p.yaml", &policy(wrong))]);
    for wanted in
        ["`Argo_CD` is not a Kubernetes name", "has no `project`", "`kind` cannot be `GitRepository`"]
    {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}
