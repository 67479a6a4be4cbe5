//! Reads a `runJob` as people write it. Must never let through a name or a value beyond its bounds.

use std::collections::BTreeMap;

use super::{JobTemplate, Written, is_image, printable};
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{self, Tree};
use crate::target::{is_dns_label, is_dns_subdomain};
use crate::template::Template;
use crate::time::Span;

/// How long a Job may take where the policy does not say.
const WITHIN: Span = Span::from_mins(10);

/// A shorter one is over before its image is there.
const WITHIN_MIN: Span = Span::from_mins(1);

/// The target counts as acted upon for so long; what takes longer is no remediation.
const WITHIN_MAX: Span = Span::from_hours(2);

/// More than this is a document.
const PARAMETERS_MAX: usize = 32;
const WORDS_MAX: usize = 64;
const WORD_CHARS_MAX: usize = 4096;
const NAMESPACES_MAX: usize = 64;

pub(super) fn written(walk: &mut Walk, tree: &Tree) -> Option<Written> {
    let mut fields = Fields::open(walk, tree, "runJob", "RunJobDocument")?;
    let template = fields.maybe(walk, "template", |walk, tree, _| template(walk, tree));
    let parameters = fields.or(walk, "parameters", BTreeMap::new(), parameters);
    let container = fields.maybe(walk, "container", |walk, tree, what| {
        named(walk, tree, what, "a container's name", is_dns_label)
    });
    let within = fields.or(walk, "within", WITHIN, |walk, tree, what| {
        let span = walk.span(tree, what)?;
        if (WITHIN_MIN..=WITHIN_MAX).contains(&span) {
            return Some(span);
        }
        let message = format!("`{what}`: {span} is no time for a Job");
        walk.error(tree.at, message, format!("from {WITHIN_MIN} to {WITHIN_MAX}"));
        None
    });
    let namespaces = fields.or(walk, "namespaces", Vec::new(), |walk, tree, what| {
        let names =
            walk.each(tree, what, |walk, tree, what| named(walk, tree, what, "a namespace", is_dns_label))?;
        if names.is_empty() || names.len() > NAMESPACES_MAX {
            let message = format!("`{what}` has {} items", names.len());
            walk.error(tree.at, message, format!("from 1 to {NAMESPACES_MAX}, such as [maestro]"));
            return None;
        }
        Some(names)
    });
    fields.close(walk);
    Some(Written {
        template: template?,
        parameters: parameters?,
        container: container?,
        within: within?,
        namespaces: namespaces?,
    })
}

fn template(walk: &mut Walk, tree: &Tree) -> Option<JobTemplate<Template>> {
    let mut fields = Fields::open(walk, tree, "template", "JobTemplateDocument")?;
    let image = fields
        .need(walk, "image", "the image, such as image: registry.example/maestro/drill:1")
        .and_then(|tree| image(walk, tree));
    let command = fields.or(walk, "command", Vec::new(), words);
    let args = fields.or(walk, "args", Vec::new(), words);
    let service_account = fields.maybe(walk, "serviceAccount", |walk, tree, what| {
        named(walk, tree, what, "a service account's name", is_dns_subdomain)
    });
    let secret = fields.maybe(walk, "secret", |walk, tree, what| {
        named(walk, tree, what, "a Secret's name", is_dns_subdomain)
    });
    fields.close(walk);
    Some(JobTemplate {
        image: image?,
        command: command?,
        args: args?,
        service_account: service_account?,
        secret: secret?,
    })
}

fn image(walk: &mut Walk, tree: &Tree) -> Option<Template> {
    let template = walk.template(tree, "image", May::NameAll)?;
    if let Some(other) = template.uses.iter().find(|used| !used.starts_with("vars.")) {
        let message = format!("`image` cannot use `{other}`: an alert must not say which program runs");
        walk.error(tree.at, message, "write the image, or use `vars` of the configuration");
        return None;
    }
    if template.is_literal()
        && let Err(problem) = is_image(&template.source)
    {
        let message = format!("`image`: `{}` {problem}", yaml::printable(&template.source));
        walk.error(tree.at, message, "such as registry.example/maestro/drill:1");
        return None;
    }
    Some(template)
}

fn parameters(walk: &mut Walk, tree: &Tree, what: &str) -> Option<BTreeMap<String, Template>> {
    let entries = walk.pairs(tree, what)?;
    if entries.len() > PARAMETERS_MAX {
        walk.error(tree.at, format!("`{what}` has {} entries", entries.len()), "at most 32");
        return None;
    }
    let mut parameters = BTreeMap::new();
    let mut fine = true;
    for yaml::Entry { key, key_at, value } in entries {
        let mut bytes = key.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || key.len() > 128 {
            let message = format!("`{what}`: `{}` is no name of a variable", yaml::printable(key));
            walk.error(*key_at, message, "letters, digits and `_`, such as BACKUP_ID");
            fine = false;
            continue;
        }
        let template = walk.template(value, key, May::NameAll);
        let literal = template.as_ref().filter(|template| template.is_literal());
        if let Some(Err(problem)) = literal.map(|one| printable(&one.source)) {
            walk.error(value.at, format!("`{key}` {problem}"), "a parameter is one plain value");
            fine = false;
        }
        match template {
            Some(template) => drop(parameters.insert(key.clone(), template)),
            None => fine = false,
        }
    }
    fine.then_some(parameters)
}

/// Words of a command line; Kubernetes would put variables in for `$(NAME)`, which is wanted here. No templates: a
/// label's value goes by a parameter.
fn words(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Vec<String>> {
    let words = walk.each(tree, what, |walk, tree, what| {
        let text = walk.text(tree, what)?;
        if text.contains("{{") {
            let hint = "give the value by `parameters`, and use it as $(NAME)";
            walk.error(tree.at, format!("`{what}` cannot hold a template"), hint);
            return None;
        }
        if text.chars().count() > WORD_CHARS_MAX {
            walk.error(
                tree.at,
                format!("`{what}` has more than {WORD_CHARS_MAX} characters"),
                "keep it short",
            );
            return None;
        }
        Some(text.to_owned())
    })?;
    if words.len() > WORDS_MAX {
        walk.error(tree.at, format!("`{what}` has {} items", words.len()), format!("at most {WORDS_MAX}"));
        return None;
    }
    Some(words)
}

fn named(
    walk: &mut Walk,
    tree: &Tree,
    what: &str,
    is: &str,
    judge: impl FnOnce(&str) -> bool,
) -> Option<String> {
    let text = walk.text(tree, what)?;
    if judge(text) {
        return Some(text.to_owned());
    }
    let message = format!("`{what}`: `{}` is not {is}", yaml::printable(text));
    walk.error(tree.at, message, format!("{is}, as it is written in Kubernetes, and no template"));
    None
}
