//! What the state keeps, and what it forgets: by number and by age, at the bound.

use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::apply;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::order::{ByHand, Command};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};

use crate::story::{RESTART_THEN_SCALE, Story, alert, labels, resolved, value};

fn restart(story: &mut Story, on: &str) {
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", on)]);
    story.pass("15m");
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", on), ended)]);
}

#[test]
fn charges_and_last_actions_are_kept_for_exactly_a_week() {
    for (late_ms, kept) in [(0, 2), (1, 1)] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        let began = story.now;
        restart(&mut story, "prod/web");
        let (charged, ended) = (story.state.ledger.charges[0].at, began);
        assert_eq!(charged, ended, "effects end at once here");
        let week = (charged + Span::from_hours(7 * 24)).since(story.now);
        story.pass(&Span::from_ms(week.ms() + late_ms).to_string());
        story.deliver(vec![alert("Errors", "prod/api")]);
        assert_eq!(story.intents().len(), 2, "{}", story.last_ruling());
        let state = &story.state;
        assert_eq!((state.ledger.charges.len(), state.last_actions.len()), (kept, kept), "{late_ms}");
    }
}

fn order(key: &str) -> ByHand {
    let (by, policy, key) = ("ada".to_owned(), "errors".to_owned(), key.to_owned());
    ByHand { by, policy, reason: String::new(), dry_run: false, key }
}

#[test]
fn a_thousand_requests_are_remembered_and_the_oldest_gives_way() {
    let mut state = State::new();
    let now = Moment::from_unix_ms(1_800_000_000_000);
    for number in 0..=1000 {
        let opened = Event::Opened {
            key: EpisodeKey::of(&Labels::new(), &[]),
            labels: Labels::new(),
            annotations: Labels::new(),
            starts_at: now,
            fingerprint: None,
            correlation: String::new(),
            // The oldest is the last by its name.
            by_hand: Some(Box::new(order(&format!("k-{:04}", 2000 - number)))),
        };
        apply(&mut state, now, &opened);
    }
    assert_eq!(state.requested.len(), 1000);
    assert!(!state.requested.contains_key("k-2000") && state.requested.contains_key("k-1999"));
}

#[test]
fn a_request_is_remembered_for_a_day() {
    for (late_ms, episodes) in [(1, 1), (0, 2)] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        let run = |key: &str| Command::Run {
            policy: "errors".to_owned(),
            labels: labels(&[("namespace", "prod"), ("deployment", "web")]),
            reason: String::new(),
            dry_run: true,
            key: key.to_owned(),
        };
        story.order(run("k-1"));
        story.pass(&Span::from_ms(Span::from_hours(24).ms() - late_ms).to_string());
        // Old ones are forgotten when another comes.
        story.order(run("k-2"));
        story.order(run("k-1"));
        assert_eq!(story.count("opened"), 1 + episodes, "{late_ms}");
    }
}

#[test]
fn what_was_resolved_is_remembered_as_long_as_a_peer_may_be_late() {
    for (passed, remembered) in [("4m 59s 999ms", 2), ("5m", 1)] {
        let mut story = Story::new(&[]);
        for on in ["prod/web", "prod/api"] {
            story.deliver(vec![alert("Errors", on)]);
        }
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        story.pass(passed);
        story.deliver(vec![resolved(alert("Errors", "prod/api"), ended)]);
        assert_eq!(story.state.recently_resolved.len(), remembered, "{passed}");
    }
}

#[test]
fn the_state_remembers_the_episode_of_a_request() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = None;
    let labels = labels(&[("namespace", "prod"), ("deployment", "web")]);
    let (policy, reason, key) = ("errors".to_owned(), String::new(), "k-1".to_owned());
    story.order(Command::Run { policy, labels, reason, dry_run: false, key });
    let opened: Seq = story.last("opened");
    assert_eq!(story.state.requested["k-1"].episode, opened);
}

#[test]
fn an_alert_that_ended_again_is_remembered_from_its_last_end() {
    let mut story = Story::new(&[]);
    let ends = |story: &mut Story, on: &str| {
        let mut one = alert("Errors", on);
        one.starts_at = story.now;
        story.deliver(vec![one.clone()]);
        let ended = story.now;
        story.deliver(vec![resolved(one, ended)]);
    };
    ends(&mut story, "prod/web");
    story.pass("3m");
    ends(&mut story, "prod/web");
    story.pass("2m");
    ends(&mut story, "prod/api");
    story.pass("1m");
    let opened = story.count("opened");
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.count("opened"), opened, "a peer may be late for that end");
}

#[test]
fn a_clock_that_stepped_leaves_nothing_behind_for_ever() {
    use paramedic_policies::input::Input;
    let mut story = Story::new(&[]);
    let ends = |story: &mut Story, on: &str| {
        story.deliver(vec![alert("Errors", on)]);
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", on), ended)]);
    };
    ends(&mut story, "prod/web");
    story.now = story.now + Span::from_hours(2);
    story.feed(&Input::ClockStepped { by_ms: 2 * 3_600_000 });
    story.pass("5m");
    ends(&mut story, "prod/api");
    assert_eq!(story.state.recently_resolved.len(), 1);
}
