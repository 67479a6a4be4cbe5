//! A small cluster with a Prometheus, as data: workloads, services, series, troubles, alert rules. Time is an
//! argument, so it lives in real and in virtual time alike. Every change that somebody makes is in its history,
//! which judges can read without asking the engine.
//!
//! ```text
//!   advance(now):  pods.rs         rollouts and HPAs move on
//!                  controllers.rs  Jobs end, certificates are issued, aborted canaries lose their traffic
//!                  troubles.rs     cures are seen, series recover
//!                  rules.rs        alerts begin and end
//!   objects:       api_server.rs   workloads as Deployments, ReplicaSets and Pods; what a patch of one means for it
//!                  nodes.rs        where pods run, and how they leave: evicted, deleted, cut loose
//!   facts.rs       what Prometheus answers beside the series of troubles: told by a scenario, over time
//! ```
//!
//! Deliberately absent: torn disks, peers, clocks that step.

pub mod api_server;
mod controllers;
pub mod endpoints;
pub mod facts;
mod faults;
pub mod kinds;
mod nodes;
mod pods;
mod revisions;
mod rules;
mod services;
mod troubles;

use paramedic_remediations::in_memory::Objects;
use paramedic_remediations::ports::objects::Address;
use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Number, Sample, Surroundings};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

pub use controllers::{CertificateLife, JobLife};
pub use endpoints::Endpoint;
pub use facts::Facts;
pub use faults::{Fault, Faults};
pub use pods::{Hpa, Pod, Workload};
pub use revisions::Revision;
pub use rules::AlertRule;
use rules::{Alarm, Alarms};
pub use services::{BreakerState, Service};
pub use troubles::{Cure, Series, Trouble};

/// One change that somebody made from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// When.
    pub at: Moment,
    /// By whom: the stamp of an intent, or a name.
    pub by: String,
    /// On what.
    pub on: String,
    /// What, such as `replicas 3 -> 6`.
    pub what: String,
}

/// What does not answer at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outages {
    /// Prometheus.
    pub prometheus: bool,
    /// The API server.
    pub kubernetes: bool,
    /// HTTP to pods.
    pub http: bool,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    now: Moment,
    /// Workloads by name.
    pub workloads: BTreeMap<Target, Workload>,
    /// Services by name.
    pub services: BTreeMap<Target, Service>,
    /// Every other object of the API server.
    pub objects: Objects,
    /// Annotations of namespaces.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// All series that Prometheus knows.
    pub series: Vec<Series>,
    /// Alert rules.
    pub rules: Vec<AlertRule>,
    /// What does not answer.
    pub outages: Outages,
    /// What becomes of changes on their way.
    pub faults: Faults,
    /// What Prometheus answers beside `series`.
    pub facts: Facts,
    /// Declared services that are called by HTTP.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// How Jobs go.
    pub jobs: JobLife,
    /// How certificates are issued.
    pub certificates: CertificateLife,
    /// Addresses of the objects that stand for workloads.
    rendered: BTreeSet<Address>,
    /// What the objects show; nothing where one of them was written since.
    shown: Option<api_server::Shown>,
    /// What controllers have begun, and when it is done.
    duties: Vec<controllers::Duty>,
    /// Where pods are, and what was written on them.
    seats: nodes::Seats,
    /// The last words of pods.
    logs: BTreeMap<Address, String>,
    troubles: Vec<Trouble>,
    by_hand: BTreeMap<Labels, Moment>,
    alarms: Alarms,
    history: Vec<Touch>,
}

impl World {
    /// An empty cluster.
    pub fn new(now: Moment) -> Self {
        Self { now, ..Self::default() }
    }

    /// What time it is in there.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Every change that somebody made, oldest first.
    pub fn history(&self) -> &[Touch] {
        &self.history
    }

    /// Lets time pass; the past is left alone.
    pub fn advance(&mut self, now: Moment) {
        self.now = self.now.max(now);
        let now = self.now;
        self.workloads.values_mut().for_each(|workload| workload.advance(now));
        self.reconcile();
        self.cure();
        self.raise_alarms();
    }

