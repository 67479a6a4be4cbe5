//! A policy that never gets to act is not silent: once, after a while, with the reasons.

use paramedic_policies::action::Mode;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::{GlobalGuards, Settings};
use paramedic_policies::time::Span;

use crate::story::{RESTART_THEN_SCALE, Story, alert, resolved, settings, value};

fn refused() -> Story {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.refusals = vec![Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 }];
    story.deliver(vec![alert("Errors", "prod/web")]);
    story
}

const TOLD: &str =
    "kept from acting for 30m while the alert fires: PodDisruptionBudget web allows 0 disruptions";

#[test]
fn what_is_held_for_long_is_told_once() {
    let mut story = refused();
    story.pass("29m 59s");
    assert!(story.calls().is_empty());
    story.restart();
    story.pass("1s");
    assert_eq!(story.calls(), [TOLD]);
    for _ in 0..20 {
        story.pass("10m");
        story.deliver(vec![alert("Errors", "prod/web")]);
    }
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

#[test]
fn what_is_withheld_for_long_is_told_too() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.refusals = vec![Reason::NoPodWouldMove { strategy: "OnDelete".to_owned() }];
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("30m");
    assert_eq!(
        story.calls(),
        ["kept from acting for 30m while the alert fires: no pod would move: OnDelete"]
    );
}

#[test]
fn the_reasons_are_those_of_the_last_ruling() {
    let mut story = refused();
    story.pass("10m");
    story.refusals = vec![Reason::RollingOut { detail: "1 of 3 updated".to_owned() }];
    story.pass("20m");
    assert_eq!(
        story.calls(),
        ["kept from acting for 30m while the alert fires: a rollout is under way: 1 of 3 updated"]
    );
}

#[test]
fn what_acts_or_ends_before_is_not_told() {
    let mut story = refused();
    story.pass("20m");
    story.refusals.clear();
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("5h");
    assert_eq!(story.intents().len(), 1);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    let mut story = refused();
    story.pass("20m");
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("5h");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_people_know_of_is_not_told() {
    let mut paused = Story::new(&[RESTART_THEN_SCALE]);
    let scope = PauseScope::Everything;
    paused.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    paused.deliver(vec![alert("Errors", "prod/web")]);
    paused.pass("3h");
    assert!(paused.calls().is_empty(), "{:?}", paused.calls());
    // The wait counts from when nobody wanted it any more.
    paused.refusals = vec![Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 }];
    paused.order(Command::Resume { scope });
    paused.pass("29m");
    assert!(paused.calls().is_empty());
    paused.pass("1m");
    assert_eq!(paused.calls(), [TOLD]);

    let by_itself = RESTART_THEN_SCALE
        .replace("  ladder:\n", "  for: 2h\n  when: [{query: 'load', is: \"> 1\"}]\n  ladder:\n");
    let mut story = Story::new(&[&by_itself]);
    story.series.insert("load".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("4h");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn a_dry_run_calls_nobody_and_a_setting_says_when_or_never() {
    let quiet = |guards: GlobalGuards, mode: Mode| {
        let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { guards, mode, ..settings() });
        story.refusals = vec![Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 }];
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("4h");
        story.calls().len()
    };
    let after = |text: &str| GlobalGuards {
        stuck_after: text.parse::<Span>().expect("a span"),
        ..GlobalGuards::default()
    };
    assert_eq!(quiet(after("30m"), Mode::DryRun), 0);
    assert_eq!(quiet(after("0s"), Mode::Enforce), 0);
    assert_eq!(quiet(after("3h"), Mode::Enforce), 1);
    assert_eq!(quiet(after("5h"), Mode::Enforce), 0);
    let senseless = Settings { guards: after("10s"), ..settings() }.senseless();
    assert_eq!(senseless.iter().map(|one| one.path).collect::<Vec<_>>(), ["guards.stuckAfter"]);
}

#[test]
fn what_was_withheld_is_looked_at_again_when_its_alert_is_repeated() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.refusals = vec![Reason::NoPodWouldMove { strategy: "OnDelete".to_owned() }];
    story.deliver(vec![alert("Errors", "prod/web"), alert("Errors", "prod/api")]);
    assert!(story.last_ruling().starts_with("withhold: "), "{}", story.last_ruling());
    story.refusals.clear();
    story.pass("10m");
    assert!(story.intents().is_empty());
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
}
