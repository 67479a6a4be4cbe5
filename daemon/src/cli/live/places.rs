//! Where in the files a policy says something.

use std::collections::BTreeMap;

use paramedic_policies::book::Book;
use paramedic_policies::load::{Problem, Severity, yaml};

/// The documents of a book by the names of their policies.
pub(super) struct Places {
    documents: BTreeMap<String, (String, yaml::Tree)>,
}

impl Places {
    /// Those of this book.
    pub(super) fn of(book: &Book) -> Self {
        let mut documents = BTreeMap::new();
        for file in &book.source().files {
            for document in yaml::parse(&file.text).documents {
                let json = document.to_json();
                if let Some(name) = json.pointer("/metadata/name").and_then(serde_json::Value::as_str) {
                    documents.insert(name.to_owned(), (file.path.clone(), document));
                }
            }
        }
        Self { documents }
    }

    /// A problem of a policy, at a JSON pointer into its document.
    pub(super) fn problem(
        &self,
        severity: Severity,
        policy: &str,
        pointer: &str,
        message: String,
        hint: impl Into<Option<String>>,
    ) -> Problem {
        let place = self.documents.get(policy).map(|(file, tree)| (file.clone(), tree.position(pointer)));
        let (file, line, column) =
            place.map_or_else(|| (policy.to_owned(), 1, 1), |(file, at)| (file, at.line, at.column));
        Problem { severity, file, line, column, message, hint: hint.into() }
    }
}
