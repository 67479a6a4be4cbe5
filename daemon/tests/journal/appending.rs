//! What was acknowledged is there after a reopen, in order and byte for byte.

use std::fs;

use paramedic::journal::{Filter, OpenError, Options, Reader, SledJournal};
use paramedic_policies::apply;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::ruling::Verdict;
use paramedic_policies::state::State;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::journal::Journal as _;

use crate::samples::{Scribe, deployment, done, open, start};

#[test]
fn what_was_appended_is_read_back_and_folded() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, recovered) = open(dir.path());
    assert_eq!((recovered.state.next, recovered.last_record_at), (Seq(1), None));
    let uuid = recovered.journal_uuid;
    let mut life = State::new();
    for round in 0..10 {
        let episode = scribe.alert("MaestroHighErrorRate", "prod", "web");
        journal.append(&scribe.block()).expect("durable");
        let target = deployment("prod", "web");
        scribe.decision(episode, "MaestroHighErrorRate", "conductor-high-error-rate", &target, Verdict::Act);
        if round == 9 {
            scribe.action(episode, "conductor-high-error-rate", &target, done());
        }
        let block = scribe.block();
        let receipt = journal.append(&block).expect("durable");
        assert_eq!((receipt.first, receipt.end), (block.first(), block.end()));
        assert_eq!(journal.reader().high_water().root, receipt.root);
    }
    for record in &scribe.all {
        apply(&mut life, record.at, &record.event);
    }
    let all = Filter { limit: Some(1000), ..Filter::default() };
    assert_eq!(journal.reader().query(&all).expect("read").items, scribe.all);
    drop(journal);

    let (journal, recovered) = open(dir.path());
    assert_eq!(recovered.journal_uuid, uuid);
    assert_eq!(recovered.last_record_at, scribe.all.last().map(|record| record.at));
    let json = |state: &State| serde_json::to_value(state).expect("plain data");
    assert_eq!(json(&recovered.state), json(&life));
    assert_eq!(journal.reader().query(&all).expect("read").items, scribe.all);
    let report = journal.reader().verify();
    assert_eq!((report.problem.clone(), report.records), (None, scribe.all.len() as u64));
    drop(journal);

    let reader = Reader::open(dir.path()).expect("no daemon runs");
    assert_eq!(reader.query(&all).expect("read").items, scribe.all);
    assert_eq!(reader.verify(), report);
}

#[test]
fn a_second_process_is_told_to_ask_the_daemon() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_journal, _) = open(dir.path());
    let error = Reader::open(dir.path()).expect_err("the journal is in use");
    assert!(matches!(error, OpenError::InUse { .. }));
    assert_eq!(
        error.to_string(),
        format!("journal in {} is in use by another process", dir.path().display())
    );
    assert_eq!(error.hint().as_deref(), Some("read it through the daemon: --server http://127.0.0.1:9911"));
}

#[test]
fn blocks_of_any_size_stay_out_of_blobs() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    let mut random: u64 = 7;
    let mut noise = |length: usize| -> String {
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + ((random >> 33) % 90) as u8)
        };
        (0..length).map(|_| next()).collect()
    };
    for round in 0..2000_usize {
        // Mostly small, some of a few kilobytes, a few far beyond one value, which LZ4 cannot make smaller.
        let length = match round % 200 {
            0 => 300_000,
            100 => 60_000,
            other => other * 13 % 4000,
        };
        for _ in 0..=round % 3 {
            scribe.write(Event::StormBegan { why: noise(length) });
        }
        let block = scribe.block();
        journal.append(&block).expect("durable");
    }
    let partition = fs::read_dir(dir.path().join("partitions")).expect("it is there").next().expect("one");
    let blobs = partition.expect("readable").path().join("blobs");
    assert_eq!(fs::read_dir(blobs).expect("readable").count(), 0);
    drop(journal);
    let (journal, recovered) = open(dir.path());
    assert_eq!(recovered.replayed, scribe.all.len() as u64);
    let all = Filter { limit: Some(10_000), ..Filter::default() };
    assert!(journal.reader().query(&all).expect("read").items == scribe.all);
}

#[test]
fn one_record_of_megabytes_is_one_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    let why: String =
        (0..3_000_000_u32).map(|n| char::from(b'0' + (n.wrapping_mul(2_654_435_761) >> 28) as u8)).collect();
    scribe.write(Event::StormBegan { why });
    let block = scribe.block();
    journal.append(&block).expect("durable");
    assert_eq!(journal.reader().record(Seq(1)).expect("read").as_ref(), block.records.first());
    assert_eq!(journal.reader().verify().problem, None);
}

/// Whatever the blocks, wherever the process ends, wherever checkpoints fall: what is read is what was written.
#[test]
fn replay_equals_life() {
    for seed in 1..=12_u64 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            period: Span::from_secs(60 + below(600)),
            checkpoint_records: 1 + below(100),
            keep_for: None,
            ..Options::default()
        };
        let (mut scribe, mut life) = (Scribe::new(), State::new());
        let (mut journal, _) = SledJournal::open(dir.path(), options.clone(), start()).expect("it opens");
        let mut root = journal.reader().high_water().root;
        for _ in 0..40 {
            for _ in 0..=below(4) {
                let name = format!("web-{}", below(5));
                let episode = scribe.alert("Slow", "prod", &name);
                if below(2) == 0 {
                    scribe.action(episode, "roll", &deployment("prod", &name), done());
                }
            }
            let block = scribe.block();
            block.records.iter().for_each(|record| apply(&mut life, record.at, &record.event));
            root = journal.append(&block).expect("durable").root;
            if journal.wants_checkpoint(life.now) && below(3) > 0 {
                journal.checkpoint(&life).expect("durable");
            }
            if below(10) == 0 {
                drop(journal);
                let (opened, recovered) =
                    SledJournal::open(dir.path(), options.clone(), life.now).expect("it opens");
                let json = |state: &State| serde_json::to_value(state).expect("plain data");
                assert_eq!(json(&recovered.state), json(&life), "seed {seed}");
                journal = opened;
            }
        }
        let reader = journal.reader();
        assert_eq!(reader.high_water().root, root, "seed {seed}");
        let report = reader.verify();
        assert_eq!((report.problem, report.root, report.end), (None, root, scribe.next), "seed {seed}");
        let page = reader.query(&Filter { limit: Some(10_000), ..Filter::default() }).expect("read");
        assert!(page.items == scribe.all, "seed {seed}");
        for kind in ["opened", "verified"] {
            let count = scribe.all.iter().filter(|record| record.event.kind() == kind).count();
            let of_kind = Filter { kind: Some(kind.to_owned()), limit: Some(10_000), ..Filter::default() };
            assert_eq!(reader.query(&of_kind).expect("read").items.len(), count, "seed {seed}: {kind}");
        }
    }
}
