//! A sequence: all steps in order. Behind its first step it no longer depends on the alert, which the step itself may have
//! silenced; and one that ends early says what was done and what was not.

use paramedic_policies::action::Outcome;
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Advance, Conclusion, Event};
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::reason::Reason;

use crate::story::{Story, alert, resolved, settings, value};

/// Stops the writers, rolls what reads, and freezes deploys: the alert comes from the pods that the first step takes away.
const CORRUPT: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: corrupt}
spec:
  mode: enforce
  match: ['alertname="Corrupt"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {to: 0, allowDown: true}
      verify: {query: 'replicas', is: "== 0", settle: 30s, hold: 30s, within: 5m}
    - restart: {}
      target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: reader}
      verify: {query: 'errors', is: "< 0.01", settle: 30s, hold: 0s, within: 5m}
    - freezeDeploys: {for: 4h}
  guards: {blastRadius: {targets: off, unavailable: off}}
  onFailure: {notify: [sre]}
"#;

fn begun_under(policy: &str) -> Story {
    let mut story = Story::new(&[policy]);
    story.series.insert("replicas".to_owned(), value(0.0));
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    assert_eq!(story.intents(), ["corrupt: scale 4 -> 0 on prod/deployment/web"]);
    story
}

fn begun() -> Story {
    begun_under(CORRUPT)
}

/// The pods are gone, and their series with them.
fn silent(story: &mut Story) {
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
}

fn over(story: &mut Story) {
    let ended = story.now;
    story.deliver(vec![resolved(alert("Corrupt", "prod/web"), ended)]);
}

const ALL: [&str; 3] = [
    "corrupt: scale 4 -> 0 on prod/deployment/web",
    "corrupt: restart on prod/deployment/reader",
    "corrupt: freeze deploys in prod for 4h on prod/deployment/web",
];

