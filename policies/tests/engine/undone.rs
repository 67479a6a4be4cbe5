//! An order that takes something back stops what would do it again, and nothing else.

use paramedic_policies::action::Outcome;
use paramedic_policies::engine::undo::{self, Anyway, Rehearsed, Wanted};
use paramedic_policies::event::{Conclusion, Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, Past, PauseScope};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::story::{Story, alert, labels, resolved, value};

/// More replicas for an hour, by an alert or by hand.
fn policy(name: &str) -> String {
    format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="Slow"', 'team="{name}"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  sequence:
    - scale: {{by: 2, max: 20}}
      revert: {{after: 1h}}
  guards: {{cooldown: 1m, relapse: 0s, concurrency: 9, blastRadius: {{targets: off, unavailable: off}}}}
"#
    )
}

fn run(policy: &str, on: &str, key: &str) -> Command {
    let labels = labels(&[("namespace", "prod"), ("deployment", on)]);
    let (policy, key) = (policy.to_owned(), key.to_owned());
    Command::Run { policy, labels, reason: String::new(), dry_run: false, key }
}

fn undoing(intent: Seq) -> Command {
    Command::Undo { intent, only: Vec::new(), reason: String::new(), past: None }
}

fn pause(on: &str) -> Command {
    let (kind, namespace, name) = ("Deployment".to_owned(), "prod".to_owned(), on.to_owned());
    let scope = PauseScope::Target(Target { kind, namespace, name });
    Command::Pause { scope, until: None, reason: String::new() }
}

/// The cases that were ended because of an order: of which policy, for which episode.
fn ended_by_it(story: &Story) -> Vec<(&str, Seq)> {
    let all = story.records.iter().filter_map(|(_, event)| match event {
        Event::Concluded { case, conclusion: Conclusion::TakenBack | Conclusion::Cancelled } => {
            Some((case.policy.as_str(), case.episode))
        }
        _ => None,
    });
    all.collect()
}

