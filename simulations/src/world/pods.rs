//! Workloads with pods that take their time: created, replaced one by one, ready after a while or never. Knows
//! nothing of who changes them.

use std::collections::BTreeMap;

use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::cluster::{GitOps, Rollout, SetBy};

use super::revisions::Revision;

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Counts the pods of its workload, from 1; never used again.
    pub number: u32,
    /// The template it was made from.
    pub template: u32,
    /// When it becomes ready; never, without it.
    pub ready_at: Option<Moment>,
}

impl Pod {
    fn is_ready(&self, now: Moment) -> bool {
        self.ready_at.is_some_and(|at| at <= now)
    }
}

/// What scales a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hpa {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// `spec.minReplicas`.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
    /// Who last set the minimum.
    pub min_set: Option<SetBy>,
}

/// A Deployment or StatefulSet.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub target: Target,
    /// Its uid.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Who last set them.
    pub replicas_set: Option<SetBy>,
    /// `spec.paused`.
    pub paused: bool,
    /// Labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Why a new template would move no pod, such as `OnDelete`.
    pub immovable: Option<String>,
    /// The GitOps controller that owns it.
    pub gitops: Option<GitOps>,
    /// What scales it.
    pub hpa: Option<Hpa>,
    /// Its PodDisruptionBudget: name and how many pods must stay.
    pub budget: Option<(String, u32)>,
    /// The templates that it has and had; the last is the present one.
    pub revisions: Vec<Revision>,
    /// Which of its pod templates is the present one; they are counted from 1.
    pub template: u32,
    /// When the template last became another.
    pub template_at: Moment,
    /// The stamp of whoever made it another.
    pub stamp: Option<String>,
    /// `kubectl.kubernetes.io/restartedAt` of the template.
    pub restarted_at: Option<Moment>,
    /// Its pods, oldest first.
    pub pods: Vec<Pod>,
    /// How long a pod takes to become ready; never, without it.
    pub pod_ready: Option<Span>,
    /// After this without progress a rollout is stuck.
    pub progress_deadline: Span,
    /// The number of the next pod.
    next_pod: u32,
    /// Since when nothing progressed.
    progressed_at: Moment,
}

impl Workload {
    /// A workload that has been up for long, with this many ready pods.
    pub fn new(target: Target, replicas: u32, now: Moment) -> Self {
        let pods = (1..=replicas).map(|number| Pod { number, template: 1, ready_at: Some(now) }).collect();
        Self {
            uid: format!("uid-{}-{}", target.kind.to_lowercase(), target.name),
            pod_labels: BTreeMap::from([("app".to_owned(), target.name.clone())]),
            immovable: None,
            gitops: None,
            revisions: vec![Revision::first(&target.name, now)],
            target,
            generation: 1,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            replicas,
            replicas_set: None,
            paused: false,
            hpa: None,
            budget: None,
            template: 1,
            template_at: now,
            stamp: None,
            restarted_at: None,
            pods,
            pod_ready: Some(Span::from_secs(20)),
            progress_deadline: Span::from_mins(10),
            next_pod: replicas + 1,
            progressed_at: now,
        }
    }

    /// Becomes what it is at `now`; the steps in between happen at their own moments.
    pub(crate) fn advance(&mut self, now: Moment) {
        let mut at = self.progressed_at;
        loop {
            self.step(at);
            let next = self.pods.iter().filter_map(|pod| pod.ready_at).filter(|ready| *ready > at).min();
            match next {
                Some(next) if next <= now => {
                    at = next;
                    self.progressed_at = next;
                }
                Some(_) | None => break,
            }
        }
        if self.is_complete(now) {
            self.progressed_at = now;
        }
        self.step(now);
    }

    /// What the controllers do at one moment: the HPA's floor, the number of pods, one pod replaced.
    fn step(&mut self, at: Moment) {
        if let Some(hpa) = &self.hpa
            && self.replicas < hpa.min
        {
            self.replicas = hpa.min;
            self.generation += 1;
            let manager = "horizontal-pod-autoscaler".to_owned();
            self.replicas_set = Some(SetBy { manager, at: Some(at) });
        }
        while self.pods.len() > self.replicas as usize {
            self.pods.pop();
        }
        while self.pods.len() < self.replicas as usize {
            self.add_pod(at);
        }
        let ready = self.pods.iter().filter(|pod| pod.is_ready(at)).count();
        if self.paused || self.immovable.is_some() {
            return;
        }
        let is_outdated = |pod: &Pod, template: u32| pod.template != template;
        // What serves nobody goes first, and nobody waits for it.
        while let Some(broken) =
            self.pods.iter().position(|pod| is_outdated(pod, self.template) && !pod.is_ready(at))
        {
            self.pods.remove(broken);
            self.add_pod(at);
        }
        if let Some(outdated) = self.pods.iter().position(|pod| is_outdated(pod, self.template))
            && ready == self.pods.len()
        {
            self.pods.remove(outdated);
            self.add_pod(at);
        }
    }

