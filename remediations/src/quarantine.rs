//! Cuts pods off from the network, and lets them go again: a NetworkPolicy of our own that isolates whatever carries the
//! label of this intent (`wall`), and that label on the pods (`steps`). The wall first, and last when it is taken down:
//! what is half done isolates nobody, or everybody who was meant. Never ends a pod: what runs in it is evidence.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::{Beside, Preflight, Surroundings};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::quarantine::{Action, Held, KINDS, Quarantine, Wish, Written};
use paramedic_policies::target::Target;
use serde_json::Value;

use crate::block_ip::{DAEMON_SETS, selects, text, texts};
use crate::checks::{self, Checks, Seen};
use crate::makers::{self, STATEFUL_SETS};
use crate::one_change::{self, OneChange as _, half};
use crate::pods::{self, NAMESPACES, PODS};
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload};
use crate::ports::objects::{DEPLOYMENTS, Resource};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb, everywhere};
use crate::seal::Sealed;
use crate::stamp;

pub(crate) use steps::left;

use steps::{Doing, Step};

mod ground;
mod steps;
mod wall;

/// Label of a pod in quarantine: the stamp of its intent.
pub(crate) const QUARANTINE: &str = "paramedic.dev/quarantine";

const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");

/// What a look before a quarantine shows.
struct Looked {
    uid: String,
    labels: BTreeMap<String, String>,
    pods: Vec<Value>,
    workload: Option<Workload>,
    namespace: Option<Value>,
    services: Vec<Value>,
}

async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Looked, LookError> {
    let here = target.namespace.as_str();
    let absent = || LookError::Absent { what: target.to_string() };
    let (uid, labels, pods, workload);
    if target.kind == "Pod" {
        let pod = cluster.get(&PODS.named(here, &target.name)).await?.ok_or_else(absent)?;
        (uid, labels) = (text(&pod, "/metadata/uid").to_owned(), texts(&pod, "/metadata/labels"));
        workload = pods::workload(cluster, &pod).await?;
        pods = vec![pod];
    } else {
        let resource = match target.kind.as_str() {
            "Deployment" => DEPLOYMENTS,
            "StatefulSet" => STATEFUL_SETS,
            _ => DAEMON_SETS,
        };
        let seen = cluster.look(target).await?;
        let object = cluster.get(&resource.named(here, &target.name)).await?.ok_or_else(absent)?;
        let selector = object.pointer("/spec/selector").cloned().unwrap_or_default();
        pods = of_selector(cluster, here, &selector).await?;
        (uid, labels) = (seen.uid.clone(), seen.labels.clone());
        workload = Some(seen);
    }
    let namespace = cluster.get(&NAMESPACES.named("", here)).await?;
    let services = cluster.list(SERVICES, here, "").await?;
    Ok(Looked { uid, labels, pods, workload, namespace, services })
}

