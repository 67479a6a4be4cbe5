//! The words under which records are found: closed sets, so that a slip of the fingers is refused and not answered with
//! nothing. For the API's parameters and the command line's flags alike.

/// Of rulings, then of verifications.
pub const VERDICTS: [&str; 7] = ["act", "hold", "withhold", "propose", "helped", "didNotHelp", "unknown"];

/// Of effects, then of whole cases.
pub const OUTCOMES: [&str; 11] = [
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
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_kind_of_record_can_be_asked_for() {
        let golden = include_str!("../../tests/golden/records-v1.jsonl");
        let mut kinds: Vec<String> = golden
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a record"))
            .map(|record| record["event"]["kind"].as_str().expect("a kind").to_owned())
            .collect();
        kinds.sort();
        kinds.dedup();
        let mut known = KINDS.map(str::to_owned).to_vec();
        known.sort();
        assert_eq!(kinds, known);
    }
}
