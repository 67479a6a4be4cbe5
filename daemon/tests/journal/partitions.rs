//! Partitions: opened by time, size and number of records; dropped whole; half-made ones removed.

use std::fs;
use std::path::Path;

use paramedic::journal::{Filter, Options, Reader, SledJournal};
use paramedic_policies::apply;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::state::State;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::journal::Journal as _;

use crate::samples::{Scribe, deployment, done, open, start};

/// Appends what was written, and a checkpoint where one is due, as the daemon does.
fn keep(journal: &mut SledJournal, scribe: &mut Scribe, state: &mut State) -> bool {
    let block = scribe.block();
    for record in &block.records {
        apply(state, record.at, &record.event);
    }
    journal.append(&block).expect("durable");
    let due = journal.wants_checkpoint(state.now);
    if due {
        journal.checkpoint(state).expect("durable");
        journal.drop_old();
    }
    due
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("partitions")).expect("it is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII")).collect();
    names.sort();
    names
}

fn hourly() -> Options {
    Options { period: Span::from_hours(1), ..Options::default() }
}

#[test]
fn a_new_period_opens_a_new_partition_and_the_story_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut scribe, mut state) = (Scribe::new(), State::new());
    let (mut journal, _) = SledJournal::open(dir.path(), hourly(), start()).expect("it opens");
    let target = deployment("prod", "web");
    let episode = scribe.alert("Slow", "prod", "web");
    assert!(!keep(&mut journal, &mut scribe, &mut state));
    scribe.at = scribe.at + Span::from_hours(1);
    let second = scribe.alert("Slow", "prod", "api");
    assert!(keep(&mut journal, &mut scribe, &mut state), "the hour is over");
    assert!(!journal.wants_checkpoint(state.now), "nothing has happened in the new one");
    let intent = scribe.action(second, "roll", &target, done());
    keep(&mut journal, &mut scribe, &mut state);
    scribe.at = scribe.at + Span::from_hours(1);
    scribe.write(Event::StormEnded);
    assert!(keep(&mut journal, &mut scribe, &mut state));
    assert_eq!(
        names(dir.path()),
        [
            "00000000000000000001-20261121T083000Z",
            "00000000000000000005-20261121T093003Z",
            "00000000000000000010-20261121T103008Z"
        ]
    );

    let check = |reader: &Reader| {
        let all = Filter { limit: Some(1000), ..Filter::default() };
        assert_eq!(reader.query(&all).expect("read").items, scribe.all);
        let report = reader.verify();
        assert_eq!((report.problem.as_deref(), report.partitions, report.records), (None, 3, 9));
        // What the episode was about is known in the partition after it was opened.
        let of_alert =
            Filter { alert: Some("Slow".to_owned()), kind: Some("verified".to_owned()), ..Filter::default() };
        let found: Vec<_> =
            reader.query(&of_alert).expect("read").items.iter().map(|record| record.seq).collect();
        assert_eq!(found, [Seq(8)]);
        let of_intent = Filter { intent: Some(intent), newest: true, ..Filter::default() };
        assert_eq!(reader.query(&of_intent).expect("read").items.len(), 4);
        assert_eq!(reader.record(episode).expect("read").map(|record| record.seq), Some(episode));
    };
    check(&journal.reader());
    drop(journal);
    check(&Reader::open(dir.path()).expect("no daemon runs"));
    let (_, recovered) = SledJournal::open(dir.path(), hourly(), scribe.at).expect("it opens");
    assert_eq!(recovered.state.next, scribe.next);
    assert_eq!(recovered.last_record_at, scribe.all.last().map(|record| record.at));
    assert_eq!(recovered.replayed, 0);
}

