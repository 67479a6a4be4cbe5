//! Kubernetes as the remediations see it, answered by the simulated world: looks, dry runs, and changes that test uid
//! and old value as the API server does.

use async_trait::async_trait;
use paramedic_policies::action::{Change, Diff, DiffSource, Intent};
use paramedic_policies::target::{Origin, Sought, Target};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::cluster::{
    Autoscaler, ChangeError, Cluster, ClusterChange, Hands, LookError, Reachable, Rollout, Workload, manager,
};
use paramedic_remediations::ports::objects::{Address, Resource};
use serde_json::Value;
use tokio::time::sleep;

use super::SimulatedCluster;
use crate::world::kinds;
use crate::world::{self, Fault, World, api_server};

/// How long somebody waits for an answer that does not come.
const NO_ANSWER_FOR: std::time::Duration = std::time::Duration::from_secs(10);

#[async_trait]
impl Cluster for SimulatedCluster {
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
        self.with(|world| {
            reach(world, || format!("look for {sought}"))?;
            let found = match sought {
                Sought::Named(target) => {
                    world.sync();
                    api_server::is_there(world, target).then(|| target.clone())
                }
                Sought::OwnerOf { origin, namespace, name } => owner(world, origin, namespace, name),
            };
            found.ok_or_else(|| LookError::Absent { what: sought.to_string() })
        })
    }

    async fn look(&self, target: &Target) -> Result<Workload, LookError> {
        self.with(|world| {
            reach(world, || format!("look at {target}"))?;
            match world.workloads.get(target) {
                Some(found) => Ok(seen(world, found)),
                None => other(world, target).ok_or_else(|| absent(target)),
            }
        })
    }

    async fn rollout(&self, target: &Target) -> Result<Rollout, LookError> {
        self.with(|world| {
            reach(world, || format!("look at the rollout of {target}"))?;
            let found = world.workloads.get(target);
            found.map(|found| found.rollout(world.now())).ok_or_else(|| absent(target))
        })
    }

    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
        self.with(|world| {
            reach(world, || format!("look at {service}"))?;
            let found = world.services.get(service).ok_or_else(|| absent(service))?;
            if !found.has_port(port) {
                return Err(LookError::Absent { what: format!("port {port} of {service}") });
            }
            let workload = world.workloads.get(&found.selects).ok_or_else(|| absent(&found.selects))?;
            Ok(Reachable {
                uid: found.uid.clone(),
                labels: Default::default(),
                annotations: Default::default(),
                namespace_annotations: world.namespaces.get(&service.namespace).cloned().unwrap_or_default(),
                urls: found.endpoints(workload, world.now()).into_keys().collect(),
                surroundings: world.surroundings(&service.namespace),
            })
        })
    }

    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
        self.with(|world| {
            reach(world, || format!("get {at}"))?;
            world.sync();
            Ok(world.objects.get(at).cloned())
        })
    }

    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError> {
        self.with(|world| {
            reach(world, || format!("list {}", resource.plural))?;
            world.sync();
            Ok(world.objects.list(resource, namespace, selector))
        })
    }

    async fn log_tail(&self, pod: &Address, _container: Option<&str>) -> Result<String, LookError> {
        self.with(|world| {
            reach(world, || format!("read the log of {pod}"))?;
            Ok(world.log(pod).map_or_else(|| format!("{pod} has nothing to say\n"), str::to_owned))
        })
    }

    async fn username(&self) -> Result<String, LookError> {
        self.with(|world| {
            reach(world, || "ask who we are".to_owned())?;
            Ok("system:serviceaccount:paramedic:paramedic".to_owned())
        })
    }

    async fn preview(&self, change: &ClusterChange, _stamp: &str) -> Result<Diff, ChangeError> {
        self.with(|world| {
            let (_, diff) = admit(world, change)?;
            Ok(Diff { source: DiffSource::ServerDryRun, ..diff })
        })
    }
}

