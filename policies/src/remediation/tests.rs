//! What holds of every remediation, one table each: how it is written, how far each value may go, what it comes to for an
//! alert, and what the change that is recorded says of itself. Must hold no rule of its own: only what is promised.

mod bounds;
mod changes;
mod rendered;
mod written;

use std::collections::BTreeMap;

use super::{Action, Remediation, Wish};
use crate::load::fields::Walk;
use crate::load::yaml;
use crate::reason::Reason;
use crate::target::Target;
use crate::template::Scope;

/// The remediation that this text says, or what is wrong with it.
fn read(key: &str, text: &str) -> Result<Remediation, Vec<String>> {
    let endpoints = BTreeMap::from([("dlq".to_owned(), ["x-team".to_owned()].into())]);
    let vars = BTreeMap::from([("image".to_owned(), "drill:1".to_owned())]);
    let mut walk = Walk { endpoints, vars, ..Walk::default() };
    let parsed = yaml::parse(text);
    assert!(parsed.faults.is_empty(), "{key}: {text}: {:?}", parsed.faults);
    let tree = parsed.documents.first().unwrap_or_else(|| panic!("{key}: {text}: nothing is written"));
    let read = Remediation::read(key, &mut walk, tree);
    let errors = walk.problems.iter().filter(|problem| problem.is_error());
    let problems: Vec<String> = errors.map(|problem| problem.message.clone()).collect();
    assert!(read.is_some() || !problems.is_empty(), "{key}: {text}: refused without a word");
    read.filter(|_| problems.is_empty()).ok_or(problems)
}

/// The one that must be read.
fn good(key: &str, text: &str) -> Remediation {
    read(key, text).unwrap_or_else(|problems| panic!("{key}: {text}: {problems:?}"))
}

/// What it comes to for these labels, on the Deployment `prod/web`.
fn wished(key: &str, text: &str, labels: &[(&str, &str)]) -> Result<Wish, Reason> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let vars = BTreeMap::from([("image".to_owned(), "drill:1".to_owned())]);
    let lets = BTreeMap::new();
    let target =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    let scope = Scope { labels: &labels, vars: &vars, lets: &lets, target: Some(&target) };
    good(key, text).wish(&scope)
}

/// Why it comes to nothing for these labels, as people read it.
fn refused(key: &str, text: &str, labels: &[(&str, &str)]) -> String {
    wished(key, text, labels).expect_err(text).to_string()
}

/// A change as a record holds it.
fn action(recorded: serde_json::Value) -> Action {
    serde_json::from_value(recorded.clone()).unwrap_or_else(|error| panic!("{recorded}: {error}"))
}
