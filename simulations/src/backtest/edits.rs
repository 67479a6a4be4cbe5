//! What is written otherwise: two values held against each other, path by path, and two books, policy by policy. A change of
//! a policy is named here even where no alert of the past shows it.

use std::collections::BTreeSet;

use paramedic_policies::book::Book;
use paramedic_policies::load::effective;
use paramedic_policies::policy::Policy;
use paramedic_policies::settings::Settings;
use serde::Serialize;
use serde_json::Value;

/// Of one value in words; beyond it stands `...`.
const SHOWN_CHARS: usize = 80;

/// One value that is another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// Where, such as `ladder[0].scale.to`.
    pub path: String,
    /// The value before; null where there was none.
    pub before: Value,
    /// The value after; null where there is none.
    pub after: Value,
}

impl std::fmt::Display for Edit {
    /// `ladder[0].scale.to: 6 -> 0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}", self.path, shown(&self.before), shown(&self.after))
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

/// Where two values differ. Objects are compared key by key and lists of objects one by one; other lists are one value.
pub(super) fn between(before: &Value, after: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    walk(String::new(), before, after, &mut edits);
    edits
}

fn walk(path: String, before: &Value, after: &Value, edits: &mut Vec<Edit>) {
    let is_deep = |list: &[Value]| list.iter().any(Value::is_object);
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                walk(path, &of(old), &of(new), edits);
            }
        }
        (Value::Array(old), Value::Array(new)) if is_deep(old) || is_deep(new) => {
            for index in 0..old.len().max(new.len()) {
                let of = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
                walk(format!("{path}[{index}]"), &of(old), &of(new), edits);
            }
        }
        (before, after) => edits.push(Edit { path, before: before.clone(), after: after.clone() }),
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

/// How a policy is written otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum How {
    /// Only the new policies have one of this name.
    New,
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
        (None, Some(_)) => Some(How::New),
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
    use serde_json::json;

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
                "ladder[1]: - -> {\"restart\":{}}",
                "match: [\"a=\\\"b\\\"\"] -> []",
                "mode: dry-run -> enforce",
            ]
        );
        assert!(words(&before, &before).is_empty());
        assert_eq!(words(&json!({"a": null}), &json!({})), Vec::<String>::new(), "nothing is nothing");
    }

    #[test]
    fn what_is_long_is_cut_and_what_cannot_be_printed_is_escaped() {
        let edits = words(&json!({"query": "\u{1b}[31m"}), &json!({"query": "ä".repeat(90)}));
        assert_eq!(edits, [format!("query: \\u{{1b}}[31m -> {}...", "ä".repeat(80))]);
    }
}
