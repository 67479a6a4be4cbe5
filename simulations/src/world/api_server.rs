//! The API server's view: workloads as the objects that stand for them (Deployments and their like, ReplicaSets, Pods,
//! HPAs), and back again what a patch of such an object means for the workload. An object gets a new resource version
//! only where it became another.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::Diff;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::cluster::{ChangeError, GitOps};
use paramedic_remediations::ports::objects::{
    Address, DEPLOYMENTS, Field, ObjectChange, REPLICA_SETS, Resource,
};
use serde_json::{Map, Value, json};

use super::kinds::{self, AUTOSCALERS, BUDGETS, DAEMON_SETS, NAMESPACES, PODS, SERVICES, STATEFUL_SETS};
use super::pods::{Hpa, Pod, Workload};
use super::revisions::Revision;
use super::{Service, World};

/// The label by which the controller tells the pods of one template from those of another.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// What the objects were last made to show. Every look at the API server asks whether that is still so.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    /// With how many of their pods were ready.
    workloads: Vec<(Workload, u32)>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    services: usize,
}

impl World {
    /// Makes the objects show the workloads, Services and namespaces as they are now.
    pub fn sync(&mut self) {
        let now = self.now;
        let is_shown = |shown: &Shown| {
            let same =
                |(one, (was, ready)): (&Workload, &(Workload, u32))| one == was && one.ready(now) == *ready;
            shown.workloads.len() == self.workloads.len()
                && self.workloads.values().zip(&shown.workloads).all(same)
                && shown.namespaces == self.namespaces
                && shown.services == self.services.len()
        };
        if self.shown.as_ref().is_some_and(is_shown) {
            return;
        }
        self.show();
        let workloads = self.workloads.values().map(|one| (one.clone(), one.ready(now))).collect();
        let (namespaces, services) = (self.namespaces.clone(), self.services.len());
        self.shown = Some(Shown { workloads, namespaces, services });
    }

    fn show(&mut self) {
        let mut shown: Vec<(Address, Value)> = Vec::new();
        for workload in self.workloads.values() {
            shown.extend(rendered(workload, self.now));
        }
        for (name, annotations) in &self.namespaces {
            let object =
                json!({"metadata": {"uid": format!("uid-namespace-{name}"), "annotations": annotations}});
            shown.push((NAMESPACES.named("", name), object));
        }
        self.seats.place(&mut shown, &self.objects);
        let addresses: BTreeSet<Address> = shown.iter().map(|(at, _)| at.clone()).collect();
        for gone in std::mem::take(&mut self.rendered).difference(&addresses) {
            self.remove(gone);
        }
        self.rendered = addresses;
        for (at, object) in shown {
            let is_new = self.objects.get(&at).is_none_or(|has| *has != named(&at, object.clone(), has));
            if is_new {
                self.objects.put(at, object);
            }
        }
        // A Service is an object of its own, since its selector can be patched: made once.
        for service in self.services.values() {
            let at = SERVICES.named(&service.target.namespace, &service.target.name);
            if self.objects.get(&at).is_none() {
                let selects = self.workloads.get(&service.selects);
                self.objects.put(at, of_service(service, selects));
            }
        }
    }

    /// Takes an object away.
    pub fn remove(&mut self, at: &Address) {
        let uid = self.objects.get(at).and_then(|object| object.pointer("/metadata/uid")?.as_str());
        let uid = uid.unwrap_or_default().to_owned();
        self.shown = None;
        if let Err(error) = self.objects.change(&ObjectChange::Delete { at: at.clone(), uid, version: None })
        {
            unreachable!("an object is removed by its own uid: {error}");
        }
    }

    /// Makes a change of an object, as the API server would; workloads follow it.
    ///
    /// # Errors
    /// As the API server's.
    pub fn change_object(
        &mut self,
        change: &ObjectChange,
        by: &str,
        manager: &str,
    ) -> Result<Diff, ChangeError> {
        self.sync();
        self.may_evict(change)?;
        let diff = self.objects.change(change)?;
        self.shown = None;
        let at = change.address().clone();
        if let ObjectChange::Create { .. } = change {
            self.edit(&at, |object, now| {
                object["metadata"]["creationTimestamp"] = json!(now);
                object["metadata"]["generation"] = json!(1);
            });
        }
        if let ObjectChange::Patch { subresource, fields, .. } = change {
            self.edit(&at, |object, now| sign(object, manager, *subresource, fields, now));
        }
        self.absorb(&at, manager);
        self.follow_pod(&at);
        self.begin_duties(&at);
        let target = target_of(&at);
        for field in &diff.fields {
            let what = format!("{} {} -> {}", field.path, field.before, field.after);
            self.touched(by, &target, what);
        }
        Ok(diff)
    }

