//! The words under which records are found: closed sets, so that a slip of the fingers is refused and not answered with
//! nothing. For the API's parameters and the command line's flags alike.

/// Of rulings, then of verifications.
pub const VERDICTS: [&str; 7] = ["act", "hold", "withhold", "propose", "helped", "didNotHelp", "unknown"];

/// Of effects, then of whole cases.
pub const OUTCOMES: [&str; 13] = [
    "done",
    "refused",
    "failed",
    "unknown",
    "helped",
    "rehearsed",
    "already",
    "exhausted",
    "resolved",
    "withdrawn",
    "denied",
    "takenBack",
    "cancelled",
];

/// Every kind of record, in the order in which an alert meets them.
pub const KINDS: [&str; 37] = [
    "received",
    "opened",
    "closed",
    "asked",
    "told",
    "ruled",
    "held",
    "intended",
    "ended",
    "looked",
    "verified",
    "advanced",
    "concluded",
    "escalated",
    "notified",
    "delivered",
    "raised",
    "acknowledged",
    "approved",
    "denied",
    "lapsed",
    "orderRefused",
    "paused",
    "resumed",
    "adopted",
    "stormBegan",
    "stormGoesOn",
    "stormEnded",
    "quarantined",
    "revertDropped",
    "revertHeld",
    "revertOrdered",
    "cancelled",
    "reigned",
    "began",
    "clockStepped",
    "clockAccepted",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use serde_json::Value;

    /// What the events of the golden journal say, where they say anything.
    fn said(what: impl Fn(&Value) -> Option<&str>) -> BTreeSet<String> {
        let golden = include_str!("../../tests/golden/records-v1.jsonl");
        let records = golden.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        records.filter_map(|record| what(&record["event"]).map(str::to_owned)).collect()
    }

    /// The name of a value that may have more inside.
    fn name(value: &Value) -> Option<&str> {
        let inside = || value.as_object()?.keys().next().map(String::as_str);
        value.as_str().or_else(|| value["is"].as_str()).or_else(inside)
    }

    fn known(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn every_kind_of_record_can_be_asked_for() {
        assert_eq!(said(|event| event["kind"].as_str()), known(&KINDS));
    }

    /// Each is in the golden journal, so a new one cannot be forgotten here.
    #[test]
    fn every_outcome_and_every_verdict_can_be_asked_for() {
        // What was collected is found as done.
        let mut outcomes = said(|event| name(&event["outcome"]).filter(|outcome| *outcome != "collected"));
        outcomes.extend(said(|event| event["conclusion"].as_str()));
        assert_eq!(outcomes, known(&OUTCOMES));
        let mut verdicts = said(|event| name(&event["ruling"]["verdict"]));
        verdicts.extend(said(|event| event["verdict"].as_str()));
        assert_eq!(verdicts, known(&VERDICTS));
    }
}
