//! Ends one pod whose controller makes another: by an eviction, which its PodDisruptionBudgets may refuse, or by a delete
//! (`delete_pod`), which goes past them. One request that tests the pod's uid, then a watch until it is gone. It must never
//! try again where a budget said no, and never end what nothing would replace.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::{Beside, Preflight, Surroundings};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::evict_pod::{Action, LocalStorage, POD, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::Value;

use crate::block_ip::{text, texts};
use crate::checks::{self, Checks, Seen};
use crate::makers;
use crate::one_change::{self, Carried, OneChange, Trace};
use crate::pods::{self, BUDGETS, JOBS, NAMESPACES, PODS};
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload};
use crate::ports::objects::{Address, ObjectChange, REPLICA_SETS};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::retry;
use crate::rights::{Aim, At, Needs, Rights, Verb};
use crate::seal::Sealed;

/// How often a pod that ends is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// By which request a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// As its budgets allow.
    Evict,
    /// Past its budgets.
    Delete,
}

impl How {
    fn verb(self) -> &'static str {
        match self {
            Self::Evict => "evicted",
            Self::Delete => "deleted",
        }
    }
}

/// What a look at a pod that is to end reads; the pod.
pub(crate) fn ending_needs(aim: &Aim<'_>, rights: &mut Rights) -> At {
    let pod = aim.target_of(PODS);
    rights.look(&[Verb::Get], &pod);
    rights.look(&[Verb::Get], &aim.home());
    rights.look(&[Verb::List], &aim.beside(BUDGETS));
    rights.look(&[Verb::Get], &aim.beside(pods::JOBS));
    rights.maker(aim, false);
    pod
}

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let pod = ending_needs(aim, rights);
        rights.change(&[Verb::Create], &pod.sub("eviction"));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let local_storage = self.local_storage;
        let action = |controller: String| action::Action::EvictPod(Action { controller, local_storage });
        preflight(eyes, target, How::Evict, local_storage, diff, action).await
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("eviction"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        rehearse(eyes, seal, &Ending::of(seal, How::Evict, self.local_storage)).await
    }

    /// Watches until the pod is gone.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        perform(hands, seal, &Ending::of(seal, How::Evict, self.local_storage)).await
    }

    /// By the pod itself: gone is what was wanted, and one that is told to end ends.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        close(eyes, seal, &Ending::of(seal, How::Evict, self.local_storage)).await
    }
}

/// What a look at a pod shows.
pub(crate) struct Looked {
    pod: Option<Value>,
    budgets: Vec<Value>,
    namespace: Option<Value>,
    workload: Option<Workload>,
    /// What made it, and where that is.
    maker: Option<(Address, Value)>,
}

async fn look(cluster: &dyn Cluster, namespace: &str, name: &str) -> Result<Looked, LookError> {
    let pod = cluster.get(&PODS.named(namespace, name)).await?;
    let budgets = cluster.list(BUDGETS, namespace, "").await?;
    let space = cluster.get(&NAMESPACES.named("", namespace)).await?;
    let (workload, maker) = match &pod {
        Some(pod) => {
            let maker = match makers::address(pod) {
                Some(at) => cluster.get(&at).await?.map(|object| (at, object)),
                None => None,
            };
            let set = maker.as_ref().filter(|(at, _)| at.resource == REPLICA_SETS).map(|(_, set)| set);
            (pods::workload_above(cluster, pod, set).await?, maker)
        }
        None => (None, None),
    };
    Ok(Looked { pod, budgets, namespace: space, workload, maker })
}

impl Looked {
    fn uid(&self) -> Option<&str> {
        self.pod.as_ref().map(|pod| text(pod, "/metadata/uid"))
    }

    /// Notes what stands against the end of this pod.
    fn obstacles(&self, pod: &Value, how: How, storage: LocalStorage, now: Moment, checks: &mut Checks) {
        checks.note(pods::pause("pod", Some(pod), now));
        checks.note(pods::pause("namespace", self.namespace.as_ref(), now));
        if let Some(workload) = &self.workload {
            checks.note(checks::pause("workload", &workload.annotations, now));
        }
        checks.note(pods::replaced(pod).map(|owner| format!("{owner} makes another in its place")));
        checks.note(pods::free(pod));
        if let Some((_, job)) = self.maker.as_ref().filter(|(at, _)| at.resource == JOBS) {
            checks.note(pods::tried_again(pod, job));
        }
        checks.note(pods::storage(pod, storage));
        match (how, pods::disruptable(&self.budgets, pod)) {
            (How::Evict, found) => checks.note(found),
            (How::Delete, Ok(found)) => checks.pass(found),
            (How::Delete, Err(reason)) => checks.pass(format!("a delete goes past it: {reason}")),
        }
    }
}

