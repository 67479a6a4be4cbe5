//! Objects of the API server as they are: addressed by resource, namespace and name, read as JSON, changed by one
//! request each. For levers that are no workload: policies, jobs, nodes, custom resources.

use serde_json::Value;

/// A resource of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// As in paths, such as `networkpolicies`.
    pub plural: &'static str,
    /// As in objects, such as `NetworkPolicy`.
    pub kind: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A resource whose objects live in namespaces.
    pub const fn namespaced(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Self {
        Self { group, version, plural, kind, namespaced: true }
    }

    /// A resource whose objects belong to the whole cluster.
    pub const fn of_cluster(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Self {
        Self { group, version, plural, kind, namespaced: false }
    }

    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Its path, such as `/apis/apps/v1/namespaces/prod/deployments`; of all namespaces where `namespace` is empty.
    pub fn path(&self, namespace: &str) -> String {
        let Self { group, version, plural, .. } = self;
        let root =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{namespace}/{plural}")
        } else {
            format!("{root}/{plural}")
        }
    }

    /// One of its objects.
    pub fn named(self, namespace: &str, name: &str) -> Address {
        let namespace = if self.namespaced { namespace.to_owned() } else { String::new() };
        Address { resource: self, namespace, name: name.to_owned() }
    }
}

/// `apps/v1`.
pub const DEPLOYMENTS: Resource = Resource::namespaced("apps", "v1", "deployments", "Deployment");
/// `apps/v1`.
pub const REPLICA_SETS: Resource = Resource::namespaced("apps", "v1", "replicasets", "ReplicaSet");

/// `autoscaling/v2`.
pub const AUTOSCALERS: Resource =
    Resource::namespaced("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler");

/// Argo Rollouts.
pub const ROLLOUTS: Resource = Resource::namespaced("argoproj.io", "v1alpha1", "rollouts", "Rollout");

/// One object by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Of which resource.
    pub resource: Resource,
    /// In which namespace; empty where it belongs to the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.resource.kind.to_lowercase();
        match self.namespace.as_str() {
            "" => write!(f, "{kind}/{}", self.name),
            namespace => write!(f, "{namespace}/{kind}/{}", self.name),
        }
    }
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectChange {
    /// Make it; refused as a conflict where one of that name is there.
    Create {
        /// Which.
        at: Address,
        /// All of it, without uid and the like.
        object: Value,
    },
    /// Change fields by JSON Patch.
    Patch {
        /// Which.
        at: Address,
        /// Such as `status`.
        subresource: Option<&'static str>,
        /// Operations of RFC 6902, tests of the uid and of each old value among them.
        operations: Vec<Value>,
        /// What changes, for people.
        fields: Vec<Field>,
    },
    /// Remove it.
    Delete {
        /// Which.
        at: Address,
        /// The uid it must have.
        uid: String,
        /// The resource version it must have, where nobody may have changed it since the look.
        version: Option<String>,
    },
    /// Evict a pod, as its PodDisruptionBudgets allow.
    Evict {
        /// Which.
        pod: Address,
        /// The uid it must have.
        uid: String,
    },
}

impl ObjectChange {
    /// What it changes.
    pub fn address(&self) -> &Address {
        match self {
            Self::Create { at, .. } | Self::Patch { at, .. } | Self::Delete { at, .. } => at,
            Self::Evict { pod, .. } => pod,
        }
    }

    /// What it changes, as far as it is known before the server has spoken.
    pub fn fields(&self) -> Vec<Field> {
        let whole = |before: &str, after: &str| {
            let path = self.address().to_string();
            vec![Field { path, pointer: String::new(), before: before.into(), after: after.into() }]
        };
        match self {
            Self::Create { .. } => whole("-", "created"),
            Self::Patch { fields, .. } => fields.clone(),
            Self::Delete { .. } => whole("present", "deleted"),
            Self::Evict { .. } => whole("running", "evicted"),
        }
    }
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As people read it, such as `spec.replicas`.
    pub path: String,
    /// Where it is in the server's answer, as a JSON pointer; empty where the answer does not show it.
    pub pointer: String,
    /// The value before; `-` where there was none.
    pub before: String,
    /// The value after.
    pub after: String,
}

/// An operation of JSON Patch that refuses where the value is another one.
pub fn test(pointer: &str, value: Value) -> Value {
    serde_json::json!({"op": "test", "path": pointer, "value": value})
}

/// An operation of JSON Patch that sets a value.
pub fn add(pointer: &str, value: Value) -> Value {
    serde_json::json!({"op": "add", "path": pointer, "value": value})
}

/// An operation of JSON Patch that removes a value.
pub fn remove(pointer: &str) -> Value {
    serde_json::json!({"op": "remove", "path": pointer})
}

/// One step of a JSON pointer.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        let policies = Resource::namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");
        assert_eq!(policies.path("prod"), "/apis/networking.k8s.io/v1/namespaces/prod/networkpolicies");
        assert_eq!(policies.path(""), "/apis/networking.k8s.io/v1/networkpolicies");
        assert_eq!(policies.named("prod", "web").to_string(), "prod/networkpolicy/web");
        let nodes = Resource::of_cluster("", "v1", "nodes", "Node");
        assert_eq!((nodes.path("prod"), nodes.api_version()), ("/api/v1/nodes".into(), "v1".into()));
        assert_eq!(nodes.named("prod", "a").to_string(), "node/a");
        assert_eq!(escaped("a/b~c"), "a~1b~0c");
    }
}
