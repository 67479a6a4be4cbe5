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

fn confirmations(story: &Story) -> Vec<String> {
    asks(story, 0).into_iter().filter(|ask| ask.starts_with("ALERTS")).collect()
}

#[test]
fn an_alert_is_confirmed_once_before_its_first_step_and_only_where_that_is_wanted() {
    use paramedic_policies::order::Command;
    use paramedic_policies::settings::GlobalGuards;
    let sequence = RESTART_THEN_SCALE.replace("ladder:", "sequence:");
    let mut story = Story::new(&[&sequence]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!((story.intents().len(), confirmations(&story).len()), (2, 1));

    let guards = GlobalGuards { confirmation: false, ..GlobalGuards::default() };
    let settings = paramedic_policies::settings::Settings { guards, ..crate::story::settings() };
    let mut story = Story::with(&[RESTART_THEN_SCALE], &settings);
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!((story.intents().len(), confirmations(&story).len()), (1, 0));

    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let labels = labels(&[("namespace", "prod"), ("deployment", "web")]);
    let (policy, reason, key) = ("errors".to_owned(), String::new(), "k-1".to_owned());
    story.order(Command::Run { policy, labels, reason, dry_run: false, key });
    assert_eq!((story.intents().len(), confirmations(&story).len()), (1, 0));
}

/// Prometheus knows nothing of labels that only the sender adds.
#[test]
fn an_alert_is_confirmed_by_the_labels_that_were_used_and_are_on_alerts() {
    let policy = RESTART_THEN_SCALE.replace(
        "match: ['alertname=\"Errors\"'",
        "match: ['alertname=\"Errors\"', 'cluster=\"eu\"', 'replica=~\".+\"', '_zone!=\"\"'",
    );
    let mut settings = crate::story::settings();
    settings.cluster.name = "eu".to_owned();
    let mut story = Story::with(&[&policy], &settings);
    let mut one = alert("Errors", "prod/web");
    for (name, value) in [("cluster", "eu"), ("replica", "a"), ("_zone", "b"), ("team", "web")] {
        one.labels.insert(name.to_owned(), value.to_owned());
    }
    story.deliver(vec![one]);
    assert_eq!(
        confirmations(&story),
        [
            "ALERTS{alertstate=\"firing\",_zone=\"b\",alertname=\"Errors\",deployment=\"web\",namespace=\"prod\"}"
        ]
    );
}

#[test]
fn a_difference_is_asked_for_where_a_person_looks_at_it() {
    use paramedic_policies::action::Mode;
    for (mode, wanted) in [(Mode::DryRun, true), (Mode::Approve, true), (Mode::Enforce, false)] {
        let settings = paramedic_policies::settings::Settings { mode, ..crate::story::settings() };
        let mut story = Story::with(&[RESTART_THEN_SCALE], &settings);
        story.deliver(vec![alert("Errors", "prod/web")]);
        let asked = story.records.iter().find_map(|(_, event)| match event {
            Event::Asked { question } => match &question.ask {
                Ask::Preflight { diff, .. } => Some(*diff),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(asked, Some(wanted), "{mode}");
    }
}

#[test]
fn what_needs_the_target_is_asked_for_once_it_is_known_and_all_else_at_once() {
    use paramedic_policies::answer::Answer;
    use paramedic_policies::input::Input;
    use paramedic_policies::target::Target;
    let policy = RESTART_THEN_SCALE
        .replace(
            "{kind: Deployment, namespace: \"{{ labels.namespace }}\", name: \"{{ labels.deployment }}\"}",
            "{from: {pod: \"{{ labels.deployment }}\", namespace: \"{{ labels.namespace }}\"}}",
        )
        .replace(
            "  ladder:\n",
            "  when: [{query: 'load', is: \"> 1\"}, {query: 'traffic{name=\"{{ target.name }}\"}', is: \"> 0\"}]\n  ladder:\n",
        );
    let mut story = Story::new(&[&policy]);
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/web-1")]);
    let first = asks(&story, 0);
    assert_eq!((first.len(), first.contains(&"load".to_owned())), (3, true), "{first:?}");
    let since = story.records.len();
    let open: Vec<_> = story.state.questions.values().cloned().collect();
    for question in open {
        let found = match &question.ask {
            Ask::Seek { .. } => Found::Target(Target {
                kind: "Deployment".to_owned(),
                namespace: "prod".to_owned(),
                name: "web".to_owned(),
            }),
            _ => value(2.0),
        };
        story.feed(&Input::Told(Answer { question: question.id, taken_at: story.now, found }));
    }
    assert_eq!(asks(&story, since), ["preflight of prod/deployment/web", "traffic{name=\"web\"}"]);
}

#[test]
fn what_lacks_a_value_is_not_asked_for_and_says_nothing_of_its_own() {
    let policy = by_zone(r#"name: "web-{{ let.zone }}""#)
        .replace("when: [", "when: [{query: 'traffic{name=\"{{ target.name }}\"}', is: \"> 0\"}, ");
    let mut story = Story::new(&[&policy]);
    story.series.insert("worst".to_owned(), Found::Series(Vec::new()));
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!(story.last_ruling(), "hold: let.zone is not known: no series");
}
