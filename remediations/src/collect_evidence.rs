//! Keeps what will be gone once something was done: pods, revisions, events, values, ends of logs, in the record of the
//! outcome. It changes nothing, keeps nothing that was not searched for secrets first, and never more than its bound. A
//! part that cannot be had is said, and stops what follows only where the policy requires it.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use paramedic_policies::action::{self, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::evidence::{Bag, Series};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::collect_evidence::{Action, KINDS, Wish, Written};
use paramedic_policies::target::Target;
use serde_json::Value;

use crate::checks::{self, Checks, Seen};
use crate::one_change;
use crate::patch::{resource as of_kind, texts};
use crate::pods::JOBS;
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, LookError, Run};
use crate::ports::metrics::Range;
use crate::ports::objects::{ROLLOUTS, Resource};
use crate::ports::redaction::Hides;
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;

mod told;

const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
const EVENTS: Resource = Resource::namespaced("", "v1", "events", "Event");
const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");
const CRON_JOBS: Resource = Resource::namespaced("batch", "v1", "cronjobs", "CronJob");
const REPLICA_SETS: Resource = Resource::namespaced("apps", "v1", "replicasets", "ReplicaSet");
const CONTROLLER_REVISIONS: Resource =
    Resource::namespaced("apps", "v1", "controllerrevisions", "ControllerRevision");

/// No part may take longer: what comes after it waits for it.
const PART_WITHIN: Duration = Duration::from_secs(10);

/// Pods whose logs are read, the sickest first.
const PODS_HEARD_MAX: usize = 4;

/// Pods whose events are read, the sickest first: each is a request of its own, since in a storm of events those of the whole
/// namespace are too many.
const PODS_TOLD_MAX: usize = 12;

/// Runs of a CronJob whose pods are looked at, the newest first.
const RUNS_MAX: usize = 5;

const ROLLOUT: &str = "Rollout.argoproj.io";

/// Kinds of a CronJob.
const CRON_JOB: [&str; 2] = ["CronJob.batch", "CronJob"];

/// Values of a query.
const VALUES: u64 = 60;

/// The resource of a kind, where evidence of it can be found.
fn resource(kind: &str) -> Option<Resource> {
    match kind {
        ROLLOUT => Some(ROLLOUTS),
        kind if CRON_JOB.contains(&kind) => Some(CRON_JOBS),
        "Pod" => Some(PODS),
        kind => of_kind(kind),
    }
}

impl Needs for Written {
    /// It only reads, in dry-run too.
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        for target in aim.targets() {
            rights.look(&[Verb::Get], &target);
        }
        rights.look(&[Verb::Get], &aim.home());
        for resource in [PODS, EVENTS, REPLICA_SETS, CONTROLLER_REVISIONS] {
            rights.look(&[Verb::List], &aim.beside(resource));
        }
        rights.look(&[Verb::Get], &aim.beside(PODS).sub("log"));
        if !aim.only(&CRON_JOB).targets().is_empty() {
            rights.look(&[Verb::List], &aim.beside(JOBS));
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, _: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        let Some(resource) = resource(&target.kind) else {
            let wanted = KINDS.join(", ");
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        };
        let at = resource.named(&target.namespace, &target.name);
        let object = cluster.get(&at).await?.ok_or_else(|| LookError::Absent { what: target.to_string() })?;
        let namespace = cluster.get(&NAMESPACES.named("", &target.namespace)).await?;
        let namespace = namespace.map(|one| texts(&one, "/metadata/annotations")).unwrap_or_default();
        checks.note(checks::pause("object", &texts(&object, "/metadata/annotations"), eyes.now()));
        checks.note(checks::pause("namespace", &namespace, eyes.now()));
        checks.pass("it changes nothing");
        let seen = Seen { uid: uid(&object), labels: texts(&object, "/metadata/labels"), ..Seen::default() };
        let action = action::Action::CollectEvidence(Action { wish: self.clone() });
        Ok(checks.into_preflight(seen, Some(action), false))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("collection of evidence"))
    }

    /// It changes nothing, so its rehearsal is the thing itself.
    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        collect(eyes, seal, &self.wish).await
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        collect(hands.eyes, seal, &self.wish).await
    }

    /// What was collected went with the process; it can be collected again.
    async fn close(&self, _: Eyes<'_>, _: &Sealed<Intent>) -> Outcome {
        one_change::failed("the process ended while it collected evidence; nothing was changed".into())
    }
}

