//! Takes a Deployment, or an Argo Rollout as its own `undo` does, back to its last deploy that was healthy: Prometheus is asked whether the policy's condition held,
//! without a gap, for the last ten minutes in which that deploy was the newest. Where it says no, the one before is
//! asked about; where nobody knows, nothing is done. Then the rollout is watched to its end; the way back of a Rollout goes by
//! its steps as the way there did, unless its `rollbackWindow` lets it skip them. ConfigMaps, Secrets and
//! migrations do not come back, and nothing here pretends so.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::{Found, Preflight};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::abort_rollout::KIND as ROLLOUT;
use paramedic_policies::remediation::rollback::{Action, Helm, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde_json::{Value, json};

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::cluster::{Cluster, ClusterChange, LookError, Workload};
use crate::ports::metrics::Metrics;
use crate::ports::objects::{DEPLOYMENTS, Field, ObjectChange, REPLICA_SETS, ROLLOUTS, Resource, test};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::revisions::{self, Earlier, Revision, Standing};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::rollout_watch;
use crate::seal::Sealed;
use crate::stamp;

/// How often the condition is looked at within the time for which it must have held.
const LOOKS: u64 = 20;

/// How many deploys are asked about; what lies further back no longer fits its surroundings.
const ASKED_MAX: usize = 5;

/// How long a stuck rollout may go on looking stuck once it has been told to go back.
const PATIENCE: Duration = Duration::from_secs(30);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let aim = aim.only(&["Deployment", ROLLOUT]);
        rights.workload(&aim);
        rights.look(&[Verb::List], &aim.beside(REPLICA_SETS));
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
        if target.kind != "Deployment" && target.kind != ROLLOUT {
            let wanted = format!("Deployment, {ROLLOUT}");
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let looked = look(cluster, target).await?;
        let workload = &looked.workload;
        obstacles(workload, eyes.now(), &mut checks);
        checks.note(helm(&looked.object, self.helm));
        let mut seen = Seen::of(workload, workload.max_unavailable);
        let revisions = revisions::of(&looked.replica_sets, &workload.uid);
        if let Some(name) = looked.object.pointer("/spec/workloadRef/name").and_then(Value::as_str) {
            let why =
                format!("the pod template of {target} is that of {name} (workloadRef); roll that one back");
            checks.refuse(Reason::WrongLever { why });
            return Ok(checks.into_preflight(seen, None, false));
        }
        let Some(present) = revisions.last() else {
            checks.refuse(Reason::TargetAbsent { what: format!("revision of {target}") });
            return Ok(checks.into_preflight(seen, None, false));
        };
        if !looked.is_present(present) {
            checks.refuse(Reason::RollingOut { detail: "the newest revision is not made yet".into() });
            return Ok(checks.into_preflight(seen, None, false));
        }
        checks.note(new_enough(self.deployed_within, &revisions, eyes.now()));
        if !checks.is_clear() {
            // Nobody asks Prometheus for a way back that is not taken.
            return Ok(checks.into_preflight(seen, None, false));
        }
        let action = match last_healthy(self, eyes.metrics, &revisions, &mut checks).await {
            Ok(to) => Action {
                generation: workload.generation,
                from: present.number,
                to: to.number,
                replica_set: to.replica_set.clone(),
                replica_set_uid: to.uid.clone(),
            },
            Err(reason) => {
                checks.refuse(reason);
                return Ok(checks.into_preflight(seen, None, false));
            }
        };
        if diff && checks.is_clear() {
            match change(&action, &looked, "preview") {
                Ok(change) => seen.diff = one_change::preview(cluster, &change, &mut checks).await,
                Err(reason) => checks.refuse(reason),
            }
        }
        Ok(checks.into_preflight(seen, Some(action::Action::Rollback(action)), false))
    }
}

/// Whether the present deploy is one that the trouble may come from.
fn new_enough(wanted: Option<Span>, revisions: &[Revision], now: Moment) -> Result<String, Reason> {
    let Some(wanted) = wanted else { return Ok("the present deploy may be of any age".into()) };
    match revisions::present_since(revisions) {
        None => Err(Reason::FactUnknown {
            fact: "age of the present deploy".into(),
            found: "it was come back to, and nobody knows when".into(),
        }),
        Some(since) if now.since(since) <= wanted => {
            Ok(format!("the present deploy is of {since}, within {wanted}"))
        }
        Some(since) => Err(Reason::TargetAbsent {
            what: format!("deploy of the last {wanted}: the present one is of {since}"),
        }),
    }
}

