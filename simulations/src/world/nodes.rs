//! Where the pods of workloads run, and how pods leave them: evicted, deleted, or cut loose by another label. A pod is placed
//! once, on the node that takes pods and has the fewest; where a world has no node, pods are nowhere. Whoever loses a pod
//! makes another. Deliberately absent: room on nodes, taints, and a DaemonSet's one pod for each node.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::target::Target;
use paramedic_remediations::in_memory::Objects;
use paramedic_remediations::ports::cluster::ChangeError;
use paramedic_remediations::ports::objects::{Address, ObjectChange};
use serde_json::{Value, json};

use super::World;
use super::api_server::texts;
use super::kinds::{BUDGETS, NODES, PODS};
use super::pods::Workload;

/// What the API server knows of pods that their workloads do not.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seats {
    /// On which node each is.
    nodes: BTreeMap<Address, String>,
    /// Labels and annotations that somebody has written on them.
    marks: BTreeMap<Address, Value>,
    /// Pods that no workload selects any more. They run on.
    loose: BTreeSet<Address>,
}

impl Seats {
    /// Gives every pod that is shown its node and its marks.
    pub(super) fn place(&mut self, shown: &mut [(Address, Value)], objects: &Objects) {
        let nodes = objects.list(NODES, "", "");
        if nodes.is_empty() && self.nodes.is_empty() && self.marks.is_empty() {
            return;
        }
        let pods: BTreeSet<Address> = shown.iter().map(|(at, _)| at.clone()).collect();
        self.nodes.retain(|at, _| pods.contains(at));
        self.marks.retain(|at, _| pods.contains(at));
        let open = nodes.iter().filter(|node| node.pointer("/spec/unschedulable") != Some(&json!(true)));
        let open: Vec<&str> = open.filter_map(|node| node.pointer("/metadata/name")?.as_str()).collect();
        for (at, pod) in shown.iter_mut().filter(|(at, _)| at.resource == PODS) {
            let crowd = |name: &str| self.nodes.values().filter(|node| *node == name).count();
            let free = || open.iter().min_by_key(|name| crowd(name)).map(|name| (*name).to_owned());
            if let Some(node) = self.nodes.get(at).cloned().or_else(free) {
                pod["spec"]["nodeName"] = json!(node);
                self.nodes.insert(at.clone(), node);
            }
            if let Some(marks) = self.marks.get(at) {
                pod["metadata"]["labels"] = marks["labels"].clone();
                pod["metadata"]["annotations"] = marks["annotations"].clone();
            }
        }
    }
}

impl World {
    /// Puts the pods that a workload has now on a node.
    pub fn seat(&mut self, workload: &Target, node: &str) {
        let Some(found) = self.workloads.get(workload) else { return };
        for pod in &found.pods {
            self.seats.nodes.insert(address(found, pod.number), node.to_owned());
        }
        self.shown = None;
    }

    /// Whether its budgets let a pod be evicted now.
    ///
    /// # Errors
    /// As the API server's.
    pub(super) fn may_evict(&self, change: &ObjectChange) -> Result<(), ChangeError> {
        let ObjectChange::Evict { pod, .. } = change else { return Ok(()) };
        let labels = self.objects.get(pod).map(|pod| texts(pod, "/metadata/labels")).unwrap_or_default();
        let holds = |budget: &Value| {
            let wanted = texts(budget, "/spec/selector/matchLabels");
            wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
                && budget.pointer("/status/disruptionsAllowed") == Some(&json!(0))
        };
        if self.objects.list(BUDGETS, &pod.namespace, "").iter().any(holds) {
            let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
            return Err(ChangeError::Refused { message, conflict: false });
        }
        Ok(())
    }

