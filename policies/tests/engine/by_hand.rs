//! Policies that operators run by hand: the same guards, the same records, and nobody's alert.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::settings::Settings;

use crate::story::{RESTART_THEN_SCALE, Story, alert, labels, settings, value};

/// Three steps, each verified, and no alert.
const RESTORE: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restore}
spec:
  mode: approve
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {to: 1}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
    - scale: {to: 3}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
  guards: {blastRadius: {unavailable: "off"}}
"#;

fn run(policy: &str, key: &str) -> Command {
    let labels = labels(&[("namespace", "prod"), ("deployment", "web")]);
    let (policy, key, reason) = (policy.to_owned(), key.to_owned(), "the database is back".to_owned());
    Command::Run { policy, labels, reason, dry_run: false, key }
}

fn rehearse(policy: &str, key: &str) -> Command {
    match run(policy, key) {
        Command::Run { policy, labels, reason, key, .. } => {
            Command::Run { policy, labels, reason, dry_run: true, key }
        }
        other => other,
    }
}

fn refusal(story: &Story) -> String {
    match &story.records.last().expect("something is recorded").1 {
        Event::OrderRefused { why, .. } => why.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

fn conclusions(story: &Story) -> Vec<String> {
    let all = story.records.iter().filter_map(|(_, event)| match event {
        Event::Concluded { conclusion, .. } => Some(format!("{conclusion:?}")),
        _ => None,
    });
    all.collect()
}

#[test]
fn a_policy_is_run_without_its_alert_and_without_asking_for_one() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    let approved = story.state.in_flight.values().chain([]).count();
    assert_eq!(approved, 0, "it has ended");
    story.pass("5m");
    assert_eq!(conclusions(&story), ["Helped"]);
    assert!(story.state.episodes.is_empty(), "it is over with its case");
    let who = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => intent.approved_by.clone(),
        _ => None,
    });
    assert_eq!(who.as_deref(), Some("ada"));
    story.restart();
}

#[test]
fn a_sequence_stops_at_the_first_step_that_does_not_verify() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(story.intents(), ["restore: scale 0 -> 1 on prod/deployment/web"]);
    assert_eq!(conclusions(&story), ["Exhausted"]);
    assert_eq!(story.replicas, 1);
    assert_eq!(story.count("quarantined"), 0);
}

#[test]
fn a_sequence_goes_on_while_each_step_verifies_and_the_order_is_the_approval() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(
        story.intents(),
        ["restore: scale 0 -> 1 on prod/deployment/web", "restore: scale 1 -> 3 on prod/deployment/web"]
    );
    assert_eq!(conclusions(&story), ["Helped"]);
    assert_eq!(story.count("approved"), 0);
}

#[test]
fn a_step_that_holds_already_is_passed() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 1;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(story.intents(), ["restore: scale 1 -> 3 on prod/deployment/web"]);
    assert_eq!(conclusions(&story), ["Helped"]);
}

#[test]
fn no_alert_starts_a_policy_without_matchers() {
    let mut story = Story::new(&[RESTORE]);
    story.deliver(vec![alert("Errors", "prod/web"), alert("", "prod/web")]);
    story.pass("1h");
    assert_eq!(story.count("ruled"), 0);
}

#[test]
fn the_same_request_is_not_done_twice() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    story.restart();
    story.pass("30m");
    let before = story.records.len();
    story.order(run("errors", "k-1"));
    assert_eq!(story.records.len(), before, "nothing follows");
    story.order(run("restore", "k-1"));
    assert!(refusal(&story).starts_with("the key k-1 is of another order, episode "), "{}", refusal(&story));
    story.order(run("errors", "k-2"));
    assert_eq!(story.intents().len(), 2);
}

#[test]
fn an_order_for_what_is_not_there_says_what_is() {
    let mut story = Story::new(&[RESTORE]);
    story.order(run("restor", "k-1"));
    assert_eq!(refusal(&story), "there is no policy restor; there are: restore");
    let policy = "restore".to_owned();
    let labels = labels(&[("namespace", "prod")]);
    story.order(Command::Run { policy, labels, reason: String::new(), dry_run: false, key: "k".to_owned() });
    assert_eq!(refusal(&story), "restore needs values for these labels: deployment");
}

