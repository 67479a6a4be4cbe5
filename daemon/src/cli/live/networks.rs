//! Whether this cluster's network makes anything of the levers that need one: a quarantine that isolates nobody is better
//! known before the night of a breach.

use paramedic_policies::book::Book;
use paramedic_policies::load::Severity;
use paramedic_remediations::{KubernetesEyes, unfit};

use super::Report;
use super::places::Places;
use super::queries::step_place;

pub(super) async fn ask(cluster: &KubernetesEyes, book: &Book, places: &Places, report: &mut Report) {
    let found = match unfit(cluster, book).await {
        Ok(found) => found,
        // Whoever may not list DaemonSets is told so among the rights.
        Err(error) => {
            let message = format!("whether the network enforces NetworkPolicies is not known: {error}");
            return report.world(Severity::Warning, "cluster", message, None);
        }
    };
    for one in found {
        let (rung, step) = one.at;
        let pointer = book
            .policies()
            .get(&one.policy)
            .and_then(|policy| policy.ladder.get(rung))
            .map(|steps| step_place(steps, rung, step))
            .unwrap_or_default();
        let message = format!("{} is refused in this cluster: {}", one.lever, one.reason);
        let hint = "until then the policy acts as far as this step, and a person does the rest";
        report.problems.push(places.problem(
            Severity::Error,
            &one.policy,
            &pointer,
            message,
            hint.to_owned(),
        ));
    }
}
