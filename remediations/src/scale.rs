//! More replicas, or fewer where that is allowed: by the scale subresource, or by an HPA's `minReplicas` where one
//! owns the field. Always from one number to another, never "one more". Never fights an autoscaler, a GitOps
//! controller or a person.

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::scale::{Action, Amount, Lever, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::cluster::{Autoscaler, Cluster, ClusterChange, LookError, SetBy, Workload, manager};
use crate::ports::objects::AUTOSCALERS;
use crate::remedy::{BothHands, Deed, Eyes, Plans};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        // A DaemonSet has no replicas to set.
        let aim = aim.but(&["DaemonSet", "Service", "Node"]);
        rights.workload(&aim);
        for target in aim.targets() {
            rights.change(&[Verb::Patch], &target.sub("scale"));
        }
        // Where one owns the replicas, its minimum is raised instead.
        rights.change(&[Verb::Patch], &aim.beside(AUTOSCALERS));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let workload = cluster.look(target).await?;
        let (mut checks, planned) = plan(&workload, self, eyes.now());
        let (action, already) = match planned {
            Planned::Nothing => (None, true),
            Planned::Refused => (None, false),
            Planned::Change(action) => (Some(action), false),
        };
        let added = action.as_ref().map_or(0, |Action { from, to, .. }| from.saturating_sub(*to));
        let mut seen = Seen::of(&workload, added);
        if let Some(action) = &action
            && diff
            && checks.is_clear()
        {
            let change = change(target, &workload.uid, action);
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
        }
        Ok(checks.into_preflight(seen, action.map(action::Action::Scale), already))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        diff: bool,
    ) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let workload = cluster.look(target).await?;
        let mut checks = Checks::default();
        checks::pauses(&workload, eyes.now(), &mut checks);
        checks.note(holds(&workload, &self.lever, self.to));
        let mut seen = Seen::of(&workload, 0);
        let set_by = last_writer(&workload, &self.lever);
        let back = Action { lever: self.lever.clone(), from: self.to, to: self.from, wanted: None, set_by };
        if diff && checks.is_clear() {
            let change = change(target, &workload.uid, &back);
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
        }
        Ok(checks.into_preflight(seen, Some(action::Action::Scale(back)), false))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Scaling { seal, action: self }).await
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Scaling { seal, action: self }).await {
            Ok(diff) => Outcome::Done { diff: Some(diff), already: false },
            Err(outcome) => outcome,
        }
    }

    /// By the value and the field manager that carries our stamp.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Scaling { seal, action: self }).await {
            Ok(diff) => Outcome::Done { diff: Some(diff), already: false },
            Err(outcome) => outcome,
        }
    }
}

/// A scaling as its intent has it.
struct Scaling<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

#[async_trait]
impl OneChange for Scaling<'_> {
    type Seen = Workload;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Workload, LookError> {
        cluster.look(&self.seal.target).await
    }

    fn change(&self, _: &Workload) -> Result<ClusterChange, Reason> {
        Ok(change(&self.seal.target, &self.seal.uid, self.action))
    }

    fn obstacles(&self, workload: &Workload, now: Moment) -> Checks {
        let mut checks = Checks::default();
        if self.seal.reverts.is_some() {
            checks::pauses(workload, now, &mut checks);
        } else {
            checks::rests(workload, now, &mut checks);
            owners(workload, &mut checks);
        }
        checks.note(holds(workload, &self.action.lever, self.action.from));
        checks.note(checks::same_uid(&workload.uid, &self.seal.uid));
        checks
    }

    fn trace(&self, workload: &Workload) -> Trace {
        if workload.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &workload.uid);
        }
        let Some((value, set)) = field(workload, &self.action.lever) else {
            return Trace::Unclear(format!("{} is gone", path(&self.action.lever)));
        };
        let ours = manager(self.seal.stamp());
        let by = set.map_or("nobody known", |set| set.manager.as_str());
        let is_ours = set.is_some_and(|set| set.manager == ours);
        // Somebody may have set it back after us: that shows by who wrote last, not by our clock, which may be wrong.
        let is_untouched = last_writer(workload, &self.action.lever) == self.action.set_by;
        match value {
            _ if value == self.action.to && is_ours => Trace::Made,
            _ if value == self.action.from && !is_ours && is_untouched => Trace::NotMade,
            _ => Trace::Unclear(format!("{} is {value}, set by {by}", path(&self.action.lever))),
        }
    }

    fn diff(&self) -> Diff {
        let change = Change {
            path: path(&self.action.lever),
            before: self.action.from.to_string(),
            after: self.action.to.to_string(),
        };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

fn change(target: &Target, uid: &str, action: &Action) -> ClusterChange {
    let Action { lever, from, to, wanted: _, set_by: _ } = action.clone();
    match lever {
        Lever::Replicas => ClusterChange::Replicas { target: target.clone(), uid: uid.to_owned(), from, to },
        Lever::MinReplicas { hpa, uid } => {
            ClusterChange::MinReplicas { namespace: target.namespace.clone(), hpa, uid, from, to }
        }
    }
}

fn path(lever: &Lever) -> String {
    match lever {
        Lever::Replicas => "spec.replicas".into(),
        Lever::MinReplicas { hpa, .. } => format!("spec.minReplicas of HPA {hpa}"),
    }
}

/// The field's value and who set it; none where the HPA is another one now.
fn field<'a>(workload: &'a Workload, lever: &Lever) -> Option<(u32, Option<&'a SetBy>)> {
    match lever {
        Lever::Replicas => Some((workload.replicas?, workload.replicas_set.as_ref())),
        Lever::MinReplicas { hpa, uid } => {
            let found = workload.autoscaler.as_ref()?;
            (found.name == *hpa && found.uid == *uid).then_some((found.min, found.min_set.as_ref()))
        }
    }
}

