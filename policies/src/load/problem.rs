//! What is wrong with a text, where, and what to do about it. Never stops at the first.

use std::fmt;

use serde::Serialize;

/// Whether a text can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The whole set is refused.
    Error,
    /// It loads, and probably does not do what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the set is refused for it.
    pub severity: Severity,
    /// The file's path as given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// Whether the set is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, line, column, message, hint } = self;
        write!(f, "{file}:{line}:{column}: {severity}: {message}")?;
        hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Text that is not what it should be: a matcher, a comparison, a template, PromQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Malformed {
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl Malformed {
    /// This problem, and what to do about it.
    pub fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}
