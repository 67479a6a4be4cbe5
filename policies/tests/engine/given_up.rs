//! How orders by hand end that are not done: nobody looked in time, something holds them, or they were a rehearsal.

use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::time::Span;

use crate::by_hand::{RESTORE, conclusions, rehearse, run};
use crate::story::{RESTART_THEN_SCALE, Story, alert, value};

#[test]
fn an_order_that_nobody_who_leads_looks_at_is_given_up() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.feed(&Input::Reign { leader: false, epoch: 1 });
    story.order(run("errors", "k-1"));
    story.pass("9m 59s");
    assert_eq!(conclusions(&story), Vec::<String>::new());
    story.pass("1s");
    assert_eq!((conclusions(&story), story.calls().len()), (vec!["Refused".to_owned()], 0));
    assert!(story.state.episodes.is_empty());
    story.feed(&Input::Reign { leader: true, epoch: 2 });
    story.pass("1h");
    assert!(story.intents().is_empty());
}

#[test]
fn a_sequence_by_hand_that_is_given_up_says_what_was_done() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.refusals = vec![Reason::RollingOut { detail: "1 of 3 updated".to_owned() }];
    story.pass("3m");
    story.feed(&Input::Reign { leader: false, epoch: 1 });
    story.pass("11m");
    assert_eq!(conclusions(&story), ["Refused"]);
    assert_eq!(
        story.calls(),
        [
            "no guard let the next step through in time; the sequence of 2 steps ends at step 2: done: scale; not done: scale"
        ]
    );
}

#[test]
fn what_is_held_as_long_as_anybody_waits_is_refused_and_what_is_held_shorter_waits() {
    for (held, refused) in [("9m 59s", false), ("10m", true)] {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        let until = Some(story.now + held.parse().expect("a span"));
        story.order(Command::Pause { scope: PauseScope::Everything, until, reason: String::new() });
        story.order(run("errors", "k-1"));
        assert_eq!(conclusions(&story) == ["Refused"], refused, "{held}");
    }
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let until = Some(story.now + Span::from_secs(10));
    story.order(Command::Pause { scope: PauseScope::Everything, until, reason: String::new() });
    story.order(rehearse("errors", "k-1"));
    assert_eq!(conclusions(&story), ["Refused"], "who only asks is answered");
}

#[test]
fn a_rehearsal_says_that_it_is_one_and_ends_once_where_nothing_is_there() {
    let mut story = Story::new(&[RESTORE, RESTART_THEN_SCALE]);
    story.order(rehearse("errors", "k-1"));
    assert_eq!(story.rulings()[0].mode.to_string(), "enforce, a dry-run as ordered");
    story.refusals = vec![Reason::TargetAbsent { what: "prod/deployment/web".to_owned() }];
    story.order(rehearse("restore", "k-2"));
    assert_eq!(conclusions(&story), ["Rehearsed", "Refused"]);
}

#[test]
fn an_order_begins_at_the_first_rung_whatever_came_back() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("20m");
    story.order(run("errors", "k-1"));
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"; 2], "{}", story.last_ruling());
}

#[test]
fn an_order_that_acts_is_not_given_up() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = None;
    story.order(run("errors", "k-1"));
    story.pass("15m");
    assert_eq!((story.count("intended"), story.count("closed")), (1, 0));
}
