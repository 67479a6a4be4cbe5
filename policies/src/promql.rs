//! PromQL with templates: they stand only inside quoted matcher values, are escaped there (regex-quoted under
//! `=~` and `!~`), and what comes out is parsed again before anybody asks Prometheus.

use crate::template::{Scope, Template, TemplateError};

/// A PromQL expression, possibly with templates in its matcher values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The expression as written.
    pub template: Template,
}

impl Query {
    /// The expression for this scope, proven to be PromQL with only matcher values changed.
    ///
    /// # Errors
    /// When a template fails, or the result would not be the same expression with other values.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        self.template.render(scope)
    }
}
