//! Reads the values that have a syntax of their own: matchers, templates, queries, comparisons, targets' kinds.

use std::collections::BTreeMap;

use crate::comparison::Comparison;
use crate::load::fields::{Fields, Walk};
use crate::load::problem::Malformed;
use crate::load::yaml::{Node, Position, Tree, printable};
use crate::matcher::Matcher;
use crate::policy::{Condition, Empty, TargetSpec};
use crate::promql::Query;
use crate::target::{Origin, is_dns_label, is_dns_subdomain};
use crate::template::{Scope, Template};

/// What a template may name besides `labels` and `vars`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// `let` only: a target cannot be named by itself.
    NameTarget,
    /// `let` and `target`.
    NameAll,
}

impl Walk {
    pub(crate) fn template(&mut self, tree: &Tree, what: &str, may: May) -> Option<Template> {
        // `{{ labels.x }}` without quotes is a flow mapping with a mapping as its key.
        if let Node::Map(_) = tree.node {
            self.error(
                tree.at,
                format!("`{what}` must be text, found a mapping"),
                format!("a template needs quotes: {what}: \"{{{{ labels.NAME }}}}\""),
            );
            return None;
        }
        let text = self.text(tree, what)?;
        let template = self.take(tree.at, what, Template::parse(text))?;
        self.names(tree.at, what, &template, may).then_some(template)
    }

    pub(crate) fn query(&mut self, tree: &Tree, what: &str) -> Option<Query> {
        let text = self.text(tree, what)?;
        let query = self.take(tree.at, what, Query::parse(text))?;
        self.names(tree.at, what, &query.template, May::NameAll).then_some(query)
    }

    /// Whether every name that a template uses can be there.
    fn names(&mut self, at: Position, what: &str, template: &Template, may: May) -> bool {
        let mut fine = true;
        for name in &template.uses {
            if let Some(variable) = name.strip_prefix("vars.") {
                if !self.vars.contains_key(variable) {
                    self.warn(
                        at,
                        format!("`{what}` uses `{name}`, which the configuration does not set: it will be withheld"),
                        format!("set `{variable}` under `vars` in the configuration"),
                    );
                }
            } else if let Some(variable) = name.strip_prefix("let.") {
                if !self.lets.contains(variable) {
                    let known: Vec<&str> = self.lets.iter().map(String::as_str).collect();
                    let hint = match crate::load::nearest::nearest(variable, known) {
                        Some(near) => format!("did you mean `let.{near}`?"),
                        None => "declare it under `let`, before it is used".to_owned(),
                    };
                    self.error(at, format!("`{what}` uses `{name}`, which is not declared"), hint);
                    fine = false;
                }
            } else if name.starts_with("target.") && may == May::NameTarget {
                self.error(
                    at,
                    format!("`{what}` cannot use `{name}`"),
                    "a target cannot be named by itself; use labels or vars",
                );
                fine = false;
            }
        }
        fine
    }

    pub(crate) fn matchers(&mut self, tree: &Tree, what: &str) -> Option<Vec<(Matcher, Position)>> {
        self.each(tree, what, |walk, item, what| {
            if let Node::Map(_) = item.node {
                walk.error(
                    item.at,
                    format!("`{what}` must be text, found a mapping"),
                    "quote the matcher: - 'alertname=\"HighErrorRate\"'",
                );
                return None;
            }
            let text = walk.text(item, what)?;
            let vars = &walk.vars;
            let read = Matcher::parse_filled(text, &mut walk.regexes, |value| filled(value, vars));
            Some((walk.take(item.at, what, read)?, item.at))
        })
    }

    pub(crate) fn comparison(&mut self, tree: &Tree, what: &str) -> Option<Comparison> {
        if let Node::Number(_, written) = &tree.node {
            self.error(
                tree.at,
                format!("`{what}` needs a relation, found the number {written}"),
                format!("such as \"> {written}\" or \"== {written}\""),
            );
            return None;
        }
        let text = self.text(tree, what)?;
        self.take(tree.at, what, text.parse())
    }

