//! What a policy may ask for, as compiled from its document. Relative amounts live only here;
//! an [`Action`](crate::action::Action) has absolute values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Wish;
use crate::policy::rendered;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::url;

/// One remediation of a step, with its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remediation {
    /// Change the number of replicas.
    Scale(Scale),
    /// Roll the pods of a workload.
    Restart,
    /// Close a circuit breaker of Maestro on every endpoint of a service.
    ResetBreaker {
        /// The breaker's name; one URL path segment.
        breaker: Template,
        /// How the endpoints are reached.
        endpoints: Endpoints,
    },
}

/// Change the number of replicas of anything with a scale subresource; raises `minReplicas` where an
/// HPA owns the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scale {
    /// How many.
    pub amount: Amount,
    /// Never above this many replicas.
    pub max: Option<u32>,
    /// Never below this many replicas.
    pub min: Option<u32>,
    /// Never by more than this at once.
    pub max_step: Option<u32>,
    /// Whether fewer replicas than now are allowed.
    pub allow_down: bool,
}

/// How many replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Amount {
    /// That many more (or fewer) than now.
    By(i32),
    /// Exactly that many.
    To(u32),
    /// At least that many; never lowers.
    AtLeast(u32),
}

/// Where a service's HTTP endpoints are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Endpoints {
    /// Every ready endpoint of the target Service, on this port (name or number).
    OfService {
        /// The port's name or number, as in the Service.
        port: String,
    },
    /// These base URLs, for use without Kubernetes.
    Listed(Vec<String>),
}

impl Remediation {
    /// Its name in documents, metrics and records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scale(_) => "scale",
            Self::Restart => "restart",
            Self::ResetBreaker { .. } => "resetBreaker",
        }
    }

    /// What it comes to for this alert, every value proven to be what it becomes.
    ///
    /// # Errors
    /// [`Reason::BadValue`] when a value is missing, or is no single segment of a URL path.
    pub fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(match self {
            Self::Scale(scale) => Wish::Scale(scale.clone()),
            Self::Restart => Wish::Restart,
            Self::ResetBreaker { breaker, endpoints } => Wish::ResetBreaker {
                breaker: rendered(breaker, scope, "breaker", url::path_segment)?,
                endpoints: endpoints.clone(),
            },
        })
    }
}
