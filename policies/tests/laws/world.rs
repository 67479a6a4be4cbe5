//! What the world is asked and what it says, well or badly: a function of the question and the way it is answered.

use std::collections::BTreeMap;

use paramedic_policies::action::{Action, Outcome, Wish};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Found, Number, Preflight, Sample, Surroundings};
use paramedic_policies::evidence::Bag;
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::scale::Amount;
use paramedic_policies::remediation::{collect_evidence, freeze_deploys, restart, scale};
use paramedic_policies::target::{Sought, Target};
use paramedic_policies::time::Moment;

use crate::draft::NAMES;
use crate::turns::{Ending, How};

/// The label that protects whoever bears it, by default.
pub(crate) const PROTECTING: &str = "paramedic.dev/protected";

/// Where alerts fire, the protected `kube-system` and what settings may protect included.
const PLACES: [(&str, &str); 6] = [
    ("prod", "web"),
    ("prod", "api"),
    ("stage", "web"),
    ("prod", "db"),
    ("kube-system", "dns"),
    ("infra", "db"),
];

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An alert by name, of this pod, on this place.
pub(crate) fn alert_on(
    name: &str,
    namespace: &str,
    deployment: &str,
    pod: &str,
    now: Moment,
    fires: bool,
) -> Alert {
    Alert {
        status: if fires { AlertStatus::Firing } else { AlertStatus::Resolved },
        labels: labels(&[
            ("alertname", name),
            ("namespace", namespace),
            ("deployment", deployment),
            ("pod", pod),
        ]),
        annotations: Labels::new(),
        starts_at: now,
        ends_at: (!fires).then_some(now),
        fingerprint: None,
    }
}

/// One of the pool.
pub(crate) fn alert(which: u8, now: Moment, fires: bool) -> Alert {
    let which = usize::from(which);
    let (namespace, deployment) = PLACES[which % PLACES.len()];
    let name = if which == 11 { "Noise" } else { NAMES[usize::from(which / PLACES.len() == 1)] };
    alert_on(name, namespace, deployment, &which.to_string(), now, fires)
}

fn series(values: &[f64]) -> Found {
    let zone = labels(&[("zone", "eu-1a")]);
    Found::Series(values.iter().map(|value| Sample { labels: zone.clone(), value: Number(*value) }).collect())
}

/// The world, as far as effects change it.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    replicas: BTreeMap<Target, u32>,
}

impl World {
    fn replicas(&self, target: &Target) -> u32 {
        self.replicas.get(target).copied().unwrap_or(4)
    }

    /// What an effect that ended so has changed.
    pub(crate) fn done(&mut self, target: &Target, action: &Action, outcome: &Outcome) {
        if let (Action::Scale(scale::Action { to, .. }), Outcome::Done { .. }) = (action, outcome) {
            self.replicas.insert(target.clone(), *to);
        }
    }

    /// The answer.
    pub(crate) fn found(&self, question: &Question, how: How) -> Found {
        let failed = || Found::Failed { what: "timeout".to_owned() };
        match (how, &question.ask) {
            (How::Failed, _) => failed(),
            (How::Absent, _) => Found::Absent { what: "object".to_owned() },
            (How::Astray, Ask::Http { .. }) => series(&[1.0]),
            (How::Astray, _) => Found::Http { status: 200 },
            (How::NotANumber, Ask::Query { .. }) => series(&[f64::NAN]),
            (How::Empty, Ask::Query { .. }) => Found::Series(Vec::new()),
            (How::Twice, Ask::Query { .. }) => series(&[1.0, 1.0]),
            (how, Ask::Query { .. }) => series(&[self.value(&question.fact, how)]),
            (_, Ask::Seek { sought: Sought::Named(target) }) => Found::Target(target.clone()),
            (_, Ask::Seek { sought: Sought::OwnerOf { namespace, name, .. } }) => Found::Target(Target {
                kind: "Deployment".to_owned(),
                namespace: namespace.clone(),
                name: name.clone(),
            }),
            (how, Ask::Preflight { target, wish, .. }) => {
                Found::Preflight(Box::new(self.preflight(target, wish, how)))
            }
            (how, Ask::Rollout { .. }) => {
                Found::Rollout { complete: how == How::Healed, detail: "some".to_owned() }
            }
            (how, Ask::Http { .. }) => Found::Http { status: if how == How::Healed { 200 } else { 503 } },
        }
    }

