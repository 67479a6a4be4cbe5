//! `explain` without a daemon, and of recorded decisions.

use super::fixture::{self, POLICY};
use super::{Ran, paramedic};

fn explain(alert: &str, more: &[&str]) -> Ran {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("policies.yaml"), POLICY).expect("a file");
    std::fs::write(dir.path().join("alert.yaml"), alert).expect("a file");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (alert, policies) = (path("alert.yaml"), path("policies.yaml"));
    let mut args = vec!["explain", &alert, "--policies", &policies];
    args.extend(more);
    let ran = paramedic(&args);
    let plain = |text: String| text.replace(dir.path().to_str().expect("UTF-8"), "DIR");
    Ran { code: ran.code, out: plain(ran.out), err: plain(ran.err) }
}

const ALERT: &str = "labels: {alertname: CartErrors, namespace: shop, deployment: cart, severity: page}\n\
                     startsAt: 2026-11-21T09:00:00Z\n";

#[test]
fn without_a_daemon_every_guard_speaks() {
    insta::assert_snapshot!(explain(ALERT, &["--all"]));
}

#[test]
fn a_label_that_is_no_name_is_refused() {
    let hostile = ALERT.replace("deployment: cart", "deployment: ../cart");
    insta::assert_snapshot!(explain(&hostile, &[]));
}

#[test]
fn a_resolved_alert_is_said_to_be_over() {
    let ran = explain(&ALERT.replace("startsAt", "status: resolved\nstartsAt"), &[]);
    let said = "it is resolved: nothing would be done for it; what follows is what it would meet if it fired";
    assert!(ran.code == 0 && ran.out.contains(said), "{ran}");
    let json = explain(&ALERT.replace("startsAt", "status: resolved\nstartsAt"), &["--output", "json"]);
    assert!(json.out.contains("\"resolved\": true"), "{json}");
    assert!(!explain(ALERT, &[]).out.contains("resolved"));
}

#[test]
fn a_resolved_alert_is_as_old_as_it_was_at_its_end() {
    let ended = ALERT.replace("startsAt", "status: resolved\nendsAt: 2026-11-21T09:01:00Z\nstartsAt");
    let ran = explain(&ended, &[]);
    assert!(ran.out.contains("it fired from 2026-11-21T09:00:00.000Z to 2026-11-21T09:01:00.000Z"), "{ran}");
    assert!(ran.out.contains("open for 1m, wanted for 2m"), "{ran}");
    let unsaid = explain(&ended.replace("status: resolved\n", ""), &[]);
    assert_eq!(unsaid.out, ran.out);
    assert!(unsaid.err.contains("it has no `status`, and ended by its `endsAt`"), "{unsaid}");
}

#[test]
fn odd_times_are_remarked_on() {
    let ahead = explain(&ALERT.replace("startsAt: 2026", "startsAt: 2099"), &[]);
    let said = "its `startsAt` 2099-11-21T09:00:00.000Z is still to come: the webhook opens it all the same";
    assert!(ahead.out.contains(said), "{ahead}");
    let times = "status: resolved\nendsAt: 2026-11-21T08:00:00Z\nstartsAt";
    let backward = explain(&ALERT.replace("startsAt", times), &[]);
    assert!(
        backward.out.contains("its `endsAt` 2026-11-21T08:00:00.000Z is before its `startsAt`"),
        "{backward}"
    );
}

#[test]
fn what_the_webhook_refuses_is_not_explained() {
    let refused = explain(&ALERT.replace("deployment: cart", r#"deployment: "\e[31mcart""#), &[]);
    assert_eq!(refused.code, 1, "{refused}");
    let said = "alert 0: `labels`: `deployment` has the control character U+001B";
    assert!(refused.err.contains(said) && refused.err.contains("the webhook refuses it too"), "{refused}");
    assert!(!refused.err.contains('\u{1b}'), "it never reaches the terminal: {refused}");
    let two = format!("---\n{}---\n{ALERT}", ALERT.replace("deployment: cart", r#"deployment: "\a""#));
    let ran = explain(&two, &[]);
    assert!(ran.code == 0 && ran.err.contains("left out, as the webhook refuses it: alert 0"), "{ran}");
    let one = format!("---\n{}", ALERT.replace("deployment: cart", r#"deployment: "\a""#));
    let ran = explain(&format!("{}---\n{ALERT}", one.repeat(1000)), &[]);
    let said: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("left out, ")).collect();
    assert_eq!(
        (said.len(), said[5]),
        (6, "left out, as the webhook refuses them: 995 more alerts"),
        "{}",
        ran.err
    );
}

#[test]
fn an_alert_that_nothing_matches_says_so() {
    insta::assert_snapshot!(explain("labels: {alertname: DiskFull, namespace: shop}\n", &["--all"]));
}

#[test]
fn a_recorded_decision_is_explained_with_the_book_of_its_day() {
    let journal = fixture::journal();
    let seq = journal.seq_of("ruled", 0);
    insta::assert_snapshot!(paramedic(&["explain", &seq, "--data-dir", journal.path()]));
}

#[test]
fn a_record_that_is_no_decision_points_to_its_story() {
    let journal = fixture::journal();
    let seq = journal.seq_of("ended", 0);
    let ran = paramedic(&["explain", &seq, "--data-dir", journal.path()]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err);
}
