//! Stops the rollout of an Argo Rollout as its own command line does, by `status.abort`, and only while one is in
//! progress. Then watches until the controller has taken all traffic back to the stable version. It must never touch the
//! Rollout's spec: what was deployed stays written there, until somebody deploys again or retries.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::abort_rollout::{Action, KIND, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload, manager};
use crate::ports::objects::{Field, ObjectChange, ROLLOUTS, add, test};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::retry;
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;

/// How often the Rollout is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let target = aim.target_of(ROLLOUTS);
        rights.workload(&aim.only(&[]));
        rights.look(&[Verb::Get], &target);
        rights.look(&[Verb::Get], &target.sub("scale"));
        rights.change(&[Verb::Patch], &target.sub("status"));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if target.kind != KIND {
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: KIND.into() });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let looked = look(cluster, target).await?;
        obstacles(&looked, eyes.now(), &mut checks);
        let mut seen = Seen::of(&looked.workload, 0);
        let versions = match Versions::of(&looked.rollout) {
            Ok(versions) => versions,
            Err(reason) => {
                checks.refuse(reason);
                return Ok(checks.into_preflight(seen, None, false));
            }
        };
        if is_aborted(&looked.rollout) {
            checks.pass("it is aborted already");
            return Ok(checks.into_preflight(seen, None, true));
        }
        let action = Action { from: versions.newest, to: versions.stable };
        checks.pass(format!("{} is rolled out, {} is stable", action.from, action.to));
        if diff && checks.is_clear() {
            seen.diff = one_change::preview(cluster, &change(&action, &looked), &mut checks).await;
        }
        Ok(checks.into_preflight(seen, Some(action::Action::AbortRollout(action)), false))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("abort"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Abort { seal, action: self }).await
    }

    /// Watches until the stable version has everything, or it is late.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Abort { seal, action: self }).await {
            Ok(diff) => watch(hands.eyes, seal, self, diff).await,
            Err(outcome) => outcome,
        }
    }

    /// By its stamp, then by what the controller made of it.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Abort { seal, action: self }).await {
            Ok(diff) => watch(eyes, seal, self, diff).await,
            Err(outcome) => outcome,
        }
    }
}

/// An abort as its intent has it.
struct Abort<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

/// A Rollout, as a workload and as it is.
struct Looked {
    workload: Workload,
    rollout: Value,
}

async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Looked, LookError> {
    let workload = cluster.look(target).await?;
    let rollout = get(cluster, target).await?;
    Ok(Looked { workload, rollout })
}

async fn get(cluster: &dyn Cluster, target: &Target) -> Result<Value, LookError> {
    let found = cluster.get(&ROLLOUTS.named(&target.namespace, &target.name)).await?;
    found.ok_or_else(|| LookError::Absent { what: target.to_string() })
}

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

fn is_aborted(rollout: &Value) -> bool {
    rollout.pointer("/status/abort") == Some(&Value::Bool(true))
}

/// The two versions of a Rollout in progress, by the hashes of their pod templates.
struct Versions {
    newest: String,
    stable: String,
}

impl Versions {
    /// # Errors
    /// Where none is in progress, or the status does not say.
    fn of(rollout: &Value) -> Result<Self, Reason> {
        let generation = number(rollout, "/metadata/generation").unwrap_or(0).to_string();
        // A number as text, says its controller.
        let observed = text(rollout, "/status/observedGeneration").unwrap_or("none");
        if observed != generation {
            let detail = format!("its controller has seen generation {observed}, not yet {generation}");
            return Err(Reason::RollingOut { detail });
        }
        let none = |why: String| Reason::TargetAbsent { what: format!("rollout in progress: {why}") };
        match (text(rollout, "/status/currentPodHash"), text(rollout, "/status/stableRS")) {
            (Some(newest), Some(stable)) if newest == stable => {
                Err(none(format!("{stable} is both the newest version and the stable one")))
            }
            (Some(newest), Some(stable)) => Ok(Self { newest: newest.into(), stable: stable.into() }),
            (_, None) => Err(none("there is no stable version to go back to".into())),
            (None, Some(_)) => Err(none("its status names no newest version".into())),
        }
    }
}