fn refusal(story: &Story) -> String {
    match &story.records.last().expect("something is recorded").1 {
        Event::OrderRefused { why, .. } => why.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn only_an_order_of_the_same_policy_for_the_same_target_is_stopped() {
    let mut story = Story::new(&[&policy("more"), &policy("other")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.order(run("more", "web", "k-2"));
    let same = story.last("opened");
    story.order(pause("api"));
    story.order(run("more", "api", "k-3"));
    story.order(run("other", "web", "k-4"));
    let mut slow = alert("Slow", "prod/web");
    slow.labels.insert("team".to_owned(), "more".to_owned());
    story.deliver(vec![slow]);
    assert_eq!((story.intents().len(), story.state.cases.len()), (1, 4), "{}", story.last_ruling());
    story.order(undoing(intent));
    assert_eq!(ended_by_it(&story), [("more", same)]);
}

/// It changes nothing, so nothing of it would be there again.
#[test]
fn a_rehearsal_that_waits_goes_on() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.answers = false;
    let Command::Run { policy, labels, reason, key, .. } = run("more", "web", "k-2") else { unreachable!() };
    story.order(Command::Run { policy, labels, reason, key, dry_run: true });
    let rehearsal = story.last("opened");
    assert!(
        story.state.cases.keys().any(|case| case.episode == rehearsal),
        "it asks, and is not answered yet"
    );
    story.order(undoing(intent));
    assert_eq!((story.count("revertOrdered"), story.count("cancelled")), (1, 0));
    assert!(ended_by_it(&story).is_empty());
}

#[test]
fn what_is_under_way_already_is_left_to_its_end() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.pass("5m");
    story.outcome = None;
    story.order(run("more", "web", "k-2"));
    assert_eq!(story.state.in_flight.len(), 1, "{}", story.last_ruling());
    story.order(undoing(intent));
    assert!(ended_by_it(&story).is_empty());
}

#[test]
fn a_case_that_waits_for_its_next_step_is_ended_once() {
    let two = policy("more")
        .replace("    - scale: {by: 2, max: 20}\n", "    - scale: {by: 2, max: 20}\n      verify: {query: 'errors', is: \"< 1\", settle: 1m, hold: 0s, within: 10m}\n")
        .replace("  guards:", "    - restart: {}\n  guards:");
    let mut story = Story::new(&[&two]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.order(pause("web"));
    story.pass("2m");
    assert_eq!(story.count("advanced"), 1, "it waits for its second step");
    story.order(undoing(intent));
    assert_eq!((story.count("concluded"), ended_by_it(&story).len()), (1, 1));
    assert_eq!(
        story.calls(),
        [
            "a person wants what was done taken back; the sequence of 2 steps ends at step 2: done: scale; not done: restart"
        ]
    );
}

/// What a rehearsal says of an undo; every undo in these stories is held to what was said of it.
fn rehearsed(story: &Story, intent: Seq) -> Result<Rehearsed, String> {
    let wanted = Wanted { intent, only: &[], reason: "", past: None };
    undo::rehearse(&story.state, &story.state.current_book(), story.now, "ada", &wanted)
}

#[test]
fn a_rehearsal_of_an_undo_says_what_the_order_would_come_to() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.order(run("more", "web", "k-2"));
    let waits = story.last("opened");
    let due = story.state.leases[&intent].due;
    let said = rehearsed(&story, intent).expect("it can be taken back");
    assert_eq!((said.action.to_string().as_str(), said.anyway), ("scale 4 -> 6", Anyway::Due(due)));
    assert_eq!((said.repeated, &said.held, &said.cancels[..]), (false, &None, &[waits][..]));

    story.order(pause("web"));
    let said = rehearsed(&story, intent).expect("it can be ordered");
    assert_eq!(said.held.as_deref(), Some("target prod/deployment/web is paused by ada"));
    story.order(undoing(intent));
    assert!(rehearsed(&story, intent).is_ok_and(|said| said.repeated));
    story.outcome = None;
    let (kind, namespace, name) = ("Deployment".to_owned(), "prod".to_owned(), "web".to_owned());
    story.order(Command::Resume { scope: PauseScope::Target(Target { kind, namespace, name }) });
    let revert = story.last("intended");
    let already = format!("intent {revert} is taking intent {intent} back already");
    assert_eq!(rehearsed(&story, intent).err(), Some(already));
    assert_eq!(story.state.leases.len(), 1, "nothing follows from a rehearsal");
}

/// The end of a pause is no record: what holds an undo is judged by the clock, as the order is.
#[test]
fn a_rehearsal_after_the_end_of_a_pause_is_not_held_by_it() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    let until = story.now + "10m".parse().expect("a span");
    let Command::Pause { scope, reason, .. } = pause("web") else { unreachable!() };
    story.order(Command::Pause { scope, until: Some(until), reason });
    let held = |story: &Story| rehearsed(story, intent).expect("it can be taken back").held;
    assert_eq!(held(&story), Some(format!("target prod/deployment/web is paused by ada until {until}")));
    story.pass("20m");
    assert_eq!(held(&story), None);
    story.order(undoing(intent));
    assert_eq!((story.count("revertHeld"), story.intents().len()), (0, 2), "{:?}", story.kinds());
}

/// Nobody keeps the promise of a time while somebody has paused it.
#[test]
fn what_a_pause_holds_is_not_said_to_be_due_at_the_latest() {
    let mut story = Story::new(&[BRIEF]);
    story.deliver(vec![alert("Slow", "prod/web")]);
    let (intent, begun) = (story.last("intended"), story.now);
    story.order(pause("web"));
    story.pass("6m");
    let lease = &story.state.leases[&intent];
    assert!(lease.held && lease.due > story.now, "{lease:?}");
    assert_eq!(undo::anyway(&story.state, story.now, lease), Anyway::LookedAt(lease.due));
    let Command::Pause { scope, .. } = pause("web") else { unreachable!() };
    story.order(Command::Resume { scope });
    story.pass("1m");
    let lease = &story.state.leases[&intent];
    let latest = begun + "20m".parse().expect("a span");
    assert_eq!(undo::anyway(&story.state, story.now, lease), Anyway::DueAtTheLatest(latest));
}

/// What its own time comes to is said as it is, and not as a time at which it is only looked at.
#[test]
fn a_rehearsal_says_when_it_would_be_due_anyway() {
    let mut story = Story::new(&[BRIEF]);
    let slow = alert("Slow", "prod/web");
    story.deliver(vec![slow.clone()]);
    let (intent, begun) = (story.last("intended"), story.now);
    let anyway = |story: &Story| {
        let said = rehearsed(story, intent).expect("it can be taken back").anyway;
        let listed = undo::anyway(&story.state, story.now, &story.state.leases[&intent]);
        assert_eq!(listed, said, "a list says the same");
        said
    };
    let at = |minutes: &str| begun + minutes.parse().expect("a span");
    assert_eq!(anyway(&story), Anyway::DueAtTheLatest(at("20m")));
    story.pass("6m");
    assert_eq!(anyway(&story), Anyway::DueAtTheLatest(at("20m")), "it is held while its alert is open");
    story.blind = Some("no answer".to_owned());
    story.deliver(vec![resolved(slow.clone(), story.now)]);
    let due = story.state.leases[&intent].due;
    assert!(story.now < due && due < at("7m"), "nobody can look: {due}");
    assert_eq!(anyway(&story), Anyway::LookedAt(due));

    let mut story = Story::new(&[BRIEF]);
    story.deliver(vec![slow.clone()]);
    story.deliver(vec![resolved(slow, story.now)]);
    assert_eq!(rehearsed(&story, story.last("intended")).map(|said| said.anyway), Ok(Anyway::Due(at("5m"))));
}

/// What a later one restores is not said to be nobody's.
#[test]
fn an_undo_of_what_a_later_action_restores_is_refused_in_a_rehearsal_too() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let first = story.last("intended");
    let done = match &story.records.iter().rfind(|(_, event)| matches!(event, Event::Intended { .. })) {
        Some((_, Event::Intended { intent })) => (**intent).clone(),
        other => panic!("{other:?}"),
    };
    story.pass("5m");
    story.order(run("more", "web", "k-2"));
    let later = story.last("intended");
    assert_eq!(story.state.leases.keys().collect::<Vec<_>>(), [&later]);
    let outcome = Some(Outcome::Done { diff: None, already: false });
    let past = Past { intent: done, outcome, taken_back: None, into: Some(later) };
    let command =
        Command::Undo { intent: first, only: Vec::new(), reason: String::new(), past: Some(Box::new(past)) };
    story.order(command);
    let says = format!("intent {later} restores what was there before intent {first}; undo that one");
    assert_eq!(refusal(&story), says);
}

