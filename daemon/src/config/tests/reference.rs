//! The reference of the configuration is written by this test from the types: every key with its type, default, meaning and
//! what a change of it takes. `UPDATE_REFERENCE=1 cargo test -p paramedic reference` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::*;
use crate::serve::restarts;

const FILE: &str = "../ops/docs/configuration.md";
const BEGIN: &str = "<!-- keys: written by a test -->\n";
const HEAD: &str = "| key | type | default | a change takes | meaning |\n|---|---|---|---|---|\n";
const END: &str = "<!-- end of keys -->\n";

/// One key, with its path as people write it: `[]` for the items of a list, `NAME` for a name of their own.
struct Key {
    path: String,
    schema: Value,
    required: bool,
}

struct Types {
    schema: Value,
}

impl Types {
    fn now() -> Self {
        Self { schema: schema().to_value() }
    }

    /// A schema with what it refers to.
    fn resolved(&self, schema: &Value) -> Value {
        let alternatives = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = match alternatives {
            [one, Value::Object(null)] if null.get("type") == Some(&"null".into()) => one,
            _ => schema,
        };
        let Some(name) = one["$ref"].as_str().and_then(|path| path.rsplit('/').next()) else {
            return schema.clone();
        };
        let mut whole = self.schema["$defs"][name].as_object().cloned().unwrap_or_default();
        whole.insert("name".to_owned(), name.into());
        for (key, value) in schema.as_object().into_iter().flatten() {
            whole.insert(key.clone(), value.clone());
        }
        Value::Object(whole)
    }

    /// What stands below a key, itself included where it holds no keys of ours.
    fn keys(&self, path: &str, schema: &Value, required: bool, into: &mut Vec<Key>) {
        let schema = self.resolved(schema);
        let (below, path_below) = match (&schema["items"], &schema["additionalProperties"]) {
            (items @ Value::Object(_), _) => (self.resolved(items), format!("{path}[]")),
            (_, named @ Value::Object(_)) => (self.resolved(named), format!("{path}.NAME")),
            _ => (schema.clone(), path.to_owned()),
        };
        let properties = below["properties"].as_object();
        if properties.is_none() || path_below != path {
            into.push(Key { path: path.to_owned(), schema: schema.clone(), required });
        }
        let is_required = |name: &str| {
            below["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
        };
        for (name, property) in properties.into_iter().flatten() {
            let path = if path_below.is_empty() { name.clone() } else { format!("{path_below}.{name}") };
            let mut property = property.clone();
            // Where the whole has a default, so have its parts.
            let of_whole = &schema["default"][name.as_str()];
            if !of_whole.is_null() && property["default"].is_null() {
                property["default"] = of_whole.clone();
            }
            let required = is_required(name) && of_whole.is_null();
            self.keys(&path, &property, required, into);
        }
    }

    fn kind(&self, schema: &Value) -> String {
        let schema = self.resolved(schema);
        match schema["name"].as_str() {
            Some("Duration") => return "duration".to_owned(),
            Some("Size") => return "size".to_owned(),
            Some("HeaderValue") => return "text, or `{file, prefix}`".to_owned(),
            Some(_) | None => {}
        }
        if let Some(words) = schema["oneOf"].as_array() {
            let words: Vec<String> = words
                .iter()
                .filter_map(|word| word["const"].as_str())
                .map(|word| format!("`{word}`"))
                .collect();
            return words.join(", ");
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[0].as_str(),
            kind => kind.as_str(),
        };
        match kind {
            Some("array") => format!("list of {}", self.kind(&schema["items"])),
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("by name: {}", self.kind(&schema["additionalProperties"]))
            }
            Some("object") => "keys below".to_owned(),
            Some("integer") => "number".to_owned(),
            Some("boolean") => "`true`, `false`".to_owned(),
            Some(_) | None => "text".to_owned(),
        }
    }

    fn row(&self, key: &Key) -> String {
        let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
        let meaning = key.schema["description"].as_str().unwrap_or_default();
        format!(
            "| `{}` | {} | {} | {} | {} |\n",
            key.path,
            self.kind(&key.schema),
            cell(&self.default(key)),
            takes(&key.path),
            cell(meaning)
        )
    }

