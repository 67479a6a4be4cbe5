//! The marks by which what paramedic left in a cluster is found again: by the look after a crash, by an undo, by a
//! clean-up that has no journal.

use paramedic_policies::action::Intent;
use serde_json::{Value, json};

use crate::seal::Sealed;

/// Annotation: the intent that made an object, or changed it last.
pub(crate) const INTENT: &str = "paramedic.dev/intent";

/// Annotation: when what was done ends, RFC 3339.
pub(crate) const UNTIL: &str = "paramedic.dev/until";

/// Annotation: what ties it to the delivery that caused it.
pub(crate) const CORRELATION: &str = "paramedic.dev/correlation";

/// The label of objects that are ours altogether.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "paramedic");

/// An annotation of an object.
pub(crate) fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// The operations of JSON Patch that put an annotation on an object as it was seen.
pub(crate) fn annotate(object: &Value, name: &str, value: &str) -> Vec<Value> {
    use crate::ports::objects::{add, escaped};
    let all = object.pointer("/metadata/annotations");
    let first = all.is_none_or(Value::is_null).then(|| add("/metadata/annotations", json!({})));
    let pointer = format!("/metadata/annotations/{}", escaped(name));
    first.into_iter().chain([add(&pointer, json!(value))]).collect()
}

/// The stamp of what is meant: the intent's own, or that of the intent which it takes back.
pub(crate) fn of(seal: &Sealed<Intent>) -> String {
    let own = seal.stamp();
    match (seal.reverts, own.strip_suffix(&seal.id.0.to_string())) {
        (Some(meant), Some(journal)) => format!("{journal}{}", meant.0),
        (None, _) | (_, None) => own.to_owned(),
    }
}