/// The preflight of both.
pub(crate) async fn preflight(
    eyes: Eyes<'_>,
    target: &Target,
    how: How,
    storage: LocalStorage,
    diff: bool,
    action: impl FnOnce(String) -> action::Action,
) -> Result<Preflight, LookError> {
    let cluster = eyes.cluster()?;
    let mut checks = Checks::default();
    if target.kind != POD {
        checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: POD.into() });
        return Ok(checks.into_preflight(Seen::default(), None, false));
    }
    let looked = look(cluster, &target.namespace, &target.name).await?;
    let Some(pod) = &looked.pod else { return Err(LookError::Absent { what: target.to_string() }) };
    let uid = text(pod, "/metadata/uid").to_owned();
    let added = u32::from(pods::is_ready(pod));
    let surroundings = match (&looked.workload, pods::controller(pod)) {
        (Some(workload), _) => Some(Surroundings { added, ..workload.surroundings }),
        // A run of a Job is no replica of anything.
        (None, Some(owner)) if owner.kind == "Job" => {
            Some(Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 })
        }
        (None, _) => None,
    };
    let labels = texts(pod, "/metadata/labels");
    let mut beside = Beside::default();
    let known = looked.maker.iter().cloned().collect::<BTreeMap<_, _>>();
    let makers = makers::labels(cluster, &[pod], &known, &mut beside, &mut checks).await?;
    let mut seen = Seen { uid: uid.clone(), labels, beside, surroundings, diff: None };
    if pods::is_going(pod) {
        checks.pass("it has been told to end already");
        return Ok(checks.into_preflight(seen, None, true));
    }
    looked.obstacles(pod, how, storage, eyes.now(), &mut checks);
    makers::pauses(&makers, eyes.now(), &mut checks);
    let ending = Ending { target, uid: &uid, how, storage };
    if diff && checks.is_clear() {
        seen.diff = one_change::preview(cluster, &ending.request(), &mut checks).await;
    }
    let controller = pods::controller(pod).map(|owner| owner.to_string()).unwrap_or_default();
    Ok(checks.into_preflight(seen, Some(action(controller)), false))
}

/// The end of one pod.
pub(crate) struct Ending<'a> {
    pub(crate) target: &'a Target,
    pub(crate) uid: &'a str,
    pub(crate) how: How,
    pub(crate) storage: LocalStorage,
}

impl<'a> Ending<'a> {
    /// As its intent has it.
    pub(crate) fn of(seal: &'a Sealed<Intent>, how: How, storage: LocalStorage) -> Self {
        Self { target: &seal.target, uid: &seal.uid, how, storage }
    }

    fn request(&self) -> ClusterChange {
        let pod = PODS.named(&self.target.namespace, &self.target.name);
        let uid = self.uid.to_owned();
        ClusterChange::Object(match self.how {
            How::Evict => ObjectChange::Evict { pod, uid },
            How::Delete => ObjectChange::Delete { at: pod, uid, version: None },
        })
    }
}

