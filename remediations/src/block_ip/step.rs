//! One change of the object that keeps clients out: entries of one intent go in, or come out. Tests the version of the
//! object that it looked at, so that two intents of one object never undo each other.

use async_trait::async_trait;
use paramedic_policies::action::{Change, Diff, DiffSource};
use paramedic_policies::address::{AddressRange, merged};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::{Block, Entry, Means, Terms, Unblock};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::Value;

use super::network_policy::Writing;
use super::record::Record;
use super::{ground, ingress, network_policy, texts};
use crate::checks::{self, Checks};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::ports::objects::Resource;

const SPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// Entries going in or coming out.
pub(super) struct Step<'a> {
    target: &'a Target,
    /// Of the intent whose entries they are.
    stamp: &'a str,
    /// From when they count.
    at: Moment,
    correlation: Option<&'a str>,
    doing: Doing<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Doing<'a> {
    Block(&'a Block),
    Unblock(&'a Unblock),
}

/// What a look shows.
pub(super) struct Looked {
    pub(super) target: Option<Value>,
    namespace: Option<Value>,
    /// What carries the record: our own NetworkPolicy, or the target itself.
    object: Option<Value>,
    /// What the surroundings say.
    ground: Checks,
}

impl<'a> Step<'a> {
    pub(super) fn new(target: &'a Target, stamp: &'a str, at: Moment, doing: Doing<'a>) -> Self {
        Self { target, stamp, at, correlation: None, doing }
    }

    /// By which delivery.
    pub(super) fn caused_by(self, correlation: Option<&'a str>) -> Self {
        Self { correlation, ..self }
    }

    fn terms(&self) -> &'a Terms {
        match self.doing {
            Doing::Block(block) => &block.terms,
            Doing::Unblock(unblock) => &unblock.terms,
        }
    }

    fn entries(&self) -> &'a [Entry] {
        match self.doing {
            Doing::Block(block) => &block.ranges,
            Doing::Unblock(unblock) => &unblock.ranges,
        }
    }

    fn after(&self, record: &Record) -> Record {
        match self.doing {
            Doing::Block(block) => record.with(block, self.stamp, self.at),
            Doing::Unblock(unblock) => record.without(&unblock.ranges, self.stamp, self.at),
        }
    }

    /// Whether the object has room for it.
    pub(super) fn fits_in(&self, seen: &Looked) -> Result<String, Reason> {
        let record = self.after(&seen.record(self.target, self.terms())?);
        let count = record.ranges().len() + seen.theirs(self.terms().by)?.len();
        let (value, bound) = (i64::try_from(count).unwrap_or(i64::MAX), i64::from(self.terms().entries));
        if value > bound {
            return Err(Reason::OutOfBounds { value, bound, which: "entries".into() });
        }
        Ok(format!("{value} of {bound} entries would be used"))
    }

    /// What the server would make of it, with what it means.
    pub(super) async fn preview(
        &self,
        cluster: &dyn Cluster,
        seen: &Looked,
        checks: &mut Checks,
    ) -> Option<Diff> {
        let change = match self.change(seen) {
            Ok(change) => change,
            Err(reason) => {
                checks.refuse(reason);
                return None;
            }
        };
        let mut diff = one_change::preview(cluster, &change, checks).await?;
        diff.fields.splice(0..0, self.words());
        Some(diff)
    }

    fn words(&self) -> Vec<Change> {
        let change = |entry: &Entry| {
            let open = "let in".to_owned();
            let (before, after) = match self.doing {
                Doing::Block(_) => (open, format!("kept out until {}", self.at + entry.lasts)),
                Doing::Unblock(_) => ("kept out".to_owned(), open),
            };
            Change { path: format!("client {} of {}", entry.range, self.target), before, after }
        };
        self.entries().iter().map(change).collect()
    }
}

impl Looked {
    /// Nobody has paused it.
    pub(super) fn common(&self, target: &Target, now: Moment) -> Checks {
        let mut checks = self.ground.clone();
        let annotations = |object: &Option<Value>| {
            object.as_ref().map(|object| texts(object, "/metadata/annotations")).unwrap_or_default()
        };
        checks.note(checks::pause(&target.to_string(), &annotations(&self.target), now));
        checks.note(checks::pause("namespace", &annotations(&self.namespace), now));
        checks
    }

    /// The record, where the object is as it left it.
    ///
    /// # Errors
    /// Where somebody has changed what is ours.
    pub(super) fn record(&self, target: &Target, terms: &Terms) -> Result<Record, Reason> {
        let record = Record::of(self.object.as_ref())?;
        match (terms.by, &self.object) {
            (Means::NetworkPolicy, Some(object)) if !network_policy::is_as_left(object, target, &record) => {
                let at = network_policy::address(target);
                Err(Reason::Changed { what: format!("{at} is not as paramedic left it") })
            }
            (Means::NetworkPolicy | Means::IngressNginx, _) => Ok(record),
        }
    }

