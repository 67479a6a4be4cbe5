//! What a reader of JSON says of a slip, as people say it: at one place, and without the names of our types.

use std::sync::LazyLock;

use regex::Regex;

/// How types are called: `struct Received with 1 element`, `internally tagged enum Event`.
static TYPE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?:(?:tuple |newtype |unit )?struct|(?:struct|tuple) variant) [\w:]+(?: with \d+ elements?)?";
    Regex::new(pattern).expect("a pattern of ours")
});
static CHOICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:(?:internally|adjacently) tagged )?enum \w+").expect("a pattern of ours")
});

/// The slip in this line of a file: `alerts.jsonl:6:2: key must be a string`.
pub(crate) fn in_line(place: &str, what: &str, error: &serde_json::Error) -> String {
    format!("{place}:{}: {what}{}", error.column().max(1), words(error))
}

/// The slip in this file: `alerts.json:6:2: missing field `labels``.
pub(crate) fn in_file(place: &str, error: &serde_json::Error) -> String {
    format!("{place}:{}:{}: {}", error.line().max(1), error.column().max(1), words(error))
}

fn words(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&place).unwrap_or(&said);
    let said = TYPE.replace_all(said, "an object");
    CHOICE.replace_all(&said, "one of the known words").into_owned()
}

#[cfg(test)]
mod tests {
    use paramedic_policies::event::Record;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(rename = "a")]
        _a: u32,
    }

    #[test]
    fn a_slip_has_one_place_and_no_name_of_a_type() {
        for (text, says) in [
            ("[]", "f:6:2: invalid length 0, expected an object"),
            ("7", "f:6:1: invalid type: integer `7`, expected an object"),
            ("{}", "f:6:2: missing field `a`"),
            ("{7: 1}", "f:6:2: key must be a string"),
            (r#"{"a": "x"}"#, r#"f:6:9: invalid type: string "x", expected u32"#),
        ] {
            let error = serde_json::from_str::<Sample>(text).expect_err("a slip");
            assert_eq!(in_line("f:6", "", &error), says);
        }
        for text in [
            "[]",
            "{}",
            r#"{"seq":1,"at":7}"#,
            r#"{"seq":1,"at":"2026-11-21T08:00:00Z","schema":1,"event":7}"#,
        ] {
            let error = serde_json::from_str::<Record>(text).expect_err("a slip");
            let said = in_line("f:6", "", &error);
            for word in ["struct", "enum", "Record", "Event", " at line"] {
                assert!(!said.contains(word), "{said}");
            }
        }
        let error = serde_json::from_str::<Vec<Sample>>("[\n{\"a\": 1},\n{}]").expect_err("a slip");
        assert_eq!(in_file("f", &error), "f:3:2: missing field `a`");
    }
}