/// The newest revision of the last healthy deploy.
async fn last_healthy<'r>(
    wish: &Wish,
    metrics: &dyn Metrics,
    revisions: &'r [Revision],
    checks: &mut Checks,
) -> Result<&'r Revision, Reason> {
    let unknown = |number: u64, found: String| Reason::FactUnknown {
        fact: format!("health of revision {number}"),
        found,
    };
    let mut passed_over = Vec::new();
    for Earlier { revision, standing } in
        revisions::before_the_present(revisions, wish.held).into_iter().take(ASKED_MAX)
    {
        let number = revision.number;
        match standing {
            Standing::RolledBack => passed_over.push(format!("{number} was rolled back itself")),
            Standing::TooShort => {
                passed_over.push(format!("{number} was the newest for less than {}", wish.held));
            }
            Standing::Unknown => {
                return Err(unknown(number, "nobody knows when it ceased to be the newest".into()));
            }
            // Whether it was bad or just too short, it shows nothing good.
            Standing::SinceUnknown(end) => match held(wish, metrics, end).await {
                Ok(true) => {
                    let found = "the condition held, but nobody knows since when it had been the newest";
                    return Err(unknown(number, found.into()));
                }
                Ok(false) => passed_over.push(format!("{number} was not healthy")),
                Err(found) => return Err(unknown(number, found)),
            },
            Standing::Until(end) => match held(wish, metrics, end).await {
                Ok(true) => {
                    checks.pass(format!(
                        "revision {number} was healthy ({} for {} until {end})",
                        wish.is, wish.held
                    ));
                    return Ok(revision);
                }
                Ok(false) => passed_over.push(format!("{number} was not healthy")),
                Err(found) => return Err(unknown(number, found)),
            },
        }
    }
    let why = if passed_over.is_empty() { "there is none".into() } else { passed_over.join(", ") };
    Err(Reason::TargetAbsent { what: format!("earlier deploy that was healthy: {why}") })
}

/// Whether the condition held at every look of the ten minutes before; an error where there was a gap.
async fn held(wish: &Wish, metrics: &dyn Metrics, end: Moment) -> Result<bool, String> {
    let Wish { query, is, held, .. } = wish;
    // The last millisecond before the next deploy was made.
    let last = end - Span::from_ms(1);
    let at = format!("{}.{:03}", last.unix_ms() / 1000, last.unix_ms() % 1000);
    // Whole seconds, as Prometheus' clocks tick.
    let step_ms = (held.ms() / LOOKS / 1000 * 1000).max(1000);
    let looks = (held.ms() / step_ms).max(1);
    let window = format!("[{}ms:{step_ms}ms] @ {at}", looks * step_ms);
    // A comparison with anything leaves NaN out: it shows nothing.
    let shown = count(metrics, &format!("count_over_time((({query}) >= -Inf){window})")).await?;
    if shown < looks {
        return Err(format!("the condition has values at {shown} of {looks} looks before {end}"));
    }
    Ok(count(metrics, &format!("count_over_time((({query}) {is}){window})")).await? == shown)
}

/// A count of samples; nothing counts as zero.
async fn count(metrics: &dyn Metrics, promql: &str) -> Result<u64, String> {
    match metrics.query(promql).await {
        Found::Series(series) => match series.as_slice() {
            [] => Ok(0),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of samples")]
            [one] => Ok(one.value.0 as u64),
            several => Err(format!("{} series where one was expected", several.len())),
        },
        Found::Failed { what } => Err(what),
        other => Err(format!("an answer to another question: {other:?}")),
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("rollback"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Rollback { seal, action: self }).await
    }

    /// Watches the rollout until it is complete, stuck or late.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Rollback { seal, action: self }).await {
            Ok(diff) => rollout_watch::watch(hands.eyes, seal, diff, PATIENCE).await,
            Err(outcome) => outcome,
        }
    }

    /// By its stamp, then by its rollout.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Rollback { seal, action: self }).await {
            Ok(diff) => rollout_watch::watch(eyes, seal, diff, PATIENCE).await,
            Err(outcome) => outcome,
        }
    }
}

/// A rollback as its intent has it.
struct Rollback<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

/// A Deployment, or an Argo Rollout, with its ReplicaSets.
struct Looked {
    workload: Workload,
    object: Value,
    replica_sets: Vec<Value>,
}

async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Looked, LookError> {
    let workload = cluster.look(target).await?;
    let found = cluster.get(&resource(target).named(&target.namespace, &target.name)).await?;
    let object = found.ok_or_else(|| LookError::Absent { what: target.to_string() })?;
    let replica_sets = cluster.list(REPLICA_SETS, &target.namespace, "").await?;
    Ok(Looked { workload, object, replica_sets })
}

fn resource(target: &Target) -> Resource {
    if target.kind == ROLLOUT { ROLLOUTS } else { DEPLOYMENTS }
}

