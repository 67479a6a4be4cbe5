//! What holds a lease: for how long, who is told of it, and what is taken back in the end.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::answer::{Answer, Found, Preflight};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::Settings;
use paramedic_policies::time::Span;

use crate::story::{Story, alert, resolved, settings, value};

/// A policy that does this in order, or by rungs.
fn policy(name: &str, alert: &str, does: &str) -> String {
    format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="{alert}"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
{does}
  guards: {{cooldown: 0s, relapse: 0s, blastRadius: {{targets: off, unavailable: off}}}}
"#
    )
}

const VERIFY: &str =
    "\n      verify: {query: 'errors', is: \"< 0.01\", settle: 1m, hold: 0s, within: 5m, every: 15s}";

fn scale() -> String {
    policy(
        "slow",
        "Slow",
        &format!("  ladder:\n    - scale: {{by: 2, max: 20}}\n      revert: {{after: 1h}}{VERIFY}"),
    )
}

const FREEZE: &str = "  ladder:\n    - freezeDeploys: {for: 1h}";

const BLOCK: &str =
    "  ladder:\n    - blockIp: {by: networkPolicy, clientAddress: peer, query: errors, label: ip, for: 1h}";

fn over(story: &mut Story, name: &str) {
    let ended = story.now;
    story.deliver(vec![resolved(alert(name, "prod/web"), ended)]);
}

/// Scaled from 4 to 6 replicas, which is to be taken back in a minute.
fn nearly_due_with(policies: &[&str]) -> Story {
    let mut story = Story::new(policies);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    assert_eq!(story.replicas, 6);
    over(&mut story, "Slow");
    story.pass("59m");
    story
}

fn nearly_due() -> Story {
    nearly_due_with(&[&scale()])
}

fn done() -> Option<Outcome> {
    Some(Outcome::Done { diff: None, already: false })
}

fn undo(intent: Seq, only: &[&str]) -> Command {
    let only = only.iter().map(|address| address.parse().expect("an address")).collect();
    Command::Undo { intent, only, reason: String::new(), past: None }
}

fn the_lease(story: &Story) -> Seq {
    *story.state.leases.keys().next().expect("one")
}

/// For how long each hold of a lease holds it.
fn holds(story: &Story) -> Vec<String> {
    let all = story.records.iter().filter_map(|(at, event)| match event {
        Event::RevertHeld { until, .. } => Some(until.since(*at).to_string()),
        _ => None,
    });
    all.collect()
}

#[test]
fn what_waits_long_for_another_effect_is_told_and_what_is_paused_is_not() {
    let more = policy("more", "More", "  ladder:\n    - restart: {}");
    let mut story = nearly_due_with(&[&scale(), &more]);
    story.outcome = None;
    story.deliver(vec![alert("More", "prod/web")]);
    story.pass("30m 59s");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.pass("1s");
    let calls = story.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains(" is not taken back yet, 30m after that was due: intent "), "{calls:?}");

    let mut story = nearly_due();
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.pass("5h");
    assert_eq!((story.replicas, story.calls().len()), (6, 0), "whoever paused it knows");
}

#[test]
fn what_cannot_be_looked_at_is_looked_at_ever_more_seldom() {
    let mut story = nearly_due();
    story.blind = Some("nodes is forbidden".to_owned());
    story.pass("30m");
    assert_eq!(holds(&story)[..6], ["30s", "1m", "2m", "4m", "8m", "8m"]);
}

#[test]
fn what_was_left_half_taken_back_is_told_at_once_and_what_was_not_begun_the_third_time() {
    for (applied, told_after) in [(true, 1), (false, 3)] {
        let mut story = nearly_due();
        story.outcome = Some(Outcome::Failed { what: "no route to host".to_owned(), applied, diff: None });
        while story.calls().is_empty() {
            story.pass("10s");
        }
        assert_eq!(story.intents().len() - 1, told_after, "{:?}", story.intents());
    }
}

#[test]
fn what_is_refused_now_is_not_taken_back_though_a_look_says_how() {
    let mut story = nearly_due();
    story.refusals = vec![Reason::Changed { what: "another field manager".to_owned() }];
    story.pass("2m");
    assert_eq!((story.intents().len(), story.state.leases.len()), (1, 0));
    assert!(story.calls()[0].contains("another field manager"), "{:?}", story.calls());
}

#[test]
fn a_clock_that_stepped_does_not_shorten_how_long_it_may_stay() {
    let mut story = Story::new(&[&scale()]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("30m");
    story.now = story.now + Span::from_hours(3);
    story.feed(&Input::ClockStepped { by_ms: 3 * 3_600_000 });
    story.order(Command::AcceptClock);
    for (passes, replicas) in [(20, 6), (2, 4)] {
        for _ in 0..passes {
            story.pass("10m");
            story.deliver(vec![alert("Slow", "prod/web")]);
        }
        assert_eq!(story.replicas, replicas, "four hours are four hours");
    }
}

#[test]
fn what_takes_back_is_no_charge_and_no_lease_and_names_who_wanted_it() {
    let mut story = nearly_due();
    story.restart();
    let intent = the_lease(&story);
    story.order(undo(intent, &[]));
    let revert = story.records.iter().rev().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some(intent),
        _ => None,
    });
    let revert = revert.expect("it is taken back");
    assert_eq!((revert.reverts, revert.charged, revert.revert_after), (Some(intent), false, None));
    assert_eq!((revert.epoch, revert.approved_by.as_deref()), (2, Some("ada")));
    assert_eq!((revert.at, revert.deadline), (story.now, story.now + Span::from_mins(10)));
}

