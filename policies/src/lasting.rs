//! How long something lasts: a length, or a template that gives one. Whatever a template gives is held against the same
//! bounds as what is written out.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::load::fields::Walk;
use crate::load::values::May;
use crate::load::yaml::{Node, Position, Tree};
use crate::policy::rendered;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

/// A length of time such as `2h`, or a template of one such as `{{ labels.for }}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LastingDocument(pub String);

/// How long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lasting {
    /// As it is written.
    Fixed(Span),
    /// As this gives it.
    Given(Template),
}

impl Lasting {
    /// The length, where it is written out.
    pub fn fixed(&self) -> Option<Span> {
        match self {
            Self::Fixed(span) => Some(*span),
            Self::Given(_) => None,
        }
    }

    /// The template, where it is one.
    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Self::Fixed(_) => None,
            Self::Given(template) => Some(template),
        }
    }

    pub(crate) fn document(&self) -> Value {
        match self {
            Self::Fixed(span) => json!(span),
            Self::Given(template) => json!(template.source),
        }
    }

    /// The length for this alert, within these bounds.
    ///
    /// # Errors
    /// [`Reason::BadValue`] when it is none, or is out of them.
    pub(crate) fn rendered(
        &self,
        scope: &Scope<'_>,
        what: &str,
        bounds: &RangeInclusive<Span>,
    ) -> Result<Span, Reason> {
        let template = match self {
            Self::Fixed(span) => return Ok(*span),
            Self::Given(template) => template,
        };
        let read = |text: &str| match text.parse::<Span>() {
            Ok(span) if bounds.contains(&span) => Ok(span),
            Ok(_) => Err(format!("is not from {} to {}", bounds.start(), bounds.end())),
            Err(_) => Err("is not a duration, such as 90s, 15m or 1h 30m".to_owned()),
        };
        let text = rendered(template, scope, what, |text| read(text).map(|_| ()))?;
        read(&text).map_err(|problem| Reason::BadValue { what: what.to_owned(), problem })
    }
}

impl Walk {
    /// A length, with where it stands; its bounds are the caller's.
    pub(crate) fn lasting(&mut self, tree: &Tree, what: &str) -> Option<(Lasting, Position)> {
        let lasting = match &tree.node {
            Node::Text(text) if text.contains("{{") => {
                Lasting::Given(self.template(tree, what, May::NameAll)?)
            }
            _ => Lasting::Fixed(self.span(tree, what)?),
        };
        Some((lasting, tree.at))
    }
}