#[test]
fn an_alert_that_the_first_step_silences_ends_nothing() {
    let mut story = begun();
    silent(&mut story);
    story.pass("30m");
    assert_eq!(story.intents(), ALL);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn an_alert_that_is_over_before_the_second_step_ends_nothing() {
    let mut story = begun();
    silent(&mut story);
    story.pass("40s");
    over(&mut story);
    story.pass("30m");
    assert_eq!(story.intents(), ALL);
    assert!(story.calls().is_empty() && story.state.episodes.is_empty(), "{:?}", story.calls());
}

#[test]
fn an_alert_that_is_over_while_the_second_step_waits_ends_nothing_either() {
    let mut story = begun();
    silent(&mut story);
    story.refusals = vec![Reason::WorkloadPaused];
    story.pass("3m");
    over(&mut story);
    story.pass("1m");
    assert_eq!(story.intents().len(), 1);
    story.restart();
    story.refusals.clear();
    story.pass("30m");
    assert_eq!(story.intents(), ALL);
}

#[test]
fn before_its_first_step_is_done_a_sequence_ends_with_its_alert() {
    let mut story = Story::new(&[CORRUPT]);
    story.outcome = Some(Outcome::Failed { what: "no route to host".to_owned(), applied: false, diff: None });
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    over(&mut story);
    story.outcome = Some(Outcome::Done { diff: None, already: false });
    story.pass("30m");
    assert_eq!(story.intents().len(), 1);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn a_pause_binds_what_is_left() {
    let mut story = begun();
    silent(&mut story);
    let scope = PauseScope::Namespace("prod".to_owned());
    story.order(Command::Pause { scope: scope.clone(), until: None, reason: String::new() });
    story.pass("20m");
    assert_eq!(story.intents().len(), 1);
    story.order(Command::Resume { scope });
    story.pass("20m");
    assert_eq!(story.intents(), ALL);
}

#[test]
fn a_step_that_does_not_verify_says_what_was_done_and_what_was_not() {
    let mut story = begun();
    story.series.insert("errors".to_owned(), value(0.5));
    story.pass("30m");
    assert_eq!(
        story.calls(),
        [
            "no rung of 1 helped; the sequence of 3 steps ends at step 2: done: scale, restart; not done: freezeDeploys"
        ]
    );
}

#[test]
fn a_step_of_which_nobody_knows_says_so() {
    let mut story = begun();
    story.outcome = Some(Outcome::Unknown { what: "the answer was lost".to_owned() });
    story.pass("30m");
    assert_eq!(
        story.calls(),
        [
            "the answer was lost; the sequence of 3 steps ends at step 2: done: scale; in doubt: restart; not done: freezeDeploys"
        ]
    );
}

#[test]
fn a_step_that_is_refused_for_good_is_told_once_and_ends_with_the_alert() {
    let mut story = begun();
    story.refusals = vec![Reason::NoPodWouldMove { strategy: "OnDelete".to_owned() }];
    story.pass("3m");
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    story.pass("3m");
    let told = "the next step is refused: no pod would move: OnDelete; the sequence of 3 steps ends at step 2: \
                done: scale; not done: restart, freezeDeploys";
    assert_eq!(story.calls(), [told]);
    over(&mut story);
    assert_eq!(story.calls().len(), 2, "{:?}", story.calls());
    assert!(story.state.episodes.is_empty());
    // Where the alert is over before, it ends at once.
    let mut story = begun();
    silent(&mut story);
    story.pass("40s");
    over(&mut story);
    story.refusals = vec![Reason::NoPodWouldMove { strategy: "OnDelete".to_owned() }];
    story.pass("3m");
    assert_eq!(story.calls(), [told]);
    assert!(story.state.episodes.is_empty());
}

#[test]
fn a_step_that_is_denied_or_that_nobody_approves_is_told() {
    let approved = CORRUPT.replace("    - restart: {}\n", "    - restart: {}\n      mode: approve\n");
    for (answered, why) in [(true, "a person denied the next step"), (false, "nobody approved the next step")]
    {
        let mut story = begun_under(&approved);
        silent(&mut story);
        story.pass("40s");
        over(&mut story);
        story.pass("3m");
        let proposal = *story.state.proposals.keys().next().expect("the second step is proposed");
        if answered {
            story.order(Command::Deny { proposal, comment: String::new() });
        } else {
            story.pass("31m");
        }
        let calls = story.calls();
        let last = calls.last().expect("a call");
        assert!(last.starts_with(why), "{calls:?}");
        assert!(last.ends_with("done: scale; not done: restart, freezeDeploys"), "{calls:?}");
        assert!(story.state.episodes.is_empty());
    }
}

#[test]
fn a_policy_that_leaves_the_book_in_the_middle_is_told() {
    let mut story = begun();
    story.adopt(&[], &settings());
    story.pass("5m");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(
        story.calls(),
        [
            "the policy left the book; the sequence of 3 steps ends at step 1: done: scale; not done: restart, freezeDeploys"
        ]
    );
}

#[test]
fn what_is_held_for_long_behind_the_first_step_is_told_and_ends_with_the_alert() {
    let held = || {
        let mut story = begun();
        silent(&mut story);
        story.refusals = vec![Reason::WorkloadPaused];
        story.pass("3m");
        story
    };
    let told = "done: scale; not done: restart, freezeDeploys";
    let mut story = held();
    story.pass("40m");
    assert!(story.calls()[0].ends_with(told) && story.calls().len() == 1, "{:?}", story.calls());
    over(&mut story);
    assert!(story.calls()[1].ends_with(told) && story.state.episodes.is_empty(), "{:?}", story.calls());
    let mut story = held();
    over(&mut story);
    story.pass("40m");
    assert!(story.calls()[0].ends_with(told) && story.calls().len() == 1, "{:?}", story.calls());
    assert!(story.state.episodes.is_empty(), "it does not wait for ever");
}

#[test]
fn what_is_so_already_is_passed_over() {
    let mut story = Story::new(&[CORRUPT]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.replicas = 0;
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    story.pass("30m");
    assert_eq!(story.intents(), ALL[1..]);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_was_so_already_begins_nothing() {
    let approved = CORRUPT.replace("    - restart: {}\n", "    - restart: {}\n      mode: approve\n");
    let mut story = Story::new(&[&approved]);
    story.replicas = 0;
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    assert_eq!((story.state.proposals.len(), story.intents().len()), (1, 0), "{}", story.last_ruling());
    over(&mut story);
    assert!(story.state.episodes.is_empty(), "it ends with its alert, as every case that has done nothing");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn what_was_so_already_does_not_stand_for_a_confirmation() {
    let mut story = Story::new(&[CORRUPT]);
    silent(&mut story);
    story.replicas = 0;
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    story.pass("20m");
    assert!(story.intents().is_empty());
}

/// The scale-down is to be taken back in ten minutes, and an operator has changed the replicas.
#[test]
fn a_call_about_what_is_not_taken_back_does_not_keep_a_sequence_for_ever() {
    let policy = CORRUPT.replace("allowDown: true}\n", "allowDown: true}\n      revert: {after: 10m}\n");
    let mut story = begun_under(&policy);
    silent(&mut story);
    story.refusals = vec![Reason::WorkloadPaused];
    story.pass("3m");
    over(&mut story);
    story.replicas = 2;
    story.pass("15m");
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
    assert!(story.calls()[0].contains("is not taken back"), "{:?}", story.calls());
    story.pass("20m");
    let told = "done: scale; not done: restart, freezeDeploys";
    assert!(story.calls()[1].ends_with(told), "{:?}", story.calls());
    assert!(story.state.episodes.is_empty(), "it does not wait for ever");
}

#[test]
fn a_book_that_only_rehearses_says_what_is_left_undone() {
    use paramedic_policies::action::Mode;
    use paramedic_policies::settings::Settings;

    let mut story = begun();
    silent(&mut story);
    story.adopt(&[CORRUPT], &Settings { mode: Mode::DryRun, ..settings() });
    story.pass("5m");
    assert_eq!(
        story.calls(),
        [
            "the next step was only rehearsed: in dry-run nothing more is done; the sequence of 3 steps ends at step 2: \
          done: scale; not done: restart, freezeDeploys"
        ]
    );
}

#[test]
fn a_book_with_a_wider_limit_lets_a_sequence_go_on_at_once() {
    use paramedic_policies::settings::{GlobalGuards, Settings};

    let limited = |max: u32| {
        let mut guards = GlobalGuards::default();
        guards.limits[0].max = max;
        Settings { guards, ..settings() }
    };
    let mut story = Story::with(&[CORRUPT], &limited(1));
    story.series.insert("replicas".to_owned(), value(0.0));
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Corrupt", "prod/web")]);
    story.pass("5m");
    assert_eq!(story.intents().len(), 1, "{}", story.last_ruling());
    story.adopt(&[CORRUPT], &limited(20));
    assert_eq!(story.intents().len(), 2, "{}", story.last_ruling());
}

/// The first step is on the alert's target, the last one on another.
#[test]
fn a_relapse_is_known_by_what_the_ladder_acted_on_first() {
    let policy = CORRUPT
        .replace("    - freezeDeploys: {for: 4h}\n", "")
        .replace("guards: {", "guards: {relapse: 4h, ");
    let mut story = begun_under(&policy);
    story.pass("5m");
    assert_eq!(story.intents(), ALL[..2]);
    over(&mut story);
    story.replicas = 4;
    story.pass("1h");
    let mut again = alert("Corrupt", "prod/web");
    again.starts_at = story.now;
    story.deliver(vec![again]);
    story.pass("5m");
    assert_eq!(story.intents(), ALL[..2], "no half of it is done again");
    assert!(story.last_ruling().starts_with("withhold: "), "{}", story.last_ruling());
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

/// Rolls the pods and sees to their number, which is right already.
const ROLL: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: roll}
spec:
  mode: enforce
  match: ['alertname="Errors"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - sequence:
        - restart: {}
        - scale: {atLeast: 4}
          verify: {query: 'errors', is: "< 0.01", settle: 1m, hold: 0s, within: 10m, every: 15s}
  guards: {relapse: 0s, cooldown: 0s}
  onFailure: {notify: [sre]}
"#;

fn ends(story: &Story) -> Vec<Conclusion> {
    let ends = story.records.iter().filter_map(|(_, event)| match event {
        Event::Concluded { conclusion, .. } => Some(*conclusion),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_last_step_that_was_so_already_is_watched_as_one_that_was_done() {
    let mut story = Story::new(&[ROLL]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("3m");
    assert_eq!(story.intents(), ["roll: restart on prod/deployment/web"]);
    assert!(ends(&story).is_empty(), "{:?}", ends(&story));
    let is_already = |(_, event): &(_, Event)| matches!(event, Event::Advanced { why: Advance::Already, .. });
    assert_eq!(story.records.iter().filter(|record| is_already(record)).count(), 1);
    story.restart();
    story.pass("10m");
    assert_eq!((ends(&story), story.calls()), (vec![Conclusion::Exhausted], vec!["no rung of 1 helped"]));

    let mut story = Story::new(&[ROLL]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!(ends(&story), [Conclusion::Helped]);
    assert!(story.calls().is_empty(), "{:?}", story.calls());
}

#[test]
fn a_rung_whose_last_step_was_so_already_and_did_not_help_is_climbed_beyond() {
    let more = ROLL.replace("  guards:", "    - freezeDeploys: {for: 4h}\n  guards:");
    let mut story = Story::new(&[&more]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("20m");
    assert_eq!(story.intents().len(), 2, "{:?}", story.intents());
}

#[test]
fn a_last_step_that_was_so_already_and_is_not_verified_ends_as_one_that_was_done() {
    let bare = ROLL.lines().filter(|line| !line.contains("verify:")).collect::<Vec<_>>().join("\n");
    let mut story = Story::new(&[&bare]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("10m");
    assert_eq!((ends(&story), story.calls().len()), (vec![Conclusion::Already], 0));
}

#[test]
fn a_step_that_did_not_begin_was_not_tried() {
    let often = ROLL.replace("guards: {", "guards: {limits: [{max: 20, per: 1h, by: target}], ");
    let mut story = Story::new(&[&often]);
    story.outcome = Some(Outcome::not_begun("the daemon stops"));
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("2m");
    assert!(story.intents().len() > 3, "{:?}", story.intents());
    assert!(story.calls().is_empty() && ends(&story).is_empty(), "{:?}", story.calls());
    story.outcome = Some(Outcome::Failed { what: "no route".to_owned(), applied: false, diff: None });
    let before = story.intents().len();
    story.pass("10m");
    assert_eq!((story.intents().len(), story.calls().len()), (before + 3, 1), "three attempts are left");
}

#[test]
fn a_sequence_keeps_its_place_between_its_steps() {
    let policy = CORRUPT.replace("guards: {", "guards: {concurrency: 1, ");
    let mut story = begun_under(&policy);
    story.refusals = vec![Reason::WorkloadPaused];
    story.pass("3m");
    // The next step waits: nothing is under way, and another target's first step has to wait for it.
    story.deliver(vec![alert("Corrupt", "prod/api")]);
    assert!(story.last_ruling().contains("1 of 1 allowed actions are running"), "{}", story.last_ruling());
    story.refusals.clear();
    story.pass("30m");
    assert_eq!(story.intents()[..3], ALL);
}

/// Its policy is quarantined for what it did elsewhere, while the second step waits.
#[test]
fn what_only_an_order_lets_go_on_is_waited_for_half_an_hour_behind_its_alert() {
    use paramedic_policies::target::Target;
    let policy = CORRUPT
        .replace("notify: [sre]", "notify: [sre], quarantineAfter: 1")
        .replace("guards: {", "guards: {concurrency: 2, ")
        .replace("'replicas'", "'replicas{namespace=\"{{ labels.namespace }}\"}'");
    let mut story = begun_under(&policy);
    let (kind, namespace, name) = ("Deployment".to_owned(), "prod".to_owned(), "reader".to_owned());
    let scope = PauseScope::Target(Target { kind, namespace, name });
    story.order(Command::Pause { scope, until: None, reason: String::new() });
    story.pass("2m");
    story.series.insert("replicas{namespace=\"stage\"".to_owned(), value(4.0));
    story.replicas = 4;
    story.deliver(vec![alert("Corrupt", "stage/web")]);
    story.pass("20m");
    assert_eq!((story.intents().len(), story.count("quarantined")), (2, 1), "{:?}", story.intents());
    assert!(story.last_ruling().contains("quarantined since"), "{}", story.last_ruling());
    let ends_before = story.count("concluded");
    over(&mut story);
    story.pass("29m 59s");
    assert_eq!(story.count("concluded"), ends_before);
    story.pass("1s");
    assert_eq!(story.count("concluded"), ends_before + 1);
    let calls = story.calls();
    assert!(calls.last().expect("one").starts_with("the next step was refused for "), "{calls:?}");
}
