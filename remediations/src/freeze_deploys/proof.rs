//! The proof of a freeze: the API server refuses a new pod template, and names the freeze. By a dry run alone.

use std::time::Duration;

use paramedic_policies::action::{Diff, DiffSource, Intent};
use paramedic_policies::target::Target;
use serde_json::json;

use super::SPACE;
use super::admission::{self, PROBE};
use crate::ports::clock::left;
use crate::ports::cluster::{ChangeError, Cluster, ClusterChange};
use crate::ports::objects::{Address, DEPLOYMENTS, ObjectChange, Resource, add};
use crate::remedy::Eyes;
use crate::seal::Sealed;

/// What a proof is tried on: every kind that is frozen and that Kubernetes itself knows.
pub(super) const WORKLOADS: [Resource; 3] = [
    DEPLOYMENTS,
    Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet"),
    Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet"),
];

/// How long the API server may take to refuse what it was told to refuse: it learns of its own policies by a watch.
const PROVEN_WITHIN: Duration = Duration::from_secs(30);

/// How often that is tried.
const PROVE_EVERY: Duration = Duration::from_millis(500);

/// Shows that a new pod template of the target is refused by this freeze: a dry run, and its mark makes the policy
/// refuse us too.
///
/// # Errors
/// What was seen instead, until time was up.
pub(super) async fn proven(
    eyes: Eyes<'_>,
    seal: &Sealed<Intent>,
    namespaces: &[String],
) -> Result<(), String> {
    let cluster = eyes.cluster().map_err(|error| error.to_string())?;
    let name = admission::name(seal.stamp());
    let probe = probe(cluster, &seal.target, namespaces, seal.stamp()).await?;
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline).min(PROVEN_WITHIN);
    loop {
        let seen = match cluster.preview(&probe, seal.stamp()).await {
            Ok(Diff { source: DiffSource::Computed { because }, .. }) => because,
            Ok(Diff { source: DiffSource::ServerDryRun | DiffSource::Applied, .. }) => {
                "it is let through".into()
            }
            Err(ChangeError::Refused { message, .. } | ChangeError::Forbidden { message }) => message,
            Err(error @ (ChangeError::NotSent { .. } | ChangeError::NoAnswer { .. })) => error.to_string(),
        };
        if seen.contains(&name) {
            return Ok(());
        }
        if tokio::time::Instant::now() + PROVE_EVERY > until {
            return Err(seen);
        }
        tokio::time::sleep(PROVE_EVERY).await;
    }
}

async fn probe(
    cluster: &dyn Cluster,
    target: &Target,
    namespaces: &[String],
    stamp: &str,
) -> Result<ClusterChange, String> {
    let known = WORKLOADS.into_iter().find(|resource| resource.kind == target.kind);
    let at = match (known, target.kind.as_str()) {
        (Some(resource), _) => resource.named(&target.namespace, &target.name),
        (None, SPACE) => match anything(cluster, namespaces).await? {
            Some(at) => at,
            // Nothing runs there that could be changed, so something new is tried.
            None => return Ok(newcomer(&target.name, stamp)),
        },
        (None, other) => return Err(format!("a {other} has no pod template")),
    };
    Ok(ClusterChange::Object(ObjectChange::Patch {
        at,
        subresource: None,
        // In a dry run only: it would take the other annotations away.
        operations: vec![add("/spec/template/metadata/annotations", json!({(PROBE): stamp}))],
        fields: Vec::new(),
    }))
}

/// Any workload of these namespaces.
async fn anything(cluster: &dyn Cluster, namespaces: &[String]) -> Result<Option<Address>, String> {
    for resource in WORKLOADS {
        for namespace in namespaces {
            let found = cluster.list(resource, namespace, "").await.map_err(|error| error.to_string())?;
            let names = found.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str());
            if let Some(name) = names.min() {
                return Ok(Some(resource.named(namespace, name)));
            }
        }
    }
    Ok(None)
}

/// A Deployment that is made in a dry run only.
fn newcomer(namespace: &str, stamp: &str) -> ClusterChange {
    let (resource, name) = (DEPLOYMENTS, "paramedic-freeze-probe");
    let labels = json!({"app.kubernetes.io/name": name});
    let container = json!({"name": "probe", "image": "registry.invalid/probe"});
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {(PROBE): stamp}},
                "spec": {"containers": [container]},
            },
        },
    });
    ClusterChange::Object(ObjectChange::Create { at: resource.named(namespace, name), object })
}
