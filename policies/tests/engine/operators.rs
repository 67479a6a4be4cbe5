//! Orders: approve, deny, pause, resume, and the clock.

use paramedic_policies::action::Mode;
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::settings::Settings;

use crate::story::{RESTART_THEN_SCALE, Story, alert, settings};

fn approving() -> Story {
    Story::with(&[RESTART_THEN_SCALE], &Settings { mode: Mode::Approve, ..settings() })
}

#[test]
fn a_proposal_waits_for_a_person_and_is_decided_again() {
    let mut story = approving();
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.intents().is_empty());
    assert_eq!(story.last_ruling(), "propose: ");
    let asked = story.count("asked");
    let proposal = story.last("ruled");
    story.pass("5m");
    story.order(Command::Approve { proposal, comment: "go".to_owned() });
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    assert!(story.count("asked") > asked, "facts are asked for again");
}

#[test]
fn what_is_done_is_what_was_approved_or_nothing() {
    let scale = RESTART_THEN_SCALE.replace("    - restart: {}\n", "    - scale: {by: 1, max: 10}\n");
    let mut story = Story::with(&[&scale], &Settings { mode: Mode::Approve, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.replicas = 7;
    story.order(Command::Approve { proposal, comment: String::new() });
    assert!(story.intents().is_empty());
    assert!(
        story.last_ruling().contains("approved was `scale 4 -> 5`, now it would be `scale 7 -> 8`"),
        "{}",
        story.last_ruling()
    );
}

/// Nobody waits for the alert to be repeated: what would be done now is asked by itself.
#[test]
fn what_does_not_fit_its_approval_any_more_is_proposed_anew() {
    let scale = RESTART_THEN_SCALE.replace("    - restart: {}\n", "    - scale: {by: 1, max: 10}\n");
    let mut story = Story::with(&[&scale], &Settings { mode: Mode::Approve, ..settings() });
    story.blind = Some("no answer".to_owned());
    story.deliver(vec![alert("Errors", "prod/web")]);
    // Nobody could look for a while: that makes the next pause no longer.
    story.pass("20m");
    story.blind = None;
    story.pass("10m");
    let first = story.last("ruled");
    story.replicas = 7;
    story.order(Command::Approve { proposal: first, comment: String::new() });
    let says = "hold: approved was `scale 4 -> 5`, now it would be `scale 7 -> 8`";
    assert_eq!(story.last_ruling(), says);
    story.pass("1m");
    assert_eq!(story.last_ruling(), "propose: ");
    let second = story.last("ruled");
    story.order(Command::Approve { proposal: first, comment: String::new() });
    assert_eq!((story.count("orderRefused"), story.intents().len()), (1, 0), "the first is spent");
    story.order(Command::Approve { proposal: second, comment: String::new() });
    assert_eq!(story.intents(), ["errors: scale 7 -> 8 on prod/deployment/web"]);
}

/// A second step that fits no more is asked anew too, although its alert is over by then.
#[test]
fn a_step_that_does_not_fit_its_approval_any_more_is_proposed_anew() {
    let two = RESTART_THEN_SCALE.replace("  ladder:", "  sequence:");
    let two = two.replace("      revert: {after: 1h}\n", "      mode: approve\n");
    let mut story = Story::new(&[&two]);
    story.series.insert("errors".to_owned(), crate::story::value(0.0));
    let errors = alert("Errors", "prod/web");
    story.deliver(vec![errors.clone()]);
    story.pass("10m");
    let first = story.last("ruled");
    assert_eq!(story.last_ruling(), "propose: ");
    story.deliver(vec![crate::story::resolved(errors, story.now)]);
    story.replicas = 7;
    story.order(Command::Approve { proposal: first, comment: String::new() });
    story.pass("1m");
    assert_eq!((story.last_ruling().as_str(), story.calls()), ("propose: ", Vec::<&str>::new()));
    let second = story.last("ruled");
    story.order(Command::Approve { proposal: second, comment: String::new() });
    assert_eq!(story.intents()[1..], ["errors: scale 7 -> 9 on prod/deployment/web"]);
}

#[test]
fn a_denied_proposal_is_over() {
    let mut story = approving();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.order(Command::Deny { proposal, comment: "no".to_owned() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("3h");
    assert!(story.intents().is_empty());
    assert_eq!(story.rulings().len(), 1);
}

#[test]
fn a_proposal_lapses() {
    let mut story = approving();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.pass("31m");
    assert_eq!(story.count("lapsed"), 1);
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(story.count("orderRefused"), 1);
    assert!(story.intents().is_empty());
}

#[test]
fn approving_what_is_not_there_is_refused() {
    let mut story = approving();
    story.order(Command::Approve { proposal: paramedic_policies::event::Seq(99), comment: String::new() });
    assert_eq!(story.count("orderRefused"), 1);
    assert_eq!(story.count("approved"), 0);
}

#[test]
fn a_pause_withholds_until_it_ends() {
    for scope in [
        PauseScope::Everything,
        PauseScope::Namespace("prod".to_owned()),
        PauseScope::Policy("errors".to_owned()),
    ] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        let until = story.now + "10m".parse().expect("a span");
        let reason = "maintenance".to_owned();
        story.order(Command::Pause { scope: scope.clone(), until: Some(until), reason });
        story.deliver(vec![alert("Errors", "prod/web")]);
        assert_eq!(story.last_ruling(), format!("hold: {scope} is paused by ada until {until}"));
        story.pass("9m");
        assert!(story.intents().is_empty());
        story.pass("2m");
        assert_eq!(story.intents().len(), 1, "{scope}");
    }
}

#[test]
fn resuming_looks_again_at_once() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let scope = PauseScope::Everything;
    story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.order(Command::Resume { scope });
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn resuming_what_is_not_paused_is_refused() {
    let mut story = Story::new(&[]);
    story.order(Command::Resume { scope: PauseScope::Everything });
    assert_eq!(story.count("orderRefused"), 1);
}

#[test]
fn a_stepped_clock_freezes_action_until_it_is_accepted() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.feed(&Input::ClockStepped { by_ms: 90_000 });
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.last_ruling().contains("moved by 90000 ms"), "{}", story.last_ruling());
    story.pass("3h");
    assert!(story.intents().is_empty());
    story.order(Command::AcceptClock);
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn who_does_not_lead_does_not_act() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.feed(&Input::Reign { leader: false, epoch: 1 });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert!(story.intents().is_empty());
    story.feed(&Input::Reign { leader: true, epoch: 2 });
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn pausing_a_policy_that_is_not_there_is_refused_and_names_those_that_are() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let scope = PauseScope::Policy("errorz".to_owned());
    story.order(Command::Pause { scope, until: None, reason: String::new() });
    let refused = story.records.iter().find_map(|(_, event)| match event {
        paramedic_policies::event::Event::OrderRefused { why, .. } => Some(why.as_str()),
        _ => None,
    });
    assert_eq!(refused, Some("there is no policy errorz; there are: errors"));
    assert!(story.state.pauses.is_empty());
}

#[test]
fn a_denied_proposal_does_not_come_back_when_another_policy_changes() {
    let mut story = approving();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.order(Command::Deny { proposal, comment: "no".to_owned() });
    let other = RESTART_THEN_SCALE.replace("name: errors", "name: other").replace("\"Errors\"", "\"Else\"");
    story.adopt(&[RESTART_THEN_SCALE, &other], &Settings { mode: Mode::Approve, ..settings() });
    story.pass("1h");
    assert_eq!(story.rulings().len(), 1);
}

#[test]
fn a_forward_clock_step_ends_no_episode_and_no_pause() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let until = story.now + "1h".parse().expect("a span");
    story.order(Command::Pause { scope: PauseScope::Everything, until: Some(until), reason: String::new() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.now = story.now + "6h".parse().expect("a span");
    story.feed(&Input::ClockStepped { by_ms: 6 * 3_600_000 });
    assert_eq!(story.count("closed"), 0);
    story.order(Command::AcceptClock);
    assert!(story.intents().is_empty(), "the pause has not ended");
    story.pass("61m");
    assert_eq!(story.intents().len(), 1);
}

/// The wall clock ran a day ahead, records were made, and it was put right: time never decreases.
fn put_right(story: &mut Story) {
    let day = 24 * 3_600_000;
    story.now = story.now + "1d".parse().expect("a span");
    story.feed(&Input::ClockStepped { by_ms: day });
    story.feed(&Input::ClockStepped { by_ms: -day });
    story.order(Command::AcceptClock);
}

#[test]
fn after_a_clock_that_had_run_ahead_it_says_until_when_it_waits() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    put_right(&mut story);
    let until = story.now + "1ms".parse().expect("a span");
    story.deliver(vec![alert("Errors", "prod/web")]);
    let says = format!("the wall clock had run ahead: time stands still, and nothing acts, until {until}");
    assert_eq!(story.last_ruling(), format!("hold: {says}"));
    assert_eq!(story.count("asked"), 0, "answers would look a day old");
    story.restart();
    assert!(story.intents().is_empty());
    story.pass("1ms");
    assert_eq!(story.intents().len(), 1, "the clock has caught up");
}

/// Why the last order was refused.
fn refusal(story: &Story) -> &str {
    let refused = story.records.iter().rev().find_map(|(_, event)| match event {
        paramedic_policies::event::Event::OrderRefused { why, .. } => Some(why.as_str()),
        _ => None,
    });
    refused.expect("one was refused")
}

#[test]
fn an_approval_at_the_very_end_comes_too_late() {
    let mut story = approving();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.now = story.now + "30m".parse().expect("a span");
    let due = story.now;
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(refusal(&story), format!("proposal {proposal} lapsed at {due}"));
    assert_eq!((story.count("lapsed"), story.intents().len()), (1, 0));
    story.order(Command::Approve { proposal, comment: String::new() });
    let gone = format!(
        "there is no open proposal {proposal}; it may have been answered, have lapsed, its alert have ended, or its policy \
         have been changed"
    );
    assert_eq!(refusal(&story), gone);
}

#[test]
fn a_pause_that_ends_now_and_a_clock_that_never_stepped_are_refused() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let until = story.now;
    story.order(Command::Pause { scope: PauseScope::Everything, until: Some(until), reason: String::new() });
    assert_eq!(refusal(&story), format!("{until} is past; a pause ends in the future"));
    story.order(Command::AcceptClock);
    assert_eq!(refusal(&story), "the clock has not stepped");
    assert_eq!((story.count("paused"), story.count("clockAccepted")), (0, 0));
}

