//! What is taken back after a while.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::Settings;

use crate::story::{RESTART_THEN_SCALE, Story, alert, settings, value};

const SCALE_FOR_AN_HOUR: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: slow}
spec:
  description: More replicas for an hour.
  mode: enforce
  match: ['alertname="Slow"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - scale: {by: 2, max: 10}
      revert: {after: 1h}
      verify: {query: 'errors', is: "< 0.01", settle: 1m, hold: 0s, within: 10m, every: 15s}
  guards: {cooldown: 0s, relapse: 0s}
"#;

fn scaled() -> Story {
    let mut story = Story::new(&[SCALE_FOR_AN_HOUR]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.replicas, 6);
    over(&mut story);
    story
}

fn over(story: &mut Story) {
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Slow", "prod/web"), ended)]);
}

#[test]
fn the_old_value_comes_back_after_the_lease() {
    let mut story = scaled();
    story.pass("59m");
    assert_eq!(story.replicas, 6);
    story.pass("2m");
    assert_eq!(story.replicas, 4);
    assert_eq!(story.state.ledger.charges.len(), 1, "a revert is not charged");
}

#[test]
fn a_field_that_a_human_changed_is_left_alone_and_a_person_called() {
    let mut story = scaled();
    story.replicas = 9;
    story.pass("2h");
    assert_eq!(story.replicas, 9);
    assert_eq!(story.count("revertDropped"), 1);
    assert!(
        story.calls()[0].contains("changed since it was looked at: replicas are 9"),
        "{:?}",
        story.calls()
    );
}

#[test]
fn a_pause_holds_a_revert() {
    let mut story = scaled();
    let scope = PauseScope::Namespace("prod".to_owned());
    story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    story.pass("2h");
    assert_eq!(story.replicas, 6);
    story.order(Command::Resume { scope });
    story.pass("1m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn overlapping_leases_restore_the_value_from_before_the_first() {
    let mut story = scaled();
    story.pass("30m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Slow", "prod/web"), ended)]);
    story.pass("1m");
    let mut again = alert("Slow", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert_eq!(story.replicas, 8);
    over(&mut story);
    story.pass("45m");
    assert_eq!(story.replicas, 8, "the first lease was taken over");
    story.pass("30m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn a_lease_survives_a_restart() {
    let mut story = scaled();
    story.restart();
    story.pass("61m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn a_rehearsal_leaves_nothing_to_take_back() {
    let dry = RESTART_THEN_SCALE.replace("mode: enforce", "mode: dry-run");
    let mut story = Story::new(&[&dry]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.state.leases.is_empty());
}

#[test]
fn a_revert_that_failed_without_effect_is_tried_again() {
    let mut story = scaled();
    story.pass("59m");
    story.outcome = Some(Outcome::Failed {
        what: "could not reach the API server".to_owned(),
        applied: false,
        diff: None,
    });
    story.pass("1m 10s");
    assert_eq!(story.replicas, 6);
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.pass("1m");
    assert_eq!(story.replicas, 4);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn a_target_that_was_made_anew_is_left_alone() {
    let mut story = scaled();
    story.uid = "uid-2".to_owned();
    story.pass("2h");
    assert_eq!(story.replicas, 6);
    assert!(story.calls()[0].contains("another object now (uid uid-2)"), "{:?}", story.calls());
}

fn scaled_with(outcome: Outcome, made: bool) -> Story {
    let mut story = Story::new(&[SCALE_FOR_AN_HOUR]);
    story.outcome = Some(outcome);
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.intents().len(), 1);
    if made {
        story.replicas = 6;
    }
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    over(&mut story);
    story
}

fn unknown() -> Outcome {
    Outcome::Unknown { what: "no answer to the patch".to_owned() }
}

#[test]
fn what_may_have_been_done_is_taken_back_where_it_was() {
    let mut story = scaled_with(unknown(), true);
    assert_eq!(
        story.calls(),
        ["no answer to the patch; if it was done all the same, it is taken back in 1h"]
    );
    story.pass("61m");
    assert_eq!(story.replicas, 4);
    assert_eq!(story.calls().len(), 1);
}

#[test]
fn what_was_not_done_after_all_is_not_taken_back_and_nobody_is_called_for_it() {
    let mut story = scaled_with(unknown(), false);
    story.pass("2h");
    assert_eq!((story.replicas, story.count("intended")), (4, 1));
    assert_eq!(story.count("revertDropped"), 1);
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

#[test]
fn what_was_done_and_failed_afterwards_is_taken_back() {
    let failed =
        Outcome::Failed { what: "the rollout did not complete".to_owned(), applied: true, diff: None };
    let mut story = scaled_with(failed, true);
    assert_eq!(story.calls(), ["the rollout did not complete; what was changed is taken back in 1h"]);
    story.pass("61m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn an_effect_that_changed_nothing_leaves_the_earlier_lease_alone() {
    let mut story = scaled();
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Slow", "prod/web"), ended)]);
    story.pass("5m");
    story.outcome = Some(Outcome::Done { diff: None, already: true });
    let mut again = alert("Slow", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert_eq!(story.count("intended"), 2);
    over(&mut story);
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.replicas = 6;
    story.pass("1h");
    assert_eq!(story.replicas, 4);
}

#[test]
fn a_label_that_protects_holds_a_revert() {
    let mut story = scaled();
    story.labels.insert("paramedic.dev/protected".to_owned(), "true".to_owned());
    story.pass("3h");
    assert_eq!(story.replicas, 6);
    assert!(story.count("revertHeld") > 0);
}

#[test]
fn while_time_stands_still_nothing_is_taken_back() {
    let mut story = scaled();
    let intent = *story.state.leases.keys().next().expect("one");
    story.now = story.now + "3h".parse().expect("a span");
    story.feed(&Input::ClockStepped { by_ms: 3 * 3_600_000 });
    story.feed(&Input::ClockStepped { by_ms: -3 * 3_600_000 });
    story.order(Command::AcceptClock);
    story.order(Command::Undo { intent, only: Vec::new(), reason: String::new(), past: None });
    assert_eq!(story.replicas, 6);
    story.pass("1s");
    assert_eq!(story.replicas, 4);
}

fn capped(mode: Mode) -> Settings {
    Settings { mode, ..settings() }
}

#[test]
fn what_a_person_approved_is_held_in_dry_run_and_taken_back_afterwards() {
    let mut story = Story::with(&[SCALE_FOR_AN_HOUR], &capped(Mode::Approve));
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    let proposal = story.last("ruled");
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(story.replicas, 6);
    over(&mut story);
    story.restart();
    story.adopt(&[SCALE_FOR_AN_HOUR], &capped(Mode::DryRun));
    story.pass("2h");
    assert_eq!((story.count("intended"), story.replicas), (1, 6), "nothing is done in dry-run");
    assert_eq!((story.state.leases.len(), story.count("revertDropped")), (1, 0));
    story.adopt(&[SCALE_FOR_AN_HOUR], &capped(Mode::Approve));
    assert_eq!(story.replicas, 4, "who approved the action approved its end");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

fn annotated() -> Reason {
    Reason::PausedByAnnotation { until: "2027-01-16T00:00:00Z".to_owned() }
}

#[test]
fn a_pause_by_annotation_holds_a_revert_and_it_comes_afterwards() {
    for passing in
        [annotated(), Reason::RollingOut { detail: "2 of 4 updated".to_owned() }, Reason::NoKubernetes]
    {
        let mut story = scaled();
        story.refusals = vec![passing.clone()];
        story.pass("3h");
        assert_eq!((story.replicas, story.count("revertDropped")), (6, 0), "{passing}");
        assert!(story.count("revertHeld") > 0);
        story.refusals.clear();
        story.pass("5m");
        assert_eq!(story.replicas, 4, "{passing}");
        // A pause is somebody's wish; what else holds it for so long is told.
        let told = usize::from(!matches!(passing, Reason::PausedByAnnotation { .. }));
        assert_eq!(story.calls().len(), told, "{:?}", story.calls());
    }
}

#[test]
fn a_revert_refused_by_a_pause_at_the_last_moment_is_held_however_often() {
    let mut story = scaled();
    story.pass("59m");
    story.outcome = Some(Outcome::Refused { reasons: vec![annotated()] });
    story.pass("1h");
    assert!(story.count("intended") > 5, "{}", story.count("intended"));
    assert_eq!((story.replicas, story.state.leases.len()), (6, 1));
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.pass("6m");
    assert_eq!(story.replicas, 4);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_a_human_changed_is_left_alone_though_it_is_paused_too() {
    let mut story = scaled();
    story.pass("59m");
    let changed = Reason::Changed { what: "replicas are 9".to_owned() };
    story.outcome = Some(Outcome::Refused { reasons: vec![annotated(), changed] });
    story.pass("61s");
    story.replicas = 9;
    story.pass("2h");
    assert_eq!(story.count("intended"), 2);
    assert!(story.state.leases.is_empty());
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

const FREEZE_TWO: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: freeze}
spec:
  description: No deploys in two namespaces for an hour.
  mode: enforce
  match: ['alertname="Budget"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - freezeDeploys: {for: 1h, namespaces: [prod, stage]}
"#;

fn stage() -> PauseScope {
    PauseScope::Namespace("stage".to_owned())
}

fn pause_stage(story: &mut Story) {
    story.order(Command::Pause { scope: stage(), until: None, reason: String::new() });
}

#[test]
fn a_namespace_that_is_paused_or_protected_is_frozen_by_nobody() {
    let mut paused = Story::new(&[FREEZE_TWO]);
    pause_stage(&mut paused);
    paused.deliver(vec![alert("Budget", "prod/web")]);
    paused.pass("1h");
    assert!(paused.intents().is_empty());
    assert_eq!(paused.last_ruling(), "hold: namespace stage is paused by ada");

    let mut settings = settings();
    settings.guards.protected.namespaces.push("stage".to_owned());
    let mut protected = Story::with(&[FREEZE_TWO], &settings);
    protected.deliver(vec![alert("Budget", "prod/web")]);
    assert!(protected.intents().is_empty());
    assert_eq!(protected.last_ruling(), "withhold: protected by namespace stage");
}

#[test]
fn a_thaw_is_held_by_a_pause_of_any_namespace_that_was_frozen() {
    let mut story = Story::new(&[FREEZE_TWO]);
    story.deliver(vec![alert("Budget", "prod/web")]);
    assert_eq!(story.intents(), ["freeze: freeze deploys in prod, stage for 1h on prod/deployment/web"]);
    assert_eq!(story.state.ledger.charges[0].beyond, ["stage"]);
    pause_stage(&mut story);
    story.pass("3h");
    assert_eq!(story.count("intended"), 1);
    story.order(Command::Resume { scope: stage() });
    assert_eq!(
        story.intents().get(1).map(String::as_str),
        Some("freeze: thaw deploys in prod, stage on prod/deployment/web"),
        "{:?}",
        story.calls()
    );
}

const BLOCK_FOR_AN_HOUR: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: block}
spec:
  description: Two addresses, the second for longer.
  mode: enforce
  match: ['alertname="Logins"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - blockIp: {by: networkPolicy, clientAddress: peer, query: errors, label: ip, for: 1h}
      verify: {query: 'errors', is: "< 0.01", settle: 1m, hold: 0s, within: 10m, every: 15s}
  guards: {cooldown: 0s, relapse: 0s}
"#;

fn blocked() -> Story {
    let mut story = Story::new(&[BLOCK_FOR_AN_HOUR]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Logins", "prod/web")]);
    assert_eq!(
        story.intents(),
        ["block: block 203.0.113.7 for 1h, 203.0.113.8 for 4h (time 4) on prod/deployment/web"]
    );
    story
}

#[test]
fn each_part_of_an_action_ends_at_its_own_time() {
    let mut story = blocked();
    story.pass("59m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Logins", "prod/web"), ended)]);
    assert_eq!(story.intents().len(), 1);
    story.pass("2m");
    assert_eq!(story.intents()[1], "block: unblock 203.0.113.7 on prod/deployment/web");
    story.restart();
    story.pass("2h 50m");
    assert_eq!((story.intents().len(), story.state.leases.len()), (2, 1));
    story.pass("10m");
    assert_eq!(story.intents()[2], "block: unblock 203.0.113.8 on prod/deployment/web");
    assert!(story.state.leases.is_empty());
    assert_eq!(story.state.ledger.charges.len(), 1, "no revert is charged");
}

#[test]
fn who_is_allowed_by_a_new_book_is_let_in_at_once() {
    let mut story = blocked();
    story.pass("5m");
    let allowing =
        |range: &str| BLOCK_FOR_AN_HOUR.replace("for: 1h}", &format!("for: 1h, allow: [{range}]}}"));
    story.adopt(&[&allowing("192.0.2.0/24")], &crate::story::settings());
    assert_eq!(story.intents().len(), 1, "that is somebody else");
    story.adopt(&[&allowing("203.0.113.8/32")], &crate::story::settings());
    assert_eq!(story.intents()[1..], ["block: unblock 203.0.113.8 on prod/deployment/web"], "nobody else");
    assert_eq!(story.state.leases.len(), 1);
}

/// Long after the alert is forgotten, whoever is called knows what it is about.
#[test]
fn a_call_about_what_is_not_taken_back_says_what_where_and_for_whom() {
    use paramedic_policies::event::Event;
    use paramedic_policies::notifications::{Notifications, Receiver, Severity, Slack};

    let slack =
        |file: &str| Receiver { slack: Some(Slack { url_file: file.to_owned() }), ..Receiver::default() };
    let receivers = [("sre".to_owned(), slack("a")), ("other".to_owned(), slack("b"))].into();
    let notifications = Notifications { receivers, ..Notifications::default() };
    let policy = SCALE_FOR_AN_HOUR.to_owned() + "  onFailure: {notify: [sre]}\n";
    let mut story = Story::with(&[&policy], &Settings { notifications, ..settings() });
    story.series.insert("errors".to_owned(), value(0.0));
    let mut slow = alert("Slow", "prod/web");
    slow.labels.insert("severity".to_owned(), "critical".to_owned());
    story.deliver(vec![slow.clone()]);
    story.pass("5m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(slow, ended)]);
    assert!(story.state.episodes.is_empty(), "it is forgotten");
    story.restart();
    story.replicas = 9;
    story.pass("2h");
    let intent = story.last("intended");
    let wanted = format!("scale 4 -> 6 on prod/deployment/web (intent {intent}) is not taken back: ");
    assert!(story.calls()[0].starts_with(&wanted), "{:?}", story.calls());
    let notice = story.records.iter().find_map(|(_, event)| match event {
        Event::Notified { notice } => Some(notice),
        _ => None,
    });
    let notice = notice.expect("it is told");
    assert_eq!((notice.receiver.as_str(), notice.severity), ("sre", Severity::Critical));
    assert!(
        notice.title.starts_with("[critical] Slow: scale 4 -> 6 on prod/deployment/web"),
        "{}",
        notice.title
    );
    assert_eq!(notice.labels.get("namespace").map(String::as_str), Some("prod"));
}

fn still_open() -> Story {
    let mut story = Story::new(&[SCALE_FOR_AN_HOUR]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.replicas, 6);
    story
}

#[test]
fn what_helps_stays_while_the_trouble_is_there_and_goes_when_it_is_over() {
    let mut story = still_open();
    story.pass("2h");
    assert_eq!((story.replicas, story.count("revertHeld")), (6, 1), "one word, not one each five minutes");
    let lease = story.state.leases.values().next().expect("one");
    let why = lease.held_for.as_deref().unwrap_or_default();
    assert!(why.starts_with("Slow is still open (episode ") && why.contains("taken back at "), "{why}");
    story.restart();
    over(&mut story);
    assert_eq!(story.replicas, 4);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn another_alert_of_the_policy_on_the_target_holds_it_too() {
    let mut story = still_open();
    story.pass("10m");
    let mut other = alert("Slow", "prod/web");
    other.labels.insert("zone".to_owned(), "b".to_owned());
    story.deliver(vec![other.clone()]);
    over(&mut story);
    story.pass("90m");
    assert!(story.replicas > 4, "{}", story.replicas);
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(other, ended)]);
    story.pass("2h");
    assert_eq!(story.replicas, 4);
}

#[test]
fn it_does_not_stay_for_ever_and_a_person_is_told() {
    let mut story = still_open();
    for _ in 0..24 {
        story.pass("10m");
        story.deliver(vec![alert("Slow", "prod/web")]);
    }
    assert_eq!(story.replicas, 4);
    let calls = story.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(
        calls[0].starts_with("scale 4 -> 6 on prod/deployment/web (intent ")
            && calls[0].contains("was taken back after 4h, and Slow is still open"),
        "{calls:?}"
    );
}

#[test]
fn what_ends_by_itself_does_not_wait() {
    let freeze = SCALE_FOR_AN_HOUR.replace(
        "    - scale: {by: 2, max: 10}\n      revert: {after: 1h}\n",
        "    - freezeDeploys: {for: 1h}\n",
    );
    let mut story = Story::new(&[&freeze]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.intents().len(), 1);
    story.pass("61m");
    assert!(story.intents()[1].contains("thaw"), "{:?}", story.intents());
    // The alert is still open: it is decided anew, and ends with it.
    let freezes = |story: &Story| story.intents().iter().filter(|one| one.contains("freeze deploys")).count();
    assert_eq!(freezes(&story), 2, "{:?}", story.intents());
    over(&mut story);
    story.pass("3h");
    assert_eq!(freezes(&story), 2, "{:?}", story.intents());
}
