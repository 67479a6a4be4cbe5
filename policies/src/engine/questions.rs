//! Which facts a case needs, and which of them can be asked for now. A question that cannot even be formed, since
//! a template has no value, is a refusal of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Mode, Wish};
use crate::answer::Found;
use crate::engine::rule::Inquiry;
use crate::guard::lets;
use crate::policy::{Check, TargetSpec};
use crate::promql::Query;
use crate::question::{Ask, Fact};
use crate::reason::Reason;
use crate::target::{Sought, Target};
use crate::template::{Scope, Template, TemplateError};

/// What is known of a target at some point of a round.
pub(super) enum Aim {
    /// It is this one.
    Known(Target),
    /// It cannot be named.
    Bad(Reason),
    /// Another fact comes first.
    Pending,
    /// It must be looked up.
    Sought(Sought),
}

/// The questions of a round.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// To be asked.
    pub(super) asks: Vec<(Fact, Ask)>,
    /// Those that cannot be formed.
    pub(super) unaskable: BTreeMap<Fact, Reason>,
}

impl Questions {
    fn put(&mut self, fact: Fact, ask: Result<Ask, Reason>) {
        match ask {
            Ok(ask) => self.asks.push((fact, ask)),
            Err(reason) => {
                self.unaskable.insert(fact, reason);
            }
        }
    }
}

impl<'a> Inquiry<'a> {
    /// What `let:` has found so far in this round. What an earlier one found says nothing of now.
    pub fn lets(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for wanted in &self.policy.lets {
            let fact = self.case.facts.get(&Fact::Let(wanted.name.clone()));
            if let Some(Found::Series(series)) = fact.map(|known| &known.found)
                && let Ok(value) = lets::value(wanted, series)
            {
                found.insert(wanted.name.clone(), value.to_owned());
            }
        }
        found
    }

    fn scope<'s>(&'s self, lets: &'s BTreeMap<String, String>, target: Option<&'s Target>) -> Scope<'s> {
        Scope { labels: &self.episode.labels, vars: &self.book.settings().vars, lets, target }
    }

    fn target_spec(&self) -> &'a TargetSpec {
        self.step().target.as_ref().unwrap_or(&self.policy.target)
    }

    /// The labels that name the target; none where more than labels does.
    pub(super) fn labels_of_target(&self) -> Option<BTreeSet<String>> {
        let templates = self.target_spec().templates();
        let uses = templates.into_iter().flat_map(|template| &template.uses);
        let names = uses.filter(|name| !name.starts_with("vars."));
        names.map(|name| name.strip_prefix("labels.").map(str::to_owned)).collect()
    }

    /// What is known of the target so far.
    pub(super) fn aim(&self) -> Aim {
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
    pub(super) fn questions(&self, aim: &Aim, mode: Mode) -> Questions {
        let lets = self.lets();
        let target = match aim {
            Aim::Known(target) => Some(target),
            Aim::Bad(_) | Aim::Pending | Aim::Sought(_) => None,
        };
        let scope = self.scope(&lets, target);
        let mut questions = Questions::default();
        let is_alert = self.episode.by_hand.is_none();
        if self.book.settings().guards.confirmation && is_alert && !self.case.rung_begun {
            questions.put(Fact::Confirmation, self.confirmation());
        }
        for wanted in &self.policy.lets {
            if !lacks_let(&wanted.query.template, &lets) {
                questions.put(Fact::Let(wanted.name.clone()), query(&wanted.query, &scope));
            }
        }
        if let Aim::Sought(sought) = aim {
            questions.put(Fact::Target, Ok(Ask::Seek { sought: sought.clone() }));
        }
        for (index, condition) in self.policy.when.iter().enumerate() {
            let template = &condition.query.template;
            if !lacks_let(template, &lets) && (target.is_some() || !uses(template, "target.")) {
                questions.put(Fact::When(index), query(&condition.query, &scope));
            }
        }
        if let Some(target) = target {
            let ask = |wish| Ask::Preflight { target: target.clone(), wish, diff: mode != Mode::Enforce };
            let wish = self.step().remediation.wish(&scope).map(|wish| self.with_own_queries(wish, &scope));
            questions.put(Fact::Preflight, wish.map(ask));
        }
        let answered = |fact: &Fact| self.case.facts.contains_key(fact);
        questions.asks.retain(|(fact, _)| !answered(fact));
        questions
    }

    /// Evidence is collected for the queries by which the policy decides and verifies, too. One that has no value yet is
    /// left out here: where it is needed, it refuses.
    fn with_own_queries(&self, wish: Wish, scope: &Scope<'_>) -> Wish {
        let Wish::CollectEvidence(wish) = wish else { return wish };
        let verified = self.policy.ladder.get(self.case.rung).into_iter().flat_map(|rung| &rung.steps);
        let verified = verified.filter_map(|step| match step.verify.as_ref().map(|verify| &verify.check) {
            Some(Check::Query(condition)) => Some(&condition.query),
            Some(Check::Http { .. } | Check::Rollout) | None => None,
        });
        let own = self.policy.when.iter().map(|condition| &condition.query).chain(verified);
        Wish::CollectEvidence(wish.and(own.filter_map(|query| query.render(scope).ok())))
    }

    /// Prometheus must show the alert firing with the labels that matchers and templates used. Labels that only
    /// the sender adds (the cluster's, a replica's) are not on `ALERTS`.
    fn confirmation(&self) -> Result<Ask, Reason> {
        let settings = self.book.settings();
        let foreign = |name: &str| {
            name == settings.cluster.label
                || settings.episodes.dropped_labels.iter().any(|label| label == name)
        };
        let mut used: BTreeSet<String> = self.policy.labels_used();
        used.insert("alertname".to_owned());
        let shown = self.episode.labels.iter().filter(|(name, _)| used.contains(*name) && !foreign(name));
        let mut matchers = vec!["alertstate=\"firing\"".to_owned()];
        for (name, value) in shown {
            if !is_classic_label_name(name) {
                let problem = format!("the label {name:?} is used, and PromQL cannot ask for it unquoted");
                return Err(Reason::BadValue { what: "confirmation".to_owned(), problem });
            }
            matchers.push(format!("{name}={}", quoted(value)));
        }
        Ok(Ask::Query { promql: format!("ALERTS{{{}}}", matchers.join(",")) })
    }

    /// The question of the step's verification, where it has one and its templates have values: those with which it
    /// was done.
    pub(super) fn verification(&self, target: &Target) -> Result<Option<Ask>, String> {
        let Some(verify) = &self.step().verify else { return Ok(None) };
        let scope = self.scope(&self.case.lets, Some(target));
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
}

fn query(query: &Query, scope: &Scope<'_>) -> Result<Ask, Reason> {
    let bad =
        |error: TemplateError| Reason::BadValue { what: "query".to_owned(), problem: error.to_string() };
    query.render(scope).map(|promql| Ask::Query { promql }).map_err(bad)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_every_promql_takes_are_asked_for() {
        for name in ["zone", "_zone", "__name__", "Z9", "a_b"] {
            assert!(is_classic_label_name(name), "{name}");
        }
        for name in ["", "9a", "zone.name", "zone-name", "\u{e9}tat"] {
            assert!(!is_classic_label_name(name), "{name}");
        }
    }

    #[test]
    fn a_value_stays_one_literal() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
