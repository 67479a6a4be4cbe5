//! One object of a quarantine, changed by one request: the wall made or taken down, a pod held or let go. Never touches a
//! pod or a wall that carries another stamp, and never overwrites a label that somebody has set since.

use async_trait::async_trait;
use paramedic_policies::action::{Change, Diff, DiffSource};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::quarantine::Held;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::{QUARANTINE, told};
use crate::block_ip::{text, texts};
use crate::checks::Checks;
use crate::cleanup::Known;
use crate::one_change::{OneChange, Trace};
use crate::pods::{self, NAMESPACES, PODS};
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::ports::objects::{Address, Field, ObjectChange, add, escaped, remove, test};
use crate::remedy::Eyes;
use crate::stamp::{self, INTENT, UNTIL, annotation};

/// Annotation: the labels that were taken away, as JSON, so that they can be put back without a journal.
pub(crate) const DETACHED: &str = "paramedic.dev/detached-labels";

/// Annotation of Kubernetes: of two ready pods its ReplicaSet ends that of the lower cost. It stays on a pod that is let go:
/// where its workload has made another meanwhile, the one that was suspected goes.
const FIRST_TO_GO: &str = "controller.kubernetes.io/pod-deletion-cost";

/// One object, and what becomes of it.
pub(super) struct Step<'a> {
    pub(super) target: &'a Target,
    /// Of the quarantine.
    pub(super) stamp: String,
    pub(super) doing: Doing<'a>,
}

pub(super) enum Doing<'a> {
    Build(ObjectChange),
    Hold(&'a Held, Moment),
    LetGo(&'a Held),
    TakeDown(Address),
}

/// The object, and its namespace.
pub(super) struct Found {
    object: Option<Value>,
    namespace: Option<Value>,
}

impl Found {
    fn has_stamp(&self, stamp: &str) -> bool {
        self.object.as_ref().is_some_and(|object| annotation(object, INTENT) == Some(stamp))
    }

    /// The very pod that is meant.
    fn pod(&self, held: &Held) -> Option<&Value> {
        self.object.as_ref().filter(|pod| text(pod, "/metadata/uid") == held.uid)
    }

    fn is_held_by(&self, held: &Held, stamp: &str) -> bool {
        self.pod(held)
            .is_some_and(|pod| texts(pod, "/metadata/labels").get(QUARANTINE).is_some_and(|by| by == stamp))
    }
}

impl Step<'_> {
    fn at(&self) -> Address {
        match &self.doing {
            Doing::Build(make) => make.address().clone(),
            Doing::TakeDown(at) => at.clone(),
            Doing::Hold(held, _) | Doing::LetGo(held) => PODS.named(&self.target.namespace, &held.name),
        }
    }

    pub(super) fn is_of_a_pod(&self) -> bool {
        match &self.doing {
            Doing::Hold(..) | Doing::LetGo(_) => true,
            Doing::Build(_) | Doing::TakeDown(_) => false,
        }
    }

    /// Whether its pod is certainly gone.
    pub(super) async fn has_no_pod(&self, eyes: Eyes<'_>) -> bool {
        let (Doing::Hold(held, _) | Doing::LetGo(held)) = &self.doing else { return false };
        let Ok(cluster) = eyes.cluster() else { return false };
        let found = self.look(cluster).await;
        found.is_ok_and(|found| found.pod(held).is_none())
    }

    /// What is told of a pod that ended before it could be touched.
    pub(super) fn gone(&self) -> Change {
        Change { path: self.at().to_string(), before: "running".into(), after: "gone by itself".into() }
    }

    fn hold(&self, pod: &Value, held: &Held, until: Moment) -> ObjectChange {
        let label = |key: &str| format!("/metadata/labels/{}", escaped(key));
        let mut operations = vec![test("/metadata/uid", json!(held.uid))];
        if pod.pointer("/metadata/labels").is_none_or(Value::is_null) {
            operations.push(add("/metadata/labels", json!({})));
        }
        for (key, value) in &held.detached {
            operations.extend([test(&label(key), json!(value)), remove(&label(key))]);
        }
        if let Some(was) = &held.was {
            operations.push(test(&label(QUARANTINE), json!(was)));
        }
        operations.push(add(&label(QUARANTINE), json!(self.stamp)));
        // The first makes the mapping where there is none; the others find it.
        operations.extend(stamp::annotate(pod, INTENT, &self.stamp));
        let note =
            |key: &str, value: String| add(&format!("/metadata/annotations/{}", escaped(key)), json!(value));
        operations.push(note(UNTIL, until.to_string()));
        operations.push(note(DETACHED, json!(held.detached).to_string()));
        if !held.detached.is_empty() && annotation(pod, FIRST_TO_GO).is_none() {
            operations.push(note(FIRST_TO_GO, i32::MIN.to_string()));
        }
        let fields = vec![field(&self.target.namespace, held, true)];
        ObjectChange::Patch { at: self.at(), subresource: None, operations, fields }
    }
}

/// A pod that was held is let go, and gets back what it had and nobody has given it since.
fn freed(at: Address, pod: &Value, held: &Held, stamp: &str) -> ObjectChange {
    let labels = texts(pod, "/metadata/labels");
    let label = |key: &str| format!("/metadata/labels/{}", escaped(key));
    let version = pod.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    // Whether a label is absent cannot be tested: nobody may have written the pod since.
    let mut operations = vec![
        test("/metadata/uid", json!(held.uid)),
        test("/metadata/resourceVersion", version),
        test(&label(QUARANTINE), json!(stamp)),
        remove(&label(QUARANTINE)),
    ];
    let absent = held.detached.iter().filter(|(key, _)| !labels.contains_key(*key));
    operations.extend(absent.map(|(key, value)| add(&label(key), json!(value))));
    for key in [INTENT, UNTIL, DETACHED].into_iter().filter(|key| annotation(pod, key).is_some()) {
        operations.push(remove(&format!("/metadata/annotations/{}", escaped(key))));
    }
    let fields = vec![field(&at.namespace, held, false)];
    ObjectChange::Patch { at, subresource: None, operations, fields }
}

