//! From an alert to an action, and the ladder.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::event::Event;
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::Settings;

use crate::story::{RESTART_THEN_SCALE, Story, alert, settings, source, value};

#[test]
fn an_alert_becomes_a_restart_that_is_seen_to_help() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    story.series.insert("errors".to_owned(), value(0.001));
    story.pass("5m");
    assert_eq!(story.count("verified"), 1);
    assert_eq!(story.count("intended"), 1, "what helped is not repeated");
    assert!(story.calls().is_empty(), "nobody is called: {:?}", story.calls());
}

#[test]
fn a_question_precedes_every_intent_and_an_intent_every_end() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let kinds = story.kinds();
    let at = |kind: &str| kinds.iter().position(|had| *had == kind).expect("it happened");
    assert!(at("received") < at("opened") && at("opened") < at("asked") && at("asked") < at("ruled"));
    assert!(at("ruled") < at("intended") && at("intended") < at("ended"));
}

#[test]
fn the_next_rung_follows_when_the_last_did_not_help() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("15m");
    assert_eq!(
        story.intents(),
        ["errors: restart on prod/deployment/web", "errors: scale 4 -> 6 on prod/deployment/web"]
    );
}

#[test]
fn when_no_rung_helps_a_person_is_called() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("30m");
    assert_eq!(story.calls(), ["no rung of 2 helped"]);
    assert_eq!(story.intents().len(), 2, "{:?}", story.intents());
}

#[test]
fn a_repeat_is_not_a_new_incident() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    for _ in 0..5 {
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("10s");
    }
    assert_eq!(story.count("opened"), 1);
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn dry_run_rehearses_the_first_rung_and_stops() {
    let settings = Settings { mode: Mode::DryRun, ..settings() };
    let mut story = Story::with(&[RESTART_THEN_SCALE], &settings);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    assert_eq!(story.rulings()[0].mode.to_string(), "enforce, capped to dry-run by --mode");
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    assert_eq!(story.state.rehearsals.charges.len(), 1);
    assert!(story.state.ledger.charges.is_empty(), "a rehearsal is not charged to the real ledger");
    assert_eq!(story.count("verified"), 0, "what comes after a rehearsal would be a guess");
}

#[test]
fn a_rehearsed_alert_is_acted_on_once_the_cap_is_lifted() {
    let dry = Settings { mode: Mode::DryRun, ..settings() };
    let mut story = Story::with(&[RESTART_THEN_SCALE], &dry);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1m");
    story.adopt(&[RESTART_THEN_SCALE], &settings());
    assert_eq!(story.state.ledger.charges.len(), 1);
}

#[test]
fn a_failed_attempt_without_effect_is_tried_three_times_then_a_person_is_called() {
    let mut story = Story::new(&[
        &RESTART_THEN_SCALE.replace("onFailure:", "guards: {cooldown: 0s, limits: []}\n  onFailure:")
    ]);
    story.outcome = Some(Outcome::Failed {
        what: "could not reach the API server".to_owned(),
        applied: false,
        diff: None,
    });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    assert_eq!(story.intents().len(), 3, "{:?}", story.last_ruling());
    assert_eq!(story.calls(), ["could not reach the API server"]);
}

#[test]
fn an_unknown_outcome_stays_charged_and_is_not_repeated() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = Some(Outcome::Unknown { what: "no answer to the patch".to_owned() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("3h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(story.state.ledger.charges.len(), 1);
    assert_eq!(story.calls(), ["no answer to the patch"]);
}

#[test]
fn a_relapse_goes_on_at_the_next_rung() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("5m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("30m");
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.series.insert("errors".to_owned(), value(0.5));
    story.deliver(vec![again]);
    assert_eq!(
        story.intents().last().map(String::as_str),
        Some("errors: scale 4 -> 6 on prod/deployment/web")
    );
}

#[test]
fn after_relapse_it_begins_anew() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("5m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("3h");
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"; 2]);
}

#[test]
fn one_batch_shares_one_budget() {
    let policy = RESTART_THEN_SCALE.replace(
        "onFailure:",
        "guards: {limits: [{max: 2, per: 1h, by: policy}], concurrency: 9, blastRadius: {targets: {max: 9, in: cluster, per: 1h}}}\n  onFailure:",
    );
    let mut story = Story::new(&[&policy]);
    story.outcome = None;
    story.deliver((0..5).map(|n| alert("Errors", &format!("prod/web-{n}"))).collect());
    assert_eq!(story.intents().len(), 2, "{}", story.last_ruling());
    assert!(story.last_ruling().contains("2 of 2 actions used in 1h by policy"), "{}", story.last_ruling());
}

#[test]
fn the_higher_priority_gets_the_target() {
    let first = RESTART_THEN_SCALE.replace("name: errors", "name: a-low");
    let second = RESTART_THEN_SCALE
        .replace("name: errors", "name: z-high")
        .replace("mode: enforce", "mode: enforce\n  priority: 5");
    let mut story = Story::new(&[&first, &second]);
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), ["z-high: restart on prod/deployment/web"]);
}

