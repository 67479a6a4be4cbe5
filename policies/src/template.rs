//! Values made from labels: literal text with `{{ labels.x }}`, `{{ vars.x }}`, `{{ let.x }}` or
//! `{{ target.name }}` in it. Only values, never shell text; anything unset or empty refuses.
//!
//! Deliberately absent: statements, conditions, defaults and arithmetic. A value may be shaped by a few filters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, ErrorKind, Expression, context};

use crate::alert::Labels;
use crate::load::Malformed;
use crate::target::Target;

/// What templates may name.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The alert's labels.
    pub labels: &'a Labels,
    /// `vars` of the configuration.
    pub vars: &'a BTreeMap<String, String>,
    /// What `let:` has found so far.
    pub lets: &'a BTreeMap<String, String>,
    /// The target, once known.
    pub target: Option<&'a Target>,
}

/// Text with expressions in it, parsed once; cheap to clone.
#[derive(Clone)]
pub struct Template {
    /// The template as written.
    pub source: String,
    /// The names it uses, such as `labels.namespace`.
    pub uses: BTreeSet<String>,
    pieces: Arc<[Piece]>,
}

/// Why a template gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name has no value here.
    #[error("`{name}` is not set")]
    Unset {
        /// Such as `labels.namespace`.
        name: String,
    },
    /// The expression itself failed.
    #[error("`{expression}`: {problem}")]
    Failed {
        /// The expression as written.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A part of a template.
pub(crate) enum Piece {
    Text(String),
    Value(Placeholder),
}

/// What stands between `{{` and `}}`.
pub(crate) struct Placeholder {
    written: String,
    root: Root,
    key: String,
    filters: Option<Expression<'static, 'static>>,
}

/// Where a value is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Labels,
    Vars,
    Let,
    Target,
}

impl Root {
    const ALL: [(&'static str, Self); 4] =
        [("labels", Self::Labels), ("vars", Self::Vars), ("let", Self::Let), ("target", Self::Target)];

    fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Vars => "vars",
            Self::Let => "let",
            Self::Target => "target",
        }
    }
}

/// The filters a value may be shaped by, and nothing else: no globals, no functions, no loader.
static FILTERS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("upper", minijinja::filters::upper);
    environment.add_filter("trim", minijinja::filters::trim);
    environment.add_filter("replace", minijinja::filters::replace);
    environment.add_filter("split", minijinja::filters::split);
    environment.add_filter("first", minijinja::filters::first);
    environment.add_filter("last", minijinja::filters::last);
    environment
});

const FILTER_NAMES: &str = "lower, upper, trim, replace, split, first, last";

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When an expression is not a name with filters.
    pub fn parse(source: &str) -> Result<Self, Malformed> {
        for (mark, what) in [("{%", "statements"), ("{#", "comments")] {
            if source.contains(mark) {
                return Err(Malformed::new(
                    format!("{what} (`{mark}`) are not allowed in templates"),
                    "only values such as `{{ labels.namespace }}` can stand here",
                ));
            }
        }
        let (mut pieces, mut uses, mut rest) = (Vec::new(), BTreeSet::new(), source);
        while let Some(start) = rest.find("{{") {
            pieces.push(Piece::Text(rest[..start].to_owned()));
            let inside = &rest[start + 2..];
            let end = closing(inside).ok_or_else(|| {
                Malformed::new("`{{` without `}}`", "close the expression, such as `{{ labels.namespace }}`")
            })?;
            let placeholder = Placeholder::parse(inside[..end].trim())?;
            uses.insert(placeholder.name());
            pieces.push(Piece::Value(placeholder));
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { source: source.to_owned(), uses, pieces: pieces.into() })
    }

    /// The text with every expression replaced by its value.
    ///
    /// # Errors
    /// When a name is not set in `scope` or empty, or an expression fails.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        self.render_with(scope, |_, value| value)
    }

    /// As [`render`](Self::render), every value passed through `escape` with the number of its expression.
    pub(crate) fn render_with(
        &self,
        scope: &Scope<'_>,
        mut escape: impl FnMut(usize, String) -> String,
    ) -> Result<String, TemplateError> {
        let (mut out, mut number) = (String::with_capacity(self.source.len()), 0);
        for piece in self.pieces.iter() {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(placeholder) => {
                    out.push_str(&escape(number, placeholder.value(scope)?));
                    number += 1;
                }
            }
        }
        Ok(out)
    }

    /// Its parts in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its literal texts and the names of its values, in order; one of both in each pair may be empty.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, Option<String>)> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => (text.as_str(), None),
            Piece::Value(placeholder) => ("", Some(placeholder.name())),
        })
    }

    /// Whether it is the same text for every alert.
    pub fn is_literal(&self) -> bool {
        self.uses.is_empty()
    }
}

/// Where the `}}` of an expression is: the first outside quotes.
fn closing(inside: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (index, c) in inside.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if inside[index..].starts_with("}}") => return Some(index),
            None => {}
        }
    }
    None
}

