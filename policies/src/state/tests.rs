//! What the parts of the state say of themselves, and what of them is stored: what is as usual is left out, and whatever
//! is stored is read back as it was.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::action::Intent;
use crate::notifications::Severity;
use crate::time::Moment;

/// That time of one day.
pub(super) fn at(time: &str) -> Moment {
    format!("2026-11-22T{time}Z").parse().expect("a fixture's time is RFC 3339")
}

pub(super) fn target(name: &str) -> Target {
    Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: name.to_owned() }
}

/// A case that waits, on no target yet.
pub(super) fn case(episode: u64, policy: &str) -> Case {
    let case = json!({
        "id": {"episode": episode, "policy": policy}, "book": Digest::default(), "priority": 0, "rung": 0, "step": 0,
        "attempts": 0, "factFailures": 0, "acted": false, "target": null, "lets": {}, "facts": [],
        "phase": {"is": "waiting", "due": at("09:00:00")}, "lastRuling": null,
    });
    serde_json::from_value(case).expect("a fixture's case is plain data")
}

pub(super) fn episode(id: u64, labels: &[(&str, &str)]) -> Episode {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let when = at("08:00:00");
    let episode = json!({
        "id": id, "key": EpisodeKey::of(&labels, &[]), "labels": labels, "annotations": {}, "startsAt": when,
        "openedAt": when, "seenAt": when, "expiresAt": at("12:00:00"), "closedAt": null, "fingerprint": null,
        "correlation": "c",
    });
    serde_json::from_value(episode).expect("a fixture's episode is plain data")
}

fn intent() -> Intent {
    let intent = json!({
        "id": 7, "episode": 1, "policy": "restart-web", "book": Digest::default(), "rung": 0, "step": 0,
        "target": target("web"), "uid": "u", "action": {"restart": {"generation": 1}}, "mode": "enforce",
        "at": at("09:00:00"), "deadline": at("09:10:00"), "charged": true, "epoch": 1,
    });
    serde_json::from_value(intent).expect("a fixture's intent is plain data")
}