    pub(crate) fn empty(&mut self, tree: &Tree, what: &str) -> Option<Empty> {
        match &tree.node {
            Node::Text(word) if word == "unknown" => Some(Empty::Unknown),
            Node::Number(number, _) => number.as_f64().map(Empty::Is),
            _ => {
                self.error(
                    tree.at,
                    format!("`{what}` must be `unknown` or a number, found {}", tree.describe()),
                    "`unknown` withholds when no series is there; `0` takes none for zero",
                );
                None
            }
        }
    }

    pub(crate) fn condition(&mut self, tree: &Tree, what: &str) -> Option<Condition> {
        let mut fields = Fields::open(self, tree, what, "ConditionDocument")?;
        let query = fields
            .need(self, "query", "write the PromQL whose value is compared")
            .and_then(|t| self.query(t, "query"));
        let is = fields
            .need(self, "is", "say what the value must satisfy, such as \"> 1\"")
            .and_then(|t| self.comparison(t, "is"));
        let empty = fields.or(self, "empty", Empty::Unknown, Self::empty);
        fields.close(self);
        Some(Condition { query: query?, is: is?, empty: empty? })
    }

    pub(crate) fn target(&mut self, tree: &Tree, what: &str) -> Option<TargetSpec> {
        let mut fields = Fields::open(self, tree, what, "TargetDocument")?;
        let from = fields.get("from");
        let (kind, namespace, name) = (fields.get("kind"), fields.get("namespace"), fields.get("name"));
        let spec = match from {
            Some(from) => {
                for key in ["kind", "namespace", "name"] {
                    if fields.key_at(key).is_some() {
                        self.error(
                            fields.at_key(key),
                            format!("`{what}` has both `from` and `{key}`"),
                            "with `from` the owner is looked up; its namespace stands inside `from`",
                        );
                    }
                }
                self.from(from)
            }
            None => {
                let usage = "name it by `kind`, `namespace` and `name`, or look its owner up by `from: {pod: ..., namespace: ...}`";
                for (key, value) in [("kind", kind), ("namespace", namespace), ("name", name)] {
                    if value.is_none() {
                        self.error(fields.at_key(key), format!("`{what}` has no `{key}`"), usage);
                    }
                }
                let kind = kind.and_then(|tree| self.kind(tree));
                let namespace = namespace.and_then(|tree| self.named(tree, "namespace"));
                let name = name.and_then(|tree| self.named(tree, "name"));
                match (kind, namespace, name) {
                    (Some(kind), Some(namespace), Some(name)) => {
                        Some(TargetSpec::Named { kind, namespace, name })
                    }
                    _ => None,
                }
            }
        };
        fields.close(self);
        spec
    }

    fn from(&mut self, tree: &Tree) -> Option<TargetSpec> {
        let mut fields = Fields::open(self, tree, "from", "FromDocument")?;
        let origins = [("pod", Origin::Pod), ("service", Origin::Service), ("node", Origin::Node)];
        let given: Vec<_> =
            origins.into_iter().filter_map(|(key, origin)| Some((key, origin, fields.get(key)?))).collect();
        let namespace = fields.maybe(self, "namespace", Self::named);
        let spec = match given.as_slice() {
            [(key, origin, tree)] => {
                let name = self.named(tree, key);
                let node = *origin == Origin::Node;
                if node == fields.key_at("namespace").is_some() {
                    let (message, hint) = if node {
                        ("a node has no `namespace`", "remove it")
                    } else {
                        (
                            "`from` has no `namespace`",
                            "a missing namespace is never taken for `default`; such as namespace: \"{{ labels.namespace }}\"",
                        )
                    };
                    self.error(fields.at_key("namespace"), message, hint);
                    None
                } else {
                    match (name, namespace) {
                        (Some(name), Some(namespace)) => {
                            Some(TargetSpec::OwnerOf { origin: origin.clone(), namespace, name })
                        }
                        _ => None,
                    }
                }
            }
            [] => {
                self.error(fields.at, "`from` names nothing", "give one of `pod`, `service` and `node`");
                None
            }
            [_, (key, ..), ..] => {
                self.error(
                    fields.at_key(key),
                    "`from` names more than one thing",
                    "keep one of `pod`, `service` and `node`",
                );
                None
            }
        };
        fields.close(self);
        spec
    }