#[test]
fn a_removed_policy_stops_at_the_next_rung() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("2m");
    story.adopt(&[], &settings());
    story.pass("20m");
    assert_eq!(story.intents().len(), 1, "the second rung never comes");
    assert_eq!(story.count("verified"), 1, "the first is still watched");
}

#[test]
fn a_running_ladder_finishes_under_the_book_it_began_with() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("2m");
    let changed = RESTART_THEN_SCALE.replace("scale: {by: 2, max: 10}", "scale: {by: 5, max: 10}");
    story.adopt(&[&changed], &settings());
    story.pass("15m");
    assert_eq!(
        story.intents().last().map(String::as_str),
        Some("errors: scale 4 -> 6 on prod/deployment/web")
    );
}

#[test]
fn the_same_book_is_adopted_once() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let before = story.count("adopted");
    story
        .feed(&paramedic_policies::input::Input::Adopt(Box::new(source(&[RESTART_THEN_SCALE], &settings()))));
    assert_eq!(story.count("adopted"), before);
}

#[test]
fn ineffective_rounds_end_in_quarantine() {
    let policy = RESTART_THEN_SCALE
        .replace("notify: [sre]", "notify: [sre], quarantineAfter: 2")
        .replace("onFailure:", "guards: {cooldown: 0s, relapse: 0s}\n  onFailure:");
    let mut story = Story::new(&[&policy]);
    for round in 0..3 {
        let mut one = alert("Errors", "prod/web");
        one.starts_at = story.now;
        story.deliver(vec![one.clone()]);
        story.pass("1h");
        let ended = story.now;
        story.deliver(vec![crate::story::resolved(one, ended)]);
        story.pass(&format!("{}h", 2 + round));
    }
    assert_eq!(story.count("quarantined"), 1);
    assert!(story.last_ruling().contains("2 rounds in a row did not help"), "{}", story.last_ruling());
}

/// A policy that seems to help every time, until the trouble comes back half an hour later.
fn seems_to_help(on: &str, story: &mut Story) {
    let mut one = alert("Errors", on);
    one.starts_at = story.now;
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![one.clone()]);
    story.pass("10m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(one, ended)]);
    story.pass("20m");
}

fn quarantined_after(rounds: u32) -> String {
    RESTART_THEN_SCALE
        .replace("      revert: {after: 1h}\n", "")
        .replace("notify: [sre]", &format!("notify: [sre], quarantineAfter: {rounds}"))
        .replace("onFailure:", "guards: {cooldown: 0s, relapse: 1h}\n  onFailure:")
}

#[test]
fn help_that_never_lasts_ends_in_quarantine_and_a_person_is_called() {
    let mut story = Story::new(&[&quarantined_after(2)]);
    for _ in 0..2 {
        seems_to_help("prod/web", &mut story);
    }
    assert_eq!(story.intents().len(), 2);
    assert_eq!(story.count("quarantined"), 0, "the second may have helped yet");
    seems_to_help("prod/web", &mut story);
    assert_eq!(story.intents().len(), 2);
    assert_eq!(story.count("quarantined"), 1);
    let call = story.calls().last().copied().unwrap_or_default().to_owned();
    assert!(call.ends_with("errors is quarantined: 2 rounds in a row did not help"), "{call}");
}

#[test]
fn the_rung_after_one_round_too_many_is_not_taken() {
    let mut story = Story::new(&[&quarantined_after(1)]);
    for _ in 0..2 {
        seems_to_help("prod/web", &mut story);
    }
    assert_eq!(story.intents().len(), 1);
    assert_eq!(
        story.calls(),
        [
            "the trouble came back after what seemed to help; errors is quarantined: 1 round in a row did not help"
        ]
    );
    assert!(story.last_ruling().contains("quarantined since"), "{}", story.last_ruling());
}

#[test]
fn several_alerts_of_one_relapse_are_one_round() {
    let mut story = Story::new(&[&quarantined_after(3)]);
    seems_to_help("prod/web", &mut story);
    let again = |pod: &str| {
        let mut one = alert("Errors", "prod/web");
        one.labels.insert("pod".to_owned(), pod.to_owned());
        one
    };
    story.deliver(["a", "b", "c", "d"].map(again).into());
    assert_eq!(story.state.efficacy["errors"].ineffective, 1);
    assert_eq!(story.count("quarantined"), 0);
}

