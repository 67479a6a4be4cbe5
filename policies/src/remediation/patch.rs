//! Change one field of the target within bounds, out of a short list of fields: the resources of a container, a rate
//! limit of an Ingress, a Service's selector, a maintenance switch. The old value is kept and put back at the end.
//! There is deliberately no way to write any other field.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Acts, Asks};
use crate::load::fields::Walk;
use crate::load::yaml::Tree;
use crate::policy::rendered;
use crate::quantity::Quantity;
use crate::reason::Reason;
use crate::target::is_dns_label;
use crate::template::{Scope, Template};
use crate::time::Span;

mod read;

/// Change one field of the target, and put the old value back at the end of `for`: exactly one of `resources`,
/// `rateLimit`, `selector` and `switch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchDocument {
    /// Give a container of a Deployment or StatefulSet more; its pods are rolled.
    pub resources: Option<ResourcesDocument>,
    /// Let each client address ask an Ingress less often.
    pub rate_limit: Option<RateLimitDocument>,
    /// Send a Service's traffic to other pods.
    pub selector: Option<SelectorDocument>,
    /// Set a declared annotation, or a key of a ConfigMap, to a declared value.
    pub switch: Option<SwitchDocument>,
    /// The old value is put back after this. Needed with `rateLimit`.
    pub r#for: Option<Span>,
}

/// More for a container; at least one amount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourcesDocument {
    /// Template of the container's name.
    pub container: String,
    /// What it may use at most.
    pub limits: Option<AmountsDocument>,
    /// What is set aside for it.
    pub requests: Option<AmountsDocument>,
}

/// Amounts by resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AmountsDocument {
    /// Processor time.
    pub cpu: Option<MoreDocument>,
    /// Memory.
    pub memory: Option<MoreDocument>,
}

/// How much: either `times` with `max`, or `atLeast`. Never lowers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoreDocument {
    /// So many times what it is now, above 1 and up to 3. Needs `max`.
    pub times: Option<f64>,
    /// Never above this, such as `16Gi`.
    pub max: Option<String>,
    /// At least this, such as `8Gi`.
    pub at_least: Option<String>,
}

/// A stricter limit for each client address, on an Ingress that serves nothing but `paths`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimitDocument {
    /// What is limited. Default `limit-rps`.
    pub annotation: Option<Limited>,
    /// At most this many; a limit that is stricter already stays.
    pub at_most: u32,
    /// Refused unless every path of the Ingress is one of these or lies under one.
    pub paths: Vec<String>,
    /// The ConfigMap of the controller, which must say that a refused request is answered 429. Default
    /// `ingress-nginx/ingress-nginx-controller`.
    pub controller: Option<String>,
}

/// What an ingress-nginx annotation limits, for each client address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limited {
    /// Requests a second.
    LimitRps,
    /// Requests a minute.
    LimitRpm,
    /// Connections at a time.
    LimitConnections,
}

/// Another value for one label of a Service's selector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectorDocument {
    /// A label that the selector has already.
    pub label: String,
    /// Template of its new value.
    pub to: String,
    /// Refused unless so many ready pods meet the new selector. Default 1.
    pub ready: Option<u32>,
}

/// A switch that the application reads: exactly one of `annotation` (of the target) and `key` (the target is a
/// ConfigMap that has it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchDocument {
    /// The name of the annotation; none that Kubernetes or its tools act on.
    pub annotation: Option<String>,
    /// The key of the ConfigMap.
    pub key: Option<String>,
    /// The value.
    pub to: String,
}

/// What is changed, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What is changed; texts may be templates.
    pub field: Field<Template>,
    /// The old value is put back after this.
    pub lasts: Option<Span>,
}

/// What is changed.
pub type Wish = Field<String>;

/// A field of the list, and what it should become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Field<T> {
    /// More for a container.
    Resources {
        /// Its name.
        container: T,
        /// What becomes more.
        amounts: BTreeMap<Amount, More>,
    },
    /// A stricter limit for each client address of an Ingress.
    #[serde(rename_all = "camelCase")]
    RateLimit {
        /// What is limited.
        limited: Limited,
        /// At most this many.
        at_most: u32,
        /// All that the Ingress may serve.
        paths: Vec<String>,
        /// The namespace of the controller's ConfigMap.
        controller_namespace: String,
        /// Its name.
        controller_name: String,
    },
    /// Another value for one label of a Service's selector.
    Selector {
        /// The label.
        label: String,
        /// Its new value.
        to: T,
        /// How many ready pods must meet the new selector.
        ready: u32,
    },
    /// A value for a switch that the application reads.
    Switch {
        /// Where it is.
        place: SwitchPlace,
        /// The value.
        to: String,
    },
}

