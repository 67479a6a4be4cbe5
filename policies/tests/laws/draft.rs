//! Books to be: a small grammar of policies and settings with random guards, written out as the YAML that people write,
//! so that whatever is found can be read, and loaded as any other book is. It must never write one that does not load.

use std::fmt;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_policies::settings::{Pace, Settings};
use paramedic_policies::time::Span;
use proptest::prelude::*;

/// Alerts that policies act on; `Noise` is only ever in the way.
pub(crate) const NAMES: [&str; 2] = ["Errors", "Slow"];

/// Windows that are open at the hour at which lives begin, and one that is not.
const WINDOWS: [&str; 3] =
    ["Mon-Fri 09:00-17:00 Europe/Berlin", "Mon-Sun 00:00-23:59 UTC", "Sat-Sun 09:00-17:00 UTC"];

/// What is to be one book.
#[derive(Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) policies: Vec<PolicyDraft>,
    pub(crate) settings: Settings,
}

/// What is to be one policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyDraft {
    pub(crate) name: String,
    pub(crate) alert: String,
    pub(crate) mode: Mode,
    pub(crate) priority: i32,
    pub(crate) unless: Vec<String>,
    pub(crate) wait: Span,
    /// Whether the target is looked up from a pod.
    pub(crate) sought: bool,
    pub(crate) lets: Vec<String>,
    pub(crate) when: Vec<String>,
    pub(crate) ladder: Vec<Vec<StepDraft>>,
    pub(crate) cooldown: Span,
    pub(crate) relapse: Span,
    pub(crate) limits: Vec<Limit>,
    pub(crate) concurrency: u32,
    /// How many, whether in the whole cluster, in what time.
    pub(crate) targets: Option<(u32, bool, Span)>,
    pub(crate) unavailable: Option<u8>,
    pub(crate) in_storm: &'static str,
    pub(crate) schedule: Vec<&'static str>,
    pub(crate) quarantine_after: u32,
}

/// What is to be one step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepDraft {
    /// As it is written, such as `restart: {}`.
    pub(crate) does: &'static str,
    pub(crate) verify: Option<&'static str>,
    pub(crate) revert: bool,
    pub(crate) approve: bool,
    pub(crate) limits: Vec<Limit>,
}

impl Draft {
    /// The book's text.
    pub(crate) fn source(&self) -> Source {
        let files = self
            .policies
            .iter()
            .map(|policy| SourceFile { path: format!("{}.yaml", policy.name), text: policy.to_string() });
        Source { files: files.collect(), settings: self.settings.clone(), tzdb: "test".to_owned() }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for policy in &self.policies {
            write!(f, "\n{policy}")?;
        }
        let usual = serde_json::to_value(Settings::default()).expect("plain data");
        let ours = serde_json::to_value(&self.settings).expect("plain data");
        write!(f, "settings, where they are not the usual:")?;
        unlike(f, "", &usual, &ours)
    }
}

/// The places at which two documents differ, one a line.
fn unlike(
    f: &mut fmt::Formatter<'_>,
    at: &str,
    usual: &serde_json::Value,
    ours: &serde_json::Value,
) -> fmt::Result {
    use serde_json::Value::Object;
    match (usual, ours) {
        (Object(usual), Object(ours)) => {
            let nothing = serde_json::Value::Null;
            ours.iter().try_for_each(|(key, value)| {
                unlike(f, &format!("{at}.{key}"), usual.get(key).unwrap_or(&nothing), value)
            })
        }
        (usual, ours) if usual == ours => Ok(()),
        (_, ours) => write!(f, "\n  {}: {ours}", at.trim_start_matches('.')),
    }
}

/// A time that is so much longer.
pub(crate) fn longer(span: Span, by: Span) -> Span {
    Span::from_ms(span.ms() + by.ms())
}

