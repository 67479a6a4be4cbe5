//! Policies that operators run by hand: the same guards, the same records, and nobody's alert.

use paramedic_policies::action::{Action, Intent, Mode, Outcome};
use paramedic_policies::address::AddressRange;
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::load::built_in;
use paramedic_policies::order::{Command, Past, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip;
use paramedic_policies::settings::Settings;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;

use crate::story::{RESTART_THEN_SCALE, Story, alert, labels, settings, source, value};

/// Three steps, each verified, and no alert.
pub(crate) const RESTORE: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restore}
spec:
  mode: approve
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  sequence:
    - scale: {to: 1}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
    - scale: {to: 3}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
  guards: {blastRadius: {unavailable: "off"}}
"#;

pub(crate) fn run(policy: &str, key: &str) -> Command {
    let labels = labels(&[("namespace", "prod"), ("deployment", "web")]);
    let (policy, key, reason) = (policy.to_owned(), key.to_owned(), "the database is back".to_owned());
    Command::Run { policy, labels, reason, dry_run: false, key }
}

pub(crate) fn rehearse(policy: &str, key: &str) -> Command {
    match run(policy, key) {
        Command::Run { policy, labels, reason, key, .. } => {
            Command::Run { policy, labels, reason, dry_run: true, key }
        }
        other => other,
    }
}

pub(crate) fn refusal(story: &Story) -> String {
    match &story.records.last().expect("something is recorded").1 {
        Event::OrderRefused { why, .. } => why.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn conclusions(story: &Story) -> Vec<String> {
    let all = story.records.iter().filter_map(|(_, event)| match event {
        Event::Concluded { conclusion, .. } => Some(format!("{conclusion:?}")),
        _ => None,
    });
    all.collect()
}

#[test]
fn a_policy_is_run_without_its_alert_and_without_asking_for_one() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("ALERTS".to_owned(), Found::Series(Vec::new()));
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    assert_eq!(story.intents(), ["errors: restart on prod/deployment/web"]);
    let approved = story.state.in_flight.values().chain([]).count();
    assert_eq!(approved, 0, "it has ended");
    story.pass("5m");
    assert_eq!(conclusions(&story), ["Helped"]);
    assert!(story.state.episodes.is_empty(), "it is over with its case");
    let who = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } => intent.approved_by.clone(),
        _ => None,
    });
    assert_eq!(who.as_deref(), Some("ada"));
    story.restart();
}

#[test]
fn a_sequence_stops_at_the_first_step_that_does_not_verify() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(story.intents(), ["restore: scale 0 -> 1 on prod/deployment/web"]);
    assert_eq!(conclusions(&story), ["Exhausted"]);
    assert_eq!(story.replicas, 1);
    assert_eq!(story.count("quarantined"), 0);
}

#[test]
fn a_sequence_goes_on_while_each_step_verifies_and_the_order_is_the_approval() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(
        story.intents(),
        ["restore: scale 0 -> 1 on prod/deployment/web", "restore: scale 1 -> 3 on prod/deployment/web"]
    );
    assert_eq!(conclusions(&story), ["Helped"]);
    assert_eq!(story.count("approved"), 0);
}

#[test]
fn a_step_that_holds_already_is_passed() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 1;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.pass("1h");
    assert_eq!(story.intents(), ["restore: scale 1 -> 3 on prod/deployment/web"]);
    assert_eq!(conclusions(&story), ["Helped"]);
}

#[test]
fn no_alert_starts_a_policy_without_matchers() {
    let mut story = Story::new(&[RESTORE]);
    story.deliver(vec![alert("Errors", "prod/web"), alert("", "prod/web")]);
    story.pass("1h");
    assert_eq!(story.count("ruled"), 0);
}

#[test]
fn the_same_request_is_not_done_twice() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    story.restart();
    story.pass("30m");
    let before = story.records.len();
    story.order(run("errors", "k-1"));
    assert_eq!(story.records.len(), before, "nothing follows");
    story.order(run("restore", "k-1"));
    assert!(refusal(&story).starts_with("the key k-1 is of another order, episode "), "{}", refusal(&story));
    story.order(run("errors", "k-2"));
    assert_eq!(story.intents().len(), 2);
}

