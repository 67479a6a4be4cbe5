//! Record schemas are read for ever: one record of every kind as it was first written, read back and written again
//! byte for byte. Lines of a released schema never change; `UPDATE_GOLDEN=1` is for schemas that nobody has written yet.

use std::collections::BTreeSet;
use std::path::PathBuf;

use paramedic_policies::event::{Record, SCHEMA};
use paramedic_remediations::ports::journal::{Block, Journal as _};

use crate::every_kind::{KINDS, every_kind, position};
use crate::samples::open;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records-v1.jsonl")
}

fn lines(records: &[Record]) -> String {
    records.iter().map(|record| serde_json::to_string(record).expect("plain data") + "\n").collect()
}

#[test]
fn every_kind_of_record_is_read_and_written_byte_for_byte() {
    let samples = every_kind();
    let kinds: BTreeSet<usize> = samples.iter().map(|record| position(&record.event)).collect();
    assert_eq!(kinds, (0..KINDS).collect(), "a kind without a sample");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(), lines(&samples)).expect("writable");
    }
    let text = std::fs::read_to_string(golden()).expect("committed with the tests");
    let records: Vec<Record> =
        text.lines().map(|line| serde_json::from_str(line).expect("read for ever")).collect();
    assert_eq!(lines(&records), text, "what was read is written in other bytes");
    assert_eq!(records, samples, "the program now writes other records under schema {SCHEMA}");
}

#[test]
fn every_kind_of_record_goes_through_the_journal() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut journal, _) = open(dir.path());
    let records = every_kind();
    journal.append(&Block { records: records.clone() }).expect("durable");
    let filter = paramedic::journal::Filter { limit: Some(1000), ..Default::default() };
    assert_eq!(journal.reader().query(&filter).expect("read").items, records);
    for record in &records {
        let kind = Some(record.event.kind().to_owned());
        let of_kind = paramedic::journal::Filter { kind, limit: Some(1000), ..Default::default() };
        let found = journal.reader().query(&of_kind).expect("read").items;
        assert!(found.contains(record), "{:?}", record.event);
    }
}
