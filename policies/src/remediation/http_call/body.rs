//! JSON with templates in its texts. A value can never add a key, end a string or become anything but the string or
//! the number that is written at its place.

use serde_json::{Number, Value};

use crate::load::fields::Walk;
use crate::load::values::May;
use crate::load::yaml::{Node, Tree};
use crate::policy;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// No body may be larger; it stands in the journal.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Value),
    Text(Template),
    Number(Template),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

impl Part {
    pub(super) fn read(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Self> {
        match &tree.node {
            Node::Text(text) if text.contains("{{") || text.contains("{%") => {
                walk.template(tree, what, May::NameAll).map(Self::Text)
            }
            Node::Text(_) | Node::Null | Node::Bool(_) | Node::Number(..) => {
                Some(Self::Literal(tree.to_json()))
            }
            Node::List(_) => walk.each(tree, what, Self::read).map(Self::List),
            Node::Map(entries) => {
                let read = entries.iter().map(|entry| {
                    if entry.key.contains("{{") {
                        let message = format!("`{what}` has a template as a key");
                        walk.error(entry.key_at, message, "only values are templates");
                        return None;
                    }
                    let part = Self::read(walk, &entry.value, &format!("{what}.{}", entry.key))?;
                    Some((entry.key.clone(), part))
                });
                read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>().map(Self::Map)
            }
        }
    }

    /// The template at this pointer is a number from now on; whether there is one.
    pub(super) fn make_number(&mut self, pointer: &str) -> bool {
        let Some(part) = self.at(pointer) else { return false };
        match part {
            Self::Text(template) => {
                *part = Self::Number(template.clone());
                true
            }
            Self::Literal(_) | Self::Number(_) | Self::List(_) | Self::Map(_) => false,
        }
    }

    fn at(&mut self, pointer: &str) -> Option<&mut Self> {
        let Some(rest) = pointer.strip_prefix('/') else {
            return pointer.is_empty().then_some(self);
        };
        let (step, rest) = match rest.find('/') {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let step = step.replace("~1", "/").replace("~0", "~");
        match self {
            Self::List(items) => items.get_mut(step.parse::<usize>().ok()?)?.at(rest),
            Self::Map(pairs) => pairs.iter_mut().find(|(key, _)| *key == step)?.1.at(rest),
            Self::Literal(_) | Self::Text(_) | Self::Number(_) => None,
        }
    }

    /// The pointers of its numbers.
    pub(super) fn numbers(&self) -> Vec<String> {
        let under = |step: &str, part: &Self| -> Vec<String> {
            let step = step.replace('~', "~0").replace('/', "~1");
            part.numbers().into_iter().map(|rest| format!("/{step}{rest}")).collect()
        };
        match self {
            Self::Number(_) => vec![String::new()],
            Self::Literal(_) | Self::Text(_) => Vec::new(),
            Self::List(items) => {
                items.iter().enumerate().flat_map(|(index, part)| under(&index.to_string(), part)).collect()
            }
            Self::Map(pairs) => pairs.iter().flat_map(|(key, part)| under(key, part)).collect(),
        }
    }

    /// As it is written.
    pub(super) fn document(&self) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Text(template) | Self::Number(template) => Value::String(template.source.clone()),
            Self::List(items) => items.iter().map(Self::document).collect(),
            Self::Map(pairs) => pairs.iter().map(|(key, part)| (key.clone(), part.document())).collect(),
        }
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) | Self::Number(template) => vec![template],
            Self::List(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Map(pairs) => pairs.iter().flat_map(|(_, part)| part.templates()).collect(),
        }
    }

    fn value(&self, scope: &Scope<'_>) -> Result<Value, Reason> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Text(template) => policy::rendered(template, scope, "body", |_| Ok(())).map(Value::String),
            Self::Number(template) => {
                let text = policy::rendered(template, scope, "body", |text| match number(text) {
                    Some(_) => Ok(()),
                    None => Err("is not a number as JSON writes it".to_owned()),
                })?;
                Ok(number(&text).map_or(Value::Null, Value::Number))
            }
            Self::List(items) => items.iter().map(|part| part.value(scope)).collect(),
            Self::Map(pairs) => {
                pairs.iter().map(|(key, part)| Ok((key.clone(), part.value(scope)?))).collect()
            }
        }
    }
}

/// The JSON for this scope.
///
/// # Errors
/// When a value is missing, is no number where one is wanted, or makes the whole too large.
pub(super) fn rendered(part: &Part, scope: &Scope<'_>) -> Result<Value, Reason> {
    let value = part.value(scope)?;
    let bytes = value.to_string().len();
    if bytes > BODY_BYTES_MAX {
        let problem = format!("has {bytes} bytes, {BODY_BYTES_MAX} are allowed");
        return Err(Reason::BadValue { what: "body".to_owned(), problem });
    }
    Ok(value)
}

fn number(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}