#[test]
fn what_is_being_taken_back_already_is_said_and_nothing_else_hinders_it() {
    let mut story = Story::new(&[&policy("more")]);
    story.order(run("more", "web", "k-1"));
    let intent = story.last("intended");
    story.outcome = None;
    story.order(run("more", "api", "k-2"));
    story.order(undoing(intent));
    let revert = story.last("intended");
    assert_eq!(story.intents()[2], "more: scale 6 -> 4 on prod/deployment/web", "{:?}", story.intents());
    story.order(undoing(intent));
    assert_eq!(refusal(&story), format!("intent {revert} is taking intent {intent} back already"));
    story.feed(&Input::Wake);
}

/// More replicas for five minutes, then a restart; what they come to is known after eight.
const BRIEF: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: brief}
spec:
  mode: enforce
  match: ['alertname="Slow"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - scale: {by: 2, max: 20}
      revert: {after: 5m}
      verify: {query: "slow", is: "< 1", settle: 6m, hold: 2m, within: 15m}
    - restart: {}
  guards: {cooldown: 1m, relapse: 2h, concurrency: 9, blastRadius: {targets: off, unavailable: off}}
  onFailure: {notify: [sre], quarantineAfter: 1}
"#;

fn conclusions(story: &Story) -> Vec<Conclusion> {
    let of = |(_, event): &(Moment, Event)| match event {
        Event::Concluded { conclusion, .. } => Some(*conclusion),
        _ => None,
    };
    story.records.iter().filter_map(of).collect()
}

/// What is verified after it was taken back would be judged by what comes without it.
#[test]
fn what_was_taken_back_by_its_own_time_is_not_judged_any_more() {
    // The alert is over by then: nobody has to be told.
    let mut story = Story::new(&[BRIEF]);
    let slow = alert("Slow", "prod/web");
    story.deliver(vec![slow.clone()]);
    story.pass("3m");
    story.deliver(vec![resolved(slow, story.now)]);
    story.pass("20m");
    assert_eq!(story.intents().len(), 2, "done, and taken back: {:?}", story.kinds());
    assert_eq!(conclusions(&story), [Conclusion::TakenBack]);
    assert_eq!((story.count("verified"), story.calls()), (0, Vec::<&str>::new()));
}

/// Nobody knows whether it would have helped: that is no reason for the next rung, nor a round that did not help.
#[test]
fn a_relapse_after_what_was_taken_back_unjudged_is_withheld_and_calls_a_person() {
    for is_undone in [false, true] {
        let mut story = Story::new(&[BRIEF]);
        let slow = alert("Slow", "prod/web");
        story.deliver(vec![slow.clone()]);
        story.pass("3m");
        if is_undone {
            story.order(undoing(story.last("intended")));
        }
        story.deliver(vec![resolved(slow.clone(), story.now)]);
        story.pass("20m");
        assert_eq!(conclusions(&story), [Conclusion::TakenBack], "undone: {is_undone}");
        let ended = story.state.last_ladders.values().next().expect("it is remembered").ended_at;

        let mut again = slow;
        again.starts_at = story.now;
        story.deliver(vec![again.clone()]);
        let why =
            format!("nobody knows whether rung 1 helped, which ended at {ended}, and the trouble is there");
        assert_eq!(story.last_ruling(), format!("withhold: {why}"), "undone: {is_undone}");
        assert_eq!(story.calls(), [why.as_str()]);
        assert_eq!((story.intents().len(), story.state.efficacy.len()), (2, 0), "{:?}", story.intents());
        // Once that is long ago it is trouble of its own, and begins with the first rung.
        story.deliver(vec![resolved(again.clone(), story.now)]);
        story.pass("2h");
        again.starts_at = story.now;
        story.deliver(vec![again]);
        assert_eq!(story.intents()[2..], ["brief: scale 4 -> 6 on prod/deployment/web"]);
    }
}

/// A freeze ends by its own time, though the alert is open: nobody knows what it was good for.
#[test]
fn who_took_something_back_unjudged_while_its_alert_is_open_calls_a_person() {
    let freeze = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: freeze}
spec:
  mode: enforce
  match: ['alertname="Slow"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - freezeDeploys: {for: 5m}
      verify: {query: "slow", is: "< 1", settle: 6m, hold: 2m, within: 15m}
  guards: {cooldown: 1h, relapse: 0s, concurrency: 9, blastRadius: {targets: off, unavailable: off}}
  onFailure: {notify: [sre]}
"#;
    let mut story = Story::new(&[freeze]);
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("10m");
    assert_eq!(story.intents().len(), 2, "frozen, and thawed: {:?}", story.kinds());
    assert_eq!((story.count("verified"), story.count("concluded")), (0, 1), "{:?}", story.kinds());
    let [call] = story.calls()[..] else { panic!("one call: {:?}", story.calls()) };
    assert_eq!(
        call,
        "what was done has been taken back before anybody knew whether it helped, and the alert is still open"
    );
}

/// What the longest stay ends in the middle of a verification, and however its revert ends, is one event and one call.
#[test]
fn the_end_of_what_is_still_verified_is_one_call_with_all_that_is_known() {
    let long = BRIEF.replace("within: 15m", "within: 30m");
    let done = Outcome::Done { diff: None, already: false };
    let half = Outcome::Failed { what: "half of it".to_owned(), applied: true, diff: None };
    let lost = Outcome::Unknown { what: "no answer".to_owned() };
    let at_it = "it is looked at again until it is; nobody knows whether it helped";
    for (outcome, says) in [
        (
            done.clone(),
            "was taken back after 20m, and Slow is still open (episode 5); nobody knows whether it helped"
                .to_owned(),
        ),
        (half, format!("is not known to be taken back: that ended failed: half of it; {at_it}")),
        (lost, format!("is not known to be taken back: that ended unknown: no answer; {at_it}")),
    ] {
        let mut story = Story::new(&[&long]);
        story.deliver(vec![alert("Slow", "prod/web")]);
        let intent = story.last("intended");
        story.pass("10m");
        story.outcome = Some(outcome);
        story.pass("10m");
        assert_eq!(conclusions(&story), [Conclusion::TakenBack], "{:?}", story.kinds());
        let of = format!("scale 4 -> 6 on prod/deployment/web (intent {intent}) {says}");
        assert_eq!(story.calls(), [of.as_str()]);
        story.outcome = Some(done.clone());
        story.pass("1h");
    }
}

/// A person was told before that it is not taken back: what is told of the case says only what is known.
#[test]
fn what_may_have_been_taken_back_is_not_said_to_be() {
    let mut story = Story::new(&[&BRIEF.replace("within: 15m", "within: 3h")]);
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("10m");
    story.blind = Some("no answer".to_owned());
    story.pass("50m");
    assert_eq!(story.calls().len(), 1, "it is not taken back yet: {:?}", story.calls());
    (story.blind, story.outcome) = (None, Some(Outcome::Unknown { what: "no answer".to_owned() }));
    story.pass("9m");
    assert_eq!(conclusions(&story), [Conclusion::TakenBack], "{:?}", story.kinds());
    let told = "what was done may have been taken back before anybody knew whether it helped, and the alert is still open";
    assert_eq!(story.calls()[1..], [told]);
}

/// Somebody was quicker, before the look or after it: what is gone is not judged any more either.
#[test]
fn what_somebody_else_took_back_is_not_judged_any_more() {
    for is_seen in [true, false] {
        let mut story = Story::new(&[&BRIEF.replace("within: 15m", "within: 3h")]);
        story.deliver(vec![alert("Slow", "prod/web")]);
        story.pass("3m");
        if is_seen {
            story.replicas = 4;
        } else {
            story.outcome = Some(Outcome::Done { diff: None, already: true });
        }
        story.pass("1h");
        assert_eq!(
            (story.count("revertDropped"), story.intents().len()),
            if is_seen { (1, 1) } else { (0, 2) }
        );
        assert_eq!(conclusions(&story), [Conclusion::TakenBack], "seen: {is_seen}: {:?}", story.kinds());
        let [call] = story.calls()[..] else { panic!("one call: {:?}", story.calls()) };
        assert!(call.contains("taken back") && call.contains("still open"), "{call}");
    }
}
