//! A lease is over when what it holds is known to be taken back, or a person has taken over and was told. Until then it is
//! looked at again, ever more seldom, and it is told once.

use paramedic_policies::action::Outcome;
use paramedic_policies::event::Event;
use paramedic_policies::input::Input;
use paramedic_policies::order::Command;
use paramedic_policies::reason::Reason;

use crate::story::{Story, alert, resolved, settings, value};

/// A policy that does this, taken back by itself or after an hour.
fn policy(name: &str, alert: &str, step: &str) -> String {
    format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="{alert}"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  sequence:
{step}
  guards: {{cooldown: 0s, relapse: 0s, blastRadius: {{targets: off, unavailable: off}}}}
"#
    )
}

const SCALE: &str = "    - scale: {by: 2, max: 20}\n      revert: {after: 1h}\n      verify: {query: 'errors', is: \"< 0.01\", settle: 1m, hold: 0s, within: 10m, every: 15s}";

fn over(story: &mut Story, name: &str) {
    let ended = story.now;
    story.deliver(vec![resolved(alert(name, "prod/web"), ended)]);
}

/// Scaled from 4 to 6 replicas, which is to be taken back in a minute.
fn nearly_due() -> Story {
    let mut story = Story::new(&[&policy("slow", "Slow", SCALE)]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.replicas, 6);
    over(&mut story, "Slow");
    story.pass("59m");
    story
}

fn done() -> Option<Outcome> {
    Some(Outcome::Done { diff: None, already: false })
}

fn half() -> Outcome {
    Outcome::Failed { what: "the second of two was not opened".to_owned(), applied: true, diff: None }
}

#[test]
fn what_is_taken_back_half_or_in_doubt_is_looked_at_again_and_told_once() {
    for outcome in [half(), Outcome::Unknown { what: "no answer to the patch".to_owned() }] {
        let mut story = nearly_due();
        let name = outcome.name();
        story.outcome = Some(outcome);
        story.pass("5h");
        assert_eq!((story.replicas, story.state.leases.len()), (6, 1), "{name}");
        let calls = story.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert!(calls[0].contains("is not known to be taken back: that ended "), "{calls:?}");
        assert!(calls[0].ends_with("; it is looked at again until it is"), "{calls:?}");
        let tries = story.count("intended");
        assert!((20..50).contains(&tries), "ever more seldom, down to each 8 m: {tries}");
        assert!(story.state.leases.values().all(|lease| lease.is_late()));
        story.restart();
        story.outcome = done();
        story.pass("9m");
        assert_eq!((story.replicas, story.state.leases.len()), (4, 0), "{name}");
        assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
    }
}

#[test]
fn a_lost_race_is_no_person_who_took_over() {
    let mut story = nearly_due();
    let changed = Reason::Changed { what: "another resourceVersion".to_owned() };
    story.outcome = Some(Outcome::Refused { reasons: vec![changed] });
    story.pass("70s");
    assert_eq!((story.replicas, story.state.leases.len()), (6, 1));
    story.outcome = done();
    story.pass("1m");
    assert_eq!((story.replicas, story.calls().len()), (4, 0), "{:?}", story.calls());
}

