//! Orders by hand that are cancelled: what waits is never done, what was done is not said to be undone.

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};

use crate::by_hand::{RESTORE, SCALE_FOR_A_WHILE, conclusions, refusal, run};
use crate::story::{RESTART_THEN_SCALE, Story, alert, value};

fn cancel(episode: Seq) -> Command {
    Command::Cancel { episode, reason: "not needed".to_owned() }
}

#[test]
fn an_order_that_waits_is_cancelled_by_name_and_never_done() {
    let mut story = Story::new(&[SCALE_FOR_A_WHILE]);
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.order(run("more", "k-1"));
    let order = story.last("opened");
    story.order(cancel(order));
    let cancelled = story.records.iter().find_map(|(_, event)| match event {
        Event::Cancelled { episode, by, reason } => Some((*episode, by.as_str(), reason.as_str())),
        _ => None,
    });
    assert_eq!(cancelled, Some((order, "ada", "not needed")));
    assert_eq!(conclusions(&story), ["Cancelled"]);
    story.restart();
    story.order(Command::Resume { scope: PauseScope::Everything });
    story.pass("15m");
    assert_eq!((story.replicas, story.intents().len()), (4, 0));
    story.order(cancel(order));
    assert_eq!(refusal(&story), format!("no order {order} waits; it may be over, or never have been"));
    assert_eq!(story.count("cancelled"), 1);
}

#[test]
fn what_has_acted_is_not_cancelled_and_nor_is_an_alert() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = None;
    story.order(run("errors", "k-1"));
    let (order, intent) = (story.last("opened"), story.last("intended"));
    story.order(cancel(order));
    assert_eq!(refusal(&story), format!("order {order} is being done: intent {intent} is under way"));
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.feed(&Input::Wake);
    story.order(cancel(order));
    assert_eq!(refusal(&story), format!("order {order} was done by intent {intent}, and is being verified"));
    story.deliver(vec![alert("Errors", "prod/db")]);
    let other = story.last("opened");
    story.order(cancel(other));
    assert_eq!(
        refusal(&story),
        format!("{other} is the alert Errors, and no order; nobody ordered it by hand")
    );
    assert_eq!(story.count("cancelled"), 0);
}

/// What is done is done; the rest is not, and a person is told which is which.
#[test]
fn between_two_steps_what_is_left_is_cancelled() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    let order = story.last("opened");
    let namespace = PauseScope::Namespace("prod".to_owned());
    story.order(Command::Pause { scope: namespace.clone(), until: None, reason: String::new() });
    story.pass("4m");
    assert!(story.last_ruling().starts_with("hold: "), "{}", story.last_ruling());
    story.order(cancel(order));
    assert!(
        story
            .calls()
            .last()
            .is_some_and(|call| call.starts_with("ada has cancelled the order; the sequence of")),
        "{:?}",
        story.calls()
    );
    story.order(Command::Resume { scope: namespace });
    story.pass("1h");
    assert_eq!((story.replicas, story.intents().len()), (1, 1));
}
