//! How far a freeze reaches beyond the API server's own gate: projects of Argo CD that sync nothing meanwhile, and objects of
//! Flux that are suspended. Each is declared by the policy; what is not declared is never looked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Tree, printable};
use crate::policy::rendered;
use crate::reason::Reason;
use crate::target::{is_dns_label, is_dns_subdomain};
use crate::template::{Scope, Template};

/// A freeze that reaches further than this is the work of a person.
const REACHED_MAX: usize = 16;

/// A project of Argo CD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgoCdDocument {
    /// Template of the namespace of Argo CD, such as `argocd`.
    pub namespace: String,
    /// Template of the AppProject's name.
    pub project: String,
}

/// An object of Flux.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FluxDocument {
    /// `Kustomization` or `HelmRelease`.
    pub kind: FluxKind,
    /// Template of its namespace, such as `flux-system`.
    pub namespace: String,
    /// Template of its name.
    pub name: String,
}

/// What Flux reconciles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FluxKind {
    /// `kustomize.toolkit.fluxcd.io/v1`.
    Kustomization,
    /// `helm.toolkit.fluxcd.io/v2`.
    HelmRelease,
}

/// One thing that is reached, with its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Which kind of thing.
    pub gate: Gate,
    /// Its namespace.
    pub namespace: Template,
    /// Its name.
    pub name: Template,
}

/// How a thing is kept from deploying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// A window of an AppProject in which nothing is synced; it is over by itself.
    ArgoCd,
    /// `spec.suspend` of a Kustomization; nothing ends it but paramedic or a person.
    Kustomization,
    /// `spec.suspend` of a HelmRelease, likewise.
    HelmRelease,
}

/// One thing that is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// Which kind of thing.
    pub gate: Gate,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.gate {
            Gate::ArgoCd => "AppProject",
            Gate::Kustomization => "Kustomization",
            Gate::HelmRelease => "HelmRelease",
        };
        write!(f, "{kind} {}/{}", self.namespace, self.name)
    }
}

/// Reads `argoCd`.
pub(super) fn argo_cd(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Vec<Declared>> {
    let read = walk.each(tree, what, |walk, tree, what| {
        let mut fields = Fields::open(walk, tree, what, "ArgoCdDocument")?;
        let (namespace, name) = (named(walk, &mut fields, "namespace"), named(walk, &mut fields, "project"));
        fields.close(walk);
        Some(Declared { gate: Gate::ArgoCd, namespace: namespace?, name: name? })
    })?;
    few(walk, tree, what, read)
}

/// Reads `flux`.
pub(super) fn flux(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Vec<Declared>> {
    let read = walk.each(tree, what, |walk, tree, what| {
        let mut fields = Fields::open(walk, tree, what, "FluxDocument")?;
        let kinds = [("Kustomization", Gate::Kustomization), ("HelmRelease", Gate::HelmRelease)];
        let gate = fields
            .need(walk, "kind", "Kustomization or HelmRelease")
            .and_then(|tree| walk.choice(tree, "kind", &kinds));
        let (namespace, name) = (named(walk, &mut fields, "namespace"), named(walk, &mut fields, "name"));
        fields.close(walk);
        Some(Declared { gate: gate?, namespace: namespace?, name: name? })
    })?;
    few(walk, tree, what, read)
}

fn few(walk: &mut Walk, tree: &Tree, what: &str, read: Vec<Declared>) -> Option<Vec<Declared>> {
    if read.is_empty() || read.len() > REACHED_MAX {
        let message = format!("`{what}` has {} items", read.len());
        walk.error(tree.at, message, format!("from 1 to {REACHED_MAX}, or remove it"));
        return None;
    }
    Some(read)
}

fn is_good(what: &str, text: &str) -> bool {
    if what == "namespace" { is_dns_label(text) } else { is_dns_subdomain(text) }
}

/// The template of a name; where it is literal it must be one already.
fn named(walk: &mut Walk, fields: &mut Fields<'_>, key: &'static str) -> Option<Template> {
    let tree = fields.need(walk, key, "the name of the object that is reached")?;
    let template = walk.template(tree, key, May::NameAll)?;
    if template.is_literal() && !is_good(key, &template.source) {
        let message = format!("`{key}`: `{}` is not a Kubernetes name", printable(&template.source));
        walk.error(tree.at, message, "lower-case letters, digits and `-`; or a template");
        return None;
    }
    Some(template)
}

/// As it is written, under its two keys.
pub(super) fn documents(all: &[Declared], body: &mut Value) {
    let of = |argo: bool| all.iter().filter(move |one| (one.gate == Gate::ArgoCd) == argo);
    let argo: Vec<Value> =
        of(true).map(|one| json!({"namespace": one.namespace.source, "project": one.name.source})).collect();
    let kind = |gate| match gate {
        Gate::HelmRelease => "HelmRelease",
        Gate::ArgoCd | Gate::Kustomization => "Kustomization",
    };
    let flux: Vec<Value> = of(false)
        .map(
            |one| json!({"kind": kind(one.gate), "namespace": one.namespace.source, "name": one.name.source}),
        )
        .collect();
    for (key, list) in [("argoCd", argo), ("flux", flux)] {
        if !list.is_empty() {
            body[key] = json!(list);
        }
    }
}

/// What it comes to, every name proven.
///
/// # Errors
/// [`Reason::BadValue`] where one is none.
pub(super) fn wish(all: &[Declared], scope: &Scope<'_>) -> Result<Vec<Reached>, Reason> {
    let name = |template: &Template, what: &'static str| {
        let check = |text: &str| if is_good(what, text) { Ok(()) } else { Err(format!("is not a {what}")) };
        rendered(template, scope, what, check)
    };
    let mut reached = Vec::new();
    for one in all {
        let (namespace, name) = (name(&one.namespace, "namespace")?, name(&one.name, "name")?);
        reached.push(Reached { gate: one.gate, namespace, name });
    }
    reached.sort();
    reached.dedup();
    Ok(reached)
}