#[test]
fn an_order_for_what_is_not_there_says_what_is() {
    let mut story = Story::new(&[RESTORE]);
    story.order(run("restor", "k-1"));
    assert_eq!(refusal(&story), "there is no policy restor; there are: restore");
    let policy = "restore".to_owned();
    let labels = labels(&[("namespace", "prod")]);
    story.order(Command::Run { policy, labels, reason: String::new(), dry_run: false, key: "k".to_owned() });
    assert_eq!(refusal(&story), "restore needs values for these labels: deployment");
}

#[test]
fn a_rehearsal_shows_everything_and_counts_for_nothing() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    for key in ["k-1", "k-2", "k-3", "k-4", "k-5"] {
        story.order(rehearse("errors", key));
        assert_eq!(story.last_ruling(), "act: ");
    }
    assert_eq!(conclusions(&story), ["Rehearsed"; 5]);
    assert!(story.records.iter().all(|(_, event)| match event {
        Event::Intended { intent } => intent.mode == Mode::DryRun && !intent.charged,
        _ => true,
    }));
    story.order(run("errors", "k-6"));
    assert_eq!(story.last_ruling(), "act: ");
}

#[test]
fn a_rehearsal_is_judged_by_what_would_count() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("errors", "k-1"));
    story.pass("5m");
    story.order(rehearse("errors", "k-2"));
    assert!(story.last_ruling().contains("cooling down"), "{}", story.last_ruling());
    assert_eq!(conclusions(&story), ["Helped", "Refused"], "who only asks does not wait");
}

#[test]
fn what_is_held_for_longer_than_anybody_waits_is_refused_at_once() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let reason = String::new();
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason });
    story.order(run("errors", "k-1"));
    assert!(
        story.last_ruling().starts_with("hold: everything is paused") || conclusions(&story) == ["Refused"]
    );
    story.pass("11m");
    assert_eq!(conclusions(&story), ["Refused"]);
    assert!(story.state.episodes.is_empty());
    story.order(Command::Resume { scope: PauseScope::Everything });
    story.pass("1h");
    assert!(story.intents().is_empty(), "nothing is done behind the back of whoever was refused");
}

#[test]
fn what_is_not_there_is_a_slip_of_the_pen_and_ends_the_order_at_once() {
    let mut story = Story::new(&[RESTORE]);
    story.refusals = vec![Reason::TargetAbsent { what: "prod/deployment/web".to_owned() }];
    story.order(run("restore", "k-1"));
    assert_eq!(story.last_ruling(), "withhold: there is no prod/deployment/web");
    assert_eq!(conclusions(&story), ["Refused"]);
    assert!(story.state.episodes.is_empty(), "nobody waits for it");
    assert_eq!(story.count("escalated"), 0);
    story.restart();
}

#[test]
fn what_is_gone_in_the_midst_of_a_sequence_is_waited_for() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.refusals = vec![Reason::TargetAbsent { what: "prod/deployment/web".to_owned() }];
    story.pass("5m");
    assert_eq!(conclusions(&story), Vec::<String>::new());
    story.refusals.clear();
    story.pass("30m");
    assert_eq!(conclusions(&story), ["Helped"]);
}

#[test]
fn a_short_hold_is_waited_for() {
    let mut story = Story::new(&[RESTART_THEN_SCALE]);
    let until = Some(story.now + "3m".parse().expect("a span"));
    story.order(Command::Pause { scope: PauseScope::Everything, until, reason: String::new() });
    story.order(run("errors", "k-1"));
    assert!(story.intents().is_empty());
    story.pass("4m");
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn the_cap_binds_orders_too() {
    for (cap, wanted) in [(Mode::DryRun, "Rehearsed"), (Mode::Approve, "Helped")] {
        let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { mode: cap, ..settings() });
        story.series.insert("errors".to_owned(), value(0.0));
        story.order(run("errors", "k-1"));
        story.pass("5m");
        assert_eq!(conclusions(&story), [wanted], "{cap}");
    }
}

#[test]
fn what_is_run_by_hand_is_no_sign_of_trouble() {
    let unless = RESTART_THEN_SCALE.replace("  target:", "  unless: ['alertname=\"ByHand\"']\n  target:");
    let mut story = Story::new(&[&unless, RESTORE]);
    story.outcome = None;
    story.order(run("restore", "k-1"));
    story.deliver(vec![alert("Errors", "prod/other")]);
    assert!(story.intents().iter().any(|intent| intent.starts_with("errors: restart")));
    assert!(story.state.last_ladders.is_empty());
    assert_eq!(story.state.open.len(), 1);
}

