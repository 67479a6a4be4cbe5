//! A run as people read it: what the world saw, what was recorded, and what the oracles say, in the order of true time.

use paramedic_policies::event::Record;
use paramedic_policies::time::Moment;

use super::oracles::Violation;
use super::plan::Plan;
use super::tape::Tape;
use crate::transcript::{line, since};

/// All lines.
pub(super) fn told(plan: &Plan, tape: &Tape, records: &[Record], violations: &[Violation]) -> Vec<String> {
    let mut all: Vec<(Moment, String)> = tape.lines.clone();
    for record in records {
        let handed =
            tape.blocks.iter().rev().find(|block| block.first <= record.seq && record.seq < block.end);
        if let (Some(handed), Some(line)) = (handed, line(&record.event)) {
            all.push((handed.at, format!("{:>5} {line}", record.seq)));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    let mut lines: Vec<String> = Vec::new();
    for policy in &plan.policies {
        lines.push(format!("policy {}: {}", policy.name, policy.document["spec"]));
    }
    for workload in plan.world.workloads.values() {
        let owner = workload.gitops.as_ref().map_or("-", |gitops| gitops.by.as_str());
        let hpa = workload.hpa.as_ref().map_or("-".to_owned(), |hpa| format!("{}..{}", hpa.min, hpa.max));
        lines.push(format!(
            "{}: {} replicas, HPA {hpa}, GitOps {owner}, labels {:?}",
            workload.target, workload.replicas, workload.labels
        ));
    }
    lines.extend(all.into_iter().map(|(at, line)| format!("{} {line}", since(plan.begins, at))));
    lines.extend(violations.iter().map(|one| format!("BROKEN {}: {}", one.oracle, one.says)));
    lines
}
