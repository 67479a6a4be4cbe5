//! What is written otherwise: two values held against each other, path by path, and two books, policy by policy. A change of
//! a policy is named here even where no alert of the past shows it.

use std::collections::BTreeSet;

use paramedic_policies::book::Book;
use paramedic_policies::load::effective;
use paramedic_policies::policy::Policy;
use paramedic_policies::settings::Settings;
use serde::Serialize;
use serde_json::{Value, json};

/// Of one value in words; beyond it stands `...`.
const SHOWN_CHARS: usize = 80;

/// Of what two long values have in common before they differ, so much is shown.
const COMMON_CHARS: usize = 20;

/// One value that is another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// Where, such as `ladder[0].scale.to`.
    pub path: String,
    /// The value before; absent where there was none, which is not the same as null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl std::fmt::Display for Edit {
    /// `ladder[0].scale.to: 6 -> 0`. Of long values the place where they differ is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = (text(self.before.as_ref()), text(self.after.as_ref()));
        let same = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
        let is_long = before.len().max(after.len()) > SHOWN_CHARS;
        let from = if is_long { same.saturating_sub(COMMON_CHARS) } else { 0 };
        let path = shown(&self.path.chars().collect::<Vec<_>>(), 0);
        write!(f, "{path}: {} -> {}", shown(&before, from), shown(&after, from))
    }
}

fn text(value: Option<&Value>) -> Vec<char> {
    let text = match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.chars().collect()
}

/// What stands from there on, cut, with what cannot be seen escaped.
fn shown(text: &[char], from: usize) -> String {
    let begin = if from > 0 { "..." } else { "" };
    let end = if text.len() > from + SHOWN_CHARS { "..." } else { "" };
    let middle = text.iter().skip(from).take(SHOWN_CHARS).map(|letter| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        letter => letter.escape_debug().to_string(),
    });
    format!("{begin}{}{end}", middle.collect::<String>())
}

/// Where two values differ. Objects are compared key by key and lists of objects one by one; other lists are one value.
pub(super) fn between(before: &Value, after: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut edits);
    edits
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, edits: &mut Vec<Edit>) {
    let is_deep = |list: &[Value]| list.iter().any(Value::is_object);
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, old.get(key), new.get(key), edits);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if is_deep(old) || is_deep(new) => {
            for index in 0..old.len().max(new.len()) {
                walk(format!("{path}[{index}]"), old.get(index), new.get(index), edits);
            }
        }
        (before, after) => edits.push(Edit { path, before: before.cloned(), after: after.cloned() }),
    }
}

/// A policy that is written otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewritten {
    /// Its name.
    pub policy: String,
    /// How.
    #[serde(flatten)]
    pub how: How,
}

impl Rewritten {
    /// Whether its mode is all that is written otherwise.
    pub(super) fn is_mode_alone(&self) -> bool {
        matches!(&self.how, How::Changed { edits } if edits.iter().all(|edit| edit.path == "mode"))
    }
}

/// How a policy is written otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum How {
    /// Only the new policies have one of this name.
    New {
        /// All that it says.
        edits: Vec<Edit>,
    },
    /// Only the old ones have.
    Gone,
    /// Both have, with every default filled in.
    #[serde(rename_all = "camelCase")]
    Changed {
        /// What differs: never empty, and never the description alone.
        edits: Vec<Edit>,
    },
}

/// The policies of two books that are not the same, by name.
pub(super) fn rewritten(old: &Book, new: &Book) -> Vec<Rewritten> {
    let names: BTreeSet<&String> = old.policies().keys().chain(new.policies().keys()).collect();
    let how = |name: &str| match (old.policy(name), new.policy(name)) {
        (None, None) => None,
        (None, Some(new)) => {
            let is_empty = |value: &Value| *value == json!([]) || *value == json!({});
            let mut edits = between(&json!({}), &decisive(new));
            edits.retain(|edit| !edit.after.as_ref().is_some_and(is_empty));
            Some(How::New { edits })
        }
        (Some(_), None) => Some(How::Gone),
        (Some(old), Some(new)) => {
            let edits = between(&decisive(old), &decisive(new));
            (!edits.is_empty()).then_some(How::Changed { edits })
        }
    };
    names.into_iter().filter_map(|name| Some(Rewritten { policy: name.clone(), how: how(name)? })).collect()
}

/// What two settings differ in.
pub(super) fn settings(old: &Settings, new: &Settings) -> Vec<Edit> {
    let written = |settings| serde_json::to_value(settings).unwrap_or_default();
    between(&written(old), &written(new))
}

/// What a policy's decisions depend on.
fn decisive(policy: &Policy) -> Value {
    let mut spec = effective(policy).get_mut("spec").map(Value::take).unwrap_or_default();
    if let Value::Object(spec) = &mut spec {
        spec.remove("description");
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(before: &Value, after: &Value) -> Vec<String> {
        between(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_differs_is_named_by_its_path() {
        let before =
            json!({"mode": "dry-run", "ladder": [{"scale": {"to": 6}}], "match": ["a=\"b\""], "same": 1});
        let after = json!({"mode": "enforce", "ladder": [{"scale": {"to": 0}}, {"restart": {}}], "match": [], "same": 1});
        assert_eq!(
            words(&before, &after),
            [
                "ladder[0].scale.to: 6 -> 0",
                r#"ladder[1]: - -> {"restart":{}}"#,
                r#"match: ["a=\"b\""] -> []"#,
                "mode: dry-run -> enforce",
            ]
        );
        assert!(words(&before, &before).is_empty());
    }

    /// In the body of a call null is a value, and in a merge patch it takes something away.
    #[test]
    fn null_is_not_nothing() {
        assert_eq!(words(&json!({"a": null}), &json!({})), ["a: null -> -"]);
        assert_eq!(words(&json!([{"b": 1}]), &json!([{"b": 1}, null])), ["[1]: - -> null"]);
    }

    #[test]
    fn of_what_is_long_the_place_is_shown_where_it_differs() {
        let query = |end: &str| json!({"query": format!("{}{end}", "ä".repeat(90))});
        let edits = words(&query(" > 1"), &query(" > 2"));
        let common = "ä".repeat(17);
        assert_eq!(edits, [format!("query: ...{common} > 1 -> ...{common} > 2")]);
        let edits = words(&json!({"query": "\u{1b}[31m \"x\""}), &query(""));
        assert_eq!(edits, [format!("query: \\u{{1b}}[31m \"x\" -> {}...", "ä".repeat(80))]);
    }
}
