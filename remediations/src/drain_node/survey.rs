//! A node with all that runs on it and the nodes beside it: what would leave, what must stay, and what may not be drained at
//! all. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::answer::{Beside, Surroundings};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::Value;

use super::cordon::{self, DRAINING_UNTIL, NODES};
use crate::block_ip::{text, texts};
use crate::checks::Checks;
use crate::makers;
use crate::pods::{self, BUDGETS, NAMESPACES, PODS};
use crate::ports::cluster::{Cluster, Keep, LookError};
use crate::ports::objects::Address;
use crate::stamp::{INTENT, annotation};

/// What we need to see and to be called by, wherever it runs; what takes the place of Prometheus and of Alertmanager too, as
/// their own images and charts name it. Which of them is really asked is not known here: one under another name is kept by
/// protecting its namespace.
const NEVER: [&str; 14] = [
    "paramedic",
    "prometheus",
    "alertmanager",
    "victoria-metrics",
    "victoria-metrics-single",
    "vmsingle",
    "vmselect",
    "vminsert",
    "vmstorage",
    "vmauth",
    "thanos",
    "mimir",
    "cortex",
    "promxy",
];

/// A node with all that matters for a drain.
pub(super) struct Survey {
    pub(super) node: Value,
    nodes: Vec<Value>,
    /// The pods on the node.
    pods: Vec<Value>,
    budgets: Vec<Value>,
    namespaces: BTreeMap<String, Value>,
    /// The Jobs of those that have not run to their end.
    jobs: BTreeMap<Address, Value>,
    /// The user that we are to the API server, where it says so.
    us: Option<String>,
}

pub(super) async fn look(cluster: &dyn Cluster, target: &Target) -> Result<Survey, LookError> {
    let node = cordon::node(cluster, target).await?;
    let nodes = cluster.list(NODES, "", "").await?;
    let here = Keep::Where("/spec/nodeName", target.name.clone());
    let pods = cluster.scan(PODS, &format!("spec.nodeName={}", target.name), here).await?;
    let jobs: BTreeSet<Address> =
        pods.iter().filter(|pod| !pods::is_over(pod)).filter_map(pods::job).collect();
    let jobs = makers::got(cluster, jobs).await?;
    let budgets = cluster.list(BUDGETS, "", "").await?;
    let spaces = cluster.list(NAMESPACES, "", "").await?;
    let namespaces =
        spaces.into_iter().map(|space| (text(&space, "/metadata/name").to_owned(), space)).collect();
    let us = match cluster.username().await {
        Err(LookError::Absent { .. }) => None,
        found => Some(found?),
    };
    Ok(Survey { node, nodes, pods, budgets, namespaces, jobs, us })
}

impl Survey {
    pub(super) fn out_of_service(&self, max: u32, now: Moment, checks: &mut Checks) {
        out_of_service(&self.node, &self.nodes, max, now, checks);
    }

    /// The stamps of the drains of ours on other nodes.
    pub(super) fn draining(&self, now: Moment) -> impl Iterator<Item = String> + '_ {
        let name = text(&self.node, "/metadata/name");
        let others = self.nodes.iter().filter(move |other| text(other, "/metadata/name") != name);
        let drained = others.filter(move |other| is_draining(other, now));
        drained.filter_map(|other| annotation(other, INTENT).map(str::to_owned))
    }

    /// Refuses where something runs there that must not be moved by us.
    pub(super) fn hosts(&self, checks: &mut Checks) {
        let mut hosts = Vec::new();
        for pod in self.pods.iter().filter(|pod| !pods::is_over(pod)) {
            if let Some(what) = self.never(pod) {
                hosts.push(format!("{what} ({})", pods::address(pod)));
            }
        }
        if hosts.is_empty() {
            checks.pass("it hosts neither us nor Prometheus nor Alertmanager, as far as their names show");
        } else {
            checks.refuse(Reason::Protected { rule: format!("what the node hosts: {}", hosts.join(", ")) });
        }
    }

    fn never(&self, pod: &Value) -> Option<&'static str> {
        let account = format!(
            "system:serviceaccount:{}:{}",
            text(pod, "/metadata/namespace"),
            text(pod, "/spec/serviceAccountName")
        );
        if self.us.as_deref() == Some(&account) {
            return Some("paramedic itself");
        }
        let labels = texts(pod, "/metadata/labels");
        let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
        let containers: Vec<&Value> = containers.into_iter().flatten().collect();
        NEVER.into_iter().find(|name| {
            let label = |key: &str| labels.get(key).is_some_and(|value| value == name);
            // As `quay.io/prometheus/prometheus:v3.5.0@sha256:...`: the last part of the path.
            let image = |container: &&Value| {
                let path = text(container, "/image").split(['@']).next().unwrap_or_default();
                let last = path.rsplit('/').next().unwrap_or_default();
                last.split(':').next() == Some(*name)
            };
            label("app.kubernetes.io/name")
                || label("app")
                || containers.iter().any(|one| text(one, "/name") == *name || image(one))
        })
    }

    /// The pods that would be evicted; notes what stands against that.
    pub(super) fn leaving(&self, storage: LocalStorage, checks: &mut Checks) -> Vec<&Value> {
        let mut leaving = Vec::new();
        let mut staying = 0_usize;
        for pod in &self.pods {
            if pods::is_of_daemon_set(pod)
                || pods::is_static(pod)
                || pods::is_over(pod)
                || pods::is_going(pod)
            {
                staying += 1;
                continue;
            }
            checks.note(pods::free(pod));
            checks.note(
                pods::replaced(pod).map(|owner| format!("{} comes back by {owner}", pods::address(pod))),
            );
            if let Some(job) = pods::job(pod).and_then(|at| self.jobs.get(&at)) {
                checks.note(pods::tried_again(pod, job));
            }
            checks.note(pods::storage(pod, storage));
            checks.note(pods::disruptable(&self.budgets, pod));
            leaving.push(pod);
        }
        checks.pass(format!("{staying} pods of DaemonSets, static, ended or ending are left alone"));
        leaving
    }

    /// The labels of the pods that would leave, and of what made them; what somebody has paused of that holds the whole drain.
    pub(super) async fn beside(
        &self,
        cluster: &dyn Cluster,
        leaving: &[&Value],
        now: Moment,
        checks: &mut Checks,
    ) -> Result<Beside, LookError> {
        let mut beside = Beside::default();
        for pod in leaving {
            beside.add(&pods::address(pod).to_string(), &texts(pod, "/metadata/labels"));
        }
        let makers = makers::labels(cluster, leaving, &self.jobs, &mut beside, checks).await?;
        makers::pauses(&makers, now, checks);
        Ok(beside)
    }

    /// A pod or a namespace that somebody has paused holds the whole drain.
    pub(super) fn pauses(&self, leaving: &[&Value], now: Moment, checks: &mut Checks) {
        let mut names: Vec<&str> = leaving.iter().map(|pod| text(pod, "/metadata/namespace")).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            checks.note(pods::pause(&format!("namespace {name}"), self.namespaces.get(name), now));
        }
        for pod in leaving {
            if let refused @ Err(_) = pods::pause("pod", Some(pod), now) {
                checks.note(refused);
            }
        }
    }
}

