//! The storm stop.

use crate::story::{RESTART_THEN_SCALE, Story, alert, value};

fn many(story: &mut Story, count: usize) {
    story.deliver((0..count).map(|n| alert("Noise", &format!("prod/noise-{n}"))).collect());
}

#[test]
fn above_fifty_new_alerts_a_minute_nothing_acts() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    many(&mut story, 51);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.intents().is_empty());
    assert!(story.last_ruling().contains("51 new alerts in a minute, 50 allowed"), "{}", story.last_ruling());
    assert_eq!(story.calls().len(), 1, "one page: {:?}", story.calls());
}

#[test]
fn at_fifty_it_is_no_storm() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    many(&mut story, 49);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn the_batch_that_begins_it_is_held_as_well() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver((0..60).map(|n| alert("Errors", &format!("prod/web-{n}"))).collect());
    assert!(story.intents().is_empty(), "{:?}", story.intents());
}

#[test]
fn it_ends_after_ten_calm_minutes_and_what_was_held_goes_on() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    many(&mut story, 51);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!(story.count("stormEnded"), 0, "the minute itself comes first");
    story.pass("2m");
    assert_eq!(story.count("stormEnded"), 1);
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn new_alerts_above_half_keep_it_on() {
    let mut story = Story::new(&[]);
    many(&mut story, 51);
    for round in 0..12 {
        story.pass("1m");
        story.deliver((0..30).map(|n| alert("Noise", &format!("prod/more-{round}-{n}"))).collect());
    }
    assert_eq!(story.count("stormEnded"), 0);
    story.pass("12m");
    assert_eq!(story.count("stormEnded"), 1);
}

#[test]
fn truncated_alerts_are_a_storm() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver_truncated(vec![alert("Errors", "prod/web")], 7);
    assert!(story.intents().is_empty());
    assert!(story.last_ruling().contains("left out 7 alerts"), "{}", story.last_ruling());
}

#[test]
fn a_policy_may_propose_in_a_storm() {
    let policy = RESTART_THEN_SCALE.replace("onFailure:", "guards: {inStorm: approve}\n  onFailure:");
    let mut story = Story::new(&[&policy]);
    many(&mut story, 51);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.intents().is_empty());
    assert_eq!(story.rulings()[0].mode.to_string(), "enforce, lowered to approve by the storm");
    assert_eq!(story.last_ruling(), "propose: ");
}

#[test]
fn a_policy_for_storms_acts_in_one() {
    let policy = RESTART_THEN_SCALE.replace("onFailure:", "guards: {inStorm: act}\n  onFailure:");
    let mut story = Story::new(&[&policy]);
    many(&mut story, 51);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn a_fifth_of_the_known_targets_firing_is_a_storm() {
    let policy = RESTART_THEN_SCALE.replace(
        "onFailure:",
        "guards: {concurrency: 99, limits: [], blastRadius: {targets: {max: 99, in: cluster, per: 1h}}}\n  onFailure:",
    );
    let mut story = Story::new(&[&policy]);
    story.surroundings.workloads = 10;
    for n in 0..4 {
        story.deliver(vec![alert("Errors", &format!("prod/web-{n}"))]);
        story.pass("2m");
    }
    assert!(story.count("stormBegan") == 1, "{:?}", story.calls());
    assert!(story.calls()[0].contains("of 10 known targets are firing, 20 % allowed"), "{:?}", story.calls());
}

/// What was acted on once is no workload that can be asked for its share.
#[test]
fn targets_of_the_past_do_not_weaken_the_stop() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.surroundings.workloads = 10;
    story.series.insert("errors".to_owned(), value(0.0));
    for index in 0..30 {
        let on = format!("prod/web-{index}");
        story.deliver(vec![alert("Errors", &on)]);
        story.pass("15m");
        let ended = story.now;
        story.deliver(vec![crate::story::resolved(alert("Errors", &on), ended)]);
    }
    assert_eq!((story.intents().len(), story.count("stormBegan")), (30, 0));
    let three = ["prod/a", "prod/b", "prod/c"].map(|on| alert("Errors", on));
    story.deliver(three.to_vec());
    assert_eq!(story.count("stormBegan"), 1, "three of ten");
}

#[test]
fn what_nobody_asks_for_any_more_is_forgotten() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    for index in 0..5 {
        let on = format!("prod/web-{index}");
        story.deliver(vec![alert("Errors", &on)]);
        story.pass("15m");
        let ended = story.now;
        story.deliver(vec![crate::story::resolved(alert("Errors", &on), ended)]);
        story.pass("8d");
    }
    assert_eq!(story.intents().len(), 5);
    assert_eq!((story.state.last_actions.len(), story.state.last_ladders.len()), (1, 1));
}