#[test]
fn help_that_lasts_begins_the_count_anew() {
    let mut story = Story::new(&[&quarantined_after(2)]);
    for round in 0..6 {
        seems_to_help("prod/web", &mut story);
        if round % 2 == 1 {
            story.pass("2h");
        }
    }
    assert_eq!(story.count("quarantined"), 0, "{:?}", story.calls());
    assert_eq!(story.intents().len(), 6);
}

#[test]
fn help_elsewhere_does_not_hide_that_it_did_not_last_here() {
    let mut story = Story::new(&[&quarantined_after(2)]);
    for _ in 0..2 {
        seems_to_help("prod/web", &mut story);
    }
    seems_to_help("prod/api", &mut story);
    assert_eq!((story.intents().len(), story.count("quarantined")), (3, 0));
    seems_to_help("prod/web", &mut story);
    assert_eq!(story.count("quarantined"), 1);
}

#[test]
fn a_query_whose_template_has_no_value_refuses_and_names_it() {
    let policy = RESTART_THEN_SCALE.replace(
        "  ladder:\n",
        "  when: [{query: 'up{zone=\"{{ labels.zone }}\"}', is: \"> 0\"}]\n  ladder:\n",
    );
    let mut story = Story::new(&[&policy]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.last_ruling(), "withhold: no usable query: `labels.zone` is not set");
}

#[test]
fn a_target_without_a_namespace_is_refused_and_never_means_default() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let mut one = alert("Errors", "prod/web");
    one.labels.remove("namespace");
    story.deliver(vec![one]);
    assert_eq!(story.last_ruling(), "withhold: no usable namespace: `labels.namespace` is not set");
}

#[test]
fn an_attempt_that_failed_is_not_repeated_once_the_alert_is_resolved() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.outcome =
        Some(Outcome::Failed { what: "connection refused".to_owned(), applied: false, diff: None });
    story.deliver(Vec::new());
    story.pass("1h");
    assert_eq!(story.intents().len(), 1);
    assert!(story.state.episodes.is_empty(), "what is over is forgotten");
}

#[test]
fn a_record_says_when_an_attempt_is_tried_again() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome =
        Some(Outcome::Failed { what: "connection refused".to_owned(), applied: false, diff: None });
    story.deliver(vec![alert("Errors", "prod/web")]);
    let at = story.now;
    let advanced = story.records.iter().find_map(|(_, event)| match event {
        Event::Advanced { due, .. } => Some(*due),
        _ => None,
    });
    assert_eq!(advanced, Some(Some(at + settings().facts.retry)));
    assert_eq!(paramedic_policies::wake(&story.state), advanced.flatten());
}

#[test]
fn a_record_that_does_not_say_when_is_read_and_written_as_it_was() {
    let text =
        r#"{"kind":"advanced","case":{"episode":5,"policy":"errors"},"rung":0,"step":0,"why":"retry"}"#;
    let event: Event = serde_json::from_str(text).expect("read for ever");
    assert_eq!(serde_json::to_string(&event).expect("plain data"), text);
}