    /// What a pod that somebody wrote, evicted or deleted means for its workload.
    pub(super) fn follow_pod(&mut self, at: &Address) {
        if at.resource != PODS {
            return;
        }
        let (object, now) = (self.objects.get(at).cloned(), self.now);
        let labels = object.as_ref().map(|object| texts(object, "/metadata/labels"));
        let selects = |workload: &Workload| {
            let has = |(key, value): (&String, &String)| labels.as_ref()?.get(key).map(|is| is == value);
            workload.target.namespace == at.namespace
                && workload.pod_labels.iter().all(|pair| has(pair) == Some(true))
        };
        if self.seats.loose.contains(at) {
            // Whoever takes it back has one too many by then.
            if labels.is_none() || self.workloads.values().any(selects) {
                self.seats.loose.remove(at);
                self.remove(at);
            }
            return;
        }
        let of = self.workloads.values_mut().find_map(|workload| {
            let number =
                workload.pods.iter().map(|pod| pod.number).find(|one| address(workload, *one) == *at)?;
            Some((workload, number))
        });
        let Some((workload, number)) = of else { return };
        match object {
            Some(object) if selects(workload) => {
                let marks = json!({
                    "labels": object["metadata"]["labels"],
                    "annotations": object["metadata"].get("annotations").cloned().unwrap_or(json!({})),
                });
                self.seats.marks.insert(at.clone(), marks);
            }
            Some(_) => {
                workload.lose(now, number);
                self.seats.loose.insert(at.clone());
                self.rendered.remove(at);
                self.edit(at, |pod, _| {
                    if let Some(metadata) = pod["metadata"].as_object_mut() {
                        metadata.remove("ownerReferences");
                    }
                });
            }
            None => workload.lose(now, number),
        }
        self.sync();
    }
}

/// Whether a node takes no pods any more.
pub(super) fn is_cordoned(objects: &Objects, node: &str) -> bool {
    let found = objects.get(&NODES.named("", node));
    found.and_then(|node| node.pointer("/spec/unschedulable")) == Some(&json!(true))
}

/// Where a pod of a workload is.
fn address(workload: &Workload, number: u32) -> Address {
    let Target { namespace, name, .. } = &workload.target;
    PODS.named(namespace, &format!("{name}-{number}"))
}

#[cfg(test)]
mod tests {
    use paramedic_policies::time::{Moment, Span};
    use paramedic_remediations::ports::objects::{add, remove};

    use super::*;

    fn world() -> (World, Target) {
        let now = Moment::from_unix_ms(1_000_000);
        let mut world = World::new(now);
        for node in ["a", "b"] {
            world.put(NODES.named("", node), json!({}));
        }
        let web = Target { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() };
        world.workloads.insert(web.clone(), Workload::new(web.clone(), 2, now));
        world.sync();
        (world, web)
    }

    fn nodes(world: &World) -> Vec<String> {
        let pods = world.objects.list(PODS, "prod", "app=web");
        pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap_or("-").to_owned()).collect()
    }

    fn evict(world: &mut World, name: &str) -> Result<(), ChangeError> {
        let pod = PODS.named("prod", name);
        let uid = world.objects.get(&pod).and_then(|pod| pod["metadata"]["uid"].as_str());
        let uid = uid.expect("it is there").to_owned();
        world.change_object(&ObjectChange::Evict { pod, uid }, "j-1", "j-1").map(drop)
    }

    #[test]
    fn pods_are_spread_and_one_that_is_evicted_comes_back_where_pods_are_taken() {
        let (mut world, _) = world();
        assert_eq!(nodes(&world), ["a", "b"]);
        world.put(NODES.named("", "a"), json!({"spec": {"unschedulable": true}}));
        evict(&mut world, "web-1").expect("no budget holds it");
        assert_eq!(nodes(&world), ["b", "b"]);
    }

    #[test]
    fn a_budget_holds_a_pod_until_the_others_are_ready() {
        let (mut world, web) = world();
        world.workloads.get_mut(&web).expect("it is there").budget = Some(("web".to_owned(), 1));
        world.sync();
        evict(&mut world, "web-1").expect("one may go");
        let refused = evict(&mut world, "web-2");
        assert!(matches!(refused, Err(ChangeError::Refused { conflict: false, .. })), "{refused:?}");
        world.advance(world.now() + Span::from_secs(30));
        world.sync();
        evict(&mut world, "web-2").expect("the other one is ready now");
    }

    #[test]
    fn a_pod_without_its_label_runs_on_beside_the_one_that_takes_its_place() {
        let (mut world, web) = world();
        let at = PODS.named("prod", "web-1");
        let mut write = |operation: Value| {
            let operations = vec![operation];
            let change =
                ObjectChange::Patch { at: at.clone(), subresource: None, operations, fields: Vec::new() };
            world.change_object(&change, "j-1", "j-1").expect("it is there");
            (world.objects.list(PODS, "prod", "").len(), world.workloads[&web].pods.len())
        };
        assert_eq!(write(add("/metadata/annotations", json!({"a": "1"}))), (2, 2));
        assert_eq!(write(remove("/metadata/labels/app")), (3, 2));
        assert_eq!(write(add("/metadata/labels/app", json!("web"))), (2, 2));
    }
}