#[test]
fn a_checkpoint_within_a_partition_shortens_the_next_opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { checkpoint_records: 10, ..Options::default() };
    let (mut scribe, mut state) = (Scribe::new(), State::new());
    let (mut journal, _) = SledJournal::open(dir.path(), options.clone(), start()).expect("it opens");
    for round in 0..17 {
        scribe.alert("Slow", "prod", &format!("web-{round}"));
        keep(&mut journal, &mut scribe, &mut state);
    }
    drop(journal);
    assert_eq!(names(dir.path()).len(), 1);
    let (journal, recovered) = SledJournal::open(dir.path(), options, scribe.at).expect("it opens");
    assert_eq!((recovered.replayed, recovered.state.next), (4, Seq(35)));
    assert_eq!(recovered.state.episodes.len(), 17);
    let reader = journal.reader();
    assert_eq!(reader.verify().problem, None);
    let opened = Filter { kind: Some("opened".to_owned()), ..Filter::default() };
    assert_eq!(reader.query(&opened).expect("read").items.len(), 17, "each is found once");
}

#[test]
fn a_half_made_partition_is_removed_and_the_one_before_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    scribe.alert("Slow", "prod", "web");
    journal.append(&scribe.block()).expect("durable");
    drop(journal);
    let torn = dir.path().join("partitions/00000000000000000003-20261122T000000Z.new");
    fs::create_dir_all(torn.join("blobs")).expect("writable");
    fs::write(torn.join("db"), b"half").expect("writable");
    fs::create_dir_all(dir.path().join("partitions/00000000000000000000-20261120T000000Z.dropped"))
        .expect("writable");
    let (mut journal, recovered) = open(dir.path());
    assert_eq!(recovered.state.next, Seq(3));
    assert_eq!(names(dir.path()), ["00000000000000000001-20261121T083000Z"]);
    scribe.alert("Slow", "prod", "api");
    journal.append(&scribe.block()).expect("durable");
}

#[test]
fn old_partitions_go_by_age_and_by_size_but_never_the_newest() {
    let cases = [
        ("age", Options { keep_for: Some(Span::from_hours(2)), keep_bytes: None, ..hourly() }, 4),
        ("size", Options { keep_for: None, keep_bytes: Some(1), ..hourly() }, 1),
        ("neither", Options { keep_for: None, keep_bytes: None, ..hourly() }, 6),
    ];
    for (name, options, left) in cases {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut scribe, mut state) = (Scribe::new(), State::new());
        let (mut journal, _) = SledJournal::open(dir.path(), options.clone(), start()).expect("it opens");
        for _ in 0..6 {
            scribe.alert("Slow", "prod", "web");
            keep(&mut journal, &mut scribe, &mut state);
            scribe.at = scribe.at + Span::from_hours(1);
        }
        assert_eq!(names(dir.path()).len(), left, "{name}");
        let report = journal.reader().verify();
        assert_eq!((report.problem, report.partitions), (None, left), "{name}");
        drop(journal);
        let (journal, recovered) = SledJournal::open(dir.path(), options, state.now).expect("it opens");
        assert_eq!(recovered.state.episodes.len(), 6, "{name}: open episodes live on in the checkpoint");
        let first = journal.reader().verify().first;
        assert_eq!(journal.reader().record(Seq(1)).expect("read").is_none(), first > Seq(1), "{name}");
    }
}

/// A journal of 20 hours, a partition each, that keeps a day.
fn twenty_hours(dir: &Path) -> (Options, SledJournal, Scribe, State) {
    let options = Options { keep_for: Some(Span::from_hours(24)), keep_bytes: None, ..hourly() };
    let (mut scribe, mut state) = (Scribe::new(), State::new());
    let (mut journal, _) = SledJournal::open(dir, options.clone(), start()).expect("it opens");
    for hour in 0..20 {
        scribe.at = start() + Span::from_hours(hour);
        scribe.alert("Slow", "prod", "web");
        keep(&mut journal, &mut scribe, &mut state);
    }
    assert_eq!(names(dir).len(), 20);
    (options, journal, scribe, state)
}