#[async_trait]
impl Hands for SimulatedCluster {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        let fault = self.with(|world| {
            let now = world.now();
            // What nobody reaches is not on its way.
            if world.outages.kubernetes { None } else { world.faults.next(now) }
        });
        let no_answer = |problem: &str| {
            let (tried, problem) = (format!("{} {}", seal.action, seal.target), problem.to_owned());
            Err(ChangeError::NoAnswer { tried, problem })
        };
        match fault {
            None => self.with(|world| make(world, seal.stamp(), change)),
            Some(Fault::LosesRequests) => {
                sleep(NO_ANSWER_FOR).await;
                no_answer("no answer in time")
            }
            Some(Fault::LosesAnswers) => {
                self.with(|world| make(world, seal.stamp(), change))?;
                sleep(NO_ANSWER_FOR).await;
                no_answer("no answer in time")
            }
            Some(Fault::Conflicts) => {
                let message = "the object has been modified (409)".to_owned();
                Err(ChangeError::Refused { message, conflict: true })
            }
            Some(Fault::Fails) => no_answer("etcdserver: request timed out (500)"),
            Some(Fault::TooManyRequests) => {
                let (tried, problem) = (seal.action.to_string(), "too many requests (429)".to_owned());
                Err(ChangeError::NotSent { tried, problem })
            }
            Some(Fault::Denies) => {
                let message = "admission webhook denied the request (403)".to_owned();
                Err(ChangeError::Refused { message, conflict: false })
            }
        }
    }
}

/// Makes a change that arrives.
fn make(world: &mut World, stamp: &str, change: &ClusterChange) -> Result<Diff, ChangeError> {
    let (target, diff) = admit(world, change)?;
    let manager = manager(stamp);
    match change {
        ClusterChange::Replicas { to, .. } => world.scale(&target, *to, stamp, &manager),
        ClusterChange::MinReplicas { to, .. } => world.set_minimum(&target, *to, stamp, &manager),
        ClusterChange::Restart { at, .. } => world.restart(&target, stamp, *at),
        ClusterChange::Object(change) => {
            world.change_object(change, stamp, &manager)?;
        }
    }
    Ok(diff)
}

fn absent(target: &Target) -> LookError {
    LookError::Absent { what: target.to_string() }
}

fn reach(world: &World, tried: impl FnOnce() -> String) -> Result<(), LookError> {
    if world.outages.kubernetes {
        return Err(LookError::Failed { tried: tried(), problem: "connection refused".to_owned() });
    }
    Ok(())
}

