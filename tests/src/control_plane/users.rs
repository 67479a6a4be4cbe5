//! Who talks to the control plane of the tests, by fixed tokens that are worth nothing elsewhere, and what each
//! may do. It must never give the daemon's user more than what `ops/` gives it in production.

use std::path::Path;

use kube::api::{Api, PostParams};
use serde_json::json;

/// Somebody whom the API server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// May do everything (`system:masters`).
    Admin,
    /// A colleague who deploys: the cluster role `edit` everywhere.
    Deployer,
    /// The person for emergencies: `edit` too, in the group `break-glass`.
    BreakGlass,
    /// The daemon's service account `paramedic/paramedic`.
    Paramedic,
}

impl User {
    pub(super) const ALL: [Self; 4] = [Self::Admin, Self::Deployer, Self::BreakGlass, Self::Paramedic];

    /// The name that the API server puts down.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Deployer => "deployer",
            Self::BreakGlass => "break-glass",
            Self::Paramedic => "system:serviceaccount:paramedic:paramedic",
        }
    }

    /// The bearer token.
    pub fn token(self) -> &'static str {
        match self {
            Self::Admin => "token-of-admin",
            Self::Deployer => "token-of-deployer",
            Self::BreakGlass => "token-of-break-glass",
            Self::Paramedic => "token-of-paramedic",
        }
    }

    fn groups(self) -> &'static str {
        match self {
            Self::Admin => "system:masters",
            Self::Deployer => "deployers",
            Self::BreakGlass => "break-glass",
            Self::Paramedic => "system:serviceaccounts,system:serviceaccounts:paramedic",
        }
    }

    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Admin => "admin.kubeconfig",
            Self::Deployer => "deployer.kubeconfig",
            Self::BreakGlass => "break-glass.kubeconfig",
            Self::Paramedic => "paramedic.kubeconfig",
        }
    }
}

/// The API server's table of tokens.
pub(super) fn token_file() -> String {
    User::ALL
        .iter()
        .map(|user| format!("{},{},{},\"{}\"\n", user.token(), user.name(), user.name(), user.groups()))
        .collect()
}

/// A kubeconfig with one cluster `tests`, one user and one context `tests`.
pub(super) fn kubeconfig(user: User, api_port: u16, certificates: &Path) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user.name()}}],
        "clusters": [{"name": "tests", "cluster": {
            "server": format!("https://127.0.0.1:{api_port}"),
            "certificate-authority": certificates,
        }}],
        "users": [{"name": user.name(), "user": {"token": user.token()}}],
    })
    .to_string()
}

/// What the daemon may do, beside reading what it judges by.
fn rules_of_the_daemon() -> serde_json::Value {
    json!([
        {
            "apiGroups": ["apps"],
            "resources": ["deployments", "statefulsets", "daemonsets"],
            "verbs": ["get", "list", "watch", "patch"],
        },
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale", "statefulsets/scale", "replicasets/scale"],
            "verbs": ["get", "update", "patch"],
        },
        {
            "apiGroups": ["apps"],
            "resources": ["replicasets", "controllerrevisions"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["autoscaling"],
            "resources": ["horizontalpodautoscalers"],
            "verbs": ["get", "list", "watch", "patch"],
        },
        {
            "apiGroups": ["policy"],
            "resources": ["poddisruptionbudgets"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": [""],
            "resources": ["pods", "services", "endpoints", "nodes", "namespaces"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": [""], "resources": ["services", "configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "create"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
        {"apiGroups": ["cert-manager.io"], "resources": ["certificates"], "verbs": ["get"]},
        {"apiGroups": ["cert-manager.io"], "resources": ["certificates/status"], "verbs": ["patch"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingressclasses"], "verbs": ["get"]},
        {"apiGroups": ["argoproj.io"], "resources": ["rollouts", "rollouts/scale"], "verbs": ["get"]},
        {"apiGroups": ["argoproj.io"], "resources": ["rollouts", "rollouts/status"], "verbs": ["patch"]},
        {"apiGroups": ["argoproj.io"], "resources": ["appprojects"], "verbs": ["get", "patch"]},
        {
            "apiGroups": ["kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"],
            "resources": ["kustomizations", "helmreleases"],
            "verbs": ["get", "patch"],
        },
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        },
        {"apiGroups": ["networking.k8s.io"], "resources": ["servicecidrs"], "verbs": ["list"]},
        {
            "apiGroups": [
                "cilium.io", "crd.projectcalico.org", "policy.networking.k8s.io", "gateway.networking.k8s.io",
            ],
            "resources": [
                "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies", "networkpolicies",
                "globalnetworkpolicies", "adminnetworkpolicies", "baselineadminnetworkpolicies", "httproutes",
            ],
            "verbs": ["list"],
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
            "verbs": ["get", "list", "create", "delete"],
        },
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ])
}

/// Roles and bindings for all but the admin.
pub(super) async fn grant(client: &kube::Client) {
    use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
    use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};

    let create = PostParams::default();
    let namespace = parsed::<Namespace>(json!({"metadata": {"name": "paramedic"}}));
    Api::all(client.clone()).create(&create, &namespace).await.expect("a namespace can be created");
    let account = parsed::<ServiceAccount>(json!({"metadata": {"name": "paramedic"}}));
    Api::namespaced(client.clone(), "paramedic")
        .create(&create, &account)
        .await
        .expect("a service account can be created");
    let role = parsed::<ClusterRole>(json!({
        "metadata": {"name": "paramedic"},
        "rules": rules_of_the_daemon(),
    }));
    Api::all(client.clone()).create(&create, &role).await.expect("a role can be created");

    for (name, role, subject) in [
        ("deployers", "edit", json!({"kind": "Group", "name": "deployers"})),
        ("break-glass", "edit", json!({"kind": "Group", "name": "break-glass"})),
        (
            "paramedic",
            "paramedic",
            json!({"kind": "ServiceAccount", "name": "paramedic", "namespace": "paramedic"}),
        ),
    ] {
        let mut subject = subject;
        if subject["kind"] == "Group" {
            subject["apiGroup"] = json!("rbac.authorization.k8s.io");
        }
        let binding = parsed::<ClusterRoleBinding>(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }));
        Api::all(client.clone()).create(&create, &binding).await.expect("a binding can be created");
    }
}

fn parsed<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> K {
    serde_json::from_value(value).expect("an object of ours is one")
}
