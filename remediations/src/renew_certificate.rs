//! Asks cert-manager to issue a Certificate anew, as `cmctl renew` does, and waits until it has: one condition by the
//! status subresource. Never touches keys or Secrets, and never asks while an issuance is under way.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::renew_certificate::{Action, CERTIFICATE, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::patch::texts;
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, ClusterChange, LookError, manager};
use crate::ports::objects::{Field, ObjectChange, Resource, add, test};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::retry;
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;

const CERTIFICATES: Resource = Resource::namespaced("cert-manager.io", "v1", "certificates", "Certificate");
const NAMESPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// How often a Certificate is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let target = aim.target_of(CERTIFICATES);
        rights.look(&[Verb::Get], &target);
        rights.look(&[Verb::Get], &aim.home());
        rights.change(&[Verb::Patch], &target.sub("status"));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if target.kind != CERTIFICATE {
            checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: CERTIFICATE.into() });
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let looked = look(cluster, target).await?;
        looked.obstacles(eyes.now(), &mut checks);
        let labels = texts(&looked.object, "/metadata/labels");
        let mut seen = Seen { uid: looked.uid.clone(), labels, ..Seen::default() };
        if diff && checks.is_clear() {
            let change = looked.change(target, eyes.now(), "preview");
            seen.diff = one_change::preview(cluster, &change, &mut checks).await;
        }
        let action = Action { revision: looked.revision(), not_after: looked.not_after() };
        Ok(checks.into_preflight(seen, Some(action::Action::RenewCertificate(action)), false))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("renewal"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Renewing { seal, action: self }).await
    }

    /// Waits until a later revision is there.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Renewing { seal, action: self }).await {
            Ok(_) => watch(hands.eyes, seal, self).await,
            Err(outcome) => outcome,
        }
    }

    /// By our mark on the condition, or by a later revision.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Renewing { seal, action: self }).await {
            Ok(_) => watch(eyes, seal, self).await,
            Err(outcome) => outcome,
        }
    }
}

/// A Certificate, and who paused its namespace.
struct Looked {
    uid: String,
    object: Value,
    namespace: Option<Value>,
}

async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Looked, LookError> {
    let absent = || LookError::Absent { what: target.to_string() };
    let at = CERTIFICATES.named(&target.namespace, &target.name);
    let object = cluster.get(&at).await?.ok_or_else(absent)?;
    let namespace = cluster.get(&NAMESPACES.named("", &target.namespace)).await?;
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Looked { uid, object, namespace })
}

impl Looked {
    fn revision(&self) -> i64 {
        self.object.pointer("/status/revision").and_then(Value::as_i64).unwrap_or_default()
    }

    fn not_after(&self) -> Option<String> {
        self.object.pointer("/status/notAfter").and_then(Value::as_str).map(str::to_owned)
    }

    /// The condition `Issuing` with its place in the list.
    fn issuing(&self) -> Option<(usize, &Value)> {
        let conditions = self.object.pointer("/status/conditions").and_then(Value::as_array)?;
        conditions.iter().enumerate().find(|(_, one)| one.get("type").is_some_and(|is| is == "Issuing"))
    }

    fn text(&self, key: &str) -> &str {
        self.issuing().and_then(|(_, one)| one.get(key)?.as_str()).unwrap_or_default()
    }

    fn is_issuing(&self) -> bool {
        self.text("status") == "True"
    }

    /// Whether cert-manager gave up at or after a time, which it writes to the second.
    fn has_failed_since(&self, since: Moment) -> bool {
        let at = self.object.pointer("/status/lastFailureTime").and_then(Value::as_str);
        let at = at.and_then(|text| text.parse::<Moment>().ok());
        at.is_some_and(|at| at.unix_ms() / 1000 >= since.unix_ms() / 1000)
    }

    fn obstacles(&self, now: Moment, checks: &mut Checks) {
        let annotations = |object: &Value| texts(object, "/metadata/annotations");
        checks.note(checks::pause("Certificate", &annotations(&self.object), now));
        let namespace = self.namespace.as_ref().map(annotations).unwrap_or_default();
        checks.note(checks::pause("namespace", &namespace, now));
        checks.note(if self.is_issuing() {
            let detail = format!("cert-manager is issuing it already ({})", self.text("reason"));
            Err(Reason::RollingOut { detail })
        } else {
            Ok("cert-manager is not issuing it now".into())
        });
    }

