//! What counts as one alert, and when it ends.

use paramedic_policies::event::{Event, Unreadable};
use paramedic_policies::input::{Delivery, Input};

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
fn a_peer_is_late_for_less_than_five_minutes() {
    for (passed, opened) in [("4m 59s 999ms", 1), ("5m", 2)] {
        let mut story = Story::new(&[]);
        story.deliver(vec![alert("Errors", "prod/web")]);
        let ended = story.now;
        story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        story.pass(passed);
        story.deliver(vec![alert("Errors", "prod/web")]);
        assert_eq!(story.count("opened"), opened, "{passed}");
    }
}
