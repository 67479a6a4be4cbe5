//! Damage is found and named, never skipped; a newer journal is left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use paramedic::journal::{Filter, Known, OpenError, Options, Reader, SledJournal};
use paramedic_policies::apply;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::state::State;
use paramedic_remediations::ports::journal::Journal as _;

use crate::samples::{Scribe, deployment, done, open, start};

fn filled(dir: &Path, rounds: usize) -> Scribe {
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir);
    for _ in 0..rounds {
        let episode = scribe.alert("Slow", "prod", "web");
        scribe.action(episode, "roll", &deployment("prod", "web"), done());
        journal.append(&scribe.block()).expect("durable");
    }
    scribe
}

fn db(dir: &Path) -> PathBuf {
    let partition = fs::read_dir(dir.join("partitions")).expect("it is there");
    let paths = partition.map(|entry| entry.expect("readable").path());
    paths.min().expect("at least one").join("db")
}

#[test]
fn no_flipped_byte_changes_the_story_unnoticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let scribe = filled(dir.path(), 40);
    let path = db(dir.path());
    let whole = fs::read(&path).expect("readable");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("written");
    let files: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(&path).expect("readable")))
        .collect();
    let all = Filter { limit: Some(1000), ..Filter::default() };
    let mut noticed = 0;
    for step in 0..40 {
        let at = step * used / 40;
        for (path, bytes) in &files {
            fs::write(path, bytes).expect("writable");
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).expect("writable");
        match Reader::open(dir.path()) {
            Ok(reader) => {
                assert_eq!(reader.query(&all).expect("read").items, scribe.all, "byte {at}");
                assert_eq!(reader.verify().problem, None, "byte {at}");
            }
            Err(error) => {
                let (text, hint) = (error.to_string(), error.hint().unwrap_or_default());
                assert!(
                    text.contains("partition 00000000000000000001-20261121T083000Z"),
                    "byte {at}: {text}"
                );
                assert!(hint.contains("paramedic audit verify --data-dir"), "byte {at}: {text}: {hint}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 30, "{noticed}");
}

/// What a start on a full disk, or one that the power was taken from, leaves beside a partition that is whole.
#[test]
fn a_snapshot_that_was_left_half_made_hides_nothing() {
    let torn: Vec<u8> = (0..40_u8).map(|n| n.wrapping_mul(37).wrapping_add(11)).collect();
    for left in [Vec::new(), torn] {
        for by_daemon in [true, false] {
            let dir = tempfile::tempdir().expect("a directory");
            let scribe = filled(dir.path(), 40);
            let half_made = db(dir.path()).with_file_name("snap.00000000000FFFFF.generating");
            fs::write(&half_made, &left).expect("writable");
            let all = Filter { limit: Some(1000), ..Filter::default() };
            let of = |reader: &Reader| {
                assert_eq!(reader.query(&all).expect("read").items, scribe.all, "{} bytes", left.len());
                assert_eq!(reader.verify().problem, None, "{} bytes", left.len());
            };
            if by_daemon {
                let opened = SledJournal::open(dir.path(), Options::default(), start());
                of(&opened.expect("all of it is there").0.reader());
            } else {
                of(&Reader::open(dir.path()).expect("all of it is there"));
            }
            assert!(!half_made.exists(), "{} bytes", left.len());
        }
    }
}

#[test]
fn a_damaged_old_partition_is_named_and_not_read_as_a_shorter_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { partition_bytes: 1, ..Options::default() };
    let (mut scribe, mut state) = (Scribe::new(), State::new());
    let (mut journal, _) = SledJournal::open(dir.path(), options.clone(), start()).expect("it opens");
    for _ in 0..3 {
        scribe.alert("Slow", "prod", "web");
        let block = scribe.block();
        block.records.iter().for_each(|record| apply(&mut state, record.at, &record.event));
        journal.append(&block).expect("durable");
        journal.checkpoint(&state).expect("durable");
    }
    drop(journal);
    let path = db(dir.path());
    let whole = fs::read(&path).expect("readable");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("written");
    let mut noticed = 0;
    for step in 0..20 {
        let mut bytes = whole.clone();
        bytes[step * used / 20] ^= 0x10;
        fs::write(&path, bytes).expect("writable");
        for entry in fs::read_dir(path.parent().expect("a folder")).expect("readable") {
            let path = entry.expect("readable").path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap")) {
                fs::remove_file(path).expect("writable");
            }
        }
        // The daemon starts: what it needs is whole.
        let (journal, _) = SledJournal::open(dir.path(), options.clone(), state.now).expect("it opens");
        let late = Filter { after: Some(Seq(2)), ..Filter::default() };
        assert_eq!(journal.reader().query(&late).expect("the others are whole").items, scribe.all[2..]);
        let reader = journal.reader();
        let opened = Filter { kind: Some("opened".to_owned()), ..Filter::default() };
        match (reader.query(&Filter::default()), reader.query(&opened)) {
            (Ok(all), Ok(opened)) => assert_eq!((all.items.len(), opened.items.len()), (6, 3)),
            (Err(error), Err(_)) => {
                assert!(error.to_string().contains("partition 00000000000000000001-"), "{error}");
                let problem = reader.verify().problem.unwrap_or_default();
                assert!(problem.contains("partition 00000000000000000001-"), "{problem}");
                noticed += 1;
            }
            other => panic!("one way of looking sees it, the other does not: {other:?}"),
        }
    }
    assert!(noticed > 10, "{noticed}");
}

#[test]
fn a_newer_journal_is_refused_untouched() {
    for (field, value, what) in [("format", 2, "format"), ("recordSchema", 99, "record schema")] {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path(), 1);
        let meta = dir.path().join("journal.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs::read(&meta).expect("readable")).expect("JSON");
        json[field] = value.into();
        json["somethingNew"] = true.into();
        fs::write(&meta, json.to_string()).expect("writable");
        let before = listing(dir.path());
        let error = SledJournal::open(dir.path(), Options::default(), start()).expect_err("it is newer");
        let text = error.to_string();
        assert!(matches!(error, OpenError::Newer { .. }), "{text}");
        assert!(text.contains(&format!("has {what} {value}; this program reads up to 1")), "{text}");
        assert!(matches!(Reader::open(dir.path()), Err(OpenError::Newer { .. })));
        assert_eq!(listing(dir.path()), before);
    }
}

/// Every file below, with its bytes and when it was changed.
fn listing(dir: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(listing(&path));
        } else {
            let changed = fs::metadata(&path).and_then(|meta| meta.modified()).expect("readable");
            files.push((path.clone(), fs::read(&path).expect("readable"), changed));
        }
    }
    files.sort();
    files
}