impl Looked {
    /// Whether the controller has made this revision of what the spec says now. It makes the ReplicaSet a moment later.
    fn is_present(&self, revision: &Revision) -> bool {
        if self.workload.target.kind != ROLLOUT {
            return revision.is_of(self.object.pointer("/spec/template"));
        }
        // What a Rollout leaves out, its ReplicaSet has filled in: only its controller can say that they are the same.
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str);
        let generation = self.object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
        text("/status/observedGeneration") == Some(&generation.to_string())
            && text("/status/currentPodHash").is_some_and(|hash| revision.hash.as_deref() == Some(hash))
    }
}

#[async_trait]
impl OneChange for Rollback<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        look(cluster, &self.seal.target).await
    }

    fn change(&self, seen: &Looked) -> Result<ClusterChange, Reason> {
        change(self.action, seen, self.seal.stamp())
    }

    fn obstacles(&self, seen: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        obstacles(&seen.workload, now, &mut checks);
        checks.note(checks::same_uid(&seen.workload.uid, &self.seal.uid));
        let (is, was) = (seen.workload.generation, self.action.generation);
        checks.note(if is == was {
            Ok(format!("generation is {was}"))
        } else {
            Err(Reason::Changed { what: format!("generation is {is}, was {was}") })
        });
        checks
    }

    fn trace(&self, seen: &Looked) -> Trace {
        let Looked { workload, object, .. } = seen;
        if workload.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &workload.uid);
        }
        match stamp::annotation(object, stamp::INTENT) {
            Some(stamp) if stamp == self.seal.stamp() => Trace::Made,
            _ if workload.generation == self.action.generation => Trace::NotMade,
            _ => Trace::Unclear(format!(
                "generation {} has become {}, not by this intent",
                self.action.generation, workload.generation
            )),
        }
    }

    fn diff(&self) -> Diff {
        let Action { from, to, .. } = self.action;
        let change = Change {
            path: "spec.template".into(),
            before: format!("revision {from}"),
            after: format!("revision {to}"),
        };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

/// One patch that tests uid and generation: the generation says that nothing came in between.
fn change(action: &Action, looked: &Looked, stamp: &str) -> Result<ClusterChange, Reason> {
    let Looked { workload, object, replica_sets } = looked;
    let revisions = revisions::of(replica_sets, &workload.uid);
    let to = revisions.iter().find(|one| one.uid == action.replica_set_uid);
    let gone = || Reason::TargetAbsent { what: format!("ReplicaSet {} any more", action.replica_set) };
    let template = &to.ok_or_else(gone)?.template;
    let mut operations = vec![
        test("/metadata/uid", json!(workload.uid)),
        test("/metadata/generation", json!(action.generation)),
        json!({"op": "replace", "path": "/spec/template", "value": template}),
    ];
    operations.extend(stamp::annotate(object, stamp::INTENT, stamp));
    let told = |number: u64, template: Option<&Value>| format!("revision {number} ({})", images(template));
    let field = Field {
        path: "spec.template".into(),
        pointer: String::new(),
        before: told(action.from, object.pointer("/spec/template")),
        after: told(action.to, Some(template)),
    };
    let at = resource(&workload.target).named(&workload.target.namespace, &workload.target.name);
    Ok(ClusterChange::Object(ObjectChange::Patch { at, subresource: None, operations, fields: vec![field] }))
}

fn images(template: Option<&Value>) -> String {
    let containers = template.and_then(|template| template.pointer("/spec/containers")?.as_array());
    let images = containers.into_iter().flatten().filter_map(|container| container["image"].as_str());
    images.collect::<Vec<_>>().join(", ")
}

fn obstacles(workload: &Workload, now: Moment, checks: &mut Checks) {
    checks::pauses(workload, now, checks);
    checks.note(if workload.paused {
        Err(Reason::WorkloadPaused)
    } else {
        Ok("spec.paused is not set".into())
    });
    checks.pass(format!("a rollout under way is what a rollback ends ({})", workload.rollout.detail));
    checks.note(match &workload.gitops {
        Some(gitops) if gitops.tracks_template => {
            Err(Reason::ManagedByGitOps { by: gitops.by.clone(), field: "spec.template".into() })
        }
        Some(gitops) => Ok(format!("{} does not track spec.template", gitops.by)),
        None => Ok("no GitOps controller owns the workload".into()),
    });
}

/// Helm keeps a record of its own, which disagrees after a rollback by anybody else.
fn helm(deployment: &Value, wanted: Helm) -> Result<String, Reason> {
    match (stamp::annotation(deployment, "meta.helm.sh/release-name"), wanted) {
        (None, _) => Ok("Helm did not deploy it".into()),
        (Some(release), Helm::Allow) => Ok(format!(
            "Helm release {release} deployed it: its record and its ConfigMaps stay as they were deployed"
        )),
        (Some(release), Helm::Refuse) => Err(Reason::ManagedByOther {
            by: format!("Helm release {release}"),
            why: "its record and ConfigMaps would stay as deployed; `helm: allow` and an approval do it all the same"
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests;
