//! What scenarios have exercised of a set of policies: which policies ruled at all, which steps were done, and which of
//! their guards were seen to refuse. A guard that was only ever asked has shown nothing.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::book::Book;
use paramedic_policies::event::{Event, Record};
use paramedic_policies::guard::{Finding, Guard};
use paramedic_policies::policy::{InStorm, Policy};
use paramedic_policies::time::Span;
use serde::Serialize;

/// What was exercised of a set of policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// By policy.
    pub policies: BTreeMap<String, PolicyCoverage>,
}

/// What was exercised of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCoverage {
    /// Whether it ruled on any alert.
    pub ruled: bool,
    /// Its steps in order, such as `ladder[0] restart`, and whether each was done.
    pub steps: Vec<Part>,
    /// Its guards that can refuse, and whether each was seen to.
    pub guards: Vec<Part>,
}

/// A part of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it was exercised.
    pub exercised: bool,
}

impl Coverage {
    /// Nothing yet, of these policies.
    pub fn of(book: &Book) -> Self {
        let policies = book.policies().values().map(|policy| (policy.name.clone(), parts(policy)));
        Self { policies: policies.collect() }
    }

    /// Adds what a run exercised.
    pub fn see(&mut self, records: &[Record]) {
        for record in records {
            match &record.event {
                Event::Ruled { ruling } => {
                    let Some(policy) = self.policies.get_mut(&ruling.policy) else { continue };
                    policy.ruled = true;
                    let refusing = ruling.findings.iter().filter(|finding| finding.reason().is_some());
                    let refusing: BTreeSet<String> =
                        refusing.map(|Finding { guard, .. }| name(*guard)).collect();
                    for part in policy.guards.iter_mut().filter(|part| refusing.contains(&part.name)) {
                        part.exercised = true;
                    }
                }
                Event::Intended { intent } if intent.reverts.is_none() => {
                    let Some(policy) = self.policies.get_mut(&intent.policy) else { continue };
                    let begins = place(intent.rung, intent.step);
                    for part in policy.steps.iter_mut().filter(|part| part.name.starts_with(&begins)) {
                        part.exercised = true;
                    }
                }
                _ => {}
            }
        }
    }

    /// How many parts were exercised, of how many.
    pub fn counts(&self) -> (usize, usize) {
        let parts = || {
            self.policies.values().flat_map(|policy| {
                let own = policy.steps.iter().chain(&policy.guards).map(|part| part.exercised);
                own.chain([policy.ruled])
            })
        };
        (parts().filter(|is| *is).count(), parts().count())
    }

    /// The share in percent, rounded down; all of nothing is all.
    pub fn percent(&self) -> u32 {
        let (exercised, all) = self.counts();
        (exercised * 100).checked_div(all).map_or(100, |percent| u32::try_from(percent).unwrap_or(100))
    }
}

fn place(rung: usize, step: usize) -> String {
    format!("ladder[{rung}].{step} ")
}

/// Remediations that never make a replica unavailable: that guard lets them through however much is down.
const TAKES_NONE: [&str; 7] =
    ["abortRollout", "blockIp", "freezeDeploys", "http", "renewCertificate", "resetBreaker", "runJob"];

fn parts(policy: &Policy) -> PolicyCoverage {
    let mut steps = Vec::new();
    for (rung, steps_of) in policy.ladder.iter().enumerate() {
        for (step, one) in steps_of.steps.iter().enumerate() {
            let name = format!("{}{}", place(rung, step), one.remediation.name());
            steps.push(Part { name, exercised: false });
        }
    }
    let guards = &policy.guards;
    let mut names = policy.ladder.iter().flat_map(|rung| &rung.steps).map(|step| step.remediation.name());
    let takes_replicas = names.any(|name| !TAKES_NONE.contains(&name));
    let step_limits = policy.ladder.iter().flat_map(|rung| &rung.steps).any(|step| !step.limits.is_empty());
    let can_refuse = [
        (Guard::Storm, guards.in_storm == InStorm::Withhold),
        (Guard::Unless, !policy.unless.is_empty()),
        (Guard::For, policy.wait > Span::ZERO),
        (Guard::Schedule, !guards.schedule.is_empty()),
        (Guard::Cooldown, guards.cooldown > Span::ZERO),
        (Guard::Limits, !guards.limits.is_empty() || step_limits),
        (Guard::BlastTargets, guards.blast_targets.is_some()),
        (Guard::Confirmation, true),
        (Guard::Lets, !policy.lets.is_empty()),
        (Guard::Conditions, !policy.when.is_empty()),
        (Guard::Preflight, true),
        (Guard::BlastUnavailable, guards.blast_unavailable.is_some() && takes_replicas),
    ];
    let guards = can_refuse.into_iter().filter(|(_, can)| *can);
    let guards = guards.map(|(guard, _)| Part { name: name(guard), exercised: false }).collect();
    PolicyCoverage { ruled: false, steps, guards }
}

/// A guard's name, as records have it.
fn name(guard: Guard) -> String {
    let name = serde_json::to_value(guard).expect("a guard is a word");
    name.as_str().unwrap_or_default().to_owned()
}
