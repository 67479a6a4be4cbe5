//! A case that is due: which facts it still needs, or what is decided once every guard has spoken.
//!
//! `explain` asks the same questions and reads the same ruling, on a case of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Mode, Wish};
use crate::answer::{Found, Preflight};
use crate::book::Book;
use crate::engine::{follow, storm};
use crate::event::{Advance, Event};
use crate::guard::{self, Finding, Guard, View};
use crate::policy::{Check, InStorm, Policy, Step, TargetSpec};
use crate::question::{Ask, Fact, Question};
use crate::reason::Reason;
use crate::ruling::{Cap, EffectiveMode, Ruling, Verdict};
use crate::state::{Case, Episode, Phase, State};
use crate::target::{Sought, Target};
use crate::template::{Scope, Template};
use crate::time::{Moment, Span};

/// How many times a growing pause between rounds of facts doubles at most: sixteen times the first.
const DOUBLINGS_MAX: u32 = 4;

/// What a case needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Facts, which can be asked for at once.
    Ask(Vec<(Fact, Ask)>),
    /// Nothing more: this is decided.
    Rule(Box<Ruling>),
}

/// Everything a decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// Everything that happened.
    pub state: &'a State,
    /// The book in force.
    pub book: &'a Book,
    /// The policy, of the case's own book.
    pub policy: &'a Policy,
    /// The episode.
    pub episode: &'a Episode,
    /// The case with the answers so far.
    pub case: &'a Case,
    /// Now.
    pub now: Moment,
    /// Whether to ask for facts although a guard that judges by state refuses: `explain` does.
    pub ask_anyway: bool,
}

pub(super) fn consider(state: &State, book: &Book, now: Moment, case: &Case) -> Vec<Event> {
    let (Some(policy), Some(episode)) = (state.policy_of(case), state.episodes.get(&case.id.episode)) else {
        return follow::withdrawn(case);
    };
    let storm = storm::begins(state, book, now, 0, 0);
    if !storm.is_empty() {
        return storm;
    }
    let inquiry = Inquiry { state, book, policy, episode, case, now, ask_anyway: false };
    if let Some(relapse) = inquiry.relapse() {
        return vec![relapse];
    }
    match inquiry.next() {
        Next::Ask(asks) => {
            let deadline = now + book.settings().facts.deadline;
            let question = |(index, (fact, ask))| Event::Asked {
                question: Question { id: state.next.plus(index), case: case.id.clone(), fact, ask, deadline },
            };
            asks.into_iter().enumerate().map(question).collect()
        }
        Next::Rule(ruling) => follow::ruled(state, now, inquiry, *ruling),
    }
}

/// What is known of a target at some point of a round.
enum Aim {
    Known(Target),
    Bad(Reason),
    /// Another fact comes first.
    Pending,
    /// It must be looked up.
    Sought(Sought),
}

