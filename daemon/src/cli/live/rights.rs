//! Whether the account has every right that the policies need, as `paramedic rbac` prints them.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use paramedic_policies::book::Book;
use paramedic_policies::load::Severity;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::ports::cluster::{Cluster as _, LookError};
use paramedic_remediations::rights::{self, Plurals, Right};

use super::Report;
use super::places::Places;

/// Questions under way at once.
const AT_ONCE: usize = 8;

pub(super) async fn ask(cluster: &KubernetesEyes, book: &Book, places: &Places, report: &mut Report) {
    let who = cluster.username().await.unwrap_or_else(|_| "this account".into());
    let needed = rights::of_book(book, &plurals(cluster, book, report).await);
    let answers: BTreeMap<Right, Result<bool, LookError>> = stream::iter(needed.keys().cloned())
        .map(async |right| {
            let answer = cluster.may(&right).await;
            (right, answer)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let allowed = answers.values().filter(|answer| matches!(answer, Ok(true))).count();
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for (right, answer) in &answers {
        match answer {
            Ok(true) => {}
            Ok(false) => {
                for (policy, levers) in needed.get(right).into_iter().flatten() {
                    let levers = levers.iter().copied().collect::<Vec<_>>().join(", ");
                    let message = format!("{who} may not {right}, which {levers} needs");
                    let kind = match &right.namespace {
                        Some(namespace) => format!("Role in {namespace}"),
                        None => "ClusterRole".to_owned(),
                    };
                    let hint =
                        format!("add to its {kind}: {}; `paramedic rbac` prints all of them", right.rule());
                    report.problems.push(places.problem(
                        Severity::Error,
                        policy,
                        "/spec/target",
                        message,
                        hint,
                    ));
                }
            }
            Err(error) => *unknown.entry(error.to_string()).or_default() += 1,
        }
    }
    // A server that does not answer says the same of each.
    if let Some((error, _)) = unknown.iter().next() {
        let count: usize = unknown.values().sum();
        let message = format!("{count} rights are not known: {error}");
        report.world(Severity::Error, "cluster", message, None);
    }
    report.note("rights", format!("{allowed} of {} allowed to {who}", answers.len()));
}

/// The plurals of the kinds that targets name with their groups.
async fn plurals(cluster: &KubernetesEyes, book: &Book, report: &mut Report) -> Plurals {
    let mut plurals = Plurals::new();
    for kind in rights::kinds(book) {
        match cluster.plural(&kind).await {
            Ok(plural) => {
                plurals.insert(kind, plural);
            }
            Err(LookError::Absent { .. }) => {
                let hint = "install what defines it, or take the policies away that target it";
                let message = format!("the cluster knows no kind {kind}");
                report.world(Severity::Error, "cluster", message, hint.to_owned());
            }
            // The question about the rights themselves says so.
            Err(LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }) => {}
        }
    }
    plurals
}