    /// Something goes wrong: every series of this name with these labels becomes sick. How many there are.
    pub fn begin(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        sick: f64,
        cure: Cure,
        recovery: Span,
    ) -> usize {
        let matching = self.series.iter().enumerate().filter(|(_, series)| series.is(name, labels));
        let series: Vec<usize> = matching.map(|(position, _)| position).collect();
        let count = series.len();
        if let Cure::BreakerClosed(service, breaker) = &cure
            && let Some(service) = self.services.get_mut(service)
            && let Some(workload) = self.workloads.get(&service.selects)
        {
            service.trip(workload, breaker);
        }
        self.troubles.push(Trouble { series, sick, cure, since: self.now, cured_at: None, recovery });
        self.raise_alarms();
        count
    }

    /// Every trouble ends by itself.
    pub fn heal(&mut self) {
        for trouble in &mut self.troubles {
            trouble.cured_at.get_or_insert(self.now);
        }
    }

    /// Series of this name with these labels go or come back.
    pub fn set_gone(&mut self, name: &str, labels: &[(&str, &str)], is_gone: bool) {
        for series in self.series.iter_mut().filter(|series| series.is(name, labels)) {
            series.is_gone = is_gone;
        }
    }

    fn cure(&mut self) {
        let (now, workloads, services, objects) = (self.now, &self.workloads, &self.services, &self.objects);
        for trouble in self.troubles.iter_mut().filter(|trouble| trouble.cured_at.is_none()) {
            let is_cured = match &trouble.cure {
                Cure::Restarted(target) => workloads.get(target).is_some_and(|workload| {
                    workload.template_at >= trouble.since
                        && workload.restarted_at.is_some()
                        && workload.is_complete(now)
                }),
                Cure::Ready(target, wanted) => {
                    workloads.get(target).is_some_and(|workload| workload.ready(now) >= *wanted)
                }
                Cure::BreakerClosed(service, breaker) => services.get(service).is_some_and(|service| {
                    let workload = workloads.get(&service.selects);
                    workload.is_some_and(|workload| service.is_closed(workload, breaker))
                }),
                Cure::Cordoned(node) => nodes::is_cordoned(objects, node),
                Cure::Nothing => false,
            };
            if is_cured {
                trouble.cured_at = Some(now);
            }
        }
        self.troubles.retain(|trouble| !trouble.is_over(now));
    }

    fn value(&self, position: usize) -> f64 {
        let healthy = self.series.get(position).map_or(f64::NAN, |series| series.healthy);
        let trouble = self.troubles.iter().rev().find(|trouble| trouble.series.contains(&position));
        trouble.map_or(healthy, |trouble| trouble.value(healthy, self.now))
    }

    fn raise_alarms(&mut self) {
        let mut alarms = Alarms::new();
        for rule in &self.rules {
            for (position, series) in self.series.iter().enumerate() {
                if series.name != rule.metric || series.is_gone || self.value(position) <= rule.above {
                    continue;
                }
                let labels = rule.labels_for(&series.labels);
                let alarm = rule.still_above(self.alarms.get(&labels).copied(), self.now);
                alarms.insert(labels, alarm);
            }
        }
        alarms.extend(self.by_hand.iter().map(|(labels, since)| (labels.clone(), Alarm::Firing(*since))));
        self.alarms = alarms;
    }

    /// An alert fires that no rule of this world makes.
    pub fn fire(&mut self, labels: &[(&str, &str)]) {
        let now = self.now;
        self.by_hand.entry(owned(labels)).or_insert(now);
        self.raise_alarms();
    }

    /// An alert that was fired by hand ends.
    pub fn quench(&mut self, labels: &[(&str, &str)]) {
        self.by_hand.remove(&owned(labels));
        self.raise_alarms();
    }

    /// The alerts that fire, as Prometheus would send them.
    pub fn firing(&self) -> Vec<Alert> {
        let firing = self.alarms.iter().filter_map(|(labels, alarm)| match alarm {
            Alarm::Firing(since) => Some((labels, *since)),
            Alarm::Pending(_) => None,
        });
        firing
            .map(|(labels, since)| Alert {
                status: AlertStatus::Firing,
                labels: labels.clone(),
                annotations: self.summary_of(labels),
                starts_at: since,
                ends_at: None,
                fingerprint: None,
            })
            .collect()
    }

