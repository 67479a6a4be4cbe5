//! What each record is about, as terms. An `Ended` names only its intent; here it is remembered of which policy,
//! target and alert that intent was, so that it is found by those too.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use paramedic_policies::alert::Labels;
use paramedic_policies::event::{Event, Record, Seq, Verdict};
use paramedic_policies::order::PauseScope;
use paramedic_policies::question::Ask;
use paramedic_policies::ruling;
use paramedic_policies::state::{CaseId, Phase, State};
use paramedic_policies::target::{Sought, Target};

use super::term::{Dimension, Term};

/// What later records may refer to by sequence: episodes, questions, proposals, intents.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    known: HashMap<Seq, Box<[Term]>>,
}

impl Subjects {
    /// Subjects as a checkpoint kept them.
    pub(super) fn restore(known: BTreeMap<Seq, Box<[Term]>>) -> Self {
        Self { known: known.into_iter().collect() }
    }

    /// What a checkpoint keeps: everything that this state can still refer to.
    pub(super) fn kept(&mut self, state: &State) -> BTreeMap<Seq, &[Term]> {
        let mut wanted: BTreeSet<Seq> = state.episodes.keys().copied().collect();
        wanted.extend(state.recently_resolved.values().filter_map(|resolved| resolved.episode));
        wanted.extend(state.in_flight.keys());
        wanted.extend(state.leases.keys());
        wanted.extend(state.questions.keys());
        wanted.extend(state.proposals.keys());
        wanted.extend(state.last_actions.values().map(|last| last.intent));
        for case in state.cases.values() {
            match &case.phase {
                Phase::Acting { intent } | Phase::Verifying { intent, .. } => {
                    wanted.insert(*intent);
                }
                Phase::Proposed { proposal, .. } => {
                    wanted.insert(*proposal);
                }
                Phase::Waiting { .. }
                | Phase::Asking { .. }
                | Phase::Approved { .. }
                | Phase::Withheld
                | Phase::Resting => {}
            }
        }
        self.known.retain(|seq, _| wanted.contains(seq));
        self.known.iter().map(|(seq, terms)| (*seq, &**terms)).collect()
    }

