//! The cordon of a node with our marks, and its end. Ours is one that carries our stamp and that nobody has set since:
//! never takes over, and never takes back, what another has cordoned.

use async_trait::async_trait;
use paramedic_policies::action::{Change, Diff, DiffSource, Intent};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::drain_node::Drain;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::survey;
use crate::block_ip::text;
use crate::checks::{self, Checks};
use crate::cleanup::Known;
use crate::one_change::{self, OneChange, Trace};
use crate::pods;
use crate::ports::cluster::{Cluster, ClusterChange, LookError, manager};
use crate::ports::objects::{Address, Field, ObjectChange, Resource, add, escaped, remove, test};
use crate::seal::Sealed;
use crate::stamp::{self, INTENT, annotation};

pub(crate) const NODES: Resource = Resource::of_cluster("", "v1", "nodes", "Node");

/// Annotation: until then at most, pods are evicted from the node by the intent beside it.
pub(crate) const DRAINING_UNTIL: &str = "paramedic.dev/draining-until";

const CORRELATION: &str = "paramedic.dev/correlation";

pub(super) async fn node(cluster: &dyn Cluster, target: &Target) -> Result<Value, LookError> {
    let found = cluster.get(&NODES.named("", &target.name)).await?;
    found.ok_or_else(|| LookError::Absent { what: target.to_string() })
}

pub(super) fn is_cordoned(node: &Value) -> bool {
    node.pointer("/spec/unschedulable") == Some(&Value::Bool(true))
}

/// Under this name the API server keeps what the oldest of more than ten writers set.
const FORGOTTEN: &str = "ancient-changes";

/// The stamp of the intent whose cordon it is; none where somebody else has set it, before or since. A later drain of ours
/// takes a cordon over by its annotation alone: the field does not change by that, and stays with whoever of us set it first.
pub(super) fn of_whom(node: &Value) -> Option<&str> {
    let stamp = annotation(node, INTENT)?;
    let (journal, _) = stamp.rsplit_once('-')?;
    let ours = manager(&format!("{journal}-"));
    let entries = node.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut owners = entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:unschedulable").is_some())
        .map(|entry| text(entry, "/manager"));
    owners.all(|owner| owner.starts_with(&ours) || owner == FORGOTTEN).then_some(stamp)
}

/// Whether nobody else has taken it out of service.
pub(super) fn free_to_take(node: &Value) -> Result<String, Reason> {
    match (is_cordoned(node), of_whom(node)) {
        (false, _) => Ok("nobody has cordoned it".into()),
        (true, Some(stamp)) => Ok(format!("it is cordoned by our intent {stamp}")),
        (true, None) => Err(Reason::ManagedByOther {
            by: "whoever cordoned the node".into(),
            why: "who took it out of service decides what leaves it, and when it comes back".into(),
        }),
    }
}

/// What a cordon is marked with.
pub(super) struct Marks<'a> {
    pub(super) stamp: &'a str,
    pub(super) until: Moment,
    pub(super) correlation: Option<&'a str>,
}

/// One patch that cordons.
pub(super) fn taken(target: &Target, node: &Value, marks: &Marks<'_>) -> ObjectChange {
    let note = |key: &str, value: &str| add(&format!("/metadata/annotations/{}", escaped(key)), json!(value));
    let mut operations = tested(node);
    // The first makes the mapping where there is none; the others find it.
    operations.extend(stamp::annotate(node, INTENT, marks.stamp));
    operations.push(note(DRAINING_UNTIL, &marks.until.to_string()));
    if let Some(correlation) = marks.correlation {
        operations.push(note(CORRELATION, correlation));
    }
    if node.get("spec").is_none() {
        operations.push(add("/spec", json!({})));
    }
    operations.push(add("/spec/unschedulable", json!(true)));
    patched(&target.name, node, operations, "true")
}

/// One patch that lets pods be scheduled again.
pub(super) fn given_back(name: &str, node: &Value) -> ObjectChange {
    let mut operations = tested(node);
    operations.push(test("/spec/unschedulable", json!(true)));
    operations.push(remove("/spec/unschedulable"));
    for key in [INTENT, DRAINING_UNTIL, CORRELATION].into_iter().filter(|key| annotation(node, key).is_some())
    {
        operations.push(remove(&format!("/metadata/annotations/{}", escaped(key))));
    }
    patched(name, node, operations, "-")
}

