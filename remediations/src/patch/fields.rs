//! Where the fields of a patch are, and the one JSON Patch that changes them: it tests the uid and every old value, and
//! keeps the old values on the object, so that they can be put back without a journal.

use std::collections::BTreeMap;

use paramedic_policies::action::Intent;
use paramedic_policies::quantity::Quantity;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{Action, Edit, Place};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::looked::Looked;
use crate::ownership::{Path, Step};
use crate::ports::cluster::ClusterChange;
use crate::ports::objects::{Field, ObjectChange, add, escaped, remove, test};
use crate::seal::Sealed;
use crate::stamp;

/// Annotation: the fields that a patch holds now, each with its old value and its intent, as JSON.
pub(crate) const PATCHED: &str = "paramedic.dev/patched";

/// What is noted of one field while a patch holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) intent: String,
    pub(super) was: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// The notes on an object, by field.
pub(super) fn kept(object: &Value) -> BTreeMap<String, Kept> {
    let noted = stamp::annotation(object, PATCHED);
    noted.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The stamp that is noted of a field.
pub(super) fn stamped<'a>(kept: &'a BTreeMap<String, Kept>, path: &Path) -> Option<&'a str> {
    kept.get(&path.to_string()).map(|kept| kept.intent.as_str())
}

/// Where the field of a key is.
pub(super) fn path(place: &Place, key: &str) -> Path {
    match place {
        Place::Resources { container } => {
            let mut path = Path::of(&["spec", "template", "spec", "containers"]);
            path.0.push(Step::Named(container.clone()));
            path.0.push(Step::Key("resources".into()));
            path.0.extend(key.split('.').map(|part| Step::Key(part.to_owned())));
            path
        }
        Place::RateLimit | Place::Annotation => Path::of(&["metadata", "annotations", key]),
        Place::Selector => Path::of(&["spec", "selector", key]),
        Place::Data => Path::of(&["data", key]),
    }
}

/// Whether two values are the same to the API server.
pub(super) fn same(place: &Place, one: Option<&str>, other: Option<&str>) -> bool {
    match (place, one, other) {
        (Place::Resources { .. }, Some(one), Some(other)) => {
            let read = |text: &str| text.parse::<Quantity>();
            one == other || read(one).is_ok_and(|one| read(other) == Ok(one))
        }
        _ => one == other,
    }
}

/// The change, from what was seen; without a seal for a preview.
pub(super) fn change(
    looked: &Looked,
    action: &Action,
    stamp: &str,
    seal: Option<&Sealed<Intent>>,
) -> Result<ClusterChange, Reason> {
    let object = &looked.object;
    let mut operations = vec![test("/metadata/uid", json!(looked.uid))];
    let mut sets = Sets::of(object);
    let mut fields = Vec::new();
    let mut notes = kept(object);
    let until = seal.and_then(|seal| seal.revert_after.map(|after| (seal.at + after).to_string()));
    for (key, Edit { from, to }) in &action.edits {
        let path = path(&action.place, key);
        let gone = || Reason::Changed { what: format!("{path} is gone") };
        let pointer = path.pointer(object).ok_or_else(gone)?;
        sets.set(&path, &pointer, to.as_deref());
        fields.push(Field {
            path: path.to_string(),
            pointer: if to.is_some() { pointer } else { String::new() },
            before: from.clone().unwrap_or_else(|| "-".into()),
            after: to.clone().unwrap_or_else(|| "-".into()),
        });
        if seal.is_some_and(|seal| seal.reverts.is_some()) {
            notes.remove(&path.to_string());
        } else {
            // A later patch of the same field keeps the value from before the first.
            let was = notes.get(&path.to_string()).map_or_else(|| from.clone(), |kept| kept.was.clone());
            notes.insert(path.to_string(), Kept { intent: stamp.to_owned(), was, until: until.clone() });
        }
    }
    let last = notes.values().filter_map(|kept| kept.until.clone()).max();
    let noted = (!notes.is_empty()).then(|| json!(notes).to_string());
    let by = noted.is_some().then(|| stamp.to_owned());
    for (name, value) in [(PATCHED, noted), (stamp::INTENT, by), (stamp::UNTIL, last)] {
        let pointer = format!("/metadata/annotations/{}", escaped(name));
        sets.set(&Path::of(&["metadata", "annotations", name]), &pointer, value.as_deref());
    }
    if sets.unseen {
        // What is not there cannot be tested: nobody may have written the object since.
        operations.push(test("/metadata/resourceVersion", object["metadata"]["resourceVersion"].clone()));
    }
    operations.extend(sets.operations);
    Ok(ClusterChange::Object(ObjectChange::Patch {
        at: looked.at.clone(),
        subresource: None,
        operations,
        fields,
    }))
}

/// Operations, one field after the other.
pub(super) struct Sets<'a> {
    object: &'a Value,
    made: Vec<String>,
    pub(super) operations: Vec<Value>,
    /// Whether something relies on a value that is not there.
    unseen: bool,
}

impl<'a> Sets<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        Self { object, made: Vec::new(), operations: Vec::new(), unseen: false }
    }

    pub(super) fn set(&mut self, path: &Path, pointer: &str, to: Option<&str>) {
        match (path.value(self.object), to) {
            (Some(has), Some(to)) => {
                self.operations.extend([test(pointer, has.clone()), add(pointer, json!(to))]);
            }
            (Some(has), None) => self.operations.extend([test(pointer, has.clone()), remove(pointer)]),
            (None, Some(to)) => {
                self.unseen = true;
                self.parents(pointer);
                self.operations.push(add(pointer, json!(to)));
            }
            (None, None) => {}
        }
    }

    /// The mappings that a field needs above it.
    fn parents(&mut self, pointer: &str) {
        let ends = pointer.match_indices('/').map(|(at, _)| at).skip(1);
        for parent in ends.map(|end| &pointer[..end]) {
            let is_there = self.object.pointer(parent).is_some_and(|value| !value.is_null());
            if !is_there && !self.made.iter().any(|made| made == parent) {
                self.made.push(parent.to_owned());
                self.operations.push(add(parent, json!({})));
            }
        }
    }
}
