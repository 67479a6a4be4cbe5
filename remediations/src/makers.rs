//! What made pods, by their owner references, up to what people wrote: each object once, by one small request, for the labels
//! that protect it. It must never ask for a kind that no role gives us (`READ`): of those the pods' own labels count.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use paramedic_policies::answer::Beside;
use paramedic_policies::time::Moment;
use serde_json::Value;

use crate::block_ip::{DAEMON_SETS, text, texts};
use crate::checks::Checks;
use crate::pods::{self, Controller, JOBS};
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::{Address, DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, Resource};

pub(crate) const STATEFUL_SETS: Resource = Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet");
pub(crate) const CRON_JOBS: Resource = Resource::namespaced("batch", "v1", "cronjobs", "CronJob");

/// The kinds that are read. `Rights::maker` asks for each; any other is of somebody's own making, and no role of ours names it.
pub(crate) const READ: [Resource; 7] =
    [REPLICA_SETS, DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, ROLLOUTS, JOBS, CRON_JOBS];

/// Pod, ReplicaSet, Deployment; pod, Job, CronJob.
const LEVELS: usize = 2;

/// So many requests at once: a drain must not load an API server that may be in trouble already.
pub(crate) const AT_ONCE: usize = 8;

/// What made an object, where it is of a kind that is read.
pub(crate) fn address(object: &Value) -> Option<Address> {
    let owner = pods::controller(object)?;
    let kind = READ.into_iter().find(|one| one.kind == owner.kind && one.group == owner.group)?;
    Some(kind.named(text(object, "/metadata/namespace"), &owner.name))
}

/// What made these pods, and what made that. Of what is `known` already nothing is asked; what is gone is left out.
///
/// # Errors
/// When nobody knows, or may not know.
pub(crate) async fn of(
    cluster: &dyn Cluster,
    pods: &[&Value],
    known: &BTreeMap<Address, Value>,
) -> Result<BTreeMap<Address, Value>, LookError> {
    let mut found = BTreeMap::new();
    let mut wanted: BTreeSet<Address> = pods.iter().filter_map(|pod| address(pod)).collect();
    for _ in 0..LEVELS {
        let (here, asked): (Vec<Address>, Vec<Address>) =
            wanted.into_iter().partition(|at| known.contains_key(at));
        let mut level = got(cluster, asked).await?;
        level.extend(here.into_iter().filter_map(|at| known.get(&at).cloned().map(|object| (at, object))));
        wanted = level.values().filter_map(address).filter(|at| !found.contains_key(at)).collect();
        found.extend(level);
    }
    Ok(found)
}

/// These objects, a few at once, without those that are not there.
///
/// # Errors
/// When nobody knows of one of them.
pub(crate) async fn got(
    cluster: &dyn Cluster,
    wanted: impl IntoIterator<Item = Address>,
) -> Result<BTreeMap<Address, Value>, LookError> {
    let asked = wanted.into_iter().map(|at| async {
        let object = cluster.get(&at).await?;
        Ok(object.map(|object| (at, object)))
    });
    futures::stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|one| async { Ok(one) })
        .try_collect()
        .await
}

/// The labels of what made these pods, and of what made that; notes of which kinds none are read. Gives what was read.
///
/// # Errors
/// As [`of`].
pub(crate) async fn labels(
    cluster: &dyn Cluster,
    pods: &[&Value],
    known: &BTreeMap<Address, Value>,
    beside: &mut Beside,
    checks: &mut Checks,
) -> Result<BTreeMap<Address, Value>, LookError> {
    let makers = of(cluster, pods, known).await?;
    for (at, object) in &makers {
        beside.add(&at.to_string(), &texts(object, "/metadata/labels"));
    }
    let unread = unread(pods);
    if !unread.is_empty() {
        let kinds = unread.into_iter().collect::<Vec<_>>().join(", ");
        checks.pass(format!(
            "labels of {kinds} are not read; what these make is protected by labels of its pods"
        ));
    }
    Ok(makers)
}

/// A pause on what people wrote of these: what another of them made is none of theirs (a ReplicaSet keeps for ever each
/// annotation that its Deployment ever had).
pub(crate) fn pauses(makers: &BTreeMap<Address, Value>, now: Moment, checks: &mut Checks) {
    let is_made = |object: &Value| address(object).is_some_and(|above| makers.contains_key(&above));
    for (at, object) in makers.iter().filter(|(_, object)| !is_made(object)) {
        if let refused @ Err(_) = pods::pause(&at.to_string(), Some(object), now) {
            checks.note(refused);
        }
    }
}

/// The kinds of what made pods that are not read.
fn unread(pods: &[&Value]) -> BTreeSet<String> {
    let strange = pods.iter().filter(|pod| !pods::is_static(pod) && address(pod).is_none());
    let kind = |owner: Controller| match owner.group.as_str() {
        "" => owner.kind,
        group => format!("{}.{group}", owner.kind),
    };
    strange.filter_map(|pod| pods::controller(pod)).map(kind).collect()
}