    fn add_pod(&mut self, at: Moment) {
        let ready_at = self.pod_ready.map(|span| at + span);
        self.pods.push(Pod { number: self.next_pod, template: self.template, ready_at });
        self.next_pod += 1;
    }

    /// Sets the number of replicas.
    pub(super) fn scale(&mut self, now: Moment, to: u32, manager: &str) {
        self.replicas = to;
        self.generation += 1;
        self.replicas_set = Some(SetBy { manager: manager.to_owned(), at: Some(now) });
        self.progressed_at = now;
        self.step(now);
    }

    /// Loses a pod, and makes another in its place.
    pub(super) fn lose(&mut self, now: Moment, number: u32) {
        self.pods.retain(|pod| pod.number != number);
        self.progressed_at = now;
        self.step(now);
    }

    /// Sets the HPA's minimum; the HPA raises the replicas to it at once.
    pub(super) fn set_minimum(&mut self, now: Moment, to: u32, manager: &str) {
        if let Some(hpa) = &mut self.hpa {
            hpa.min = to;
            hpa.min_set = Some(SetBy { manager: manager.to_owned(), at: Some(now) });
            self.progressed_at = now;
            self.step(now);
        }
    }

    /// What follows another template: the controllers begin to work towards it.
    pub(super) fn templated(&mut self, now: Moment) {
        self.template_at = now;
        self.generation += 1;
        self.progressed_at = now;
        self.step(now);
    }

    /// How many pods are ready.
    pub fn ready(&self, now: Moment) -> u32 {
        u32::try_from(self.pods.iter().filter(|pod| pod.is_ready(now)).count()).unwrap_or(u32::MAX)
    }

    fn updated(&self) -> usize {
        self.pods.iter().filter(|pod| pod.template == self.template).count()
    }

    /// Whether every wanted replica is there, of the newest template, and ready.
    pub fn is_complete(&self, now: Moment) -> bool {
        self.pods.len() == self.replicas as usize
            && self.updated() == self.pods.len()
            && self.ready(now) == self.replicas
    }

    /// How far its rollout is.
    pub fn rollout(&self, now: Moment) -> Rollout {
        let complete = self.is_complete(now);
        let stuck = !complete && now.since(self.progressed_at) >= self.progress_deadline;
        Rollout {
            complete,
            // Pods that are of the newest template and crash are no rollout: that is what a restart is for.
            under_way: self.updated() < self.pods.len() || self.pods.len() != self.replicas as usize,
            stuck,
            detail: format!("{} of {} updated, {} available", self.updated(), self.replicas, self.ready(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(replicas: u32) -> (Workload, Moment) {
        let now = Moment::from_unix_ms(1_000_000);
        let target = Target { kind: "Deployment".into(), namespace: "prod".into(), name: "server".into() };
        (Workload::new(target, replicas, now), now)
    }

    #[test]
    fn a_restart_replaces_one_pod_after_the_other() {
        let (mut server, now) = server(3);
        server.restart(now, Some("j-1"), now);
        assert_eq!(server.rollout(now).detail, "1 of 3 updated, 2 available");
        server.advance(now + Span::from_secs(30));
        assert_eq!(server.rollout(now + Span::from_secs(30)).detail, "2 of 3 updated, 2 available");
        server.advance(now + Span::from_secs(60));
        assert!(server.is_complete(now + Span::from_secs(60)));
    }

    #[test]
    fn one_long_advance_is_as_good_as_many() {
        let (mut long, now) = server(4);
        long.deploy(now, None, long.pod_ready);
        let mut short = long.clone();
        let end = now + Span::from_secs(70);
        long.advance(end);
        (1..=70).for_each(|second| short.advance(now + Span::from_secs(second)));
        assert_eq!(long, short);
        assert_eq!(long.rollout(end).detail, "4 of 4 updated, 3 available");
    }

    #[test]
    fn pods_that_never_become_ready_leave_a_rollout_stuck() {
        let (mut server, now) = server(2);
        server.pod_ready = None;
        server.deploy(now, None, None);
        let later = now + Span::from_mins(9);
        server.advance(later);
        assert!(server.rollout(later).under_way);
        let later = now + Span::from_mins(10);
        server.advance(later);
        assert!(server.rollout(later).stuck);
    }

    #[test]
    fn an_hpa_keeps_its_minimum() {
        let (mut server, now) = server(3);
        server.hpa = Some(Hpa { name: "h".into(), uid: "u".into(), min: 2, max: 10, min_set: None });
        server.set_minimum(now, 6, "somebody");
        assert_eq!(server.replicas, 6);
        server.advance(now + Span::from_secs(30));
        assert_eq!(server.ready(now + Span::from_secs(30)), 6);
    }

    #[test]
    fn a_paused_workload_takes_a_template_and_moves_no_pod() {
        let (mut server, now) = server(2);
        server.paused = true;
        server.deploy(now, None, server.pod_ready);
        server.advance(now + Span::from_mins(5));
        assert_eq!(server.rollout(now + Span::from_mins(5)).detail, "0 of 2 updated, 2 available");
    }
}