#[test]
fn one_lease_takes_over_another_only_of_its_own_kind_on_its_own_target() {
    let freeze = policy("freeze", "Budget", FREEZE);
    let mut story = Story::new(&[&scale(), &freeze]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("10m");
    story.deliver(vec![alert("Budget", "prod/web")]);
    story.deliver(vec![alert("Slow", "prod/api")]);
    assert_eq!(story.intents().len(), 3, "{}", story.last_ruling());
    assert_eq!((story.state.leases.len(), story.count("revertDropped")), (3, 0));
}

#[test]
fn what_was_taken_back_by_an_order_is_not_done_again_however_late_it_ended() {
    let mut story = Story::new(&[&policy("freeze", "Budget", FREEZE)]);
    story.deliver(vec![alert("Budget", "prod/web")]);
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.order(undo(the_lease(&story), &[]));
    story.pass("2h");
    assert_eq!(story.intents().len(), 1);
    story.order(Command::Resume { scope: PauseScope::Everything });
    story.pass("1h");
    assert_eq!((story.intents().len(), story.count("advanced")), (2, 0), "{:?}", story.intents());
}

#[test]
fn what_left_the_book_is_not_done_again() {
    let mut story = Story::new(&[&policy("freeze", "Budget", FREEZE)]);
    story.deliver(vec![alert("Budget", "prod/web")]);
    story.adopt(&[], &settings());
    story.pass("2h");
    assert_eq!((story.intents().len(), story.count("advanced")), (2, 0), "{:?}", story.intents());
}

#[test]
fn what_a_later_rung_did_not_need_is_not_done_again() {
    let rungs = format!("{FREEZE}{VERIFY}\n    - restart: {{}}{VERIFY}");
    let mut story = Story::new(&[&policy("freeze", "Budget", &rungs)]);
    story.deliver(vec![alert("Budget", "prod/web")]);
    story.pass("7m");
    story.series.insert("errors".to_owned(), value(0.0));
    story.pass("2h");
    let freezes = story.intents().iter().filter(|one| one.contains("freeze deploys")).count();
    assert_eq!((freezes, story.intents().len()), (1, 3), "{:?}", story.intents());
}

#[test]
fn pods_that_are_held_are_handed_to_a_person_even_where_nothing_may_be_done() {
    let isolate = policy("breach", "Breach", "  ladder:\n    - quarantine: {for: 7d, detach: true}");
    let mut story = Story::new(&[&isolate]);
    story.deliver(vec![alert("Breach", "prod/web")]);
    over(&mut story, "Breach");
    story.adopt(&[&isolate], &Settings { mode: Mode::DryRun, ..settings() });
    story.pass("8days");
    assert_eq!((story.intents().len(), story.state.leases.len()), (1, 0), "{:?}", story.calls());
    assert!(story.calls()[0].contains("its pods would serve again"), "{:?}", story.calls());
}

/// Somebody else let it in while the order waited.
#[test]
fn a_part_that_was_let_in_already_ends_its_order_and_not_the_rest() {
    let mut story = Story::new(&[&policy("block", "Logins", BLOCK)]);
    story.deliver(vec![alert("Logins", "prod/web")]);
    story.pass("5m");
    let intent = the_lease(&story);
    let due = story.state.leases[&intent].due;
    story.answers = false;
    story.order(undo(intent, &["203.0.113.7"]));
    let question = story.state.leases[&intent].open.expect("it is looked at");
    let there = Preflight {
        uid: String::new(),
        action: None,
        already: true,
        refusals: Vec::new(),
        passed: Vec::new(),
        labels: Default::default(),
        beside: Default::default(),
        surroundings: None,
        diff: None,
    };
    let found = Found::Preflight(Box::new(there));
    story.feed(&Input::Told(Answer { question, taken_at: story.now, found }));
    let lease = &story.state.leases[&intent];
    assert_eq!((lease.due, &lease.ordered), (due, &None));
    assert_eq!((story.count("revertDropped"), story.intents().len()), (0, 1));
    story.outcome = done();
}

/// The last call for a person: whom, and about what.
fn last_call(story: &Story) -> (Vec<String>, Option<String>) {
    let call = story.records.iter().rev().find_map(|(_, event)| match event {
        Event::Escalated { notify, about, .. } => Some((notify.clone(), about.clone())),
        _ => None,
    });
    let (notify, about) = call.expect("somebody is called");
    (notify, about.and_then(|about| about.labels.get("deployment").cloned()))
}

#[test]
fn who_is_called_about_a_lease_is_whom_its_policy_named_though_that_is_gone() {
    let notify = scale() + "  onFailure: {notify: [sre]}\n";
    let mut story = nearly_due_with(&[&notify]);
    story.adopt(&[], &settings());
    story.replicas = 9;
    story.pass("2m");
    assert_eq!(last_call(&story), (vec!["sre".to_owned()], Some("web".to_owned())));
}

#[test]
fn a_lease_made_anew_from_the_journal_knows_its_alert() {
    use paramedic_policies::order::Past;
    let endless = scale().replace("      revert: {after: 1h}\n", "");
    let mut story = Story::new(&[&endless]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("10m");
    let made = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some((**intent).clone()),
        _ => None,
    });
    let intent = made.expect("it acts");
    let id = intent.id;
    let past = Box::new(Past { intent, outcome: done(), taken_back: None, into: None });
    story.replicas = 9;
    story.order(Command::Undo { intent: id, only: Vec::new(), reason: String::new(), past: Some(past) });
    assert_eq!(last_call(&story).1, Some("web".to_owned()), "{:?}", story.calls());
}