    /// The terms of the next record, sorted, each once; and remembers what later ones refer to.
    pub(super) fn learn(&mut self, record: &Record) -> Vec<Term> {
        let mut terms = vec![Term::word(Dimension::Kind, record.event.kind())];
        self.about(record, &mut terms);
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    fn about(&mut self, record: &Record, terms: &mut Vec<Term>) {
        match &record.event {
            Event::Opened { key, labels, fingerprint, by_hand, .. } => {
                terms.push(Term::seq(Dimension::Episode, record.seq));
                terms.push(Term::text(Dimension::Fingerprint, &key.to_string()));
                if let Some(fingerprint) = fingerprint {
                    terms.push(Term::text(Dimension::Fingerprint, fingerprint));
                }
                labelled(labels, terms);
                terms.extend(by_hand.iter().map(|order| Term::text(Dimension::Policy, &order.policy)));
                self.remember(record.seq, terms);
            }
            Event::Closed { episode, .. } | Event::Cancelled { episode, .. } => {
                self.recall(Dimension::Episode, *episode, terms);
            }
            Event::Asked { question } => {
                self.case(&question.case, terms);
                match &question.ask {
                    Ask::Preflight { target: named, .. } | Ask::Rollout { target: named } => {
                        target(named, terms)
                    }
                    Ask::Seek { sought: Sought::Named(named) } => target(named, terms),
                    Ask::Seek { sought: Sought::OwnerOf { .. } } | Ask::Query { .. } | Ask::Http { .. } => {}
                }
                self.remember(record.seq, terms);
            }
            Event::Told { answer } => {
                if let Some(asked) = self.known.remove(&answer.question) {
                    terms.extend_from_slice(&asked);
                }
            }
            Event::Ruled { ruling } => {
                self.recall(Dimension::Episode, ruling.episode, terms);
                terms.push(Term::text(Dimension::Policy, &ruling.policy));
                terms.push(Term::text(Dimension::Alert, &ruling.alert));
                ruling.target.iter().for_each(|named| target(named, terms));
                if let ruling::Verdict::Propose { .. } = ruling.verdict {
                    self.remember(record.seq, terms);
                }
                terms.push(Term::word(Dimension::Verdict, ruling.verdict.name()));
            }
            Event::Held { case, .. } | Event::Advanced { case, .. } => self.case(case, terms),
            Event::Concluded { case, conclusion } => {
                self.case(case, terms);
                terms.push(Term::word(Dimension::Outcome, &word_of(conclusion)));
            }
            Event::Escalated { case, .. } => {
                case.iter().for_each(|case| self.case(case, terms));
                self.remember(record.seq, terms);
            }
            Event::Notified { notice } => {
                notice.case.iter().for_each(|case| self.case(case, terms));
                self.remember(record.seq, terms);
            }
            Event::Delivered { notice: named, .. }
            | Event::Raised { page: named, .. }
            | Event::Acknowledged { page: named, .. } => {
                terms.extend(self.known.get(named).into_iter().flatten());
            }
            Event::Intended { intent } => {
                self.recall(Dimension::Episode, intent.episode, terms);
                terms.push(Term::seq(Dimension::Intent, record.seq));
                terms.push(Term::text(Dimension::Policy, &intent.policy));
                target(&intent.target, terms);
                terms.extend(intent.reverts.map(|of| Term::seq(Dimension::Intent, of)));
                self.remember(record.seq, terms);
            }
            Event::Ended { intent, outcome } => {
                self.recall(Dimension::Intent, *intent, terms);
                terms.push(Term::word(Dimension::Outcome, outcome.name()));
            }
            Event::Verified { intent, verdict, .. } => {
                self.recall(Dimension::Intent, *intent, terms);
                terms.push(Term::word(Dimension::Verdict, verdict_word(*verdict)));
            }
            Event::Looked { intent, .. }
            | Event::RevertDropped { intent, .. }
            | Event::RevertHeld { intent, .. } => self.recall(Dimension::Intent, *intent, terms),
            Event::RevertOrdered { intent, of, .. } => {
                self.recall(Dimension::Intent, *intent, terms);
                if let Some(of) = of {
                    // Older than what is remembered.
                    terms.push(Term::seq(Dimension::Episode, of.episode));
                    terms.push(Term::text(Dimension::Policy, &of.policy));
                    target(&of.target, terms);
                    self.remember(*intent, terms);
                }
            }
            Event::Approved { proposal, .. }
            | Event::Denied { proposal, .. }
            | Event::Lapsed { proposal } => {
                terms.extend(self.known.get(proposal).into_iter().flatten());
            }
            Event::Paused { scope, .. } | Event::Resumed { scope, .. } => match scope {
                PauseScope::Everything => {}
                PauseScope::Namespace(name) => terms.push(Term::text(Dimension::Namespace, name)),
                PauseScope::Policy(name) => terms.push(Term::text(Dimension::Policy, name)),
                PauseScope::Target(named) => target(named, terms),
            },
            Event::Quarantined { policy, .. } => terms.push(Term::text(Dimension::Policy, policy)),
            // Whoever reads an episode finds what came late for it.
            Event::Received { ignored, .. } => {
                let episodes = ignored.listed.iter().filter_map(|late| late.episode);
                episodes.for_each(|episode| self.recall(Dimension::Episode, episode, terms));
            }
            Event::OrderRefused { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    fn case(&self, case: &CaseId, terms: &mut Vec<Term>) {
        self.recall(Dimension::Episode, case.episode, terms);
        terms.push(Term::text(Dimension::Policy, &case.policy));
    }

    /// Adds what is known of `seq`, and `seq` itself.
    fn recall(&self, dimension: Dimension, seq: Seq, terms: &mut Vec<Term>) {
        terms.push(Term::seq(dimension, seq));
        terms.extend(self.known.get(&seq).into_iter().flatten());
    }

    /// Remembers these terms under `seq`, less the first, which is the record's kind.
    fn remember(&mut self, seq: Seq, terms: &[Term]) {
        self.known.insert(seq, terms[1..].into());
    }
}

fn labelled(labels: &Labels, terms: &mut Vec<Term>) {
    let named = labels.get("alertname").map_or("-", String::as_str);
    terms.push(Term::text(Dimension::Alert, named));
    for label in ["namespace", "exported_namespace"] {
        terms.extend(labels.get(label).map(|name| Term::text(Dimension::Namespace, name)));
    }
}

fn target(target: &Target, terms: &mut Vec<Term>) {
    terms.push(Term::text(Dimension::Target, &target.to_string()));
    if !target.namespace.is_empty() {
        terms.push(Term::text(Dimension::Namespace, &target.namespace));
    }
}

/// The word under which a verification's verdict is found, as in its JSON.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Helped => "helped",
        Verdict::DidNotHelp => "didNotHelp",
        Verdict::Unknown => "unknown",
    }
}

/// A unit variant's name, as in its JSON.
fn word_of(variant: &impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}
