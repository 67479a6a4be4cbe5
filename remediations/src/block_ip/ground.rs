//! Whether a NetworkPolicy can keep a client out of these pods, and whether it would do nothing but that. Policies only add
//! up: what another one allows stays allowed, and what another one closes ours would open. What cannot be judged refuses.

use std::collections::BTreeMap;

use paramedic_policies::address::AddressRange;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::Terms;
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::ingress::INGRESSES;
use super::network_policy::{POLICIES, address};
use super::{SERVICES, selects, text, texts};
use crate::checks::Checks;
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::Resource;
use crate::rights::{Aim, Rights, Verb, everywhere};

pub(super) const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
pub(crate) const DAEMON_SETS: Resource = Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet");
const ROUTES: Resource = Resource::namespaced("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute");

/// Policies of other kinds, which open and close in ways of their own. Cilium's and Calico's deny rules are the better lever
/// where they are there; their place is beside `network_policy` and `ingress`.
const FOREIGN: [Resource; 6] = [
    Resource::namespaced("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy"),
    Resource::of_cluster(
        "cilium.io",
        "v2",
        "ciliumclusterwidenetworkpolicies",
        "CiliumClusterwideNetworkPolicy",
    ),
    Resource::namespaced("crd.projectcalico.org", "v1", "networkpolicies", "NetworkPolicy"),
    Resource::of_cluster("crd.projectcalico.org", "v1", "globalnetworkpolicies", "GlobalNetworkPolicy"),
    Resource::of_cluster(
        "policy.networking.k8s.io",
        "v1alpha1",
        "adminnetworkpolicies",
        "AdminNetworkPolicy",
    ),
    Resource::of_cluster(
        "policy.networking.k8s.io",
        "v1alpha1",
        "baselineadminnetworkpolicies",
        "BaselineAdminNetworkPolicy",
    ),
];

/// DaemonSets of networks that enforce NetworkPolicies whenever they run, and whose ranges match nodes too.
const ENFORCERS: [&str; 9] = [
    "calico-node",
    "kindnet",
    "canal",
    "antrea-agent",
    "kube-router",
    "weave-net",
    "ovnkube-node",
    "azure-npm",
    "romana-agent",
];

/// DaemonSets of networks that enforce them too, and whose ranges match no node: all but a few addresses leaves out the
/// nodes, and with them ingress controllers and agents there, NodePorts, and the API server that calls a webhook.
const WITHOUT_NODES: [&str; 2] = ["cilium", "anetd"];

type Labels = BTreeMap<String, String>;

/// Notes what stands against it.
///
/// # Errors
/// When nobody knows.
pub(super) async fn ground(
    cluster: &dyn Cluster,
    target: &Target,
    workload: &Value,
    terms: &Terms,
    ranges: &[AddressRange],
    checks: &mut Checks,
) -> Result<(), LookError> {
    let template = workload.pointer("/spec/template").cloned().unwrap_or_default();
    checks.note(if template.pointer("/spec/hostNetwork") == Some(&json!(true)) {
        Err(wrong("the pods use their node's network (hostNetwork), which no NetworkPolicy covers".into()))
    } else {
        Ok("the pods have a network of their own".into())
    });
    checks.note(keeps_nodes(enforcer(cluster, terms.enforced).await?.as_deref(), terms.enforced));
    let pods = pods(cluster, target, workload, &template).await?;
    others(cluster, target, &pods, ranges, checks).await?;
    foreign(cluster, &target.namespace, checks).await?;
    let services = services(cluster, &target.namespace, &pods, checks).await?;
    proxied(cluster, &target.namespace, &services, checks).await
}

/// What [`ground`] reads.
pub(super) fn needs(aim: &Aim<'_>, terms: &Terms, rights: &mut Rights) {
    if !terms.enforced {
        rights.look(&[Verb::List], &everywhere(DAEMON_SETS));
    }
    for resource in [PODS, POLICIES, SERVICES, INGRESSES, ROUTES] {
        rights.look(&[Verb::List], &aim.beside(resource));
    }
    needs_foreign(aim, rights);
}

/// What [`foreign`] reads.
pub(crate) fn needs_foreign(aim: &Aim<'_>, rights: &mut Rights) {
    for resource in FOREIGN {
        rights.look(&[Verb::List], &aim.beside(resource));
    }
}

fn wrong(why: String) -> Reason {
    Reason::WrongLever { why }
}

