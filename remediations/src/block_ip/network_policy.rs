//! A block as a NetworkPolicy of our own, one for each application: all may connect to its pods, but for these. A policy
//! can only allow; so it is made where nothing else selects the pods (`ground` sees to that), it allows what was allowed
//! without it (IPv6 and the pods of every namespace too), and it selects nobody once nobody is kept out.

use paramedic_policies::address::AddressRange;
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::record::{BLOCKED, Record};
use super::texts;
use crate::ports::objects::{Address, Field, ObjectChange, Resource, add, escaped, remove, test};
use crate::rights::{Aim, At, Rights, Verb};
use crate::stamp::{INTENT, MANAGED_BY, UNTIL, annotation};

pub(crate) const POLICIES: Resource =
    Resource::namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");

/// Annotation: the application whose pods it is about.
const TARGET: &str = "paramedic.dev/target";

/// A label that no pod has.
const NOBODY: &str = "paramedic.dev/nobody";

/// Names of objects are at most this long.
const NAME_CHARS_MAX: usize = 253;

/// Which one.
pub(super) fn address(target: &Target) -> Address {
    POLICIES.named(&target.namespace, &own_name(&target.kind, &target.name))
}

fn own_name(kind: &str, name: &str) -> String {
    let mut own = format!("paramedic-block-{}-{name}", kind.to_lowercase());
    own.truncate(own.floor_char_boundary(NAME_CHARS_MAX));
    own.trim_end_matches(['-', '.']).to_owned()
}

/// What one that is ours is read, made and changed by. Its name is that of the target.
pub(super) fn needs(aim: &Aim<'_>, rights: &mut Rights) {
    let all = aim.beside(POLICIES);
    let own: Vec<At> = match aim.name() {
        Some(name) => aim.kinds().map(|kind| all.named(Some(own_name(kind, name)))).collect(),
        None => vec![all.clone()],
    };
    rights.change(&[Verb::Create], &all);
    for own in own {
        rights.look(&[Verb::Get], &own);
        rights.change(&[Verb::Patch], &own);
        rights.act(&[Verb::Delete], &own);
    }
}

/// Whether we made it for this application, and it still says what its record says.
pub(super) fn is_as_left(object: &Value, target: &Target, record: &Record) -> bool {
    let (label, by) = MANAGED_BY;
    texts(object, "/metadata/labels").get(label).is_some_and(|is| is == by)
        && annotation(object, TARGET) == Some(&target.to_string())
        && object.pointer("/spec/ingress") == Some(&ingress(record))
        && object.pointer("/spec/policyTypes") == Some(&json!(["Ingress"]))
}

/// What is written with a record.
pub(super) struct Writing<'a> {
    pub(super) target: &'a Target,
    /// The pods of the target.
    pub(super) selector: Value,
    pub(super) record: &'a Record,
    pub(super) stamp: &'a str,
    pub(super) correlation: Option<&'a str>,
}

impl Writing<'_> {
    /// From the object as it is to the record.
    pub(super) fn change(&self, object: Option<&Value>) -> ObjectChange {
        let at = address(self.target);
        let Some(object) = object else {
            return ObjectChange::Create { at, object: self.whole() };
        };
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (uid, version) = (text("/metadata/uid").to_owned(), text("/metadata/resourceVersion"));
        if self.record.is_empty() {
            return ObjectChange::Delete { at, uid, version: Some(version.to_owned()) };
        }
        let mut operations =
            vec![test("/metadata/uid", json!(uid)), test("/metadata/resourceVersion", json!(version))];
        let until = self.record.until().map(|until| until.to_string());
        for (name, value) in
            [(BLOCKED, Some(self.record.text())), (INTENT, Some(self.stamp.to_owned())), (UNTIL, until)]
        {
            let pointer = format!("/metadata/annotations/{}", escaped(name));
            match value {
                Some(value) => operations.push(add(&pointer, json!(value))),
                None if annotation(object, name).is_some() => operations.push(remove(&pointer)),
                None => {}
            }
        }
        operations.push(add("/spec", self.spec()));
        let fields = vec![Field {
            path: format!("except of {at}"),
            pointer: String::new(),
            before: shown(&Record::of(Some(object)).unwrap_or_default().ranges()),
            after: shown(&self.record.ranges()),
        }];
        ObjectChange::Patch { at, subresource: None, operations, fields }
    }

    fn whole(&self) -> Value {
        let (managed, by) = MANAGED_BY;
        let at = address(self.target);
        let mut annotations = json!({
            (BLOCKED): self.record.text(),
            (INTENT): self.stamp,
            (TARGET): self.target.to_string(),
        });
        if let Some(until) = self.record.until() {
            annotations[UNTIL] = json!(until);
        }
        if let Some(correlation) = self.correlation {
            annotations["paramedic.dev/correlation"] = json!(correlation);
        }
        json!({
            "apiVersion": POLICIES.api_version(),
            "kind": POLICIES.kind,
            "metadata": {
                "name": at.name, "namespace": at.namespace, "labels": {managed: by}, "annotations": annotations,
            },
            "spec": self.spec(),
        })
    }

    fn spec(&self) -> Value {
        let pods = if self.record.ranges().is_empty() {
            json!({"matchExpressions": [{"key": NOBODY, "operator": "Exists"}]})
        } else {
            self.selector.clone()
        };
        json!({"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress(self.record)})
    }
}

/// Everybody but these. Some networks take `ipBlock` for the world outside alone: hence the pods of every namespace.
fn ingress(record: &Record) -> Value {
    let (ipv4, ipv6): (Vec<AddressRange>, Vec<AddressRange>) =
        record.ranges().into_iter().partition(|range| range.is_ipv4());
    let block = |all: &str, but: Vec<AddressRange>| match but.as_slice() {
        [] => json!({"ipBlock": {"cidr": all}}),
        but => {
            let but: Vec<String> = but.iter().map(|range| range.cidr()).collect();
            json!({"ipBlock": {"cidr": all, "except": but}})
        }
    };
    json!([{"from": [block("0.0.0.0/0", ipv4), block("::/0", ipv6), {"namespaceSelector": {}}]}])
}

/// Ranges for people.
pub(super) fn shown(ranges: &[AddressRange]) -> String {
    if ranges.is_empty() {
        return "-".into();
    }
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
