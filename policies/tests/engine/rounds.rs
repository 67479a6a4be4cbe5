//! Rounds of facts: what is asked and done in one is what this round's answers name, never those of an earlier one.

use paramedic_policies::alert::Labels;
use paramedic_policies::answer::{Found, Number, Sample};
use paramedic_policies::event::Event;
use paramedic_policies::question::Ask;

use crate::story::{RESTART_THEN_SCALE, Story, alert, labels, value};

/// Restarts the deployment of the zone that `let:` names, where that zone is loaded.
fn by_zone(target: &str) -> String {
    RESTART_THEN_SCALE
        .replace(r#"name: "{{ labels.deployment }}""#, target)
        .replace(
            "  ladder:\n",
            "  let: {zone: {query: 'worst', label: zone}}\n  when: [{query: 'load{zone=\"{{ let.zone }}\"}', is: \"> 1\"}]\n  ladder:\n",
        )
        .replace("errors{namespace=\"{{ labels.namespace }}\"}", "errors{zone=\"{{ let.zone }}\"}")
}

fn zone(name: &str) -> Found {
    let labels: Labels = labels(&[("zone", name)]);
    Found::Series(vec![Sample { labels, value: Number(1.0) }])
}

fn asks(story: &Story, since: usize) -> Vec<String> {
    let asked = story.records[since..].iter().filter_map(|(_, event)| match event {
        Event::Asked { question } => match &question.ask {
            Ask::Query { promql } => Some(promql.clone()),
            Ask::Preflight { target, .. } => Some(format!("preflight of {target}")),
            other => Some(format!("{other:?}")),
        },
        _ => None,
    });
    let mut asked: Vec<String> = asked.collect();
    asked.sort();
    asked
}

#[test]
fn a_let_that_flips_between_rounds_is_asked_about_and_acted_on_as_it_is_now() {
    let mut story = Story::new(&[&by_zone(r#"name: "web-{{ let.zone }}""#)]);
    story.series.insert("worst".to_owned(), zone("a"));
    story.series.insert("load{zone=\"a\"}".to_owned(), value(0.5));
    story.series.insert("load{zone=\"b\"}".to_owned(), value(2.0));
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.last_ruling(), "hold: when[0] is 0.5, wanted > 1");
    // Zone b is what ails; zone a is loaded too, and must not lend it its answers.
    story.series.insert("worst".to_owned(), zone("b"));
    story.series.insert("load{zone=\"a\"}".to_owned(), value(3.0));
    let since = story.records.len();
    story.pass("5m");
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web-b"]);
    assert_eq!(
        asks(&story, since),
        [
            "ALERTS{alertstate=\"firing\",alertname=\"Errors\",namespace=\"prod\"}",
            "load{zone=\"b\"}",
            "preflight of prod/deployment/web-b",
            "worst",
        ]
    );
}

#[test]
fn a_condition_of_the_zone_before_shows_nothing_of_this_one() {
    let mut story = Story::new(&[&by_zone(r#"name: "web-{{ let.zone }}""#)]);
    story.series.insert("worst".to_owned(), zone("a"));
    story.series.insert("load{zone=\"a\"}".to_owned(), value(0.5));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("worst".to_owned(), zone("b"));
    story.series.insert("load{zone=\"a\"}".to_owned(), value(3.0));
    story.series.insert("load{zone=\"b\"}".to_owned(), value(0.0));
    story.pass("10m");
    assert!(story.intents().is_empty(), "{:?}", story.intents());
}

#[test]
fn the_next_rung_asks_for_its_own_values_and_each_is_verified_by_those_it_was_done_with() {
    let mut story = Story::new(&[&by_zone(r#"name: "web-{{ let.zone }}""#)]);
    story.series.insert("worst".to_owned(), zone("a"));
    story.series.insert("load".to_owned(), value(2.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.series.insert("worst".to_owned(), zone("b"));
    let since = story.records.len();
    story.pass("15m");
    assert_eq!(
        story.intents(),
        ["errors: restart on prod/deployment/web-a", "errors: scale 4 -> 6 on prod/deployment/web-b"]
    );
    let asked = asks(&story, since);
    assert!(!asked.contains(&"preflight of prod/deployment/web-a".to_owned()), "{asked:?}");
    assert!(!asked.contains(&"load{zone=\"a\"}".to_owned()), "{asked:?}");
    assert!(
        asked.contains(&"errors{zone=\"a\"}".to_owned()),
        "the first is watched as it was done: {asked:?}"
    );
}

#[test]
fn a_refusal_names_no_action_of_an_earlier_round() {
    let mut story = Story::new(&[&by_zone(r#"name: "web-{{ let.zone }}""#)]);
    story.series.insert("worst".to_owned(), zone("a"));
    story.series.insert("load".to_owned(), value(0.5));
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert!(story.rulings()[0].action.is_some(), "of this round");
    story.order(paramedic_policies::order::Command::Pause {
        scope: paramedic_policies::order::PauseScope::Everything,
        until: None,
        reason: String::new(),
    });
    story.pass("5m");
    let last = story.rulings().pop().expect("a ruling");
    assert_eq!((last.target.as_ref(), last.action.as_ref()), (None, None), "{}", story.last_ruling());
}
