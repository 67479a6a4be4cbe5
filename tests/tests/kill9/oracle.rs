//! What must hold after every kill, from what the API shows and what the cluster and the breakers have seen. It never
//! asks the engine what it thinks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::Value;

use crate::scene::Scene;

/// Within this every intent has come to an end: a rollout takes a second, finding out about one in doubt a minute.
const ENDED_WITHIN: Duration = Duration::from_secs(150);

#[derive(Default)]
pub(crate) struct Oracle {
    /// The record that opened each alert, by its name.
    opened: BTreeMap<String, u64>,
    /// Every intent.
    intents: BTreeMap<u64, Value>,
    /// How each intent ended.
    ended: BTreeMap<u64, Value>,
    /// The record that says so.
    ends: BTreeMap<u64, u64>,
    /// Up to where the journal has been read, now and at the look before.
    read: (u64, u64),
    journal: String,
}

impl Oracle {
    /// Looks at what is new since the look before the last one: what that one saw must be there again, unchanged.
    pub(crate) async fn look(&mut self, paramedic: &Paramedic, acknowledged: &BTreeSet<String>) -> String {
        let new = self.read_after(paramedic, self.read.0).await;
        self.judge(acknowledged);
        let open = self.intents.len() - self.ended.len();
        format!("{new} records read, {} intents, {open} of them under way", self.intents.len())
    }

    /// Looks at the whole journal, as it is at the end.
    pub(crate) async fn look_at_all(&mut self, paramedic: &Paramedic, acknowledged: &BTreeSet<String>) {
        self.read_after(paramedic, 0).await;
        self.judge(acknowledged);
        let (status, report) = paramedic.get("/api/v1/verify").await;
        assert_eq!(status, 200, "{report}");
        let problems = report["problems"].as_array().map_or(0, Vec::len);
        assert_eq!(problems, 0, "{report}");
    }

    /// Waits until every intent has its end.
    pub(crate) async fn everything_ends(&mut self, paramedic: &Paramedic) {
        eventually(ENDED_WITHIN, "every intent has ended", async || {
            let intents = paramedic.try_records("kind=intended").await?;
            let ended = paramedic.try_records("kind=ended").await?;
            let ended: BTreeSet<u64> =
                ended.iter().filter_map(|one| one["event"]["intent"].as_u64()).collect();
            let open: Vec<u64> = intents
                .iter()
                .filter_map(|one| one["seq"].as_u64())
                .filter(|seq| !ended.contains(seq))
                .collect();
            seen(open.is_empty(), || format!("under way: {open:?}"))
        })
        .await;
    }

    /// Holds what has happened in the world against the journal.
    pub(crate) async fn effects(&mut self, scene: &Scene) {
        assert_eq!(self.intents.keys().collect::<Vec<_>>(), self.ended.keys().collect::<Vec<_>>());
        let (stamps, revisions) = scene.rollouts().await;
        assert_eq!(revisions, stamps.values().sum::<u64>(), "a rollout without a stamp: {stamps:?}");
        let (keys, breakers) = scene.resets();
        let twice = |counts: &BTreeMap<String, u64>| -> Vec<String> {
            counts
                .iter()
                .filter(|(_, count)| **count > 1)
                .map(|(of, count)| format!("{of}: {count}"))
                .collect()
        };
        assert_eq!(twice(&stamps), [""; 0], "rolled out twice");
        assert_eq!(twice(&keys), [""; 0], "reset twice by one intent");
        for (breaker, count) in &breakers {
            let name = breaker.rsplit('/').nth(1).unwrap_or_default();
            let wanted = self.intents.values().filter(|intent| intent["target"]["name"] == name).count();
            assert!(*count <= wanted as u64, "{count} resets of {breaker}, {wanted} intents");
        }
        let traces: Vec<&String> = stamps.keys().chain(keys.keys()).collect();
        let done: BTreeSet<u64> = traces.into_iter().map(|stamp| self.intent_of(stamp)).collect();
        for (intent, outcome) in &self.ended {
            let what = &self.intents[intent]["action"];
            if let Some(end) = outcome.get("done") {
                let is_there = done.contains(intent) || end["already"] == true;
                assert!(is_there, "intent {intent} ({what}) is done, says {outcome}, and left no trace");
            } else if outcome.get("refused").is_some() || outcome["failed"]["applied"] == false {
                assert!(!done.contains(intent), "intent {intent} ({what}) did something, says {outcome}");
            }
        }
    }

    pub(crate) fn summary(&self) -> String {
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in self.ended.values() {
            let name = outcome.as_object().and_then(|outcome| outcome.keys().next());
            *outcomes.entry(name.map_or("?", String::as_str)).or_default() += 1;
        }
        format!("{} alerts, {} intents, ended {outcomes:?}", self.opened.len(), self.intents.len())
    }

    fn judge(&self, acknowledged: &BTreeSet<String>) {
        let lost: Vec<&String> =
            acknowledged.iter().filter(|name| !self.opened.contains_key(*name)).collect();
        assert!(lost.is_empty(), "{} acknowledged alerts are not in the journal: {lost:?}", lost.len());
        let unknown: Vec<&u64> = self.ended.keys().filter(|seq| !self.intents.contains_key(seq)).collect();
        assert!(unknown.is_empty(), "ends without an intent: {unknown:?}");
    }

    /// Reads on, and gives how many records came. What was read before must say the same again.
    async fn read_after(&mut self, paramedic: &Paramedic, after: u64) -> usize {
        let records = paramedic.records_after(after, "").await.expect("a daemon that is ready answers");
        let mut expected = after + 1;
        for record in &records {
            let seq = record["seq"].as_u64().expect("a record has a sequence");
            assert_eq!(seq, expected, "a gap in the journal");
            expected += 1;
            let event = &record["event"];
            match event["kind"].as_str() {
                Some("opened") => {
                    let name = event["labels"]["name"].as_str().unwrap_or_default().to_owned();
                    let before = *self.opened.entry(name.clone()).or_insert(seq);
                    assert_eq!(before, seq, "alert {name} was opened twice");
                }
                Some("intended") => {
                    let before = self.intents.entry(seq).or_insert_with(|| event["intent"].clone());
                    assert_eq!(*before, event["intent"], "intent {seq} has changed");
                }
                Some("ended") => {
                    let intent = event["intent"].as_u64().unwrap_or_default();
                    let before = *self.ends.entry(intent).or_insert(seq);
                    assert_eq!(before, seq, "intent {intent} has two ends");
                    self.ended.insert(intent, event["outcome"].clone());
                }
                _ => {}
            }
        }
        assert!(expected > self.read.1, "the journal ends at {expected}, {} was read before", self.read.1);
        self.read = (self.read.1, expected - 1);
        records.len()
    }

    fn intent_of(&mut self, stamp: &str) -> u64 {
        let (journal, seq) = stamp.rsplit_once('-').expect("a stamp is the journal's uuid and a sequence");
        if self.journal.is_empty() {
            self.journal = journal.to_owned();
        }
        assert_eq!(self.journal, journal, "one journal has one name for ever");
        let seq = seq.parse().expect("a sequence is a number");
        assert!(self.intents.contains_key(&seq), "{stamp} was done, and is not in the journal");
        seq
    }
}