    /// The template of a Kubernetes name; where it is literal it must be one already.
    fn named(&mut self, tree: &Tree, what: &str) -> Option<Template> {
        let template = self.template(tree, what, May::NameTarget)?;
        let good = if what == "namespace" {
            is_dns_label(&template.source)
        } else {
            is_dns_subdomain(&template.source)
        };
        if template.is_literal() && !good {
            self.error(
                tree.at,
                format!("`{what}`: `{}` is not a Kubernetes name", printable(&template.source)),
                "lower-case letters, digits and `-`; or a template such as \"{{ labels.namespace }}\"",
            );
            return None;
        }
        Some(template)
    }

    fn kind(&mut self, tree: &Tree) -> Option<String> {
        let kind = self.text(tree, "kind")?;
        let known = [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "Service",
            "Node",
            "ConfigMap",
            "Pod",
            "Namespace",
        ];
        let near = crate::load::nearest::nearest(kind, known);
        let usage = "Deployment, StatefulSet, DaemonSet, Service, or Kind.group such as Rollout.argoproj.io";
        match near {
            Some(near) if near != kind && !kind.contains('.') => {
                self.error(
                    tree.at,
                    format!("`kind`: `{kind}` is not known"),
                    format!("did you mean `{near}`?"),
                );
                None
            }
            None if kind.contains("{{") => {
                self.error(tree.at, "`kind` cannot be a template", usage);
                None
            }
            _ if !known.contains(&kind) && !is_kind(kind) => {
                self.error(tree.at, format!("`kind`: `{}` is not known", printable(kind)), usage);
                None
            }
            _ => Some(kind.to_owned()),
        }
    }

    /// A base URL: http or https, with a host, without query and fragment.
    pub(crate) fn base_url(&mut self, tree: &Tree, what: &str) -> Option<String> {
        let text = self.text(tree, what)?;
        let url = text.trim_end_matches('/').to_owned();
        let read = crate::url::check(text)
            .map_err(|problem| Malformed::new(problem, "such as http://maestro.prod.svc:8080"))
            .and_then(|()| match text.contains(['?', '#']) {
                true => Err(Malformed::new(
                    format!("`{text}` has a query or fragment"),
                    "a base URL ends with its path",
                )),
                false => Ok(url),
            });
        self.take(tree.at, what, read)
    }
}

/// Whether `text` may be a kind with its group, such as `Rollout.argoproj.io`.
fn is_kind(text: &str) -> bool {
    let Some((kind, group)) = text.split_once('.') else { return false };
    kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.len() <= 63
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && is_dns_subdomain(group)
}

/// The value of a matcher, with `vars` put in. What an alert must be is known before there is one, so nothing else may
/// stand there, and a variable that is not set is no matcher at all.
fn filled(value: String, vars: &BTreeMap<String, String>) -> Result<String, Malformed> {
    if !value.contains("{{") {
        return Ok(value);
    }
    let template = Template::parse(&value)?;
    if let Some(other) = template.uses.iter().find(|used| !used.starts_with("vars.")) {
        let problem = format!("a matcher cannot use `{other}`");
        return Err(Malformed::new(problem, "it may use `vars` of the configuration"));
    }
    let scope = Scope { labels: &BTreeMap::new(), vars, lets: &BTreeMap::new(), target: None };
    template.render(&scope).map_err(|error| {
        let hint = "set it under `vars` in the configuration: without it nobody knows which alerts are meant";
        Malformed::new(error.to_string(), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::is_kind;

    #[test]
    fn a_kind_has_a_capital_letter_and_a_group() {
        for good in ["Rollout.argoproj.io", "A.b", &format!("{}.example.org", "A".repeat(63))] {
            assert!(is_kind(good), "{good}");
        }
        for bad in [
            "Rollout",
            "rollout.argoproj.io",
            "Roll-out.argoproj.io",
            "Rollout.",
            "Rollout.Argo",
            ".argoproj.io",
            &format!("{}.example.org", "A".repeat(64)),
        ] {
            assert!(!is_kind(bad), "{bad}");
        }
    }
}