#[async_trait]
impl OneChange for Ending<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        look(cluster, &self.target.namespace, &self.target.name).await
    }

    fn change(&self, _: &Looked) -> Result<ClusterChange, Reason> {
        Ok(self.request())
    }

    fn obstacles(&self, looked: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        match &looked.pod {
            Some(pod) => looked.obstacles(pod, self.how, self.storage, now, &mut checks),
            None => checks.refuse(Reason::TargetAbsent { what: self.target.to_string() }),
        }
        checks
    }

    /// Whoever asked for it: that pod is to go, and no other.
    fn trace(&self, looked: &Looked) -> Trace {
        let is_here = looked.uid() == Some(self.uid);
        let is_going = looked.pod.as_ref().is_some_and(pods::is_going);
        if is_here && !is_going { Trace::NotMade } else { Trace::Made }
    }

    fn diff(&self) -> Diff {
        let path = PODS.named(&self.target.namespace, &self.target.name).to_string();
        let change = Change { path, before: "running".into(), after: self.how.verb().into() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

pub(crate) async fn rehearse(eyes: Eyes<'_>, seal: &Sealed<Intent>, ending: &Ending<'_>) -> Outcome {
    match one_change::rehearse(eyes, seal, ending).await {
        Outcome::Refused { reasons } => Outcome::Refused { reasons: named(eyes, ending, reasons).await },
        other @ (Outcome::Done { .. }
        | Outcome::Collected { .. }
        | Outcome::Failed { .. }
        | Outcome::Unknown { .. }) => other,
    }
}

pub(crate) async fn perform(hands: BothHands<'_>, seal: &Sealed<Intent>, ending: &Ending<'_>) -> Outcome {
    match one_change::carried_out(hands, seal, ending).await {
        Ok(Carried::Made(diff)) => watch(hands.eyes, seal, ending, diff).await,
        // It went by itself, or by somebody else: nothing was asked for.
        Ok(Carried::Found) => match gone(hands.eyes, seal, ending).await {
            Ok(()) => Outcome::Done { diff: None, already: true },
            Err(seen) => one_change::failed(format!(
                "{} had been told to end by somebody else, and was not gone by {}: {seen}",
                ending.target, seal.deadline
            )),
        },
        Err(Outcome::Refused { reasons }) => {
            Outcome::Refused { reasons: named(hands.eyes, ending, reasons).await }
        }
        Err(outcome) => outcome,
    }
}

/// Whether its request has left before the process ended is not known, so only that the pod is gone is told.
pub(crate) async fn close(eyes: Eyes<'_>, seal: &Sealed<Intent>, ending: &Ending<'_>) -> Outcome {
    match one_change::closed(eyes, seal, ending).await {
        Ok(diff) => watch(eyes, seal, ending, told(diff, "gone")).await,
        Err(outcome) => outcome,
    }
}

fn told(mut diff: Diff, after: &str) -> Diff {
    for field in &mut diff.fields {
        after.clone_into(&mut field.after);
    }
    diff
}

/// The API server says only that "the pod's disruption budget" does not allow it: this says which.
pub(crate) async fn named(eyes: Eyes<'_>, ending: &Ending<'_>, reasons: Vec<Reason>) -> Vec<Reason> {
    let [Reason::ServerRefused { message }] = reasons.as_slice() else { return reasons };
    if !message.contains("disruption budget") {
        return reasons;
    }
    let Ok(cluster) = eyes.cluster() else { return reasons };
    let Ok(looked) = ending.look(cluster).await else { return reasons };
    let Some(pod) = &looked.pod else { return reasons };
    let found = pods::budgets(&looked.budgets, pod);
    let names: Vec<&str> = found.iter().map(|budget| text(budget, "/metadata/name")).collect();
    if names.is_empty() {
        return reasons;
    }
    vec![Reason::DisruptionBudget { budget: names.join(", "), allowed: 0 }]
}

/// Looks at least once, so that a pod that was gone before its deadline is seen to be gone after a crash too.
async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, ending: &Ending<'_>, diff: Diff) -> Outcome {
    match gone(eyes, seal, ending).await {
        Ok(()) => Outcome::Done { diff: Some(diff), already: false },
        Err(seen) => Outcome::Failed {
            what: format!("{} was told to end, and was not gone by {}: {seen}", ending.target, seal.deadline),
            applied: true,
            diff: None,
        },
    }
}

/// Waits until a pod is gone.
///
/// # Errors
/// What was seen instead, at the deadline.
pub(crate) async fn gone(eyes: Eyes<'_>, seal: &Sealed<Intent>, ending: &Ending<'_>) -> Result<(), String> {
    let at = PODS.named(&ending.target.namespace, &ending.target.name);
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(ending.target),
            || async { eyes.cluster()?.get(&at).await },
        );
        let seen = match looked.await {
            Ok(None) => return Ok(()),
            Ok(Some(pod)) if text(&pod, "/metadata/uid") != ending.uid => return Ok(()),
            Ok(Some(pod)) => match pod.pointer("/metadata/finalizers").and_then(Value::as_array) {
                Some(finalizers) if !finalizers.is_empty() => "finalizers hold it".to_owned(),
                _ => "it still ends, or its node does not answer".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            return Err(seen);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