#[test]
fn resuming_lets_a_policy_out_of_quarantine() {
    let once = RESTART_THEN_SCALE
        .replace("notify: [sre]", "notify: [sre], quarantineAfter: 1")
        .replace("onFailure:", "guards: {cooldown: 0s, relapse: 0s}\n  onFailure:");
    let mut story = Story::new(&[&once]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("1h");
    story.deliver(vec![alert("Errors", "prod/api")]);
    assert!(story.last_ruling().starts_with("withhold: quarantined since "), "{}", story.last_ruling());
    story.order(Command::Resume { scope: PauseScope::Policy("errors".to_owned()) });
    assert_eq!(story.count("orderRefused"), 0);
    assert_eq!(
        story.intents().last().map(String::as_str),
        Some("errors: restart on prod/deployment/api"),
        "{}",
        story.last_ruling()
    );
}

#[test]
fn leadership_is_recorded_when_it_changes() {
    let mut story = Story::new(&[]);
    for (leader, epoch, recorded) in [(true, 1, 1), (true, 2, 2), (true, 2, 2), (false, 2, 3), (true, 2, 4)] {
        story.feed(&Input::Reign { leader, epoch });
        assert_eq!(story.count("reigned"), recorded, "{leader} {epoch}");
    }
}

#[test]
fn resuming_looks_again_only_at_what_it_held() {
    let waits = RESTART_THEN_SCALE.replace("  target:", "  for: 2h\n  target:");
    let mut story = Story::new(&[&waits]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.last_ruling().starts_with("hold: open for "), "{}", story.last_ruling());
    let scope = PauseScope::Namespace("stage".to_owned());
    story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    let before = story.records.len();
    story.order(Command::Resume { scope });
    assert_eq!(story.records.len(), before + 1, "{:?}", story.kinds());
}

#[test]
fn a_pause_that_is_over_is_forgotten_when_another_comes() {
    for (passed, left) in [("9m 59s", 2), ("10m", 1), ("11m", 1)] {
        let mut story = Story::new(&[]);
        let until = Some(story.now + "10m".parse().expect("a span"));
        story.order(Command::Pause { scope: PauseScope::Everything, until, reason: String::new() });
        story.pass(passed);
        let scope = PauseScope::Namespace("prod".to_owned());
        story.order(Command::Pause { scope, until: None, reason: String::new() });
        assert_eq!(story.state.pauses.len(), left, "{passed}");
    }
}

#[test]
fn who_resumes_a_policy_forgets_the_rounds_that_did_not_help() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("40m");
    assert_eq!(story.state.efficacy["errors"].ineffective, 1);
    story.series.insert("errors".to_owned(), crate::story::value(0.0));
    story.deliver(vec![alert("Errors", "prod/api")]);
    story.pass("10m");
    let before = |story: &Story| story.state.last_ladders.values().map(|last| last.ineffective_before).max();
    assert_eq!(before(&story), Some(1));
    let scope = PauseScope::Policy("errors".to_owned());
    story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    story.order(Command::Resume { scope });
    assert_eq!(before(&story), Some(0));
}
