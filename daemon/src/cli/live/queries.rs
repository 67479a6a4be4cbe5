//! Whether every query of every policy is taken by the server and gives what the policy reads from it: with the values of
//! an alert that fires now where there is one, with any value otherwise.

use std::collections::BTreeMap;

use paramedic_policies::alert::Alert;
use paramedic_policies::answer::Found;
use paramedic_policies::book::Book;
use paramedic_policies::load::Severity;
use paramedic_policies::policy::{Check, Empty, Policy, Rung, TargetSpec};
use paramedic_policies::promql::Query;
use paramedic_policies::target::{Sought, Target};
use paramedic_policies::template::Scope;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::ports::cluster::Cluster as _;
use paramedic_remediations::ports::metrics::Metrics;

use super::Report;
use super::places::Places;

/// Alerts of one policy whose values are tried: more say the same.
const ALERTS_MAX: usize = 3;

/// One query of a policy.
struct Asked<'a> {
    /// Where it is written.
    pointer: String,
    query: &'a Query,
    /// Whether no series is an answer too.
    may_be_empty: bool,
    /// Whether several series are an answer too.
    may_be_many: bool,
}

/// What is asked with.
pub(super) struct Asking<'a> {
    pub(super) prometheus: &'a dyn Metrics,
    pub(super) cluster: Option<&'a KubernetesEyes>,
    pub(super) book: &'a Book,
}

/// The place of a step in its document.
pub(super) fn step_place(rung: &Rung, at: usize, step: usize) -> String {
    if rung.steps.len() > 1 {
        format!("/spec/ladder/{at}/sequence/{step}")
    } else {
        format!("/spec/ladder/{at}")
    }
}

fn queries(policy: &Policy) -> Vec<Asked<'_>> {
    let mut found: Vec<Asked<'_>> = Vec::new();
    for wanted in &policy.lets {
        let pointer = format!("/spec/let/{}", wanted.name);
        found.push(Asked { pointer, query: &wanted.query, may_be_empty: false, may_be_many: false });
    }
    let is_number = |empty: &Empty| match empty {
        Empty::Unknown => false,
        Empty::Is(_) => true,
    };
    for (index, condition) in policy.when.iter().enumerate() {
        found.push(Asked {
            pointer: format!("/spec/when/{index}/query"),
            query: &condition.query,
            may_be_empty: is_number(&condition.empty),
            may_be_many: false,
        });
    }
    for (at, rung) in policy.ladder.iter().enumerate() {
        for (index, step) in rung.steps.iter().enumerate() {
            let place = step_place(rung, at, index);
            match step.verify.as_ref().map(|verify| &verify.check) {
                Some(Check::Query(condition)) => found.push(Asked {
                    pointer: format!("{place}/verify/query"),
                    query: &condition.query,
                    may_be_empty: is_number(&condition.empty),
                    may_be_many: false,
                }),
                Some(Check::Http { .. } | Check::Rollout) | None => {}
            }
            for query in step.remediation.queries() {
                let pointer = format!("{place}/{}", step.remediation.name());
                found.push(Asked { pointer, query, may_be_empty: false, may_be_many: true });
            }
        }
    }
    found
}