/// Who wrote the field last, and when, in the server's words.
fn last_writer(workload: &Workload, lever: &Lever) -> Option<String> {
    field(workload, lever)?.1.map(ToString::to_string)
}

fn holds(workload: &Workload, lever: &Lever, wanted: u32) -> Result<String, Reason> {
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
    Change(Action),
}

fn plan(workload: &Workload, wish: &Wish, now: Moment) -> (Checks, Planned) {
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
        None => amount(replicas, wish).map(|Amounts { to, wanted }| Action {
            lever: Lever::Replicas,
            from: replicas,
            to,
            wanted,
            set_by: last_writer(workload, &Lever::Replicas),
        }),
    };
    match planned {
        Err(reason) => {
            checks.refuse(reason);
            (checks, Planned::Refused)
        }
        Ok(action) => {
            let Action { lever, from, to, wanted, set_by: _ } = &action;
            checks.pass(format!("{} {from} -> {to} is within bounds", path(lever)));
            if let (Some(wanted), Some(most)) = (wanted, wish.max_step) {
                checks.pass(format!("{wanted} is wanted, and maxStep {most} cuts it to {to}"));
            }
            if from == to { (checks, Planned::Nothing) } else { (checks, Planned::Change(action)) }
        }
    }
}

/// What an amount comes to.
struct Amounts {
    to: u32,
    /// What was wanted, where `maxStep` cut it short.
    wanted: Option<u32>,
}

/// The number of replicas wanted, from the number there is. `by` is a push, so bounds cut it short, and so does a step
/// `atLeast`; `to` is a promise, and so is a bound itself: it refuses.
fn amount(now: u32, wish: &Wish) -> Result<Amounts, Reason> {
    let current = i64::from(now);
    let floor = i64::from(wish.min.unwrap_or(1));
    let beyond =
        |value: i64, bound: i64, which: &str| Reason::OutOfBounds { value, bound, which: which.into() };
    let mut wanted = None;
    let mut to = match wish.amount {
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
            match wish.amount {
                // Part of the way is better than nothing at all; the next time goes on from there.
                Amount::AtLeast(least) => (to, wanted) = (current + step, Some(least)),
                Amount::By(_) | Amount::To(_) => return Err(beyond((to - current).abs(), step, "maxStep")),
            }
        }
    }
    let countable = i64::from(i32::MAX);
    let counted = u32::try_from(to).ok().filter(|_| to <= countable);
    let to = counted.ok_or_else(|| beyond(to, countable, "what Kubernetes can count"))?;
    if to < now && !wish.allow_down {
        return Err(Reason::WouldLower { from: now, to });
    }
    Ok(Amounts { to, wanted })
}

/// The same by an HPA's minimum: what pushes up starts from the replicas that the HPA runs now, or it would add none; and
/// `atLeast` asks for nothing that runs already.
fn minimum(replicas: u32, hpa: &Autoscaler, wish: &Wish) -> Result<Action, Reason> {
    let pushes_up = matches!(wish.amount, Amount::By(by) if by > 0);
    let at_least = matches!(wish.amount, Amount::AtLeast(_));
    let base = if pushes_up || at_least { replicas.max(hpa.min) } else { hpa.min };
    let minimum = |to: u32, wanted: Option<u32>| {
        let lever = Lever::MinReplicas { hpa: hpa.name.clone(), uid: hpa.uid.clone() };
        let set_by = hpa.min_set.as_ref().map(ToString::to_string);
        Action { lever, from: hpa.min, to, wanted, set_by }
    };
    let refused = |why: String| Reason::OwnedByAutoscaler { by: format!("HPA {}", hpa.name), why };
    if pushes_up && base >= hpa.max {
        return Err(refused(format!("it runs {base} already, and its maxReplicas is {}", hpa.max)));
    }
    let Amounts { to, wanted } = amount(base, wish)?;
    match to {
        _ if at_least && to == base => Ok(minimum(hpa.min, None)),
        _ if to <= hpa.max => Ok(minimum(to, wanted)),
        _ if pushes_up => Ok(minimum(hpa.max, None)),
        _ => Err(refused(format!("{to} is above its maxReplicas {}", hpa.max))),
    }
}

#[cfg(test)]
mod tests;