    /// Makes an object, or sets fields of one that is there; whoever does it is no paramedic.
    pub fn put(&mut self, at: Address, object: Value) {
        self.sync();
        let mut whole = self.objects.get(&at).cloned().unwrap_or(Value::Null);
        crate::scenario::merge(&mut whole, object);
        self.objects.put(at.clone(), whole);
        self.shown = None;
        if at.resource == NAMESPACES {
            let Some(object) = self.objects.get(&at) else { return };
            self.namespaces.insert(at.name, texts(object, "/metadata/annotations"));
            return;
        }
        self.absorb(&at, "kubectl");
        self.follow_pod(&at);
        self.begin_duties(&at);
    }

    /// Writes an object anew, where it is there.
    pub(super) fn edit(&mut self, at: &Address, write: impl FnOnce(&mut Value, Moment)) {
        let now = self.now;
        if let Some(mut object) = self.objects.get(at).cloned() {
            write(&mut object, now);
            self.objects.put(at.clone(), object);
            self.shown = None;
        }
    }

    /// What an object that was written means for the workload or the Service behind it.
    pub(super) fn absorb(&mut self, at: &Address, manager: &str) {
        let Some(object) = self.objects.get(at).cloned() else { return };
        let (target, now) = (target_of(at), self.now);
        if let Some(workload) = self.workloads.get_mut(&target) {
            follow(workload, &object, now, manager);
            self.sync();
        }
        if at.resource == SERVICES && self.services.contains_key(&target) {
            let wanted = texts(&object, "/spec/selector");
            let meets = |one: &&Workload| {
                one.target.namespace == at.namespace
                    && wanted.iter().all(|(key, value)| one.pod_labels.get(key) == Some(value))
            };
            let selects = self.workloads.values().find(meets).map(|one| one.target.clone());
            if let (Some(service), Some(selects)) = (self.services.get_mut(&target), selects) {
                service.selects = selects;
            }
        }
        if at.resource == AUTOSCALERS
            && let Some(min) = object.pointer("/spec/minReplicas").and_then(Value::as_u64)
            && let Some(workload) = self.workloads.values_mut().find(|one| is_scaled_by(one, at))
        {
            workload.set_minimum(now, u32::try_from(min).unwrap_or(u32::MAX), manager);
        }
    }
}

/// The workload, as targets are written.
pub(crate) fn target_of(at: &Address) -> Target {
    let Address { resource, namespace, name } = at;
    let plain = resource.group.is_empty() || resource.group == "apps";
    let kind = if plain { resource.kind.to_owned() } else { format!("{}.{}", resource.kind, resource.group) };
    Target { kind, namespace: namespace.clone(), name: name.clone() }
}

fn is_scaled_by(workload: &Workload, at: &Address) -> bool {
    let is_it = |hpa: &Hpa| hpa.name == at.name && workload.target.namespace == at.namespace;
    workload.hpa.as_ref().is_some_and(is_it)
}

/// The object as the store would hold it, under the resource version that it has.
fn named(at: &Address, mut object: Value, has: &Value) -> Value {
    object["apiVersion"] = json!(at.resource.api_version());
    object["kind"] = json!(at.resource.kind);
    object["metadata"]["name"] = json!(at.name);
    if at.resource.namespaced {
        object["metadata"]["namespace"] = json!(at.namespace);
    }
    object["metadata"]["resourceVersion"] = has["metadata"]["resourceVersion"].clone();
    object
}

/// Notes who wrote the fields, as the API server does.
fn sign(object: &mut Value, manager: &str, subresource: Option<&str>, fields: &[Field], now: Moment) {
    let owned = |field: &Field| {
        let keys = field.pointer.rsplit('/').filter(|key| !key.is_empty());
        keys.fold(json!({}), |inner, key| json!({format!("f:{key}"): inner}))
    };
    for field in fields.iter().filter(|field| !field.pointer.is_empty()) {
        let mut entry =
            json!({"manager": manager, "operation": "Update", "time": now, "fieldsV1": owned(field)});
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
        }
        match object["metadata"]["managedFields"].as_array_mut() {
            Some(entries) => entries.push(entry),
            None => object["metadata"]["managedFields"] = json!([entry]),
        }
    }
}

/// The workload as the written object has it.
fn follow(workload: &mut Workload, object: &Value, now: Moment, manager: &str) {
    workload.labels = texts(object, "/metadata/labels");
    workload.annotations = texts(object, "/metadata/annotations");
    if let (Some(gitops), Some(mark)) = (&workload.gitops, mark(workload)) {
        // The mark is ours to render, not the workload's own.
        drop(if is_argo(gitops) {
            workload.annotations.remove(mark.0)
        } else {
            workload.labels.remove(mark.0)
        });
    }
    workload.paused = object.pointer("/spec/paused") == Some(&Value::Bool(true));
    if let Some(mut template) = object.pointer("/spec/template").cloned() {
        if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("labels");
            let none = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            metadata.retain(|_, value| !none(value));
        }
        let is_bare = template["metadata"].as_object().is_some_and(Map::is_empty);
        if let Some(template) = template.as_object_mut().filter(|_| is_bare) {
            template.remove("metadata");
        }
        workload.roll(now, template, workload.pod_ready);
    }
    let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64);
    if let Some(replicas) = replicas.and_then(|replicas| u32::try_from(replicas).ok())
        && replicas != workload.replicas
    {
        workload.scale(now, replicas, manager);
    }
}