/// Where a switch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SwitchPlace {
    /// This annotation of the target.
    Annotation(String),
    /// This key of the target ConfigMap.
    Key(String),
}

/// What a container has an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Amount {
    /// Processor time at most.
    #[serde(rename = "limits.cpu")]
    LimitCpu,
    /// Memory at most.
    #[serde(rename = "limits.memory")]
    LimitMemory,
    /// Processor time set aside.
    #[serde(rename = "requests.cpu")]
    RequestCpu,
    /// Memory set aside.
    #[serde(rename = "requests.memory")]
    RequestMemory,
}

impl Amount {
    /// All, in the order of their names.
    pub const ALL: [Self; 4] = [Self::LimitCpu, Self::LimitMemory, Self::RequestCpu, Self::RequestMemory];

    /// `limits` or `requests`, and `cpu` or `memory`.
    pub fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::LimitCpu => ("limits", "cpu"),
            Self::LimitMemory => ("limits", "memory"),
            Self::RequestCpu => ("requests", "cpu"),
            Self::RequestMemory => ("requests", "memory"),
        }
    }
}

/// How much more; never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum More {
    /// So many times what it is now, within a bound.
    Times {
        /// The factor, in thousandths.
        thousandths: u32,
        /// Never above this.
        max: Quantity,
    },
    /// At least this.
    AtLeast(Quantity),
}

impl Limited {
    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::LimitRps => "limit-rps",
            Self::LimitRpm => "limit-rpm",
            Self::LimitConnections => "limit-connections",
        }
    }

    /// The annotation that sets it.
    pub fn annotation(self) -> String {
        format!("nginx.ingress.kubernetes.io/{}", self.name())
    }

    /// The key of the controller's ConfigMap that says how a refused request is answered.
    pub fn status_key(self) -> &'static str {
        match self {
            Self::LimitRps | Self::LimitRpm => "limit-req-status-code",
            Self::LimitConnections => "limit-conn-status-code",
        }
    }
}

/// Set fields of one kind from old values to new ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Where the fields are.
    pub place: Place,
    /// What changes, by key: the amount, annotation, label or key of data.
    pub edits: BTreeMap<String, Edit>,
}

/// Where fields are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// `resources` of this container of the pod template.
    Resources {
        /// Its name.
        container: String,
    },
    /// `metadata.annotations`, of an Ingress for its rate limit.
    RateLimit,
    /// `spec.selector` of a Service.
    Selector,
    /// `metadata.annotations`, of anything.
    Annotation,
    /// `data` of a ConfigMap.
    Data,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The value it must still have; none where it must not be there.
    pub from: Option<String>,
    /// The value it gets; none where it is removed.
    pub to: Option<String>,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        read::written(walk, tree)
    }

    fn document(&self) -> Value {
        let (key, mut body) = match &self.field {
            Field::Resources { container, amounts } => {
                let mut body = json!({"container": container.source});
                for (amount, more) in amounts {
                    let (part, resource) = amount.keys();
                    body[part][resource] = match more {
                        More::Times { thousandths, max } => {
                            json!({"times": f64::from(*thousandths) / 1_000.0, "max": max})
                        }
                        More::AtLeast(least) => json!({"atLeast": least}),
                    };
                }
                ("resources", body)
            }
            Field::RateLimit { limited, at_most, paths, controller_namespace, controller_name } => {
                let controller = format!("{controller_namespace}/{controller_name}");
                let body = json!({"annotation": limited, "atMost": at_most, "paths": paths, "controller": controller});
                ("rateLimit", body)
            }
            Field::Selector { label, to, ready } => {
                ("selector", json!({"label": label, "to": to.source, "ready": ready}))
            }
            Field::Switch { place: SwitchPlace::Annotation(name), to } => {
                ("switch", json!({"annotation": name, "to": to}))
            }
            Field::Switch { place: SwitchPlace::Key(key), to } => ("switch", json!({"key": key, "to": to})),
        };
        let mut document = Map::new();
        document.insert(key.to_owned(), body.take());
        if let Some(lasts) = self.lasts {
            document.insert("for".to_owned(), json!(lasts));
        }
        Value::Object(document)
    }

    fn templates(&self) -> Vec<&Template> {
        match &self.field {
            Field::Resources { container: text, .. } | Field::Selector { to: text, .. } => vec![text],
            Field::RateLimit { .. } | Field::Switch { .. } => Vec::new(),
        }
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let (fits, wanted) = match &self.field {
            Field::Resources { .. } => {
                (["Deployment", "StatefulSet", "workload"].contains(&kind), "a Deployment or StatefulSet")
            }
            Field::RateLimit { .. } => (kind == "Ingress.networking.k8s.io", "an Ingress.networking.k8s.io"),
            Field::Selector { .. } => (kind == "Service", "a Service"),
            Field::Switch { place: SwitchPlace::Key(_), .. } => (kind == "ConfigMap", "a ConfigMap"),
            Field::Switch { place: SwitchPlace::Annotation(_), .. } => {
                let kinds = ["Deployment", "StatefulSet", "DaemonSet", "workload", "Service", "ConfigMap"];
                let fits = kinds.contains(&kind) || kind == "Ingress.networking.k8s.io";
                (
                    fits,
                    "a Deployment, StatefulSet, DaemonSet, Service, ConfigMap or Ingress.networking.k8s.io",
                )
            }
        };
        (!fits).then_some(wanted)
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn lasts(&self) -> Option<Span> {
        self.lasts
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(match self.field.clone() {
            Field::Resources { container, amounts } => {
                let judge = |text: &str| {
                    if is_dns_label(text) { Ok(()) } else { Err("is not a container's name".to_owned()) }
                };
                Field::Resources { container: rendered(&container, scope, "container", judge)?, amounts }
            }
            Field::RateLimit { limited, at_most, paths, controller_namespace, controller_name } => {
                Field::RateLimit { limited, at_most, paths, controller_namespace, controller_name }
            }
            Field::Selector { label, to, ready } => {
                let judge = |text: &str| {
                    if is_label_value(text) { Ok(()) } else { Err("is not a label's value".to_owned()) }
                };
                Field::Selector { label, to: rendered(&to, scope, "selector", judge)?, ready }
            }
            Field::Switch { place, to } => Field::Switch { place, to },
        })
    }
}

