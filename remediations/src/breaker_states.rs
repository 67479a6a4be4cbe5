//! The states of Maestro's circuit breakers, as `GET /api/resilience/circuit-breakers` tells them: a map from name to
//! state, or a list of names with states. Never guesses: what it cannot read is no state.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where breakers are listed.
pub(crate) const LIST: &str = "/api/resilience/circuit-breakers";

/// Where one is reset; the name is one segment, whatever it contains.
pub(crate) fn reset(base: &str, breaker: &str) -> String {
    format!("{base}{LIST}/{}/reset", segment(breaker))
}

/// The state of one breaker in an answer, in capitals (`CLOSED`, `OPEN`, `HALF_OPEN`).
pub(crate) fn state_of(body: &str, breaker: &str) -> Result<String, String> {
    let listed: Listed = serde_json::from_str(body)
        .map_err(|_| "the answer is neither a map of breakers nor a list of them".to_owned())?;
    let states: BTreeMap<String, String> = match listed {
        Listed::List(breakers) => breakers.into_iter().map(|one| (one.name, one.state)).collect(),
        Listed::Map(breakers) => breakers.into_iter().map(|(name, one)| (name, one.state)).collect(),
    };
    match states.get(breaker) {
        Some(state) => Ok(state.to_ascii_uppercase().replace('-', "_")),
        None if states.is_empty() => Err(format!("there is no breaker {breaker}, nor any other")),
        None => Err(format!("there is no breaker {breaker} among {}", names(&states))),
    }
}

/// As many names as a person reads.
const NAMES_MAX: usize = 10;

fn names(states: &BTreeMap<String, String>) -> String {
    let shown: Vec<&str> = states.keys().map(String::as_str).take(NAMES_MAX).collect();
    let more = states.len().saturating_sub(NAMES_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    List(Vec<Named>),
    Map(BTreeMap<String, Stated>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    state: String,
}

#[derive(Deserialize)]
struct Stated {
    state: String,
}

/// Percent-encoded, but for what RFC 3986 calls unreserved.
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => encoded.push(char::from(byte)),
            // A segment of dots would climb.
            b'.' if text.bytes().any(|other| other != b'.') => encoded.push('.'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_and_a_list_say_the_same() {
        let map = r#"{"postgres": {"state": "OPEN", "failures": 7}, "neo4j": {"state": "half-open"}}"#;
        let list = r#"[{"name": "postgres", "state": "open"}, {"name": "neo4j", "state": "HALF_OPEN"}]"#;
        for body in [map, list] {
            assert_eq!(state_of(body, "postgres"), Ok("OPEN".into()));
            assert_eq!(state_of(body, "neo4j"), Ok("HALF_OPEN".into()));
        }
    }

    #[test]
    fn what_is_not_there_or_not_readable_is_no_state() {
        for (body, says) in [
            (r#"{"neo4j": {"state": "OPEN"}}"#, "no breaker postgres among neo4j"),
            ("{}", "nor any other"),
            ("[]", "nor any other"),
            ("<html>", "neither a map"),
            (r#"{"error": "unauthorized"}"#, "neither a map"),
            (r#"{"postgres": {"state": 3}}"#, "neither a map"),
        ] {
            let error = state_of(body, "postgres").expect_err(body);
            assert!(error.contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn a_name_stays_within_its_segment() {
        assert_eq!(reset("http://a", "postgres"), "http://a/api/resilience/circuit-breakers/postgres/reset");
        assert_eq!(segment("../admin?x#y"), "..%2Fadmin%3Fx%23y");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
