//! The kinds of objects that the simulated API server knows: those that levers look at or change. Others are refused by
//! name, so that a scenario does not believe in an object that nobody would ever see.

use paramedic_policies::target::Target;
use paramedic_remediations::ports::objects::{Address, DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, Resource};

/// Pods.
pub const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
/// Namespaces.
pub const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");
/// Services.
pub const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");
/// StatefulSets.
pub const STATEFUL_SETS: Resource = Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet");
/// DaemonSets.
pub const DAEMON_SETS: Resource = Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet");
/// Jobs.
pub const JOBS: Resource = Resource::namespaced("batch", "v1", "jobs", "Job");
/// Certificates of cert-manager.
pub const CERTIFICATES: Resource =
    Resource::namespaced("cert-manager.io", "v1", "certificates", "Certificate");
/// HorizontalPodAutoscalers.
pub const AUTOSCALERS: Resource =
    Resource::namespaced("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler");
/// Nodes.
pub const NODES: Resource = Resource::of_cluster("", "v1", "nodes", "Node");
/// PodDisruptionBudgets.
pub const BUDGETS: Resource =
    Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
const NETWORKING: &str = "networking.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// All of them.
pub const KINDS: [Resource; 27] = [
    PODS,
    NAMESPACES,
    SERVICES,
    DEPLOYMENTS,
    STATEFUL_SETS,
    DAEMON_SETS,
    REPLICA_SETS,
    JOBS,
    CERTIFICATES,
    AUTOSCALERS,
    ROLLOUTS,
    NODES,
    Resource::namespaced("", "v1", "configmaps", "ConfigMap"),
    Resource::namespaced("", "v1", "secrets", "Secret"),
    Resource::namespaced("batch", "v1", "cronjobs", "CronJob"),
    BUDGETS,
    Resource::namespaced("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource::namespaced(NETWORKING, "v1", "ingresses", "Ingress"),
    Resource::of_cluster(NETWORKING, "v1", "ingressclasses", "IngressClass"),
    Resource::namespaced(NETWORKING, "v1", "networkpolicies", "NetworkPolicy"),
    Resource::of_cluster(NETWORKING, "v1", "servicecidrs", "ServiceCIDR"),
    Resource::namespaced("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
    Resource::of_cluster(ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    Resource::of_cluster(
        ADMISSION,
        "v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
    ),
    Resource::namespaced("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy"),
    Resource::namespaced("argoproj.io", "v1alpha1", "applications", "Application"),
    Resource::namespaced("argoproj.io", "v1alpha1", "appprojects", "AppProject"),
];

/// The resource of an object's `apiVersion` and `kind`.
pub fn of_object(api_version: &str, kind: &str) -> Option<Resource> {
    KINDS.into_iter().find(|one| one.kind == kind && one.api_version() == api_version)
}

/// The resource of a target's kind: `Deployment`, or with its group where it is no everyday one, such as
/// `Ingress.networking.k8s.io`.
pub fn of_target(kind: &str) -> Option<Resource> {
    let (kind, group) = kind.split_once('.').map_or((kind, None), |(kind, group)| (kind, Some(group)));
    KINDS.into_iter().find(|one| one.kind == kind && group.is_none_or(|group| one.group == group))
}

/// Where a target is.
pub fn address(target: &Target) -> Option<Address> {
    Some(of_target(&target.kind)?.named(&target.namespace, &target.name))
}
