//! A book goes by the name that its record has. A program that writes settings otherwise, say with a field more, would
//! compute another one: it must find the books of older journals, and go on with what they began.

use paramedic_policies::action::Mode;
use paramedic_policies::book::Digest;
use paramedic_policies::event::{Conclusion, Event, Seq};
use paramedic_policies::order::Command;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::{CaseId, Phase};

use crate::story::{RESTART_THEN_SCALE, Story, alert, settings, source, value};

/// The name that an older program gave to the book.
fn older() -> Digest {
    Digest::of(b"the same policies and settings, written by an older program")
}

/// The journal of an older program: a ladder under way on `prod/web`, a case that waits for `for:` on `prod/api`.
fn inherited() -> Story {
    let mut story = Story::new(&[]);
    let source = Box::new(source(&[&waiting()], &settings()));
    assert_ne!(source.digest(), older());
    story.record(Event::Adopted { digest: older(), source, by: None });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("6m");
    assert_eq!(story.intents().len(), 1);
    story.deliver(vec![alert("Errors", "prod/api")]);
    story
}

fn waiting() -> String {
    RESTART_THEN_SCALE.replace("mode: enforce", "mode: enforce\n  for: 5m")
}

fn withdrawn(story: &Story) -> usize {
    let is = |event: &Event| matches!(event, Event::Concluded { conclusion: Conclusion::Withdrawn, .. });
    story.records.iter().filter(|(_, event)| is(event)).count()
}

fn case(story: &Story, episode: usize) -> CaseId {
    let opened = story.records.iter().enumerate().filter(|(_, (_, event))| event.kind() == "opened");
    let (position, _) = opened.clone().nth(episode).expect("such an episode");
    CaseId { episode: Seq(position as u64 + 1), policy: "errors".to_owned() }
}

#[test]
fn a_book_goes_by_the_name_in_its_record() {
    let mut story = inherited();
    assert_eq!(story.state.current_book().digest(), older());
    story.restart();
    assert_eq!(story.state.current_book().digest(), older(), "stored and read");
    assert_eq!(story.state.current_book().policies().len(), 1);
    story.pass("40m");
    let done = story.intents();
    assert_eq!(done.iter().filter(|one| one.contains("web")).count(), 2, "its ladder went on: {done:?}");
    assert!(done.iter().any(|one| one.contains("api")), "what waited was done: {done:?}");
    assert_eq!(withdrawn(&story), 0);
    assert!(story.rulings().iter().all(|ruling| ruling.book == older()), "each names the book of its record");
}

#[test]
fn the_same_policies_are_adopted_anew_under_a_new_name_and_ladders_finish_under_the_old_one() {
    let mut story = inherited();
    story.restart();
    let adopted = story.count("adopted");
    story.adopt(&[&waiting()], &settings());
    assert_eq!(story.count("adopted"), adopted + 1);
    let newer = story.state.current_book().digest();
    assert_ne!(newer, older());
    assert_eq!(
        story.state.cases[&case(&story, 0)].book,
        older(),
        "a ladder that has begun finishes under its own"
    );
    assert_eq!(story.state.cases[&case(&story, 1)].book, newer, "what has not begun is matched again");
    assert!(matches!(story.state.cases[&case(&story, 1)].phase, Phase::Waiting { .. }));
    story.adopt(&[&waiting()], &settings());
    assert_eq!(story.count("adopted"), adopted + 1, "once");
    story.pass("11m");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("40m");
    let done = story.intents();
    assert_eq!(done.iter().filter(|one| one.contains("web")).count(), 2, "its ladder went on: {done:?}");
    assert!(done.iter().any(|one| one.contains("api")), "what waited was done: {done:?}");
    assert_eq!(withdrawn(&story), 0);
}

fn approving() -> Settings {
    Settings { mode: Mode::Approve, ..settings() }
}

fn another() -> String {
    RESTART_THEN_SCALE.replace("name: errors", "name: other").replace("\"Errors\"", "\"Else\"")
}

#[test]
fn an_edit_of_another_policy_leaves_a_proposal_open() {
    let mut story = Story::with(&[RESTART_THEN_SCALE], &approving());
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.adopt(&[RESTART_THEN_SCALE, &another()], &approving());
    assert_eq!((story.rulings().len(), withdrawn(&story)), (1, 0));
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    let newer = story.state.current_book().digest();
    assert_eq!(story.rulings().last().map(|ruling| ruling.book), Some(newer), "decided by the book in force");
}

#[test]
fn a_changed_policy_ends_its_proposal_by_an_event_and_proposes_anew() {
    let mut story = Story::with(&[RESTART_THEN_SCALE], &approving());
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = story.last("ruled");
    story.adopt(&[&RESTART_THEN_SCALE.replace("Restart, then scale.", "Changed.")], &approving());
    assert_eq!((story.rulings().len(), withdrawn(&story)), (2, 1));
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!((story.count("orderRefused"), story.intents().len()), (1, 0));
    let proposal = story.last("ruled");
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn an_edit_of_another_policy_rules_on_nothing_anew_and_calls_nobody_again() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("30m");
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Errors", "prod/web"), ended)]);
    story.pass("10m");
    let mut again = alert("Errors", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    assert!(story.last_ruling().contains("all 2 rungs were tried"), "{}", story.last_ruling());
    let before = (story.calls().len(), story.rulings().len());
    for books in [vec![RESTART_THEN_SCALE, &another()], vec![RESTART_THEN_SCALE]] {
        story.adopt(&books, &settings());
        story.pass("1m");
    }
    assert_eq!((story.calls().len(), story.rulings().len()), before, "{:?}", story.calls());
}

#[test]
fn a_slower_pace_holds_for_what_was_done_before_the_reload() {
    use paramedic_policies::settings::{GlobalGuards, Pace};
    use paramedic_policies::time::Span;

    let paced = |every: &str| {
        let every: Span = every.parse().expect("a span");
        Settings {
            guards: GlobalGuards { pace: Pace { every, burst: 3 }, ..GlobalGuards::default() },
            ..settings()
        }
    };
    let policy = RESTART_THEN_SCALE.replace(
        "  onFailure:",
        "  guards: {concurrency: 20, blastRadius: {targets: off, unavailable: off}}\n  onFailure:",
    );
    let mut story = Story::with(&[&policy], &paced("10s"));
    story.deliver(["a", "b", "c"].map(|name| alert("Errors", &format!("prod/{name}"))).to_vec());
    assert_eq!(story.intents().len(), 3, "{}", story.last_ruling());
    story.pass("30s");
    story.adopt(&[&policy], &paced("30m"));
    story.deliver(["d", "e"].map(|name| alert("Errors", &format!("prod/{name}"))).to_vec());
    assert_eq!(story.intents().len(), 3, "{}", story.last_ruling());
    assert!(story.last_ruling().contains("effects are paced"), "{}", story.last_ruling());
}
