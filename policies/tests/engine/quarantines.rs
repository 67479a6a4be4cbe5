//! How a quarantine ends: by the clock where it only isolates, by a person where pods were taken out of production.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::engine::undo::{self, Anyway};
use paramedic_policies::event::Event;
use paramedic_policies::order::{Command, Past};
use paramedic_policies::settings::Settings;

use crate::story::{Story, alert, settings, value};

fn policy(quarantine: &str) -> String {
    format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: breach}}
spec:
  mode: enforce
  match: ['alertname="Breach"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  ladder:
    - quarantine: {quarantine}
      verify: {{query: 'errors', is: "< 0.01", settle: 1m, hold: 0s, within: 10m, every: 15s}}
  guards: {{cooldown: 0s, relapse: 0s}}
"#
    )
}

/// A quarantine whose alert is over.
fn isolated(quarantine: &str) -> Story {
    let mut story = Story::new(&[&policy(quarantine)]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Breach", "prod/web")]);
    let ended = story.now;
    story.deliver(vec![crate::story::resolved(alert("Breach", "prod/web"), ended)]);
    story
}

#[test]
fn a_detached_pod_stays_isolated_when_its_time_is_over_and_a_person_is_called() {
    let mut story = isolated("{for: 7d, detach: true}");
    assert_eq!(
        story.intents(),
        ["breach: quarantine and detach web-1 for 7d, then ask a person on prod/deployment/web"]
    );
    let intent = story.last("intended");
    let wanted = undo::Wanted { intent, only: &[], reason: "", past: None };
    let would = undo::rehearse(&story.state, &story.state.current_book(), story.now, "ada", &wanted);
    assert_eq!(would.map(|would| would.anyway), Ok(Anyway::Never), "its end is left to a person");
    story.pass("6days 23h");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.pass("2h");
    assert_eq!(story.intents().len(), 1, "nothing lets it back into production by itself");
    let calls = story.calls();
    let id = story.state.last_actions.values().next().expect("it acted").intent;
    let wanted = format!(
        "is not taken back: its pods would serve again. Look at them, then delete them, or let them go by `paramedic undo {id}`"
    );
    assert!(calls.len() == 1 && calls[0].contains(&wanted), "{calls:?}");
    story.pass("30days");
    assert_eq!((story.intents().len(), story.calls().len()), (1, 1), "{:?}", story.calls());

    let made = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some((**intent).clone()),
        _ => None,
    });
    let past = Past {
        intent: made.expect("it was intended"),
        outcome: Some(Outcome::Done { diff: None, already: false }),
        taken_back: None,
        into: None,
    };
    let reason = "it was a scanner".to_owned();
    let undo = Command::Undo { intent: id, only: Vec::new(), reason, past: Some(Box::new(past)) };
    story.order(undo);
    assert_eq!(story.intents()[1], "breach: release web-1 from quarantine on prod/deployment/web");
    assert!(story.state.leases.is_empty());
}

#[test]
fn an_undo_lets_a_detached_pod_go_before_its_time() {
    let mut story = isolated("{for: 7d, detach: true}");
    let intent = *story.state.leases.keys().next().expect("a lease");
    story.order(Command::Undo { intent, only: Vec::new(), reason: "a false alarm".to_owned(), past: None });
    assert_eq!(story.intents()[1], "breach: release web-1 from quarantine on prod/deployment/web");
}

#[test]
fn whoever_wrote_rejoin_or_only_isolated_gets_the_pods_back_by_the_clock() {
    for quarantine in ["{for: 2h, detach: true, rejoin: true}", "{for: 2h}"] {
        let mut story = isolated(quarantine);
        story.pass("2h 1m");
        assert_eq!(story.intents().len(), 2, "{quarantine}");
        assert!(story.calls().is_empty(), "{quarantine}: {:?}", story.calls());
    }
}

#[test]
fn who_is_called_about_half_a_quarantine_is_not_told_that_it_ends_by_itself() {
    let mut story = Story::new(&[&policy("{for: 7d, detach: true}")]);
    let what = "the second pod was not labelled".to_owned();
    story.outcome = Some(Outcome::Failed { what, applied: true, diff: None });
    story.deliver(vec![alert("Breach", "prod/web")]);
    let calls = story.calls();
    assert!(calls[0].contains("what was changed stays until `paramedic undo"), "{calls:?}");
}

#[test]
fn a_quarantine_whose_pods_somebody_deleted_ends_by_itself() {
    let mut story = isolated("{for: 7d, detach: true}");
    story.pods_gone = true;
    story.pass("6days 23h");
    assert_eq!(story.intents().len(), 1);
    story.pass("2h");
    assert_eq!(
        story.intents()[1],
        "breach: end a quarantine that holds nobody any more on prod/deployment/web"
    );
    assert!(story.state.leases.is_empty() && story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn a_daemon_without_hands_takes_no_wall_down() {
    let mut story = isolated("{for: 7d, detach: true}");
    story.pods_gone = true;
    let policy = policy("{for: 7d, detach: true}");
    story.adopt(&[&policy], &Settings { mode: Mode::DryRun, ..settings() });
    story.pass("8days");
    assert_eq!((story.intents().len(), story.calls().len()), (1, 0), "{:?}", story.calls());
    story.adopt(&[&policy], &settings());
    assert_eq!(story.intents().len(), 2);
    assert!(story.state.leases.is_empty() && story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn where_nobody_can_look_whether_pods_are_left_it_is_looked_again() {
    let mut story = isolated("{for: 7d, detach: true}");
    story.blind = Some("the API server does not answer".to_owned());
    story.pass("7days 5m");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.blind = None;
    story.pass("1h");
    assert!(
        story.calls().len() == 1 && story.calls()[0].contains("its pods would serve again"),
        "{:?}",
        story.calls()
    );
}