#[test]
fn an_order_survives_a_restart_and_a_removed_policy_ends_it() {
    let mut story = Story::new(&[RESTORE]);
    story.replicas = 0;
    story.series.insert("errors".to_owned(), value(0.0));
    story.order(run("restore", "k-1"));
    story.restart();
    story.feed(&Input::Wake);
    story.adopt(&[RESTART_THEN_SCALE], &settings());
    story.pass("1h");
    assert_eq!(story.intents().len(), 1);
    assert_eq!(conclusions(&story), ["Withdrawn"]);
    assert!(story.state.episodes.is_empty());
}

#[test]
fn a_failed_order_calls_a_person_all_the_same() {
    let notify = RESTORE.to_owned() + "  onFailure: {notify: [sre]}\n";
    let mut story = Story::new(&[&notify]);
    story.replicas = 0;
    story.outcome =
        Some(Outcome::Failed { what: "the API server is gone".to_owned(), applied: true, diff: None });
    story.order(run("restore", "k-1"));
    assert_eq!(conclusions(&story), ["Failed"]);
    assert_eq!(story.count("escalated"), 1);
    assert_eq!(story.state.episodes.get(&Seq(1)), None);
}

pub(crate) const SCALE_FOR_A_WHILE: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: more}
spec:
  mode: enforce
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - scale: {by: 2, max: 10}
      revert: {after: 1h}
"#;

fn undo(intent: Seq, past: Option<Past>) -> Command {
    let reason = "calm again".to_owned();
    Command::Undo { intent, only: Vec::new(), reason, past: past.map(Box::new) }
}

/// What the journal tells of an intent.
fn past(story: &Story, id: Seq) -> Past {
    let intent = story.records.iter().find_map(|(_, event)| match event {
        Event::Intended { intent } if intent.id == id => Some(Intent::clone(intent)),
        _ => None,
    });
    let outcome = story.records.iter().find_map(|(_, event)| match event {
        Event::Ended { intent, outcome } if *intent == id => Some(outcome.clone()),
        _ => None,
    });
    Past { intent: intent.expect("it was intended"), outcome, taken_back: None, into: None }
}

