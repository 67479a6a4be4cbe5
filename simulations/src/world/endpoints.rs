//! Services that are called by HTTP: what a path shows, and what a call makes of it.

use std::collections::BTreeMap;

use serde_json::Value;

/// An answer: a status and a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// One declared service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Endpoint {
    /// Its URL without a slash at the end.
    pub base: String,
    /// What a path shows now.
    pub shows: BTreeMap<String, Answer>,
    /// What a call is answered with, by method and path, and what paths show after it.
    pub calls: BTreeMap<(String, String), (Answer, BTreeMap<String, Answer>)>,
}

impl Endpoint {
    /// A `GET`.
    pub fn show(&self, path: &str) -> Answer {
        let nothing = || Answer { status: 404, body: Value::Null };
        self.shows.get(path).cloned().unwrap_or_else(nothing)
    }

    /// A call that may change something.
    pub fn call(&mut self, method: &str, path: &str) -> Answer {
        match self.calls.get(&(method.to_owned(), path.to_owned())) {
            None => Answer { status: 404, body: Value::Null },
            Some((answer, then)) => {
                self.shows.extend(then.clone());
                answer.clone()
            }
        }
    }
}
