//! What stands around a workload: its namespace's annotations and replicas, and how many workloads the cluster has.
//! Anything that cannot be read fails the whole look: a guard must not judge by half the facts.

use std::collections::BTreeMap;

use futures::future::try_join;
use futures::try_join;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use paramedic_policies::answer::Surroundings;

use super::calls::{count as count_all, get, list};
use super::strategies::count;
use crate::ports::cluster::LookError;

/// A namespace with its workloads.
pub(super) struct Around {
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) surroundings: Surroundings,
}

/// All of it.
pub(super) async fn around(client: &Client, namespace: &str) -> Result<Around, LookError> {
    let replicas = async {
        let (deployments, stateful_sets, daemon_sets) = workloads(client, namespace).await?;
        Ok(tally(&deployments, &stateful_sets, &daemon_sets))
    };
    let (annotations, mut surroundings, workloads) =
        try_join!(annotations(client, namespace), replicas, counted(client))?;
    surroundings.workloads = workloads;
    Ok(Around { annotations, surroundings })
}

/// The annotations of a namespace.
async fn annotations(client: &Client, namespace: &str) -> Result<BTreeMap<String, String>, LookError> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let found = get(&namespaces, namespace, &format!("namespace {namespace}")).await?;
    Ok(found.metadata.annotations.unwrap_or_default())
}

/// The workloads of a namespace.
pub(super) async fn workloads(
    client: &Client,
    namespace: &str,
) -> Result<(Vec<Deployment>, Vec<StatefulSet>, Vec<DaemonSet>), LookError> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let stateful_sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), namespace);
    let of = |what: &str| format!("{what} of namespace {namespace}");
    let names = [of("Deployments"), of("StatefulSets"), of("DaemonSets")];
    try_join!(list(&deployments, &names[0]), list(&stateful_sets, &names[1]), list(&daemon_sets, &names[2]))
}

async fn counted(client: &Client) -> Result<u32, LookError> {
    let deployments = Api::<Deployment>::all(client.clone());
    let stateful_sets = Api::<StatefulSet>::all(client.clone());
    let daemon_sets = Api::<DaemonSet>::all(client.clone());
    let sets = try_join(
        count_all(&stateful_sets, "StatefulSets of the cluster"),
        count_all(&daemon_sets, "DaemonSets of the cluster"),
    );
    let (deployments, (stateful_sets, daemon_sets)) =
        try_join(count_all(&deployments, "Deployments of the cluster"), sets).await?;
    Ok(deployments.saturating_add(stateful_sets).saturating_add(daemon_sets))
}

fn tally(
    deployments: &[Deployment],
    stateful_sets: &[StatefulSet],
    daemon_sets: &[DaemonSet],
) -> Surroundings {
    let of_deployments = deployments.iter().map(|one| {
        let wanted = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        (wanted, one.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0))
    });
    let of_stateful_sets = stateful_sets.iter().map(|one| {
        let wanted = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        (wanted, one.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0))
    });
    let of_daemon_sets = daemon_sets.iter().map(|one| {
        let status = one.status.as_ref();
        let wanted = status.map_or(0, |status| status.desired_number_scheduled);
        (wanted, status.and_then(|status| status.number_available).unwrap_or(0))
    });
    let mut all = Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 };
    for (wanted, available) in of_deployments.chain(of_stateful_sets).chain(of_daemon_sets) {
        all.desired = all.desired.saturating_add(count(wanted));
        all.unavailable = all.unavailable.saturating_add(count(wanted.saturating_sub(available)));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_and_not_available_is_unavailable() {
        let deployment = |replicas: i32, available: i32| -> Deployment {
            let spec = json!({"replicas": replicas, "selector": {}, "template": {}});
            let object = json!({"spec": spec, "status": {"availableReplicas": available}});
            serde_json::from_value(object).expect("a Deployment")
        };
        let all = tally(&[deployment(4, 1), deployment(2, 3)], &[], &[]);
        assert_eq!((all.desired, all.unavailable), (6, 3), "more than wanted makes up for nothing");
    }
}
