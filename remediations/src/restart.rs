//! Rolls the pods of a workload, by the annotation that `kubectl rollout restart` sets, or by `spec.restartAt` of an Argo
//! Rollout, with the intent's own moment: a repeat is the same rollout. Then watches it to its end, since a 200 says only
//! that it was asked for.

use paramedic_policies::counted::counted;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::abort_rollout::KIND as ROLLOUT;
use paramedic_policies::remediation::restart::{Action, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::rollout_watch;
use crate::seal::Sealed;

/// The kinds of Kubernetes itself whose controllers roll pods.
pub(crate) const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let aim = aim.only(&[KINDS.as_slice(), &[ROLLOUT]].concat());
        rights.workload(&aim);
        for target in aim.targets() {
            rights.change(&[Verb::Patch], &target);
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if !KINDS.contains(&target.kind.as_str()) && target.kind != ROLLOUT {
            let wanted = format!("{}, {ROLLOUT}", KINDS.join(", "));
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted });
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
            Ok(diff) => rollout_watch::watch(hands.eyes, seal, diff, Duration::ZERO).await,
            Err(outcome) => outcome,
        }
    }

    /// By its stamp, then by its rollout.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Restart { seal, action: self }).await {
            Ok(diff) => rollout_watch::watch(eyes, seal, diff, Duration::ZERO).await,
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

    fn change(&self, _: &Workload) -> Result<ClusterChange, Reason> {
        Ok(ClusterChange::Restart {
            target: self.seal.target.clone(),
            uid: self.seal.uid.clone(),
            generation: self.action.generation,
            at: self.seal.at,
            correlation: self.seal.correlation.clone(),
        })
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
        let path = match self.seal.target.kind.as_str() {
            ROLLOUT => "spec.restartAt",
            _ => "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]",
        };
        let change = Change { path: path.into(), before: "?".into(), after: self.seal.at.to_string() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

fn obstacles(workload: &Workload, now: Moment, checks: &mut Checks) {
    checks::rests(workload, now, checks);
    rolls(workload, checks);
    checks.pass(match &workload.gitops {
        Some(gitops) => format!("{} does not track restart annotations", gitops.by),
        None => "no GitOps controller owns the workload".into(),
    });
}

/// Whether its pods can be rolled now.
pub(crate) fn rolls(workload: &Workload, checks: &mut Checks) {
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
            Ok(format!("PodDisruptionBudget {budget} allows {}", counted(*allowed, "disruption")))
        } else {
            Err(Reason::DisruptionBudget { budget: budget.clone(), allowed: *allowed })
        });
    }
}

#[cfg(test)]
mod tests;