fn ranges(named: &[&str]) -> Vec<AddressRange> {
    named.iter().map(|range| range.parse().expect("a range")).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("a mapping").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_lease_is_late_once_it_failed_or_is_stuck() {
    let lease = |failures: u32, stuck_since: Option<Moment>| Lease {
        failures,
        stuck_since,
        ..Lease::of(intent(), at("10:00:00"))
    };
    assert!(!lease(0, None).is_late());
    assert!(lease(1, None).is_late());
    assert!(lease(0, Some(at("10:00:00"))).is_late());
    assert!(lease(2, Some(at("10:00:00"))).is_late());
}

#[test]
fn whoever_wants_all_of_it_back_wants_every_part() {
    let ordered = |by: Option<&str>, only: &[&str]| Ordered {
        by: by.map(str::to_owned),
        only: ranges(only),
        rest_due: at("10:00:00"),
    };
    for ((first, firsts), (second, seconds), (by, only)) in [
        (
            (Some("ann"), &["10.0.0.1"][..]),
            (Some("bob"), &["10.0.0.2"][..]),
            (Some("ann, bob"), &["10.0.0.1", "10.0.0.2"][..]),
        ),
        (
            (Some("ann"), &["10.0.0.2"]),
            (Some("ann"), &["10.0.0.1", "10.0.0.2"]),
            (Some("ann"), &["10.0.0.1", "10.0.0.2"]),
        ),
        ((Some("ann, bob"), &["10.0.0.1"]), (Some("bob"), &["10.0.0.1"]), (Some("ann, bob"), &["10.0.0.1"])),
        ((None, &["10.0.0.1"]), (Some("bob"), &["10.0.0.1"]), (Some("bob"), &["10.0.0.1"])),
        ((Some("ann"), &["10.0.0.1"]), (None, &["10.0.0.2"]), (Some("ann"), &["10.0.0.1", "10.0.0.2"])),
        ((None, &["10.0.0.1"]), (None, &["10.0.0.2"]), (None, &["10.0.0.1", "10.0.0.2"])),
        ((Some("ann"), &[]), (Some("bob"), &["10.0.0.2"]), (Some("ann, bob"), &[])),
        ((Some("ann"), &["10.0.0.1"]), (Some("bob"), &[]), (Some("ann, bob"), &[])),
        ((Some("ann"), &[]), (Some("bob"), &[]), (Some("ann, bob"), &[])),
    ] {
        let both = ordered(first, firsts).and(second.map(str::to_owned), &ranges(seconds));
        assert_eq!(both, ordered(by, only), "{first:?} {firsts:?} and {second:?} {seconds:?}");
    }
}

#[test]
fn an_order_covers_what_it_names_and_one_of_all_covers_everything() {
    let covers = |ordered: &[&str], asked: &[&str]| {
        let ordered = Ordered { by: None, only: ranges(ordered), rest_due: at("10:00:00") };
        ordered.covers(&ranges(asked))
    };
    assert!(covers(&[], &[]) && covers(&[], &["10.0.0.1"]));
    assert!(covers(&["10.0.0.1", "10.0.0.2"], &["10.0.0.2"]));
    assert!(!covers(&["10.0.0.1"], &["10.0.0.1", "10.0.0.2"]));
    assert!(!covers(&["10.0.0.1"], &[]), "all of it is more than a part");
}

#[test]
fn who_orders_its_end_answers_for_it_else_who_approved_the_action() {
    let mut lease = Lease::of(intent(), at("10:00:00"));
    assert_eq!(lease.approved_by(), None);
    lease.intent.approved_by = Some("ann".to_owned());
    assert_eq!(lease.approved_by().map(String::as_str), Some("ann"));
    lease.ordered = Some(Ordered { by: None, only: Vec::new(), rest_due: at("10:00:00") });
    assert_eq!(lease.approved_by().map(String::as_str), Some("ann"));
    lease.ordered = Some(Ordered { by: Some("bob".to_owned()), only: Vec::new(), rest_due: at("10:00:00") });
    assert_eq!(lease.approved_by().map(String::as_str), Some("bob"));
}

#[test]
fn a_lease_is_stored_without_what_is_as_usual_and_read_back_with_what_is_not() {
    let mut lease = Lease::of(intent(), at("10:00:00"));
    let stored = json!(lease);
    assert_eq!(keys(&stored), ["attempts", "due", "held", "intent", "looked", "open"]);
    assert_eq!(serde_json::from_value::<Lease>(stored).expect("it reads"), lease);
    lease.failures = 1;
    lease.told = true;
    lease.stepped = Span::from_secs(90);
    lease.labels.insert("alertname".to_owned(), "Down".to_owned());
    let stored = json!(lease);
    assert_eq!(
        keys(&stored),
        ["attempts", "due", "failures", "held", "intent", "labels", "looked", "open", "stepped", "told"]
    );
    assert_eq!(serde_json::from_value::<Lease>(stored).expect("it reads"), lease);
}

#[test]
fn the_rung_at_which_a_ladder_ended_is_stored_where_it_was_not_just_tried() {
    for (rung_end, stored, next) in [
        (RungEnd::Tried, None, Some(3)),
        (RungEnd::NotDone, Some(json!("notDone")), Some(2)),
        (RungEnd::Unknown, Some(json!("unknown")), None),
    ] {
        let ended_at = at("09:00:00");
        let (episode, is_counted, ineffective_before) = (Seq(1), false, 0);
        let last = LastLadder { rung: 2, rung_end, episode, ended_at, is_counted, ineffective_before };
        let written = json!(last);
        assert_eq!(written.get("rungEnd"), stored.as_ref());
        assert_eq!(serde_json::from_value::<LastLadder>(written).expect("it reads"), last);
        assert_eq!(last.next_rung(), next);
    }
}

#[test]
fn a_ledger_is_empty_until_something_was_charged_to_it() {
    let mut state = State::new();
    assert!(state.looks.is_empty());
    assert!(!keys(&json!(state)).contains(&"looks"), "and not stored");
    state.looks.pace_ns = Some(1);
    assert!(!state.looks.is_empty());
    assert!(keys(&json!(state)).contains(&"looks"));
    let charge = Charge {
        at: at("09:00:00"),
        intent: Seq(7),
        policy: "restart-web".to_owned(),
        target: target("web"),
        beyond: vec!["stage".to_owned()],
        spares_workloads: false,
    };
    assert!(charge.reached("prod") && charge.reached("stage") && !charge.reached("test"));
    assert!(!Ledger { charges: [charge].into(), pace_ns: None }.is_empty());
}

#[test]
fn what_somebody_runs_by_hand_is_open_but_no_sign_of_trouble() {
    let mut one = episode(1, &[("alertname", "Down")]);
    assert!(one.is_open() && one.fires());
    assert_eq!(one.alert(), "Down");
    assert_eq!(episode(2, &[]).alert(), "-");
    one.by_hand = serde_json::from_value(json!({"by": "ann", "policy": "restart-web", "key": "k"})).ok();
    assert!(one.by_hand.is_some() && one.is_open() && !one.fires());
    one.closed_at = Some(at("09:00:00"));
    assert!(!one.is_open() && !one.fires());
}

#[test]
fn the_cases_of_an_episode_are_its_own() {
    let mut state = State::new();
    for (episode, policy) in [(1, "z"), (2, "a"), (2, "b"), (3, "")] {
        let case = case(episode, policy);
        state.cases.insert(case.id.clone(), case);
    }
    let of = |episode: u64| -> Vec<String> {
        state.cases_of(Seq(episode)).map(|case| case.id.to_string()).collect()
    };
    assert_eq!(of(2), ["episode 2 under a", "episode 2 under b"]);
    assert_eq!(of(3), ["episode 3 under "]);
    assert_eq!(of(4), [""; 0]);
}

#[test]
fn a_relapse_counts_one_round_more_and_only_once() {
    let mut state = State::new();
    let mut last = LastLadder {
        rung: 0,
        rung_end: RungEnd::Tried,
        episode: Seq(1),
        ended_at: at("09:00:00"),
        is_counted: false,
        ineffective_before: 2,
    };
    let key = ("restart-web".to_owned(), target("web"));
    assert_eq!(state.rounds_after_relapse("restart-web", &target("web")), None);
    state.last_ladders.insert(key.clone(), last.clone());
    assert_eq!(state.rounds_after_relapse("restart-web", &target("web")), Some(3));
    let efficacy = Efficacy { ineffective: 4, quarantined_since: None };
    state.efficacy.insert("restart-web".to_owned(), efficacy);
    assert_eq!(state.rounds_after_relapse("restart-web", &target("web")), Some(5));
    assert_eq!(state.rounds_after_relapse("restart-web", &target("db")), None);
    last.is_counted = true;
    state.last_ladders.insert(key, last);
    assert_eq!(state.rounds_after_relapse("restart-web", &target("web")), None);
}

#[test]
fn a_clock_that_stands_still_goes_on_at_its_moment() {
    let mut state = State::new();
    assert_eq!(state.clock_trouble(at("09:00:00")), None);
    let until = at("09:00:00");
    state.stands_still_until = Some(until);
    assert_eq!(state.clock_trouble(at("08:59:59.999")), Some(Reason::TimeStandsStill { until }));
    assert_eq!(state.clock_trouble(until), None);
    state.clock_stepped = Some(90_000);
    assert_eq!(state.clock_trouble(until), Some(Reason::ClockStepped { by_ms: 90_000 }));
}

/// A call about this, for a case or for none.
pub(super) fn page(subject: Subject, about: Option<CaseId>) -> Page {
    Page {
        id: Seq(30),
        case: about,
        severity: Severity::Error,
        title: "restart-web needs a person".to_owned(),
        text: "see the journal".to_owned(),
        labels: BTreeMap::new(),
        whys: Vec::new(),
        subject,
        said: Vec::new(),
        unended: false,
        since: at("09:00:00"),
        calls: BTreeMap::new(),
        acknowledged: None,
        over: false,
        due: None,
    }
}