/// Taints by which whoever makes and ends nodes (Karpenter, the cluster autoscaler) empties one.
const EMPTIED: [&str; 3] =
    ["karpenter.sh/disrupted", "karpenter.sh/disruption", "ToBeDeletedByClusterAutoscaler"];

/// Whether somebody who ends nodes is emptying it, without a cordon.
fn is_emptied(node: &Value) -> bool {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    taints.into_iter().flatten().any(|taint| EMPTIED.contains(&text(taint, "/key")))
}

fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|one| text(one, "/type") == "Ready" && text(one, "/status") == "True")
}

/// Whether a drain of ours may be evicting pods of it.
fn is_draining(node: &Value, now: Moment) -> bool {
    let until = annotation(node, DRAINING_UNTIL).and_then(|until| until.parse::<Moment>().ok());
    cordon::is_cordoned(node) && until.is_some_and(|until| until > now)
}

/// Refuses where too many nodes would be out of service, whoever took them out, or where another is being drained.
pub(super) fn out_of_service(node: &Value, nodes: &[Value], max: u32, now: Moment, checks: &mut Checks) {
    let name = |node: &Value| text(node, "/metadata/name").to_owned();
    let others: Vec<&Value> = nodes.iter().filter(|other| name(other) != name(node)).collect();
    let out: Vec<String> = others
        .iter()
        .filter(|other| cordon::is_cordoned(other) || !is_ready(other) || is_emptied(other))
        .map(|one| name(one))
        .collect();
    let value = i64::try_from(out.len()).unwrap_or(i64::MAX).saturating_add(1);
    checks.note(if value > i64::from(max) {
        let which = format!("maxNodes out of service ({} and this one)", out.join(", "));
        Err(Reason::OutOfBounds { value, bound: i64::from(max), which })
    } else {
        Ok(format!("it would be node {value} of {max} allowed out of service"))
    });
    checks.note(match others.iter().find(|other| is_draining(other, now)) {
        Some(other) => {
            let until = annotation(other, DRAINING_UNTIL).unwrap_or_default();
            let detail = format!("node {} is being drained, until {until} at most", name(other));
            Err(Reason::RollingOut { detail })
        }
        None => Ok("no other node is being drained by us".into()),
    });
}

/// The replicas of the namespace that would lose the largest share; of all that have workloads which can be counted.
pub(super) async fn surroundings(
    cluster: &dyn Cluster,
    leaving: &[&Value],
) -> Result<Surroundings, LookError> {
    let mut by_namespace: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for pod in leaving {
        by_namespace.entry(text(pod, "/metadata/namespace")).or_default().push(pod);
    }
    let mut worst = Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 };
    for pods in by_namespace.values() {
        let ready = pods.iter().filter(|pod| pods::is_ready(pod)).count();
        let added = u32::try_from(ready).unwrap_or(u32::MAX);
        for pod in pods {
            let Some(workload) = pods::workload(cluster, pod).await? else { continue };
            let here = Surroundings { added, ..workload.surroundings };
            let share = |one: &Surroundings| {
                let down = u64::from(one.unavailable) + u64::from(one.added);
                down * 1_000_000 / u64::from(one.desired.max(1))
            };
            if worst.desired == 0 || share(&here) > share(&worst) {
                worst = here;
            }
            break;
        }
    }
    Ok(worst)
}
