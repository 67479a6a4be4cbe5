//! A policy as the engine uses it: parsed, with every default filled in. Its written form is
//! [`load::document`](crate::load); only a [`Book`](crate::book::Book) holds policies, so all of them are valid.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Mode;
use crate::comparison::Comparison;
use crate::matcher::Matcher;
use crate::promql::Query;
use crate::reason::Reason;
use crate::remediation::Remediation;
use crate::target::{Origin, Sought, Target, is_dns_label, is_dns_subdomain};
use crate::template::{Scope, Template};
use crate::time::Span;
use crate::url;

/// One policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Unique in its book.
    pub name: String,
    /// For people.
    pub description: String,
    /// How far it may go, before the daemon's cap.
    pub mode: Mode,
    /// Where two policies want one target, the higher comes first, then the lesser name.
    pub priority: i32,
    /// All of them must meet the alert; none means that it is only run by hand.
    pub matchers: Vec<Matcher>,
    /// Withheld while one open alert meets all of these; empty means never.
    pub unless: Vec<Matcher>,
    /// How long the episode must have been open.
    pub wait: Span,
    /// On what it acts.
    pub target: TargetSpec,
    /// Values found by query, in order.
    pub lets: Vec<Let>,
    /// What must hold before it acts.
    pub when: Vec<Condition>,
    /// The rungs; a `sequence:` is one rung with several steps.
    pub ladder: Vec<Rung>,
    /// Its guards.
    pub guards: Guards,
    /// What follows when it does not help.
    pub on_failure: OnFailure,
    /// Where it is written.
    pub place: Place,
}

impl Policy {
    /// The labels that matchers and templates use, sorted: what confirmation asks Prometheus about.
    pub fn labels_used(&self) -> BTreeSet<String> {
        let mut used = self.labels_in_templates();
        used.extend(self.matchers.iter().map(|matcher| matcher.name.clone()));
        used
    }

    /// Whether no alert starts it.
    pub fn is_only_by_hand(&self) -> bool {
        self.matchers.is_empty()
    }

    /// The labels that its templates use, sorted: whoever runs it by hand gives them.
    pub fn labels_in_templates(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        let mut add = |template: &Template| {
            used.extend(
                template.uses.iter().filter_map(|name| name.strip_prefix("labels.")).map(str::to_owned),
            );
        };
        self.target.templates().into_iter().for_each(&mut add);
        for step in self.ladder.iter().flat_map(|rung| &rung.steps) {
            step.target.iter().flat_map(TargetSpec::templates).for_each(&mut add);
            step.remediation.templates().into_iter().for_each(&mut add);
            match step.verify.as_ref().map(|verify| &verify.check) {
                Some(Check::Query(condition)) => add(&condition.query.template),
                Some(Check::Http { url, .. }) => add(url),
                Some(Check::Rollout) | None => {}
            }
        }
        for query in self.lets.iter().map(|l| &l.query).chain(self.when.iter().map(|c| &c.query)) {
            add(&query.template);
        }
        used
    }
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's path as given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How a target is named.
#[derive(Debug, Clone)]
pub enum TargetSpec {
    /// Directly.
    Named {
        /// `Deployment`, or `Kind.group` for others.
        kind: String,
        /// Its namespace.
        namespace: Template,
        /// Its name.
        name: Template,
    },
    /// As the owner of something.
    OwnerOf {
        /// Of what.
        origin: Origin,
        /// Its namespace; absent for a node.
        namespace: Option<Template>,
        /// Its name.
        name: Template,
    },
}

impl TargetSpec {
    /// The templates in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Named { namespace, name, .. } => vec![namespace, name],
            Self::OwnerOf { namespace, name, .. } => namespace.iter().chain([name]).collect(),
        }
    }

    /// What it names for this alert, every value proven to be a Kubernetes name.
    ///
    /// # Errors
    /// [`Reason::BadValue`] when a label is missing, or its value is no such name. Nothing is ever guessed.
    pub fn sought(&self, scope: &Scope<'_>) -> Result<Sought, Reason> {
        let namespace = |template: &Template| {
            rendered(template, scope, "namespace", |text| match is_dns_label(text) {
                true => Ok(()),
                false => Err("is not a namespace (at most 63 lower-case letters, digits and `-`)".to_owned()),
            })
        };
        let name = |template: &Template| {
            rendered(template, scope, "name", |text| match is_dns_subdomain(text) {
                true => Ok(()),
                false => Err("is not an object's name (at most 253 lower-case letters, digits, `-` and `.`)"
                    .to_owned()),
            })
        };
        match self {
            Self::Named { kind, namespace: ns, name: n } => {
                Ok(Sought::Named(Target { kind: kind.clone(), namespace: namespace(ns)?, name: name(n)? }))
            }
            Self::OwnerOf { origin, namespace: ns, name: n } => Ok(Sought::OwnerOf {
                origin: origin.clone(),
                namespace: ns.as_ref().map(namespace).transpose()?.unwrap_or_default(),
                name: name(n)?,
            }),
        }
    }
}

/// The value of a template as what it becomes, or why it cannot become that.
pub(crate) fn rendered(
    template: &Template,
    scope: &Scope<'_>,
    what: &str,
    judge: impl FnOnce(&str) -> Result<(), String>,
) -> Result<String, Reason> {
    let bad = |problem: String| Reason::BadValue { what: what.to_owned(), problem };
    let text = template.render(scope).map_err(|error| bad(error.to_string()))?;
    match judge(&text) {
        Ok(()) => Ok(text),
        Err(problem) => Err(bad(format!("`{}` {problem}", shown(&text)))),
    }
}

