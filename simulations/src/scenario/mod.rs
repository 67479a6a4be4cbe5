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

pub mod coverage;
pub mod document;
mod judge;
mod play;
mod read;
mod schedule;
mod setting;
pub mod world_document;

use paramedic_policies::book::{Book, Source};
use paramedic_policies::load::yaml::Tree;
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::Moment;
use serde_json::Value;

pub use coverage::Coverage;
pub use judge::Miss;
pub use play::{Played, play};
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

    /// The policies under the settings of this scenario.
    ///
    /// # Errors
    /// Where its settings do not fit over those.
    fn source(&self, source: &Source) -> Result<Source, serde_json::Error> {
        let mut settings = serde_json::to_value(&source.settings)?;
        let written = self.tree.get("spec").and_then(|spec| spec.get("settings")).map(Tree::to_json);
        if let Some(written) = written {
            merge(&mut settings, written);
        }
        let settings: Settings = serde_json::from_value(settings)?;
        Ok(Source { settings, ..source.clone() })
    }

    /// Names of policies that are not in this book: what is expected of them would never be seen.
    pub fn unknown_policies(&self, book: &Book) -> Vec<Problem> {
        let spec = &self.document.spec;
        let mut used: Vec<(String, &str)> = Vec::new();
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        for name in spec.expect.verdicts.keys() {
            used.push((format!("expect/verdicts/{}", escaped(name)), name));
        }
        for name in spec.expect.ends.keys() {
            used.push((format!("expect/ends/{}", escaped(name)), name));
        }
        let in_list = |list: &str, key: &str, all: Vec<Option<&'_ String>>| {
            let named = all.into_iter().enumerate().filter_map(|(index, name)| Some((index, name?.clone())));
            named.map(|(index, name)| (format!("{list}/{index}/{key}"), name)).collect::<Vec<_>>()
        };
        let mut owned = in_list(
            "expect/actions",
            "policy",
            spec.expect.actions.iter().flatten().map(|one| one.policy.as_ref()).collect(),
        );
        owned.extend(in_list(
            "expect/refusals",
            "policy",
            spec.expect.refusals.iter().map(|one| Some(&one.policy)).collect(),
        ));
        owned.extend(in_list("facts", "policy", spec.facts.iter().map(|one| one.policy.as_ref()).collect()));
        owned.extend(in_list(
            "orders",
            "approve",
            spec.orders.iter().map(|one| one.approve.as_ref()).collect(),
        ));
        owned.extend(in_list("orders", "deny", spec.orders.iter().map(|one| one.deny.as_ref()).collect()));
        used.extend(owned.iter().map(|(path, name)| (path.clone(), name.as_str())));
        let unknown = used.into_iter().filter(|(_, name)| book.policy(name).is_none());
        unknown
            .map(|(path, name)| {
                let (line, column) = self.place(&format!("/spec/{path}"));
                Problem {
                    severity: Severity::Error,
                    file: self.file.clone(),
                    line,
                    column,
                    message: format!("there is no policy `{name}` among those given"),
                    hint: Some("name one of the policies, or name more of them with --policies".to_owned()),
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
