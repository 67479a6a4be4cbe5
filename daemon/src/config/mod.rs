//! The daemon's configuration file, `kind: Configuration`: where things are, who may do what, and the settings that
//! decisions depend on. Unknown keys are refused with their place; secrets are named by file, so the whole of it can
//! be printed. It must never hold a secret itself.

mod bytes;
mod read;
pub mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use paramedic_policies::action::Mode;
use paramedic_policies::endpoint::Endpoint;
use paramedic_policies::notifications::Notifications;
use paramedic_policies::settings::{ClusterIdentity, EpisodeSettings, FactSettings, GlobalGuards, Settings};
use paramedic_policies::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::http::tokens::TokenFile;
pub use bytes::Bytes;
pub(crate) use read::{ADDRESS_HINT, URL_HINT, address_of, url_of};
pub use read::{Problems, read, read_file};
pub use tokens::{TokenProblem, TokensRead, open_to_strangers, read_tokens};

/// The only version.
pub const API_VERSION: &str = "paramedic.dev/v1alpha1";

/// What the document is.
pub const KIND: &str = "Configuration";

/// The configuration of `paramedic serve`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Configuration {
    /// Always `paramedic.dev/v1alpha1`.
    pub api_version: String,
    /// Always `Configuration`.
    pub kind: String,
    /// Where webhook and API listen, such as `127.0.0.1:9911`. Beyond loopback only with `tokens`.
    pub listen: String,
    /// Where `/metrics`, `/healthz` and `/readyz` listen; they take no tokens.
    pub admin_listen: String,
    /// The folder of the journal.
    pub data_dir: PathBuf,
    /// Policy files and folders.
    pub policies: Vec<PathBuf>,
    /// Who answers PromQL.
    pub prometheus: PrometheusSettings,
    /// The cluster to act on.
    pub kubernetes: KubernetesSettings,
    /// No policy may go further than this.
    pub mode: Mode,
    /// Values for `{{ vars.x }}` in policies.
    pub vars: BTreeMap<String, String>,
    /// Which cluster this is.
    pub cluster: ClusterIdentity,
    /// Guards over all policies.
    pub guards: GlobalGuards,
    /// How alerts become episodes.
    pub episodes: EpisodeSettings,
    /// How facts are judged.
    pub facts: FactSettings,
    /// Services that policies may call with `http`, by name. A change takes effect when the daemon starts.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Who is told when a person is needed. Other receivers take effect when the daemon starts.
    pub notifications: Notifications,
    /// Who may do what; without any, only this machine is served.
    pub tokens: Vec<TokenFile>,
    /// How long records are kept.
    pub retention: Retention,
    /// What is hidden in records and logs.
    pub redaction: RedactionSettings,
    /// How the daemon logs.
    pub log: LogSettings,
}

impl Default for Configuration {
    fn default() -> Self {
        let Settings { mode, vars, cluster, guards, episodes, facts, endpoints, notifications } =
            Settings::default();
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            listen: "127.0.0.1:9911".to_owned(),
            admin_listen: "127.0.0.1:9912".to_owned(),
            data_dir: PathBuf::from("paramedic-data"),
            policies: Vec::new(),
            prometheus: PrometheusSettings::default(),
            kubernetes: KubernetesSettings::default(),
            mode,
            vars,
            cluster,
            guards,
            episodes,
            facts,
            endpoints,
            notifications,
            tokens: Vec::new(),
            retention: Retention::default(),
            redaction: RedactionSettings::default(),
            log: LogSettings::default(),
        }
    }
}

impl Configuration {
    /// The part that decisions depend on, journaled with the policies.
    pub fn settings(&self) -> Settings {
        Settings {
            mode: self.mode,
            vars: self.vars.clone(),
            cluster: self.cluster.clone(),
            guards: self.guards.clone(),
            episodes: self.episodes.clone(),
            facts: self.facts.clone(),
            endpoints: self.endpoints.clone(),
            notifications: self.notifications.clone(),
        }
    }

    /// The whole of it for people: every default filled in. It holds no secret, only the names of their files.
    pub fn printed(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a configuration is plain data, which serde_json always writes")
    }
}

/// The JSON Schema of the document.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Configuration)
}

/// Who answers PromQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrometheusSettings {
    /// Base URL, such as `http://prometheus.monitoring:9090`; empty means that nobody does, and what needs a fact is withheld.
    pub url: String,
    /// A file with a bearer token, read anew for each query.
    pub token_file: Option<PathBuf>,
    /// A PEM file with further trusted authorities.
    pub ca_file: Option<PathBuf>,
    /// Further headers, such as `X-Scope-OrgID`; credentials belong into `tokenFile`.
    pub headers: BTreeMap<String, String>,
    /// After this a query has failed.
    pub timeout: Span,
}

impl Default for PrometheusSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            token_file: None,
            ca_file: None,
            headers: BTreeMap::new(),
            timeout: Span::from_secs(10),
        }
    }
}

/// The cluster to act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubernetesSettings {
    /// Whether there is one; `false` is for HTTP-only use.
    pub enabled: bool,
    /// A kubeconfig file; without it kube's usual inference (`KUBECONFIG`, `~/.kube/config`, the pod's service account).
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig.
    pub context: Option<String>,
}

impl Default for KubernetesSettings {
    fn default() -> Self {
        Self { enabled: true, kubeconfig: None, context: None }
    }
}

/// How long records are kept. Whole partitions are dropped, oldest first; what is open lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// Older partitions are dropped.
    pub age: Span,
    /// The oldest partitions are dropped while the journal is larger.
    pub size: Bytes,
    /// What one partition covers.
    pub partition: Span,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Span::from_hours(90 * 24), size: Bytes::gib(10), partition: Span::from_hours(24) }
    }
}

/// What is hidden in records and logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedactionSettings {
    /// Whether e-mail addresses, phone and SSN-like numbers and credentials are hidden in annotations, bodies and logs.
    pub enabled: bool,
    /// Labels whose values are redacted too. Never name one here that policies build targets from.
    pub labels: BTreeSet<String>,
}

impl Default for RedactionSettings {
    fn default() -> Self {
        Self { enabled: true, labels: BTreeSet::new() }
    }
}

/// How the daemon logs, to stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogSettings {
    /// Text for people, JSON for machines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,paramedic::driver=debug`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