/// All objects that stand for a workload.
fn rendered(workload: &Workload, now: Moment) -> Vec<(Address, Value)> {
    let Target { kind, namespace, name } = &workload.target;
    let resource = match kind.as_str() {
        "StatefulSet" => STATEFUL_SETS,
        "DaemonSet" => DAEMON_SETS,
        _ => DEPLOYMENTS,
    };
    let mut all = vec![(resource.named(namespace, name), of_workload(workload, resource, now))];
    if resource == DEPLOYMENTS {
        let sets = workload.revisions.iter();
        all.extend(sets.map(|revision| {
            let at = REPLICA_SETS.named(namespace, &format!("{name}-{}", revision.template));
            (at, of_revision(workload, revision))
        }));
    }
    all.extend(
        workload.pods.iter().map(|pod| {
            (PODS.named(namespace, &format!("{name}-{}", pod.number)), of_pod(workload, pod, now))
        }),
    );
    if let Some((name, keep)) = &workload.budget {
        all.push((BUDGETS.named(namespace, name), of_budget(workload, *keep, now)));
    }
    if let Some(hpa) = &workload.hpa {
        all.push((AUTOSCALERS.named(namespace, &hpa.name), of_hpa(workload, hpa)));
    }
    all
}

fn is_argo(gitops: &GitOps) -> bool {
    gitops.by.starts_with("Argo CD")
}

/// The label or annotation by which a GitOps controller marks what is its own.
fn mark(workload: &Workload) -> Option<(&'static str, String)> {
    let by = &workload.gitops.as_ref()?.by;
    let name = by.rsplit(' ').next().unwrap_or(by).to_owned();
    let Target { kind, namespace, name: of } = &workload.target;
    Some(if by.starts_with("Argo CD") {
        ("argocd.argoproj.io/tracking-id", format!("{name}:apps/{kind}:{namespace}/{of}"))
    } else {
        ("kustomize.toolkit.fluxcd.io/name", name)
    })
}

fn of_workload(workload: &Workload, resource: Resource, now: Moment) -> Value {
    let (mut labels, mut annotations) = (workload.labels.clone(), workload.annotations.clone());
    let mut managers = Vec::new();
    if let (Some(gitops), Some((key, value))) = (&workload.gitops, mark(workload)) {
        let marks = if is_argo(gitops) { &mut annotations } else { &mut labels };
        marks.insert(key.to_owned(), value);
        let mut spec = json!({});
        if gitops.tracks_replicas {
            spec["f:replicas"] = json!({});
        }
        if gitops.tracks_template {
            spec["f:template"] = json!({});
        }
        let manager = if is_argo(gitops) { "argocd-controller" } else { "kustomize-controller" };
        managers.push(json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": spec}}));
    }
    let ready = workload.ready(now);
    let updated = workload.pods.iter().filter(|pod| pod.template == workload.template).count();
    let mut object = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "metadata": {
            "name": workload.target.name,
            "namespace": workload.target.namespace,
            "uid": workload.uid,
            "generation": workload.generation,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": workload.pod_labels},
            "template": template(workload, workload.present()),
        },
        "status": {
            "observedGeneration": workload.generation,
            "replicas": workload.pods.len(),
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
        },
    });
    if !managers.is_empty() {
        object["metadata"]["managedFields"] = json!(managers);
    }
    if workload.paused {
        object["spec"]["paused"] = json!(true);
    }
    object
}

fn template(workload: &Workload, revision: &Revision) -> Value {
    let mut template = revision.spec.clone();
    template["metadata"]["labels"] = json!(workload.pod_labels);
    template
}