/// What lets a pod go without a journal, or why not.
pub(crate) fn left(at: &Address, pod: &Value) -> Option<Known> {
    let stamp = texts(pod, "/metadata/labels").remove(QUARANTINE).filter(|_| at.resource == PODS)?;
    let detached = annotation(pod, DETACHED).map(serde_json::from_str);
    let known = match detached {
        Some(Ok(detached)) => {
            let uid = text(pod, "/metadata/uid").to_owned();
            let held = Held { name: at.name.clone(), uid, detached, was: None };
            Ok(freed(at.clone(), pod, &held, &stamp))
        }
        Some(Err(_)) | None => Err(format!(
            "it is in quarantine, and its annotation {DETACHED} does not say which labels it had: delete the pod once \
             nobody needs it any more"
        )),
    };
    Some((stamp, known))
}

/// What becomes of a pod, in words.
pub(super) fn in_words(target: &Target, held: &Held, holds: bool) -> Change {
    let Field { path, before, after, .. } = field(&target.namespace, held, holds);
    Change { path, before, after }
}

fn field(namespace: &str, held: &Held, holds: bool) -> Field {
    let free = if held.detached.is_empty() { "free".to_owned() } else { told(&held.detached) };
    let isolated = "in quarantine".to_owned();
    let (before, after) = if holds { (free, isolated) } else { (isolated, free) };
    let path = PODS.named(namespace, &held.name).to_string();
    Field { path, pointer: String::new(), before, after }
}

#[async_trait]
impl OneChange for Step<'_> {
    type Seen = Found;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Found, LookError> {
        let object = cluster.get(&self.at()).await?;
        let namespace = cluster.get(&NAMESPACES.named("", &self.target.namespace)).await?;
        Ok(Found { object, namespace })
    }

    fn change(&self, found: &Found) -> Result<ClusterChange, Reason> {
        let gone = |held: &Held| Reason::TargetAbsent { what: format!("pod {} any more", held.name) };
        Ok(ClusterChange::Object(match &self.doing {
            Doing::Build(make) => make.clone(),
            Doing::TakeDown(at) => {
                let uid = found.object.as_ref().map(|wall| text(wall, "/metadata/uid").to_owned());
                ObjectChange::Delete { at: at.clone(), uid: uid.unwrap_or_default(), version: None }
            }
            Doing::Hold(held, until) => self.hold(found.pod(held).ok_or_else(|| gone(held))?, held, *until),
            Doing::LetGo(held) => {
                let pod = found.pod(held).ok_or_else(|| gone(held))?;
                freed(self.at(), pod, held, &self.stamp)
            }
        }))
    }

    fn obstacles(&self, found: &Found, now: Moment) -> Checks {
        let mut checks = Checks::default();
        checks.note(pods::pause("namespace", found.namespace.as_ref(), now));
        let at = self.at();
        checks.note(match &self.doing {
            Doing::Build(_) if found.object.is_none() => Ok(format!("there is no {at} yet")),
            Doing::Build(_) => Err(Reason::Changed { what: format!("{at} is there already") }),
            Doing::TakeDown(_) if found.has_stamp(&self.stamp) => Ok(format!("{at} is ours")),
            Doing::TakeDown(_) => Err(Reason::Changed { what: format!("{at} is not ours") }),
            Doing::Hold(held, _) => match found.pod(held) {
                None => Err(Reason::TargetAbsent { what: format!("pod {} any more", held.name) }),
                Some(pod) => match texts(pod, "/metadata/labels").get(QUARANTINE) {
                    None => Ok(format!("{at} is free")),
                    Some(by) if held.was.as_ref() == Some(by) => Ok(format!("nothing isolates {at} yet")),
                    Some(by) => Err(Reason::Changed { what: format!("{at} is in quarantine by {by}") }),
                },
            },
            Doing::LetGo(held) if found.is_held_by(held, &self.stamp) => Ok(format!("{at} is held by us")),
            Doing::LetGo(_) => Err(Reason::Changed { what: format!("{at} is not held by this intent") }),
        });
        checks
    }

    fn trace(&self, found: &Found) -> Trace {
        let made = match &self.doing {
            Doing::Build(_) => found.has_stamp(&self.stamp),
            // Whoever took it down, or let the pod go: it is as it was to become.
            Doing::TakeDown(_) => found.object.is_none(),
            Doing::Hold(held, _) => found.is_held_by(held, &self.stamp),
            Doing::LetGo(held) => !found.is_held_by(held, &self.stamp),
        };
        if made { Trace::Made } else { Trace::NotMade }
    }

    fn diff(&self) -> Diff {
        let change = |before: &str, after: &str| Change {
            path: self.at().to_string(),
            before: before.into(),
            after: after.into(),
        };
        let fields = vec![match &self.doing {
            Doing::Build(_) => change("-", "created"),
            Doing::TakeDown(_) => change("present", "deleted"),
            Doing::Hold(held, _) => in_words(self.target, held, true),
            Doing::LetGo(held) => in_words(self.target, held, false),
        }];
        Diff { fields, source: DiffSource::Applied }
    }
}
