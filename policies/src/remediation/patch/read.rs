//! Reads a `patch` as people write it. Must never let through a field, a name or a value beyond its bounds.

use std::collections::BTreeMap;

use super::{Amount, Field, Limited, More, SwitchPlace, Written, is_label_value};
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Tree};
use crate::quantity::Quantity;
use crate::target::{is_dns_label, is_dns_subdomain};
use crate::template::Template;
use crate::time::Span;

/// A factor above this is no correction.
const TIMES_MAX: u32 = 3_000;

/// A switch is a word, not a document.
const VALUE_CHARS_MAX: usize = 256;

/// An Ingress with more paths than this is no place for one limit.
const PATHS_MAX: usize = 32;

/// The ConfigMap of ingress-nginx as its chart names it.
const CONTROLLER: &str = "ingress-nginx/ingress-nginx-controller";

/// Domains whose annotations make Kubernetes or its tools do something.
const ACTING: [&str; 9] = [
    "kubernetes.io",
    "k8s.io",
    "paramedic.dev",
    "argoproj.io",
    "fluxcd.io",
    "helm.sh",
    "cert-manager.io",
    "istio.io",
    "keda.sh",
];

pub(super) fn written(walk: &mut Walk, tree: &Tree) -> Option<Written> {
    let mut fields = Fields::open(walk, tree, "patch", "PatchDocument")?;
    let given: Vec<(&str, &Tree)> = ["resources", "rateLimit", "selector", "switch"]
        .into_iter()
        .filter_map(|key| Some((key, fields.get(key)?)))
        .collect();
    let lasts = fields.maybe(walk, "for", |walk, tree, what| match walk.span(tree, what)? {
        Span::ZERO => {
            walk.error(tree.at, "`for` cannot be 0s", "such as for: 2h");
            None
        }
        span => Some(span),
    });
    let at = fields.at;
    fields.close(walk);
    let [(key, body)] = given[..] else {
        walk.error(
            at,
            format!(
                "`patch` needs exactly one of `resources`, `rateLimit`, `selector` and `switch`, found {}",
                given.len()
            ),
            "such as patch: {switch: {key: maintenance, to: \"on\"}, for: 2h}",
        );
        return None;
    };
    let field = match key {
        "resources" => resources(walk, body),
        "rateLimit" => rate_limit(walk, body),
        "selector" => selector(walk, body),
        _ => switch(walk, body),
    }?;
    let lasts = lasts?;
    if matches!(field, Field::RateLimit { .. }) && lasts.is_none() {
        walk.error(
            at,
            "`patch` with `rateLimit` has no `for`",
            "say when the old limit returns, such as for: 30m",
        );
        return None;
    }
    Some(Written { field, lasts })
}

fn resources(walk: &mut Walk, tree: &Tree) -> Option<Field<Template>> {
    let mut fields = Fields::open(walk, tree, "resources", "ResourcesDocument")?;
    let container = fields
        .need(walk, "container", "the container's name, such as \"{{ labels.container }}\"")
        .and_then(|tree| {
            let template = walk.template(tree, "container", May::NameAll)?;
            if template.is_literal() && !is_dns_label(&template.source) {
                walk.error(
                    tree.at,
                    "`container` is not a container's name",
                    "lower-case letters, digits and `-`",
                );
                return None;
            }
            Some(template)
        });
    let mut amounts = BTreeMap::new();
    let mut fine = true;
    for part in ["limits", "requests"] {
        let Some(tree) = fields.get(part) else { continue };
        let Some(mut inner) = Fields::open(walk, tree, part, "AmountsDocument") else {
            fine = false;
            continue;
        };
        for resource in ["cpu", "memory"] {
            let Some(tree) = inner.get(resource) else { continue };
            let amount = Amount::ALL.into_iter().find(|amount| amount.keys() == (part, resource));
            match (amount, more(walk, tree, resource)) {
                (Some(amount), Some(more)) => {
                    amounts.insert(amount, more);
                }
                (_, None) | (None, _) => fine = false,
            }
        }
        inner.close(walk);
    }
    let at = fields.at;
    fields.close(walk);
    if fine && amounts.is_empty() {
        walk.error(
            at,
            "`resources` says nothing to change",
            "such as limits: {memory: {times: 1.5, max: 16Gi}}",
        );
        return None;
    }
    Some(Field::Resources { container: container.filter(|_| fine)?, amounts })
}