#[async_trait]
impl OneChange for Abort<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        look(cluster, &self.seal.target).await
    }

    fn change(&self, seen: &Looked) -> Result<ClusterChange, Reason> {
        Ok(change(self.action, seen))
    }

    fn obstacles(&self, seen: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        obstacles(seen, now, &mut checks);
        checks.note(checks::same_uid(&seen.workload.uid, &self.seal.uid));
        checks.note(Versions::of(&seen.rollout).and_then(|versions| {
            let Action { from, to } = self.action;
            if versions.newest == *from && versions.stable == *to {
                Ok(format!("{from} is rolled out, {to} is stable"))
            } else {
                let Versions { newest, stable } = versions;
                Err(Reason::Changed {
                    what: format!("{newest} is rolled out and {stable} stable, were {from} and {to}"),
                })
            }
        }));
        if is_aborted(&seen.rollout) {
            checks.refuse(Reason::Changed { what: "it was aborted by somebody else".into() });
        }
        checks
    }

    fn trace(&self, seen: &Looked) -> Trace {
        if seen.workload.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &seen.workload.uid);
        }
        let newest = text(&seen.rollout, "/status/currentPodHash").unwrap_or("none");
        if is_ours(&seen.rollout, self.seal.stamp()) {
            Trace::Made
        } else if newest != self.action.from {
            Trace::Unclear(format!("{newest} is the newest version now, was {}", self.action.from))
        } else if seen.rollout.pointer("/status/abort").is_some() {
            Trace::Unclear("somebody else has written status.abort since".into())
        } else {
            Trace::NotMade
        }
    }

    fn diff(&self) -> Diff {
        let change = Change { path: "status.abort".into(), before: "-".into(), after: "true".into() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

/// Whether the abort carries this stamp: a status takes no annotations, but it keeps who wrote a field.
fn is_ours(rollout: &Value, stamp: &str) -> bool {
    let manager = manager(stamp);
    let entries = rollout.pointer("/metadata/managedFields").and_then(Value::as_array);
    is_aborted(rollout)
        && entries.into_iter().flatten().any(|entry| {
            entry["manager"] == manager.as_str() && entry.pointer("/fieldsV1/f:status/f:abort").is_some()
        })
}

/// One patch that tests uid and versions.
fn change(action: &Action, looked: &Looked) -> ClusterChange {
    let Target { namespace, name, .. } = &looked.workload.target;
    let operations = vec![
        test("/metadata/uid", json!(looked.workload.uid)),
        test("/status/currentPodHash", json!(action.from)),
        test("/status/stableRS", json!(action.to)),
        add("/status/abort", json!(true)),
    ];
    let field = Field {
        path: "status.abort".into(),
        pointer: "/status/abort".into(),
        before: looked.rollout.pointer("/status/abort").map_or("-".into(), Value::to_string),
        after: "true".into(),
    };
    ClusterChange::Object(ObjectChange::Patch {
        at: ROLLOUTS.named(namespace, name),
        subresource: Some("status"),
        operations,
        fields: vec![field],
    })
}

fn obstacles(looked: &Looked, now: Moment, checks: &mut Checks) {
    let Looked { workload, .. } = looked;
    checks::pauses(workload, now, checks);
    // The steps of a canary pause by the status; the spec is a person's word.
    checks.note(if workload.paused {
        Err(Reason::WorkloadPaused)
    } else {
        Ok("spec.paused is not set".into())
    });
    checks.pass(match &workload.gitops {
        Some(gitops) => format!("{} does not track status.abort", gitops.by),
        None => "no GitOps controller owns the workload".into(),
    });
}

/// What the stable version still lacks; nothing where it has all traffic and all replicas.
fn lacks(rollout: &Value, action: &Action) -> Option<String> {
    if text(rollout, "/status/abortedAt").is_none() {
        return Some("its controller has not taken the abort up".into());
    }
    if rollout.pointer("/spec/strategy/blueGreen").is_some() {
        let active = text(rollout, "/status/blueGreen/activeSelector").unwrap_or("none");
        return (active != action.to).then(|| format!("{active} has the traffic"));
    }
    let weight = number(rollout, "/status/canary/weights/canary/weight");
    if let Some(weight) = weight.filter(|weight| *weight > 0) {
        return Some(format!("the canary has {weight} % of the traffic"));
    }
    // Without a traffic router the weight is the share of pods.
    let canaries = number(rollout, "/status/updatedReplicas").unwrap_or(0);
    if weight.is_none() && canaries > 0 {
        return Some(format!("{canaries} pods of the canary are left"));
    }
    let wanted = number(rollout, "/spec/replicas").unwrap_or(1);
    let available = number(rollout, "/status/availableReplicas").unwrap_or(0);
    (available < wanted).then(|| format!("{available} of {wanted} replicas are available"))
}

/// Looks at least once, so that an abort that ended before its deadline is seen to have ended after a crash too.
async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, action: &Action, diff: Diff) -> Outcome {
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    let failed = |what: String| Outcome::Failed { what, applied: true };
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { get(eyes.cluster()?, &seal.target).await },
        );
        let seen = match looked.await {
            Ok(rollout) if !is_aborted(&rollout) => {
                return failed(format!("the abort of {} was taken back", seal.target));
            }
            Ok(rollout) => match lacks(&rollout, action) {
                None => return Outcome::Done { diff: Some(diff), already: false },
                Some(lacks) => lacks,
            },
            Err(error @ LookError::Absent { .. }) => return failed(format!("{error} any more")),
            Err(
                error @ (LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }),
            ) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            let Intent { target, deadline, .. } = &**seal;
            return failed(format!(
                "{target} was aborted, but not all was stable again by {deadline}: {seen}"
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
