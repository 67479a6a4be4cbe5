//! `paramedic check --live`: whether the world is as the policies take it to be: rights, queries, targets, Alertmanager's
//! route, alerts that nobody can target, policies that never matched. It looks and asks, and changes nothing.

mod alertmanager;
mod networks;
mod places;
mod queries;
mod rights;
mod route;
mod targets;
mod unmatched;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use paramedic_policies::alert::{Alert, AlertStatus};
use paramedic_policies::answer::Found;
use paramedic_policies::book::Book;
use paramedic_policies::counted::counted;
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::time::Moment;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::ports::metrics::Metrics as MetricsPort;
use serde::Serialize;

use super::alerts;
use super::failure::Failure;
use super::table::Table;
use crate::clock::SystemClock;
use crate::config::Configuration;
use crate::kubernetes_config;
use crate::metrics::Metrics;
use crate::prometheus::Prometheus;
use crate::redaction::Redactor;
use places::Places;

/// The parts of the world that can have a problem. Those have no lines.
pub(super) const PARTS: [&str; 5] = ["Prometheus", "cluster", "Alertmanager", "alerts", "journal"];

/// What is asked beside the files.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "With --live")]
pub(super) struct LiveArgs {
    /// The Alertmanager that should send us its alerts.
    #[arg(long, value_name = "URL")]
    alertmanager_url: Option<String>,
    /// The address at which Alertmanager reaches the daemon; otherwise any that ends in /webhook/alertmanager.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Alertmanager's receiver for the daemon, where it does not show the addresses of its receivers.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// The daemon, whose journal knows which policies never matched.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// File with the token to show the daemon; not needed where its API is open on loopback.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Also ask for the rights that `paramedic freeze` and `paramedic block` need.
    #[arg(long)]
    by_hand: bool,
}

impl LiveArgs {
    pub(super) fn asks_by_hand(&self) -> bool {
        self.by_hand
    }
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    /// What was asked, and what the answers come to.
    pub(super) asked: BTreeMap<&'static str, String>,
}

impl Report {
    /// The table of what was asked.
    pub(super) fn table(&self) -> String {
        let mut table = Table::headless(2);
        for (what, came) in &self.asked {
            table.row([(*what).to_owned(), came.clone()]);
        }
        format!("live\n{table}")
    }

    fn note(&mut self, what: &'static str, came: impl Into<String>) {
        self.asked.insert(what, came.into());
    }

    /// A problem of no file: its place is the part of the world that has it.
    fn world(&mut self, severity: Severity, part: &str, message: String, hint: impl Into<Option<String>>) {
        let hint = hint.into();
        self.problems.push(Problem { severity, file: part.to_owned(), line: 1, column: 1, message, hint });
    }
}

/// The world, as far as it is named and answers.
struct World {
    prometheus: Option<Arc<dyn MetricsPort>>,
    cluster: Option<KubernetesEyes>,
}

/// Asks everything; of the account what `account` needs, where that is more than the policies.
pub(super) async fn run(
    args: &LiveArgs,
    configuration: &Configuration,
    book: &Book,
    account: &Book,
    now: Moment,
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let places = Places::of(book);
    let world = world(configuration, &mut report).await;
    let firing = firing(args, &world, now, &mut report).await;
    match &world.cluster {
        Some(cluster) => {
            rights::ask(cluster, account, &Places::of(account), &mut report).await;
            targets::ask(cluster, book, &places, &mut report).await;
            networks::ask(cluster, book, &places, &mut report).await;
        }
        None => {
            report.note("rights", "not asked, for there is no cluster");
            report.note("targets", "not asked, for there is no cluster");
        }
    }
    match &world.prometheus {
        Some(prometheus) => {
            let asking =
                queries::Asking { prometheus: prometheus.as_ref(), cluster: world.cluster.as_ref(), book };
            asking.ask(&firing, &places, &mut report).await;
        }
        None => report.note("queries", "not asked, for there is no Prometheus"),
    }
    unmatched::alerts(book, &firing, &places, &mut report);
    let known = unmatched::journal(args, book, &places, &mut report).await?;
    route::ask(args, book, known.as_ref(), &mut report).await;
    report.problems.sort_by(|a, b| {
        (a.severity, &a.file, a.line, a.column, &a.message)
            .cmp(&(b.severity, &b.file, b.line, b.column, &b.message))
    });
    report.problems.dedup();
    Ok(report)
}

async fn world(configuration: &Configuration, report: &mut Report) -> World {
    let clock = Arc::new(SystemClock::new());
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let redactor = Redactor::of(&configuration.redaction);
    let prometheus = match Prometheus::new(&configuration.prometheus, clock, metrics, redactor) {
        Ok(Some((prometheus, _))) => answering(Arc::new(prometheus), report).await,
        Ok(None) => {
            let hint = "name it with --prometheus-url; without it everything that needs a fact is withheld";
            report.world(Severity::Error, "Prometheus", "no Prometheus is named".into(), hint.to_owned());
            None
        }
        Err(error) => {
            report.world(Severity::Error, "Prometheus", format!("{error:#}"), None);
            None
        }
    };
    let config = kubernetes_config::config(&configuration.kubernetes).await;
    let eyes = config.and_then(|config| Ok(config.map(KubernetesEyes::new).transpose()?));
    let cluster = eyes.unwrap_or_else(|error| {
        let hint = "name it with --kubeconfig FILE and --context NAME; --no-kubernetes leaves it out";
        report.world(Severity::Error, "cluster", format!("{error:#}"), hint.to_owned());
        None
    });
    World { prometheus, cluster }
}

/// One that answers at all: else every query of every policy would say the same.
async fn answering(prometheus: Arc<dyn MetricsPort>, report: &mut Report) -> Option<Arc<dyn MetricsPort>> {
    match prometheus.query("vector(1)").await {
        Found::Series(_) => Some(prometheus),
        Found::Failed { what } | Found::Absent { what } => {
            let hint = "is --prometheus-url its base URL, and is it reached from here?";
            report.world(Severity::Error, "Prometheus", what, hint.to_owned());
            None
        }
        Found::Target(_) | Found::Preflight(_) | Found::Rollout { .. } | Found::Http { .. } => None,
    }
}

/// Everything that fires now: at Alertmanager, or by Prometheus' own word.
async fn firing(args: &LiveArgs, world: &World, now: Moment, report: &mut Report) -> Vec<Alert> {
    if let Some(url) = &args.alertmanager_url {
        match alerts::firing(url, now).await {
            Ok(heard) => {
                if let Some(first) = heard.refused.first() {
                    let many = counted(heard.refused.len(), "alert");
                    let problem = format!("{many} that the webhook refuses; the first: {first}");
                    let hint = "nothing is done for such an alert: mend its rule".to_owned();
                    report.world(Severity::Warning, "Alertmanager", problem, hint);
                }
                return heard.alerts;
            }
            Err(failure) => {
                report.world(Severity::Error, "Alertmanager", failure.error, failure.hint);
            }
        }
    }
    let Some(prometheus) = &world.prometheus else { return Vec::new() };
    let Found::Series(series) = prometheus.query("ALERTS{alertstate=\"firing\"}").await else {
        return Vec::new();
    };
    let alert = |mut labels: BTreeMap<String, String>| {
        labels.retain(|name, _| name != "__name__" && name != "alertstate");
        Alert {
            status: AlertStatus::Firing,
            labels,
            annotations: BTreeMap::new(),
            starts_at: now,
            ends_at: None,
            fingerprint: None,
        }
    };
    series.into_iter().map(|sample| alert(sample.labels)).collect()
}
