//! What an action is aimed at, pinned by uid once it has been looked up.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One object of the cluster, or one endpoint of a service (`kind: Service`), by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace; a DNS label. Empty for a node, which belongs to the whole cluster.
    pub namespace: String,
    /// Name; a DNS subdomain.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Kinds as policies write them; others are written with their group, such as `Rollout.argoproj.io`.
const KINDS: [&str; 8] =
    ["Deployment", "StatefulSet", "DaemonSet", "Service", "Node", "CronJob", "Pod", "Namespace"];

/// A kind that a person wrote, as targets have it: `deployment` is a `Deployment`. `None` where no target can have it.
pub fn kind_as_written(text: &str) -> Option<&str> {
    let known = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(text));
    known.or_else(|| text.starts_with(|c: char| c.is_ascii_uppercase()).then_some(text))
}

/// From what a target is looked up when the alert does not name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The workload that owns this pod, by owner references.
    Pod,
    /// The workload whose pods this Service selects.
    Service,
    /// The node itself.
    Node,
}

/// What to look up: a named object, or the owner of something named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sought {
    /// This very object.
    Named(Target),
    /// The owner of `name` in `namespace`.
    OwnerOf {
        /// What `name` is.
        origin: Origin,
        /// Its namespace; empty for a node.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(target) => target.fmt(f),
            Self::OwnerOf { origin, namespace, name } => {
                let origin = match origin {
                    Origin::Pod => "pod",
                    Origin::Service => "service",
                    Origin::Node => "node",
                };
                write!(f, "owner of {origin} {namespace}/{name}")
            }
        }
    }
}

/// Whether `text` may be a namespace: an RFC 1123 label.
pub fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

/// Whether `text` may be an object's name: an RFC 1123 subdomain.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_taken_in_small_letters_where_everybody_knows_it() {
        for (text, kind) in [
            ("deployment", Some("Deployment")),
            ("statefulSet", Some("StatefulSet")),
            ("Rollout.argoproj.io", Some("Rollout.argoproj.io")),
            ("rollout.argoproj.io", None),
            ("", None),
        ] {
            assert_eq!(kind_as_written(text), kind, "{text}");
        }
    }

    #[test]
    fn what_is_sought_is_told_in_words() {
        let named = Target { kind: "Deployment".into(), namespace: "shop".into(), name: "cart".into() };
        assert_eq!(Sought::Named(named).to_string(), "shop/deployment/cart");
        let owner = |origin: Origin| {
            Sought::OwnerOf { origin, namespace: "shop".into(), name: "cart-1".into() }.to_string()
        };
        assert_eq!(owner(Origin::Pod), "owner of pod shop/cart-1");
        assert_eq!(owner(Origin::Service), "owner of service shop/cart-1");
        assert_eq!(owner(Origin::Node), "owner of node shop/cart-1");
    }

    #[test]
    fn only_dns_names_are_names() {
        for good in ["a", "prod", "web-0", "a1"] {
            assert!(is_dns_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "../etc", "a b", "a.b", "ä", "a\n", &"x".repeat(64)] {
            assert!(!is_dns_label(bad), "{bad:?}");
        }
        assert!(is_dns_subdomain("web-0.prod"));
        assert!(!is_dns_subdomain("web..prod"));
    }
}