#[test]
fn a_removed_policy_does_not_begin_a_rung_that_was_held() {
    let held = RESTART_THEN_SCALE
        .replace("onFailure:", "guards: {limits: [{max: 1, per: 1h, by: policy}]}\n  onFailure:");
    let mut story = Story::new(&[&held]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("20m");
    assert_eq!(story.intents().len(), 1, "the second rung is held by the limit");
    story.adopt(&[], &settings());
    story.pass("2h");
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn a_label_that_prometheus_cannot_be_asked_for_is_not_confirmed() {
    let odd = RESTART_THEN_SCALE.replace("{{ labels.deployment }}", "{{ labels['k8s.deployment'] }}");
    let mut story = Story::new(&[&odd]);
    let mut one = alert("Errors", "prod/web");
    one.labels.insert("k8s.deployment".to_owned(), "web".to_owned());
    story.deliver(vec![one]);
    assert!(story.intents().is_empty());
    assert!(story.last_ruling().contains("PromQL cannot ask for it unquoted"), "{}", story.last_ruling());
}

/// The alert resolves now and fires again ten minutes later.
fn comes_again(story: &mut Story) {
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("10m");
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
}

const ONE_RUNG: &str = "    - scale: {by: 2, max: 10}\n      revert: {after: 1h}\n      verify: {query: 'errors{namespace=\"{{ labels.namespace }}\"}', is: \"< 0.01\", settle: 1m, hold: 1m, within: 10m, every: 15s}\n";

fn eager(rungs: usize) -> String {
    let policy = RESTART_THEN_SCALE.replace(
        "onFailure: {notify: [sre]}",
        "guards: {cooldown: 0s, relapse: 2h, limits: []}\n  onFailure: {notify: [sre], quarantineAfter: 1}",
    );
    assert!(policy.contains(ONE_RUNG));
    if rungs == 1 { policy.replace(ONE_RUNG, "") } else { policy }
}

#[test]
fn doubt_does_not_climb_when_the_trouble_comes_back_and_calls_a_person() {
    let mut story = Story::new(&[&eager(2)]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("errors".to_owned(), paramedic_policies::answer::Found::Series(Vec::new()));
    story.pass("15m");
    assert_eq!(story.calls(), ["nobody knows whether it helped: no series"]);
    comes_again(&mut story);
    story.pass("30m");
    assert_eq!(story.intents().len(), 1, "{:?}", story.intents());
    assert!(
        story.last_ruling().starts_with("withhold: nobody knows whether rung 1 helped"),
        "{}",
        story.last_ruling()
    );
    assert_eq!(story.calls().len(), 2, "{:?}", story.calls());
    assert_eq!(story.count("quarantined"), 0);
    // Once it is no relapse any more, it begins anew.
    story.pass("2h");
    comes_again(&mut story);
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"; 2]);
}

#[test]
fn an_effect_of_which_nobody_knows_does_not_climb_either() {
    for outcome in [
        Outcome::Unknown { what: "no answer to the patch".to_owned() },
        Outcome::Failed { what: "the rollout did not complete".to_owned(), applied: true, diff: None },
    ] {
        let mut story = Story::new(&[&eager(2)]);
        story.outcome = Some(outcome);
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("5m");
        comes_again(&mut story);
        assert_eq!(story.intents().len(), 1, "{:?}", story.intents());
        assert_eq!(story.calls().len(), 2, "{:?}", story.calls());
    }
}

#[test]
fn a_rung_that_was_never_done_is_not_climbed_beyond() {
    for rungs in [1, 2] {
        let mut story = Story::new(&[&eager(rungs)]);
        story.outcome =
            Some(Outcome::Failed { what: "connection refused".to_owned(), applied: false, diff: None });
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("5m");
        assert_eq!(story.calls(), ["connection refused"]);
        story.outcome = Some(Outcome::Done { diff: None, already: false });
        comes_again(&mut story);
        assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"; 4], "{}", story.last_ruling());
        assert!(story.state.efficacy.is_empty(), "nothing was tried that could have failed to help");
    }
}

#[test]
fn a_second_rung_that_was_never_done_comes_next_and_the_first_counts_once() {
    let mut story = Story::new(&[&eager(2).replace("quarantineAfter: 1", "quarantineAfter: 2")]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("10m");
    story.outcome = Some(Outcome::Refused { reasons: Vec::new() });
    story.series.insert("errors".to_owned(), value(0.5));
    comes_again(&mut story);
    story.pass("5m");
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    comes_again(&mut story);
    let scale = "errors: scale 4 -> 6 on prod/deployment/web";
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web", scale, scale, scale, scale]);
    assert_eq!((story.state.efficacy["errors"].ineffective, story.count("quarantined")), (1, 0));
}

/// What has not touched its target raises no alerts there: after a crash between record and request the remedy comes at once.
#[test]
fn what_failed_without_an_effect_does_not_have_to_settle() {
    for (outcome, refused) in [
        (Outcome::Failed { what: "not begun".to_owned(), applied: false, diff: None }, false),
        (Outcome::Refused { reasons: vec![Reason::NoKubernetes] }, false),
        (Outcome::Done { diff: None, already: false }, true),
        (Outcome::Failed { what: "no rollout in time".to_owned(), applied: true, diff: None }, true),
        (Outcome::Unknown { what: "no answer".to_owned() }, true),
    ] {
        let other =
            RESTART_THEN_SCALE.replace("name: errors}", "name: slow}").replace("\"Errors\"", "\"Slow\"");
        let mut story = Story::new(&[RESTART_THEN_SCALE, &other]);
        story.outcome = Some(outcome.clone());
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.deliver(vec![alert("Slow", "prod/web")]);
        let settles = story.rulings().iter().any(|ruling| {
            ruling
                .findings
                .iter()
                .filter_map(|found| found.reason())
                .any(|reason| reason.name() == "settling")
        });
        assert_eq!(settles, refused, "{outcome:?}: {}", story.last_ruling());
        assert!(!story.state.ledger.charges.is_empty(), "what was charged before the effect stays charged");
    }
}