    /// What `cmctl renew` writes, with our stamp in the message: a write of the status keeps no annotations.
    fn change(&self, target: &Target, now: Moment, stamp: &str) -> ClusterChange {
        let seconds = Moment::from_unix_ms(now.unix_ms() / 1000 * 1000).to_string().replace(".000Z", "Z");
        let condition = json!({
            "type": "Issuing",
            "status": "True",
            "reason": "ManuallyTriggered",
            "message": message(stamp),
            "observedGeneration": self.object.pointer("/metadata/generation").cloned().unwrap_or(json!(1)),
            "lastTransitionTime": seconds,
        });
        let mut operations = vec![test("/metadata/uid", json!(self.uid))];
        let mut pointer = "/status/conditions/-".to_owned();
        match self.issuing() {
            Some((index, has)) => {
                pointer = format!("/status/conditions/{index}");
                operations.push(test(&pointer, has.clone()));
                operations.push(json!({"op": "replace", "path": pointer, "value": condition}));
            }
            None => {
                // What is not there cannot be tested: nobody may have written the object since.
                let version = self.object.pointer("/metadata/resourceVersion").cloned();
                operations.push(test("/metadata/resourceVersion", version.unwrap_or_default()));
                if self.object.get("status").is_none() {
                    operations.push(add("/status", json!({})));
                }
                if self.object.pointer("/status/conditions").is_none_or(Value::is_null) {
                    operations.push(add("/status/conditions", json!([])));
                }
                operations.push(add(&pointer, condition));
            }
        }
        let before = if self.issuing().is_some() { self.text("status").to_owned() } else { "-".into() };
        let field = Field {
            path: "status.conditions[Issuing]".into(),
            pointer: String::new(),
            before,
            after: "True (ManuallyTriggered)".into(),
        };
        ClusterChange::Object(ObjectChange::Patch {
            at: CERTIFICATES.named(&target.namespace, &target.name),
            subresource: Some("status"),
            operations,
            fields: vec![field],
        })
    }
}

fn message(stamp: &str) -> String {
    format!("Certificate re-issuance triggered by paramedic, intent {stamp}")
}

/// A renewal as its intent has it.
struct Renewing<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

#[async_trait]
impl OneChange for Renewing<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        look(cluster, &self.seal.target).await
    }

    fn change(&self, looked: &Looked) -> Result<ClusterChange, Reason> {
        Ok(looked.change(&self.seal.target, self.seal.at, self.seal.stamp()))
    }

    fn obstacles(&self, looked: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        looked.obstacles(now, &mut checks);
        checks.note(checks::same_uid(&looked.uid, &self.seal.uid));
        checks
    }

    fn trace(&self, looked: &Looked) -> Trace {
        if looked.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &looked.uid);
        }
        let ours =
            looked.text("message") == message(self.seal.stamp()) || is_set_by(looked, self.seal.stamp());
        // A later revision is what was wanted, whoever asked for it last.
        if ours || looked.revision() > self.action.revision {
            return Trace::Made;
        }
        if looked.is_issuing() || looked.has_failed_since(self.seal.at) {
            return Trace::Unclear("it is or was being issued, and nothing shows for whom".into());
        }
        Trace::NotMade
    }

    fn diff(&self) -> Diff {
        let change = Change {
            path: "status.conditions[Issuing]".into(),
            before: "-".into(),
            after: "True (ManuallyTriggered)".into(),
        };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

/// Whether our field manager still owns something of the status.
fn is_set_by(looked: &Looked, stamp: &str) -> bool {
    let entries = looked.object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let ours = manager(stamp);
    entries.into_iter().flatten().any(|entry| entry.get("manager").is_some_and(|name| *name == ours.as_str()))
}

/// Looks at least once, so that a renewal that ended before its deadline is seen to have ended after a crash too.
async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, action: &Action) -> Outcome {
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { look(eyes.cluster()?, &seal.target).await },
        );
        let seen = match looked.await {
            Ok(looked) => match ended(&looked, seal, action) {
                Some(outcome) => return outcome,
                None => format!("Issuing is {}: {}", looked.text("status"), looked.text("message")),
            },
            Err(error @ LookError::Absent { .. }) => {
                return Outcome::Failed { what: format!("{error} any more"), applied: true };
            }
            Err(
                error @ (LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }),
            ) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            let what = format!("{} was not renewed by {}: {seen}", seal.target, seal.deadline);
            return Outcome::Failed { what, applied: true };
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How a renewal ended; none while it lasts. Only a later end of validity proves it.
fn ended(looked: &Looked, seal: &Sealed<Intent>, action: &Action) -> Option<Outcome> {
    if looked.is_issuing() {
        return None;
    }
    let moved =
        looked.not_after().is_some_and(|now| action.not_after.as_ref().is_none_or(|was| later(&now, was)));
    if looked.revision() > action.revision && moved {
        let change = |path: &str, before: String, after: String| Change { path: path.into(), before, after };
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let fields = vec![
            change("status.revision", action.revision.to_string(), looked.revision().to_string()),
            change("status.notAfter", shown(action.not_after.clone()), shown(looked.not_after())),
        ];
        let diff = Diff { fields, source: DiffSource::Applied };
        return Some(Outcome::Done { diff: Some(diff), already: false });
    }
    let failed = looked.text("reason") == "Failed" && looked.has_failed_since(seal.at);
    failed.then(|| Outcome::Failed {
        what: format!("cert-manager could not issue {}: {}", seal.target, looked.text("message")),
        applied: true,
    })
}

fn later(now: &str, was: &str) -> bool {
    match (now.parse::<Moment>(), was.parse::<Moment>()) {
        (Ok(now), Ok(was)) => now > was,
        (Err(_), _) | (_, Err(_)) => now != was,
    }
}

#[cfg(test)]
mod tests;