impl<'a> Inquiry<'a> {
    /// The step at hand; the last one where the case's position is beyond the ladder.
    pub fn step(&self) -> &'a Step {
        let rung = self.policy.ladder.get(self.case.rung).or(self.policy.ladder.last());
        rung.and_then(|rung| rung.steps.get(self.case.step).or(rung.steps.last()))
            .expect("the loader gives every policy a rung, and every rung a step")
    }

    /// The facts that are still wanted, or the ruling.
    pub fn next(&self) -> Next {
        let aim = self.aim();
        let target = match &aim {
            Aim::Known(target) => Some(Ok(target)),
            Aim::Bad(reason) => Some(Err(reason)),
            Aim::Pending | Aim::Sought(_) => None,
        };
        let mode = self.mode();
        let view = View {
            state: self.state,
            book: self.book,
            policy: self.policy,
            episode: self.episode,
            case: self.case,
            target,
            rehearsal: mode.is == Mode::DryRun,
            now: self.now,
        };
        let mut findings = guard::judge_state(&view);
        let refused = findings.iter().any(|finding| finding.reason().is_some());
        if refused && !self.ask_anyway {
            findings.extend(guard::facts_not_asked());
        } else {
            let asks = self.asks(&aim, mode.is);
            if !asks.is_empty() {
                return Next::Ask(asks);
            }
            findings.extend(guard::judge_facts(&view));
        }
        Next::Rule(Box::new(self.ruling(mode, target.and_then(Result::ok).cloned(), findings)))
    }

    fn ruling(&self, mode: EffectiveMode, target: Option<Target>, findings: Vec<Finding>) -> Ruling {
        let preflight = self.preflight();
        Ruling {
            episode: self.episode.id,
            alert: self.episode.alert().to_owned(),
            policy: self.policy.name.clone(),
            book: self.case.book,
            place: self.policy.place.clone(),
            rung: self.case.rung,
            step: self.case.step,
            verdict: self.verdict(mode.is, &findings),
            mode,
            target,
            findings,
            action: preflight.and_then(|preflight| preflight.action.clone()),
            diff: preflight.and_then(|preflight| preflight.diff.clone()),
        }
    }

    /// What the remediation's own look gave.
    pub fn preflight(&self) -> Option<&'a Preflight> {
        match self.case.facts.get(&Fact::Preflight).map(|known| &known.found) {
            Some(Found::Preflight(preflight)) => Some(preflight),
            Some(_) | None => None,
        }
    }

    fn verdict(&self, mode: Mode, findings: &[Finding]) -> Verdict {
        if !guard::all_allow(findings) {
            return self.refusal(findings);
        }
        let Some(preflight) = self.preflight() else {
            return self.refusal(findings);
        };
        if preflight.action.is_none() {
            return Verdict::Withhold;
        }
        match (mode, &self.case.phase) {
            (Mode::DryRun | Mode::Enforce, _) | (Mode::Approve, Phase::Approved { .. }) => Verdict::Act,
            (Mode::Approve, _) => Verdict::Propose { until: self.now + self.policy.guards.approval },
        }
    }

    /// Hold while every reason may pass, withhold as soon as one does not.
    fn refusal(&self, findings: &[Finding]) -> Verdict {
        let reasons: Vec<&Reason> = findings.iter().filter_map(Finding::reason).collect();
        if reasons.iter().any(|reason| !reason.may_pass()) {
            return Verdict::Withhold;
        }
        let doubled = 1_u64 << self.case.fact_failures.min(DOUBLINGS_MAX);
        let later = self.now + Span::from_ms(self.book.settings().facts.retry.ms().saturating_mul(doubled));
        let until = reasons.iter().map(|reason| reason.until().unwrap_or(later)).max().unwrap_or(later);
        Verdict::Hold { until: until.max(self.now + Span::from_ms(1)) }
    }

    /// The mode after the step's own, the daemon's cap and the storm.
    pub fn mode(&self) -> EffectiveMode {
        let wanted = self.policy.mode.min(self.step().mode.unwrap_or(Mode::Enforce));
        let cap = self.book.settings().mode;
        let storm = self.state.storm.since.is_some() && self.policy.guards.in_storm == InStorm::Approve;
        match wanted {
            wanted if wanted > cap => EffectiveMode { wanted, is: cap, capped_by: Some(Cap::Daemon) },
            Mode::Enforce if storm => {
                EffectiveMode { wanted, is: Mode::Approve, capped_by: Some(Cap::Storm) }
            }
            wanted => EffectiveMode { wanted, is: wanted, capped_by: None },
        }
    }

    /// The trouble came back within `relapse`: go on at the next rung, the last one counts as no help.
    fn relapse(&self) -> Option<Event> {
        let Aim::Known(target) = self.aim() else { return None };
        let last = self.state.last_ladders.get(&(self.policy.name.clone(), target))?;
        let next = last.rung + 1;
        let relapsed = !self.case.acted
            && last.episode != self.episode.id
            && self.now.since(last.ended_at) < self.policy.guards.relapse
            && next > self.case.rung
            && next < self.policy.ladder.len();
        relapsed.then(|| Event::Advanced {
            case: self.case.id.clone(),
            rung: next,
            step: 0,
            why: Advance::Relapse,
        })
    }

    /// What `let:` has found so far, in this round or an earlier one.
    pub fn lets(&self) -> BTreeMap<String, String> {
        let mut lets = self.case.lets.clone();
        for wanted in &self.policy.lets {
            let fact = self.case.facts.get(&Fact::Let(wanted.name.clone()));
            if let Some(Found::Series(series)) = fact.map(|known| &known.found)
                && let [only] = series.as_slice()
                && let Some(value) = only.labels.get(&wanted.label).filter(|value| !value.is_empty())
            {
                lets.insert(wanted.name.clone(), value.clone());
            }
        }
        lets
    }

    fn scope<'s>(&'s self, lets: &'s BTreeMap<String, String>, target: Option<&'s Target>) -> Scope<'s> {
        Scope { labels: &self.episode.labels, vars: &self.book.settings().vars, lets, target }
    }

    fn target_spec(&self) -> &'a TargetSpec {
        self.step().target.as_ref().unwrap_or(&self.policy.target)
    }

    fn aim(&self) -> Aim {
        if let Some(known) = self.case.facts.get(&Fact::Target) {
            return match &known.found {
                Found::Target(target) => Aim::Known(target.clone()),
                Found::Absent { what } => Aim::Bad(Reason::TargetAbsent { what: what.clone() }),
                Found::Failed { what } => {
                    Aim::Bad(Reason::FactUnknown { fact: "target".to_owned(), found: what.clone() })
                }
                Found::Series(_) | Found::Preflight(_) | Found::Rollout { .. } | Found::Http { .. } => {
                    Aim::Bad(Reason::FactUnknown {
                        fact: "target".to_owned(),
                        found: "an answer to another question".to_owned(),
                    })
                }
            };
        }
        let spec = self.target_spec();
        let lets = self.lets();
        if spec.templates().into_iter().any(|template| lacks_let(template, &lets)) {
            return Aim::Pending;
        }
        match spec.sought(&self.scope(&lets, None)) {
            Ok(Sought::Named(target)) => Aim::Known(target),
            Ok(owner) => Aim::Sought(owner),
            Err(reason) => Aim::Bad(reason),
        }
    }

    /// Questions that can be asked now and have no answer in this round.
    fn asks(&self, aim: &Aim, mode: Mode) -> Vec<(Fact, Ask)> {
        let lets = self.lets();
        let target = match aim {
            Aim::Known(target) => Some(target),
            Aim::Bad(_) | Aim::Pending | Aim::Sought(_) => None,
        };
        let scope = self.scope(&lets, target);
        let mut asks = Vec::new();
        if self.book.settings().guards.confirmation {
            asks.push((Fact::Confirmation, Ask::Query { promql: self.confirmation() }));
        }
        for wanted in &self.policy.lets {
            if !lacks_let(&wanted.query.template, &lets)
                && let Ok(promql) = wanted.query.render(&scope)
            {
                asks.push((Fact::Let(wanted.name.clone()), Ask::Query { promql }));
            }
        }
        if let Aim::Sought(sought) = aim {
            asks.push((Fact::Target, Ask::Seek { sought: sought.clone() }));
        }
        for (index, condition) in self.policy.when.iter().enumerate() {
            let template = &condition.query.template;
            let ready = !lacks_let(template, &lets) && (target.is_some() || !uses(template, "target."));
            if ready && let Ok(promql) = condition.query.render(&scope) {
                asks.push((Fact::When(index), Ask::Query { promql }));
            }
        }
        if let Some(target) = target
            && let Ok(wish) = self.step().remediation.wish(&scope)
        {
            let diff = mode != Mode::Enforce;
            asks.push((Fact::Preflight, Ask::Preflight { target: target.clone(), wish, diff }));
        }
        let answered = |fact: &Fact| self.is_this_round() && self.case.facts.contains_key(fact);
        asks.retain(|(fact, _)| !answered(fact));
        asks
    }

    /// Facts of an earlier round show nothing; a case that waits begins a new round.
    fn is_this_round(&self) -> bool {
        match self.case.phase {
            Phase::Asking { .. } | Phase::Approved { .. } => true,
            Phase::Waiting { .. }
            | Phase::Withheld
            | Phase::Proposed { .. }
            | Phase::Acting { .. }
            | Phase::Verifying { .. }
            | Phase::Resting => self.ask_anyway,
        }
    }

    /// Prometheus must show the alert firing with the labels that matchers and templates used. Labels that only
    /// the sender adds (the cluster's, a replica's) are not on `ALERTS`.
    fn confirmation(&self) -> String {
        let settings = self.book.settings();
        let foreign = |name: &str| {
            name == settings.cluster.label
                || settings.episodes.dropped_labels.iter().any(|label| label == name)
        };
        let mut used: BTreeSet<String> = self.policy.labels_used();
        used.insert("alertname".to_owned());
        let matchers: Vec<String> = self
            .episode
            .labels
            .iter()
            .filter(|(name, _)| used.contains(*name) && !foreign(name) && is_classic_label_name(name))
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect();
        format!("ALERTS{{alertstate=\"firing\",{}}}", matchers.join(","))
    }

    /// The question of the step's verification, where it has one and its templates have values.
    pub(super) fn verification(&self, target: &Target) -> Result<Option<Ask>, String> {
        let Some(verify) = &self.step().verify else { return Ok(None) };
        let lets = self.lets();
        let scope = self.scope(&lets, Some(target));
        let ask = match &verify.check {
            Check::Query(condition) => {
                Ask::Query { promql: condition.query.render(&scope).map_err(|error| error.to_string())? }
            }
            check @ Check::Http { .. } => match check.url(&scope) {
                Some(url) => Ask::Http { url: url.map_err(|reason| reason.to_string())? },
                None => return Ok(None),
            },
            Check::Rollout => Ask::Rollout { target: target.clone() },
        };
        Ok(Some(ask))
    }

    /// The wish of the step at hand, for `explain` and preflights.
    pub fn wish(&self, target: &Target) -> Result<Wish, Reason> {
        let lets = self.lets();
        self.step().remediation.wish(&self.scope(&lets, Some(target)))
    }

    /// The first reason for which nothing can be asked, such as a template without a value.
    pub fn unaskable(&self) -> Option<(Guard, Reason)> {
        let Aim::Known(target) = self.aim() else { return None };
        self.wish(&target).err().map(|reason| (Guard::Preflight, reason))
    }
}

fn uses(template: &Template, prefix: &str) -> bool {
    template.uses.iter().any(|name| name.starts_with(prefix))
}

fn lacks_let(template: &Template, lets: &BTreeMap<String, String>) -> bool {
    template.uses.iter().filter_map(|name| name.strip_prefix("let.")).any(|name| !lets.contains_key(name))
}

/// A PromQL string literal.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// Label names that every PromQL takes unquoted.
fn is_classic_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
