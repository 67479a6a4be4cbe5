//! What was acknowledged is there after a reopen, in order and byte for byte.

use std::fs;

use paramedic::journal::{Filter, OpenError, Reader};
use paramedic_policies::apply;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::ruling::Verdict;
use paramedic_policies::state::State;
use paramedic_remediations::ports::journal::Journal as _;

use crate::samples::{Scribe, deployment, done, open};

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
