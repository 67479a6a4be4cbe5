//! The changes: one JSON Patch each, which tests uid and old value, so that a race becomes a refusal and a repeat has no
//! second effect. The only file that writes to a cluster.

use kube::Client;
use kube::core::ObjectMeta;
use paramedic_policies::action::{Change, Diff, DiffSource, Intent};
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::calls::{Place, get, patch};
use super::kinds::Kind;
use super::{argo, objects};
use crate::ports::cluster::{ChangeError, ClusterChange, LookError, manager};
use crate::ports::objects::{Field, ObjectChange, add, escaped, remove, test};
use crate::seal::Sealed;
use crate::stamp;

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Makes the change.
pub(super) async fn change(
    client: &Client,
    change: &ClusterChange,
    seal: &Sealed<Intent>,
) -> Result<Diff, ChangeError> {
    let ready = prepare(client, change, seal.stamp()).await?;
    let tried = format!("{} {}", seal.action, seal.target);
    let object = ready.send(client, seal.stamp(), false, &tried).await?;
    Ok(Diff { fields: ready.diff(&object), source: DiffSource::Applied })
}

/// Lets the server say what the change would do; computes it where the server says that we may not ask.
pub(super) async fn preview(
    client: &Client,
    change: &ClusterChange,
    stamp: &str,
) -> Result<Diff, ChangeError> {
    let ready = prepare(client, change, stamp).await?;
    match ready.send(client, stamp, true, &format!("dry run of {}", ready.name())).await {
        Ok(object) => Ok(Diff { fields: ready.diff(&object), source: DiffSource::ServerDryRun }),
        Err(ChangeError::Forbidden { message }) => {
            let fields = ready.fields.iter().map(computed).collect();
            Ok(Diff { fields, source: DiffSource::Computed { because: message } })
        }
        Err(error) => Err(error),
    }
}

/// A change, ready to be sent, and what changes by it.
struct Ready {
    request: Request,
    fields: Vec<Field>,
}

/// How it is sent.
enum Request {
    /// A JSON Patch of a workload or what scales it.
    Patch { resource: String, name: String, subresource: Option<&'static str>, operations: Vec<Value> },
    /// A change of any other object.
    Object(ObjectChange),
}

fn computed(field: &Field) -> Change {
    Change { path: field.path.clone(), before: field.before.clone(), after: field.after.clone() }
}

impl Ready {
    fn name(&self) -> String {
        match &self.request {
            Request::Patch { name, .. } => name.clone(),
            Request::Object(change) => change.address().to_string(),
        }
    }

    async fn send(
        &self,
        client: &Client,
        stamp: &str,
        dry_run: bool,
        tried: &str,
    ) -> Result<Value, ChangeError> {
        match &self.request {
            Request::Patch { resource, name, subresource, operations } => {
                let place = Place { resource, name, subresource: *subresource };
                patch(client, place, operations, manager(stamp), dry_run, tried).await
            }
            Request::Object(change) => objects::change(client, change, stamp, dry_run, tried).await,
        }
    }

