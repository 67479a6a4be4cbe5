//! The pod templates that a workload has and had, as its ReplicaSets tell them: a template that was there before is come
//! back to under a new number, and its old numbers are remembered. Knows nothing of who changes them.

use paramedic_policies::time::{Moment, Span};
use serde_json::{Value, json};

use super::pods::Workload;

/// When a workload was last restarted, as `kubectl rollout restart` writes it.
pub(super) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Which intent wrote an object last.
pub(super) const INTENT: &str = "paramedic.dev/intent";

/// One pod template.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its number; the present template has the highest.
    pub number: u64,
    /// Which template it is, counted from 1 and never again.
    pub template: u32,
    /// The template itself, without the labels of the pods.
    pub spec: Value,
    /// When it was first made.
    pub created: Moment,
    /// The numbers it had before the workload came back to it.
    pub past: Vec<u64>,
    /// How long its pods take to become ready; never, without it.
    pub pod_ready: Option<Span>,
}

impl Revision {
    /// The template that a workload begins with.
    pub(super) fn first(name: &str, created: Moment) -> Self {
        let spec = json!({"spec": {"containers": [{"name": name, "image": format!("{name}:1")}]}});
        let pod_ready = Some(Span::from_secs(20));
        Self { number: 1, template: 1, spec, created, past: Vec::new(), pod_ready }
    }
}

impl Workload {
    /// The present template.
    pub fn present(&self) -> &Revision {
        self.revisions.last().expect("a workload begins with a template, and none is taken away")
    }

    /// Gives the pods this template. Whether it is another one.
    pub fn roll(&mut self, now: Moment, spec: Value, pod_ready: Option<Span>) -> bool {
        if self.present().spec == spec {
            return false;
        }
        let number = self.present().number + 1;
        match self.revisions.iter().position(|one| one.spec == spec) {
            Some(place) => {
                let mut back = self.revisions.remove(place);
                back.past.push(back.number);
                self.pod_ready = back.pod_ready;
                self.revisions.push(Revision { number, ..back });
            }
            None => {
                let made = self.revisions.iter().map(|one| one.template).max().unwrap_or(0);
                self.pod_ready = pod_ready;
                let past = Vec::new();
                self.revisions.push(Revision {
                    number,
                    template: made + 1,
                    spec,
                    created: now,
                    past,
                    pod_ready,
                });
            }
        }
        let annotation =
            |name: &str| self.present().spec.pointer("/metadata/annotations")?.get(name)?.as_str();
        let (stamp, restarted_at) = (annotation(INTENT), annotation(RESTARTED_AT));
        (self.stamp, self.restarted_at) =
            (stamp.map(str::to_owned), restarted_at.and_then(|at| at.parse().ok()));
        self.template = self.present().template;
        self.templated(now);
        true
    }

    /// Restarts it: the present template with the moment and, where one of ours did it, the stamp.
    pub(super) fn restart(&mut self, now: Moment, stamp: Option<&str>, restarted_at: Moment) {
        let mut spec = self.present().spec.clone();
        if spec.pointer("/metadata/annotations").is_none() {
            spec["metadata"] = json!({"annotations": {}});
        }
        let annotations = &mut spec["metadata"]["annotations"];
        annotations[RESTARTED_AT] = json!(restarted_at);
        match (stamp, annotations.as_object_mut()) {
            (Some(stamp), _) => annotations[INTENT] = json!(stamp),
            (None, Some(annotations)) => drop(annotations.remove(INTENT)),
            (None, None) => {}
        }
        self.roll(now, spec, self.pod_ready);
    }

    /// Deploys another image of its first container.
    pub fn deploy(&mut self, now: Moment, image: Option<&str>, pod_ready: Option<Span>) {
        let mut spec = self.present().spec.clone();
        let next = format!("{}:{}", self.target.name, self.present().number + 1);
        spec["spec"]["containers"][0]["image"] = json!(image.unwrap_or(&next));
        if let Some(metadata) = spec.as_object_mut() {
            metadata.remove("metadata");
        }
        self.roll(now, spec, pod_ready);
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::target::Target;

    use super::*;

    #[test]
    fn a_template_that_was_there_is_come_back_to_under_a_new_number() {
        let now = Moment::from_unix_ms(1_000_000);
        let target = Target { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() };
        let mut web = Workload::new(target, 2, now);
        let first = web.present().spec.clone();
        web.deploy(now, Some("web:bad"), None);
        web.advance(now + Span::from_mins(12));
        assert!(web.rollout(now + Span::from_mins(12)).stuck);
        let later = now + Span::from_mins(12);
        assert!(web.roll(later, first.clone(), None), "back");
        assert!(!web.roll(later, first, None), "it is there already");
        assert_eq!((web.present().number, web.present().template), (3, 1));
        assert_eq!(web.present().past, [1]);
        web.advance(later + Span::from_mins(1));
        assert!(web.is_complete(later + Span::from_mins(1)), "its pods become ready, as they did");
    }
}