/// The pods that a workload selects and that run.
async fn of_selector(cluster: &dyn Cluster, here: &str, selector: &Value) -> Result<Vec<Value>, LookError> {
    let equal: Vec<String> =
        texts(selector, "/matchLabels").iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut found = cluster.list(PODS, here, &equal.join(",")).await?;
    found.retain(|pod| selects(selector, &texts(pod, "/metadata/labels")) && !pods::is_over(pod));
    found.sort_by(|a, b| text(a, "/metadata/name").cmp(text(b, "/metadata/name")));
    Ok(found)
}

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let (all, walls) = (aim.beside(PODS), aim.beside(crate::block_ip::POLICIES));
        for pod in aim.only(&["Pod"]).targets() {
            rights.look(&[Verb::Get], &pod);
        }
        rights.maker(aim, false);
        rights.look(&[Verb::Get], &aim.home());
        rights.look(&[Verb::Get, Verb::List], &all);
        for resource in [SERVICES, crate::block_ip::POLICIES] {
            rights.look(&[Verb::List], &aim.beside(resource));
        }
        if !self.enforced {
            rights.look(&[Verb::List], &everywhere(DAEMON_SETS));
        }
        crate::block_ip::needs_foreign(aim, rights);
        rights.look(&[Verb::Get], &walls);
        rights.change(&[Verb::Create], &walls);
        rights.change(&[Verb::Patch], &all);
        rights.act(&[Verb::Delete], &walls);
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let mut checks = Checks::default();
        if !KINDS.contains(&target.kind.as_str()) {
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: KINDS.join(", ") });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let looked = look(cluster, target).await?;
        checks.note(pods::pause("namespace", looked.namespace.as_ref(), now));
        if let Some(workload) = &looked.workload {
            checks.note(checks::pause("workload", &workload.annotations, now));
        }
        for pod in looked.pods.iter().filter(|_| target.kind == "Pod") {
            checks.note(pods::pause("pod", Some(pod), now));
        }
        let walls = cluster.list(crate::block_ip::POLICIES, &target.namespace, "").await?;
        let (already, free): (Vec<&Value>, Vec<&Value>) =
            looked.pods.iter().partition(|pod| wall::holds(&walls, pod));
        for pod in &already {
            checks.pass(format!("{} is in quarantine already", pods::address(pod)));
        }
        if looked.pods.is_empty() {
            checks.refuse(Reason::TargetAbsent { what: format!("pod of {target} that runs") });
        }
        let bound = usize::try_from(self.max).unwrap_or(usize::MAX);
        if free.len() > bound {
            let value = i64::try_from(free.len()).unwrap_or(i64::MAX);
            let which = "max pods of the quarantine".into();
            checks.refuse(Reason::OutOfBounds { value, bound: i64::from(self.max), which });
        }
        let added = u32::try_from(free.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or(u32::MAX);
        let surroundings =
            looked.workload.as_ref().map(|workload| Surroundings { added, ..workload.surroundings });
        // A bare pod serves for no replica.
        let surroundings = surroundings.or_else(|| {
            let bare = looked.pods.iter().all(|pod| pods::controller(pod).is_none());
            bare.then_some(Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 })
        });
        let mut beside = Beside::default();
        for pod in &free {
            beside.add(&pods::address(pod).to_string(), &texts(pod, "/metadata/labels"));
        }
        let makers = makers::labels(cluster, &free, &BTreeMap::new(), &mut beside, &mut checks).await?;
        let (uid, labels) = (looked.uid.clone(), looked.labels.clone());
        let mut seen = Seen { uid, labels, beside, surroundings, diff: None };
        if free.is_empty() {
            let is_done = !looked.pods.is_empty();
            return Ok(checks.into_preflight(seen, None, is_done));
        }
        makers::pauses(&makers, now, &mut checks);
        let pods = ground::held(cluster, target, &free, &looked.services, self.detach, &mut checks).await?;
        let quarantine = Quarantine { wish: self.clone(), pods };
        ground::ground(cluster, &target.namespace, &free, &quarantine, &mut checks).await?;
        if diff && checks.is_clear() {
            let until = now + self.lasts;
            let change = wall::built(&target.namespace, &quarantine, "preview", until, None);
            seen.diff = one_change::preview(cluster, &ClusterChange::Object(change), &mut checks).await;
            if let Some(diff) = &mut seen.diff {
                diff.fields.extend(quarantine.pods.iter().map(|pod| steps::in_words(target, pod, true)));
            }
        }
        let action = action::Action::Quarantine(Action::Isolate(quarantine));
        Ok(checks.into_preflight(seen, Some(action), false))
    }
}

