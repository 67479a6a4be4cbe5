//! More replicas, or fewer where that is allowed: by the scale subresource, or by an HPA's `minReplicas` where one
//! owns the field. Always from one number to another, never "one more". Never fights an autoscaler, a GitOps
//! controller or a person.

use paramedic_policies::action::{Action, Change, Diff, DiffSource, Intent, Outcome, ScaleLever};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{Amount, Scale};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::clock::Clock;
use crate::ports::cluster::{Autoscaler, Cluster, ClusterChange, Hands, LookError, SetBy, Workload, manager};
use crate::seal::Sealed;

/// What scaling would do to a target.
pub(crate) async fn preflight(
    cluster: &dyn Cluster,
    now: Moment,
    target: &Target,
    wish: &Scale,
    diff: bool,
) -> Result<Preflight, LookError> {
    let workload = cluster.look(target).await?;
    let (mut checks, planned) = plan(&workload, wish, now);
    let (action, already) = match planned {
        Planned::Nothing => (None, true),
        Planned::Refused => (None, false),
        Planned::Change(lever, from, to) => (Some(Action::Scale { lever, from, to }), false),
    };
    let added = match &action {
        Some(Action::Scale { from, to, .. }) => from.saturating_sub(*to),
        _ => 0,
    };
    let mut seen = Seen::of(&workload, added);
    if let Some(Action::Scale { lever, from, to }) = &action
        && diff
        && checks.is_clear()
    {
        let change = change(target, &workload.uid, lever, *from, *to);
        seen.diff = one_change::preview(cluster, &change, &mut checks).await;
    }
    Ok(checks.into_preflight(seen, action, already))
}

/// What taking a scaling back would do: only while the field still holds our value.
pub(crate) async fn preflight_of_revert(
    cluster: &dyn Cluster,
    now: Moment,
    target: &Target,
    done: (&ScaleLever, u32, u32),
    diff: bool,
) -> Result<Preflight, LookError> {
    let (lever, from, to) = done;
    let workload = cluster.look(target).await?;
    let mut checks = Checks::default();
    checks::pauses(&workload, now, &mut checks);
    checks.note(holds(&workload, lever, to));
    let mut seen = Seen::of(&workload, 0);
    if diff && checks.is_clear() {
        let change = change(target, &workload.uid, lever, to, from);
        seen.diff = one_change::preview(cluster, &change, &mut checks).await;
    }
    let back = Action::Scale { lever: lever.clone(), from: to, to: from };
    Ok(checks.into_preflight(seen, Some(back), false))
}

/// Scales.
pub(crate) async fn perform(
    cluster: &dyn Hands,
    clock: &Clock,
    seal: &Sealed<Intent>,
    scaling: &Scaling<'_>,
) -> Outcome {
    match one_change::carry_out(cluster, clock, seal, scaling).await {
        Ok(diff) => Outcome::Done { diff: Some(diff), already: false },
        Err(outcome) => outcome,
    }
}

/// How a scaling ended whose process is gone, by the value and the field manager that carries our stamp.
pub(crate) async fn close(cluster: &dyn Cluster, seal: &Sealed<Intent>, scaling: &Scaling<'_>) -> Outcome {
    match one_change::closed(cluster, seal, scaling).await {
        Ok(diff) => Outcome::Done { diff: Some(diff), already: false },
        Err(outcome) => outcome,
    }
}