#[test]
fn what_is_not_a_journal_is_not_made_one_by_reading() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = Reader::open(dir.path()).expect_err("empty");
    assert_eq!(
        error.to_string(),
        format!("no journal in {}: there is no journal.json", dir.path().display())
    );
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);

    filled(dir.path(), 1);
    fs::remove_file(dir.path().join("journal.json")).expect("writable");
    let by_daemon = SledJournal::open(dir.path(), Options::default(), start()).expect_err("half a journal");
    for error in [by_daemon, Reader::open(dir.path()).expect_err("half a journal")] {
        let text = error.to_string();
        assert!(text.ends_with("journal.json: it is not there, and there are partitions"), "{text}");
        let hint = error.hint().unwrap_or_default();
        assert!(
            hint.starts_with("restore journal.json from a backup of ") && !hint.contains("--data-dir"),
            "{hint}"
        );
    }
}

#[test]
fn a_journal_whose_end_is_gone_is_not_taken_for_a_shorter_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let scribe = filled(dir.path(), 3);
    fs::remove_dir_all(dir.path().join("partitions")).expect("writable");
    let error = SledJournal::open(dir.path(), Options::default(), start()).expect_err("records are missing");
    let last = scribe.next.0 - 1;
    assert!(error.to_string().contains(&format!("records up to {last} were acknowledged")), "{error}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains(&format!("paramedic audit verify --data-dir {}", dir.path().display())), "{hint}");
}