impl Asking<'_> {
    pub(super) async fn ask(&self, firing: &[Alert], places: &Places, report: &mut Report) {
        let (mut asked, mut filled, mut good) = (0_usize, 0_usize, 0_usize);
        for policy in self.book.policies().values() {
            // By the book's own word: a policy without matchers is for no alert at all.
            let is_for = |alert: &&Alert| {
                self.book.matching(&alert.labels).into_iter().any(|one| one.name == policy.name)
            };
            let matching: Vec<&Alert> = firing.iter().filter(is_for).take(ALERTS_MAX).collect();
            let mut scopes = Vec::new();
            for alert in matching {
                scopes.push((alert, self.lets(policy, alert).await));
            }
            for one in queries(policy) {
                asked += 1;
                let mut problem = None;
                let mut tried = false;
                for (alert, known) in &scopes {
                    let scope = Scope {
                        labels: &alert.labels,
                        vars: &self.book.settings().vars,
                        lets: &known.lets,
                        target: known.target.as_ref(),
                    };
                    let Ok(promql) = one.query.render(&scope) else { continue };
                    tried = true;
                    if let Some(found) = self.judged(&promql, &one).await {
                        problem.get_or_insert((
                            found,
                            format!("with the values of the alert {} that fires now", alert.name()),
                        ));
                    }
                }
                if tried {
                    filled += 1;
                } else {
                    match one.query.counted_anywhere() {
                        Some(promql) => {
                            let any = Asked {
                                query: one.query,
                                pointer: one.pointer.clone(),
                                may_be_many: true,
                                ..one
                            };
                            let found = self.judged(&promql, &any).await;
                            problem = found.map(|found| (found, "whatever its templates become".to_owned()));
                        }
                        None => {
                            let what = match policy.is_only_by_hand() {
                                false => "it cannot be asked while no alert fires that gives it its values",
                                true => "it cannot be asked without the labels that an order gives it",
                            };
                            problem = Some((Bad::Unknown(what.to_owned()), String::new()));
                        }
                    }
                }
                match problem {
                    None => good += 1,
                    Some((bad, how)) => {
                        let (severity, message, hint) = bad.told(&how);
                        report.problems.push(places.problem(
                            severity,
                            &policy.name,
                            &one.pointer,
                            message,
                            hint,
                        ));
                    }
                }
            }
        }
        report.note(
            "queries",
            format!("{good} of {asked} give what is read from them; {filled} were asked with the values of alerts that fire"),
        );
    }

    async fn judged(&self, promql: &str, asked: &Asked<'_>) -> Option<Bad> {
        match self.prometheus.query(promql).await {
            Found::Series(series) if series.is_empty() => {
                (!asked.may_be_empty).then_some(Bad::Empty { promql: promql.to_owned() })
            }
            Found::Series(series) if series.len() > 1 && !asked.may_be_many => {
                Some(Bad::Many { count: series.len(), promql: promql.to_owned() })
            }
            Found::Series(_) => None,
            Found::Failed { what } | Found::Absent { what } => {
                Some(Bad::Refused { what, promql: promql.to_owned() })
            }
            Found::Target(_) | Found::Preflight(_) | Found::Rollout { .. } | Found::Http { .. } => None,
        }
    }

    /// What an alert gives its policy's templates.
    async fn lets(&self, policy: &Policy, alert: &Alert) -> Known {
        let mut lets = BTreeMap::new();
        let vars = &self.book.settings().vars;
        for wanted in &policy.lets {
            let scope = Scope { labels: &alert.labels, vars, lets: &lets, target: None };
            let Ok(promql) = wanted.query.render(&scope) else { continue };
            if let Found::Series(series) = self.prometheus.query(&promql).await
                && let [only] = series.as_slice()
                && let Some(value) = only.labels.get(&wanted.label)
            {
                lets.insert(wanted.name.clone(), value.clone());
            }
        }
        let scope = Scope { labels: &alert.labels, vars, lets: &lets, target: None };
        let target = match policy.target.sought(&scope) {
            Ok(Sought::Named(target)) => Some(target),
            Ok(owner @ Sought::OwnerOf { .. }) => match self.cluster {
                Some(cluster) => cluster.seek(&owner).await.ok(),
                None => None,
            },
            Err(_) => None,
        };
        Known { lets, target }
    }
}

/// What is known for an alert.
struct Known {
    lets: BTreeMap<String, String>,
    target: Option<Target>,
}

/// What is wrong with an answer.
enum Bad {
    Refused { what: String, promql: String },
    Empty { promql: String },
    Many { count: usize, promql: String },
    Unknown(String),
}

impl Bad {
    fn told(self, how: &str) -> (Severity, String, Option<String>) {
        match self {
            Self::Refused { what, promql } => (
                Severity::Error,
                format!("the query is not answered, {how}: {what}"),
                Some(format!("asked: {promql}")),
            ),
            Self::Empty { promql } => (
                Severity::Error,
                format!("the query gives no series, {how}"),
                Some(format!(
                    "is the metric scraped under this name and with these labels? where no series is good news, write \
                     `empty: 0`; asked: {promql}"
                )),
            ),
            Self::Many { count, promql } => (
                Severity::Error,
                format!("the query gives {count} series, {how}, and exactly one is read"),
                Some(format!("aggregate it, such as max(...); asked: {promql}")),
            ),
            Self::Unknown(what) => (Severity::Warning, what, None),
        }
    }
}

/// Whether a target can be named for an alert.
pub(super) fn unnameable(spec: &TargetSpec, alert: &Alert, book: &Book) -> Option<String> {
    // What `let` finds counts as found here: the queries are judged by themselves.
    if spec.templates().iter().any(|template| template.uses.iter().any(|name| name.starts_with("let."))) {
        return None;
    }
    let lets = BTreeMap::new();
    let scope = Scope { labels: &alert.labels, vars: &book.settings().vars, lets: &lets, target: None };
    spec.sought(&scope).err().map(|reason| reason.to_string())
}