impl Placeholder {
    fn parse(written: &str) -> Result<Self, Malformed> {
        let usage = "write `labels.NAME`, `vars.NAME`, `let.NAME`, `target.name`, `target.namespace` or `target.kind`; odd names as `labels[\"a-b\"]`";
        let bad = |problem: String| Malformed::new(problem, usage);
        let word = written.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(written.len());
        let (first, after) = written.split_at(word);
        let Some((_, root)) = Root::ALL.into_iter().find(|(name, _)| *name == first) else {
            return Err(bad(format!("`{{{{ {written} }}}}` names nothing that templates know")));
        };
        let (key, rest) = if let Some(dotted) = after.strip_prefix('.') {
            let end = dotted.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(dotted.len());
            (dotted[..end].to_owned(), &dotted[end..])
        } else if let Some(quoted) = after.strip_prefix('[') {
            let quote = quoted.chars().next().filter(|c| *c == '"' || *c == '\'');
            let end = quote
                .and_then(|quote| quoted[1..].find(quote))
                .filter(|end| quoted[end + 2..].starts_with(']'));
            let end =
                end.ok_or_else(|| bad(format!("`{{{{ {written} }}}}` has no quoted name in its brackets")))?;
            (quoted[1..=end].to_owned(), &quoted[end + 3..])
        } else {
            (String::new(), after)
        };
        if key.is_empty() {
            return Err(bad(format!("`{{{{ {written} }}}}` does not say which of `{first}`")));
        }
        if root == Root::Target && !["name", "namespace", "kind"].contains(&key.as_str()) {
            return Err(bad(format!("a target has no `{key}`")));
        }
        let rest = rest.trim();
        let filters = match rest.strip_prefix('|') {
            Some(_) => Some(compile(written, rest)?),
            None if rest.is_empty() => None,
            None => return Err(bad(format!("`{rest}` cannot follow `{first}.{key}`"))),
        };
        Ok(Self { written: written.to_owned(), root, key, filters })
    }

    fn name(&self) -> String {
        format!("{}.{}", self.root.name(), self.key)
    }

    fn value(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        let found = match self.root {
            Root::Labels => scope.labels.get(&self.key),
            Root::Vars => scope.vars.get(&self.key),
            Root::Let => scope.lets.get(&self.key),
            Root::Target => scope.target.map(|target| match self.key.as_str() {
                "name" => &target.name,
                "namespace" => &target.namespace,
                _ => &target.kind,
            }),
        };
        // An empty label is no label, as in Prometheus.
        let value = found
            .filter(|value| !value.is_empty())
            .ok_or_else(|| TemplateError::Unset { name: self.name() })?;
        let Some(filters) = &self.filters else { return Ok(value.clone()) };
        let failed = |problem: String| TemplateError::Failed { expression: self.written.clone(), problem };
        let shaped = filters.eval(context! { value => value }).map_err(|error| failed(error.to_string()))?;
        match shaped.as_str() {
            Some("") => Err(failed("the filters leave nothing".to_owned())),
            Some(text) => Ok(text.to_owned()),
            None => Err(failed(format!("the filters give a {}, not text", shaped.kind()))),
        }
    }
}

/// Compiles the filters behind a name; they may name nothing themselves.
fn compile(written: &str, filters: &str) -> Result<Expression<'static, 'static>, Malformed> {
    let hint = format!("filters: {FILTER_NAMES}; such as `{{{{ labels.instance | split(\":\") | first }}}}`");
    let bad = |problem: String| Malformed::new(format!("`{{{{ {written} }}}}`: {problem}"), hint.clone());
    let expression = FILTERS
        .compile_expression_owned(format!("value {filters}"))
        .map_err(|error| bad(error.detail().unwrap_or("not an expression").to_owned()))?;
    if let Some(name) = expression.undeclared_variables(false).iter().filter(|name| *name != "value").min() {
        return Err(bad(format!("filters cannot use `{name}`")));
    }
    // Unknown filters show only when they run.
    match expression.eval(context! { value => "a" }) {
        Err(error) if !matches!(error.kind(), ErrorKind::UndefinedError) => {
            Err(bad(error.detail().unwrap_or("not an expression").to_owned()))
        }
        Ok(_) | Err(_) => Ok(expression),
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({:?})", self.source)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_ends_outside_of_its_quotes() {
        for (inside, end) in [
            (" a }} b }}", Some(3)),
            (r#""}}" }}"#, Some(5)),
            ("'}}' }}", Some(5)),
            (r#""'}}" }}"#, Some(6)),
            (r#""\"}}" }}"#, Some(7)),
            (r#""\\"}}"#, Some(4)),
            (r#"\"}}"#, None),
            ("'}}", None),
            ("", None),
        ] {
            assert_eq!(closing(inside), end, "{inside}");
        }
    }

    #[test]
    fn filters_that_give_nothing_for_some_value_are_taken() {
        let written = "{{ labels.pod | replace(\"a\", \"\") | first | upper }}";
        assert!(Template::parse(written).is_ok(), "the value `a` shows nothing about others");
        assert!(Template::parse("{{ labels.pod | shout }}").is_err());
    }

    #[test]
    fn templates_are_the_same_by_their_text() {
        let read = |text: &str| Template::parse(text).expect("it is one");
        assert_eq!(read("a {{ vars.b }}"), read("a {{ vars.b }}"));
        assert_ne!(read("a {{ vars.b }}"), read("a {{ vars.c }}"));
        assert_eq!(format!("{:?}", read("a")), "Template(\"a\")");
    }
}
