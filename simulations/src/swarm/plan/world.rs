//! The world of a seed: a few workloads in two namespaces, some with an HPA, a GitOps controller or a label that protects
//! them, one in the namespace that nothing may touch, and services with breakers.

use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::cluster::GitOps;
use serde_json::{Value, json};

use super::super::dice::Dice;
use crate::world::kinds;
use crate::world::{AlertRule, Hpa, Series, Service, Workload, World};

/// Share of requests that fail.
pub(crate) const ERRORS: &str = "errors:ratio";
/// Seconds that answers take.
pub(crate) const LATENCY: &str = "latency:p95";
/// Whether breakers stand open.
pub(crate) const BREAKERS: &str = "breakers:open";
/// Logins from one address that fail.
pub(crate) const LOGINS: &str = "logins:failed";
/// Whether nodes are sick.
pub(crate) const NODES: &str = "nodes:sick";
/// The Ingress of every namespace.
pub(crate) const EDGE: &str = "edge";
/// The dependency behind every breaker.
pub(crate) const DEPENDENCY: &str = "db";

/// What was drawn.
pub(super) struct Drawn {
    pub(super) world: World,
    pub(super) workloads: Vec<Target>,
    pub(super) services: Vec<Target>,
    /// Where logins come from, by the namespace that they are for.
    pub(super) addresses: Vec<Target>,
    pub(super) nodes: Vec<Target>,
    pub(super) protected: Vec<Target>,
}

pub(super) fn draw(dice: &mut Dice, now: Moment) -> Drawn {
    let mut world = World::new(now);
    // Before the workloads: pods go to the nodes that are there.
    let nodes = nodes(dice, &mut world);
    let (mut workloads, mut services, mut protected) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..dice.number(3..=6) {
        let namespace = *dice.among(&["shop", "bank"]);
        let target = target("Deployment", namespace, &format!("w{number}"));
        let workload = workload(dice, &target, now);
        if workload.labels.contains_key(PROTECTED) {
            protected.push(target.clone());
        }
        if dice.one_in(3) {
            let service = service(&workload, number);
            services.push(service.target.clone());
            world.services.insert(service.target.clone(), service);
        }
        world.workloads.insert(target.clone(), workload);
        workloads.push(target);
    }
    let dns = target("Deployment", "kube-system", "dns");
    world.workloads.insert(dns.clone(), Workload::new(dns.clone(), 1, now));
    protected.push(dns.clone());
    workloads.push(dns);
    for at in &workloads {
        let labels = [("namespace", &*at.namespace), ("workload", &*at.name)];
        world.series.push(Series::new(ERRORS, &labels, 0.001));
        world.series.push(Series::new(LATENCY, &labels, 0.1));
    }
    for at in &services {
        let labels = [("namespace", &*at.namespace), ("service", &*at.name)];
        world.series.push(Series::new(BREAKERS, &labels, 0.0));
    }
    let addresses = edges(dice, &mut world);
    world.rules = vec![
        rule("HighErrors", ERRORS, 0.05),
        rule("SlowAnswers", LATENCY, 1.0),
        rule("BreakersOpen", BREAKERS, 0.5),
        rule("FailedLogins", LOGINS, 100.0),
        rule("NodeSick", NODES, 0.5),
    ];
    gathered(dice, &mut world, &workloads, &nodes);
    Drawn { world, workloads, services, addresses, nodes, protected }
}

/// Some workloads have all of their pods on one node, so that whoever drains it has to wait for their budgets.
fn gathered(dice: &mut Dice, world: &mut World, workloads: &[Target], nodes: &[Target]) {
    for workload in workloads.iter().filter(|workload| workload.namespace != "kube-system") {
        if dice.one_in(2) {
            if let Some(one) = world.workloads.get_mut(workload) {
                one.budget = Some((workload.name.clone(), one.replicas - 1));
                one.pod_ready = Some(dice.secs(20..=60));
            }
            world.seat(workload, &dice.among(nodes).name);
        }
    }
}

