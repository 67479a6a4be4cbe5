//! From what an alert names to the workload that is meant. Never takes one of several.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, PodTemplateSpec, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Client;
use kube::api::Api;
use paramedic_policies::target::{Origin, Sought, Target};

use super::calls::get;
use super::kinds::Kind;
use super::selector::service_selects;
use super::surroundings::workloads;
use crate::ports::cluster::LookError;

/// Which object is meant.
pub(super) async fn seek(client: &Client, sought: &Sought) -> Result<Target, LookError> {
    match sought {
        Sought::Named(target) => named(client, target).await,
        Sought::OwnerOf { origin: Origin::Pod, namespace, name } => of_pod(client, namespace, name).await,
        Sought::OwnerOf { origin: Origin::Service, namespace, name } => {
            of_service(client, namespace, name).await
        }
        Sought::OwnerOf { origin: Origin::Node, name, .. } => node(client, name).await,
    }
}

async fn named(client: &Client, target: &Target) -> Result<Target, LookError> {
    let (namespace, name, what) = (&target.namespace, &target.name, target.to_string());
    match target.kind.as_str() {
        "Node" => return node(client, name).await,
        "Service" => {
            get(&Api::<Service>::namespaced(client.clone(), namespace), name, &what).await?;
        }
        "ConfigMap" => {
            get(&Api::<ConfigMap>::namespaced(client.clone(), namespace), name, &what).await?;
        }
        "Pod" => {
            get(&Api::<Pod>::namespaced(client.clone(), namespace), name, &what).await?;
        }
        _ => match Kind::of(client, target).await? {
            Kind::Deployment(api) => drop(get(&api, name, &what).await?),
            Kind::StatefulSet(api) => drop(get(&api, name, &what).await?),
            Kind::DaemonSet(api) => drop(get(&api, name, &what).await?),
            Kind::Other(api) => drop(get(&api, name, &what).await?),
        },
    }
    Ok(target.clone())
}

async fn node(client: &Client, name: &str) -> Result<Target, LookError> {
    get(&Api::<Node>::all(client.clone()), name, &format!("node {name}")).await?;
    Ok(Target { kind: "Node".into(), namespace: String::new(), name: name.to_owned() })
}

async fn of_pod(client: &Client, namespace: &str, name: &str) -> Result<Target, LookError> {
    let what = format!("pod {namespace}/{name}");
    let pod = get(&Api::<Pod>::namespaced(client.clone(), namespace), name, &what).await?;
    let Some(owner) = controller(&pod.metadata) else {
        return Err(LookError::Absent { what: format!("workload that owns {what}") });
    };
    if owner.kind == "ReplicaSet" && group(owner) == "apps" {
        let what = format!("ReplicaSet {namespace}/{}", owner.name);
        let api = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
        let set = get(&api, &owner.name, &what).await?;
        return Ok(target(namespace, controller(&set.metadata).unwrap_or(owner)));
    }
    if owner.kind == "Node" {
        return Err(LookError::Absent { what: format!("workload that owns {what}: it is a static pod") });
    }
    Ok(target(namespace, owner))
}

/// The three kinds by name, others as `Kind.group`.
fn target(namespace: &str, owner: &OwnerReference) -> Target {
    let kind = match (owner.kind.as_str(), group(owner)) {
        (kind @ ("Deployment" | "StatefulSet" | "DaemonSet"), "apps") => kind.to_owned(),
        (kind, group) => format!("{kind}.{group}"),
    };
    Target { kind, namespace: namespace.to_owned(), name: owner.name.clone() }
}

fn group(owner: &OwnerReference) -> &str {
    owner.api_version.split_once('/').map_or("", |(group, _)| group)
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

async fn of_service(client: &Client, namespace: &str, name: &str) -> Result<Target, LookError> {
    let what = format!("service {namespace}/{name}");
    let service = get(&Api::<Service>::namespaced(client.clone(), namespace), name, &what).await?;
    let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
    let (deployments, stateful_sets, daemon_sets) = workloads(client, namespace).await?;
    let is_meant = |template: Option<&PodTemplateSpec>| {
        let labels = template.and_then(|template| template.metadata.as_ref()?.labels.as_ref());
        labels.is_some_and(|labels| service_selects(&selector, labels))
    };
    let mut found = Vec::new();
    for one in deployments {
        if is_meant(one.spec.as_ref().map(|spec| &spec.template)) {
            found.push(("Deployment", one.metadata));
        }
    }
    for one in stateful_sets {
        if is_meant(one.spec.as_ref().map(|spec| &spec.template)) {
            found.push(("StatefulSet", one.metadata));
        }
    }
    for one in daemon_sets {
        if is_meant(one.spec.as_ref().map(|spec| &spec.template)) {
            found.push(("DaemonSet", one.metadata));
        }
    }
    let mut found: Vec<Target> = found
        .into_iter()
        .map(|(kind, metadata)| Target {
            kind: kind.into(),
            namespace: namespace.to_owned(),
            name: metadata.name.unwrap_or_default(),
        })
        .collect();
    match (found.pop(), found.as_slice()) {
        (Some(one), []) => Ok(one),
        (None, _) => Err(LookError::Absent { what: format!("workload whose pods {what} selects") }),
        (Some(one), others) => {
            let mut names: Vec<String> = others.iter().chain([&one]).map(Target::to_string).collect();
            names.sort();
            Err(LookError::Absent {
                what: format!("single workload behind {what}, it selects {}", names.join(", ")),
            })
        }
    }
}
