//! Rolls the pods of a workload, by the annotation that `kubectl rollout restart` sets, with the intent's own moment:
//! a repeat is the same rollout. Then watches it to its end, since a 200 says only that it was asked for.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::restart::{Action, Wish};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::retry;
use crate::seal::Sealed;

/// The kinds whose controllers roll pods.
pub(crate) const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// How often a rollout is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if !KINDS.contains(&target.kind.as_str()) {
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: KINDS.join(", ") });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let workload = cluster.look(target).await?;
        obstacles(&workload, eyes.now(), &mut checks);
        let mut seen = Seen::of(&workload, workload.max_unavailable);
        if diff && checks.is_clear() {
            let change = ClusterChange::Restart {
                target: target.clone(),
                uid: workload.uid.clone(),
                generation: workload.generation,
                at: eyes.now(),
                correlation: None,
            };
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
        }
        let action = Action { generation: workload.generation };
        Ok(checks.into_preflight(seen, Some(action::Action::Restart(action)), false))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("restart"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Restart { seal, action: self }).await
    }

    /// Watches the rollout until it is complete, stuck or late.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Restart { seal, action: self }).await {
            Ok(diff) => watch(hands.eyes, seal, diff).await,
            Err(outcome) => outcome,
        }
    }

    /// By its stamp, then by its rollout.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Restart { seal, action: self }).await {
            Ok(diff) => watch(eyes, seal, diff).await,
            Err(outcome) => outcome,
        }
    }
}

/// A restart as its intent has it.
struct Restart<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

#[async_trait]
impl OneChange for Restart<'_> {
    type Seen = Workload;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Workload, LookError> {
        cluster.look(&self.seal.target).await
    }

    fn change(&self, _: &Workload) -> ClusterChange {
        ClusterChange::Restart {
            target: self.seal.target.clone(),
            uid: self.seal.uid.clone(),
            generation: self.action.generation,
            at: self.seal.at,
            correlation: self.seal.correlation.clone(),
        }
    }

    fn obstacles(&self, workload: &Workload, now: Moment) -> Checks {
        let mut checks = Checks::default();
        obstacles(workload, now, &mut checks);
        checks.note(if workload.generation == self.action.generation {
            Ok(format!("generation is {}", self.action.generation))
        } else {
            Err(Reason::Changed {
                what: format!("generation is {}, was {}", workload.generation, self.action.generation),
            })
        });
        checks.note(checks::same_uid(&workload.uid, &self.seal.uid));
        checks
    }

    fn trace(&self, workload: &Workload) -> Trace {
        if workload.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &workload.uid);
        }
        match &workload.stamp {
            Some(stamp) if stamp == self.seal.stamp() => Trace::Made,
            _ if workload.generation == self.action.generation => Trace::NotMade,
            stamp => Trace::Unclear(format!(
                "the pod template carries {}, and generation {} has become {}",
                stamp.as_deref().map_or("no stamp".into(), |stamp| format!("the stamp {stamp}")),
                self.action.generation,
                workload.generation,
            )),
        }
    }

    fn diff(&self) -> Diff {
        let change = Change {
            path: "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]".into(),
            before: "?".into(),
            after: self.seal.at.to_string(),
        };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

fn obstacles(workload: &Workload, now: Moment, checks: &mut Checks) {
    checks::rests(workload, now, checks);
    checks.note(match (&workload.immovable, workload.replicas) {
        (Some(strategy), _) => Err(Reason::NoPodWouldMove { strategy: strategy.clone() }),
        (None, Some(0)) => Err(Reason::NoPodWouldMove { strategy: "0 replicas".into() }),
        (None, _) => Ok("the update strategy moves every pod".into()),
    });
    if workload.budgets.is_empty() {
        checks.pass("no PodDisruptionBudget selects its pods");
    }
    for (budget, allowed) in &workload.budgets {
        checks.note(if *allowed > 0 {
            Ok(format!("PodDisruptionBudget {budget} allows {allowed} disruptions"))
        } else {
            Err(Reason::DisruptionBudget { budget: budget.clone(), allowed: *allowed })
        });
    }
    checks.pass(match &workload.gitops {
        Some(gitops) => format!("{} does not track restart annotations", gitops.by),
        None => "no GitOps controller owns the workload".into(),
    });
}

/// Looks at least once, so that a rollout that ended before its deadline is seen to have ended after a crash too.
async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, diff: Diff) -> Outcome {
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    let late = |seen: &str| Outcome::Failed {
        what: format!("the rollout of {} was not complete by {}: {seen}", seal.target, seal.deadline),
        applied: true,
    };
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { eyes.cluster()?.rollout(&seal.target).await },
        );
        let seen = match looked.await {
            Ok(rollout) if rollout.complete => return Outcome::Done { diff: Some(diff), already: false },
            Ok(rollout) if rollout.stuck => {
                let what = format!("the rollout of {} is stuck: {}", seal.target, rollout.detail);
                return Outcome::Failed { what, applied: true };
            }
            Ok(rollout) => rollout.detail,
            Err(error @ LookError::Absent { .. }) => {
                return Outcome::Failed {
                    what: format!("{error} any more, its rollout never ended"),
                    applied: true,
                };
            }
            Err(
                error @ (LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }),
            ) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            return late(&seen);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
