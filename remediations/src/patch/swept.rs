//! What takes a patch back without a journal: by the old values that it noted on the object. A field that somebody else
//! has written since is theirs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields::{Kept, PATCHED, Sets, kept};
use crate::cleanup::Known;
use crate::ownership::Path;
use crate::ports::cluster::manager;
use crate::ports::objects::{Address, Field, ObjectChange, escaped, test};
use crate::stamp::{CORRELATION, INTENT, UNTIL, annotation};

/// The change that puts back what can be put back, and why not where it cannot.
pub(crate) fn left(at: &Address, object: &Value) -> Vec<Known> {
    if annotation(object, PATCHED).is_none() {
        return Vec::new();
    }
    let notes = kept(object);
    if notes.is_empty() {
        let why =
            format!("its annotation {PATCHED} cannot be read, so that nobody knows what was there before");
        return vec![(annotation(object, INTENT).unwrap_or_default().to_owned(), Err(why))];
    }
    let mut found = Vec::new();
    let mut stays: BTreeMap<String, Kept> = BTreeMap::new();
    let mut sets = Sets::of(object);
    let mut fields = Vec::new();
    let mut stamps = Vec::new();
    for (key, note) in notes {
        match ours(object, &key, &note) {
            Ok((path, pointer)) => {
                let before = path.value(object).and_then(Value::as_str).unwrap_or("-").to_owned();
                sets.set(&path, &pointer, note.was.as_deref());
                let after = note.was.unwrap_or_else(|| "-".into());
                fields.push(Field { path: key, pointer: String::new(), before, after });
                stamps.push(note.intent);
            }
            Err(why) => {
                let was = note.was.as_deref().unwrap_or("nothing");
                found.push((
                    note.intent.clone(),
                    Err(format!("{key} was {was} before the intent, and {why}")),
                ));
                stays.insert(key, note);
            }
        }
    }
    if fields.is_empty() {
        return found;
    }
    let last = stays.values().next_back().map(|note| note.intent.clone());
    let noted = (!stays.is_empty()).then(|| json!(stays).to_string());
    let until = annotation(object, UNTIL).filter(|_| last.is_some()).map(str::to_owned);
    for (name, value) in [(PATCHED, noted), (INTENT, last), (UNTIL, until), (CORRELATION, None)] {
        let pointer = format!("/metadata/annotations/{}", escaped(name));
        sets.set(&Path::of(&["metadata", "annotations", name]), &pointer, value.as_deref());
    }
    let mut operations = vec![
        test("/metadata/uid", object["metadata"]["uid"].clone()),
        test("/metadata/resourceVersion", object["metadata"]["resourceVersion"].clone()),
    ];
    operations.extend(sets.operations);
    stamps.sort();
    stamps.dedup();
    let change = ObjectChange::Patch { at: at.clone(), subresource: None, operations, fields };
    found.insert(0, (stamps.join(", "), Ok(change)));
    found
}

/// Where a field is that still has the value which its intent gave it.
fn ours(object: &Value, key: &str, note: &Kept) -> Result<(Path, String), String> {
    let path = Path::read(key).ok_or("nobody knows any more where that is")?;
    let pointer = path.pointer(object).ok_or("it is not there any more")?;
    if path.value(object).is_none() {
        return Err("somebody has removed it since".into());
    }
    let by = path.managers(object);
    if by.iter().any(|by| *by == manager(&note.intent)) {
        return Ok((path, pointer));
    }
    match by.as_slice() {
        [] => Err("nobody knows who has written it since".into()),
        by => Err(format!("{} has written it since", by.join(", "))),
    }
}
