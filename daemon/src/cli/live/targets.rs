//! Whether targets that are the same for every alert are there.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::book::Book;
use paramedic_policies::load::Severity;
use paramedic_policies::policy::TargetSpec;
use paramedic_policies::target::Sought;
use paramedic_policies::template::Scope;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::ports::cluster::{Cluster as _, LookError};

use super::Report;
use super::places::Places;

pub(super) async fn ask(cluster: &KubernetesEyes, book: &Book, places: &Places, report: &mut Report) {
    let mut answers: BTreeMap<Sought, Option<String>> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for policy in book.policies().values() {
        for (pointer, spec) in named(policy) {
            let Some(sought) = constant(spec, book) else {
                open.insert(policy.name.clone());
                continue;
            };
            if !answers.contains_key(&sought) {
                let answer = match cluster.seek(&sought).await {
                    Ok(_) => None,
                    Err(error @ LookError::Absent { .. }) => Some(error.to_string()),
                    Err(error) => Some(format!("whether {sought} is there is not known: {error}")),
                };
                answers.insert(sought.clone(), answer);
            }
            if let Some(Some(problem)) = answers.get(&sought) {
                let hint = "mend the target, or wait until it is deployed: until then every alert of this policy is withheld";
                report.problems.push(places.problem(
                    Severity::Error,
                    &policy.name,
                    &pointer,
                    problem.clone(),
                    hint.to_owned(),
                ));
            }
        }
    }
    let open = match open.len() {
        1 => "1 policy takes its own".to_owned(),
        many => format!("{many} policies take theirs"),
    };
    let there = answers.values().filter(|answer| answer.is_none()).count();
    report.note(
        "targets",
        format!("{there} of {} that are constant are there; {open} from the alert", answers.len()),
    );
}

/// The targets that a policy names, with their places.
fn named(policy: &paramedic_policies::policy::Policy) -> Vec<(String, &TargetSpec)> {
    let mut found = vec![("/spec/target".to_owned(), &policy.target)];
    for (rung, steps) in policy.ladder.iter().enumerate() {
        for (step, one) in steps.steps.iter().enumerate() {
            if let Some(target) = &one.target {
                found.push((format!("{}/target", super::queries::step_place(steps, rung, step)), target));
            }
        }
    }
    found
}

/// What a target is for every alert.
fn constant(spec: &TargetSpec, book: &Book) -> Option<Sought> {
    let (labels, lets) = (BTreeMap::new(), BTreeMap::new());
    spec.sought(&Scope { labels: &labels, vars: &book.settings().vars, lets: &lets, target: None }).ok()
}
