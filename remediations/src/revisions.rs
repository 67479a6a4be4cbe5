//! The revisions of a Deployment or an Argo Rollout as its ReplicaSets tell them, grouped into deploys: a restart is a revision, but no
//! deploy. Says which deploys came before the present one, newest first, and when each was replaced. Looks at nothing
//! itself.

use std::collections::BTreeSet;

use paramedic_policies::time::{Moment, Span};
use serde_json::Value;

/// One revision, as its ReplicaSet shows it today.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revision {
    pub(crate) number: u64,
    pub(crate) replica_set: String,
    pub(crate) uid: String,
    /// The pod template, without the hash that the controller adds.
    pub(crate) template: Value,
    /// The hash by which the status of an Argo Rollout names it.
    pub(crate) hash: Option<String>,
    created: Moment,
    /// Numbers the ReplicaSet had before the Deployment came back to it; nothing where they cannot be read.
    past: Option<Vec<u64>>,
}

/// A deploy before the present one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Earlier<'r> {
    /// Its newest revision.
    pub(crate) revision: &'r Revision,
    pub(crate) standing: Standing,
}

/// What is known of the time in which a deploy was the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was the newest until then, and had been for as long as is asked.
    Until(Moment),
    /// It was the newest until then, but nobody knows since when: the Deployment had come back to it.
    SinceUnknown(Moment),
    /// It was replaced too soon to show whether it was healthy.
    TooShort,
    /// The Deployment was taken back from it.
    RolledBack,
    /// Nobody knows when it was replaced.
    Unknown,
}

impl Revision {
    /// Whether it is the revision of this pod template.
    pub(crate) fn is_of(&self, template: Option<&Value>) -> bool {
        template.is_some_and(|template| deployed(template) == deployed(&self.template))
    }
}

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const ARGO_REVISION: &str = "rollout.argoproj.io/revision";
const ARGO_HISTORY: &str = "rollout.argoproj.io/revision-history";
const ARGO_HASH: &str = "rollouts-pod-template-hash";

/// The revisions of the Deployment with this uid, oldest first.
pub(crate) fn of(replica_sets: &[Value], deployment_uid: &str) -> Vec<Revision> {
    let mut found: Vec<Revision> =
        replica_sets.iter().filter(|set| is_owned(set, deployment_uid)).filter_map(read).collect();
    found.sort_by_key(|revision| revision.number);
    found
}

fn is_owned(set: &Value, uid: &str) -> bool {
    let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| {
        owners.iter().any(|owner| owner["uid"] == uid && owner["controller"] == Value::Bool(true))
    })
}

fn read(set: &Value) -> Option<Revision> {
    let text = |pointer: &str| set.pointer(pointer).and_then(Value::as_str);
    let annotations = set.pointer("/metadata/annotations")?;
    let mut template = set.pointer("/spec/template")?.clone();
    if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
        labels.remove("pod-template-hash");
        labels.remove(ARGO_HASH);
    }
    let hash = set.pointer("/metadata/labels").and_then(|labels| labels.get(ARGO_HASH)?.as_str());
    let (revision, history) =
        if hash.is_some() { (ARGO_REVISION, ARGO_HISTORY) } else { (REVISION, HISTORY) };
    Some(Revision {
        hash: hash.map(str::to_owned),
        number: annotations.get(revision)?.as_str()?.parse().ok()?,
        replica_set: text("/metadata/name")?.to_owned(),
        uid: text("/metadata/uid")?.to_owned(),
        template,
        created: text("/metadata/creationTimestamp")?.parse().ok()?,
        past: match annotations.get(history).and_then(Value::as_str) {
            None => Some(Vec::new()),
            Some(history) => history.split(',').map(|number| number.trim().parse().ok()).collect(),
        },
    })
}

/// The template as a deploy wrote it: without the marks of restarts and of paramedic.
fn deployed(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|name, _| {
                name != "kubectl.kubernetes.io/restartedAt" && !name.starts_with("paramedic.dev/")
            });
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    template
}

/// A stretch of the Deployment's life under one number.
struct Entry<'r> {
    number: u64,
    revision: &'r Revision,
    /// The template without marks: what makes a deploy.
    deploy: Value,
    /// Nothing where the Deployment came back: no ReplicaSet says when.
    began: Option<Moment>,
}