const HUNDRED_DAYS: Span = Span::from_hours(100 * 24);

#[test]
fn a_clock_step_that_nobody_has_accepted_makes_nothing_old() {
    let dir = tempfile::tempdir().expect("a directory");
    let (options, mut journal, mut scribe, mut state) = twenty_hours(dir.path());
    scribe.at = scribe.at + HUNDRED_DAYS;
    scribe.write(Event::ClockStepped { by_ms: i64::try_from(HUNDRED_DAYS.ms()).expect("short") });
    assert!(keep(&mut journal, &mut scribe, &mut state), "the hour is over");
    for _ in 0..3 {
        scribe.at = scribe.at + Span::from_hours(1);
        scribe.alert("Slow", "prod", "web");
        assert!(keep(&mut journal, &mut scribe, &mut state));
    }
    assert_eq!(names(dir.path()).len(), 24, "after the step");
    drop(journal);
    let (mut journal, _) = SledJournal::open(dir.path(), options, scribe.at).expect("it opens");
    assert_eq!(names(dir.path()).len(), 24, "after a restart");

    // Put right: time stands still, at the wrong place.
    let still = scribe.at;
    scribe.write(Event::ClockStepped { by_ms: -i64::try_from(HUNDRED_DAYS.ms()).expect("short") });
    scribe.at = still;
    scribe.write(Event::ClockAccepted { by: "jane".to_owned() });
    let block = scribe.block();
    block.records.iter().for_each(|record| apply(&mut state, record.at, &record.event));
    journal.append(&block).expect("durable");
    journal.checkpoint(&state).expect("durable");
    journal.drop_old();
    assert_eq!(names(dir.path()).len(), 24, "while time stands still");
    scribe.at = scribe.at + Span::from_hours(1);
    scribe.alert("Slow", "prod", "web");
    keep(&mut journal, &mut scribe, &mut state);
    assert_eq!(names(dir.path()).len(), 25 - 8, "once it goes on, some at a time");
    assert_eq!(journal.reader().verify().problem, None);
}

#[test]
fn a_start_on_a_clock_far_ahead_drops_nothing_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (options, journal, mut scribe, mut state) = twenty_hours(dir.path());
    drop(journal);
    scribe.at = scribe.at + HUNDRED_DAYS;
    let (mut journal, _) = SledJournal::open(dir.path(), options.clone(), scribe.at).expect("it opens");
    assert_eq!(names(dir.path()).len(), 20, "when it opens");
    scribe.write(Event::Began { version: "test".to_owned() });
    assert!(keep(&mut journal, &mut scribe, &mut state), "the hour is over");
    assert_eq!(names(dir.path()).len(), 21, "with the first records");
    drop(journal);
    let (mut journal, _) = SledJournal::open(dir.path(), options, scribe.at).expect("it opens");
    assert_eq!(names(dir.path()).len(), 21, "when it opens again");
    scribe.at = scribe.at + Span::from_hours(1);
    scribe.alert("Slow", "prod", "web");
    keep(&mut journal, &mut scribe, &mut state);
    assert_eq!(names(dir.path()).len(), 22 - 8, "an hour later, some at a time");
}

#[test]
fn a_full_partition_is_closed_early() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { partition_bytes: 1, ..Options::default() };
    let (mut scribe, mut state) = (Scribe::new(), State::new());
    let (mut journal, _) = SledJournal::open(dir.path(), options, start()).expect("it opens");
    scribe.alert("Slow", "prod", "web");
    assert!(keep(&mut journal, &mut scribe, &mut state));
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn a_checkpoint_of_another_state_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    scribe.alert("Slow", "prod", "web");
    journal.append(&scribe.block()).expect("durable");
    let error = journal.checkpoint(&State::new()).expect_err("the state is too old");
    assert_eq!(error.to_string(), "could not write the checkpoint before 3: the state is the one before 1");
}