fn quoted(list: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("'{}'", text.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

fn written(limits: &[Limit]) -> String {
    let limits =
        limits.iter().map(|limit| format!("{{max: {}, per: {}, by: {}}}", limit.max, limit.per, limit.by));
    format!("[{}]", limits.collect::<Vec<_>>().join(", "))
}

impl fmt::Display for PolicyDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, alert, mode, priority, wait, cooldown, relapse, concurrency, in_storm, .. } = self;
        writeln!(
            f,
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:"
        )?;
        writeln!(f, "  mode: {mode}\n  priority: {priority}\n  match: ['alertname=\"{alert}\"']")?;
        writeln!(f, "  unless: {}\n  for: {wait}", quoted(&self.unless))?;
        let (namespace, named) = (r#"namespace: "{{ labels.namespace }}""#, r#""{{ labels.deployment }}""#);
        if self.sought {
            writeln!(f, "  target: {{from: {{pod: {named}, {namespace}}}}}")?;
        } else {
            writeln!(f, "  target: {{kind: Deployment, {namespace}, name: {named}}}")?;
        }
        if !self.lets.is_empty() {
            let lets = self.lets.iter().map(|name| format!("{name}: {{query: '{name}', label: zone}}"));
            writeln!(f, "  let: {{{}}}", lets.collect::<Vec<_>>().join(", "))?;
        }
        let when = self.when.iter().map(|query| format!("{{query: '{query}', is: \"> 0\"}}"));
        writeln!(f, "  when: [{}]\n  ladder:", when.collect::<Vec<_>>().join(", "))?;
        for steps in &self.ladder {
            let mut indent = "    - ";
            if steps.len() > 1 {
                writeln!(f, "    - sequence:")?;
                indent = "        - ";
            }
            steps.iter().try_for_each(|step| step.write(f, indent, *mode))?;
        }
        writeln!(
            f,
            "  guards:\n    cooldown: {cooldown}\n    relapse: {relapse}\n    concurrency: {concurrency}"
        )?;
        writeln!(f, "    limits: {}\n    inStorm: {in_storm}", written(&self.limits))?;
        let targets = self.targets.map_or("\"off\"".to_owned(), |(max, all, per)| {
            format!("{{max: {max}, in: {}, per: {per}}}", if all { "cluster" } else { "namespace" })
        });
        let unavailable = self.unavailable.map_or("\"off\"".to_owned(), |percent| format!("{percent}%"));
        writeln!(f, "    blastRadius: {{targets: {targets}, unavailable: {unavailable}}}")?;
        writeln!(f, "    schedule: {}", quoted(&self.schedule))?;
        writeln!(f, "  onFailure: {{quarantineAfter: {}}}", self.quarantine_after)
    }
}

impl StepDraft {
    fn write(&self, f: &mut fmt::Formatter<'_>, first: &str, policy: Mode) -> fmt::Result {
        let rest = " ".repeat(first.len());
        writeln!(f, "{first}{}", self.does)?;
        if let Some(verify) = self.verify {
            writeln!(f, "{rest}verify: {verify}")?;
        }
        if self.revert {
            writeln!(f, "{rest}revert: {{after: 5m}}")?;
        }
        // A step can only be stricter than its policy.
        if self.approve && policy == Mode::Enforce {
            writeln!(f, "{rest}mode: approve")?;
        }
        if !self.limits.is_empty() {
            writeln!(f, "{rest}limits: {}", written(&self.limits))?;
        }
        Ok(())
    }
}

const EAGER: &str = "{query: 'errors', is: \"< 0.01\", settle: 0s, hold: 0s, within: 1m}";
const PATIENT: &str = "{query: 'errors', is: \"< 0.01\", settle: 1m, hold: 1m, within: 5m}";

/// One step, and more seldom what reaches further.
fn step() -> impl Strategy<Value = StepDraft> {
    let does = prop_oneof![
        5 => Just("restart: {}"),
        3 => Just("scale: {by: 2, max: 20}"),
        1 => Just("scale: {atLeast: 6}"),
        1 => Just("freezeDeploys: {for: 10m, namespaces: [prod, infra]}"),
    ];
    let verify = prop_oneof![2 => Just(Some(EAGER)), 1 => Just(Some(PATIENT)), 1 => Just(None)];
    let limits = prop::collection::vec(limit(), 0..2);
    (does, verify, any::<bool>(), prop::bool::weighted(0.1), limits).prop_map(
        |(does, verify, revert, approve, limits)| StepDraft {
            does,
            verify,
            revert: revert && does.starts_with("scale"),
            approve,
            limits,
        },
    )
}

/// Rungs, each but the last with a way to see that the next one is needed.
fn ladder() -> impl Strategy<Value = Vec<Vec<StepDraft>>> {
    prop::collection::vec(rung(), 1..3).prop_map(|mut ladder| {
        let climbed = ladder.len() - 1;
        for step in ladder[..climbed].iter_mut().filter_map(|rung| rung.last_mut()) {
            step.verify = step.verify.or(Some(EAGER));
        }
        ladder
    })
}

fn rung() -> impl Strategy<Value = Vec<StepDraft>> {
    let evidence = StepDraft {
        does: "collectEvidence: {}",
        verify: None,
        revert: false,
        approve: false,
        limits: Vec::new(),
    };
    prop_oneof![
        4 => step().prop_map(|one| vec![one]),
        1 => prop::collection::vec(step(), 2..3),
        1 => step().prop_map(move |one| vec![evidence.clone(), one]),
    ]
}