fn more(walk: &mut Walk, tree: &Tree, what: &str) -> Option<More> {
    let mut fields = Fields::open(walk, tree, what, "MoreDocument")?;
    let times = fields.maybe(walk, "times", times);
    let max = fields.maybe(walk, "max", quantity);
    let least = fields.maybe(walk, "atLeast", quantity);
    let at = fields.at;
    fields.close(walk);
    match (times?, max?, least?) {
        (Some(thousandths), Some(max), None) => Some(More::Times { thousandths, max }),
        (None, None, Some(least)) => Some(More::AtLeast(least)),
        (Some(_), None, None) => {
            walk.error(at, "`times` without `max` could grow without end", "add max, such as max: 16Gi");
            None
        }
        _ => {
            walk.error(
                at,
                format!("`{what}` needs either `times` with `max`, or `atLeast`"),
                "such as {times: 1.5, max: 16Gi}, or {atLeast: 8Gi}",
            );
            None
        }
    }
}

/// A factor, in thousandths.
fn times(walk: &mut Walk, tree: &Tree, what: &str) -> Option<u32> {
    let read = match &tree.node {
        Node::Number(_, written) => written.parse::<Quantity>().ok().and_then(Quantity::thousandths),
        Node::Text(_) | Node::Bool(_) | Node::Map(_) | Node::List(_) | Node::Null => None,
    };
    let read = read.filter(|times| (1_001..=TIMES_MAX).contains(times));
    if read.is_none() {
        let message = format!("`{what}` must be a number above 1 and up to 3, found {}", tree.describe());
        walk.error(tree.at, message, "such as times: 1.5");
    }
    read
}

