//! A forward step of the wall clock that nobody has accepted ends nothing, and what is counted in time goes on behind it
//! where it stood.

use paramedic_policies::answer::Found;
use paramedic_policies::engine::LATE_PEER;
use paramedic_policies::event::Event;
use paramedic_policies::input::Input;
use paramedic_policies::order::Command;
use paramedic_policies::reason::Reason;
use paramedic_policies::time::Span;

use crate::story::{RESTART_THEN_SCALE, Story, alert, resolved, value};

fn steps(story: &mut Story, span: &str) {
    let span: Span = span.parse().expect("a span");
    story.now = story.now + span;
    let by_ms = i64::try_from(span.ms()).expect("a short one");
    story.feed(&Input::ClockStepped { by_ms });
}

#[test]
fn a_verification_is_not_over_because_of_it() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("90s");
    steps(&mut story, "1h");
    story.pass("5m");
    story.restart();
    assert_eq!((story.count("verified"), story.intents().len()), (0, 1), "nobody has accepted it");
    story.order(Command::AcceptClock);
    story.pass("2m");
    assert_eq!(story.count("verified"), 0, "eight minutes are no ten");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("2m");
    assert_eq!((story.count("verified"), story.intents().len()), (1, 1));
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_held_before_it_is_watched_anew() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("65s");
    steps(&mut story, "1h");
    story.order(Command::AcceptClock);
    story.pass("30s");
    assert_eq!(story.count("verified"), 0, "a minute without a break is wanted");
    story.pass("1m");
    assert_eq!(story.count("verified"), 1);
}

#[test]
fn nobody_was_kept_from_acting_for_that_long() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.refusals = vec![Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 }];
    story.deliver(vec![alert("Errors", "prod/web")]);
    steps(&mut story, "2h");
    story.pass("1h");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.order(Command::AcceptClock);
    story.pass("29m");
    assert!(story.calls().is_empty(), "it could not act before: {:?}", story.calls());
    story.pass("1m");
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

#[test]
fn a_storm_is_not_over_because_of_it() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver_truncated(vec![alert("Errors", "prod/web")], 7);
    assert_eq!(story.count("stormBegan"), 1);
    steps(&mut story, "2h");
    story.order(Command::AcceptClock);
    story.pass("5m");
    assert_eq!(story.count("stormEnded"), 0);
    story.pass("10m");
    assert_eq!(story.count("stormEnded"), 1);
}

/// Stops what writes, then rolls what reads.
const BEGUN: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: corrupt}
spec:
  mode: enforce
  match: ['alertname="Corrupt"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {to: 0, allowDown: true}
      verify: {query: 'replicas', is: "== 0", settle: 30s, hold: 30s, within: 5m}
    - restart: {}
      target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: reader}
  guards: {blastRadius: {targets: off, unavailable: off}}
"#;

/// Its second step is withheld, since nobody has accepted the clock; its alert is over before that, or after.
fn withheld(over_first: bool) -> Story {
    let mut story = Story::new(&[BEGUN]);
    story.series.insert("replicas".to_owned(), value(0.0));
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    story.refusals = vec![Reason::WorkloadPaused];
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    let over = |story: &mut Story| {
        let ended = story.now;
        story.deliver(vec![resolved(alert("Corrupt", "prod/web"), ended)]);
    };
    story.pass("90s");
    if over_first {
        over(&mut story);
    }
    steps(&mut story, "3h");
    story.pass("10m");
    if !over_first {
        over(&mut story);
    }
    assert_eq!((story.intents().len(), story.count("concluded")), (1, 0), "{:?}", story.calls());
    story
}

#[test]
fn a_sequence_that_has_begun_goes_on_once_it_is_accepted() {
    for over_first in [true, false] {
        let mut story = withheld(over_first);
        story.refusals.clear();
        story.pass("20m");
        story.order(Command::AcceptClock);
        story.pass("1m");
        assert_eq!(story.intents().len(), 2, "{:?}", story.calls());
    }
}

#[test]
fn a_sequence_that_is_still_refused_afterwards_ends_and_says_so() {
    for over_first in [true, false] {
        let mut story = withheld(over_first);
        story.order(Command::AcceptClock);
        story.pass("1h");
        assert_eq!((story.intents().len(), story.count("concluded")), (1, 1));
        let calls = story.calls();
        assert!(calls.last().expect("one").ends_with("done: scale; not done: restart"), "{calls:?}");
    }
}

#[test]
fn how_long_it_was_kept_from_acting_is_told_without_the_step() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.refusals = vec![Reason::DisruptionBudget { budget: "web".to_owned(), allowed: 0 }];
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    steps(&mut story, "2h");
    story.order(Command::AcceptClock);
    story.pass("31m");
    let calls = story.calls();
    assert!(calls[0].starts_with("kept from acting for 40m while the alert fires: "), "{calls:?}");
}

#[test]
fn a_peer_is_as_late_as_before_it() {
    let mut story = Story::new(&[]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    steps(&mut story, "2h");
    let began = story.now;
    story.pass("4m 59s");
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.count("opened"), 1);
    let said = story.records.iter().rev().find_map(|(_, event)| match event {
        Event::Received { ignored, .. } => ignored.listed.first().copied(),
        _ => None,
    });
    let said = said.map(|late| (late.closed_at, late.until));
    assert_eq!(said, Some((ended, began + LATE_PEER)), "the end is that of its own record");
    story.pass("1s");
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.count("opened"), 2);
}

#[test]
fn only_a_step_back_makes_time_stand_still() {
    for (by_ms, until) in [(90_000, false), (-90_000, true)] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        story.feed(&Input::ClockStepped { by_ms });
        let wanted = until.then(|| story.now + Span::from_ms(1));
        assert_eq!(story.state.stands_still_until, wanted, "{by_ms}");
    }
}

#[test]
fn a_proposal_lapses_as_much_later() {
    let approve = RESTART_THEN_SCALE.replace("mode: enforce", "mode: approve");
    let mut story = Story::new(&[&approve]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    steps(&mut story, "1h");
    story.order(Command::AcceptClock);
    story.pass("19m 59s");
    assert_eq!(story.count("lapsed"), 0);
    story.pass("1s");
    assert_eq!(story.count("lapsed"), 1);
}

#[test]
fn what_has_not_settled_settles_to_its_end() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("30s");
    steps(&mut story, "1h");
    story.order(Command::AcceptClock);
    story.pass("29s");
    assert_eq!(story.count("looked"), 0);
    story.pass("1s");
    assert_eq!(story.count("looked"), 1);
}