    /// What the server made of it: admission may have changed the value.
    fn diff(&self, object: &Value) -> Vec<Change> {
        let seen = |field: &Field| match object.pointer(&field.pointer).filter(|_| !field.pointer.is_empty())
        {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            // A number that is zero is left out of a scale; what is deleted is not shown at all.
            None => field.after.clone(),
        };
        self.fields
            .iter()
            .map(|field| Change {
                path: field.path.clone(),
                before: field.before.clone(),
                after: seen(field),
            })
            .collect()
    }
}

async fn prepare(client: &Client, change: &ClusterChange, stamp: &str) -> Result<Ready, ChangeError> {
    match change {
        ClusterChange::Object(change) => {
            Ok(Ready { fields: change.fields(), request: Request::Object(change.clone()) })
        }
        ClusterChange::Replicas { target, uid, from, to } => {
            let kind = Kind::of(client, target).await.map_err(not_seen)?;
            let was = if *from == 0 { Value::Null } else { json!(from) };
            let operations = vec![
                test("/metadata/uid", json!(uid)),
                // Zero is left out of a scale: the test is then that there is none.
                test("/spec/replicas", was),
                add("/spec/replicas", json!(to)),
            ];
            let field = number("spec.replicas", "/spec/replicas", *from, *to);
            let (resource, name) = (kind.path(), target.name.clone());
            let request = Request::Patch { resource, name, subresource: Some("scale"), operations };
            Ok(Ready { request, fields: vec![field] })
        }
        ClusterChange::MinReplicas { namespace, hpa, uid, from, to } => {
            let operations = vec![
                test("/metadata/uid", json!(uid)),
                test("/spec/minReplicas", json!(from)),
                add("/spec/minReplicas", json!(to)),
            ];
            let path = format!("spec.minReplicas of HPA {hpa}");
            let resource = format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers");
            let request = Request::Patch { resource, name: hpa.clone(), subresource: None, operations };
            Ok(Ready { request, fields: vec![number(&path, "/spec/minReplicas", *from, *to)] })
        }
        ClusterChange::Restart { target, uid, generation, at, correlation } if target.kind == argo::KIND => {
            let correlation = correlation.as_deref();
            let ready = argo::restart(client, target, *at, stamp, correlation).await.map_err(not_seen)?;
            as_seen(uid, *generation, ready.uid, ready.generation)?;
            let argo::Restart { resource, operations, fields, .. } = ready;
            let request =
                Request::Patch { resource, name: target.name.clone(), subresource: None, operations };
            Ok(Ready { request, fields })
        }
        ClusterChange::Restart { target, uid, generation, at, correlation } => {
            let (resource, seen, annotations) = template(client, target).await.map_err(not_seen)?;
            as_seen(uid, *generation, seen.uid, seen.generation)?;
            let mut operations =
                vec![test("/metadata/uid", json!(uid)), test("/metadata/generation", json!(generation))];
            // The generation says that the template is the one seen: none can have come in between.
            if annotations.is_none() {
                operations.push(add(ANNOTATIONS, json!({})));
            }
            let annotations = annotations.unwrap_or_default();
            let mut fields = Vec::new();
            let set = [
                (RESTARTED_AT, Some(at.to_string())),
                (stamp::INTENT, Some(stamp.to_owned())),
                (stamp::CORRELATION, correlation.clone()),
            ];
            for (name, value) in set {
                let pointer = format!("{ANNOTATIONS}/{}", escaped(name));
                let before = annotations.get(name);
                match value {
                    Some(after) => {
                        operations.push(add(&pointer, json!(after)));
                        fields.push(Field {
                            path: format!("spec.template.metadata.annotations[\"{name}\"]"),
                            pointer,
                            before: before.cloned().unwrap_or_else(|| "-".into()),
                            after,
                        });
                    }
                    None if before.is_some() => operations.push(remove(&pointer)),
                    None => {}
                }
            }
            let request =
                Request::Patch { resource, name: target.name.clone(), subresource: None, operations };
            Ok(Ready { request, fields })
        }
    }
}

/// Whether it is still what was looked at.
fn as_seen(uid: &str, generation: i64, has: Option<String>, is: Option<i64>) -> Result<(), ChangeError> {
    if has.as_deref() == Some(uid) && is == Some(generation) {
        return Ok(());
    }
    let message = format!(
        "uid {uid}, generation {generation} has become uid {}, generation {}",
        has.unwrap_or_default(),
        is.unwrap_or_default(),
    );
    Err(ChangeError::Refused { message, conflict: true })
}

const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

type Annotations = std::collections::BTreeMap<String, String>;

/// A workload's path, its head, and the annotations of its pod template.
async fn template(
    client: &Client,
    target: &Target,
) -> Result<(String, ObjectMeta, Option<Annotations>), LookError> {
    let kind = Kind::of(client, target).await?;
    let (path, name, what) = (kind.path(), target.name.as_str(), target.to_string());
    let (metadata, template) = match kind {
        Kind::Deployment(api) => {
            let object = get(&api, name, &what).await?;
            (object.metadata, object.spec.map(|spec| spec.template))
        }
        Kind::StatefulSet(api) => {
            let object = get(&api, name, &what).await?;
            (object.metadata, object.spec.map(|spec| spec.template))
        }
        Kind::DaemonSet(api) => {
            let object = get(&api, name, &what).await?;
            (object.metadata, object.spec.map(|spec| spec.template))
        }
        Kind::Other(_) => return Err(LookError::Absent { what: format!("pod template of {what}") }),
    };
    let annotations = template.and_then(|template| template.metadata?.annotations);
    Ok((path, metadata, annotations))
}

fn not_seen(error: LookError) -> ChangeError {
    match error {
        LookError::Absent { what } => {
            ChangeError::Refused { message: format!("there is no {what}"), conflict: true }
        }
        LookError::Forbidden { tried, problem } | LookError::Failed { tried, problem } => {
            ChangeError::NotSent { tried, problem }
        }
        LookError::NoKubernetes => {
            ChangeError::NotSent { tried: "look at the cluster".into(), problem: error.to_string() }
        }
    }
}

fn number(path: &str, pointer: &str, from: u32, to: u32) -> Field {
    Field { path: path.into(), pointer: pointer.into(), before: from.to_string(), after: to.to_string() }
}
