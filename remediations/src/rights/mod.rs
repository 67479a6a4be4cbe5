//! What the API server must allow for what the policies ask for: which verbs on which objects, where. Declared once for
//! each remediation, in its own file ([`Needs`]); printed as roles, and asked of a live server, from that one list. It
//! never asks or changes anything itself.
//!
//! ```text
//!   Policy --Aim (what its target says for every alert)--> Needs of each step --least--> roles | questions
//! ```

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::Mode;
use paramedic_policies::book::Book;
use paramedic_policies::policy::{Check, Policy, Step, TargetSpec};
use paramedic_policies::target::Origin;

use crate::remedy::needs;

mod aim;
mod least;
mod looks;
mod manifest;
#[cfg(test)]
mod tests;

pub use aim::Plurals;
pub use manifest::{Account, manifest};

pub(crate) use aim::{Aim, At, everywhere, namespace_of, within};
pub(crate) use least::least;

/// A verb of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one by name.
    Get,
    /// Read all.
    List,
    /// Make one.
    Create,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Get, Self::List, Self::Create, Self::Patch, Self::Delete];

    /// As in roles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether a role can give it for single names: what is made has no name yet, and a list asks for none.
    fn takes_names(self) -> bool {
        match self {
            Self::Get | Self::Patch | Self::Delete => true,
            Self::List | Self::Create => false,
        }
    }
}

/// One thing that must be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// In this namespace; none: in all of them, or the objects belong to the whole cluster.
    pub namespace: Option<String>,
    /// API group; empty for the core.
    pub group: String,
    /// As in paths, with its subresource, such as `deployments/scale`.
    pub resource: String,
    /// The one object of that name; none: all.
    pub name: Option<String>,
    /// What is done to them.
    pub verb: Verb,
}

impl std::fmt::Display for Right {
    /// Such as `patch deployments.apps web in namespace shop`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb.name(), self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in the whole cluster"),
        }
    }
}

/// When a right is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// By a look, in every mode.
    Look,
    /// By a change, and by its rehearsal: a server-side dry run needs the right of the change itself.
    Change,
    /// Only by what acts: what follows a change, or takes it back.
    Act,
}

/// A remediation says what it must be allowed to do. There is deliberately no default: one that is forgotten is found at
/// three in the morning.
pub(crate) trait Needs {
    /// Everything that its looks, its change, what it watches and what takes it back send to the API server, for a target
    /// as far as it is known for every alert.
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights);
}

/// Rights under collection.
#[derive(Debug, Default)]
pub(crate) struct Rights(Vec<(Right, Use)>);

impl Rights {
    fn add(&mut self, verbs: &[Verb], at: &At, by: Use) {
        for verb in verbs {
            let At { namespace, group, resource, name } = at.clone();
            let name = name.filter(|_| verb.takes_names());
            self.0.push((Right { namespace, group, resource, name, verb: *verb }, by));
        }
    }

    /// What a look reads.
    pub(crate) fn look(&mut self, verbs: &[Verb], at: &At) {
        self.add(verbs, at, Use::Look);
    }

    /// A change, which dry-run rehearses.
    pub(crate) fn change(&mut self, verbs: &[Verb], at: &At) {
        self.add(verbs, at, Use::Change);
    }

    /// What nothing but acting needs.
    pub(crate) fn act(&mut self, verbs: &[Verb], at: &At) {
        self.add(verbs, at, Use::Act);
    }
}

/// Who needs a right: policies, each with its remediations.
pub type Needers = BTreeMap<String, BTreeSet<&'static str>>;

/// The least rights that a book needs, with who needs each: none is listed whose objects another one holds already.
pub fn of_book(book: &Book, plurals: &Plurals) -> BTreeMap<Right, Needers> {
    let mut all: BTreeMap<Right, Needers> = BTreeMap::new();
    for policy in book.policies().values() {
        for step in policy.ladder.iter().flat_map(|rung| &rung.steps) {
            let lever = step.remediation.name();
            for right in of_step(book, policy, step, plurals) {
                all.entry(right).or_default().entry(policy.name.clone()).or_default().insert(lever);
            }
        }
    }
    least(all)
}

/// How far a step goes under the daemon's cap.
fn mode(book: &Book, policy: &Policy, step: &Step) -> Mode {
    let own = step.mode.map_or(policy.mode, |mode| mode.min(policy.mode));
    own.min(book.settings().mode)
}

fn of_step(book: &Book, policy: &Policy, step: &Step, plurals: &Plurals) -> Vec<Right> {
    let spec = step.target.as_ref().unwrap_or(&policy.target);
    let aim = Aim::of(spec, &book.settings().vars, plurals);
    let mut rights = Rights::default();
    match spec {
        TargetSpec::Named { .. } => {}
        TargetSpec::OwnerOf { origin, .. } => rights.seek(origin, &aim),
    }
    needs(&step.remediation).needs(&aim, &mut rights);
    match step.verify.as_ref().map(|verify| &verify.check) {
        Some(Check::Rollout) => rights.rollout(&aim),
        Some(Check::Query(_) | Check::Http { .. }) | None => {}
    }
    let acts = match mode(book, policy, step) {
        Mode::DryRun => false,
        Mode::Approve | Mode::Enforce => true,
    };
    let wanted = |by: Use| match by {
        Use::Look | Use::Change => true,
        Use::Act => acts,
    };
    rights.0.into_iter().filter(|(_, by)| wanted(*by)).map(|(right, _)| right).collect()
}

/// Kinds of other groups whose plurals stand in the remediations that are for them.
const KNOWN: [&str; 4] =
    ["CronJob.batch", "Ingress.networking.k8s.io", "Rollout.argoproj.io", "Certificate.cert-manager.io"];

/// Every other kind that a book's targets name with its group: only a server knows its plural for certain.
pub fn kinds(book: &Book) -> BTreeSet<String> {
    let steps = |policy: &'_ Policy| {
        let steps = policy.ladder.iter().flat_map(|rung| &rung.steps);
        steps.filter_map(|step| step.target.clone()).collect::<Vec<_>>()
    };
    let specs =
        book.policies().values().flat_map(|policy| [vec![policy.target.clone()], steps(policy)].concat());
    let kinds = specs.filter_map(|spec| match spec {
        TargetSpec::Named { kind, .. } => Some(kind),
        TargetSpec::OwnerOf { .. } => None,
    });
    kinds.filter(|kind| kind.contains('.') && !KNOWN.contains(&kind.as_str())).collect()
}

/// What an origin's owner can be.
fn owners(origin: &Origin) -> &'static [&'static str] {
    match origin {
        Origin::Pod | Origin::Service => &["Deployment", "StatefulSet", "DaemonSet"],
        Origin::Node => &["Node"],
    }
}