/// Whether `text` may be the value of a label; empty is none here.
pub(crate) fn is_label_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && ends(bytes.first())
        && ends(bytes.last())
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        let back = |edit: &Edit| Edit { from: edit.to.clone(), to: edit.from.clone() };
        let edits = self.edits.iter().map(|(key, edit)| (key.clone(), back(edit))).collect();
        Some(Self { place: self.place.clone(), edits })
    }

    fn after(&self, earlier: &Self) -> Option<Self> {
        let shares = self.edits.keys().any(|key| earlier.edits.contains_key(key));
        if self.place != earlier.place || !shares {
            return None;
        }
        let mut edits = earlier.edits.clone();
        for (key, edit) in &self.edits {
            let from = edits.get(key).map_or(&edit.from, |earlier| &earlier.from).clone();
            edits.insert(key.clone(), Edit { from, to: edit.to.clone() });
        }
        Some(Self { place: self.place.clone(), edits })
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        match self.place {
            Place::Resources { .. } => None,
            Place::RateLimit | Place::Selector | Place::Annotation | Place::Data => {
                Some("this patch replaces no pod")
            }
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("patch ")?;
        for (index, (key, Edit { from, to })) in self.edits.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let what = match &self.place {
                Place::Resources { container } => format!("{key} of container {container}"),
                Place::RateLimit | Place::Annotation => format!("annotation {key}"),
                Place::Selector => format!("selector {key}"),
                Place::Data => format!("key {key}"),
            };
            let (from, to) = (from.as_deref().unwrap_or("-"), to.as_deref().unwrap_or("-"));
            write!(f, "{comma}{what} {from} -> {to}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(edits: &[(&str, &str, &str)]) -> Action {
        let edit = |(key, from, to): &(&str, &str, &str)| {
            ((*key).to_owned(), Edit { from: Some((*from).to_owned()), to: Some((*to).to_owned()) })
        };
        Action { place: Place::Data, edits: edits.iter().map(edit).collect() }
    }

    #[test]
    fn two_patches_of_one_field_go_back_to_the_value_before_the_first() {
        let (first, second) = (action(&[("a", "1", "2")]), action(&[("a", "2", "3"), ("b", "x", "y")]));
        let both = second.after(&first).expect("they share a field");
        assert_eq!(both.to_string(), "patch key a 1 -> 3, key b x -> y");
        let back = both.inverse().map(|back| back.to_string());
        assert_eq!(back.as_deref(), Some("patch key a 3 -> 1, key b y -> x"));
        assert_eq!(action(&[("b", "x", "y")]).after(&first), None, "another field");
        let elsewhere = Action { place: Place::Selector, ..second };
        assert_eq!(elsewhere.after(&first), None, "another place");
    }
}
