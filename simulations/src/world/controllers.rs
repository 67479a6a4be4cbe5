//! Controllers of objects that are no workloads, as far as a remediation waits for them: Jobs run and end, cert-manager
//! issues, Argo Rollouts takes an aborted canary's traffic away. Each takes its time. They never look at policies.

use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::objects::{Address, ROLLOUTS};
use serde_json::{Value, json};

use super::World;
use super::kinds::{CERTIFICATES, JOBS, PODS};

/// How a Job goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLife {
    /// How long it runs.
    pub takes: Span,
    /// The exit code of its container.
    pub exit_code: i32,
    /// What its container says.
    pub log: String,
}

impl Default for JobLife {
    fn default() -> Self {
        Self { takes: Span::from_mins(1), exit_code: 0, log: "done".to_owned() }
    }
}

/// How a certificate is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateLife {
    /// How long that takes.
    pub takes: Span,
    /// Why it fails, where it does.
    pub fails: Option<String>,
}

impl Default for CertificateLife {
    fn default() -> Self {
        Self { takes: Span::from_secs(30), fails: None }
    }
}

/// What a controller has begun.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Duty {
    due: Moment,
    at: Address,
}

/// How long Argo Rollouts takes to take the traffic away.
const ABORTED_WITHIN: Span = Span::from_secs(5);

/// How long a certificate that was issued lasts.
const LASTS: Span = Span::from_hours(24 * 90);

impl World {
    /// A controller notices what was written.
    pub(super) fn begin_duties(&mut self, at: &Address) {
        let Some(object) = self.objects.get(at) else { return };
        let takes = if at.resource == JOBS && condition(object, "Complete").is_none() {
            self.jobs.takes
        } else if at.resource == CERTIFICATES && is(object, "Issuing") {
            self.certificates.takes
        } else if at.resource == ROLLOUTS && object.pointer("/status/abort") == Some(&json!(true)) {
            ABORTED_WITHIN
        } else {
            return;
        };
        if !self.duties.iter().any(|duty| duty.at == *at) {
            self.duties.push(Duty { due: self.now + takes, at: at.clone() });
        }
    }

    /// Controllers end what is due.
    pub(super) fn reconcile(&mut self) {
        let now = self.now;
        let due: Vec<Duty> = self.duties.extract_if(.., |duty| duty.due <= now).collect();
        for Duty { at, due } in due {
            if at.resource == JOBS {
                self.end_job(&at, due);
            } else if at.resource == CERTIFICATES {
                self.issue(&at, due);
            } else {
                self.edit(&at, |rollout, _| {
                    let wanted = rollout.pointer("/spec/replicas").cloned().unwrap_or(json!(1));
                    rollout["status"]["abortedAt"] = json!(due);
                    rollout["status"]["updatedReplicas"] = json!(0);
                    rollout["status"]["availableReplicas"] = wanted;
                    if rollout.pointer("/status/canary/weights").is_some() {
                        rollout["status"]["canary"]["weights"]["canary"]["weight"] = json!(0);
                    }
                });
            }
        }
    }

    fn end_job(&mut self, at: &Address, due: Moment) {
        let JobLife { exit_code, log, .. } = self.jobs.clone();
        let good = exit_code == 0;
        let mut container = "main".to_owned();
        self.edit(at, |job, _| {
            let named = job.pointer("/spec/template/spec/containers/0/name").and_then(Value::as_str);
            if let Some(named) = named {
                container = named.to_owned();
            }
            let kind = if good { "Complete" } else { "Failed" };
            let mut condition = json!({"type": kind, "status": "True", "lastTransitionTime": due});
            if !good {
                condition["reason"] = json!("BackoffLimitExceeded");
                condition["message"] = json!("Job has reached the specified backoff limit");
            }
            job["status"]["conditions"] = json!([condition]);
        });
        let pod = PODS.named(&at.namespace, &format!("{}-1", at.name));
        let reason = if good { "Completed" } else { "Error" };
        let object = json!({
            "metadata": {"labels": {"job-name": at.name}, "creationTimestamp": due},
            "spec": {"containers": [{"name": container}]},
            "status": {
                "phase": if good { "Succeeded" } else { "Failed" },
                "containerStatuses": [{
                    "name": container,
                    "state": {"terminated": {"exitCode": exit_code, "reason": reason}},
                }],
            },
        });
        self.logs.insert(pod.clone(), log);
        self.objects.put(pod, object);
    }

    fn issue(&mut self, at: &Address, due: Moment) {
        let fails = self.certificates.fails.clone();
        self.edit(at, |certificate, _| {
            let issuing = certificate
                .pointer_mut("/status/conditions")
                .and_then(Value::as_array_mut)
                .and_then(|all| all.iter_mut().find(|one| one["type"] == "Issuing"));
            if let Some(issuing) = issuing {
                issuing["status"] = json!("False");
                issuing["reason"] = json!(if fails.is_some() { "Failed" } else { "Issued" });
                issuing["message"] = json!(fails.as_deref().unwrap_or("The certificate was issued"));
            }
            if fails.is_some() {
                certificate["status"]["lastFailureTime"] = json!(due);
            } else {
                let revision = certificate.pointer("/status/revision").and_then(Value::as_i64).unwrap_or(0);
                certificate["status"]["revision"] = json!(revision + 1);
                certificate["status"]["notAfter"] = json!(due + LASTS);
            }
        });
    }

    /// The last words of a pod.
    pub fn log(&self, pod: &Address) -> Option<&str> {
        self.logs.get(pod).map(String::as_str)
    }
}

fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array)?;
    all.iter().find(|one| one["type"] == kind)
}

fn is(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|one| one["status"] == "True")
}