    fn summary_of(&self, labels: &Labels) -> Labels {
        let name = labels.get("alertname");
        let rule = self.rules.iter().find(|rule| Some(&rule.alert) == name);
        rule.map(|rule| ("summary".to_owned(), rule.summary.clone())).into_iter().collect()
    }

    /// The series of a metric with their values, `ALERTS` among them; `None` for a metric that nobody records.
    pub fn samples(&self, metric: &str) -> Option<Vec<Sample>> {
        if metric == "ALERTS" {
            return Some(self.alarms.iter().map(|(labels, alarm)| alarm_series(labels, *alarm)).collect());
        }
        let known = || self.series.iter().enumerate().filter(|(_, series)| series.name == metric);
        known().next()?;
        let there = known().filter(|(_, series)| !series.is_gone);
        Some(
            there
                .map(|(position, series)| Sample {
                    labels: series.labels.clone(),
                    value: Number(self.value(position)),
                })
                .collect(),
        )
    }

    /// The names of all metrics, `ALERTS` first.
    pub fn metrics(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        [vec!["ALERTS"], names].concat()
    }

    /// Replicas of a namespace; `added` is zero.
    pub fn surroundings(&self, namespace: &str) -> Surroundings {
        let inside = || self.workloads.values().filter(|one| one.target.namespace == namespace);
        let down = |one: &Workload| one.replicas.saturating_sub(one.ready(self.now));
        Surroundings {
            desired: inside().map(|one| one.replicas).sum(),
            unavailable: inside().map(down).sum(),
            added: 0,
            workloads: u32::try_from(self.workloads.len()).unwrap_or(u32::MAX),
        }
    }

    /// Sets replicas.
    pub fn scale(&mut self, target: &Target, to: u32, by: &str, manager: &str) {
        let now = self.now;
        if let Some(workload) = self.workloads.get_mut(target) {
            let from = workload.replicas;
            workload.scale(now, to, manager);
            self.touched(by, target, format!("replicas {from} -> {to}"));
        }
    }

    /// Sets the minimum of the HPA that owns this workload.
    pub fn set_minimum(&mut self, target: &Target, to: u32, by: &str, manager: &str) {
        let now = self.now;
        if let Some(workload) = self.workloads.get_mut(target) {
            let from = workload.hpa.as_ref().map_or(0, |hpa| hpa.min);
            workload.set_minimum(now, to, manager);
            self.touched(by, target, format!("minReplicas {from} -> {to}"));
        }
    }

    /// Restarts a workload.
    pub fn restart(&mut self, target: &Target, by: &str, restarted_at: Moment) {
        let now = self.now;
        if let Some(workload) = self.workloads.get_mut(target) {
            workload.restart(now, Some(by), restarted_at);
            self.touched(by, target, format!("restartedAt {restarted_at}"));
        }
    }

    /// Somebody deploys: a new template without our stamp.
    pub fn deploy(&mut self, target: &Target, by: &str) {
        let now = self.now;
        if let Some(workload) = self.workloads.get_mut(target) {
            workload.deploy(now, None, workload.pod_ready);
            self.touched(by, target, "template".to_owned());
        }
    }

    /// Closes a breaker of one pod.
    pub fn close_breaker(&mut self, service: &Target, pod: u32, breaker: &str, by: &str) {
        if let Some(found) = self.services.get_mut(service) {
            found.tripped.remove(&(pod, breaker.to_owned()));
            self.touched(by, service, format!("breaker {breaker} of pod {pod} closed"));
        }
    }

    /// Notes a change that somebody made.
    pub(crate) fn touched(&mut self, by: &str, on: &Target, what: String) {
        self.history.push(Touch { at: self.now, by: by.to_owned(), on: on.to_string(), what });
    }
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn alarm_series(labels: &Labels, alarm: Alarm) -> Sample {
    let state = match alarm {
        Alarm::Pending(_) => "pending",
        Alarm::Firing(_) => "firing",
    };
    let mut labels = labels.clone();
    labels.insert("alertstate".to_owned(), state.to_owned());
    Sample { labels, value: Number(1.0) }
}