    fn value(&self, fact: &Fact, how: How) -> f64 {
        match (fact, how) {
            (Fact::Verification, How::Healed) => 0.0,
            (Fact::When(_), How::Healed) => 0.0,
            (_, _) => 1.0,
        }
    }

    fn preflight(&self, target: &Target, wish: &Wish, how: How) -> Preflight {
        let mut refusals = Vec::new();
        let action = self.action(target, wish, &mut refusals).filter(|_| how != How::Already);
        if how == How::Refused {
            refusals.push(Reason::WorkloadPaused);
        }
        let is_thaw = matches!(wish, Wish::Revert(Action::FreezeDeploys(_)));
        let unavailable = if how == How::Down { 30 } else { 0 };
        Preflight {
            uid: if is_thaw { String::new() } else { "uid-1".to_owned() },
            already: action.is_none() && refusals.is_empty(),
            action,
            refusals,
            passed: Vec::new(),
            labels: labels(if how == How::Labelled { &[(PROTECTING, "")] } else { &[] }),
            beside: Default::default(),
            surroundings: Some(Surroundings { desired: 40, unavailable, added: 1, workloads: 8 }),
            diff: None,
        }
    }

    fn action(&self, target: &Target, wish: &Wish, refusals: &mut Vec<Reason>) -> Option<Action> {
        let now = self.replicas(target);
        let replicas = |from, to| {
            Action::Scale(scale::Action {
                lever: scale::Lever::Replicas,
                from,
                to,
                wanted: None,
                set_by: None,
            })
        };
        match wish {
            Wish::Restart(restart::Wish {}) => Some(Action::Restart(restart::Action { generation: 1 })),
            Wish::Scale(wanted) => {
                let to = match wanted.amount {
                    Amount::By(by) => now.saturating_add_signed(by).min(wanted.max.unwrap_or(u32::MAX)),
                    Amount::To(to) => to,
                    Amount::AtLeast(least) => least.max(now),
                };
                (to != now).then(|| replicas(now, to))
            }
            Wish::CollectEvidence(wish) => {
                Some(Action::CollectEvidence(collect_evidence::Action { wish: wish.clone() }))
            }
            Wish::FreezeDeploys(wish) => {
                let freeze = freeze_deploys::Freeze::new(wish.clone(), "us".to_owned());
                Some(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)))
            }
            Wish::Revert(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze))) => {
                Some(Action::FreezeDeploys(freeze_deploys::Action::Thaw(freeze.clone())))
            }
            Wish::Revert(Action::Scale(scale::Action { from, to, .. })) if *to == now => {
                Some(replicas(now, *from))
            }
            Wish::Revert(Action::Scale(scale::Action { from, .. })) if *from == now => None,
            _ => {
                refusals.push(Reason::Changed { what: "it is another".to_owned() });
                None
            }
        }
    }
}

/// How an effect of this kind ends so.
pub(crate) fn outcome(action: &Action, how: Ending) -> Outcome {
    let what = "so it is".to_owned();
    match how {
        Ending::Done if action.looks_only() => {
            Outcome::Collected { evidence: Box::new(Bag::new(0).closed()) }
        }
        Ending::Done => Outcome::Done { diff: None, already: false },
        Ending::Already => Outcome::Done { diff: None, already: true },
        Ending::Refused => Outcome::Refused { reasons: vec![Reason::WorkloadPaused] },
        Ending::Failed => Outcome::Failed { what, applied: false, diff: None },
        Ending::FailedHalfway => Outcome::Failed { what, applied: true, diff: None },
        Ending::Unknown => Outcome::Unknown { what },
    }
}