#[test]
fn a_rehearsal_shows_everything_and_counts_for_nothing() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    for key in ["k-1", "k-2", "k-3", "k-4", "k-5"] {
        story.order(rehearse("errors", key));
        assert_eq!(story.last_ruling(), "act: ");
    }
    assert_eq!(conclusions(&story), ["Rehearsed"; 5]);
    assert!(story.records.iter().all(|(_, event)| match event {
        Event::Intended { intent } => intent.mode == Mode::DryRun && !intent.charged,
        _ => true,
    }));
    story.order(run("errors", "k-6"));
    assert_eq!(story.last_ruling(), "act: ");
}

#[test]
fn a_rehearsal_is_judged_by_what_would_count() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    story.pass("5m");
    story.order(rehearse("errors", "k-2"));
    assert!(story.last_ruling().contains("cooling down"), "{}", story.last_ruling());
    assert_eq!(conclusions(&story), ["Helped", "Refused"], "who only asks does not wait");
}

#[test]
fn what_is_held_for_longer_than_anybody_waits_is_refused_at_once() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let reason = String::new();
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason });
    story.order(run("errors", "k-1"));
    assert!(
        story.last_ruling().starts_with("hold: everything is paused") || conclusions(&story) == ["Refused"]
    );
    story.pass("11m");
    assert_eq!(conclusions(&story), ["Refused"]);
    assert!(story.state.episodes.is_empty());
    story.order(Command::Resume { scope: PauseScope::Everything });
    story.pass("1h");
    assert!(story.intents().is_empty(), "nothing is done behind the back of whoever was refused");
}

#[test]
fn a_short_hold_is_waited_for() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let until = Some(story.now + "3m".parse().expect("a span"));
    story.order(Command::Pause { scope: PauseScope::Everything, until, reason: String::new() });
    story.order(run("errors", "k-1"));
    assert!(story.intents().is_empty());
    story.pass("4m");
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn the_cap_binds_orders_too() {
    for (cap, wanted) in [(Mode::DryRun, "Rehearsed"), (Mode::Approve, "Helped")] {
        let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { mode: cap, ..settings() });
        story.series.insert("errors".to_owned(), value(0.0));
        story.order(run("errors", "k-1"));
        story.pass("5m");
        assert_eq!(conclusions(&story), [wanted], "{cap}");
    }
}

#[test]
fn what_is_run_by_hand_is_no_sign_of_trouble() {
    let unless = RESTART_THEN_SCALE.replace("  target:", "  unless: ['alertname=\"ByHand\"']\n  target:");
    let mut story = Story::new(&[&unless, RESTORE]);
    story.outcome = None;
    story.order(run("restore", "k-1"));
    story.deliver(vec![alert("Errors", "prod/other")]);
    assert!(story.intents().iter().any(|intent| intent.starts_with("errors: restart")));
    assert!(story.state.last_ladders.is_empty());
    assert_eq!(story.state.open.len(), 1);
}

#[test]
fn an_order_survives_a_restart_and_a_removed_policy_ends_it() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.restart();
    story.feed(&Input::Wake);
    story.adopt(&[RESTART_THEN_SCALE], &settings());
    story.pass("1h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(conclusions(&story), ["Withdrawn"]);
    assert!(story.state.episodes.is_empty());
}

#[test]
fn a_failed_order_calls_a_person_all_the_same() {
    let notify = RESTORE.to_owned() + "  onFailure: {notify: [sre]}\n";
    let mut story = Story::new(&[&notify]);
    story.replicas = 0;
    story.outcome = Some(Outcome::Failed { what: "the API server is gone".to_owned(), applied: true });
    story.order(run("restore", "k-1"));
    assert_eq!(conclusions(&story), ["Failed"]);
    assert_eq!(story.count("escalated"), 1);
    assert_eq!(story.state.episodes.get(&Seq(1)), None);
}
