//! Rolls the pods of a workload, by the annotation that `kubectl rollout restart` sets, with the intent's own moment:
//! a repeat is the same rollout. Then watches it to its end, since a 200 says only that it was asked for.

use std::time::Duration;

use paramedic_policies::action::{Action, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::clock::{Clock, left};
use crate::ports::cluster::{Cluster, ClusterChange, Hands, LookError, Workload};
use crate::retry;
use crate::seal::Sealed;

/// The kinds whose controllers roll pods.
pub(crate) const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// How often a rollout is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a restart would do to a target.
pub(crate) async fn preflight(
    cluster: &dyn Cluster,
    now: Moment,
    target: &Target,
    diff: bool,
) -> Result<Preflight, LookError> {
    let mut checks = Checks::default();
    if !KINDS.contains(&target.kind.as_str()) {
        checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: KINDS.join(", ") });
        return Ok(checks.into_preflight(Seen::default(), None, false));
    }
    let workload = cluster.look(target).await?;
    obstacles(&workload, now, &mut checks);
    let mut seen = Seen::of(&workload, workload.max_unavailable);
    if diff && checks.is_clear() {
        let change = ClusterChange::Restart {
            target: target.clone(),
            uid: workload.uid.clone(),
            generation: workload.generation,
            at: now,
            correlation: None,
        };
        seen.diff = one_change::preview(cluster, &change, &mut checks).await;
    }
    let action = Action::Restart { generation: workload.generation };
    Ok(checks.into_preflight(seen, Some(action), false))
}

/// Restarts, and watches the rollout until it is complete, stuck or late.
pub(crate) async fn perform(
    cluster: &dyn Hands,
    clock: &Clock,
    seal: &Sealed<Intent>,
    restart: &Restart<'_>,
) -> Outcome {
    match one_change::carry_out(cluster, clock, seal, restart).await {
        Ok(diff) => watch(cluster, clock, seal, diff).await,
        Err(outcome) => outcome,
    }
}

/// How a restart ended whose process is gone: by its stamp, then by its rollout.
pub(crate) async fn close(
    cluster: &dyn Cluster,
    clock: &Clock,
    seal: &Sealed<Intent>,
    restart: &Restart<'_>,
) -> Outcome {
    match one_change::closed(cluster, seal, restart).await {
        Ok(diff) => watch(cluster, clock, seal, diff).await,
        Err(outcome) => outcome,
    }
}

/// A restart as its intent has it.
pub(crate) struct Restart<'a> {
    pub(crate) intent: &'a Intent,
    pub(crate) stamp: &'a str,
    pub(crate) generation: i64,
}

impl OneChange for Restart<'_> {
    fn change(&self) -> ClusterChange {
        ClusterChange::Restart {
            target: self.intent.target.clone(),
            uid: self.intent.uid.clone(),
            generation: self.generation,
            at: self.intent.at,
            correlation: self.intent.correlation.clone(),
        }
    }

    fn obstacles(&self, workload: &Workload, now: Moment) -> Checks {
        let mut checks = Checks::default();
        obstacles(workload, now, &mut checks);
        checks.note(if workload.generation == self.generation {
            Ok(format!("generation is {}", self.generation))
        } else {
            Err(Reason::Changed {
                what: format!("generation is {}, was {}", workload.generation, self.generation),
            })
        });
        checks
    }

    fn trace(&self, workload: &Workload) -> Trace {
        match &workload.stamp {
            Some(stamp) if stamp == self.stamp => Trace::Made,
            _ if workload.generation == self.generation => Trace::NotMade,
            stamp => Trace::Unclear(format!(
                "the pod template carries {}, and generation {} has become {}",
                stamp.as_deref().map_or("no stamp".into(), |stamp| format!("the stamp {stamp}")),
                self.generation,
                workload.generation,
            )),
        }
    }

    fn diff(&self) -> Diff {
        let change = Change {
            path: "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]".into(),
            before: "?".into(),
            after: self.intent.at.to_string(),
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
async fn watch(cluster: &dyn Cluster, clock: &Clock, seal: &Sealed<Intent>, diff: Diff) -> Outcome {
    let until = tokio::time::Instant::now() + left(clock, seal.deadline);
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
            || cluster.rollout(&seal.target),
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
            Err(error @ (LookError::Forbidden { .. } | LookError::Failed { .. })) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            return late(&seen);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
