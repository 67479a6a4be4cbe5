//! One object of a freeze, made or removed by one request. Never touches an object that carries another stamp.

use async_trait::async_trait;
use paramedic_policies::action::{Change, Diff, DiffSource};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::freeze_deploys::Freeze;
use paramedic_policies::remediation::freeze_deploys::reach::Reached;
use paramedic_policies::time::Moment;
use serde_json::Value;

use super::{SPACES, pause, reach};
use crate::checks::Checks;
use crate::one_change::{OneChange, Trace};
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::ports::objects::{Address, ObjectChange};
use crate::stamp::{INTENT, annotation};

/// One object of a freeze, made or removed.
pub(super) struct Step<'a> {
    pub(super) freeze: &'a Freeze,
    /// Of the freeze.
    pub(super) stamp: String,
    pub(super) doing: Doing,
}

pub(super) enum Doing {
    Make(ObjectChange),
    Remove(Address),
    /// Keeps it from deploying, from that moment.
    Shut(Reached, Moment),
    /// Undoes that.
    Open(Reached),
}

impl Doing {
    fn at(&self) -> Address {
        match self {
            Self::Make(make) => make.address().clone(),
            Self::Remove(at) => at.clone(),
            Self::Shut(reached, _) | Self::Open(reached) => reach::address(reached),
        }
    }
}

/// The object, and the namespaces that the freeze is about.
pub(super) struct Found {
    object: Option<Value>,
    namespaces: Vec<(String, Option<Value>)>,
}

impl Found {
    fn is_of(&self, stamp: &str) -> bool {
        self.object.as_ref().is_some_and(|object| annotation(object, INTENT) == Some(stamp))
    }
}

#[async_trait]
impl OneChange for Step<'_> {
    type Seen = Found;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Found, LookError> {
        let object = cluster.get(&self.doing.at()).await?;
        let mut namespaces = Vec::new();
        for name in &self.freeze.wish.namespaces {
            namespaces.push((name.clone(), cluster.get(&SPACES.named("", name)).await?));
        }
        Ok(Found { object, namespaces })
    }

    fn change(&self, found: &Found) -> Result<ClusterChange, Reason> {
        Ok(ClusterChange::Object(match &self.doing {
            Doing::Make(make) => make.clone(),
            Doing::Remove(at) => {
                ObjectChange::Delete { at: at.clone(), uid: uid(found.object.as_ref()), version: None }
            }
            Doing::Shut(reached, at) => {
                let object = found.object.as_ref().ok_or_else(|| gone(reached))?;
                reach::shut(reached, object, self.freeze, &self.stamp, *at)
            }
            Doing::Open(reached) => {
                let object = found.object.as_ref().ok_or_else(|| gone(reached))?;
                reach::opened(reached, object, &[&self.stamp])
            }
        }))
    }

    fn obstacles(&self, found: &Found, now: Moment) -> Checks {
        let mut checks = Checks::default();
        for (name, namespace) in &found.namespaces {
            checks.note(pause(name, namespace.as_ref(), now));
        }
        match &self.doing {
            Doing::Shut(reached, _) => {
                reach::obstacles(reached, found.object.as_ref(), now, &mut checks);
                return checks;
            }
            Doing::Open(reached) => {
                reach::pause(reached, found.object.as_ref(), now, &mut checks);
                return checks;
            }
            Doing::Make(_) | Doing::Remove(_) => {}
        }
        let at = self.doing.at();
        checks.note(match (&self.doing, &found.object) {
            (Doing::Make(_), None) => Ok(format!("there is no {at} yet")),
            (Doing::Remove(_), Some(_)) if found.is_of(&self.stamp) => Ok(format!("{at} is ours")),
            (Doing::Make(_) | Doing::Remove(_) | Doing::Shut(..) | Doing::Open(_), _) => {
                Err(Reason::Changed { what: format!("{at} is not what intent {} made", self.stamp) })
            }
        });
        checks
    }

    fn trace(&self, found: &Found) -> Trace {
        match (&self.doing, &found.object) {
            (Doing::Make(_), None) => Trace::NotMade,
            (Doing::Make(_), Some(_)) if found.is_of(&self.stamp) => Trace::Made,
            (Doing::Make(make), Some(_)) => Trace::Unclear(format!("somebody else made {}", make.address())),
            (Doing::Remove(_), None) => Trace::Made,
            (Doing::Remove(_), Some(_)) => Trace::NotMade,
            (Doing::Shut(reached, _), Some(object))
                if reach::is_marked(object, Some(&self.stamp))
                    || reach::is_shut_by_others(reached, object) =>
            {
                Trace::Made
            }
            (Doing::Shut(..), _) => Trace::NotMade,
            (Doing::Open(_), Some(object)) if reach::is_marked(object, Some(&self.stamp)) => Trace::NotMade,
            // What is gone deploys nothing, and holds nothing either.
            (Doing::Open(_), _) => Trace::Made,
        }
    }

    fn diff(&self) -> Diff {
        let (before, after) = match &self.doing {
            Doing::Make(_) => ("-", "created"),
            Doing::Remove(_) => ("present", "deleted"),
            Doing::Shut(..) => ("open", "shut"),
            Doing::Open(_) => ("shut", "open"),
        };
        let path = self.doing.at().to_string();
        let change = Change { path, before: before.into(), after: after.into() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

fn gone(reached: &Reached) -> Reason {
    Reason::TargetAbsent { what: reached.to_string() }
}

/// The uid of an object as it was seen; empty where there is none.
pub(super) fn uid(object: Option<&Value>) -> String {
    let uid = object.and_then(|object| object.pointer("/metadata/uid")).and_then(Value::as_str);
    uid.unwrap_or_default().to_owned()
}
