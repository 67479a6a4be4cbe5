//! What the records tell, held against what a test expects of them: parts of records, in their order. It must never
//! pass over a record that a test forbids.

use serde_json::{Value, json};

/// Whether all that `part` says stands in `whole` too: objects by key, lists by their items in order, at the same
/// place; anything else by being equal.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(found, value)| holds(found, value))
        }
        (whole, part) => whole == part,
    }
}

/// An expected record: its kind and a part of it.
pub fn event(kind: &str, part: Value) -> Value {
    let mut event = part;
    event["kind"] = json!(kind);
    event
}

/// Holds records against parts of events that must come in this order, with anything in between.
///
/// # Panics
/// When one does not come, with all records.
pub fn tells(records: &[Value], expected: &[Value]) {
    let mut rest = records.iter();
    for part in expected {
        let found = rest.any(|record| holds(&record["event"], part));
        assert!(found, "no {part} at its place in the story:{}", lines(records));
    }
}

/// The records of that kind.
pub fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["event"]["kind"] == kind).collect()
}

/// The only record of that kind.
///
/// # Panics
/// When there are none or several, with all records.
pub fn only<'a>(records: &'a [Value], kind: &str) -> &'a Value {
    match of_kind(records, kind).as_slice() {
        [only] => only,
        found => panic!("{} records {kind}, 1 is wanted:{}", found.len(), lines(records)),
    }
}

/// The records, a line each.
pub fn lines(records: &[Value]) -> String {
    let line = |record: &Value| format!("\n  #{} {} {}", record["seq"], record["at"], record["event"]);
    records.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Value> {
        vec![
            json!({"seq": 1, "event": {"kind": "opened", "labels": {"a": "b", "c": "d"}}}),
            json!({"seq": 2, "event": {"kind": "ended", "intent": 4, "outcome": {"done": {"already": false}}}}),
            json!({"seq": 3, "event": {"kind": "closed", "episode": 1}}),
        ]
    }

    #[test]
    fn parts_are_found_in_their_order() {
        let done = event("ended", json!({"outcome": {"done": {}}}));
        tells(
            &records(),
            &[event("opened", json!({"labels": {"a": "b"}})), done, event("closed", json!({}))],
        );
        assert_eq!(only(&records(), "ended")["seq"], 2);
    }

    #[test]
    #[should_panic(expected = "at its place in the story")]
    fn another_order_is_another_story() {
        tells(&records(), &[event("closed", json!({})), event("opened", json!({}))]);
    }

    #[test]
    fn a_part_that_differs_is_not_held() {
        assert!(!holds(&json!({"a": [1, 2]}), &json!({"a": [1]})));
        assert!(!holds(&json!({"a": {"b": 1}}), &json!({"a": {"b": 2}})));
        assert!(!holds(&json!({"a": 1}), &json!({"b": null})));
    }
}
