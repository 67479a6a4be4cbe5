//! From text to a [`Book`]. Collects every problem with file, line, column and a hint; reads no files itself.
//!
//! ```text
//!   text --yaml--> Tree with places --policy, steps, guards, values (over fields)--> Policy --index--> Book
//!                                        |                                             |
//!                                        '--> problems <-- doubts (contradictions, ----'
//!                                                          shadows: warnings)
//! ```
//!
//! serde reads no document here: it stops at the first mistake and forgets where it stands. The types of
//! [`document`] exist for the JSON Schema, and a test keeps their keys equal to the ones walked.

pub mod built_in;
pub mod conform;
pub mod document;
mod doubts;
mod effective;
pub(crate) mod fields;
mod guards;
pub mod index;
pub(crate) mod nearest;
mod policy;
mod problem;
mod remediations;
mod settings;
mod steps;
pub mod stored_books;
pub(crate) mod values;
mod verification;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};

pub use document::schema;
pub use effective::effective;
pub(crate) use guards::window;
pub use nearest::distance;
pub use problem::{Malformed, Problem, Severity};
pub use settings::read;

use crate::book::{Book, Digest, Source};
use crate::endpoint::Endpoint;
use crate::load::fields::Walk;
use crate::load::policy::Written;
use crate::load::yaml::Position;

/// What a source gives: a book, where nothing is wrong with it, and everything there is to say about it.
#[derive(Debug)]
pub struct Checked {
    /// The book, unless a problem is an error.
    pub book: Option<Book>,
    /// Errors and warnings, by file and place.
    pub problems: Vec<Problem>,
}

/// The name by which problems of the settings go; whoever read them from a file knows the place.
const SETTINGS: &str = "configuration";

/// Loads a book.
///
/// # Errors
/// Every error of every file at once; warnings are not among them (see [`check`]).
pub fn book(source: Source) -> Result<Book, Vec<Problem>> {
    let Checked { book, problems } = check(source);
    book.ok_or_else(|| problems.into_iter().filter(Problem::is_error).collect())
}

/// Loads a book that was adopted before, under the name it got then.
///
/// # Errors
/// As [`book`].
pub fn adopted(digest: Digest, source: Source) -> Result<Book, Vec<Problem>> {
    Ok(Book { digest, ..book(source)? })
}

/// Loads a book and says what is wrong or doubtful.
pub fn check(source: Source) -> Checked {
    let (written, mut walk) = read_policies(&source);
    doubts::of_each(&written, &mut walk);
    doubts::between(&written, &mut walk);
    let mut problems = walk.problems;
    problems.extend(source.settings.senseless().into_iter().map(|found| Problem {
        severity: Severity::Error,
        file: SETTINGS.to_owned(),
        line: 1,
        column: 1,
        message: format!("`{}`: {}", found.path, found.message),
        hint: Some(found.hint.to_owned()),
    }));
    problems.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.severity).cmp(&(&b.file, b.line, b.column, b.severity))
    });
    if problems.iter().any(Problem::is_error) {
        return Checked { book: None, problems };
    }
    let policies: BTreeMap<_, _> =
        written.into_iter().map(|one| (one.policy.name.clone(), one.policy)).collect();
    let index = index::Index::of(&policies);
    let digest = source.digest();
    Checked { book: Some(Book { policies, source, digest, index }), problems }
}

fn headers((name, endpoint): (&String, &Endpoint)) -> (String, BTreeSet<String>) {
    (name.clone(), endpoint.headers.keys().map(|header| header.to_ascii_lowercase()).collect())
}

/// Reads every document of every file.
fn read_policies(source: &Source) -> (Vec<Written>, Walk) {
    let mut walk = Walk {
        vars: source.settings.vars.clone(),
        endpoints: source.settings.endpoints.iter().map(headers).collect(),
        receivers: source.settings.notifications.receivers.keys().cloned().collect::<BTreeSet<_>>(),
        ..Walk::default()
    };
    let (mut written, mut names): (Vec<Written>, BTreeMap<String, String>) = (Vec::new(), BTreeMap::new());
    for file in &source.files {
        walk.file.clone_from(&file.path);
        let parsed = yaml::parse(&file.text);
        if parsed.documents.is_empty() && parsed.faults.is_empty() {
            walk.warn(Position::START, "no policy in this file", "write one, or remove the file");
        }
        parsed.faults.into_iter().for_each(|fault| walk.fault(fault));
        for document in &parsed.documents {
            if let Err(hint) = policy::is_policy(document) {
                let at = document.position("/kind");
                walk.error(at, "this document is no policy", hint);
                continue;
            }
            let name = document.get("metadata").and_then(|metadata| metadata.get("name"));
            if let Some((yaml::Node::Text(text), at)) = name.map(|name| (&name.node, name.at)) {
                let place = format!("{}:{}", file.path, at.line);
                if built_in::is_reserved(text) && !built_in::is_own(&file.path) {
                    walk.error(
                        at,
                        format!("`{text}` is the name of a policy of paramedic's own"),
                        "`paramedic freeze` and `paramedic block` run those; rename yours",
                    );
                }
                if let Some(first) = names.insert(text.clone(), place) {
                    walk.error(
                        at,
                        format!("a policy named `{text}` is already at {first}"),
                        "names are unique over all files; rename one",
                    );
                    names.insert(text.clone(), first);
                }
            }
            written.extend(walk.policy(document));
        }
    }
    (written, walk)
}

/// The keys that the loader knows, by the name of the type in the schema; only those it came by while reading `source`.
/// For the test that keeps loader and schema equal.
#[doc(hidden)]
pub fn known_keys(source: &Source) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    read_policies(source).1.known
}