/// Lengths that a history of hours goes beyond.
fn span() -> impl Strategy<Value = Span> {
    prop::sample::select(vec![1_u64, 5, 15, 60, 240]).prop_map(Span::from_mins)
}

fn limit() -> impl Strategy<Value = Limit> {
    let by = prop::sample::select(vec![
        LimitScope::Target,
        LimitScope::Policy,
        LimitScope::Namespace,
        LimitScope::Global,
    ]);
    (1..6_u32, span(), by).prop_map(|(max, per, by)| Limit { max, per, by })
}

fn policy() -> impl Strategy<Value = PolicyDraft> {
    let mode = prop_oneof![8 => Just(Mode::Enforce), 2 => Just(Mode::Approve), 1 => Just(Mode::DryRun)];
    let short = || prop_oneof![3 => Just(Span::ZERO), 1 => span()];
    let seldom = || prop::bool::weighted(0.15);
    let about =
        (0..NAMES.len(), mode, -1..2_i32, seldom(), prop_oneof![4 => Just(0_u64), 1 => Just(30)], seldom());
    let facts = (seldom(), 0..2_usize, ladder());
    let guards = (
        short(),
        short(),
        prop::collection::vec(limit(), 0..3),
        1..5_u32,
        prop::option::weighted(0.3, (1..4_u32, any::<bool>(), span())),
        prop::option::weighted(0.3, 10..60_u8),
        prop::sample::select(vec!["act", "approve", "withhold"]),
        prop_oneof![4 => Just(Vec::new()), 1 => prop::sample::select(WINDOWS.to_vec()).prop_map(|one| vec![one])],
    );
    (about, facts, guards, 0..4_u32).prop_map(
        |((alert, mode, priority, unless, wait, sought), (lets, when, ladder), guards, quarantine_after)| {
            let (cooldown, relapse, limits, concurrency, targets, unavailable, in_storm, schedule) = guards;
            PolicyDraft {
                name: String::new(),
                alert: NAMES[alert].to_owned(),
                mode,
                priority,
                unless: if unless { vec!["alertname=\"Noise\"".to_owned()] } else { Vec::new() },
                wait: Span::from_secs(wait),
                sought,
                lets: if lets { vec!["zone".to_owned()] } else { Vec::new() },
                when: ["load"; 2].into_iter().take(when).map(str::to_owned).collect(),
                ladder,
                cooldown,
                relapse,
                limits,
                concurrency,
                targets,
                unavailable,
                in_storm,
                schedule,
                quarantine_after,
            }
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let mode = prop_oneof![8 => Just(Mode::Enforce), 1 => Just(Mode::Approve), 1 => Just(Mode::DryRun)];
    let storm = (prop_oneof![1 => 2..6_u32, 3 => Just(50)], prop_oneof![1 => 20..60_u8, 3 => Just(100)]);
    let pace = prop_oneof![2 => Just((0_u64, 1_u32)), 1 => (1..20_u64, 1..4_u32)];
    let namespaces = prop::sample::subsequence(vec!["stage", "infra"], 0..2);
    let others = (namespaces, any::<bool>(), prop::bool::weighted(0.7), prop::collection::vec(limit(), 0..2));
    (mode, storm, pace, 0..3_u64, others).prop_map(
        |(mode, (alerts, percent), (every, burst), settle, (namespaces, own, confirmation, limits))| {
            let mut settings = Settings { mode, ..Settings::default() };
            let guards = &mut settings.guards;
            guards.storm.alerts_per_minute = alerts;
            guards.storm.targets_firing_percent = percent;
            guards.storm.targets_known_min = 3;
            guards.pace = Pace { every: Span::from_secs(every), burst };
            guards.settle = Span::from_mins(settle);
            guards.confirmation = confirmation;
            guards.limits = limits;
            guards.protected.namespaces.extend(namespaces.into_iter().map(str::to_owned));
            if own {
                guards.protected.own_namespace = "paramedic".to_owned();
            }
            settings
        },
    )
}

/// A book of one to so many policies.
pub(crate) fn draft(policies_max: usize) -> impl Strategy<Value = Draft> {
    (prop::collection::vec(policy(), 1..=policies_max), settings()).prop_map(|(mut policies, settings)| {
        for (index, policy) in policies.iter_mut().enumerate() {
            policy.name = format!("p{index}");
        }
        Draft { policies, settings }
    })
}
