//! What counts as one alert, and when it ends.

use paramedic_policies::alert::Alert;
use paramedic_policies::event::{Event, Ignored, Late, Unreadable};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::time::{Moment, Span};

use crate::story::{RESTART_THEN_SCALE, Story, alert, resolved, value};

#[test]
fn replicas_of_one_prometheus_are_one_alert() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let mut twin = alert("Errors", "prod/web");
    twin.labels.insert("prometheus_replica".to_owned(), "b".to_owned());
    story.deliver(vec![alert("Errors", "prod/web"), twin]);
    assert_eq!(story.count("opened"), 1);
}

#[test]
fn resolved_cancels_what_has_not_begun() {
    let waiting = RESTART_THEN_SCALE.replace("mode: enforce", "mode: enforce\n  for: 5m");
    let mut story = Story::new(&[&waiting]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("2m");
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("1h");
    assert!(story.intents().is_empty());
    assert!(story.state.episodes.is_empty() && story.state.cases.is_empty(), "what is over is forgotten");
}

#[test]
fn for_is_counted_from_the_opening() {
    let waiting = RESTART_THEN_SCALE.replace("mode: enforce", "mode: enforce\n  for: 5m");
    let mut story = Story::new(&[&waiting]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.last_ruling().starts_with("hold: open for 0s, wanted for 5m"), "{}", story.last_ruling());
    story.pass("4m 59s");
    assert!(story.intents().is_empty());
    story.pass("1s");
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn a_late_peer_does_not_open_a_resolved_alert_again() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("30s");
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.count("opened"), 1);
}

#[test]
fn an_alert_that_fires_anew_is_a_new_episode() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("30s");
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert_eq!(story.count("opened"), 2);
}

#[test]
fn a_resolve_of_an_earlier_episode_does_not_end_this_one() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let mut now = alert("Errors", "prod/web");
    now.starts_at = story.now;
    story.deliver(vec![now.clone()]);
    let before = paramedic_policies::time::Moment::from_unix_ms(story.now.unix_ms() - 1000);
    story.deliver(vec![resolved(now, before)]);
    assert_eq!(story.count("closed"), 0);
}

#[test]
fn an_episode_that_nobody_repeats_expires_and_opens_again_when_it_is() {
    let mut story = Story::new(&[]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("4h");
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("4h");
    assert_eq!(story.count("closed"), 0, "a repeat keeps it open");
    story.pass("2h");
    assert_eq!(story.count("closed"), 1);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.count("opened"), 2);
}

#[test]
fn one_alert_has_one_ruling_per_matching_policy() {
    let other = RESTART_THEN_SCALE.replace("name: errors", "name: other");
    let unrelated =
        RESTART_THEN_SCALE.replace("name: errors", "name: unrelated").replace("\"Errors\"", "\"Else\"");
    let mut story = Story::new(&[RESTART_THEN_SCALE, &other, &unrelated]);
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    let policies: Vec<&str> = story.rulings().iter().map(|ruling| ruling.policy.as_str()).collect();
    assert_eq!(policies, ["other", "errors"], "the second is held at once, the first after its facts came");
}

#[test]
fn the_same_refusal_is_recorded_once() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("ALERTS".to_owned(), paramedic_policies::answer::Found::Series(Vec::new()));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    assert_eq!(story.rulings().len(), 1);
    assert!(story.count("held") >= 3, "it is looked at again, ever more seldom");
    story.series.insert("ALERTS".to_owned(), value(1.0));
    story.pass("10m");
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn what_could_not_be_read_is_counted_though_it_is_not_listed() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let one = |count| Unreadable { index: None, problem: "labels: expected a map".to_owned(), count };
    story.feed(&Input::Alerts(Delivery {
        sender: "alertmanager".to_owned(),
        receiver: String::new(),
        group_key: String::new(),
        correlation: "c-1".to_owned(),
        alerts: Vec::new(),
        unreadable: std::iter::repeat_n(one(None), 19).chain([one(Some(101))]).collect(),
        truncated: 0,
    }));
    let alerts = story.records.iter().find_map(|(_, event)| match event {
        Event::Received { alerts, .. } => Some(*alerts),
        _ => None,
    });
    assert_eq!(alerts, Some(120));
}

#[test]
fn a_peer_is_late_for_less_than_five_minutes_however_often_it_repeats() {
    for (passed, opened) in [("2m 59s 999ms", 1), ("3m", 2)] {
        let mut story = Story::new(&[]);
        story.deliver(vec![alert("Errors", "prod/web")]);
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        story.pass("2m");
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.deliver(vec![resolved(alert("Errors", "prod/web"), story.now)]);
        story.pass(passed);
        story.deliver(vec![alert("Errors", "prod/web")]);
        assert_eq!(story.count("opened"), opened, "{passed}");
    }
}

/// What the last delivery's record says of what it changed nothing by.
fn ignored(story: &Story) -> Ignored {
    let received = story.records.iter().rev().find_map(|(_, event)| match event {
        Event::Received { ignored, .. } => Some(ignored.clone()),
        _ => None,
    });
    received.expect("a delivery")
}

#[test]
fn a_late_alert_is_recorded_with_the_episode_that_had_ended() {
    let mut story = Story::new(&[]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    let episode = story.last("opened");
    let closed_at = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), closed_at)]);
    story.pass("30s");
    story.deliver(vec![alert("Errors", "prod/web")]);
    let late = Late { episode: Some(episode), closed_at, until: closed_at + Span::from_mins(5) };
    assert_eq!(ignored(&story), Ignored { late: 1, listed: vec![late], ..Ignored::default() });
}

#[test]
fn of_a_storm_of_late_alerts_the_first_are_listed_and_all_are_counted() {
    let mut story = Story::new(&[]);
    let all: Vec<Alert> = (0..50).map(|index| alert("Errors", &format!("prod/web-{index}"))).collect();
    story.deliver(all.clone());
    let ended = story.now;
    story.deliver(all.iter().cloned().map(|one| resolved(one, ended)).collect());
    story.deliver(all);
    let said = ignored(&story);
    assert_eq!((said.late, said.listed.len()), (50, 20));
}

#[test]
fn every_alert_of_a_delivery_is_accounted_for() {
    let mut story = Story::new(&[]);
    let [open, ending, late, new] = ["prod/a", "prod/b", "prod/c", "prod/d"].map(|on| alert("Errors", on));
    story.deliver(vec![open.clone(), ending.clone(), late.clone()]);
    let ended = story.now;
    story.deliver(vec![resolved(late.clone(), ended)]);
    let before = story.records.len();
    let nowhere = resolved(alert("Errors", "prod/e"), ended);
    let earlier = resolved(open.clone(), Moment::from_unix_ms(-1));
    let ends = resolved(ending, ended);
    story.deliver(vec![
        open.clone(),
        open,
        ends.clone(),
        ends,
        late.clone(),
        late,
        new.clone(),
        new,
        nowhere,
        earlier,
    ]);
    let (mut repeats, mut opened, mut closed, mut alerts) = (0, 0, 0, 0);
    for (_, event) in &story.records[before..] {
        match event {
            Event::Received { repeated, alerts: count, .. } => {
                repeats += repeated.len();
                alerts += *count;
            }
            Event::Opened { .. } => opened += 1,
            Event::Closed { .. } => closed += 1,
            _ => {}
        }
    }
    let said = ignored(&story);
    assert_eq!((alerts, repeats, opened, closed), (10, 1, 1, 1));
    assert_eq!((said.late, said.not_open, said.duplicate), (2, 2, 3));
}
