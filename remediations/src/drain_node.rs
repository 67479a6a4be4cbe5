//! Takes a node out of service: cordons it, then evicts its pods one after the other, each as its PodDisruptionBudgets
//! allow, and waits until they are gone. Taken back is the cordon, while it is still ours. It must never drain two nodes at
//! once, nor one that hosts us, Prometheus or Alertmanager (`survey`), and never evicts a pod that it did not plan to.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::drain_node::{Action, Drain, Leaving, NODE, Wish, Written};
use paramedic_policies::target::Target;

use crate::block_ip::{text, texts};
use crate::checks::{Checks, Seen};
use crate::evict_pod::{self, Ending, How};
use crate::one_change::{self, Carried};
use crate::pods::{self, BUDGETS, PODS};
use crate::ports::clock::left;
use crate::ports::cluster::{ClusterChange, LookError};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb, everywhere};
use crate::seal::Sealed;
use crate::stamp;

use cordon::{Cordon, Doing};
use survey::Survey;

mod beside;
pub(crate) mod cordon;
mod survey;

const EVICTED: &str = "evicted";

/// How often a budget is looked at that lets nobody go now.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often one pod's eviction is asked for where its budget seemed to allow it and the API server says no: others evict
/// too. Each time a look comes first.
const ASKED_MAX: u32 = 3;

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let node = aim.target_of(cordon::NODES);
        rights.look(&[Verb::Get], &node);
        for resource in [cordon::NODES, PODS, BUDGETS, pods::NAMESPACES] {
            rights.look(&[Verb::List], &everywhere(resource));
        }
        rights.look(&[Verb::Get], &everywhere(pods::JOBS));
        rights.maker(aim, true);
        rights.change(&[Verb::Patch], &node);
        rights.act(&[Verb::Get], &everywhere(PODS));
        rights.act(&[Verb::Get], &everywhere(pods::NAMESPACES));
        rights.act(&[Verb::Create], &everywhere(PODS).sub("eviction"));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let mut checks = Checks::default();
        if target.kind != NODE {
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: NODE.into() });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let survey = survey::look(cluster, target).await?;
        survey.out_of_service(self.max_nodes, now, &mut checks);
        checks.note(pods::pause("node", Some(&survey.node), now));
        checks.note(cordon::free_to_take(&survey.node));
        survey.hosts(&mut checks);
        let leaving = survey.leaving(self.local_storage, &mut checks);
        survey.pauses(&leaving, now, &mut checks);
        let mut seen = Seen {
            uid: text(&survey.node, "/metadata/uid").to_owned(),
            labels: texts(&survey.node, "/metadata/labels"),
            beside: survey.beside(cluster, &leaving, now, &mut checks).await?,
            surroundings: Some(survey::surroundings(cluster, &leaving).await?),
            diff: None,
        };
        let is_ours = cordon::is_cordoned(&survey.node) && cordon::of_whom(&survey.node).is_some();
        if is_ours && leaving.is_empty() && checks.is_clear() {
            checks.pass("it is cordoned by us, and nothing is left to evict");
            return Ok(checks.into_preflight(seen, None, true));
        }
        let mut pods: Vec<Leaving> = leaving.iter().map(|pod| named(pod)).collect();
        pods.sort();
        let mut namespaces: Vec<String> = pods.iter().map(|pod| pod.namespace.clone()).collect();
        namespaces.dedup();
        let drain = Drain { wish: self.clone(), pods, namespaces };
        if diff && checks.is_clear() {
            let marks = cordon::Marks { stamp: "preview", until: now + self.within, correlation: None };
            let change = ClusterChange::Object(cordon::taken(target, &survey.node, &marks));
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
            if let Some(diff) = &mut seen.diff {
                diff.fields.extend(drain.pods.iter().map(|pod| told(pod, "running", EVICTED)));
            }
        }
        let action = action::Action::DrainNode(Action::Drain(drain));
        Ok(checks.into_preflight(seen, Some(action), false))
    }
}

fn named(pod: &serde_json::Value) -> Leaving {
    let text = |pointer: &str| text(pod, pointer).to_owned();
    Leaving {
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        uid: text("/metadata/uid"),
    }
}

fn told(pod: &Leaving, before: &str, after: &str) -> Change {
    let path = PODS.named(&pod.namespace, &pod.name).to_string();
    Change { path, before: before.into(), after: after.into() }
}