#[test]
fn an_opening_counts_for_less_than_a_minute() {
    for (passed, begun) in [("59s 999ms", 1), ("1m", 0)] {
        let mut story = Story::new(&[]);
        many(&mut story, 26);
        story.pass(passed);
        story.deliver((0..25).map(|n| alert("Noise", &format!("prod/late-{n}"))).collect());
        assert_eq!(story.count("stormBegan"), begun, "{passed}");
    }
}

/// `firing` of so many known workloads, which are restarted with success and whose alerts stay.
fn firing(firing: usize, workloads: u32) -> Story {
    let policy = RESTART_THEN_SCALE.replace(
        "onFailure:",
        "guards: {concurrency: 99, limits: [], blastRadius: {targets: off, unavailable: off}}\n  onFailure:",
    );
    let mut story = Story::new(&[&policy]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.surroundings.workloads = workloads;
    for n in 0..firing {
        story.deliver(vec![alert("Errors", &format!("prod/web-{n}"))]);
        story.pass("1m");
    }
    story
}

#[test]
fn exactly_a_fifth_is_no_storm_and_of_few_workloads_no_share_is_one() {
    for (targets, workloads, begun) in [(2, 10, 0), (3, 10, 1), (9, 9, 0)] {
        assert_eq!(
            firing(targets, workloads).count("stormBegan"),
            begun,
            "{targets} of {workloads} targets are firing"
        );
    }
}

#[test]
fn it_ends_once_less_than_half_of_the_share_is_firing() {
    for (targets, workloads, ended) in [(1, 10, 0), (1, 20, 1), (2, 20, 0), (0, 10, 1)] {
        let mut story = firing(targets.max(1), workloads);
        if targets == 0 {
            let ended = story.now;
            story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web-0"), ended)]);
        }
        story.deliver_truncated(Vec::new(), 1);
        assert_eq!(story.count("stormBegan"), 1);
        story.pass("30m");
        assert_eq!(story.count("stormEnded"), ended, "{targets} of {workloads} targets are firing");
    }
}

#[test]
fn half_of_the_threshold_each_minute_keeps_it_on_and_less_does_not() {
    for (each, ended) in [(25, 0), (24, 1)] {
        let mut story = Story::new(&[]);
        many(&mut story, 51);
        for round in 0..13 {
            story.pass("1m");
            story.deliver((0..each).map(|n| alert("Noise", &format!("prod/more-{round}-{n}"))).collect());
        }
        assert_eq!(story.count("stormEnded"), ended, "{each}");
    }
}

#[test]
fn only_what_was_left_out_keeps_it_on_and_not_what_is_repeated() {
    for (truncated, ended) in [(0, 1), (1, 0)] {
        let mut story = Story::new(&[]);
        story.deliver_truncated(vec![alert("Noise", "prod/web")], 1);
        for _ in 0..13 {
            story.pass("59s");
            story.deliver_truncated(vec![alert("Noise", "prod/web")], truncated);
        }
        assert_eq!(story.count("stormEnded"), ended, "{truncated}");
    }
}

#[test]
fn what_was_left_out_once_is_a_storm_for_eleven_minutes() {
    let mut story = Story::new(&[]);
    story.deliver_truncated(Vec::new(), 1);
    story.pass("10m 59s");
    assert_eq!(story.count("stormEnded"), 0);
    story.pass("1s");
    assert_eq!(story.count("stormEnded"), 1);
}

fn clock_steps(story: &mut Story) {
    use paramedic_policies::input::Input;
    use paramedic_policies::time::Span;
    story.now = story.now + Span::from_hours(2);
    story.feed(&Input::ClockStepped { by_ms: 2 * 3_600_000 });
    story.order(paramedic_policies::order::Command::AcceptClock);
}

#[test]
fn a_clock_that_stepped_forgets_no_opening() {
    let mut story = Story::new(&[]);
    many(&mut story, 26);
    story.pass("30s");
    clock_steps(&mut story);
    story.deliver((0..25).map(|n| alert("Noise", &format!("prod/late-{n}"))).collect());
    assert_eq!(story.count("stormBegan"), 1);
}

#[test]
fn what_opened_in_a_storm_before_the_clock_stepped_keeps_it_on() {
    let mut story = Story::new(&[]);
    story.deliver_truncated(Vec::new(), 1);
    story.pass("5m");
    many(&mut story, 25);
    clock_steps(&mut story);
    assert_eq!(story.count("stormGoesOn"), 0, "it is not looked at earlier");
    story.pass("10m 59s");
    assert_eq!(story.count("stormEnded"), 0);
    story.pass("1s");
    assert_eq!(story.count("stormEnded"), 1);
}
