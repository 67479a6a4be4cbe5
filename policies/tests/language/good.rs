//! Policies that load, and what they become.

use std::collections::BTreeMap;

use paramedic_policies::load;
use paramedic_policies::policy::Check;

use super::support::{book, said, source};

const EXAMPLE: &str = include_str!("example.yaml");

#[test]
fn the_example_loads_without_a_word() {
    assert_eq!(said(&[("example.yaml", EXAMPLE)]), "");
    let book = book(EXAMPLE);
    let policy = book.policy("conductor-high-error-rate").expect("it is there");
    assert_eq!(policy.place.to_string(), "good.yaml:3");
    assert_eq!(policy.ladder.len(), 2);
    let verify = policy.ladder[0].steps[0].verify.as_ref().expect("it verifies");
    assert!(matches!(verify.check, Check::Query(_)));
    let used: Vec<String> = policy.labels_used().into_iter().collect();
    assert_eq!(used, ["alertname", "deployment", "namespace", "severity"]);
}

#[test]
fn what_is_shown_as_effective_loads_to_the_same() {
    let first = book(EXAMPLE);
    let shown: Vec<_> = first.policies().values().map(load::effective).collect();
    let again = book(&serde_json::to_string_pretty(&shown[0]).expect("plain data"));
    let shown_again: Vec<_> = again.policies().values().map(load::effective).collect();
    assert_eq!(shown, shown_again);
}

#[test]
fn a_stored_book_is_read_back() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Stored(
        #[serde(with = "paramedic_policies::load::stored_books")]
        BTreeMap<paramedic_policies::book::Digest, std::sync::Arc<paramedic_policies::book::Book>>,
    );
    let book = load::book(source(&[("a.yaml", EXAMPLE)])).expect("it loads");
    let digest = book.digest();
    let written = serde_json::to_string(&Stored(BTreeMap::from([(digest, std::sync::Arc::new(book))])))
        .expect("writes");
    let Stored(read) = serde_json::from_str(&written).expect("reads");
    assert_eq!(read.keys().collect::<Vec<_>>(), [&digest]);
    assert_eq!(read[&digest].policies().len(), 1);
}

#[test]
fn settings_that_cannot_be_meant_make_no_book() {
    use paramedic_policies::policy::{Limit, LimitScope};
    use paramedic_policies::time::Span;

    let mut source = source(&[]);
    source.settings.facts.retry = Span::ZERO;
    source.settings.episodes.expiry = Span::from_secs(1);
    source.settings.guards.storm.targets_firing_percent = 0;
    source.settings.guards.limits = vec![Limit { max: 1, per: Span::ZERO, by: LimitScope::Global }];
    let problems = paramedic_policies::load::book(source).expect_err("senseless");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    configuration:1:1: error: `facts.retry`: 0s is too short
      hint: write at least 1s
    configuration:1:1: error: `episodes.expiry`: 1s is too short
      hint: write more than Alertmanager's repeat_interval, such as 5h
    configuration:1:1: error: `guards.storm.targetsFiringPercent`: 0 is no share in percent
      hint: write 1 to 100; a storm stop that never stops anything is off
    configuration:1:1: error: `guards.limits`: a window of no length holds nothing
      hint: write such as per: 1h
    ");
}
