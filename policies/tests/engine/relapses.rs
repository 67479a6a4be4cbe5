//! Trouble that comes back soon is the same trouble, whichever target its ladder acted on last.

use crate::story::{RESTART_THEN_SCALE, Story, alert, resolved, value};

/// Restarts the Deployment of the alert, then scales the database behind it.
fn two_targets() -> String {
    let db = "      target: {kind: Deployment, namespace: \"{{ labels.namespace }}\", name: db}\n";
    let policy = RESTART_THEN_SCALE.replace("      revert: {after: 1h}\n", db);
    policy.replace("  onFailure:", "  guards: {relapse: 2h, cooldown: 0s}\n  onFailure:")
}

/// An alert that what is done helps against.
fn helped(story: &mut Story) {
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![again.clone()]);
    story.pass("15m");
    let ended = story.now;
    story.deliver(vec![resolved(again, ended)]);
}

const BOTH: [&str; 2] =
    ["errors: restart on prod/deployment/web", "errors: scale 4 -> 6 on prod/deployment/db"];

#[test]
fn a_relapse_that_was_met_on_another_target_is_remembered_where_the_trouble_came_back() {
    let mut story = Story::new(&[&two_targets()]);
    helped(&mut story);
    story.pass("1h 20m");
    helped(&mut story);
    assert_eq!(story.intents(), BOTH, "{}", story.last_ruling());
    story.pass("1h 20m");
    helped(&mut story);
    assert_eq!(story.intents(), BOTH, "the first rung is not done again so early: {}", story.last_ruling());
    assert!(story.last_ruling().contains("all 2 rungs were tried"), "{}", story.last_ruling());
    // Two rounds did not help, although the second is known by two targets.
    assert_eq!(story.state.efficacy["errors"].ineffective, 2);
}

#[test]
fn every_rung_is_remembered_by_its_own_target() {
    let mut story = Story::new(&[&two_targets()]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("12m");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("15m");
    assert_eq!(story.intents(), BOTH, "{}", story.last_ruling());
    let of: Vec<String> =
        story.state.last_ladders.iter().map(|((_, on), last)| format!("{on}: {}", last.rung)).collect();
    assert_eq!(of, ["prod/deployment/db: 1", "prod/deployment/web: 1"]);
}

#[test]
fn a_target_that_a_sequence_shares_with_others_keeps_none_of_them_from_their_own() {
    let policy = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: errors}
spec:
  mode: enforce
  match: ['alertname="Errors"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {atLeast: 6}
    - restart: {}
      target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: router}
  guards: {relapse: 2h, cooldown: 0s}
"#;
    let mut story = Story::new(&[policy]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("20m");
    story.deliver(vec![alert("Errors", "prod/api")]);
    story.pass("20m");
    let restart = "errors: restart on prod/deployment/router";
    assert_eq!(story.intents(), ["errors: scale 4 -> 6 on prod/deployment/web", restart, restart]);
}

/// An alert that what is done helps against, or not, and its end.
fn trouble(story: &mut Story, on: &str, errors: f64, span: &str) {
    let mut one = alert("Errors", on);
    one.starts_at = story.now;
    story.series.insert("errors".to_owned(), value(errors));
    story.deliver(vec![one.clone()]);
    story.pass(span);
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("15m");
    let ended = story.now;
    story.deliver(vec![resolved(one, ended)]);
}

fn ineffective(story: &Story) -> u32 {
    story.state.efficacy.get("errors").map_or(0, |efficacy| efficacy.ineffective)
}

#[test]
fn a_ladder_known_by_two_targets_is_one_round_and_another_ladder_another() {
    let policy = two_targets().replace("relapse: 2h, cooldown: 0s", "relapse: 1d, cooldown: 0s, limits: []");
    let mut story = Story::new(&[&policy]);
    trouble(&mut story, "prod/api", 0.0, "1m");
    story.pass("40m");
    trouble(&mut story, "prod/web", 0.5, "12m");
    story.pass("40m");
    assert_eq!(story.intents().len(), 3, "{:?}", story.intents());
    trouble(&mut story, "prod/web", 0.5, "1m");
    assert!(story.last_ruling().contains("all 2 rungs were tried"), "{}", story.last_ruling());
    assert_eq!(ineffective(&story), 1);
    trouble(&mut story, "prod/db", 0.5, "1m");
    assert_eq!(ineffective(&story), 1, "the same ladder: {}", story.last_ruling());
    story.pass("40m");
    let mut again = alert("Errors", "prod/api");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert_eq!(ineffective(&story), 2, "another one: {}", story.last_ruling());
}

#[test]
fn a_relapse_of_which_an_older_record_says_not_where_counts_too() {
    use paramedic_policies::event::{Advance, Event};
    let mut story = Story::new(&[&two_targets()]);
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/web")]);
    let case = story.state.cases.keys().next().expect("one").clone();
    story.record(Event::Advanced { case, rung: 1, step: 0, why: Advance::Relapse, due: None, target: None });
    assert_eq!(ineffective(&story), 1);
}

#[test]
fn a_rung_that_was_begun_counts_as_tried_when_its_alert_ends_and_one_that_was_not_does_not() {
    use paramedic_policies::action::Outcome;
    let failed = Outcome::Failed { what: "no route to host".to_owned(), applied: false, diff: None };
    let done = Outcome::Done { diff: None, already: false };
    for (outcome, next) in [(done.clone(), "errors: scale"), (failed, "errors: restart")] {
        let mut story = Story::new(&[&two_targets()]);
        story.outcome = Some(outcome);
        story.deliver(vec![alert("Errors", "prod/web")]);
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        story.outcome = Some(done.clone());
        story.pass("40m");
        assert_eq!(story.intents().len(), 1, "{:?}", story.intents());
        let mut again = alert("Errors", "prod/web");
        again.starts_at = story.now;
        story.deliver(vec![again]);
        let intents = story.intents();
        assert!(intents[1].starts_with(next), "{intents:?}");
    }
}