fn of_revision(workload: &Workload, revision: &Revision) -> Value {
    let mut annotations = json!({"deployment.kubernetes.io/revision": revision.number.to_string()});
    if !revision.past.is_empty() {
        let past: Vec<String> = revision.past.iter().map(ToString::to_string).collect();
        annotations["deployment.kubernetes.io/revision-history"] = json!(past.join(","));
    }
    let mut template = template(workload, revision);
    template["metadata"]["labels"][TEMPLATE_HASH] = json!(revision.template.to_string());
    json!({
        "metadata": {
            "uid": format!("{}-rs-{}", workload.uid, revision.template),
            "creationTimestamp": revision.created,
            "annotations": annotations,
            "ownerReferences": [owner(workload)],
        },
        "spec": {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
    })
}

fn owner(workload: &Workload) -> Value {
    let Target { kind, name, .. } = &workload.target;
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": workload.uid, "controller": true})
}

/// What makes the pods of a template: a ReplicaSet, where there are any.
fn maker(workload: &Workload, template: u32) -> Value {
    let Target { kind, name, .. } = &workload.target;
    if kind != "Deployment" {
        return owner(workload);
    }
    let (name, uid) = (format!("{name}-{template}"), format!("{}-rs-{template}", workload.uid));
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": true})
}

fn of_budget(workload: &Workload, keep: u32, now: Moment) -> Value {
    let ready = workload.ready(now);
    json!({
        "metadata": {"uid": format!("{}-budget", workload.uid), "generation": 1},
        "spec": {"minAvailable": keep, "selector": {"matchLabels": workload.pod_labels}},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": ready.saturating_sub(keep),
            "currentHealthy": ready,
            "desiredHealthy": keep,
        },
    })
}

fn of_pod(workload: &Workload, pod: &Pod, now: Moment) -> Value {
    let revision = workload.revisions.iter().find(|one| one.template == pod.template);
    let is_ready = pod.ready_at.is_some_and(|at| at <= now);
    let mut labels = workload.pod_labels.clone();
    labels.insert(TEMPLATE_HASH.to_owned(), pod.template.to_string());
    json!({
        "metadata": {
            "uid": format!("{}-pod-{}", workload.uid, pod.number),
            "labels": labels,
            "ownerReferences": [maker(workload, pod.template)],
        },
        "spec": revision.map(|one| one.spec["spec"].clone()).unwrap_or_default(),
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}],
        },
    })
}

fn of_hpa(workload: &Workload, hpa: &Hpa) -> Value {
    let Target { kind, name, .. } = &workload.target;
    json!({
        "metadata": {"uid": hpa.uid},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
            "minReplicas": hpa.min,
            "maxReplicas": hpa.max,
        },
    })
}

fn of_service(service: &Service, selects: Option<&Workload>) -> Value {
    let selector = selects.map(|workload| workload.pod_labels.clone()).unwrap_or_default();
    json!({
        "metadata": {"uid": service.uid},
        "spec": {"selector": selector, "ports": [{"name": service.port.0, "port": service.port.1}]},
    })
}

/// The texts of a mapping.
pub(crate) fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let pairs = object.pointer(pointer).and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    pairs.into_iter().flatten().filter_map(text).collect()
}

/// Whether an object of this target is there.
pub(crate) fn is_there(world: &World, target: &Target) -> bool {
    world.workloads.contains_key(target)
        || world.services.contains_key(target)
        || kinds::address(target).is_some_and(|at| world.objects.get(&at).is_some())
}

#[cfg(test)]
mod tests {
    use paramedic_remediations::ports::objects::{add, test};

    use super::*;

    fn world() -> (World, Address) {
        let now = Moment::from_unix_ms(1_000_000);
        let mut world = World::new(now);
        let target = Target { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() };
        world.workloads.insert(target.clone(), Workload::new(target, 3, now));
        world.sync();
        (world, DEPLOYMENTS.named("prod", "web"))
    }

    #[test]
    fn an_object_gets_a_new_version_only_where_it_became_another() {
        let (mut world, at) = world();
        let version =
            |world: &World| world.objects.get(&at).map(|one| one["metadata"]["resourceVersion"].clone());
        let before = version(&world);
        world.sync();
        assert_eq!(version(&world), before);
        let web = target_of(&at);
        world.scale(&web, 5, "kubectl", "kubectl");
        world.sync();
        assert_ne!(version(&world), before);
        assert_eq!(world.objects.list(PODS, "prod", "app=web").len(), 5);
        world.scale(&web, 1, "kubectl", "kubectl");
        world.sync();
        assert_eq!(world.objects.list(PODS, "prod", "app=web").len(), 1);
    }

    #[test]
    fn a_patch_of_the_object_moves_the_workload() {
        let (mut world, at) = world();
        let patch = |operations: Vec<Value>| ObjectChange::Patch {
            at: at.clone(),
            subresource: None,
            operations,
            fields: Vec::new(),
        };
        let image = "/spec/template/spec/containers/0/image";
        let change = patch(vec![test(image, json!("web:1")), add(image, json!("web:2"))]);
        world.change_object(&change, "somebody", "kubectl").expect("the test holds");
        assert!(world.change_object(&change, "somebody", "kubectl").is_err(), "it holds no more");
        let web = &world.workloads[&target_of(&at)];
        assert_eq!((web.present().number, web.generation), (2, 2));
        assert!(!web.is_complete(world.now()));
        assert_eq!(world.objects.list(REPLICA_SETS, "prod", "").len(), 2);
    }
}
