//! Alertmanager's matcher syntax: `name="value"`, with `=`, `!=`, `=~`, `!~`, anchored regular expressions,
//! and quoted UTF-8 names. Source of the rules: Alertmanager's `matcher/parse` package.

use std::sync::Arc;

use crate::alert::Labels;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Matches,
    /// `!~`, anchored at both ends
    NotMatches,
}

/// One condition on one label. A missing label is the empty string, as in Alertmanager.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How to compare.
    pub operator: Operator,
    /// The value, or the regular expression as written.
    pub value: String,
    /// The compiled expression, shared between equal ones; present for `=~` and `!~`.
    pub regex: Option<Arc<regex::Regex>>,
}

impl Matcher {
    /// Whether these labels meet the matcher.
    pub fn meets(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let matches = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.operator {
            Operator::Equal => value == self.value,
            Operator::NotEqual => value != self.value,
            Operator::Matches => matches(),
            Operator::NotMatches => !matches(),
        }
    }
}