/// Pods are named as their workload, a dash, and their number.
fn owner(world: &World, origin: &Origin, namespace: &str, name: &str) -> Option<Target> {
    match origin {
        Origin::Pod => world.workloads.values().find_map(|workload| {
            let number = name.strip_prefix(&workload.target.name)?.strip_prefix('-')?;
            let lives = workload.pods.iter().any(|pod| pod.number.to_string() == number);
            (lives && workload.target.namespace == namespace).then(|| workload.target.clone())
        }),
        Origin::Service => {
            let target =
                Target { kind: "Service".to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
            world.services.get(&target).map(|service| service.selects.clone())
        }
        Origin::Node => {
            let node = Target { kind: "Node".to_owned(), namespace: String::new(), name: name.to_owned() };
            api_server::is_there(world, &node).then_some(node)
        }
    }
}

fn seen(world: &World, found: &world::Workload) -> Workload {
    let now = world.now();
    let ready = found.ready(now);
    let allowed = |keep: u32| i32::try_from(ready.saturating_sub(keep)).unwrap_or(i32::MAX);
    Workload {
        target: found.target.clone(),
        uid: found.uid.clone(),
        generation: found.generation,
        labels: found.labels.clone(),
        annotations: found.annotations.clone(),
        namespace_annotations: world.namespaces.get(&found.target.namespace).cloned().unwrap_or_default(),
        replicas: Some(found.replicas),
        replicas_set: found.replicas_set.clone(),
        paused: found.paused,
        rollout: found.rollout(now),
        immovable: found.immovable.clone(),
        max_unavailable: 1,
        available: None,
        autoscaler: found.hpa.as_ref().map(|hpa| Autoscaler {
            name: hpa.name.clone(),
            uid: hpa.uid.clone(),
            min: hpa.min,
            max: hpa.max,
            min_set: hpa.min_set.clone(),
            owner: None,
            gitops: found
                .gitops
                .as_ref()
                .filter(|gitops| gitops.tracks_replicas)
                .map(|gitops| gitops.by.clone()),
        }),
        budgets: found.budget.iter().map(|(name, keep)| (name.clone(), allowed(*keep))).collect(),
        gitops: found.gitops.clone(),
        stamp: found.stamp.clone(),
        surroundings: world.surroundings(&found.target.namespace),
    }
}

/// An object that is no workload of this world, such as an Argo Rollout.
fn other(world: &mut World, target: &Target) -> Option<Workload> {
    world.sync();
    let object = world.objects.get(&kinds::address(target)?)?;
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let replicas = number("/spec/replicas").and_then(|count| u32::try_from(count).ok());
    let has = number("/status/replicas").and_then(|count| u32::try_from(count).ok()).or(replicas);
    Some(Workload {
        target: target.clone(),
        uid: text("/metadata/uid").to_owned(),
        generation: number("/metadata/generation").and_then(|number| i64::try_from(number).ok()).unwrap_or(1),
        labels: api_server::texts(object, "/metadata/labels"),
        annotations: api_server::texts(object, "/metadata/annotations"),
        namespace_annotations: world.namespaces.get(&target.namespace).cloned().unwrap_or_default(),
        replicas,
        available: number("/status/availableReplicas").and_then(|count| u32::try_from(count).ok()),
        replicas_set: None,
        paused: object.pointer("/spec/paused") == Some(&Value::Bool(true)),
        rollout: Rollout {
            complete: has == replicas,
            under_way: has != replicas,
            stuck: false,
            detail: format!("{} of {} replicas", has.unwrap_or(0), replicas.unwrap_or(0)),
        },
        immovable: Some(format!("nobody here knows how a {} rolls", target.kind)),
        max_unavailable: 0,
        autoscaler: None,
        budgets: Vec::new(),
        gitops: None,
        stamp: None,
        surroundings: world.surroundings(&target.namespace),
    })
}

/// Whether the API server would take the change, on which workload, and the difference it would make.
fn admit(world: &mut World, change: &ClusterChange) -> Result<(Target, Diff), ChangeError> {
    let refuse = |message: String, conflict: bool| Err(ChangeError::Refused { message, conflict });
    if world.outages.kubernetes {
        let tried = "reach the API server".to_owned();
        return Err(ChangeError::NotSent { tried, problem: "connection refused".to_owned() });
    }
    let found = match change {
        ClusterChange::Object(change) => {
            let Address { resource, namespace, name } = change.address().clone();
            let target = Target { kind: resource.kind.to_owned(), namespace, name };
            world.sync();
            return world.objects.preview(change).map(|diff| (target, diff));
        }
        ClusterChange::Replicas { target, .. } | ClusterChange::Restart { target, .. } => {
            world.workloads.get(target)
        }
        ClusterChange::MinReplicas { namespace, hpa, .. } => world.workloads.values().find(|workload| {
            workload.target.namespace == *namespace
                && workload.hpa.as_ref().is_some_and(|has| has.name == *hpa)
        }),
    };
    let Some(found) = found else { return refuse("the object is not there".to_owned(), false) };
    let scaled = |path: &str, uids: (&str, &str), has: u32, from: u32, to: u32| {
        if uids.0 != uids.1 {
            return refuse(format!("uid is {}, not {}", uids.0, uids.1), true);
        }
        if has != from {
            return refuse(format!("{path} is {has}, not {from}"), true);
        }
        Ok((found.target.clone(), difference(path, from.to_string(), to.to_string())))
    };
    match (change, &found.hpa) {
        (ClusterChange::Object(_), _) => refuse("a workload is no other object".to_owned(), false),
        (ClusterChange::Replicas { uid, from, to, .. }, _) => {
            scaled("spec.replicas", (&found.uid, uid), found.replicas, *from, *to)
        }
        (ClusterChange::MinReplicas { uid, from, to, .. }, Some(hpa)) => {
            scaled("spec.minReplicas", (&hpa.uid, uid), hpa.min, *from, *to)
        }
        (ClusterChange::MinReplicas { .. }, None) => refuse("there is no such HPA".to_owned(), false),
        (ClusterChange::Restart { uid, .. }, _) if *uid != found.uid => {
            refuse(format!("uid is {}, not {uid}", found.uid), true)
        }
        (ClusterChange::Restart { generation, .. }, _) if *generation != found.generation => {
            refuse(format!("generation is {}, not {generation}", found.generation), true)
        }
        (ClusterChange::Restart { at, .. }, _) => {
            let path = "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
            let before = found.restarted_at.map_or("-".to_owned(), |at| at.to_string());
            Ok((found.target.clone(), difference(path, before, at.to_string())))
        }
    }
}

fn difference(path: &str, before: String, after: String) -> Diff {
    let change = Change { path: path.to_owned(), before, after };
    Diff { fields: vec![change], source: DiffSource::Applied }
}
