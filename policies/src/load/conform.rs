//! Holds any document against a JSON Schema made by schemars: unknown keys, missing keys, wrong types, each with its
//! place and a hint. For documents that serde reads afterwards, such as the daemon's configuration.

use serde_json::Value;

use crate::load::nearest;
use crate::load::yaml::{Fault, Node, Tree, printable};
use crate::time::Span;

/// Every way in which a tree does not conform to a schema.
pub fn conform(tree: &Tree, schema: &schemars::Schema) -> Vec<Fault> {
    let mut faults = Vec::new();
    Against { root: schema.as_value() }.value(tree, schema.as_value(), "document", &mut faults);
    faults
}

struct Against<'s> {
    root: &'s Value,
}

impl<'s> Against<'s> {
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        // A definition may be another reference; a chain longer than this is a circle.
        for _ in 0..16 {
            let Some(target) =
                schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'))
            else {
                break;
            };
            let Some(found) = self.root.pointer(target) else { break };
            schema = found;
        }
        schema
    }

    fn value(&self, tree: &Tree, schema: &'s Value, name: &str, faults: &mut Vec<Fault>) {
        // JSON Schema has no word for durations as humantime reads them; the definition's name is ours.
        let is_span = schema.get("$ref").and_then(Value::as_str) == Some("#/$defs/Duration");
        if let (true, Node::Text(text)) = (is_span, &tree.node)
            && text.parse::<Span>().is_err()
        {
            let message = format!("`{name}`: `{}` is not a duration", printable(text));
            faults.push(Fault::new(tree.at, message, "a number with a unit, such as 90s, 15m or 1h 30m"));
        }
        let schema = self.resolve(schema);
        for key in ["anyOf", "oneOf"] {
            if let Some(ways) = schema.get(key).and_then(Value::as_array) {
                self.one_of(tree, ways, name, faults);
            }
        }
        let words = self.words(schema);
        if !words.is_empty() && schema.get("oneOf").is_none() {
            self.word(tree, &words, name, faults);
            return;
        }
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| is(tree, kind)) {
            let wanted: Vec<&str> =
                kinds.iter().filter(|kind| **kind != "null").map(|kind| in_words(kind)).collect();
            let message = format!("`{name}` must be {}, found {}", wanted.join(" or "), tree.describe());
            faults.push(Fault { at: tree.at, message, hint: hint(tree, schema, &kinds) });
            return;
        }
        match &tree.node {
            Node::Map(_) => self.map(tree, schema, name, faults),
            Node::List(items) => {
                if let Some(inner) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.value(item, inner, &format!("{name}[{index}]"), faults);
                    }
                }
            }
            Node::Number(number, written) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
                let most = bound("maximum").or(match schema.get("format").and_then(Value::as_str) {
                    Some("uint32") => Some(f64::from(u32::MAX)),
                    Some("int32") => Some(f64::from(i32::MAX)),
                    _ => None,
                });
                if bound("minimum").is_some_and(|least| number < least)
                    || most.is_some_and(|most| number > most)
                {
                    let range = match (bound("minimum"), most) {
                        (Some(least), Some(most)) => format!("from {least} to {most}"),
                        (Some(least), None) => format!("at least {least}"),
                        (None, most) => format!("at most {}", most.unwrap_or(f64::MAX)),
                    };
                    faults.push(Fault::new(tree.at, format!("`{name}` cannot be {written}"), range));
                }
            }
            Node::Null | Node::Bool(_) | Node::Text(_) => {}
        }
    }

    fn map(&self, tree: &Tree, schema: &'s Value, name: &str, faults: &mut Vec<Fault>) {
        let Node::Map(entries) = &tree.node else { return };
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let known: Vec<&str> =
            properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect();
        for entry in entries {
            match (properties.and_then(|properties| properties.get(&entry.key)), others) {
                (Some(inner), _) => self.value(&entry.value, inner, &entry.key, faults),
                (None, Some(Value::Bool(false))) => {
                    let message = format!("unknown key `{}` in `{name}`", entry.key);
                    faults.push(Fault::new(entry.key_at, message, nearest::hint(&entry.key, &known)));
                }
                (None, Some(inner)) => self.value(&entry.value, inner, &entry.key, faults),
                (None, None) => {}
            }
        }
        for key in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !entries.iter().any(|entry| entry.key == key) {
                let about =
                    properties.and_then(|properties| properties.get(key)).map(|inner| self.resolve(inner));
                let about = about.and_then(|inner| inner.get("description")).and_then(Value::as_str);
                let hint = about.map_or_else(
                    || format!("add `{key}:`"),
                    |about| format!("add `{key}`: {}", about.replace('\n', " ")),
                );
                faults.push(Fault::new(tree.at, format!("`{name}` has no `{key}`"), hint));
            }
        }
    }

    /// Conforms to one of them; where to none, the closest says why.
    fn one_of(&self, tree: &Tree, ways: &'s [Value], name: &str, faults: &mut Vec<Fault>) {
        let words: Vec<&str> = ways.iter().flat_map(|way| self.words(self.resolve(way))).collect();
        let only_words = ways.iter().all(|way| {
            let way = self.resolve(way);
            !self.words(way).is_empty() || way.get("type").and_then(Value::as_str) == Some("null")
        });
        if only_words {
            if tree.node != Node::Null
                || !ways.iter().any(|way| way.get("type").and_then(Value::as_str) == Some("null"))
            {
                self.word(tree, &words, name, faults);
            }
            return;
        }
        let mut closest: Option<Vec<Fault>> = None;
        for way in ways
            .iter()
            .filter(|way| way.get("type").and_then(Value::as_str) != Some("null") || tree.node == Node::Null)
        {
            let mut found = Vec::new();
            self.value(tree, way, name, &mut found);
            if found.is_empty() {
                return;
            }
            // Faults further inside mean that the outside was right.
            let inside = |faults: &[Fault]| faults.iter().map(|fault| fault.at).max();
            if closest.as_deref().is_none_or(|best| inside(&found) > inside(best)) {
                closest = Some(found);
            }
        }
        faults.extend(closest.into_iter().flatten());
    }

    /// The words of an enumeration.
    fn words(&self, schema: &'s Value) -> Vec<&'s str> {
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let ways = schema
            .get("oneOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|way| way.get("const"));
        listed.chain(schema.get("const")).chain(ways).filter_map(Value::as_str).collect()
    }

    fn word(&self, tree: &Tree, words: &[&str], name: &str, faults: &mut Vec<Fault>) {
        let list = words.join(", ");
        match &tree.node {
            Node::Text(text) if words.contains(&text.as_str()) => {}
            Node::Text(text) => {
                let hint = match nearest::nearest(text, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? One of: {list}"),
                    None => format!("one of: {list}"),
                };
                faults.push(Fault::new(tree.at, format!("`{name}` cannot be `{}`", printable(text)), hint));
            }
            _ => faults.push(Fault::new(
                tree.at,
                format!("`{name}` must be a word, found {}", tree.describe()),
                format!("one of: {list}"),
            )),
        }
    }
}

fn is(tree: &Tree, kind: &str) -> bool {
    match &tree.node {
        Node::Null => kind == "null",
        Node::Bool(_) => kind == "boolean",
        Node::Number(number, _) => {
            kind == "number" || (kind == "integer" && (number.is_i64() || number.is_u64()))
        }
        Node::Text(_) => kind == "string",
        Node::List(_) => kind == "array",
        Node::Map(_) => kind == "object",
    }
}

fn in_words(kind: &str) -> &str {
    match kind {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "text",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

fn hint(tree: &Tree, schema: &Value, kinds: &[&str]) -> Option<String> {
    let examples = schema.get("examples").and_then(Value::as_array).into_iter().flatten();
    let examples: Vec<&str> = examples.filter_map(Value::as_str).collect();
    let wanted = |kind: &str| kinds.contains(&kind);
    match &tree.node {
        _ if !examples.is_empty() => Some(format!("such as {}", examples.join(", "))),
        Node::Number(_, written) if wanted("string") => Some(format!("quote it: \"{written}\"")),
        Node::Bool(flag) if wanted("string") => Some(format!("quote it: \"{flag}\"")),
        _ if wanted("boolean") => Some("write true or false, without quotes".to_owned()),
        _ if wanted("integer") || wanted("number") => Some("write digits, without quotes".to_owned()),
        _ if wanted("array") => Some("write one item a line, each after `- `".to_owned()),
        _ if wanted("object") => Some("write `key: value` pairs".to_owned()),
        _ => Some("write one value here".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Everything that is wrong with one value under `a`, held against a schema for it.
    fn faults(schema: Value, written: &str) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {"a": schema}, "additionalProperties": false});
        let schema = schemars::Schema::try_from(schema).expect("it is a schema");
        let parsed = crate::load::yaml::parse(&format!("a: {written}"));
        let told = |fault: Fault| format!("{}; {}", fault.message, fault.hint.unwrap_or_default());
        conform(&parsed.documents[0], &schema).into_iter().map(told).collect()
    }

    #[test]
    fn a_number_is_within_its_bounds_and_its_format() {
        let percent = json!({"type": "integer", "minimum": 1, "maximum": 100});
        for (written, range) in [("0", true), ("1", false), ("100", false), ("101", true)] {
            let wanted = vec![format!("`a` cannot be {written}; from 1 to 100")];
            assert_eq!(faults(percent.clone(), written), if range { wanted } else { vec![] }, "{written}");
        }
        for (format, most, beyond) in
            [("int32", "2147483647", "2147483648"), ("uint32", "4294967295", "4294967296")]
        {
            let schema = json!({"type": "integer", "format": format});
            assert_eq!(faults(schema.clone(), most), [""; 0]);
            assert_eq!(faults(schema, beyond), [format!("`a` cannot be {beyond}; at most {most}")]);
        }
    }

    #[test]
    fn a_value_may_have_one_of_several_types() {
        let schema = json!({"type": ["string", "null"]});
        assert_eq!(faults(schema.clone(), "text"), [""; 0]);
        assert_eq!(faults(schema.clone(), "~"), [""; 0]);
        assert_eq!(faults(schema, "5"), ["`a` must be text, found the number 5; quote it: \"5\""]);
    }

    #[test]
    fn a_word_may_be_left_out_where_nothing_is_a_way_too() {
        let word = json!({"enum": ["dry-run", "enforce"]});
        let maybe = json!({"anyOf": [word, {"type": "null"}]});
        assert_eq!(faults(maybe.clone(), "~"), [""; 0]);
        assert_eq!(faults(maybe.clone(), "enforce"), [""; 0]);
        assert_eq!(
            faults(maybe, "enforc"),
            ["`a` cannot be `enforc`; did you mean `enforce`? One of: dry-run, enforce"]
        );
        let sure = json!({"anyOf": [word]});
        assert_eq!(faults(sure, "~"), ["`a` must be a word, found nothing; one of: dry-run, enforce"]);
    }

    #[test]
    fn of_several_ways_the_one_that_was_meant_says_why() {
        let ways = json!({"anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"file": {"type": "string"}}, "additionalProperties": false},
            {"type": "null"},
        ]});
        assert_eq!(faults(ways.clone(), "text"), [""; 0]);
        assert_eq!(faults(ways.clone(), "~"), [""; 0]);
        assert_eq!(faults(ways.clone(), "{file: x}"), [""; 0]);
        assert_eq!(faults(ways.clone(), "{fil: x}"), ["unknown key `fil` in `a`; did you mean `file`?"]);
        // Where none was meant more than another, the first says why.
        let first = faults(ways, "[1]");
        assert_eq!(first, ["`a` must be text, found a list; write one value here"]);
    }

    #[test]
    fn a_hint_fits_what_was_found() {
        for (kind, written, hint) in [
            ("boolean", "5", "write true or false, without quotes"),
            ("boolean", "text", "write true or false, without quotes"),
            ("integer", "text", "write digits, without quotes"),
            ("integer", "true", "write digits, without quotes"),
            ("string", "true", "quote it: \"true\""),
            ("array", "5", "write one item a line, each after `- `"),
            ("object", "true", "write `key: value` pairs"),
        ] {
            let told = faults(json!({"type": kind}), written);
            assert!(told.len() == 1 && told[0].ends_with(&format!("; {hint}")), "{kind} {written}: {told:?}");
        }
        let told = faults(json!({"type": "string", "examples": ["15m"]}), "5");
        assert_eq!(told, ["`a` must be text, found the number 5; such as 15m"]);
    }

    #[test]
    fn nothing_is_nothing_else() {
        assert_eq!(faults(json!({"type": "null"}), "~"), [""; 0]);
        assert_eq!(faults(json!({"type": "string"}), "~").len(), 1);
    }
}