#[async_trait]
impl Deed for Action {
    /// Whose cordon it is, is known by its stamp, once there is a seal.
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        diff: bool,
    ) -> Result<Preflight, LookError> {
        let Self::Drain(drain) = self else { return Ok(irrevocable("uncordon")) };
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        let node = cordon::node(cluster, target).await?;
        checks.note(pods::pause("node", Some(&node), eyes.now()));
        let already = !cordon::is_cordoned(&node) || cordon::of_whom(&node).is_none();
        if already {
            checks.pass("it is not cordoned by us any more");
        }
        let mut seen = Seen { uid: text(&node, "/metadata/uid").to_owned(), ..Seen::default() };
        if diff && !already && checks.is_clear() {
            let change = ClusterChange::Object(cordon::given_back(&target.name, &node));
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
        }
        let action = action::Action::DrainNode(Self::Uncordon(drain.clone()));
        Ok(checks.into_preflight(seen, (!already).then_some(action), already))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let mut outcome = one_change::rehearse(eyes, seal, &self.cordon(seal)).await;
        if let (Outcome::Done { diff: Some(diff), .. }, Self::Drain(drain)) = (&mut outcome, self) {
            diff.fields.extend(drain.pods.iter().map(|pod| told(pod, "running", EVICTED)));
        }
        outcome
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        let (cordoned, is_made) = match one_change::carried_out(hands, seal, &self.cordon(seal)).await {
            Ok(carried) => carried.told(&self.cordon(seal)),
            Err(outcome) => return outcome,
        };
        match self {
            Self::Drain(drain) => match beside::alone(hands, seal, drain, &cordoned).await {
                Ok(()) => empty(hands, seal, drain, cordoned).await,
                Err(outcome) => outcome,
            },
            Self::Uncordon(_) if is_made => Outcome::Done { diff: Some(cordoned), already: false },
            // A later drain has taken the cordon over, or somebody was first: nothing was sent.
            Self::Uncordon(_) => Outcome::Done { diff: None, already: true },
        }
    }

    /// By the stamp of the cordon, then by the pods that are left. Evicts nobody.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let mut diff = match one_change::closed(eyes, seal, &self.cordon(seal)).await {
            Ok(diff) => diff,
            Err(outcome) => return outcome,
        };
        let Self::Drain(drain) = self else { return Outcome::Done { diff: Some(diff), already: false } };
        let mut staying = Vec::new();
        for pod in &drain.pods {
            match stays(eyes, pod).await {
                Ok(false) => diff.fields.push(told(pod, "running", EVICTED)),
                Ok(true) => staying.push(format!("{}/{}", pod.namespace, pod.name)),
                Err(error) => return Outcome::Unknown { what: format!("the node is cordoned, and {error}") },
            }
        }
        if staying.is_empty() {
            return Outcome::Done { diff: Some(diff), already: false };
        }
        stopped(drain.pods.len(), &staying, "the process ended")
    }
}

/// An action as its intent has it.
trait InTheIntent {
    fn cordon<'a>(&'a self, seal: &'a Sealed<Intent>) -> Cordon<'a>;
}

impl InTheIntent for Action {
    fn cordon<'a>(&'a self, seal: &'a Sealed<Intent>) -> Cordon<'a> {
        let doing = match self {
            Self::Drain(drain) => Doing::Take { drain, until: seal.deadline },
            Self::Uncordon(_) => Doing::GiveBack,
        };
        Cordon { seal, stamp: stamp::of(seal), doing }
    }
}

/// Whether a pod is still there and not told to end.
async fn stays(eyes: Eyes<'_>, pod: &Leaving) -> Result<bool, LookError> {
    let found = eyes.cluster()?.get(&PODS.named(&pod.namespace, &pod.name)).await?;
    Ok(found.is_some_and(|found| text(&found, "/metadata/uid") == pod.uid && !pods::is_going(&found)))
}

/// How a drain ends that did not come to its end.
fn stopped(of: usize, staying: &[String], why: &str) -> Outcome {
    let (gone, left) = (of - staying.len().min(of), staying.join(", "));
    Outcome::Failed {
        what: format!(
            "{gone} of {of} pods evicted, then {why}; {left} stayed, and the node stays cordoned until that is taken back"
        ),
        applied: true,
        diff: None,
    }
}

