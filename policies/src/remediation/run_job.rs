//! Run a Job once, now: that of a CronJob's template, or of a short template in the policy, with parameters as
//! environment variables. Whatever a label gives stays one plain value: it can never become an option, a reference to
//! another variable, or a second line.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::Walk;
use crate::load::yaml::Tree;
use crate::policy::rendered;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

mod read;

/// The kind of a target whose template is run.
pub const CRON_JOB: &str = "CronJob.batch";

/// Run a Job once, and wait until it has ended. Its name comes from the intent, so that a repeat makes no second one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunJobDocument {
    /// What is run where the target is no CronJob, in the target's namespace.
    pub template: Option<JobTemplateDocument>,
    /// Environment variables for every container, by name: templates, each of one plain value.
    pub parameters: Option<BTreeMap<String, String>>,
    /// The container whose exit code and log are kept. Default the first.
    pub container: Option<String>,
    /// The Job is stopped after this, from 1m to 2h. Default 10m.
    pub within: Option<Span>,
    /// Refused in any other namespace than these. Default all that the target may name.
    pub namespaces: Option<Vec<String>>,
}

/// One container that runs once: as no root, without privileges, never again when it fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobTemplateDocument {
    /// The image; may use `vars`, and nothing that an alert says.
    pub image: String,
    /// The command. Default the image's own.
    pub command: Option<Vec<String>>,
    /// Its arguments; no templates, values go by `parameters`.
    pub args: Option<Vec<String>>,
    /// The service account whose token it gets. Default none.
    pub service_account: Option<String>,
    /// A Secret whose keys become environment variables.
    pub secret: Option<String>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// In place of a CronJob's template.
    pub template: Option<JobTemplate<Template>>,
    /// Environment variables.
    pub parameters: BTreeMap<String, Template>,
    /// Whose exit code and log are kept.
    pub container: Option<String>,
    /// The Job is stopped after this.
    pub within: Span,
    /// Where it may run; empty means anywhere.
    pub namespaces: Vec<String>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// In place of a CronJob's template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<JobTemplate>,
    /// Environment variables.
    pub parameters: BTreeMap<String, String>,
    /// Whose exit code and log are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The Job is stopped after this.
    pub within: Span,
}

/// One container that runs once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobTemplate<T = String> {
    /// The image.
    pub image: T,
    /// The command; empty means the image's own.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The service account whose token it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// A Secret whose keys become environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Run one Job. Which one is in the intent's stamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// What is run.
    #[serde(flatten)]
    pub wish: Wish,
    /// `metadata.generation` that the CronJob must have; none where the policy has the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

impl Asks for Written {
    type Wish = Wish;

    const PROVES_ITSELF: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        read::written(walk, tree)
    }

    fn document(&self) -> Value {
        let mut body = json!({"within": self.within});
        if let Some(JobTemplate { image, command, args, service_account, secret }) = &self.template {
            let mut template = json!({"image": image.source});
            for (key, list) in [("command", command), ("args", args)] {
                if !list.is_empty() {
                    template[key] = json!(list);
                }
            }
            for (key, name) in [("serviceAccount", service_account), ("secret", secret)] {
                if let Some(name) = name {
                    template[key] = json!(name);
                }
            }
            body["template"] = template;
        }
        if !self.parameters.is_empty() {
            body["parameters"] =
                self.parameters.iter().map(|(name, value)| (name.clone(), json!(value.source))).collect();
        }
        if let Some(container) = &self.container {
            body["container"] = json!(container);
        }
        if !self.namespaces.is_empty() {
            body["namespaces"] = json!(self.namespaces);
        }
        body
    }

    fn templates(&self) -> Vec<&Template> {
        self.template.iter().map(|template| &template.image).chain(self.parameters.values()).collect()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let beside = ["Deployment", "StatefulSet", "DaemonSet", "workload", "Service", "ConfigMap"];
        if self.template.is_some() {
            (!beside.contains(&kind))
                .then_some("a Deployment, StatefulSet, DaemonSet, Service or ConfigMap, beside which it runs")
        } else {
            (kind != CRON_JOB).then_some("a CronJob.batch, or give `runJob` a `template`")
        }
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let namespace = scope.target.map(|target| target.namespace.as_str()).unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|one| one == namespace) {
            let problem = format!("`{namespace}` is none of {}", self.namespaces.join(", "));
            return Err(Reason::BadValue { what: "namespace for a Job".into(), problem });
        }
        let mut parameters = BTreeMap::new();
        for (name, template) in &self.parameters {
            let judge = |text: &str| if template.is_literal() { printable(text) } else { plain(text) };
            parameters.insert(name.clone(), rendered(template, scope, &format!("parameter {name}"), judge)?);
        }
        let template = self.template.as_ref().map(|template| {
            let JobTemplate { image, command, args, service_account, secret } = template.clone();
            let image = rendered(&image, scope, "image", is_image)?;
            Ok(JobTemplate { image, command, args, service_account, secret })
        });
        Ok(Wish {
            template: template.transpose()?,
            parameters,
            container: self.container.clone(),
            within: self.within,
        })
    }
}

/// A parameter is a value, not a document.
const VALUE_CHARS_MAX: usize = 256;

/// What a label may give: one word that no shell, no option parser and no kubelet takes for anything else.
fn plain(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+,=-".contains(c);
    if text.starts_with('-') {
        return Err("begins with `-`, so it could be an option".into());
    }
    if !text.chars().all(is_plain) {
        return Err("is no plain value (letters, digits and any of ._:/@+,=-)".into());
    }
    printable(text)
}

fn is_image(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
    let fine = text.len() <= 512 && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fine && text.chars().all(is_plain) { Ok(()) } else { Err("is not an image".into()) }
}

/// What a policy's author may write. `$(NAME)` would be another variable's value.
fn printable(text: &str) -> Result<(), String> {
    if text.chars().count() > VALUE_CHARS_MAX {
        return Err(format!("has more than {VALUE_CHARS_MAX} characters"));
    }
    if text.contains("$(") || text.chars().any(char::is_control) {
        return Err("has a `$(` or a control character".into());
    }
    Ok(())
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        None
    }

    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("a Job takes no replica away")
    }

    fn takes(&self) -> Option<Span> {
        Some(self.wish.within)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.wish.template {
            Some(template) => write!(f, "run a Job of {}", template.image)?,
            None => f.write_str("run a Job of its template")?,
        }
        for (index, (name, value)) in self.wish.parameters.iter().enumerate() {
            write!(f, "{} {name}={value}", if index == 0 { " with" } else { "," })?;
        }
        write!(f, " within {}", self.wish.within)
    }
}