/// Every number that a ReplicaSet bears or has borne, in order. The first of a ReplicaSet began when it was created.
fn timeline(revisions: &[Revision]) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for revision in revisions {
        let past = revision.past.iter().flatten().copied().filter(|number| *number < revision.number);
        let numbers: BTreeSet<u64> = past.chain([revision.number]).collect();
        for (place, number) in numbers.into_iter().enumerate() {
            let began = (place == 0 && revision.past.is_some()).then_some(revision.created);
            entries.push(Entry { number, revision, deploy: deployed(&revision.template), began });
        }
    }
    entries.sort_by_key(|entry| entry.number);
    // A list of past numbers that has lost its oldest would say a beginning that lies before its predecessor's.
    let mut newest = None;
    for entry in &mut entries {
        entry.began = entry.began.filter(|began| newest.is_none_or(|newest| *began >= newest));
        newest = newest.max(entry.began);
    }
    entries
}

/// Since when the present deploy has been the newest; nothing where nobody knows.
pub(crate) fn present_since(revisions: &[Revision]) -> Option<Moment> {
    let entries = timeline(revisions);
    entries.chunk_by(is_one_deploy).last()?.first()?.began
}

/// Neighbours with the same template are one deploy; a number that is missing was another.
fn is_one_deploy(one: &Entry<'_>, next: &Entry<'_>) -> bool {
    one.deploy == next.deploy && one.number + 1 == next.number
}

