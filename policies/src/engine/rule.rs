//! A case that is due: which facts it still needs, or what is decided once every guard has spoken.
//!
//! `explain` asks the same questions and reads the same ruling, on a case of its own.

use std::collections::BTreeMap;

use crate::action::Mode;
use crate::answer::{Found, Preflight};
use crate::book::Book;
use crate::engine::questions::Aim;
use crate::engine::sequence::{self, AtHand};
use crate::engine::{by_hand, follow, growing, storm};
use crate::event::Event;
use crate::guard::{self, Finding, View};
use crate::policy::{InStorm, Policy, Step};
use crate::question::{Ask, Fact, Question};
use crate::reason::Reason;
use crate::ruling::{Cap, EffectiveMode, Ruling, Verdict};
use crate::state::{Case, Episode, Phase, State};
use crate::target::Target;
use crate::time::{Moment, Span};

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
        return follow::withdrawn(state, case, AtHand::NotDone);
    };
    if !episode.is_open() && !case.rung_begun {
        return sequence::resolved(state, case);
    }
    if book.policy(&case.id.policy).is_none() {
        return follow::withdrawn(state, case, AtHand::NotDone);
    }
    let storm = storm::begins(state, book, now, 0, 0);
    if !storm.is_empty() {
        return storm;
    }
    // Who asks what would happen is shown all of it.
    let ask_anyway = episode.by_hand.as_ref().is_some_and(|order| order.dry_run);
    let inquiry = Inquiry { state, book, policy, episode, case, now, ask_anyway };
    if let Some((rung, target)) = inquiry.relapse() {
        return follow::relapsed(state, policy, case, rung, target);
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
        let nothing = BTreeMap::new();
        let mut view = View {
            state: self.state,
            book: self.book,
            policy: self.policy,
            episode: self.episode,
            case: self.case,
            target,
            // Who asks by hand what would happen is told by what counts when it happens.
            rehearsal: self.mode_unless_ordered().is == Mode::DryRun,
            unaskable: &nothing,
            now: self.now,
        };
        let mut findings = guard::judge_state(&view);
        let refused = findings.iter().any(|finding| finding.reason().is_some());
        if refused && !self.ask_anyway {
            findings.extend(guard::facts_not_asked());
        } else {
            let questions = self.questions(&aim, mode.is);
            if !questions.asks.is_empty() {
                return Next::Ask(questions.asks);
            }
            view.unaskable = &questions.unaskable;
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
        match mode {
            Mode::DryRun | Mode::Enforce => Verdict::Act,
            // By the time that a person has approved a look, there would be less to see.
            Mode::Approve if self.step().remediation.looks_only() => Verdict::Act,
            Mode::Approve if matches!(self.case.phase, Phase::Approved { .. }) => Verdict::Act,
            // The order is the approval: who would be asked has asked.
            Mode::Approve if self.episode.by_hand.is_some() => Verdict::Act,
            Mode::Approve => Verdict::Propose { until: self.now + self.policy.guards.approval },
        }
    }

    /// Hold while every reason may pass, withhold as soon as one does not.
    fn refusal(&self, findings: &[Finding]) -> Verdict {
        let reasons: Vec<&Reason> = findings.iter().filter_map(Finding::reason).collect();
        if reasons.iter().any(|reason| !reason.may_pass()) {
            return Verdict::Withhold;
        }
        let later = self.now + growing(self.book.settings().facts.retry, self.case.fact_failures);
        let until = reasons.iter().map(|reason| reason.until().unwrap_or(later)).max().unwrap_or(later);
        let until = until.max(self.now + Span::from_ms(1));
        match by_hand::never_waits(self.episode, self.case, until, &reasons) {
            true => Verdict::Withhold,
            false => Verdict::Hold { until },
        }
    }

    /// The mode after the step's own, the daemon's cap, the storm and the order.
    pub fn mode(&self) -> EffectiveMode {
        let mode = self.mode_unless_ordered();
        match &self.episode.by_hand {
            Some(order) if order.dry_run && mode.is != Mode::DryRun => {
                EffectiveMode { is: Mode::DryRun, capped_by: Some(Cap::Order), ..mode }
            }
            Some(_) | None => mode,
        }
    }

    /// The same, if no order asked for less.
    fn mode_unless_ordered(&self) -> EffectiveMode {
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

    /// The rung to go on at when the trouble came back within `relapse`: the last one counts as no help, unless
    /// nothing of it was done.
    pub fn relapsed_to(&self) -> Option<usize> {
        self.relapse().map(|(rung, _)| rung)
    }

    /// The same, and where the trouble came back.
    fn relapse(&self) -> Option<(usize, Target)> {
        let Aim::Known(target) = self.aim() else { return None };
        let last = self.state.last_ladders.get(&(self.policy.name.clone(), target.clone()))?;
        let next = last.next_rung()?;
        let relapsed = self.episode.by_hand.is_none()
            && !self.case.acted
            && last.episode != self.episode.id
            && self.now.since(last.ended_at) < self.policy.guards.relapse
            && next > self.case.rung
            && next < self.policy.ladder.len();
        relapsed.then_some((next, target))
    }
}
