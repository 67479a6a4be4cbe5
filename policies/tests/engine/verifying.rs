//! A verification: only what was seen not to hold is no help.

use paramedic_policies::answer::Found;

use crate::story::{RESTART_THEN_SCALE, Story, alert, value};

fn acted() -> Story {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.intents().len(), 1);
    story
}

#[test]
fn when_prometheus_is_gone_it_does_not_climb() {
    let mut story = acted();
    story.series.insert("errors".to_owned(), Found::Failed { what: "connection refused".to_owned() });
    story.pass("3h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(story.calls(), ["nobody knows whether it helped: connection refused"]);
}

#[test]
fn when_the_series_is_gone_it_does_not_climb() {
    let mut story = acted();
    story.series.insert("errors".to_owned(), Found::Series(Vec::new()));
    story.pass("3h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(story.calls(), ["nobody knows whether it helped: no series"]);
}

#[test]
fn nan_does_not_climb() {
    let mut story = acted();
    story.series.insert("errors".to_owned(), value(f64::NAN));
    story.pass("3h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(story.calls(), ["nobody knows whether it helped: NaN"]);
}

#[test]
fn an_answer_that_never_comes_does_not_climb() {
    let mut story = acted();
    story.answers = false;
    story.pass("3h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(story.calls(), ["nobody knows whether it helped: no answer before the question's deadline"]);
}

#[test]
fn it_looks_only_after_it_has_settled() {
    let mut story = acted();
    story.pass("59s");
    assert_eq!(story.count("looked"), 0);
    story.pass("1s");
    assert_eq!(story.count("looked"), 1);
}

#[test]
fn it_must_hold_without_a_break() {
    let mut story = acted();
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("1m 45s");
    assert_eq!(story.count("verified"), 0, "45 s of 1 m");
    story.series.insert("errors".to_owned(), value(0.5));
    story.pass("15s");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("59s");
    assert_eq!(story.count("verified"), 0, "the break began it anew");
    story.pass("1m");
    assert_eq!(story.count("verified"), 1);
}

#[test]
fn a_gap_in_the_facts_breaks_the_hold() {
    let mut story = acted();
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("1m 45s");
    story.series.insert("errors".to_owned(), Found::Series(Vec::new()));
    story.pass("15s");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("45s");
    assert_eq!(story.count("verified"), 0);
}

#[test]
fn an_answer_of_exactly_the_allowed_age_counts_and_an_older_one_shows_nothing() {
    use paramedic_policies::answer::Answer;
    use paramedic_policies::event::Event;
    use paramedic_policies::input::Input;
    use paramedic_policies::time::Moment;
    for (age_ms, holds, seen) in
        [(30_000, Some(true), "0, wanted < 0.01"), (30_001, None, "30s 1ms old, 30s allowed")]
    {
        let mut story = acted();
        story.answers = false;
        story.pass("1m");
        let question = *story.state.questions.keys().next().expect("it looks");
        let taken_at = Moment::from_unix_ms(story.now.unix_ms() - age_ms);
        story.feed(&Input::Told(Answer { question, taken_at, found: value(0.0) }));
        let looked = story.records.iter().find_map(|(_, event)| match event {
            Event::Looked { holds, seen, .. } => Some((*holds, seen.as_str())),
            _ => None,
        });
        assert_eq!(looked, Some((holds, seen)));
    }
}

#[test]
fn a_url_that_answers_otherwise_than_wanted_is_no_help() {
    let (head, _) = RESTART_THEN_SCALE.split_once("      verify: ").expect("it verifies");
    for (status, calls) in [(200, 0), (204, 1)] {
        let url = "http://{{ target.name }}.prod.svc/healthz";
        let verify = format!("{{http: \"{url}\", status: {status}, settle: 0s, hold: 0s, within: 1m}}");
        let mut story = Story::new(&[&format!("{head}      verify: {verify}\n")]);
        story.deliver(vec![alert("Errors", "prod/web")]);
        story.pass("5m");
        assert_eq!((story.count("verified"), story.calls().len()), (1, calls), "{:?}", story.calls());
    }
}
