//! Close one circuit breaker of Maestro on every endpoint of a service.

use crate::counted::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Tree};
use crate::policy::rendered;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::url;

/// Which breaker, and how its endpoints are reached: either `port` (the target is a Service) or `endpoints`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetBreakerDocument {
    /// Template of the breaker's name; one segment of a URL path.
    pub breaker: String,
    /// Every ready endpoint of the target Service on this port (name or number).
    pub port: Option<PortDocument>,
    /// Base URLs, for use without Kubernetes.
    pub endpoints: Option<Vec<String>>,
}

/// A port by name or number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PortDocument {
    /// By name.
    Name(String),
    /// By number.
    Number(u16),
}

/// Which breaker, and how its endpoints are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The breaker's name; one URL path segment.
    pub breaker: Template,
    /// How the endpoints are reached.
    pub endpoints: Endpoints,
}

/// Which breaker, and how its endpoints are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// The breaker's name; one URL path segment.
    pub breaker: String,
    /// How the endpoints are reached.
    pub endpoints: Endpoints,
}

/// Close this breaker on these endpoints: those where it was not closed when they were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The breaker's name; one URL path segment.
    pub breaker: String,
    /// Base URLs, sorted.
    pub endpoints: Vec<String>,
    /// The port of the Service whose endpoints they are; none where the policy lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// Where a service's HTTP endpoints are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "resetBreaker", "ResetBreakerDocument")?;
        let breaker = fields
            .need(walk, "breaker", "the breaker's name, such as \"{{ labels.breaker }}\"")
            .and_then(|tree| {
                let template = walk.template(tree, "breaker", May::NameAll)?;
                if template.is_literal()
                    && let Err(problem) = crate::url::path_segment(&template.source)
                {
                    walk.error(
                        tree.at,
                        format!("`breaker`: {problem}"),
                        "a breaker's name is one segment of a URL path",
                    );
                    return None;
                }
                Some(template)
            });
        let port = fields.maybe(walk, "port", |walk, tree, what| match &tree.node {
            Node::Number(..) => walk.count(tree, what, 1, 65_535).map(|port| port.to_string()),
            _ => walk.text(tree, what).map(str::to_owned),
        });
        let listed = fields.maybe(walk, "endpoints", |walk, tree, what| {
            let urls = walk.each(tree, what, Walk::base_url)?;
            if urls.is_empty() {
                walk.error(tree.at, "`endpoints` is empty", "such as [\"http://maestro.prod.svc:8080\"]");
                return None;
            }
            Some(urls)
        });
        let (at, endpoints_at) = (fields.at, fields.at_key("endpoints"));
        fields.close(walk);
        let endpoints = match (port?, listed?) {
            (Some(port), None) => Endpoints::OfService { port },
            (None, Some(urls)) => Endpoints::Listed(urls),
            (Some(_), Some(_)) => {
                walk.error(
                    endpoints_at,
                    "`resetBreaker` has both `port` and `endpoints`",
                    "`port` asks the target Service for its endpoints; `endpoints` lists them",
                );
                return None;
            }
            (None, None) => {
                walk.error(
                    at,
                    "`resetBreaker` does not say how its endpoints are reached",
                    "add port: http (of the target Service), or endpoints: [\"http://...\"]",
                );
                return None;
            }
        };
        Some(Self { breaker: breaker?, endpoints })
    }

    fn document(&self) -> Value {
        match &self.endpoints {
            Endpoints::OfService { port } => json!({"breaker": self.breaker.source, "port": port}),
            Endpoints::Listed(urls) => json!({"breaker": self.breaker.source, "endpoints": urls}),
        }
    }

    fn templates(&self) -> Vec<&Template> {
        vec![&self.breaker]
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        match self.endpoints {
            Endpoints::OfService { .. } => (kind != "Service").then_some("a Service"),
            Endpoints::Listed(_) => None,
        }
    }

    fn is_revertible(&self) -> bool {
        false
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(Wish {
            breaker: rendered(&self.breaker, scope, "breaker", url::path_segment)?,
            endpoints: self.endpoints.clone(),
        })
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
        Some("a breaker reset takes no replica away")
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reset breaker {} on {}", self.breaker, counted(self.endpoints.len(), "endpoint"))
    }
}