#[test]
fn an_entry_in_blobs_stops_the_journal() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    scribe.write(Event::StormEnded);
    journal.append(&scribe.block()).expect("durable");
    fs::write(db(dir.path()).with_file_name("blobs").join("7"), b"x").expect("writable");
    scribe.write(Event::StormEnded);
    let error = journal.append(&scribe.block()).expect_err("not covered by the sync");
    assert!(error.to_string().contains("blobs holds `7`, which is not synced with the rest"), "{error}");
    scribe.write(Event::StormEnded);
    let error = journal.append(&scribe.block()).expect_err("it takes nothing more");
    assert!(error.to_string().contains("it failed before"), "{error}");
}

#[test]
fn a_gap_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    scribe.write(Event::StormEnded);
    scribe.block();
    scribe.write(Event::StormEnded);
    let error = journal.append(&scribe.block()).expect_err("record 1 is missing");
    assert_eq!(
        error.to_string(),
        "could not append block 2: its records should be numbered from 1 without a gap"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let closed = dir.path().join("closed");
    fs::write(&closed, b"a file, not a directory").expect("writable");
    let error =
        SledJournal::open(&closed.join("data"), Options::default(), start()).expect_err("it is a file");
    assert!(error.to_string().contains(&closed.display().to_string()), "{error}");
    let _ = fs::set_permissions(&closed, fs::Permissions::from_mode(0o600));
}

#[test]
fn files_that_are_not_there_any_more_stop_the_journal() {
    for gone in ["journal.json", "lock", "partitions", ""] {
        for replaced in [false, true] {
            let home = tempfile::tempdir().expect("a directory");
            let dir = home.path().join("data");
            let mut scribe = filled(&dir, 1);
            let (mut journal, _) = open(&dir);
            let aside = home.path().join("aside");
            fs::rename(dir.join(gone), &aside).expect("it is there");
            if replaced {
                copy(&aside, &dir.join(gone));
            }
            let before = scribe.next;
            scribe.write(Event::StormEnded);
            let error = journal.append(&scribe.block()).expect_err("nobody would find it again").to_string();
            let what = if replaced { "is another file" } else { "is not there any more" };
            assert!(error.contains(what) && error.contains("hint: put it back"), "{gone:?}: {error}");
            assert_eq!(journal.reader().high_water().next, before, "nothing of it is shown");
            let error = journal.look()().expect_err("a look sees it too").to_string();
            assert!(error.contains(what), "{gone:?}: {error}");
        }
    }
}

/// With everything in it.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).expect("copied");
        return;
    }
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        copy(&path, &to.join(path.file_name().expect("it has one")));
    }
}

#[test]
fn only_the_journal_that_was_open_before_is_opened_again() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("data");
    filled(&dir, 1);
    copy(&dir, &home.path().join("backup"));
    let (mut journal, recovered) = open(&dir);
    let mut scribe = Scribe::new();
    scribe.next = recovered.state.next;
    scribe.write(Event::StormEnded);
    journal.append(&scribe.block()).expect("durable");
    let known = Known { uuid: recovered.journal_uuid, durable: journal.reader().high_water() };
    drop(journal);
    let again = || {
        let options = Options { known: Some(known.clone()), ..Options::default() };
        SledJournal::open(&dir, options, start()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(again(), Ok(()));
    fs::remove_dir_all(&dir).expect("it is there");
    let error = again().expect_err("there is nothing");
    assert!(error.contains("there is none any more"), "{error}");
    assert!(!dir.exists(), "and nothing is begun");
    fs::rename(home.path().join("backup"), &dir).expect("it is there");
    let error = again().expect_err("the last record is missing");
    assert!(error.contains("it ends with record 6, and record 7 was durable"), "{error}");
    fs::remove_dir_all(&dir).expect("it is there");
    filled(&dir, 2);
    let error = again().expect_err("another uuid");
    assert!(error.contains("there is another"), "{error}");
}
