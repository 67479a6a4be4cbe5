//! What follows an effect, and what follows where the desired state holds already.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::engine::rule::Inquiry;
use paramedic_policies::event::{Conclusion, Event};
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::Case;
use paramedic_policies::time::Span;

use crate::story::{RESTART_THEN_SCALE, Story, alert, resolved, settings, value};

/// A policy that does this.
fn policy(does: &str) -> String {
    let (head, _) = RESTART_THEN_SCALE.split_once("  ladder:\n").expect("it has a ladder");
    format!("{head}{does}  guards: {{cooldown: 0s, limits: []}}\n  onFailure: {{notify: [sre]}}\n")
}

const VERIFY: &str =
    "      verify: {query: 'errors', is: \"< 0.01\", settle: 1m, hold: 0s, within: 5m, every: 15s}\n";

fn done() -> Option<Outcome> {
    Some(Outcome::Done { diff: None, already: false })
}

fn ends(story: &Story) -> Vec<Conclusion> {
    let all = story.records.iter().filter_map(|(_, event)| match event {
        Event::Concluded { conclusion, .. } => Some(*conclusion),
        _ => None,
    });
    all.collect()
}

#[test]
fn a_rung_with_nothing_left_to_do_is_climbed_and_the_last_one_calls_a_person() {
    let two = format!("  ladder:\n    - scale: {{atLeast: 4}}\n{VERIFY}    - restart: {{}}\n");
    let mut story = Story::new(&[&policy(&two)]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    assert!(story.calls().is_empty(), "{:?}", story.calls());

    let after_a_restart = format!("    - restart: {{}}\n{VERIFY}");
    for before in ["", &after_a_restart] {
        let mut story = Story::new(&[&policy(&format!("  ladder:\n{before}    - scale: {{atLeast: 4}}\n"))]);
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("20m");
        assert_eq!(story.calls(), ["nothing is left to do, and the alert fires"], "{before}");
        assert_eq!(ends(&story), [Conclusion::Already]);
    }
}

#[test]
fn what_holds_already_says_nothing_while_a_guard_refuses() {
    let mut story = Story::new(&[&policy("  ladder:\n    - scale: {atLeast: 4}\n")]);
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("20m");
    assert!(ends(&story).is_empty() && story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_held_already_is_looked_at_once_it_has_settled() {
    let steps = format!("  sequence:\n    - restart: {{}}\n    - scale: {{atLeast: 4}}\n{VERIFY}");
    let mut story = Story::new(&[&policy(&steps)]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"], "{}", story.last_ruling());
    story.pass("59s");
    assert_eq!(story.count("looked"), 0);
    story.pass("1s");
    assert_eq!(story.count("looked"), 1);
}

#[test]
fn a_policy_that_is_never_quarantined_calls_a_person_each_time() {
    let never = RESTART_THEN_SCALE.replace("notify: [sre]", "notify: [sre], quarantineAfter: 0");
    let mut story = Story::new(&[&never]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    assert_eq!((story.calls(), story.count("quarantined")), (vec!["no rung of 2 helped"], 0));
}

#[test]
fn an_effect_may_take_ten_minutes() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let intent = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some(intent),
        _ => None,
    });
    let intent = intent.expect("it acts");
    assert_eq!((intent.at, intent.deadline), (story.now, story.now + Span::from_mins(10)));
}

#[test]
fn an_alert_that_ends_during_the_first_step_ends_the_sequence_only_where_that_did_nothing() {
    let steps = "  sequence:\n    - restart: {}\n    - scale: {by: 2, max: 10}\n";
    let failed = Outcome::Failed { what: "no route to host".to_owned(), applied: false, diff: None };
    for (outcome, intents) in [(done(), 2), (Some(failed), 1)] {
        let mut story = Story::new(&[&policy(steps)]);
        story.outcome = None;
        story.deliver(vec![alert("Errors", "prod/web")]);
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        story.outcome = outcome;
        story.deliver(Vec::new());
        story.outcome = done();
        story.pass("10m");
        assert_eq!(story.intents().len(), intents, "{:?}", story.intents());
        assert!(story.calls().is_empty() && story.state.episodes.is_empty(), "{:?}", story.calls());
    }
}

#[test]
fn a_rehearsal_calls_nobody() {
    let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { mode: Mode::DryRun, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    assert_eq!((ends(&story), story.calls().len()), (vec![Conclusion::Rehearsed], 0));
}

#[test]
fn who_is_called_about_refusals_is_told_all_of_them() {
    let mut story = Story::new(&[&policy("  ladder:\n    - restart: {}\n")]);
    let budget = Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 };
    story.outcome = Some(Outcome::Refused { reasons: vec![Reason::WorkloadPaused, budget] });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!(
        story.calls(),
        ["the workload is paused (spec.paused); PodDisruptionBudget web allows 0 disruptions"]
    );
}

/// A call about what an earlier rung left behind.
#[test]
fn a_call_about_something_else_does_not_hide_that_a_case_is_kept_from_acting() {
    use paramedic_policies::order::Command;
    let steps = format!(
        "  ladder:\n    - scale: {{by: 2, max: 10}}\n      revert: {{after: 1h}}\n{VERIFY}    - restart: {{}}\n"
    );
    let mut story = Story::new(&[&policy(&steps)]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let intent = story.last("intended");
    story.refusals = vec![Reason::RollingOut { detail: "1 of 3 updated".to_owned() }];
    story.pass("10m");
    assert_eq!(story.intents().len(), 1, "the second rung is held");
    story.replicas = 9;
    story.order(Command::Undo { intent, only: Vec::new(), reason: String::new(), past: None });
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
    assert!(story.calls()[0].contains("is not taken back: "), "{:?}", story.calls());
    story.pass("30m");
    assert!(
        story.calls()[1].starts_with("kept from acting for 30m while the alert fires: "),
        "{:?}",
        story.calls()
    );
}

#[test]
fn just_within_relapse_it_goes_on_and_at_its_end_it_begins_anew() {
    for (short_ms, second) in [(1, "errors: scale 4 -> 6"), (0, "errors: restart")] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        story.series.insert("errors".to_owned(), value(0.0));
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("10m");
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        let last = story.state.last_ladders.values().next().expect("one").ended_at;
        let relapse = story.state.current_book().policy("errors").expect("it").guards.relapse;
        let bound = (last + relapse).since(story.now);
        story.pass(&Span::from_ms(bound.ms() - short_ms).to_string());
        let mut again = alert("Errors", "prod/web");
        again.starts_at = story.now;
        story.deliver(vec![again]);
        let intents = story.intents();
        assert!(intents[1].starts_with(second), "{intents:?}");
        // `explain` is told the same of a case that has not begun.
        let book = story.state.current_book();
        let case = story.state.cases.values().next().expect("one");
        let inquiry = Inquiry {
            state: &story.state,
            book: &book,
            policy: book.policy("errors").expect("it is there"),
            episode: &story.state.episodes[&case.id.episode],
            case: &Case { rung: 0, acted: false, ..case.clone() },
            now: story.now,
            ask_anyway: true,
        };
        assert_eq!(inquiry.relapsed_to(), (short_ms > 0).then_some(1));
    }
}
