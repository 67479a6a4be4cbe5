//! Objects of an API server in memory: created once, patched with their tests, deleted by uid. For tests and for the
//! simulated world; nothing that serves knows it. Deliberately absent: controllers, garbage collection, and admission but
//! for the proof of an own freeze.

use std::collections::BTreeMap;

use paramedic_policies::action::{Change, Diff, DiffSource};
use serde_json::{Value, json};

use crate::freeze_deploys::admission;
use crate::ports::cluster::ChangeError;
use crate::ports::objects::{Address, ObjectChange, Resource};

/// All objects, by address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Objects {
    by_address: BTreeMap<Address, Value>,
    made: u64,
}

impl Objects {
    /// Puts an object there as it is, but for a uid and a resource version where it has none.
    pub fn put(&mut self, at: Address, mut object: Value) {
        self.made += 1;
        let made = self.made;
        let resource = at.resource;
        set(&mut object, "/apiVersion", json!(resource.api_version()), false);
        set(&mut object, "/kind", json!(resource.kind), false);
        if object.get("metadata").is_none() {
            object["metadata"] = json!({});
        }
        set(&mut object, "/metadata/name", json!(at.name), true);
        if resource.namespaced {
            set(&mut object, "/metadata/namespace", json!(at.namespace), true);
        }
        set(&mut object, "/metadata/uid", json!(format!("uid-{made}")), false);
        set(&mut object, "/metadata/resourceVersion", json!(made.to_string()), true);
        self.by_address.insert(at, object);
    }

    /// Takes one object away, as somebody else does.
    pub fn remove(&mut self, at: &Address) {
        self.by_address.remove(at);
    }

    /// One object.
    pub fn get(&self, at: &Address) -> Option<&Value> {
        self.by_address.get(at)
    }

    /// Those of a resource, in a namespace or everywhere, whose labels have every `key=value` of the selector.
    pub fn list(&self, resource: Resource, namespace: &str, selector: &str) -> Vec<Value> {
        let wanted: Vec<(&str, &str)> = selector.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let meets = |object: &Value| {
            wanted.iter().all(|(key, value)| {
                object.pointer("/metadata/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str)
                    == Some(value)
            })
        };
        self.by_address
            .iter()
            .filter(|(at, object)| {
                at.resource == resource
                    && (namespace.is_empty() || at.namespace == namespace)
                    && meets(object)
            })
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// What a change would do.
    ///
    /// # Errors
    /// As the API server: a conflict where the object is there already, is another one, or a test does not hold.
    pub fn preview(&self, change: &ObjectChange) -> Result<Diff, ChangeError> {
        self.after(change).map(|_| diff(change, DiffSource::ServerDryRun))
    }

    /// Makes a change.
    ///
    /// # Errors
    /// As [`preview`](Self::preview).
    pub fn change(&mut self, change: &ObjectChange) -> Result<Diff, ChangeError> {
        match self.after(change)? {
            Some(object) => self.put(change.address().clone(), object),
            None => {
                self.by_address.remove(change.address());
            }
        }
        Ok(diff(change, DiffSource::Applied))
    }

    /// The object as it would be; none where it would be gone.
    fn after(&self, change: &ObjectChange) -> Result<Option<Value>, ChangeError> {
        let at = change.address();
        if let Some(message) = admission::proof_refused(change, |at| self.by_address.contains_key(at)) {
            return Err(ChangeError::Refused { message, conflict: false });
        }
        let conflict = |message: String| ChangeError::Refused { message, conflict: true };
        let refused = |message: String| ChangeError::Refused { message, conflict: false };
        match (change, self.by_address.get(at)) {
            (ObjectChange::Create { .. }, Some(_)) => Err(conflict(format!("{at} already exists (409)"))),
            (ObjectChange::Create { object, .. }, None) => Ok(Some(object.clone())),
            (ObjectChange::Patch { .. }, None) => Err(refused(format!("{at} not found (404)"))),
            (ObjectChange::Patch { operations, .. }, Some(there)) => {
                let mut object = there.clone();
                let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations.clone()))
                    .map_err(|error| refused(error.to_string()))?;
                json_patch::patch(&mut object, &patch).map_err(|error| conflict(error.to_string()))?;
                Ok(Some(object))
            }
            (ObjectChange::Delete { .. } | ObjectChange::Evict { .. }, None) => Ok(None),
            (ObjectChange::Delete { uid, .. } | ObjectChange::Evict { uid, .. }, Some(there)) => {
                let has = there.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
                if let ObjectChange::Delete { version: Some(wanted), .. } = change
                    && there.pointer("/metadata/resourceVersion").and_then(Value::as_str) != Some(wanted)
                {
                    return Err(conflict(format!("{at} was changed (409)")));
                }
                if has == uid {
                    Ok(None)
                } else {
                    Err(conflict(format!("the uid of {at} is {has}, not {uid} (409)")))
                }
            }
        }
    }
}

fn diff(change: &ObjectChange, source: DiffSource) -> Diff {
    let fields = change.fields().into_iter();
    let fields =
        fields.map(|field| Change { path: field.path, before: field.before, after: field.after }).collect();
    Diff { fields, source }
}

fn set(object: &mut Value, pointer: &str, value: Value, anew: bool) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(Value::Object(parent)) = object.pointer_mut(parent)
        && (anew || !parent.contains_key(key))
    {
        parent.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::objects::{add, test};

    const MAPS: Resource = Resource::namespaced("", "v1", "configmaps", "ConfigMap");

    #[test]
    fn a_repeat_and_a_race_are_conflicts() {
        let mut objects = Objects::default();
        let at = MAPS.named("prod", "a");
        let create = ObjectChange::Create { at: at.clone(), object: json!({"data": {"x": "1"}}) };
        objects.preview(&create).expect("a dry run");
        assert!(objects.get(&at).is_none());
        objects.change(&create).expect("the first");
        assert!(matches!(objects.change(&create), Err(ChangeError::Refused { conflict: true, .. })));
        let patch = |was: &str| ObjectChange::Patch {
            at: at.clone(),
            subresource: None,
            operations: vec![test("/data/x", json!(was)), add("/data/x", json!("2"))],
            fields: Vec::new(),
        };
        objects.change(&patch("1")).expect("it holds");
        assert!(matches!(objects.change(&patch("1")), Err(ChangeError::Refused { conflict: true, .. })));
        assert_eq!(objects.list(MAPS, "prod", "")[0]["data"]["x"], "2");
        let delete = |uid: &str| ObjectChange::Delete { at: at.clone(), uid: uid.into(), version: None };
        assert!(objects.change(&delete("another")).is_err());
        objects.change(&delete("uid-1")).expect("the same");
        objects.change(&delete("uid-1")).expect("gone is what was wanted");
        assert!(objects.get(&at).is_none());
    }
}