fn quantity(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Quantity> {
    let text = walk.text(tree, what)?;
    match text.parse::<Quantity>() {
        Ok(quantity) if quantity > Quantity::ZERO => Some(quantity),
        Ok(_) => {
            walk.error(tree.at, format!("`{what}` cannot be zero"), "such as 500m or 16Gi");
            None
        }
        Err(error) => {
            walk.error(tree.at, format!("`{what}`: {error}"), "as in Kubernetes, such as 500m or 16Gi");
            None
        }
    }
}

fn rate_limit(walk: &mut Walk, tree: &Tree) -> Option<Field<Template>> {
    let words =
        [Limited::LimitRps, Limited::LimitRpm, Limited::LimitConnections].map(|one| (one.name(), one));
    let mut fields = Fields::open(walk, tree, "rateLimit", "RateLimitDocument")?;
    let limited =
        fields.or(walk, "annotation", Limited::LimitRps, |walk, tree, what| walk.choice(tree, what, &words));
    let at_most = fields
        .need(walk, "atMost", "how many each client address may, such as atMost: 5")
        .and_then(|tree| walk.unsigned(tree, "atMost", 1, 1_000_000));
    let paths = fields
        .need(walk, "paths", "all that the Ingress may serve, such as paths: [/login, /oauth]")
        .and_then(|tree| {
            let paths = walk.each(tree, "paths", |walk, tree, what| {
                let text = walk.text(tree, what)?;
                if text.starts_with('/') {
                    return Some(text.to_owned());
                }
                walk.error(tree.at, format!("`{what}`: `{text}` does not begin with `/`"), "such as /login");
                None
            })?;
            if paths.is_empty() || paths.len() > PATHS_MAX {
                let message = format!("`paths` has {} items", paths.len());
                walk.error(tree.at, message, format!("from 1 to {PATHS_MAX}, such as [/login]"));
                return None;
            }
            Some(paths)
        });
    let controller = match fields.get("controller") {
        Some(tree) => {
            let named = walk.text(tree, "controller").and_then(|text| {
                let (namespace, name) = text.split_once('/')?;
                (is_dns_label(namespace) && is_dns_subdomain(name))
                    .then(|| (namespace.to_owned(), name.to_owned()))
            });
            if named.is_none() {
                let message = "`controller` does not name a ConfigMap as NAMESPACE/NAME";
                walk.error(tree.at, message, format!("such as {CONTROLLER}"));
            }
            named
        }
        None => CONTROLLER.split_once('/').map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
    };
    fields.close(walk);
    let (controller_namespace, controller_name) = controller?;
    Some(Field::RateLimit {
        limited: limited?,
        at_most: at_most?,
        paths: paths?,
        controller_namespace,
        controller_name,
    })
}

fn selector(walk: &mut Walk, tree: &Tree) -> Option<Field<Template>> {
    let mut fields = Fields::open(walk, tree, "selector", "SelectorDocument")?;
    let label = fields
        .need(walk, "label", "a label of the Service's selector, such as label: color")
        .and_then(|tree| name(walk, tree, "label"));
    let to = fields.need(walk, "to", "the label's new value, such as to: green").and_then(|tree| {
        let template = walk.template(tree, "to", May::NameAll)?;
        if template.is_literal() && !is_label_value(&template.source) {
            walk.error(tree.at, "`to` is not a label's value", "letters, digits, `-`, `_` and `.`");
            return None;
        }
        Some(template)
    });
    let ready = fields.or(walk, "ready", 1, |walk, tree, what| walk.unsigned(tree, what, 1, 10_000));
    fields.close(walk);
    Some(Field::Selector { label: label?, to: to?, ready: ready? })
}

fn switch(walk: &mut Walk, tree: &Tree) -> Option<Field<Template>> {
    let mut fields = Fields::open(walk, tree, "switch", "SwitchDocument")?;
    let annotation = fields.maybe(walk, "annotation", |walk, tree, what| {
        let name = name(walk, tree, what)?;
        let domain = name.split_once('/').map_or("", |(domain, _)| domain);
        let acting = ACTING.iter().find(|one| domain == **one || domain.ends_with(&format!(".{one}")));
        if let Some(acting) = acting {
            let message = format!("`{what}` cannot be of {acting}: tools act on those");
            walk.error(tree.at, message, "a switch is an annotation that your own application reads");
            return None;
        }
        Some(name)
    });
    let key = fields.maybe(walk, "key", |walk, tree, what| {
        let text = walk.text(tree, what)?;
        let good = text.len() <= 253
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !good {
            walk.error(
                tree.at,
                format!("`{what}` is not a ConfigMap's key"),
                "letters, digits, `-`, `_` and `.`",
            );
            return None;
        }
        Some(text.to_owned())
    });
    let to = fields.need(walk, "to", "the value, such as to: \"on\"").and_then(|tree| {
        let text = walk.text(tree, "to")?;
        if text.chars().count() > VALUE_CHARS_MAX {
            let message = format!("`to` has more than {VALUE_CHARS_MAX} characters");
            walk.error(tree.at, message, "a switch holds a word, not a document");
            return None;
        }
        Some(text.to_owned())
    });
    let at = fields.at;
    fields.close(walk);
    let place = match (annotation?, key?) {
        (Some(name), None) => SwitchPlace::Annotation(name),
        (None, Some(key)) => SwitchPlace::Key(key),
        _ => {
            walk.error(
                at,
                "`switch` needs exactly one of `annotation` and `key`",
                "such as switch: {key: maintenance, to: \"on\"}",
            );
            return None;
        }
    };
    Some(Field::Switch { place, to: to? })
}

/// The name of a label or annotation, with or without its domain.
fn name(walk: &mut Walk, tree: &Tree, what: &str) -> Option<String> {
    let text = walk.text(tree, what)?;
    let (domain, own) = text.split_once('/').map_or((None, text), |(domain, own)| (Some(domain), own));
    if is_label_value(own) && domain.is_none_or(is_dns_subdomain) {
        return Some(text.to_owned());
    }
    let message = format!("`{what}`: `{text}` is not the name of a label or annotation");
    walk.error(tree.at, message, "such as color or example.com/maintenance");
    None
}