#[test]
fn only_what_was_tried_counts_as_a_try() {
    let paused = Reason::PausedByAnnotation { until: "2027-01-16T00:00:00Z".to_owned() };
    let changed = Reason::Changed { what: "another resourceVersion".to_owned() };
    for (reason, attempts) in [(paused, 0), (changed, 1)] {
        let mut story = nearly_due();
        story.outcome = Some(Outcome::Refused { reasons: vec![reason] });
        story.pass("61s");
        assert_eq!(story.intents().len(), 2);
        assert_eq!(story.state.leases.values().next().map(|lease| lease.attempts), Some(attempts));
    }
}

/// Another alert of the policy, which did not act, holds what it did; its end lets it go.
#[test]
fn the_end_of_any_alert_of_the_policy_lets_go_at_once_and_that_of_another_does_not() {
    let mut story = Story::new(&[&scale()]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.deliver(vec![alert("Slow", "prod/web")]);
    story.pass("10m");
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    let mut other = alert("Slow", "prod/web");
    other.labels.insert("zone".to_owned(), "b".to_owned());
    story.deliver(vec![other.clone(), alert("Noise", "prod/web")]);
    over(&mut story, "Slow");
    story.pass("55m");
    assert_eq!((story.replicas, story.count("revertHeld")), (6, 1));
    over(&mut story, "Noise");
    assert_eq!((story.replicas, story.count("revertHeld")), (6, 1));
    let ended = story.now;
    story.deliver(vec![resolved(other, ended)]);
    assert_eq!(story.replicas, 4);
}

#[test]
fn a_book_that_lets_somebody_in_waits_for_what_is_looked_at_or_taken_back_already() {
    let book = policy("block", "Logins", BLOCK);
    let allowing = book.replace("for: 1h}", "for: 1h, allow: [203.0.113.8/32]}");
    let blocked = || {
        let mut story = Story::new(&[&book]);
        story.deliver(vec![alert("Logins", "prod/web")]);
        over(&mut story, "Logins");
        story.pass("59m 59s");
        story
    };
    let ordered = |story: &Story| story.state.leases.values().any(|lease| lease.ordered.is_some());
    let mut looked_at = blocked();
    looked_at.answers = false;
    looked_at.pass("1s");
    looked_at.adopt(&[&allowing], &settings());
    assert!(!ordered(&looked_at), "it is looked at");
    let mut under_way = blocked();
    under_way.outcome = None;
    under_way.pass("1s");
    assert_eq!(under_way.intents().len(), 2);
    under_way.adopt(&[&allowing], &settings());
    assert!(!ordered(&under_way), "it is under way");
    let mut due = blocked();
    due.now = due.now + Span::from_secs(1);
    due.adopt(&[&allowing], &settings());
    assert_eq!(due.intents()[1], "block: unblock 203.0.113.7 on prod/deployment/web");
}

fn clock_steps(story: &mut Story) {
    story.now = story.now + Span::from_hours(3);
    story.feed(&Input::ClockStepped { by_ms: 3 * 3_600_000 });
    story.order(Command::AcceptClock);
}

#[test]
fn nothing_was_stuck_for_as_long_as_the_clock_stepped() {
    let mut story = nearly_due();
    story.blind = Some("nodes is forbidden".to_owned());
    story.pass("10m");
    clock_steps(&mut story);
    story.pass("15m");
    assert!(story.calls().is_empty(), "{:?}", story.calls());
    story.pass("15m");
    assert_eq!(story.calls().len(), 1, "{:?}", story.calls());
}

#[test]
fn what_an_order_leaves_ends_as_much_later_as_the_clock_stepped() {
    let mut story = Story::new(&[&policy("block", "Logins", BLOCK)]);
    story.deliver(vec![alert("Logins", "prod/web")]);
    story.pass("5m");
    let intent = the_lease(&story);
    let due = story.state.leases[&intent].due;
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.order(undo(intent, &["203.0.113.7"]));
    clock_steps(&mut story);
    story.order(Command::Resume { scope: PauseScope::Everything });
    assert_eq!(story.intents().len(), 2);
    assert_eq!(story.state.leases[&intent].due, due + Span::from_hours(3));
}