#[async_trait]
impl Deed for Action {
    /// Which of it is this intent's own is known by its stamp, once there is a seal.
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        _: bool,
    ) -> Result<Preflight, LookError> {
        let Self::Isolate(quarantine) = self else { return Ok(irrevocable("release")) };
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let mut checks = Checks::default();
        let namespace = cluster.get(&NAMESPACES.named("", &target.namespace)).await?;
        checks.note(pods::pause("namespace", namespace.as_ref(), now));
        let stands = wall::is_left(cluster, &target.namespace, quarantine).await?;
        let mut held_still = Vec::new();
        for held in &quarantine.pods {
            let pod = cluster.get(&PODS.named(&target.namespace, &held.name)).await?;
            match pod.filter(|pod| text(pod, "/metadata/uid") == held.uid) {
                None => checks.pass(format!("pod {} is gone", held.name)),
                Some(pod) if texts(&pod, "/metadata/labels").contains_key(QUARANTINE) => {
                    held_still.push(held.clone());
                }
                Some(_) => checks.pass(format!("somebody has let pod {} go", held.name)),
            }
        }
        let left = stands || !held_still.is_empty();
        let release = Quarantine { wish: quarantine.wish.clone(), pods: held_still };
        let release = action::Action::Quarantine(Self::Release(release));
        Ok(checks.into_preflight(Seen::default(), left.then_some(release), !left))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let mut fields = Vec::new();
        let mut source = DiffSource::ServerDryRun;
        for step in steps(seal, self) {
            match one_change::rehearse(eyes, seal, &step).await {
                Outcome::Done { diff, .. } => {
                    let diff = diff.unwrap_or_else(|| step.diff());
                    fields.extend(diff.fields);
                    source = diff.source;
                }
                other @ (Outcome::Collected { .. }
                | Outcome::Refused { .. }
                | Outcome::Failed { .. }
                | Outcome::Unknown { .. }) => {
                    return other;
                }
            }
        }
        Outcome::Done { diff: Some(Diff { fields, source }), already: false }
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        let mut fields: Vec<Change> = Vec::new();
        let mut done: Vec<String> = Vec::new();
        let steps = steps(seal, self);
        for (index, step) in steps.iter().enumerate() {
            match one_change::carry_out_in_a_crowd(hands, seal, step).await {
                Ok(carried) => {
                    let (diff, made) = carried.told(step);
                    fields.extend(diff.fields);
                    // What others have undone is not ours; what is made bears the stamp of this intent.
                    if made || matches!(self, Self::Isolate(_)) {
                        done.extend(one_change::paths(std::slice::from_ref(step)));
                    }
                }
                // A pod that has ended meanwhile is nobody's trouble any more; the others still are.
                Err(Outcome::Refused { reasons }) if step.is_of_a_pod() && is_gone(&reasons) => {
                    fields.push(step.gone());
                }
                Err(outcome) if done.is_empty() => return outcome,
                Err(outcome) => return half(outcome, &done, &one_change::paths(&steps[index..])),
            }
        }
        Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: done.is_empty() }
    }

    /// By the NetworkPolicy of its stamp, and by its stamp on each pod.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let mut fields: Vec<Change> = Vec::new();
        let mut done: Vec<String> = Vec::new();
        for step in steps(seal, self) {
            if step.is_of_a_pod() && step.has_no_pod(eyes).await {
                let gone = step.gone();
                // Perhaps after it was let go by this intent, which made its workload one too many.
                if matches!(self, Self::Release(_)) {
                    done.push(format!("{} ({})", gone.path, gone.after));
                }
                fields.push(gone);
                continue;
            }
            match one_change::closed(eyes, seal, &step).await {
                Ok(diff) => {
                    fields.extend(diff.fields);
                    done.extend(one_change::paths(std::slice::from_ref(&step)));
                }
                Err(outcome) if done.is_empty() => return outcome,
                // What comes after it was not looked at.
                Err(outcome) => return half(outcome, &done, &[]),
            }
        }
        Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false }
    }
}

/// The wall stands before the first pod is behind it, and until the last one is let go.
fn steps<'a>(seal: &'a Sealed<Intent>, action: &'a Action) -> Vec<Step<'a>> {
    let (stamp, here) = (stamp::of(seal), seal.target.namespace.as_str());
    let step = |doing| Step { target: &seal.target, stamp: stamp.clone(), doing };
    match action {
        Action::Isolate(all) => {
            let until = seal.at + all.wish.lasts;
            let built = wall::built(here, all, &stamp, until, seal.correlation.as_deref());
            let pods = all.pods.iter().map(|pod| Doing::Hold(pod, until));
            std::iter::once(Doing::Build(built)).chain(pods).map(step).collect()
        }
        Action::Release(all) => {
            let pods = all.pods.iter().map(Doing::LetGo);
            pods.chain([Doing::TakeDown(wall::address(here, &stamp))]).map(step).collect()
        }
    }
}

fn is_gone(reasons: &[Reason]) -> bool {
    matches!(reasons, [Reason::TargetAbsent { .. }])
}

/// The labels that a pod has once it is held.
fn labels_behind(pod: &Value, held: &Held) -> BTreeMap<String, String> {
    let mut labels = texts(pod, "/metadata/labels");
    labels.retain(|key, _| !held.detached.contains_key(key));
    labels
}

/// A pod of these words, for people.
fn told(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