/// What gives a node back without a journal, or why not.
pub(crate) fn left(at: &Address, node: &Value) -> Option<Known> {
    let stamp = annotation(node, INTENT).filter(|_| at.resource == NODES && is_cordoned(node))?;
    annotation(node, DRAINING_UNTIL)?;
    let known = match of_whom(node) {
        Some(_) => Ok(given_back(&at.name, node)),
        None => Err("somebody else has cordoned it since: it is theirs".to_owned()),
    };
    Some((stamp.to_owned(), known))
}

/// Nobody may have written the node since: its kubelet writes the status often, which is another matter, and a lease.
fn tested(node: &Value) -> Vec<Value> {
    let mut operations = vec![test("/metadata/uid", json!(text(node, "/metadata/uid")))];
    if let Some(stamp) = annotation(node, INTENT) {
        operations.push(test(&format!("/metadata/annotations/{}", escaped(INTENT)), json!(stamp)));
    }
    operations
}

fn patched(name: &str, node: &Value, operations: Vec<Value>, after: &str) -> ObjectChange {
    let before = node.pointer("/spec/unschedulable").map_or("-".into(), Value::to_string);
    let field = Field {
        path: "spec.unschedulable".into(),
        pointer: "/spec/unschedulable".into(),
        before,
        after: after.into(),
    };
    let at = NODES.named("", name);
    ObjectChange::Patch { at, subresource: None, operations, fields: vec![field] }
}

/// A cordon as its intent has it.
pub(super) struct Cordon<'a> {
    pub(super) seal: &'a Sealed<Intent>,
    /// Of the drain.
    pub(super) stamp: String,
    pub(super) doing: Doing<'a>,
}

pub(super) enum Doing<'a> {
    Take { drain: &'a Drain, until: Moment },
    GiveBack,
}

#[async_trait]
impl OneChange for Cordon<'_> {
    /// The node, and all nodes.
    type Seen = (Value, Vec<Value>);

    async fn look(&self, cluster: &dyn Cluster) -> Result<Self::Seen, LookError> {
        Ok((node(cluster, &self.seal.target).await?, cluster.list(NODES, "", "").await?))
    }

    fn change(&self, (node, _): &Self::Seen) -> Result<ClusterChange, Reason> {
        let target = &self.seal.target;
        Ok(ClusterChange::Object(match self.doing {
            Doing::Take { until, .. } => {
                let correlation = self.seal.correlation.as_deref();
                taken(target, node, &Marks { stamp: &self.stamp, until, correlation })
            }
            Doing::GiveBack => given_back(&target.name, node),
        }))
    }

    fn obstacles(&self, (node, nodes): &Self::Seen, now: Moment) -> Checks {
        let mut checks = Checks::default();
        checks.note(pods::pause("node", Some(node), now));
        checks.note(checks::same_uid(text(node, "/metadata/uid"), &self.seal.uid));
        match self.doing {
            Doing::Take { drain, .. } => {
                checks.note(free_to_take(node));
                survey::out_of_service(node, nodes, drain.wish.max_nodes, now, &mut checks);
            }
            Doing::GiveBack => checks.note(match of_whom(node) {
                Some(stamp) if stamp == self.stamp => Ok("the cordon is ours".into()),
                _ => Err(Reason::Changed { what: "the cordon is not this intent's any more".into() }),
            }),
        }
        checks
    }

    fn trace(&self, (node, _): &Self::Seen) -> Trace {
        let uid = text(node, "/metadata/uid");
        if uid != self.seal.uid {
            return one_change::another(&self.seal.target, uid);
        }
        let is_ours = is_cordoned(node) && of_whom(node) == Some(&self.stamp);
        match self.doing {
            Doing::Take { .. } if is_ours => Trace::Made,
            Doing::Take { .. } => Trace::NotMade,
            // Whoever ended it, or has made it their own: ours is over.
            Doing::GiveBack if is_ours => Trace::NotMade,
            Doing::GiveBack => Trace::Made,
        }
    }

    fn diff(&self) -> Diff {
        let (before, after) = match self.doing {
            Doing::Take { .. } => ("-", "true"),
            Doing::GiveBack => ("true", "-"),
        };
        let change = Change { path: "spec.unschedulable".into(), before: before.into(), after: after.into() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}
