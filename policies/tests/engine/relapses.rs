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
