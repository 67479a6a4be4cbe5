//! Scenario files: a cluster, what happens in it over time, and what is expected of the policies. They run the production
//! engine, loop and remediations in the simulated world, in virtual time. Nothing of those is written again here.
//!
//! ```text
//!   file --read--> Scenario --setting--> World
//!                     |                    |
//!                     '--schedule--> play: Run (WriteAhead, Remedies) --> Played: records, story, world
//!                                                                           |
//!                                           judge: what was expected <------'------> coverage, transcript
//! ```

mod amounts;
pub mod coverage;
pub mod document;
pub mod expect_document;
pub mod fact_document;
mod hollow;
mod judge;
mod play;
mod read;
mod schedule;
mod setting;
mod story;
mod times;
mod under;
mod words;
pub mod world_document;

use paramedic_policies::book::Book;
use paramedic_policies::load::yaml::Tree;
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::time::Moment;
use serde_json::Value;

pub use coverage::Coverage;
pub use judge::Miss;
pub use play::{Played, Unasked, play};
pub use read::read;

use document::ScenarioDocument;

/// A scenario that was read.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file, as given.
    pub file: String,
    /// Its name.
    pub name: String,
    /// When it begins.
    pub begins: Moment,
    document: ScenarioDocument,
    tree: Tree,
}

/// The JSON Schema of scenario files.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(ScenarioDocument)
}

/// Where a scenario begins that does not say it: a Monday morning, when every schedule is likely to be open.
const BEGINS: &str = "2026-11-23T09:00:00Z";

impl Scenario {
    /// What it shows, for people.
    pub fn description(&self) -> &str {
        &self.document.spec.description
    }

    /// Names of policies that are not in this book: what is expected of them would never be seen.
    pub fn unknown_policies<'s>(&'s self, book: &Book) -> Vec<Problem> {
        let spec = &self.document.spec;
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        let mut used: Vec<(String, &str)> = Vec::new();
        for name in spec.expect.verdicts.keys() {
            used.push((format!("expect/verdicts/{}", escaped(name)), name));
        }
        for name in spec.expect.ends.keys() {
            used.push((format!("expect/ends/{}", escaped(name)), name));
        }
        let mut named = |place: &str, index: usize, key: &str, name: Option<&'s str>| {
            used.extend(name.map(|name| (format!("{place}/{index}/{key}"), name)));
        };
        for (index, one) in spec.expect.actions.iter().flatten().enumerate() {
            named("expect/actions", index, "policy", one.policy.as_deref());
        }
        for (index, one) in spec.expect.refusals.iter().enumerate() {
            named("expect/refusals", index, "policy", Some(&one.policy));
        }
        for (index, one) in spec.facts.iter().enumerate() {
            named("facts", index, "policy", one.policy.as_deref());
        }
        for (index, one) in spec.orders.iter().enumerate() {
            named("orders", index, "approve", one.approve.as_deref());
            named("orders", index, "deny", one.deny.as_deref());
            named("orders", index, "undo", one.undo.as_deref());
            for (key, scope) in [("pause/policy", &one.pause), ("resume/policy", &one.resume)] {
                named("orders", index, key, scope.as_ref().and_then(|scope| scope.policy.as_deref()));
            }
            named("orders", index, "run/policy", one.run.as_ref().map(|run| run.policy.as_str()));
        }
        let unknown = used.into_iter().filter(|(_, name)| book.policy(name).is_none());
        unknown
            .map(|(path, name)| {
                let (line, column) = self.place(&format!("/spec/{path}"));
                let is_of_action = path.starts_with("orders/") && !path.ends_with("/policy");
                let hint = if is_of_action {
                    "name the policy whose newest action is meant, or whose open proposal; one of those given with --policies"
                } else {
                    "name one of the policies, or name more of them with --policies"
                };
                Problem {
                    severity: Severity::Error,
                    file: self.file.clone(),
                    line,
                    column,
                    message: format!("there is no policy `{name}` among those given"),
                    hint: Some(hint.to_owned()),
                }
            })
            .collect()
    }

    /// `file:line` of a part of it.
    fn place(&self, path: &str) -> (usize, usize) {
        let at = self.tree.position(path);
        (at.line, at.column)
    }
}

/// A JSON merge patch that removes nothing.
pub(crate) fn merge(into: &mut Value, written: Value) {
    match (into, written) {
        (Value::Object(into), Value::Object(written)) => {
            for (key, value) in written {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, written) => *into = written,
    }
}