/// The DaemonSet of the network that is known to enforce NetworkPolicies here. Nobody looks where the policy says that one
/// does.
pub(crate) async fn enforcer(cluster: &dyn Cluster, declared: bool) -> Result<Option<String>, LookError> {
    if declared {
        return Ok(None);
    }
    let found = cluster.list(DAEMON_SETS, "", "").await?;
    let is_known = |name: &&str| WITHOUT_NODES.contains(name) || ENFORCERS.contains(name);
    // First those under which more stands against a block.
    let mut names: Vec<&str> = found.iter().map(|set| text(set, "/metadata/name")).filter(is_known).collect();
    names.sort_by_key(|name| (ENFORCERS.contains(name), *name));
    Ok(names.first().map(|name| (*name).to_owned()))
}

/// Whether a block would leave the nodes in, and be enforced at all.
///
/// # Errors
/// Why not, as far as it is known.
pub(crate) fn keeps_nodes(enforcer: Option<&str>, declared: bool) -> Result<String, Reason> {
    match enforcer {
        Some(name) if WITHOUT_NODES.contains(&name) => Err(wrong(format!(
            "ranges of a NetworkPolicy match no node under {name}, so that a block would cut the nodes off; set enforced: \
             true once a probe from a node has shown that they still reach pods so closed"
        ))),
        found => enforced(found, declared),
    }
}

/// Without a network that enforces it a NetworkPolicy is a wish.
///
/// # Errors
/// Where none is known that does, and nobody says so.
pub(crate) fn enforced(enforcer: Option<&str>, declared: bool) -> Result<String, Reason> {
    match enforcer {
        Some(name) => Ok(format!("{name} enforces NetworkPolicies")),
        None if declared => Ok("the policy says that this cluster's network enforces NetworkPolicies".into()),
        None => Err(wrong(
            "no network that enforces NetworkPolicies is recognised; set enforced: true once somebody has seen one hold"
                .into(),
        )),
    }
}

/// The labels of all pods that the policy would select: of the template, and of what runs.
async fn pods(
    cluster: &dyn Cluster,
    target: &Target,
    workload: &Value,
    template: &Value,
) -> Result<Vec<Labels>, LookError> {
    let selector = workload.pointer("/spec/selector").cloned().unwrap_or_default();
    let equal: Vec<String> =
        texts(&selector, "/matchLabels").iter().map(|(key, value)| format!("{key}={value}")).collect();
    let found = cluster.list(PODS, &target.namespace, &equal.join(",")).await?;
    let labels = |object: &Value| texts(object, "/metadata/labels");
    let mut all = vec![labels(template)];
    all.extend(found.iter().map(labels).filter(|labels| selects(&selector, labels)));
    all.sort();
    all.dedup();
    Ok(all)
}

/// No other NetworkPolicy may select one of these pods.
async fn others(
    cluster: &dyn Cluster,
    target: &Target,
    pods: &[Labels],
    ranges: &[AddressRange],
    checks: &mut Checks,
) -> Result<(), LookError> {
    let own = address(target);
    let found = cluster.list(POLICIES, &target.namespace, "").await?;
    let mut free = true;
    for policy in found.iter().filter(|policy| text(policy, "/metadata/name") != own.name) {
        let selector = policy.pointer("/spec/podSelector").cloned().unwrap_or_default();
        if !is_of_ingress(policy) || !pods.iter().any(|labels| selects(&selector, labels)) {
            continue;
        }
        free = false;
        let name = POLICIES.named(&target.namespace, text(policy, "/metadata/name")).to_string();
        checks.refuse(wrong(match ranges.iter().find(|range| lets_in(policy, **range)) {
            Some(range) => format!("{name} lets {range} in, and no other NetworkPolicy can take that back"),
            None => format!("{name} closes these pods, and a block would open them to everybody else"),
        }));
    }
    if free {
        checks.pass("no other NetworkPolicy selects these pods now; one that is added later may let in whom we keep out");
    }
    Ok(())
}

fn is_of_ingress(policy: &Value) -> bool {
    let types = policy.pointer("/spec/policyTypes").and_then(Value::as_array);
    types.is_none_or(|types| types.iter().any(|one| one == "Ingress"))
}