#[test]
fn what_would_be_taken_back_later_is_taken_back_now() {
    let mut story = Story::new(&[SCALE_FOR_A_WHILE]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    assert_eq!(story.replicas, 6);
    story.order(undo(intent, None));
    assert_eq!(story.replicas, 4);
    assert!(story.state.leases.is_empty());
    let by = story.records.iter().rev().find_map(|(_, event)| match event {
        Event::Intended { intent } => Some((intent.reverts, intent.approved_by.clone())),
        _ => None,
    });
    assert_eq!(by, Some((Some(intent), Some("ada".to_owned()))));
    story.restart();
}

#[test]
fn what_had_no_end_is_taken_back_from_what_the_journal_tells() {
    let endless = SCALE_FOR_A_WHILE.replace("      revert: {after: 1h}\n", "");
    let mut story = Story::new(&[&endless]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.pass("3d");
    assert!(story.state.leases.is_empty());
    let recorded = past(&story, intent);
    story.order(undo(intent, Some(recorded)));
    assert_eq!(story.replicas, 4);
    story.restart();
}

#[test]
fn an_undo_acts_only_on_what_is_still_ours() {
    let mut story = Story::new(&[SCALE_FOR_A_WHILE]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.replicas = 9;
    story.order(undo(intent, None));
    assert_eq!(story.replicas, 9);
    assert_eq!(story.count("revertDropped"), 1);
}

/// The second order waits until the first one's has settled.
#[test]
fn what_is_taken_back_is_not_done_again_by_an_order_that_waits() {
    let mut story = Story::new(&[&format!("{SCALE_FOR_A_WHILE}  guards: {{cooldown: 1m}}\n")]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.order(run("more", "k-2"));
    assert!(story.last_ruling().starts_with("hold: "), "{}", story.last_ruling());
    story.order(undo(intent, None));
    assert!(conclusions(&story).contains(&"Cancelled".to_owned()), "{:?}", conclusions(&story));
    story.pass("15m");
    assert_eq!((story.replicas, story.intents().len()), (4, 2));
    assert!(story.state.episodes.is_empty());
    story.restart();
}

#[test]
fn an_undo_waits_while_something_is_paused_and_is_one_however_often_it_is_ordered() {
    let mut story = Story::new(&[SCALE_FOR_A_WHILE]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.order(undo(intent, None));
    story.order(undo(intent, None));
    assert_eq!((story.replicas, story.count("revertOrdered")), (6, 1));
    story.order(Command::Resume { scope: PauseScope::Everything });
    assert_eq!(story.replicas, 4);
}

/// An order whose target nobody has looked up yet would do it again as well.
#[test]
fn an_order_that_does_not_know_its_target_yet_is_not_done_after_it_was_taken_back() {
    let named = r#"{kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}"#;
    let of_pod = r#"{from: {pod: "{{ labels.deployment }}", namespace: "{{ labels.namespace }}"}}"#;
    let mut story = Story::new(&[&SCALE_FOR_A_WHILE.replace(named, of_pod)]);
    let (kind, namespace, name) = ("Deployment".to_owned(), "prod".to_owned(), "web".to_owned());
    story.owner = Some(Target { kind, namespace, name });
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.answers = false;
    story.order(run("more", "k-2"));
    assert_eq!(story.count("opened"), 2);
    story.order(undo(intent, None));
    assert_eq!(
        (conclusions(&story).last().map(String::as_str), story.count("cancelled")),
        (Some("Cancelled"), 1)
    );
    story.answers = true;
    story.restart();
    story.pass("15m");
    assert_eq!((story.replicas, story.intents().len()), (4, 2));
}

/// Whoever says it a second time means what was ordered since the first.
#[test]
fn the_same_undo_once_more_withdraws_what_was_ordered_between() {
    let mut story = Story::new(&[&format!("{SCALE_FOR_A_WHILE}  guards: {{cooldown: 1m}}\n")]);
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.order(Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() });
    story.order(undo(intent, None));
    story.order(run("more", "k-2"));
    let waits = story.last("opened");
    assert_eq!(story.state.episodes.get(&waits).map(|one| one.is_open()), Some(true));
    story.order(undo(intent, None));
    assert_eq!((story.count("revertOrdered"), story.count("cancelled")), (1, 1));
    assert_eq!(story.state.episodes.get(&waits), None);
    story.order(Command::Resume { scope: PauseScope::Everything });
    story.pass("15m");
    assert_eq!(story.replicas, 4);
}

#[test]
fn an_order_counts_as_approval_of_taking_back() {
    let mut story = Story::with(&[SCALE_FOR_A_WHILE], &settings());
    story.order(run("more", "k-1"));
    let intent = story.last("intended");
    story.adopt(&[SCALE_FOR_A_WHILE], &Settings { mode: Mode::Approve, ..settings() });
    story.order(undo(intent, None));
    assert_eq!(story.replicas, 4);
}

#[test]
fn what_cannot_be_undone_says_why() {
    let mut story = Story::new(&[RESTART_THEN_SCALE, SCALE_FOR_A_WHILE]);
    story.order(undo(Seq(99), None));
    assert_eq!(refusal(&story), "the journal has no intent 99");
    story.order(run("errors", "k-1"));
    let restarted = story.last("intended");
    let recorded = past(&story, restarted);
    story.order(undo(restarted, Some(recorded)));
    assert_eq!(refusal(&story), format!("intent {restarted} cannot be undone: nothing takes back `restart`"));
    let mut story = Story::new(&[SCALE_FOR_A_WHILE]);
    story.order(run("more", "k-2"));
    let scaled = story.last("intended");
    let done = past(&story, scaled);
    story.order(undo(scaled, None));
    let reverted = story.last("intended");
    let check = |story: &mut Story, past: Past, says: &str| {
        let intent = past.intent.id;
        story.order(undo(intent, Some(past)));
        assert_eq!(refusal(story), says);
    };
    let taken_back = Past { taken_back: Some(reverted), ..done.clone() };
    check(&mut story, taken_back, &format!("intent {scaled} was taken back already, by intent {reverted}"));
    let mut rehearsed = done.clone();
    rehearsed.intent.mode = Mode::DryRun;
    check(&mut story, rehearsed, &format!("intent {scaled} was a rehearsal; it changed nothing"));
    let failed = Outcome::Failed { what: "no".to_owned(), applied: false, diff: None };
    let failed = Past { outcome: Some(failed), ..done.clone() };
    let says = format!("there is nothing to undo of intent {scaled}: it was never done (failed)");
    check(&mut story, failed, &says);
    let unknown = Past { outcome: None, ..done };
    check(&mut story, unknown, &format!("nobody knows how intent {scaled} ended"));
    let of_revert = past(&story, reverted);
    let says = format!("intent {reverted} took intent {scaled} back; what it undid is to be run anew");
    check(&mut story, of_revert, &says);
    story.outcome = None;
    story.pass("20m");
    story.order(run("more", "k-3"));
    let under_way = story.last("intended");
    story.order(undo(under_way, None));
    assert_eq!(
        refusal(&story),
        format!("intent {under_way} is still under way; it can be undone once it has ended")
    );
}

fn with(policy: &str, pairs: &[(&str, &str)]) -> Command {
    let (labels, reason) = (labels(pairs), "incident".to_owned());
    Command::Run { policy: policy.to_owned(), labels, reason, dry_run: false, key: format!("{pairs:?}") }
}

#[test]
fn a_freeze_by_hand_lasts_as_long_as_it_says() {
    let mut story = Story::with_own();
    let pairs = [("namespace", "prod"), ("namespaces", "prod,stage"), ("for", "2h"), ("reason", "incident")];
    story.order(with(built_in::FREEZE, &pairs));
    assert_eq!(
        story.intents(),
        ["paramedic-freeze: freeze deploys in prod, stage for 2h on prod/namespace/prod"]
    );
    let until = story.state.leases.values().next().map(|lease| lease.due);
    assert_eq!(until, Some(story.now + Span::from_hours(2)));
    for (pairs, says) in [
        (
            [("namespaces", "prod,st/age"), ("for", "2h")],
            "no usable namespaces: `prod,st/age` is not a namespace",
        ),
        ([("namespaces", "prod"), ("for", "8d")], "no usable for: `8d` is not from 1m to 7d"),
        ([("namespaces", "prod"), ("for", "soon")], "no usable for: `soon` is not a duration, such as 90s"),
    ] {
        let pairs = [&pairs[..], &[("namespace", "prod"), ("reason", "incident")]].concat();
        story.pass("3m");
        story.order(with(built_in::FREEZE, &pairs));
        assert!(story.last_ruling().contains(says), "{}", story.last_ruling());
    }
}

/// Whoever freezes deploys in the first minutes of an incident must not disable what mends it, thawed or not.
#[test]
fn a_freeze_takes_no_place_of_a_workload() {
    let policy = format!(
        "{SCALE_FOR_A_WHILE}  guards: {{blastRadius: {{targets: {{max: 1, in: namespace, per: 30m}}}}}}\n"
    );
    let mut story = Story::with_own();
    story.feed(&Input::Adopt(Box::new(built_in::with(source(&[&policy], &settings())))));
    let pairs = [("namespace", "prod"), ("namespaces", "prod"), ("for", "2h"), ("reason", "incident")];
    story.order(with(built_in::FREEZE, &pairs));
    story.pass("3m");
    story.order(run("more", "k-1"));
    assert_eq!((story.replicas, story.intents().len()), (6, 2), "{}", story.last_ruling());
}

#[test]
fn one_address_of_a_block_is_let_in_and_the_others_wait_for_their_end() {
    let range = |text: &str| text.parse::<AddressRange>().expect("an address");
    let entry = |text: &str| block_ip::Entry { range: range(text), lasts: Span::from_hours(1), times: 1 };
    let mut story = Story::with_own();
    let pairs = [("namespace", "prod"), ("name", "web"), ("address", "203.0.113.7"), ("for", "1h")];
    story.order(with("paramedic-block-deployment", &pairs));
    let intent = story.last("intended");
    // As a policy that asks a query makes one.
    let lease = story.state.leases.get_mut(&intent).expect("it will be taken back");
    let Action::BlockIp(block_ip::Action::Block(block)) = &mut lease.intent.action else { panic!("a block") };
    block.ranges = vec![entry("203.0.113.7"), entry("203.0.113.8")];
    let due = lease.due;
    let only = vec![range("203.0.113.7")];
    let reason = String::new();
    story.order(Command::Undo { intent, only, reason, past: None });
    let lease = &story.state.leases[&intent];
    let Action::BlockIp(block_ip::Action::Block(left)) = &lease.intent.action else { panic!("a block") };
    assert_eq!(left.ranges, [entry("203.0.113.8")]);
    assert_eq!((lease.due, &lease.ordered), (due, &None));
    let only = vec![range("198.51.100.1")];
    story.order(Command::Undo { intent, only, reason: String::new(), past: None });
    assert_eq!(refusal(&story), format!("intent {intent} keeps nobody of 198.51.100.1 out"));
}
