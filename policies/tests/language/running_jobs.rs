//! `runJob` as people write it: what it becomes, what is refused, and what no label can do to it. And what is said of a
//! `renewCertificate`, which has nothing to set.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::run_job;
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;
use paramedic_policies::time::Span;

use super::support::{book, said};

fn policy(kind: &str, step: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: job}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"JobOverdue\"']\n  \
         target: {{kind: {kind}, namespace: \"{{{{ labels.namespace }}}}\", name: backup}}\n  \
         ladder:\n    - runJob: {step}\n"
    )
}

/// What a Job comes to for these labels, in `prod`.
fn wished(kind: &str, job: &str, labels: &[(&str, &str)]) -> Result<run_job::Wish, Reason> {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (none, vars) =
        (BTreeMap::new(), BTreeMap::from([("image".to_owned(), "a.example/drill:1".to_owned())]));
    let target = Target { kind: kind.to_owned(), namespace: "prod".to_owned(), name: "backup".to_owned() };
    let scope = Scope { labels: &labels, vars: &vars, lets: &none, target: Some(&target) };
    let book = book(&policy(kind, job));
    let step = &book.policy("job").expect("it is there").ladder[0].steps[0];
    assert_eq!(step.revert_after, None, "what has run has run");
    step.remediation.wish(&scope).map(|wish| match wish {
        Wish::RunJob(wish) => wish,
        other => panic!("{other:?}"),
    })
}

const CRON_JOB: &str = "CronJob.batch";

#[test]
fn a_job_is_that_of_the_cron_job_or_of_the_policy() {
    let bare = wished(CRON_JOB, "{}", &[]).expect("nothing is missing");
    assert_eq!((bare.template, bare.within, bare.parameters.len()), (None, Span::from_mins(10), 0));
    let job = "{template: {image: \"{{ vars.image }}\", command: [/drill], args: [$(ID)], secret: drill}, \
               parameters: {ID: \"{{ labels.id }}\", MODE: a b}, within: 2h, namespaces: [stage, prod]}";
    let full = wished("Service", job, &[("id", "2026-11-21T03:00:00Z_full")]).expect("all is set");
    let template = full.template.expect("it has one");
    assert_eq!((template.image.as_str(), template.secret.as_deref()), ("a.example/drill:1", Some("drill")));
    let parameters: Vec<_> = full.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(parameters, ["ID=2026-11-21T03:00:00Z_full", "MODE=a b"]);
    let elsewhere = wished(CRON_JOB, "{namespaces: [stage]}", &[]).expect_err("it is not allowed here");
    assert_eq!(elsewhere.to_string(), "no usable namespace for a Job: `prod` is none of stage");
}

#[test]
fn no_label_becomes_more_than_one_plain_value() {
    let mut told = String::new();
    for hostile in [
        "",
        "--force",
        "a b",
        "a;rm -rf /",
        "$(PGPASSWORD)",
        "`id`",
        "a\nB=c",
        "'",
        "\"",
        "a|b",
        "*",
        &"x".repeat(257),
    ] {
        let reason = wished(CRON_JOB, "{parameters: {ID: \"{{ labels.v }}\"}}", &[("v", hostile)]);
        told.push_str(&format!("{}\n", reason.expect_err("refused")));
    }
    insta::assert_snapshot!("bad_parameters", told);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut told = String::new();
    for (claim, kind, job) in [
        ("no CronJob and no template", "Service", "{}"),
        ("a CronJob and a template", CRON_JOB, "{template: {image: a}}"),
        ("no image", "Service", "{template: {command: [a]}}"),
        ("an odd image", "Service", "{template: {image: \"a b\"}}"),
        ("an image from an alert", "Service", "{template: {image: \"{{ labels.image }}\"}}"),
        ("an argument from an alert", "Service", "{template: {image: a, args: [\"{{ labels.id }}\"]}}"),
        ("a privileged pod", "Service", "{template: {image: a, securityContext: {privileged: true}}}"),
        ("an odd account", "Service", "{template: {image: a, serviceAccount: \"A b\"}}"),
        ("an odd variable", CRON_JOB, "{parameters: {\"A B\": c}}"),
        ("a reference", CRON_JOB, "{parameters: {A: \"$(PGPASSWORD)\"}}"),
        ("too short", CRON_JOB, "{within: 5s}"),
        ("too long", CRON_JOB, "{within: 3h}"),
        ("no namespace", CRON_JOB, "{namespaces: []}"),
        ("an odd namespace", CRON_JOB, "{namespaces: [\"{{ labels.namespace }}\"]}"),
        ("a revert", CRON_JOB, "{}\n      revert: {after: 1h}"),
    ] {
        let said = said(&[("job.yaml", &policy(kind, job))]);
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    insta::assert_snapshot!("broken_jobs", told);
}

#[test]
fn a_renewal_is_of_a_certificate_and_has_nothing_to_set() {
    let of = |kind: &str, body: &str| {
        policy(kind, "{}").replace("runJob: {}", &format!("renewCertificate: {body}"))
    };
    let good = of("Certificate.cert-manager.io", "{}");
    assert_eq!(said(&[("job.yaml", &good)]), "");
    let wrong = said(&[("job.yaml", &of("Deployment", "{}"))]);
    assert!(wrong.contains("give the step a `target` that is a Certificate.cert-manager.io"), "{wrong}");
    let unknown = said(&[("job.yaml", &of("Certificate.cert-manager.io", "{force: true}"))]);
    assert!(unknown.contains("unknown key `force`"), "{unknown}");
    let revert = said(&[("job.yaml", &of("Certificate.cert-manager.io", "{}\n      revert: {after: 1h}"))]);
    assert!(revert.contains("`renewCertificate` cannot be taken back"), "{revert}");
}

#[test]
fn the_shipped_policies_load_without_a_word_and_are_shown_as_they_are() {
    for (name, text) in [
        ("22-job-overdue.yaml", include_str!("../../maestro/22-job-overdue.yaml")),
        ("23-restore-drill.yaml", include_str!("../../maestro/23-restore-drill.yaml")),
        ("18-certificate-near-expiry.yaml", include_str!("../../maestro/18-certificate-near-expiry.yaml")),
    ] {
        // What the configuration would set.
        let text =
            text.replace("{{ vars.drillImage }}", "a.example/drill:1").replace("{{ vars.service }}", "web");
        assert_eq!(said(&[(name, &text)]), "", "{name}");
        let book = book(&text);
        for policy in book.policies().values() {
            let shown = load::effective(policy);
            let again = super::support::book(&serde_json::to_string(&shown).expect("plain data"));
            let again: Vec<_> = again.policies().values().map(load::effective).collect();
            assert_eq!(again, [shown], "{name}");
        }
    }
}