/// Evicts the planned pods one after the other, then waits until they are gone.
async fn empty(hands: BothHands<'_>, seal: &Sealed<Intent>, drain: &Drain, mut diff: Diff) -> Outcome {
    let target = |pod: &Leaving| Target {
        kind: "Pod".into(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
    };
    let targets: Vec<Target> = drain.pods.iter().map(target).collect();
    let storage = drain.wish.local_storage;
    let ending = |index: usize| Ending {
        target: &targets[index],
        uid: &drain.pods[index].uid,
        how: How::Evict,
        storage,
    };
    let name = |pod: &Leaving| format!("{}/{}", pod.namespace, pod.name);
    for (index, pod) in drain.pods.iter().enumerate() {
        let became = match evicted(hands, seal, drain, &ending(index)).await {
            Ok(became) => became,
            Err(why) => {
                let staying: Vec<String> = drain.pods.iter().skip(index).map(name).collect();
                return stopped(drain.pods.len(), &staying, &why);
            }
        };
        let (done, of) = (index + 1, drain.pods.len());
        tracing::info!(intent = %seal.id, pod = %name(pod), became, done, of, "a pod has left");
        diff.fields.push(told(pod, "running", became));
    }
    for (index, target) in targets.iter().enumerate() {
        if let Err(seen) = evict_pod::gone(hands.eyes, seal, &ending(index)).await {
            let what = format!(
                "all pods were told to leave, and {target} was not gone by {}: {seen}",
                seal.deadline
            );
            return Outcome::Failed { what, applied: true, diff: None };
        }
    }
    match left_over(hands.eyes, seal, drain).await {
        Ok(None) => {
            Outcome::Done { diff: Some(Diff { source: DiffSource::Applied, ..diff }), already: false }
        }
        Ok(Some(what)) => Outcome::Failed { what, applied: true, diff: None },
        Err(error) => {
            Outcome::Failed { what: format!("all planned pods left, and {error}"), applied: true, diff: None }
        }
    }
}

/// Evicts one pod as soon as its budget allows, until the deadline or somebody's stop; a few requests at most. What became
/// of it.
///
/// # Errors
/// Why it stays.
async fn evicted(
    hands: BothHands<'_>,
    seal: &Sealed<Intent>,
    drain: &Drain,
    ending: &Ending<'_>,
) -> Result<&'static str, String> {
    let until = tokio::time::Instant::now() + left(hands.eyes.clock, seal.deadline);
    let (mut asked, mut refused) = (0, String::new());
    loop {
        hands.may_go_on()?;
        let seen = match waits_for(hands.eyes, seal, drain, ending).await {
            Ok(Wait::Budget(reason)) => reason.to_string(),
            Ok(Wait::Around(why)) => return Err(why),
            Ok(Wait::Nothing) if asked == ASKED_MAX => {
                return Err(format!(
                    "{} was asked for {ASKED_MAX} times, and refused each time: {refused}",
                    ending.target
                ));
            }
            Ok(Wait::Nothing) => {
                asked += 1;
                refused = match one_change::carried_out(hands, seal, ending).await {
                    Ok(Carried::Made(_)) => return Ok(EVICTED),
                    Ok(Carried::Found) => return Ok("gone already"),
                    Err(Outcome::Refused { reasons }) => {
                        let reasons = evict_pod::named(hands.eyes, ending, reasons).await;
                        let said = reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ");
                        match reasons.as_slice() {
                            [Reason::DisruptionBudget { .. }] => said,
                            _ => return Err(said),
                        }
                    }
                    // Known not to have been made: a server that has too much to do may have time a moment later.
                    Err(Outcome::Failed { what, applied: false, .. }) => what,
                    Err(Outcome::Failed { what, applied: true, .. } | Outcome::Unknown { what }) => {
                        return Err(what);
                    }
                    Err(Outcome::Done { .. } | Outcome::Collected { .. }) => return Ok(EVICTED),
                };
                refused.clone()
            }
            Err(error @ LookError::Failed { .. }) => error.to_string(),
            Err(
                error @ (LookError::NoKubernetes | LookError::Absent { .. } | LookError::Forbidden { .. }),
            ) => return Err(error.to_string()),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            return Err(format!("time was up: {seen}"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What a look before a pod shows.
enum Wait {
    /// It may go now, or is gone.
    Nothing,
    /// Its budget does not let it go now.
    Budget(Reason),
    /// Something around the node: none of its pods may go.
    Around(String),
}

/// Looks at the nodes first: what has happened around this one since the last pod left.
async fn waits_for(
    eyes: Eyes<'_>,
    seal: &Sealed<Intent>,
    drain: &Drain,
    ending: &Ending<'_>,
) -> Result<Wait, LookError> {
    let cluster = eyes.cluster()?;
    let node = cordon::node(cluster, &seal.target).await?;
    if let Some(why) = beside::trouble(eyes, &node, drain).await? {
        return Ok(Wait::Around(why));
    }
    let Target { namespace, name, .. } = ending.target;
    let Some(pod) = cluster.get(&PODS.named(namespace, name)).await? else { return Ok(Wait::Nothing) };
    if text(&pod, "/metadata/uid") != ending.uid {
        return Ok(Wait::Nothing);
    }
    let budgets = cluster.list(BUDGETS, namespace, "").await?;
    Ok(match pods::disruptable(&budgets, &pod) {
        Err(reason @ Reason::DisruptionBudget { .. }) => Wait::Budget(reason),
        Ok(_) | Err(_) => Wait::Nothing,
    })
}

/// Pods that came to the node after it was planned what leaves: they are nobody's to evict under this intent.
async fn left_over(
    eyes: Eyes<'_>,
    seal: &Sealed<Intent>,
    drain: &Drain,
) -> Result<Option<String>, LookError> {
    let survey: Survey = survey::look(eyes.cluster()?, &seal.target).await?;
    let came = survey.leaving(drain.wish.local_storage, &mut Checks::default());
    let came: Vec<String> = came.iter().map(|pod| pods::address(pod).to_string()).collect();
    Ok((!came.is_empty()).then(|| {
        format!("all planned pods left, and {} came to the node before its cordon was seen", came.join(", "))
    }))
}

#[cfg(test)]
mod tests;
