//! What scenarios have exercised of a set of policies: which policies ruled at all, which steps were done, and which of
//! their guards were seen to refuse. A guard that was only ever asked has shown nothing.
//!
//! Counted is all that a policy can set, written or by default, and that can refuse it at all: each ceiling, each `when` and
//! each `let` by itself, and beside them the confirmation and the remediation's own look. Not counted are the guards of the
//! daemon, which are the same for every policy (leadership, clock, pauses, protection, settling, pace, global ceilings).

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::book::Book;
use paramedic_policies::event::{Event, Record};
use paramedic_policies::guard::Guard;
use paramedic_policies::policy::{InStorm, Policy};
use paramedic_policies::remediation::{Remediation, patch};
use paramedic_policies::ruling::Ruling;
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
    /// How many ceilings hold for all of its steps.
    #[serde(skip)]
    limits: usize,
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
                    let refusing = refusing(ruling, policy.limits);
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

    /// How many steps and guards were exercised, of how many: what the columns of a table add up to.
    pub fn counts(&self) -> (usize, usize) {
        let parts = || {
            let all = self.policies.values().flat_map(|policy| policy.steps.iter().chain(&policy.guards));
            all.map(|part| part.exercised)
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

/// The guards that refused in a ruling, by the names of their parts.
fn refusing(ruling: &Ruling, limits: usize) -> BTreeSet<String> {
    let mut spoken: BTreeMap<Guard, usize> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for finding in &ruling.findings {
        let position = spoken.entry(finding.guard).or_default();
        if finding.reason().is_some() {
            names.insert(part(ruling, finding.guard, *position, limits));
        }
        *position += 1;
    }
    names
}

/// The part of a policy that speaks by a finding: of several of one guard, those of the policy first, then the step's.
fn part(ruling: &Ruling, guard: Guard, position: usize, limits: usize) -> String {
    match guard {
        Guard::Limits if position < limits => format!("limits[{position}]"),
        Guard::Limits => format!("{}limits[{}]", place(ruling.rung, ruling.step), position - limits),
        Guard::Lets => format!("let[{position}]"),
        Guard::Conditions => format!("when[{position}]"),
        other => name(other),
    }
}

/// Remediations that never make a replica unavailable. One that is not named here is taken to.
const TAKES_NONE: [&str; 8] = [
    "abortRollout",
    "blockIp",
    "collectEvidence",
    "freezeDeploys",
    "http",
    "renewCertificate",
    "resetBreaker",
    "runJob",
];

/// Whether a replica may be gone for a while by this; where not, a ceiling on what is unavailable never refuses.
fn takes_replicas(remediation: &Remediation) -> bool {
    if let Remediation::Scale(written) = remediation {
        return written.allow_down;
    }
    if let Remediation::Patch(written) = remediation {
        return matches!(written.field, patch::Field::Resources { .. });
    }
    !TAKES_NONE.contains(&remediation.name())
}

fn parts(policy: &Policy) -> PolicyCoverage {
    let (mut steps, mut of_steps) = (Vec::new(), Vec::new());
    for (rung, steps_of) in policy.ladder.iter().enumerate() {
        for (step, one) in steps_of.steps.iter().enumerate() {
            let at = place(rung, step);
            of_steps.extend((0..one.limits.len()).map(|limit| format!("{at}limits[{limit}]")));
            steps.push(Part { name: format!("{at}{}", one.remediation.name()), exercised: false });
        }
    }
    let guards = &policy.guards;
    let by_alert = !policy.is_only_by_hand();
    let mut remediations = policy.ladder.iter().flat_map(|rung| &rung.steps).map(|step| &step.remediation);
    let takes_replicas = remediations.any(takes_replicas);
    let one = |guard: Guard, can_refuse: bool| can_refuse.then(|| name(guard));
    let each = |name: &'static str, count: usize| (0..count).map(move |at| format!("{name}[{at}]"));
    let mut names: Vec<String> = Vec::new();
    names.extend(one(Guard::Storm, guards.in_storm == InStorm::Withhold));
    names.extend(one(Guard::Unless, !policy.unless.is_empty()));
    names.extend(one(Guard::For, policy.wait > Span::ZERO));
    names.extend(one(Guard::Schedule, !guards.schedule.is_empty()));
    names.extend(one(Guard::Concurrency, true));
    names.extend(one(Guard::Cooldown, guards.cooldown > Span::ZERO));
    // Who runs a policy by hand knows that it is the same trouble.
    names.extend(one(Guard::Relapse, by_alert && guards.relapse > Span::ZERO));
    names.extend(each("limits", guards.limits.len()));
    names.extend(of_steps);
    names.extend(one(Guard::BlastTargets, guards.blast_targets.is_some()));
    names.extend(one(Guard::Confirmation, by_alert));
    names.extend(each("let", policy.lets.len()));
    names.extend(each("when", policy.when.len()));
    names.extend(one(Guard::Preflight, true));
    names.extend(one(Guard::BlastUnavailable, guards.blast_unavailable.is_some() && takes_replicas));
    let parts = names.into_iter().map(|name| Part { name, exercised: false });
    PolicyCoverage { ruled: false, steps, guards: parts.collect(), limits: guards.limits.len() }
}

/// A guard's name, as records have it.
fn name(guard: Guard) -> String {
    let name = serde_json::to_value(guard).expect("a guard is a word");
    name.as_str().unwrap_or_default().to_owned()
}