/// A scaling as its intent has it.
pub(crate) struct Scaling<'a> {
    pub(crate) intent: &'a Intent,
    pub(crate) stamp: &'a str,
    pub(crate) lever: &'a ScaleLever,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl OneChange for Scaling<'_> {
    fn change(&self) -> ClusterChange {
        change(&self.intent.target, &self.intent.uid, self.lever, self.from, self.to)
    }

    fn obstacles(&self, workload: &Workload, now: Moment) -> Checks {
        let mut checks = Checks::default();
        if self.intent.reverts.is_some() {
            checks::pauses(workload, now, &mut checks);
        } else {
            checks::rests(workload, now, &mut checks);
            owners(workload, &mut checks);
        }
        checks.note(holds(workload, self.lever, self.from));
        checks
    }

    fn trace(&self, workload: &Workload) -> Trace {
        let Some((value, set)) = field(workload, self.lever) else {
            return Trace::Unclear(format!("{} is gone", path(self.lever)));
        };
        let ours = manager(self.stamp);
        let by = set.map_or("nobody known", |set| set.manager.as_str());
        let is_ours = set.is_some_and(|set| set.manager == ours);
        // The server keeps whole seconds: what was set in the second of our intent counts as before it.
        let was_before = set.is_none_or(|set| set.at.is_some_and(|at| at <= self.intent.at));
        match value {
            _ if value == self.to && is_ours => Trace::Made,
            _ if value == self.from && !is_ours && was_before => Trace::NotMade,
            _ => Trace::Unclear(format!("{} is {value}, set by {by}", path(self.lever))),
        }
    }

    fn diff(&self) -> Diff {
        let change =
            Change { path: path(self.lever), before: self.from.to_string(), after: self.to.to_string() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

fn change(target: &Target, uid: &str, lever: &ScaleLever, from: u32, to: u32) -> ClusterChange {
    match lever {
        ScaleLever::Replicas => {
            ClusterChange::Replicas { target: target.clone(), uid: uid.to_owned(), from, to }
        }
        ScaleLever::MinReplicas { hpa, uid } => ClusterChange::MinReplicas {
            namespace: target.namespace.clone(),
            hpa: hpa.clone(),
            uid: uid.clone(),
            from,
            to,
        },
    }
}

fn path(lever: &ScaleLever) -> String {
    match lever {
        ScaleLever::Replicas => "spec.replicas".into(),
        ScaleLever::MinReplicas { hpa, .. } => format!("spec.minReplicas of HPA {hpa}"),
    }
}

/// The field's value and who set it; none where the HPA is another one now.
fn field<'a>(workload: &'a Workload, lever: &ScaleLever) -> Option<(u32, Option<&'a SetBy>)> {
    match lever {
        ScaleLever::Replicas => Some((workload.replicas?, workload.replicas_set.as_ref())),
        ScaleLever::MinReplicas { hpa, uid } => {
            let found = workload.autoscaler.as_ref()?;
            (found.name == *hpa && found.uid == *uid).then_some((found.min, found.min_set.as_ref()))
        }
    }
}

fn holds(workload: &Workload, lever: &ScaleLever, wanted: u32) -> Result<String, Reason> {
    let path = path(lever);
    match field(workload, lever) {
        Some((value, _)) if value == wanted => Ok(format!("{path} is {wanted}")),
        Some((value, _)) => Err(Reason::Changed { what: format!("{path} is {value}, was {wanted}") }),
        None => Err(Reason::Changed { what: format!("{path} is gone, was {wanted}") }),
    }
}

/// Who else writes the number of replicas, and whether our lever gets past it.
fn owners(workload: &Workload, checks: &mut Checks) {
    match &workload.autoscaler {
        Some(hpa) => {
            let by = || format!("HPA {}", hpa.name);
            checks.note(match &hpa.owner {
                Some(owner) => {
                    Err(Reason::OwnedByAutoscaler { by: owner.clone(), why: format!("it rewrites {}", by()) })
                }
                None => Ok(format!("{} owns the replicas, so its minReplicas is the lever", by())),
            });
            checks.note(match workload.replicas {
                Some(0) => {
                    Err(Reason::OwnedByAutoscaler { by: by(), why: "0 replicas have switched it off".into() })
                }
                _ => Ok(format!("{} is switched on", by())),
            });
            checks.note(match &hpa.gitops {
                Some(gitops) => {
                    Err(Reason::ManagedByGitOps { by: gitops.clone(), field: "spec.minReplicas".into() })
                }
                None => Ok(format!("no GitOps controller owns minReplicas of {}", by())),
            });
        }
        None => {
            checks.pass("no autoscaler owns the replicas");
            checks.note(match &workload.gitops {
                Some(gitops) if gitops.tracks_replicas => {
                    Err(Reason::ManagedByGitOps { by: gitops.by.clone(), field: "spec.replicas".into() })
                }
                Some(gitops) => Ok(format!("{} does not track spec.replicas", gitops.by)),
                None => Ok("no GitOps controller owns the workload".into()),
            });
        }
    }
}

#[derive(Debug, PartialEq)]
enum Planned {
    Nothing,
    Refused,
    Change(ScaleLever, u32, u32),
}

fn plan(workload: &Workload, wish: &Scale, now: Moment) -> (Checks, Planned) {
    let mut checks = Checks::default();
    checks::rests(workload, now, &mut checks);
    let Some(replicas) = workload.replicas else {
        checks.refuse(Reason::WrongKind {
            kind: workload.target.kind.clone(),
            wanted: "a kind with a scale subresource".into(),
        });
        return (checks, Planned::Refused);
    };
    owners(workload, &mut checks);
    let planned = match &workload.autoscaler {
        Some(hpa) => minimum(replicas, hpa, wish),
        None => amount(replicas, wish).map(|to| (ScaleLever::Replicas, replicas, to)),
    };
    match planned {
        Err(reason) => {
            checks.refuse(reason);
            (checks, Planned::Refused)
        }
        Ok((lever, from, to)) => {
            checks.pass(format!("{} {from} -> {to} is within bounds", path(&lever)));
            if from == to { (checks, Planned::Nothing) } else { (checks, Planned::Change(lever, from, to)) }
        }
    }
}

/// The number of replicas wanted, from the number there is. `by` is a push, so bounds cut it short; `to` and `atLeast`
/// are promises, so a bound refuses them.
fn amount(now: u32, wish: &Scale) -> Result<u32, Reason> {
    let current = i64::from(now);
    let floor = i64::from(wish.min.unwrap_or(1));
    let beyond =
        |value: i64, bound: i64, which: &str| Reason::OutOfBounds { value, bound, which: which.into() };
    let to = match wish.amount {
        Amount::By(0) => current,
        Amount::By(by) => {
            let step = wish
                .max_step
                .map_or(i64::from(by), |most| i64::from(by).clamp(-i64::from(most), i64::from(most)));
            let wanted = current + step;
            match wish.max.map(i64::from) {
                Some(max) if step > 0 && current >= max => return Err(beyond(wanted, max, "max")),
                Some(max) if step > 0 => wanted.min(max),
                _ if step < 0 && current <= floor => return Err(beyond(wanted, floor, "min")),
                _ if step < 0 => wanted.max(floor),
                _ => wanted,
            }
        }
        Amount::AtLeast(least) if i64::from(least) <= current => current,
        Amount::To(to) | Amount::AtLeast(to) => i64::from(to),
    };
    if to != current && !matches!(wish.amount, Amount::By(_)) {
        if let Some(max) = wish.max.map(i64::from).filter(|max| to > *max) {
            return Err(beyond(to, max, "max"));
        }
        if let Some(min) = wish.min.map(i64::from).filter(|min| to < *min) {
            return Err(beyond(to, min, "min"));
        }
        if let Some(step) = wish.max_step.map(i64::from).filter(|step| (to - current).abs() > *step) {
            return Err(beyond((to - current).abs(), step, "maxStep"));
        }
    }
    let countable = i64::from(i32::MAX);
    let wanted = u32::try_from(to).ok().filter(|_| to <= countable);
    let wanted = wanted.ok_or_else(|| beyond(to, countable, "what Kubernetes can count"))?;
    if wanted < now && !wish.allow_down {
        return Err(Reason::WouldLower { from: now, to: wanted });
    }
    Ok(wanted)
}

/// The same by an HPA's minimum: a push up starts from the replicas that the HPA runs now, or it would add none.
fn minimum(replicas: u32, hpa: &Autoscaler, wish: &Scale) -> Result<(ScaleLever, u32, u32), Reason> {
    let pushes_up = matches!(wish.amount, Amount::By(by) if by > 0);
    let base = if pushes_up { replicas.max(hpa.min) } else { hpa.min };
    let refused = |why: String| Reason::OwnedByAutoscaler { by: format!("HPA {}", hpa.name), why };
    if pushes_up && base >= hpa.max {
        return Err(refused(format!("it runs {base} already, and its maxReplicas is {}", hpa.max)));
    }
    let wanted = amount(base, wish)?;
    let to = match wanted {
        _ if wanted <= hpa.max => wanted,
        _ if pushes_up => hpa.max,
        _ => return Err(refused(format!("{wanted} is above its maxReplicas {}", hpa.max))),
    };
    Ok((ScaleLever::MinReplicas { hpa: hpa.name.clone(), uid: hpa.uid.clone() }, hpa.min, to))
}

#[cfg(test)]
mod tests;