/// One collection under way.
struct Collecting<'a> {
    eyes: Eyes<'a>,
    cluster: &'a dyn Cluster,
    seal: &'a Sealed<Intent>,
    wish: &'a Wish,
    hides: &'a Hides,
    bag: Bag,
    missing: Vec<String>,
}

async fn collect(eyes: Eyes<'_>, seal: &Sealed<Intent>, wish: &Wish) -> Outcome {
    let Some(hides) = eyes.hides else {
        return one_change::failed("nothing hides secrets in this process, so it keeps no evidence".into());
    };
    let cluster = match eyes.cluster() {
        Ok(cluster) => cluster,
        Err(error) => return one_change::failed(error.to_string()),
    };
    let bag = Bag::new(wish.bytes_max());
    let mut collecting = Collecting { eyes, cluster, seal, wish, hides, bag, missing: Vec::new() };
    if let Err(changed) = collecting.all().await {
        return Outcome::Refused { reasons: vec![changed] };
    }
    if wish.required && !collecting.missing.is_empty() {
        let what = format!("could not collect all evidence: {}", collecting.missing.join("; "));
        return one_change::failed(what);
    }
    Outcome::Collected { evidence: Box::new(collecting.bag.closed()) }
}

impl Collecting<'_> {
    /// Every part in order; the logs last, since they take what room is left.
    async fn all(&mut self) -> Result<(), Reason> {
        let object = self.target().await?;
        let pods = match &object {
            Some(object) => self.pods(object).await,
            None => Vec::new(),
        };
        if let Some(object) = &object {
            self.revisions(object).await;
            self.events(object, &pods).await;
        }
        self.values().await;
        self.logs(&pods).await;
        Ok(())
    }

    async fn target(&mut self) -> Result<Option<Value>, Reason> {
        let target = &self.seal.target;
        let Some(resource) = resource(&target.kind) else { return Ok(None) };
        let at = resource.named(&target.namespace, &target.name);
        let found = self.look(self.cluster.get(&at)).await;
        match found {
            Ok(Some(object)) => {
                checks::same_uid(&uid(&object), &self.seal.uid)?;
                Ok(Some(object))
            }
            Ok(None) => {
                self.miss(at.to_string(), "it is gone");
                Ok(None)
            }
            Err(why) => {
                self.miss(at.to_string(), &why);
                Ok(None)
            }
        }
    }

    async fn pods(&mut self, object: &Value) -> Vec<Value> {
        if self.seal.target.kind == PODS.kind {
            self.keep("pods", &told::pod(object));
            return vec![object.clone()];
        }
        let selectors = match self.selectors(object).await {
            Ok(selectors) => selectors,
            Err(why) => {
                self.miss("pods".into(), &why);
                return Vec::new();
            }
        };
        let Some(selectors) = selectors else {
            self.bag.text("pods", "it selects no pods");
            return Vec::new();
        };
        let namespace = self.seal.target.namespace.clone();
        let mut pods = Vec::new();
        for selector in &selectors {
            let found = self.look(self.cluster.list(PODS, &namespace, selector)).await;
            match found {
                Ok(found) => pods.extend(found),
                Err(why) => {
                    self.miss("pods".into(), &why);
                    return Vec::new();
                }
            }
        }
        pods.sort_by_key(|pod| std::cmp::Reverse(told::sickness(pod)));
        let lines: Vec<String> = pods.iter().map(told::pod).collect();
        self.keep("pods", &told::lines(&lines, "no pods are there"));
        pods
    }

    /// What selects its pods; none where it is of a kind that has none.
    ///
    /// # Errors
    /// Where it has pods, and nobody knows which.
    async fn selectors(&self, object: &Value) -> Result<Option<Vec<String>>, String> {
        if let Some(selector) = told::selector(object) {
            return Ok(Some(vec![selector]));
        }
        let (kind, uid) = (self.seal.target.kind.as_str(), uid(object));
        let listed = |resource| self.look(self.cluster.list(resource, &self.seal.target.namespace, ""));
        if CRON_JOB.contains(&kind) {
            return Ok(Some(told::runs_of(&listed(JOBS).await?, &uid, RUNS_MAX)));
        }
        if let Some(workload) = object.pointer("/spec/workloadRef").filter(|_| kind == ROLLOUT) {
            let found = told::selector_of_sets(&listed(REPLICA_SETS).await?, &uid);
            let name = workload.get("name").and_then(Value::as_str).unwrap_or_default();
            let found = found
                .ok_or_else(|| format!("its template is that of {name}, and it has no ReplicaSet yet"))?;
            return Ok(Some(vec![found]));
        }
        match told::has_selector(object) {
            true => Err("nobody here can read its selector".to_owned()),
            false => Ok(None),
        }
    }

    async fn revisions(&mut self, object: &Value) {
        let kind = self.seal.target.kind.as_str();
        let resource = match kind {
            "Deployment" | ROLLOUT => REPLICA_SETS,
            "StatefulSet" | "DaemonSet" => CONTROLLER_REVISIONS,
            _ => return,
        };
        let (namespace, uid) = (self.seal.target.namespace.clone(), uid(object));
        let found = self.look(self.cluster.list(resource, &namespace, "")).await;
        match found {
            Ok(all) => {
                let lines = told::revisions(&all, &uid);
                self.keep("revisions", &told::lines(&lines, "no revisions are there"));
            }
            Err(why) => self.miss("revisions".into(), &why),
        }
    }

    async fn events(&mut self, object: &Value, pods: &[Value]) {
        let namespace = self.seal.target.namespace.as_str();
        let of_pods = pods.iter().take(PODS_TOLD_MAX).map(|pod| (told::name(pod), uid(pod)));
        let mut about = vec![(self.seal.target.name.clone(), uid(object))];
        about.extend(of_pods.filter(|(_, of)| *of != uid(object)));
        about.retain(|(_, uid)| !uid.is_empty());
        let asked = about.iter().map(|(_, uid)| {
            self.look(self.cluster.list_where(EVENTS, namespace, ("involvedObject.uid", uid)))
        });
        let (mut found, mut missed) = (Vec::new(), Vec::new());
        for ((name, _), answer) in about.iter().zip(join_all(asked).await) {
            match answer {
                Ok(events) => found.extend(events),
                Err(why) => missed.push((name, why)),
            }
        }
        if missed.len() < about.len() {
            let mut lines = told::events(&found);
            if pods.len() > PODS_TOLD_MAX {
                lines.push(format!("(of the {PODS_TOLD_MAX} sickest of its {} pods)", pods.len()));
            }
            self.keep("events", &told::lines(&lines, "no events are there"));
        }
        let names: Vec<&str> = missed.iter().map(|(name, _)| name.as_str()).collect();
        match missed.first() {
            Some((_, why)) if missed.len() == about.len() => self.miss("events".into(), why),
            Some((_, why)) => self.miss(format!("events of {}", names.join(", ")), why),
            None => {}
        }
    }

    async fn values(&mut self) {
        let to = self.eyes.now();
        let over = Range::of(to - self.wish.over, to, VALUES);
        for promql in &self.wish.queries {
            let asked = tokio::time::timeout(self.within(), self.eyes.metrics.range(promql, over)).await;
            match asked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(found) => {
                    let series =
                        found.into_iter().map(|one| Series { labels: one.labels, points: one.points });
                    self.bag.values((self.hides)(promql), series.collect());
                }
                Err(why) => self.miss(promql.clone(), &why),
            }
        }
    }

    async fn logs(&mut self, pods: &[Value]) {
        for pod in pods.iter().take(PODS_HEARD_MAX) {
            for (container, previous) in told::runs(pod) {
                if self.bag.is_full() || self.wish.log_lines == 0 {
                    return;
                }
                let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                let at = PODS.named(&self.seal.target.namespace, name);
                let run = Run { pod: at, container: &container, previous, lines: self.wish.log_lines };
                let which = if previous { "log of the run before in" } else { "log of" };
                let title = format!("{which} {name}, container {container}");
                let found = self.look(self.cluster.log_of(&run)).await;
                match found {
                    Ok(log) if log.trim().is_empty() => self.bag.text(title, "(empty)"),
                    Ok(log) => self.keep(title, &log),
                    Err(why) => self.miss(title, &why),
                }
            }
        }
    }

    /// The answer of the cluster, within the time of a part.
    async fn look<T>(&self, asked: impl Future<Output = Result<T, LookError>> + Send) -> Result<T, String> {
        match tokio::time::timeout(self.within(), asked).await {
            Ok(found) => found.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn within(&self) -> Duration {
        left(self.eyes.clock, self.seal.deadline).min(PART_WITHIN)
    }

    /// Keeps text, searched for secrets as a whole: what is cut first may cut a secret in two, and be passed over.
    fn keep(&mut self, name: impl Into<String>, text: &str) {
        self.bag.text(name, &(self.hides)(text));
    }

    fn miss(&mut self, name: String, why: &str) {
        let (name, why) = ((self.hides)(&name), (self.hides)(why));
        self.bag.missing(name.clone(), &why);
        self.missing.push(format!("{name}: {why}"));
    }
}

fn uid(object: &Value) -> String {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
