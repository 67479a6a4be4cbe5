//! From the text of a file to values: JSON, JSON with an object a line, or YAML with one or more documents. A key that is
//! there twice is refused, as the webhook refuses it: nobody knows which of the two was meant.

use std::fmt;

use paramedic_policies::load::yaml;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::history::slip;

/// The values of a text, in their order.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn values(text: &str) -> Result<Vec<Value>, String> {
    if let Ok(Unique(value)) = serde_json::from_str(text) {
        return Ok(vec![value]);
    }
    if let Some(lines) = lines(text) {
        return lines.into_iter().map(|(number, line)| of_line(number, line)).collect();
    }
    let parsed = yaml::parse(text);
    if let Some(fault) = parsed.faults.first() {
        return Err(format!("{}:{}: {}", fault.at.line, fault.at.column, fault.message));
    }
    match parsed.documents.as_slice() {
        [] => Err("there is nothing in it".to_owned()),
        all => Ok(all.iter().map(yaml::Tree::to_json).collect()),
    }
}

/// The lines with their numbers, where each begins an object, as in what `backtest` reads.
fn lines(text: &str) -> Option<Vec<(usize, &str)>> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let lines: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.is_empty()).collect();
    (lines.len() > 1 && lines.iter().all(|(_, line)| line.starts_with('{'))).then_some(lines)
}

fn of_line(number: usize, line: &str) -> Result<Value, String> {
    let read = serde_json::from_str(line).map(|Unique(value)| value);
    read.map_err(|error| slip::in_line(&number.to_string(), "", &error))
}

/// A value in which no key is there twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Unique(value))) = map.next_entry::<String, Unique>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