/// Nodes that are well; the pods of the workloads are spread over them. One is named in what [`edges`] puts there.
fn nodes(dice: &mut Dice, world: &mut World) -> Vec<Target> {
    let mut nodes = Vec::new();
    for number in 1..=dice.number(3..=5) {
        let node = target("Node", "", &format!("node-{number}"));
        let at = kinds::address(&node).expect("a kind that the world knows");
        world.put(at, json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}));
        world.series.push(Series::new(NODES, &[("node", &*node.name)], 0.0));
        nodes.push(node);
    }
    nodes
}

/// An Ingress of ingress-nginx in each namespace, and addresses that may guess passwords there.
fn edges(dice: &mut Dice, world: &mut World) -> Vec<Target> {
    let mut put = |object: Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let resource =
            kinds::of_object(text("/apiVersion"), text("/kind")).expect("a kind that the world knows");
        let at = resource.named(text("/metadata/namespace"), text("/metadata/name"));
        world.put(at, object.clone());
    };
    put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"}}));
    put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx"},
        "data": {"use-proxy-protocol": "true", "limit-req-status-code": "429"}}));
    put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.11"}]}}));
    let mut addresses = Vec::new();
    for namespace in ["shop", "bank"] {
        put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": EDGE, "namespace": namespace,
                "annotations": {"nginx.ingress.kubernetes.io/ssl-redirect": "true"}},
            "spec": {"ingressClassName": "nginx", "rules": [{"http": {"paths": [
                {"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}}));
        for _ in 0..dice.number(0..=2) {
            // One of the three may never be blocked: it is a node's own.
            let name = *dice.among(&["203.0.113.7", "198.51.100.9", "10.0.0.11"]);
            addresses.push(target("Address", namespace, name));
        }
    }
    addresses.sort();
    addresses.dedup();
    for at in &addresses {
        let labels = [("namespace", &*at.namespace), ("client_address", &*at.name)];
        world.series.push(Series::new(LOGINS, &labels, 2.0));
    }
    addresses
}

/// The label that protects.
const PROTECTED: &str = "paramedic.dev/protected";

fn workload(dice: &mut Dice, target: &Target, now: Moment) -> Workload {
    let replicas = dice.count(2..=5);
    let mut workload = Workload::new(target.clone(), replicas, now);
    workload.uid = format!("uid-{}-{}", target.namespace, target.name);
    workload.pod_ready = Some(dice.secs(5..=40));
    if dice.one_in(6) {
        workload.labels.insert(PROTECTED.to_owned(), "true".to_owned());
    }
    if dice.one_in(4) {
        workload.hpa = Some(Hpa {
            name: target.name.clone(),
            uid: format!("uid-hpa-{}", target.name),
            min: replicas,
            max: replicas + dice.count(1..=5),
            min_set: None,
        });
    }
    if dice.one_in(4) {
        workload.gitops = Some(GitOps {
            by: format!("Argo CD application {}", target.name),
            tracks_replicas: dice.one_in(2),
            tracks_template: true,
        });
    }
    if dice.one_in(5) {
        workload.budget = Some((target.name.clone(), replicas - 1));
    }
    workload
}

fn service(workload: &Workload, number: u64) -> Service {
    Service {
        target: target("Service", &workload.target.namespace, &format!("s{number}")),
        uid: format!("uid-service-s{number}"),
        selects: workload.target.clone(),
        port: ("http".to_owned(), 8080),
        subnet: u8::try_from(number).unwrap_or(0) + 1,
        breakers: vec![DEPENDENCY.to_owned()],
        tripped: Default::default(),
    }
}

fn rule(alert: &str, metric: &str, above: f64) -> AlertRule {
    AlertRule {
        alert: alert.to_owned(),
        metric: metric.to_owned(),
        above,
        lasting: Span::ZERO,
        labels: [("severity".to_owned(), "critical".to_owned())].into(),
        summary: format!("{metric} is above {above}"),
    }
}

pub(super) fn target(kind: &str, namespace: &str, name: &str) -> Target {
    Target { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}
