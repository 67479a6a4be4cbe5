//! Evidence as the first step of a sequence: it is collected whatever the mode, is charged to nothing but its own kind,
//! and lets nothing go on that would not have gone on without it.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Conclusion, Event};
use paramedic_policies::settings::Settings;

use crate::story::{Story, alert, resolved, settings, value};

/// Evidence, then a restart.
const ROLL: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: roll}
spec:
  mode: enforce
  match: ['alertname="Errors"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  when: [{query: 'traffic{namespace="{{ labels.namespace }}"}', is: "> 0"}]
  sequence:
    - collectEvidence: {}
    - restart: {}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 30s, hold: 30s, within: 5m}
  guards: {cooldown: 1h, limits: [{max: 1, per: 1h, by: target}], blastRadius: {targets: off, unavailable: off}}
  onFailure: {notify: [sre]}
"#;

const LOOK: &str = "roll: collect evidence on prod/deployment/web";
const ROLLED: &str = "roll: restart on prod/deployment/web";

fn story(settings: &Settings) -> Story {
    let mut story = Story::with(&[ROLL], settings);
    story.series.insert("traffic".to_owned(), value(5.0));
    story
}

#[test]
fn evidence_comes_first_and_spends_no_budget_of_what_follows() {
    let mut story = story(&settings());
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), [LOOK, ROLLED], "one action an hour, and both were done");
    assert_eq!((story.state.ledger.charges.len(), story.state.looks.charges.len()), (1, 1));
    story.restart();
}

#[test]
fn the_queries_of_the_policy_are_kept_by_themselves() {
    let mut story = story(&settings());
    story.deliver(vec![alert("Errors", "prod/web")]);
    let wanted = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some(format!("{:?}", intent.action)),
        _ => None,
    });
    let wanted = wanted.expect("it was intended");
    for query in ["traffic{namespace=", "errors{namespace="] {
        assert!(wanted.contains(query), "{query} in {wanted}");
    }
}

#[test]
fn a_cooldown_holds_what_follows_as_without_evidence() {
    let mut story = story(&settings());
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("5m");
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("1m");
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!(story.intents(), [LOOK, ROLLED], "neither is done again within the cooldown");
}

#[test]
fn an_alert_that_is_over_after_the_look_ends_it() {
    let mut story = story(&settings());
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), [LOOK]);
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.deliver(Vec::new());
    story.pass("10m");
    assert_eq!(story.intents(), [LOOK], "a look begins nothing that must be finished");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_follows_is_confirmed_anew() {
    let mut story = story(&settings());
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.deliver(Vec::new());
    story.pass("2m");
    assert_eq!(story.intents(), [LOOK], "Prometheus no longer shows the alert");
}

#[test]
fn a_dry_run_looks_and_rehearses_what_follows() {
    let mut story = story(&Settings { mode: Mode::DryRun, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), [LOOK, ROLLED]);
    let rehearsed = Conclusion::Rehearsed;
    assert!(
        story.records.iter().any(
            |(_, event)| matches!(event, Event::Concluded { conclusion, .. } if *conclusion == rehearsed)
        )
    );
}

#[test]
fn nobody_has_to_approve_a_look() {
    let mut story = story(&Settings { mode: Mode::Approve, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), [LOOK]);
    assert_eq!(story.state.proposals.len(), 1, "what follows it waits for a person");
}

#[test]
fn a_look_that_fails_is_tried_again_within_its_own_cooldown() {
    let mut story = Story::new(&[&ROLL.replace("max: 1", "max: 2")]);
    story.series.insert("traffic".to_owned(), value(5.0));
    story.outcome =
        Some(Outcome::Failed { what: "no answer in time".to_owned(), applied: false, diff: None });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.pass("5m");
    assert_eq!(story.intents(), [LOOK, LOOK, ROLLED]);
}

/// Of the workload first, then of the same again with other queries: one look does not hold the next one up.
#[test]
fn two_looks_of_one_sequence_do_not_wait_for_each_other() {
    let twice = ROLL
        .replace("    - collectEvidence: {}\n", "    - collectEvidence: {}\n    - collectEvidence: {}\n")
        .replace("limits: [{max: 1,", "limits: [{max: 2,");
    let mut story = Story::new(&[&twice]);
    story.series.insert("traffic".to_owned(), value(5.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents(), [LOOK, LOOK, ROLLED], "{}", story.last_ruling());
}