/// Whether a policy lets in any address of a range, from outside.
fn lets_in(policy: &Value, range: AddressRange) -> bool {
    let rules = policy.pointer("/spec/ingress").and_then(Value::as_array);
    rules.into_iter().flatten().any(|rule| match rule.get("from").and_then(Value::as_array) {
        None => true,
        Some(peers) if peers.is_empty() => true,
        Some(peers) => peers.iter().filter_map(|peer| peer.get("ipBlock")).any(|block| {
            let parsed = |value: &Value| value.as_str().and_then(|text| AddressRange::loose(text).ok());
            let except = block.get("except").and_then(Value::as_array);
            let all = block.get("cidr").and_then(parsed).is_none_or(|all| all.overlaps(range));
            all && !except.into_iter().flatten().filter_map(parsed).any(|but| but.contains(range))
        }),
    })
}

/// Policies of other kinds cannot be judged here.
pub(crate) async fn foreign(
    cluster: &dyn Cluster,
    namespace: &str,
    checks: &mut Checks,
) -> Result<(), LookError> {
    let mut found = Vec::new();
    for resource in FOREIGN {
        match cluster.list(resource, if resource.namespaced { namespace } else { "" }, "").await {
            Err(LookError::Absent { .. }) => {}
            Err(error) => return Err(error),
            Ok(objects) => found.extend(objects.first().map(|first| {
                format!("{}.{} {}", resource.kind, resource.group, text(first, "/metadata/name"))
            })),
        }
    }
    checks.note(if found.is_empty() {
        Ok("no policies of other kinds are there".into())
    } else {
        Err(wrong(format!("nobody here can judge what {} allow and deny; do it there", found.join(", "))))
    });
    Ok(())
}

/// The Services of these pods; one that hides its clients' addresses makes a block by them useless.
async fn services(
    cluster: &dyn Cluster,
    namespace: &str,
    pods: &[Labels],
    checks: &mut Checks,
) -> Result<Vec<String>, LookError> {
    let mut names = Vec::new();
    let mut hides = Vec::new();
    for service in cluster.list(SERVICES, namespace, "").await? {
        let selector = texts(&service, "/spec/selector");
        let meets = |labels: &Labels| selector.iter().all(|(key, value)| labels.get(key) == Some(value));
        if selector.is_empty() || !pods.iter().any(meets) {
            continue;
        }
        let name = text(&service, "/metadata/name").to_owned();
        let is_open = ["LoadBalancer", "NodePort"].contains(&text(&service, "/spec/type"));
        if is_open && text(&service, "/spec/externalTrafficPolicy") != "Local" {
            hides.push(name.clone());
        }
        names.push(name);
    }
    checks.note(if hides.is_empty() {
        Ok("no Service hides its clients' addresses".into())
    } else {
        Err(wrong(format!(
            "behind Service {} pods see a node's address (externalTrafficPolicy is not Local)",
            hides.join(", ")
        )))
    });
    Ok(names)
}

/// Behind a proxy pods see its address alone: a block would miss the client, or cut off the proxy.
async fn proxied(
    cluster: &dyn Cluster,
    namespace: &str,
    services: &[String],
    checks: &mut Checks,
) -> Result<(), LookError> {
    let mut proxies = Vec::new();
    for resource in [INGRESSES, ROUTES] {
        match cluster.list(resource, namespace, "").await {
            Err(LookError::Absent { .. }) => {}
            Err(error) => return Err(error),
            Ok(objects) => {
                let leads = |object: &&Value| services.iter().any(|name| names_service(object, name));
                proxies.extend(
                    objects
                        .iter()
                        .filter(leads)
                        .map(|object| format!("{} {}", resource.kind, text(object, "/metadata/name"))),
                );
            }
        }
    }
    checks.note(if proxies.is_empty() {
        Ok("no Ingress and no HTTPRoute leads to these pods".into())
    } else {
        Err(wrong(format!(
            "{} leads to these pods, which see the proxy's address; by: ingressNginx on the Ingress reaches the client",
            proxies.join(", ")
        )))
    });
    Ok(())
}

/// Whether a Service is a backend anywhere in it.
fn names_service(object: &Value, service: &str) -> bool {
    match object {
        Value::Object(fields) => fields.iter().any(|(key, value)| match key.as_str() {
            "service" => value.get("name").is_some_and(|name| name == service),
            "backendRefs" => {
                let refs = value.as_array();
                refs.into_iter().flatten().any(|one| one.get("name").is_some_and(|name| name == service))
            }
            "metadata" | "status" => false,
            _ => names_service(value, service),
        }),
        Value::Array(items) => items.iter().any(|item| names_service(item, service)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