/// The deploys before the present one, newest first; `least` is how long one must have been the newest.
pub(crate) fn before_the_present(revisions: &[Revision], least: Span) -> Vec<Earlier<'_>> {
    let entries = timeline(revisions);
    let stretches: Vec<&[Entry<'_>]> = entries.chunk_by(is_one_deploy).collect();
    let first_of = |deploy: &Value| entries.iter().find(|entry| entry.deploy == *deploy);
    let rolled_back = |deploy: &Value| {
        let first = first_of(deploy).map(|entry| entry.number);
        entries.iter().any(|later| {
            Some(later.number) > first && first_of(&later.deploy).map(|entry| entry.number) < first
        })
    };
    let mut told: Vec<&Value> = entries.last().map(|present| &present.deploy).into_iter().collect();
    let mut earlier = Vec::new();
    for (place, stretch) in stretches.iter().enumerate().rev() {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
        if told.contains(&&last.deploy) {
            continue;
        }
        told.push(&last.deploy);
        let next = stretches.get(place + 1).and_then(|next| next.first());
        let end = next.filter(|next| next.number == last.number + 1).and_then(|next| next.began);
        // It began no earlier than this.
        let bound =
            || entries.iter().filter(|one| one.number < first.number).filter_map(|one| one.began).max();
        let too_short =
            |since: Option<Moment>, end: Moment| since.is_some_and(|since| end.since(since) < least);
        let standing = match end {
            _ if rolled_back(&last.deploy) => Standing::RolledBack,
            None => Standing::Unknown,
            Some(end) if too_short(first.began.or_else(bound), end) => Standing::TooShort,
            Some(end) if first.began.is_some() => Standing::Until(end),
            Some(end) => Standing::SinceUnknown(end),
        };
        earlier.push(Earlier { revision: last.revision, standing });
    }
    earlier
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A ReplicaSet: revision, image, minute of creation, the numbers it had before.
    fn set(number: u64, image: &str, minute: u64, past: &str) -> Value {
        let mut set = json!({
            "metadata": {
                "name": format!("web-{number}"), "uid": format!("rs-{number}"),
                "creationTimestamp": format!("2026-11-21T0{}:{:02}:00Z", minute / 60, minute % 60),
                "annotations": {REVISION: number.to_string()},
                "ownerReferences": [{"uid": "uid-1", "controller": true}],
            },
            "spec": {"template": {
                "metadata": {"labels": {"app": "web", "pod-template-hash": number.to_string()}},
                "spec": {"containers": [{"image": image}]},
            }},
        });
        if !past.is_empty() {
            set["metadata"]["annotations"][HISTORY] = json!(past);
        }
        set
    }

    fn restarted(mut set: Value) -> Value {
        set["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "now", "paramedic.dev/intent": "j-1"});
        set
    }

    fn told(sets: &[Value]) -> Vec<String> {
        let revisions = of(sets, "uid-1");
        let told = before_the_present(&revisions, Span::from_mins(10));
        told.iter().map(|earlier| format!("{} {:?}", earlier.revision.number, earlier.standing)).collect()
    }

    #[test]
    fn a_deploy_lasts_from_its_first_revision_to_the_next_deploy() {
        let sets = [set(1, "a", 0, ""), set(2, "b", 30, ""), set(3, "c", 60, "")];
        assert_eq!(told(&sets), ["2 Until(2026-11-21T01:00:00.000Z)", "1 Until(2026-11-21T00:30:00.000Z)"]);
        // A restart of `b` five minutes before `c` does not make it a deploy of five minutes.
        let sets =
            [set(1, "a", 0, ""), set(2, "b", 30, ""), restarted(set(3, "b", 55, "")), set(4, "c", 60, "")];
        assert_eq!(told(&sets)[0], "3 Until(2026-11-21T01:00:00.000Z)");
        // Nor is a restart of the bad one a way back.
        let sets = [set(1, "a", 0, ""), set(2, "b", 30, ""), restarted(set(3, "b", 35, ""))];
        assert_eq!(told(&sets), ["1 Until(2026-11-21T00:30:00.000Z)"]);
    }

    #[test]
    fn what_was_rolled_back_short_or_unknown_is_told_so() {
        // `b` was left for `a` again, then came `c`: nobody knows since when `a` had been there.
        let sets = [set(2, "b", 30, ""), set(3, "a", 0, "1"), set(4, "c", 60, "")];
        assert_eq!(told(&sets), ["3 SinceUnknown(2026-11-21T01:00:00.000Z)", "2 RolledBack"]);
        let sets = [set(2, "b", 55, ""), set(3, "a", 0, "1"), set(4, "c", 60, "")];
        assert_eq!(told(&sets), ["3 TooShort", "2 RolledBack"]);
        let sets = [set(1, "a", 0, ""), set(2, "b", 5, "")];
        assert_eq!(told(&sets), ["1 TooShort"]);
        // To and fro: nobody knows when `a` was left.
        let sets = [set(3, "a", 0, "1"), set(4, "b", 30, "2")];
        assert_eq!(told(&sets), ["3 Unknown"]);
        // What was rolled back once is so for ever, also where it was deployed again.
        let sets = [set(3, "a", 0, "1"), set(4, "b", 30, "2"), set(5, "c", 90, "")];
        assert_eq!(told(&sets), ["4 RolledBack", "3 Unknown"]);
        assert!(told(&[set(1, "a", 0, "")]).is_empty());
        assert!(of(&[set(1, "a", 0, "")], "another").is_empty());
    }

    #[test]
    fn a_deploy_ends_when_its_successor_was_made_also_where_that_was_come_back_to() {
        // `a`, `b`, `c`, back to `b`, then `d`.
        let sets = [set(1, "a", 0, ""), set(3, "c", 60, ""), set(4, "b", 30, "2"), set(5, "d", 120, "")];
        assert_eq!(
            told(&sets),
            ["4 SinceUnknown(2026-11-21T02:00:00.000Z)", "3 RolledBack", "1 Until(2026-11-21T00:30:00.000Z)"]
        );
    }

    #[test]
    fn the_present_deploy_is_as_old_as_its_first_revision() {
        let since = |sets: &[Value]| present_since(&of(sets, "uid-1")).map(|since| since.to_string());
        let restarted = [set(1, "a", 0, ""), set(2, "b", 30, ""), restarted(set(3, "b", 55, ""))];
        assert_eq!(since(&restarted).as_deref(), Some("2026-11-21T00:30:00.000Z"));
        assert_eq!(since(&[set(2, "b", 30, ""), set(3, "a", 0, "1")]), None, "it was come back to");
    }

    #[test]
    fn a_missing_number_or_an_unreadable_past_is_no_time() {
        assert_eq!(told(&[set(1, "a", 0, ""), set(3, "c", 60, "")]), ["1 Unknown"]);
        let sets = [set(1, "a", 0, ""), set(4, "b", 30, "two"), set(5, "c", 60, "")];
        assert_eq!(told(&sets), ["4 SinceUnknown(2026-11-21T01:00:00.000Z)", "1 Unknown"]);
        // The oldest of its past is lost: it was made before what its number comes after.
        let sets = [set(2, "a", 30, ""), set(5, "b", 0, "3"), set(6, "c", 90, "")];
        assert_eq!(told(&sets)[1], "2 Unknown");
    }
}