/// Untrusted text for a message: escaped and cut.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() { format!("{cut}...") } else { cut }
}

/// A value found by query: exactly one series, or the policy withholds.
#[derive(Debug, Clone)]
pub struct Let {
    /// Used as `let.NAME`.
    pub name: String,
    /// The query.
    pub query: Query,
    /// The label whose value is taken.
    pub label: String,
}

/// What an empty result means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Empty {
    /// Nothing is shown.
    Unknown,
    /// The value is this.
    Is(f64),
}

/// A query with a comparison.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The query; exactly one series.
    pub query: Query,
    /// What its value must satisfy.
    pub is: Comparison,
    /// What no series means.
    pub empty: Empty,
}

/// One rung: its steps are done in order, each verified; the first that fails ends the rung.
#[derive(Debug, Clone)]
pub struct Rung {
    /// At least one.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What to do.
    pub remediation: Remediation,
    /// On what, where it is not the policy's target.
    pub target: Option<TargetSpec>,
    /// A stricter mode than the policy's.
    pub mode: Option<Mode>,
    /// Further ceilings.
    pub limits: Vec<Limit>,
    /// How to see that it helped; none means that nobody looks.
    pub verify: Option<Verification>,
    /// Take it back this long after it was done.
    pub revert_after: Option<Span>,
}

/// How to see that a step helped.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What must hold.
    pub check: Check,
    /// Do not look before this has passed since the action's end.
    pub settle: Span,
    /// It must hold for this long without a break.
    pub hold: Span,
    /// If it has not held by then, counted from the action's end, it did not help.
    pub within: Span,
    /// How often to look.
    pub every: Span,
}

/// What a verification looks at.
#[derive(Debug, Clone)]
pub enum Check {
    /// A query with a comparison.
    Query(Condition),
    /// A URL that answers with this status.
    Http {
        /// Absolute URL.
        url: Template,
        /// Expected status code.
        status: u16,
    },
    /// The target's rollout is complete.
    Rollout,
}

impl Check {
    /// The URL of [`Check::Http`], values percent-encoded; `None` for other checks.
    ///
    /// # Errors
    /// [`Reason::BadValue`] when a value is missing or would change more of the URL than its own part.
    pub fn url(&self, scope: &Scope<'_>) -> Option<Result<String, Reason>> {
        match self {
            Self::Http { url, .. } => Some(url::rendered(url, scope)),
            Self::Query(_) | Self::Rollout => None,
        }
    }
}

/// The guards of a policy, defaults filled in.
#[derive(Debug, Clone)]
pub struct Guards {
    /// Per target, after this policy acted on it.
    pub cooldown: Span,
    /// Trouble that comes back within this is the same trouble.
    pub relapse: Span,
    /// Exact ceilings over sliding windows.
    pub limits: Vec<Limit>,
    /// How many actions of this policy may run at once, over all targets.
    pub concurrency: u32,
    /// Distinct targets in a window.
    pub blast_targets: Option<BlastTargets>,
    /// Percent of the namespace's wanted replicas that may be unavailable, this action's share included.
    pub blast_unavailable: Option<u8>,
    /// What to do in a storm.
    pub in_storm: InStorm,
    /// When it may act; empty means always.
    pub schedule: Vec<Window>,
    /// How long a proposal waits for approval.
    pub approval: Span,
}

/// A ceiling over a sliding window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// At most this many actions.
    pub max: u32,
    /// In any window of this length.
    pub per: Span,
    /// Counted over what.
    #[serde(default)]
    pub by: LimitScope,
}

/// Over what a ceiling counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum LimitScope {
    /// This policy's actions on this target.
    Target,
    /// This policy's actions.
    #[default]
    Policy,
    /// All actions in the target's namespace.
    Namespace,
    /// All actions.
    Global,
}

/// Distinct targets acted on in a window, this one included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlastTargets {
    /// At most this many.
    pub max: u32,
    /// Within what.
    #[serde(rename = "in")]
    pub within: BlastScope,
    /// In any window of this length.
    pub per: Span,
}

/// Within what a blast radius counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BlastScope {
    /// The target's namespace.
    Namespace,
    /// The whole cluster.
    Cluster,
}

/// What a policy does in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum InStorm {
    /// As always.
    Act,
    /// Propose instead of acting.
    Approve,
    /// Nothing.
    #[default]
    Withhold,
}

/// A weekly window in a time zone, such as `Mon-Fri 09:00-17:00 Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Days, Monday is 0.
    pub days: BTreeSet<u8>,
    /// Minutes since midnight at which it opens.
    pub from_minute: u16,
    /// Minutes since midnight at which it closes; not after `from_minute` means on the next day.
    pub to_minute: u16,
    /// IANA name of the time zone.
    pub zone: String,
}

/// What follows when nothing helped.
#[derive(Debug, Clone)]
pub struct OnFailure {
    /// Names of those to call; recorded with the escalation.
    pub notify: Vec<String>,
    /// After this many rounds in a row that did not help, the policy is quarantined; 0 means never.
    pub quarantine_after: u32,
}
