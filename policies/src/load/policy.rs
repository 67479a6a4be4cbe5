//! Reads one policy document.

use std::collections::BTreeSet;

use crate::action::Mode;
use crate::load::document::{API_VERSION, KIND};
use crate::load::fields::{Fields, Walk};
use crate::load::nearest;
use crate::load::steps::{MODES, Under};
use crate::load::yaml::{Node, Position, Tree, printable};
use crate::matcher::{Matcher, Operator};
use crate::policy::{Guards, Let, OnFailure, Place, Policy, TargetSpec};
use crate::target::is_dns_subdomain;
use crate::template::Template;
use crate::time::Span;

/// A policy and where its parts stand, for the doubts that follow.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) policy: Policy,
    pub(crate) name_at: Position,
    pub(crate) match_at: Position,
    pub(crate) unless_at: Position,
    pub(crate) steps_at: Position,
}

impl Walk {
    /// The policy of one document; `None` when anything is wrong with it.
    pub(crate) fn policy(&mut self, document: &Tree) -> Option<Written> {
        let before = self.errors();
        self.lets = BTreeSet::new();
        let mut fields = Fields::open(self, document, "document", "RemediationPolicy")?;
        let usage = format!("every policy begins with apiVersion: {API_VERSION} and kind: {KIND}");
        for (key, only) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            if let Some(tree) = fields.need(self, key, &usage)
                && tree.node != Node::Text(only.to_owned())
            {
                self.error(tree.at, format!("`{key}` is {}, not `{only}`", tree.describe()), usage.clone());
            }
        }
        let metadata = fields
            .need(self, "metadata", "such as metadata: {name: web-errors}")
            .and_then(|tree| self.metadata(tree));
        let spec = fields.need(self, "spec", "what the policy does; see the policy reference");
        fields.close(self);
        let (name, name_at) = metadata.unwrap_or((String::new(), document.at));
        let written = spec.and_then(|spec| self.spec(spec, name, name_at));
        written.filter(|_| self.errors() == before)
    }

    fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error()).count()
    }

    fn metadata(&mut self, tree: &Tree) -> Option<(String, Position)> {
        let mut fields = Fields::open(self, tree, "metadata", "Metadata")?;
        let name = fields.need(self, "name", "a unique name, such as name: web-errors").and_then(|tree| {
            let name = self.text(tree, "name")?;
            if !is_dns_subdomain(name) {
                self.error(
                    tree.at,
                    format!("`name`: `{}` is not a Kubernetes name", printable(name)),
                    "lower-case letters, digits, `-` and `.`, such as web-errors",
                );
                return None;
            }
            Some((name.to_owned(), tree.at))
        });
        for key in ["labels", "annotations"] {
            if let Some(tree) = fields.get(key) {
                for entry in self.pairs(tree, key).unwrap_or_default() {
                    if !matches!(entry.value.node, Node::Text(_)) {
                        self.text(&entry.value, &entry.key);
                    }
                }
            }
        }
        fields.close(self);
        name
    }

    fn spec(&mut self, tree: &Tree, name: String, name_at: Position) -> Option<Written> {
        let mut fields = Fields::open(self, tree, "spec", "Spec")?;
        let description = fields.or(self, "description", String::new(), |walk, tree, what| {
            walk.text(tree, what).map(str::to_owned)
        });
        let mode = fields.or(self, "mode", Mode::DryRun, |walk, tree, what| walk.choice(tree, what, &MODES));
        let priority = fields.or(self, "priority", 0, |walk, tree, what| {
            walk.count(tree, what, -1_000_000, 1_000_000).and_then(|priority| i32::try_from(priority).ok())
        });
        let by_hand = fields.key_at("match").is_none();
        let matchers = fields.or(self, "match", Vec::new(), Self::matchers);
        if !by_hand && matchers.as_ref().is_some_and(Vec::is_empty) {
            self.error(
                fields.at_key("match"),
                "`match` is empty",
                "say which alerts it is for; without the key `match` it is only run by hand, by `paramedic run`",
            );
        }
        if by_hand && fields.key_at("for").is_some() {
            self.error(
                fields.at_key("for"),
                "`for` without `match`",
                "no alert starts this policy, so there is none that must last; remove `for`, or say by `match` for which \
                 alerts it is",
            );
        }
        let unless = fields.or(self, "unless", Vec::new(), Self::matchers);
        let wait = fields.or(self, "for", Span::ZERO, Self::span);
        // Before everything that may use them.
        let lets = fields.or(self, "let", Vec::new(), Self::lets);
        let target = fields
            .need(self, "target", "what it acts on, such as target: {kind: Deployment, namespace: \"{{ labels.namespace }}\", name: \"{{ labels.deployment }}\"}")
            .and_then(|tree| self.target(tree, "target"));
        if let (Some(target), Some(lets)) = (&target, &lets) {
            self.circle(fields.at_key("target"), target, lets);
        }
        let when =
            fields.or(self, "when", Vec::new(), |walk, tree, what| walk.each(tree, what, Self::condition));
        let under = Under { mode, target: target.as_ref() };
        let ladder = self.rungs(&mut fields, under);
        let guards = fields.or(self, "guards", Guards::default(), Self::guards);
        let on_failure = fields.or(self, "onFailure", OnFailure::default(), Self::on_failure);
        if let (Some(Mode::Enforce), Some(matchers)) = (mode, &matchers)
            && !matchers.is_empty()
            && !matchers.iter().any(|(matcher, _)| names_alert(matcher))
        {
            self.error(
                fields.at_key("mode"),
                "`mode: enforce` without an equality matcher on `alertname`",
                "add 'alertname=\"...\"' to `match`: what acts by itself must say for which alert",
            );
        }
        let match_at = fields.at_key("match");
        let unless_at = fields.at_key("unless");
        let steps_at = fields.key_at("ladder").unwrap_or_else(|| fields.at_key("sequence"));
        fields.close(self);
        let bare =
            |matchers: Vec<(Matcher, Position)>| matchers.into_iter().map(|(matcher, _)| matcher).collect();
        let place = Place { file: self.file.clone(), line: name_at.line };
        let policy = Policy {
            name,
            description: description?,
            mode: mode?,
            priority: priority?,
            matchers: bare(matchers?),
            unless: bare(unless?),
            wait: wait?,
            target: target?,
            lets: lets?,
            when: when?,
            ladder: ladder?,
            guards: guards?,
            on_failure: on_failure?,
            place,
        };
        Some(Written { policy, name_at, match_at, unless_at, steps_at })
    }

    /// A target named by what is found about the target would never be known.
    fn circle(&mut self, at: Position, target: &TargetSpec, lets: &[Let]) {
        let found = target.templates().into_iter().any(|template| uses(template, "let."));
        if let Some(about) = lets.iter().find(|one| found && uses(&one.query.template, "target.")) {
            self.error(
                at,
                format!("`target` is named by `let`, and `let.{}` asks about the target", about.name),
                "use labels in one of them",
            );
        }
    }

    fn lets(&mut self, tree: &Tree, what: &str) -> Option<Vec<Let>> {
        let entries = self.pairs(tree, what)?;
        let mut lets = Vec::new();
        for entry in entries {
            let mut fields = Fields::open(self, &entry.value, &format!("let.{}", entry.key), "LetDocument")?;
            let query = fields
                .need(self, "query", "the PromQL whose one series is taken")
                .and_then(|tree| self.query(tree, "query"));
            let label = fields
                .need(self, "label", "the label of that series whose value is taken")
                .and_then(|tree| self.text(tree, "label"));
            fields.close(self);
            let simple = entry.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !simple {
                self.error(
                    entry.key_at,
                    format!("`{}` cannot name a value", entry.key),
                    "letters, digits and `_`, so that it can be used as `{{ let.NAME }}`",
                );
            }
            // Declared even when its query is wrong, so that its uses are not reported as well.
            self.lets.insert(entry.key.clone());
            lets.push(query.zip(label).map(|(query, label)| Let {
                name: entry.key.clone(),
                query,
                label: label.to_owned(),
            }));
        }
        lets.into_iter().collect()
    }
}

fn uses(template: &Template, prefix: &str) -> bool {
    template.uses.iter().any(|name| name.starts_with(prefix))
}

/// Whether a matcher says for which alert by name.
pub(crate) fn names_alert(matcher: &Matcher) -> bool {
    matcher.name == "alertname" && matcher.operator == Operator::Equal && !matcher.value.is_empty()
}

/// What other kinds of documents are told.
pub(crate) fn is_policy(document: &Tree) -> Result<(), String> {
    match document.get("kind").map(|kind| &kind.node) {
        Some(Node::Text(kind)) if kind == "Configuration" => {
            Err("a Configuration belongs to `--config`, not among the policies".to_owned())
        }
        Some(Node::Text(kind)) if kind != KIND => Err(match nearest::nearest(kind, [KIND]) {
            Some(near) => format!("did you mean `kind: {near}`?"),
            None => format!("only `kind: {KIND}` can stand among the policies"),
        }),
        _ => Ok(()),
    }
}
