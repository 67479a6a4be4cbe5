//! What a look before a Job shows: the target, and the Jobs of its namespace. Changes nothing.

use std::collections::BTreeMap;

use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::run_job::{Action, CRON_JOB, Wish};
use paramedic_policies::target::Target;
use serde_json::Value;

use super::ended::end;
use crate::patch::{resource, texts};
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::Resource;
use crate::stamp::annotation;

pub(super) const JOBS: Resource = Resource::namespaced("batch", "v1", "jobs", "Job");
const CRON_JOBS: Resource = Resource::namespaced("batch", "v1", "cronjobs", "CronJob");
const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// Annotation: the target of the intent that made a Job.
pub(super) const TARGET: &str = "paramedic.dev/target";

/// The target and what stands around it.
pub(super) struct Looked {
    pub(super) target: Target,
    pub(super) uid: String,
    pub(super) object: Value,
    pub(super) namespace_annotations: BTreeMap<String, String>,
    jobs: Vec<Value>,
}

/// Whether the kind has what is to be run.
pub(super) fn fits(wish: &Wish, target: &Target) -> Result<(), Reason> {
    let wrong = |wanted: &str| Err(Reason::WrongKind { kind: target.kind.clone(), wanted: wanted.into() });
    match (&wish.template, target.kind == CRON_JOB) {
        (None, true) => Ok(()),
        (None, false) => wrong(CRON_JOB),
        (Some(_), false) if resource(&target.kind).is_some() => Ok(()),
        (Some(_), _) => wrong("Deployment, StatefulSet, DaemonSet, Service, ConfigMap"),
    }
}

/// Looks once.
pub(super) async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Looked, LookError> {
    let absent = || LookError::Absent { what: target.to_string() };
    let kind = if target.kind == CRON_JOB { Some(CRON_JOBS) } else { resource(&target.kind) };
    let at = kind.ok_or_else(absent)?.named(&target.namespace, &target.name);
    let object = cluster.get(&at).await?.ok_or_else(absent)?;
    let namespace = cluster.get(&NAMESPACES.named("", &target.namespace)).await?;
    let jobs = cluster.list(JOBS, &target.namespace, "").await?;
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let namespace_annotations =
        namespace.map(|namespace| texts(&namespace, "/metadata/annotations")).unwrap_or_default();
    Ok(Looked { target: target.clone(), uid, object, namespace_annotations, jobs })
}

impl Looked {
    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        texts(&self.object, "/metadata/annotations")
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        texts(&self.object, "/metadata/labels")
    }

    /// One of the namespace's Jobs.
    pub(super) fn job(&self, name: &str) -> Option<&Value> {
        self.jobs.iter().find(|job| job.pointer("/metadata/name").is_some_and(|has| has == name))
    }

    /// The generation that is pinned: that of a CronJob, whose template is run.
    pub(super) fn generation(&self, wish: &Wish) -> Option<i64> {
        if wish.template.is_some() {
            return None;
        }
        Some(self.object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default())
    }

    /// Whether the template is the one that was decided upon.
    pub(super) fn is_same(&self, action: &Action) -> Result<String, Reason> {
        let (has, wanted) = (self.generation(&action.wish), action.generation);
        if has == wanted {
            return Ok("the template is as it was decided upon".into());
        }
        let shown = |generation: Option<i64>| generation.map_or("-".into(), |number| number.to_string());
        Err(Reason::Changed {
            what: format!("the generation of {} is {}, was {}", self.target, shown(has), shown(wanted)),
        })
    }

    /// Nobody suspended it.
    pub(super) fn is_resumed(&self, action: &Action) -> Result<String, Reason> {
        let is = |pointer: &str| self.object.pointer(pointer) == Some(&Value::Bool(true));
        if action.wish.template.is_some() {
            Ok("the policy has the template".into())
        } else if is("/spec/suspend") || is("/spec/jobTemplate/spec/suspend") {
            Err(Reason::Suspended)
        } else {
            Ok("spec.suspend is not set".into())
        }
    }

    /// The container whose log is wanted is there.
    pub(super) fn has_container(&self, action: &Action) -> Result<String, Reason> {
        let Some(wanted) = &action.wish.container else {
            return Ok("the first container is listened to".into());
        };
        if action.wish.template.is_some() {
            return Ok("the one container is listened to".into());
        }
        let containers = self.object.pointer("/spec/jobTemplate/spec/template/spec/containers");
        let mut containers = containers.and_then(Value::as_array).into_iter().flatten();
        if containers.any(|one| one.get("name").is_some_and(|name| name == wanted.as_str())) {
            Ok(format!("it has a container {wanted}"))
        } else {
            Err(Reason::TargetAbsent { what: format!("container {wanted} of {}", self.target) })
        }
    }

    /// No run of ours is under way for this target, and none at all where the CronJob wants one at a time. `Replace`
    /// is no leave to end a run that somebody waits for.
    pub(super) fn is_free(&self, action: &Action, own: &str) -> Result<String, Reason> {
        let policy = self.object.pointer("/spec/concurrencyPolicy").and_then(Value::as_str);
        let alone = action.wish.template.is_none() && policy.is_some_and(|policy| policy != "Allow");
        let target = self.target.to_string();
        let name = |job: &Value| {
            job.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let stands_in_the_way = |job: &&Value| {
            let ours = annotation(job, TARGET) == Some(&target);
            end(job).is_none() && name(job) != own && (ours || alone && self.owns(job))
        };
        match self.jobs.iter().find(stands_in_the_way) {
            Some(job) => {
                Err(Reason::JobRunning { job: format!("{}/job/{}", self.target.namespace, name(job)) })
            }
            None => {
                Ok(if alone { "no Job of it is running" } else { "no Job of ours is running for it" }.into())
            }
        }
    }

    fn owns(&self, job: &Value) -> bool {
        let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| owner.get("uid").is_some_and(|uid| uid == self.uid.as_str()))
    }
}