#[test]
fn what_fails_without_an_effect_is_told_after_a_few_times_and_tried_on() {
    let mut story = nearly_due();
    let what = "could not reach the API server".to_owned();
    story.outcome = Some(Outcome::Failed { what, applied: false, diff: None });
    story.pass("90s");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.pass("2h");
    assert_eq!((story.calls().len(), story.state.leases.len()), (1, 1), "{:?}", story.calls());
    story.outcome = done();
    story.pass("9m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn where_nobody_can_look_that_is_told_and_looked_at_ever_more_seldom() {
    let mut story = nearly_due();
    story.blind = Some("nodes is forbidden".to_owned());
    story.pass("30m");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.pass("10m");
    let told = story.calls();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(" is not taken back yet, ") && told[0].contains("nodes is forbidden"),
        "{told:?}"
    );
    story.restart();
    story.pass("1d");
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
    assert!(story.count("revertHeld") < 250, "{}", story.count("revertHeld"));
    let reasons = story.records.iter().filter_map(|(_, event)| match event {
        Event::RevertHeld { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert!(reasons.clone().all(|reason| reason == "notSeen"), "{:?}", reasons.collect::<Vec<_>>());
    story.blind = None;
    story.pass("9m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn a_look_that_died_with_its_process_is_made_anew_at_once() {
    let mut story = nearly_due();
    story.answers = false;
    story.pass("1m 1s");
    assert!(story.state.leases.values().all(|lease| lease.open.is_some()), "it is being looked at");
    story.answers = true;
    story.restart();
    story.pass("1s");
    assert_eq!((story.replicas, story.state.leases.len()), (4, 0));
}

#[test]
fn nothing_is_taken_back_while_something_else_is_under_way_on_the_target() {
    let more = policy("more", "More", &SCALE.replace("after: 1h", "after: 2h"));
    let mut story = Story::new(&[&policy("slow", "Slow", SCALE), &more]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    over(&mut story, "Slow");
    story.pass("55m");
    story.outcome = None;
    story.deliver(vec![alert("More", "prod/web")]);
    assert_eq!(story.intents().len(), 2, "{}", story.last_ruling());
    // The patch is made, and its rollout under way.
    story.replicas = 8;
    story.pass("10m");
    assert_eq!((story.replicas, story.intents().len(), story.count("revertHeld")), (8, 2, 2));
    story.outcome = done();
    story.feed(&Input::Wake);
    over(&mut story, "More");
    story.pass("90m");
    assert_eq!((story.replicas, story.calls().len()), (8, 0), "{:?}", story.calls());
    story.pass("1h");
    assert_eq!(story.replicas, 4, "in the end the value from before the first");
}

#[test]
fn what_waits_for_another_effect_is_looked_at_when_that_has_ended() {
    let more = policy("more", "More", "    - restart: {}");
    let mut story = Story::new(&[&policy("slow", "Slow", SCALE), &more]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    over(&mut story, "Slow");
    story.pass("59m");
    story.outcome = None;
    story.deliver(vec![alert("More", "prod/web")]);
    story.pass("2m");
    assert_eq!(story.replicas, 6);
    story.outcome = done();
    story.feed(&Input::Wake);
    assert_eq!(story.replicas, 4, "at once");
}

#[test]
fn what_ended_in_doubt_is_not_done_again_when_its_time_is_over() {
    let freeze = policy("freeze", "Budget", "    - freezeDeploys: {for: 1h}");
    for outcome in [Outcome::Unknown { what: "no answer".to_owned() }, half()] {
        let mut story = Story::new(&[&freeze]);
        story.outcome = Some(outcome);
        story.deliver(vec![alert("Budget", "prod/web")]);
        story.outcome = done();
        story.pass("3h");
        let freezes = story.intents().iter().filter(|one| one.contains("freeze deploys")).count();
        assert_eq!((freezes, story.state.leases.len()), (1, 0), "{:?}", story.intents());
    }
}

#[test]
fn a_sequence_is_not_done_again_because_its_first_step_has_lasted_its_time() {
    let steps = "    - freezeDeploys: {for: 1h}\n    - restart: {}";
    let mut story = Story::new(&[&policy("budget", "Budget", steps)]);
    story.deliver(vec![alert("Budget", "prod/web")]);
    story.pass("3h");
    let intents = story.intents();
    assert_eq!(intents.len(), 3, "{intents:?}");
    assert!(intents[2].contains("thaw"), "{intents:?}");
    let calls = story.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(
        calls[0].ends_with(
            "has ended after its time, and its alert is still open: a step of a sequence is not done again"
        ),
        "{calls:?}"
    );
}

const BLOCK: &str =
    "    - blockIp: {by: networkPolicy, clientAddress: peer, query: errors, label: ip, for: 1h}";

fn let_in(story: &mut Story, address: &str) {
    let intent = *story.state.leases.keys().next().expect("one");
    let only = vec![address.parse().expect("an address")];
    story.order(Command::Undo { intent, only, reason: String::new(), past: None });
}

#[test]
fn a_second_order_adds_to_the_first() {
    use paramedic_policies::order::PauseScope;
    for (first, second) in [("203.0.113.7", "203.0.113.8"), ("203.0.113.8", "203.0.113.7")] {
        let mut story = Story::new(&[&policy("block", "Logins", BLOCK)]);
        story.deliver(vec![alert("Logins", "prod/web")]);
        story.pass("5m");
        let scope = PauseScope::Everything;
        story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
        let_in(&mut story, first);
        let_in(&mut story, second);
        assert_eq!(story.count("revertOrdered"), 2);
        let_in(&mut story, first);
        assert_eq!(story.count("revertOrdered"), 2, "that is wanted already");
        story.order(Command::Resume { scope });
        let intents = story.intents();
        assert_eq!((intents.len(), story.state.leases.len()), (3, 0), "{intents:?}");
    }
}

#[test]
fn an_order_for_all_absorbs_one_for_a_part() {
    let mut story = Story::new(&[&policy("block", "Logins", BLOCK)]);
    story.deliver(vec![alert("Logins", "prod/web")]);
    story.pass("5m");
    story.answers = false;
    let intent = *story.state.leases.keys().next().expect("one");
    story.order(Command::Undo { intent, only: Vec::new(), reason: String::new(), past: None });
    let_in(&mut story, "203.0.113.7");
    assert_eq!(story.count("revertOrdered"), 1, "all of it is wanted already");
    story.answers = true;
    story.feed(&Input::Wake);
    assert!(story.state.leases.is_empty(), "{:?}", story.intents());
}

#[test]
fn whoever_wants_it_taken_back_has_taken_over_from_the_case_that_did_it() {
    let ladder = policy("slow", "Slow", SCALE);
    let mut story = Story::new(&[&ladder]);
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("30s");
    let intent = *story.state.leases.keys().next().expect("one");
    story.order(Command::Undo { intent, only: Vec::new(), reason: String::new(), past: None });
    story.pass("1h");
    assert_eq!((story.replicas, story.count("verified")), (4, 0));
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_stepped_forward_takes_nothing_back_earlier() {
    let mut story = nearly_due();
    story.now = story.now + "3h".parse().expect("a span");
    story.feed(&Input::ClockStepped { by_ms: 3 * 3_600_000 });
    story.order(Command::AcceptClock);
    story.pass("30s");
    assert_eq!(story.replicas, 6);
    story.pass("31s");
    assert_eq!(story.replicas, 4);
}

/// The longest that it stays is over, and its alert fires on: `minutes` more pass, and it is repeated.
fn fires_on(story: &mut Story, minutes: u32) {
    for _ in 0..minutes / 10 {
        story.pass("10m");
        story.deliver(vec![alert("Slow", "prod/web")]);
    }
}

/// Scaled from 4 to 6 replicas, which is to be taken back in ten minutes although its alert is open.
fn nearly_too_late() -> Story {
    let mut story = Story::new(&[policy("slow", "Slow", SCALE).as_str()]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    fires_on(&mut story, 230);
    assert_eq!((story.replicas, story.calls().len()), (6, 0), "{:?}", story.calls());
    story
}

/// What refuses at the last moment was no try, and it is tried again in five minutes.
#[test]
fn what_is_refused_at_the_last_moment_is_not_said_to_be_taken_back_each_time() {
    let passing = [
        (Reason::RollingOut { detail: "2 of 4 updated".to_owned() }, 1),
        (Reason::PausedByAnnotation { until: "2027-01-16T00:00:00Z".to_owned() }, 0),
    ];
    for (reason, told) in passing {
        let mut story = nearly_too_late();
        story.outcome = Some(Outcome::Refused { reasons: vec![reason] });
        fires_on(&mut story, 20);
        assert_eq!((story.replicas, story.calls()), (6, Vec::<&str>::new()));
        let tries = story.count("intended");
        fires_on(&mut story, 170);
        assert!(story.count("intended") > tries + 20, "it is tried on: {}", story.count("intended"));
        assert_eq!(story.calls().len(), told, "that it lasts, and nothing else: {:?}", story.calls());
        story.outcome = done();
        fires_on(&mut story, 10);
        let calls = story.calls();
        assert_eq!((story.replicas, calls.len()), (4, told + 1), "{calls:?}");
        assert!(calls[told].contains("was taken back after 7h"), "{calls:?}");
    }
}

/// That it was taken back although its alert is open is one call; that it could not be is another.
#[test]
fn what_could_not_be_taken_back_is_told_before_what_was() {
    let mut story = nearly_too_late();
    story.outcome = Some(half());
    fires_on(&mut story, 30);
    let calls = story.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains("is not known to be taken back"), "{calls:?}");
    story.outcome = done();
    fires_on(&mut story, 10);
    let calls = story.calls();
    assert_eq!((story.replicas, calls.len()), (4, 2), "{calls:?}");
    assert!(
        calls[1].contains("was taken back after 4h") && calls[1].contains("Slow is still open"),
        "{calls:?}"
    );
}

#[test]
fn no_policy_is_asked_about_by_a_book_that_is_gone() {
    let mut story = nearly_due();
    story.outcome = Some(half());
    story.pass("2m");
    story.adopt(&[], &settings());
    story.outcome = done();
    story.pass("9m");
    assert_eq!(story.replicas, 4, "a lease needs no policy");
}