    fn default(&self, key: &Key) -> String {
        if key.required {
            return "required".to_owned();
        }
        match &key.schema["default"] {
            Value::Null => {
                // What is left out of records while it is usual says it in words.
                let said = key.schema["description"].as_str().and_then(|text| text.split("Default ").nth(1));
                said.map_or("none".to_owned(), |said| {
                    format!("`{}`", said.trim_end_matches('.').trim_matches('`'))
                })
            }
            Value::String(text) if text.is_empty() => "none".to_owned(),
            Value::Array(all) if all.is_empty() => "none".to_owned(),
            Value::Object(all) if all.is_empty() => "none".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`").replace(",\"", ", \"").replace("\":", "\": "),
        }
    }
}

/// What a change of a key takes.
fn takes(path: &str) -> &'static str {
    let is_of = |name: &&str| {
        path == *name || path.starts_with(&format!("{name}.")) || path.starts_with(&format!("{name}["))
    };
    match path {
        "apiVersion" | "kind" => "-",
        "mode" => "reload where stricter, restart where laxer",
        _ if restarts::names().any(|name| is_of(&name)) => "restart",
        _ => "reload",
    }
}

fn written() -> String {
    let types = Types::now();
    let empty = Map::new();
    let mut alone = format!("\n### What stands alone\n\n{HEAD}");
    let mut parts = String::new();
    for (name, property) in types.schema["properties"].as_object().unwrap_or(&empty) {
        let mut keys = Vec::new();
        types.keys(name, property, false, &mut keys);
        let rows: String = keys.iter().map(|key| types.row(key)).collect();
        match keys.as_slice() {
            [key] if key.path == *name => alone += &rows,
            _ => {
                let about = property["description"].as_str().unwrap_or_default().replace('\n', " ");
                parts += &format!("\n### `{name}`\n\n{about}\n\n{HEAD}{rows}");
            }
        }
    }
    format!("{BEGIN}{alone}{parts}\n{END}")
}

#[test]
fn the_reference_has_every_key_as_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&file).expect("the reference is there");
    let (before, rest) = text.split_once(BEGIN).expect("it says where the keys begin");
    let (_, after) = rest.split_once(END).expect("it says where they end");
    let wanted = format!("{before}{}{after}", written());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&file, &wanted).expect("it can be written");
    } else {
        assert_eq!(text, wanted, "write it anew: UPDATE_REFERENCE=1 cargo test -p paramedic reference");
    }
}

#[test]
fn whatever_takes_no_restart_is_read_at_a_reload() {
    let types = Types::now();
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    // What comes with a new book, and what is read beside it.
    let mut read =
        names(&serde_json::to_value(schemars::schema_for!(Settings)).expect("plain data")["properties"]);
    read.extend(["policies", "tokens", "apiVersion", "kind"].map(str::to_owned));
    for name in names(&types.schema["properties"]) {
        let restarts = restarts::names().any(|one| one == name);
        assert!(restarts || read.contains(&name), "nobody reads `{name}` at a reload");
    }
    let mut keys = Vec::new();
    types.keys("", &types.schema, false, &mut keys);
    for name in restarts::names() {
        let is_key = |key: &Key| key.path == name || key.path.starts_with(&format!("{name}."));
        assert!(keys.iter().any(is_key), "there is no key `{name}`");
    }
}

#[test]
fn every_key_says_what_it_means() {
    let types = Types::now();
    let mut keys = Vec::new();
    types.keys("", &types.schema, false, &mut keys);
    assert!(keys.len() > 60, "{}", keys.len());
    for key in keys {
        assert!(key.schema["description"].is_string(), "{} has no description", key.path);
    }
}

#[test]
fn every_example_of_the_reference_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&file).expect("the reference is there");
    let mut found = 0;
    for block in text.split("```yaml\n").skip(1) {
        let example = block.split("```").next().expect("a block ends");
        super::read(example, "configuration.md").unwrap_or_else(|problems| panic!("{problems}\n{example}"));
        found += 1;
    }
    assert!(found > 0, "there is no example");
}
