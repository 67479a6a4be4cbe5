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
