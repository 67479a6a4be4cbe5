//! A process that dies at any point and one that folds its journal decide the same.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::input::Input;
use paramedic_policies::order::Command;
use paramedic_policies::settings::Settings;

use crate::story::{RESTART_THEN_SCALE, Story, alert, settings, value};

#[test]
fn an_intent_without_an_end_stays_in_doubt_and_charged() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.restart();
    story.pass("1h");
    assert_eq!(story.intents().len(), 1);
    assert!(story.state.in_flight.values().all(|flight| flight.in_doubt));
    assert_eq!(story.state.ledger.charges.len(), 1);
    let intent = *story.state.in_flight.keys().next().expect("in flight");
    story.feed(&Input::Ended { intent, outcome: Outcome::Done { diff: None, already: false } });
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("5m");
    assert_eq!(story.count("verified"), 1);
}

#[test]
fn questions_of_a_dead_process_are_asked_again() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.answers = true;
    story.restart();
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn an_answer_to_a_dead_process_is_no_news() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/web")]);
    let question = story.last("asked");
    story.restart();
    let told = story.count("told");
    let answer = paramedic_policies::answer::Answer { question, taken_at: story.now, found: value(1.0) };
    story.feed(&Input::Told(answer));
    assert_eq!(story.count("told"), told);
}

#[test]
fn a_verification_goes_on_where_it_was() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("3m");
    story.restart();
    story.pass("6m");
    assert_eq!(story.count("verified"), 0, "9 of 10 minutes");
    story.pass("2m");
    assert_eq!(story.intents().len(), 2, "the next rung came when it would have come");
}

#[test]
fn the_same_inputs_after_a_restart_at_any_moment_give_the_same_actions() {
    let tell = |restart_after: usize| {
        let mut story = Story::new(&[RESTART_THEN_SCALE]);
        for minute in 0..40 {
            if minute % 7 == 0 {
                let mut one = alert("Errors", &format!("prod/web-{}", minute / 7));
                one.starts_at = story.now;
                story.deliver(vec![one]);
            }
            if minute == restart_after {
                story.restart();
            }
            story.pass("1m");
        }
        story.intents()
    };
    let never = tell(usize::MAX);
    assert!(never.len() > 2, "{never:?}");
    for restart_after in [0, 1, 5, 11, 23, 39] {
        assert_eq!(tell(restart_after), never, "restarted in minute {restart_after}");
    }
}

fn approved() -> Story {
    let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { mode: Mode::Approve, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.answers = false;
    story.order(Command::Approve { proposal, comment: "go".to_owned() });
    assert!(story.intents().is_empty(), "it is decided again, with answers that are on their way");
    story
}

#[test]
fn an_approval_survives_a_restart() {
    let mut story = approved();
    story.answers = true;
    story.restart();
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"], "{}", story.last_ruling());
    assert_eq!(story.rulings().len(), 2, "proposed once, done once");
}

#[test]
fn what_comes_while_a_daemon_stops_leaves_an_approval_alone() {
    let mut story = approved();
    story.feed(&Input::Reign { leader: false, epoch: 1 });
    story.deliver(vec![alert("Errors", "prod/api")]);
    story.pass("1m");
    assert_eq!(story.rulings().len(), 1, "{}", story.last_ruling());
    story.answers = true;
    story.restart();
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"], "{}", story.last_ruling());
}

#[test]
fn precedence_survives_a_restart() {
    let low = RESTART_THEN_SCALE.replace("name: errors", "name: a-low");
    let high = RESTART_THEN_SCALE
        .replace("name: errors", "name: z-high")
        .replace("mode: enforce", "mode: enforce\n  priority: 5");
    let mut story = Story::new(&[&low, &high]);
    story.outcome = None;
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.answers = true;
    story.restart();
    assert_eq!(story.intents(), ["z-high: restart on prod/deployment/web"]);
    let says = |name: &str| {
        let of = story.rulings().into_iter().filter(|ruling| ruling.policy == name);
        of.flat_map(|ruling| ruling.findings.iter().filter_map(|finding| finding.reason()))
            .map(|reason| reason.name())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (says("a-low"), says("z-high")),
        (vec!["outranked"], vec![]),
        "nobody says that another leads"
    );
}
