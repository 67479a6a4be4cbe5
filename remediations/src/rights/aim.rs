//! At what a step aims, as far as its policy says it for every alert: a constant namespace or name makes a right smaller,
//! a template makes it as wide as what any alert may name.

use std::collections::BTreeMap;

use paramedic_policies::policy::TargetSpec;
use paramedic_policies::template::{Scope, Template};

use super::owners;
use crate::ports::objects::Resource;

/// Plurals of kinds, such as `rollouts` of `Rollout.argoproj.io`, where a server was asked; English otherwise.
pub type Plurals = BTreeMap<String, String>;

/// What a step aims at.
#[derive(Debug, Clone)]
pub(crate) struct Aim<'a> {
    kinds: Vec<String>,
    namespace: Option<String>,
    name: Option<String>,
    vars: &'a BTreeMap<String, String>,
    plurals: &'a Plurals,
}

/// Objects that a right is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub(super) namespace: Option<String>,
    pub(super) group: String,
    pub(super) resource: String,
    pub(super) name: Option<String>,
}

impl At {
    /// A subresource of them.
    pub(crate) fn sub(&self, subresource: &str) -> Self {
        Self { resource: format!("{}/{subresource}", self.resource), ..self.clone() }
    }

    /// The one of that name, where it is known.
    pub(crate) fn named(&self, name: Option<String>) -> Self {
        Self { name, ..self.clone() }
    }

    fn of(resource: Resource, namespace: Option<String>, name: Option<String>) -> Self {
        let namespace = namespace.filter(|_| resource.namespaced);
        Self { namespace, group: resource.group.into(), resource: resource.plural.into(), name }
    }
}

/// All objects of a resource, in every namespace.
pub(crate) fn everywhere(resource: Resource) -> At {
    At::of(resource, None, None)
}

/// The objects of a resource in one namespace.
pub(crate) fn within(namespace: &str, resource: Resource) -> At {
    At::of(resource, Some(namespace.to_owned()), None)
}

impl<'a> Aim<'a> {
    /// What a policy says.
    pub(super) fn of(spec: &TargetSpec, vars: &'a BTreeMap<String, String>, plurals: &'a Plurals) -> Self {
        let constant = |template: &Template| constant(template, vars);
        match spec {
            TargetSpec::Named { kind, namespace, name } => Self {
                kinds: vec![kind.clone()],
                namespace: constant(namespace),
                name: constant(name),
                vars,
                plurals,
            },
            TargetSpec::OwnerOf { origin, namespace, .. } => Self {
                kinds: owners(origin).iter().map(|kind| (*kind).to_owned()).collect(),
                namespace: namespace.as_ref().and_then(constant),
                name: None,
                vars,
                plurals,
            },
        }
    }

    /// The value of a template that has the same one for every alert.
    pub(crate) fn constant(&self, template: &Template) -> Option<String> {
        constant(template, self.vars)
    }

    /// The name of the target, where every alert has the same.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The kinds that the target can have.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(String::as_str)
    }

    /// The same where the target can only have one of these kinds: of others the remediation refuses it unseen.
    pub(crate) fn only(&self, kinds: &[&str]) -> Self {
        let kinds = self.kinds.iter().filter(|kind| kinds.contains(&kind.as_str())).cloned().collect();
        Self { kinds, ..self.clone() }
    }

    /// The same where the target cannot have one of these kinds.
    pub(crate) fn but(&self, kinds: &[&str]) -> Self {
        let kinds = self.kinds.iter().filter(|kind| !kinds.contains(&kind.as_str())).cloned().collect();
        Self { kinds, ..self.clone() }
    }

    /// The target itself, once for each kind that it can have.
    pub(crate) fn targets(&self) -> Vec<At> {
        self.kinds().map(|kind| self.target(kind)).collect()
    }

    /// The target itself, if it has this kind.
    pub(crate) fn target(&self, kind: &str) -> At {
        let (group, plural) = match kind {
            "Deployment" => ("apps", "deployments".to_owned()),
            "StatefulSet" => ("apps", "statefulsets".to_owned()),
            "DaemonSet" => ("apps", "daemonsets".to_owned()),
            other => {
                let (name, group) = other.split_once('.').unwrap_or((other, ""));
                (group, self.plurals.get(kind).cloned().unwrap_or_else(|| plural(name)))
            }
        };
        let namespace = self.namespace.clone().filter(|_| kind != "Node");
        At { namespace, group: group.into(), resource: plural, name: self.name.clone() }
    }

    /// The target as an object of this resource, which nothing else can be.
    pub(crate) fn target_of(&self, resource: Resource) -> At {
        At::of(resource, self.namespace.clone(), self.name.clone())
    }

    /// All objects of a resource in the target's namespace.
    pub(crate) fn beside(&self, resource: Resource) -> At {
        At::of(resource, self.namespace.clone(), None)
    }

    /// The target's namespace itself. To the API server it lies within itself.
    pub(crate) fn home(&self) -> At {
        namespace_of(self.namespace.clone())
    }
}

/// A namespace; any where none is named.
pub(crate) fn namespace_of(namespace: Option<String>) -> At {
    At { namespace: namespace.clone(), group: String::new(), resource: "namespaces".into(), name: namespace }
}

fn constant(template: &Template, vars: &BTreeMap<String, String>) -> Option<String> {
    let (labels, lets) = (BTreeMap::new(), BTreeMap::new());
    template.render(&Scope { labels: &labels, vars, lets: &lets, target: None }).ok()
}

/// The plural as it is usually made of a kind.
fn plural(kind: &str) -> String {
    let name = kind.to_lowercase();
    let before_y = name.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{stem}ies"),
        None if ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end)) => format!("{name}es"),
        None => format!("{name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn plurals_are_made_as_kubernetes_makes_them() {
        for (kind, is) in [
            ("Rollout", "rollouts"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("Mesh", "meshes"),
        ] {
            assert_eq!(plural(kind), is);
        }
    }
}