    /// What a person keeps out.
    fn theirs(&self, by: Means) -> Result<Vec<String>, Reason> {
        match (by, &self.object) {
            (Means::IngressNginx, Some(object)) => ingress::theirs(object, &Record::of(Some(object))?),
            (Means::IngressNginx, None) | (Means::NetworkPolicy, _) => Ok(Vec::new()),
        }
    }

    /// Until when a range is kept out already; for good where a person does it.
    pub(super) fn covered(&self, range: AddressRange, record: &Record, now: Moment) -> Option<Moment> {
        let for_good = match &self.object {
            Some(object) => {
                ingress::theirs(object, record).is_ok_and(|theirs| ingress::covers(&theirs, range))
            }
            None => false,
        };
        if for_good { Some(Moment::from_unix_ms(i64::MAX)) } else { record.covered(range, now) }
    }
}

#[async_trait]
impl OneChange for Step<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        let terms = self.terms();
        let namespace = cluster.get(&SPACES.named("", &self.target.namespace)).await?;
        let mut ground = Checks::default();
        let at = resource(self.target)?.named(&self.target.namespace, &self.target.name);
        let target = cluster.get(&at).await?;
        let object = match terms.by {
            Means::NetworkPolicy => cluster.get(&network_policy::address(self.target)).await?,
            Means::IngressNginx => target.clone(),
        };
        if let (Doing::Block(block), Some(seen)) = (self.doing, &target) {
            let ranges: Vec<AddressRange> = merged(block.ranges.iter().map(|entry| entry.range));
            match terms.by {
                Means::NetworkPolicy => {
                    ground::ground(cluster, self.target, seen, terms, &ranges, &mut ground).await?;
                }
                Means::IngressNginx => ingress::ground(cluster, seen, terms, &mut ground).await?,
            }
        }
        Ok(Looked { target, namespace, object, ground })
    }

    fn change(&self, seen: &Looked) -> Result<ClusterChange, Reason> {
        let terms = self.terms();
        let record = self.after(&seen.record(self.target, terms)?);
        let gone = || Reason::TargetAbsent { what: self.target.to_string() };
        Ok(ClusterChange::Object(match terms.by {
            Means::NetworkPolicy => {
                let pods = |object: &Option<Value>, pointer: &str| object.as_ref()?.pointer(pointer).cloned();
                let selector = pods(&seen.target, "/spec/selector")
                    .or_else(|| pods(&seen.object, "/spec/podSelector"))
                    .ok_or_else(gone)?;
                let Step { target, stamp, correlation, .. } = *self;
                Writing { target, selector, record: &record, stamp, correlation }.change(seen.object.as_ref())
            }
            Means::IngressNginx => {
                let object = seen.object.as_ref().ok_or_else(gone)?;
                let theirs = seen.theirs(terms.by)?;
                let at = ingress::INGRESSES.named(&self.target.namespace, &self.target.name);
                ingress::change(at, object, &theirs, &record)
            }
        }))
    }

    fn obstacles(&self, seen: &Looked, now: Moment) -> Checks {
        let mut checks = seen.common(self.target, now);
        match self.doing {
            Doing::Block(_) if seen.target.is_none() => {
                checks.refuse(Reason::TargetAbsent { what: self.target.to_string() });
            }
            Doing::Block(_) => checks.note(self.fits_in(seen)),
            Doing::Unblock(_) => {
                let record = seen.record(self.target, self.terms());
                checks.note(record.map(|_| "what keeps clients out is as paramedic left it".into()));
            }
        }
        checks
    }

    fn trace(&self, seen: &Looked) -> Trace {
        let record = match Record::of(seen.object.as_ref()) {
            Ok(record) => record,
            Err(reason) => return Trace::Unclear(reason.to_string()),
        };
        let held = self.entries().iter().filter(|entry| record.holds(entry.range, self.stamp)).count();
        let made = match self.doing {
            Doing::Block(_) => held == self.entries().len(),
            Doing::Unblock(_) => held == 0,
        };
        if made { Trace::Made } else { Trace::NotMade }
    }

    fn diff(&self) -> Diff {
        Diff { fields: self.words(), source: DiffSource::Applied }
    }
}

/// The resource of a target.
fn resource(target: &Target) -> Result<Resource, LookError> {
    Ok(match target.kind.as_str() {
        "Deployment" => Resource::namespaced("apps", "v1", "deployments", "Deployment"),
        "StatefulSet" => Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet"),
        "DaemonSet" => ground::DAEMON_SETS,
        paramedic_policies::remediation::block_ip::INGRESS => ingress::INGRESSES,
        _ => return Err(LookError::Absent { what: target.to_string() }),
    })
}
