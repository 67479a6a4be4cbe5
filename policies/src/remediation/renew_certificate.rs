//! Let cert-manager issue a Certificate anew, before its time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// The kind of the target.
pub const CERTIFICATE: &str = "Certificate.cert-manager.io";

/// Nothing to set: `{}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewCertificateDocument {}

/// Nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {}

/// Nothing to set.
pub type Wish = Written;

/// One renewal of the certificate as it was seen: to any later revision than this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `status.revision`; 0 where it was never issued.
    pub revision: i64,
    /// `status.notAfter`, where it was ever issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

impl Asks for Written {
    type Wish = Wish;

    const BARE: bool = true;

    const PROVES_ITSELF: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        Fields::open(walk, tree, "renewCertificate", "RenewCertificateDocument")?.close(walk);
        Some(Self {})
    }

    fn document(&self) -> Value {
        json!({})
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        (kind != CERTIFICATE).then_some("a Certificate.cert-manager.io")
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, _: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(self.clone())
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        None
    }

    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("a renewal takes no replica away")
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "renew revision {} that ends {}", self.revision, self.not_after.as_deref().unwrap_or("-"))
    }
}
