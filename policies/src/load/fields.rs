//! Walks a mapping key by key and reads plain values, noting every problem and going on.

use std::collections::{BTreeMap, BTreeSet};

use crate::load::nearest;
use crate::load::problem::{Malformed, Problem, Severity};
use crate::load::yaml::{Entry, Fault, Node, Position, Tree};
use crate::matcher::Regexes;
use crate::time::Span;

/// What is carried along while the documents of one source are read.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) file: String,
    pub(crate) problems: Vec<Problem>,
    pub(crate) regexes: Regexes,
    /// `vars` of the configuration.
    pub(crate) vars: BTreeMap<String, String>,
    /// The endpoints that the configuration declares, each with the headers that it sets, in small letters.
    pub(crate) endpoints: BTreeMap<String, BTreeSet<String>>,
    /// The names of its receivers.
    pub(crate) receivers: BTreeSet<String>,
    /// The names that `let` has declared so far in the policy at hand.
    pub(crate) lets: BTreeSet<String>,
    /// Which keys the walker knows, by the name of the document type: the test compares them with the schema.
    pub(crate) known: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

impl Walk {
    fn note(&mut self, severity: Severity, at: Position, message: String, hint: Option<String>) {
        let Position { line, column } = at;
        self.problems.push(Problem { severity, file: self.file.clone(), line, column, message, hint });
    }

    /// The set is refused for this.
    pub(crate) fn error(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.note(Severity::Error, at, message.into(), Some(hint.into()));
    }

    /// It loads all the same.
    pub(crate) fn warn(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.note(Severity::Warning, at, message.into(), Some(hint.into()));
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.note(Severity::Error, fault.at, fault.message, fault.hint);
    }

    /// The value, or its problem noted at `at`.
    pub(crate) fn take<T>(&mut self, at: Position, what: &str, read: Result<T, Malformed>) -> Option<T> {
        read.map_err(|Malformed { problem, hint }| self.error(at, format!("`{what}`: {problem}"), hint)).ok()
    }

    fn wrong(&mut self, tree: &Tree, what: &str, wanted: &str, hint: &str) {
        self.error(tree.at, format!("`{what}` must be {wanted}, found {}", tree.describe()), hint);
    }

    pub(crate) fn text<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t str> {
        match &tree.node {
            Node::Text(text) if !text.is_empty() => return Some(text),
            Node::Text(_) => {
                self.error(tree.at, format!("`{what}` is empty"), "give it a value or remove the key")
            }
            Node::Number(_, written) => {
                self.wrong(tree, what, "text", &format!("quote it: {what}: \"{written}\""));
            }
            Node::Bool(flag) => self.wrong(tree, what, "text", &format!("quote it: {what}: \"{flag}\"")),
            Node::Map(_) => self.wrong(
                tree,
                what,
                "text",
                "a value that begins with `{` needs quotes, such as \"{{ labels.name }}\"",
            ),
            Node::Null | Node::List(_) => self.wrong(tree, what, "text", "write one value here"),
        }
        None
    }

    pub(crate) fn span(&mut self, tree: &Tree, what: &str) -> Option<Span> {
        let usage = "a number with a unit, such as 90s, 15m or 1h 30m";
        let Node::Text(text) = &tree.node else {
            let hint = match &tree.node {
                Node::Number(_, written) => format!("add the unit: {written}s or {written}m"),
                _ => usage.to_owned(),
            };
            self.wrong(tree, what, "a duration", &hint);
            return None;
        };
        match text.parse::<Span>() {
            // More would overflow when it is added to a moment; no guard is meant to last so long.
            Ok(span) if span > Span::from_hours(24 * 366) => {
                self.error(tree.at, format!("`{what}` is longer than a year"), "use a shorter time");
                None
            }
            Ok(span) => Some(span),
            Err(_) => {
                self.error(tree.at, format!("`{what}`: `{text}` is not a duration"), usage);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn count(&mut self, tree: &Tree, what: &str, least: i64, most: i64) -> Option<i64> {
        let hint = format!("a whole number from {least} to {most}, without quotes");
        match &tree.node {
            Node::Number(number, written) => match number.as_i64() {
                Some(number) if (least..=most).contains(&number) => Some(number),
                _ => {
                    self.error(tree.at, format!("`{what}` cannot be {written}"), hint);
                    None
                }
            },
            _ => {
                self.wrong(tree, what, "a whole number", &hint);
                None
            }
        }
    }

    pub(crate) fn unsigned(&mut self, tree: &Tree, what: &str, least: u32, most: u32) -> Option<u32> {
        self.count(tree, what, i64::from(least), i64::from(most))
            .and_then(|number| u32::try_from(number).ok())
    }

    pub(crate) fn flag(&mut self, tree: &Tree, what: &str) -> Option<bool> {
        match &tree.node {
            Node::Bool(flag) => Some(*flag),
            _ => {
                self.wrong(tree, what, "`true` or `false`", "write true or false, without quotes");
                None
            }
        }
    }

    /// One of these words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        tree: &Tree,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let list = names.join(", ");
        let Node::Text(text) = &tree.node else {
            self.wrong(tree, what, "a word", &format!("one of: {list}"));
            return None;
        };
        let found = words.iter().find(|(name, _)| name == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = match nearest::nearest(text, names) {
                Some(near) => format!("did you mean `{near}`? One of: {list}"),
                None => format!("one of: {list}"),
            };
            self.error(tree.at, format!("`{what}` cannot be `{text}`"), hint);
        }
        found
    }

    pub(crate) fn list<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [Tree]> {
        match &tree.node {
            Node::List(items) => Some(items),
            _ => {
                self.wrong(tree, what, "a list", "write one item a line, each after `- `");
                None
            }
        }
    }

    /// A list whose items are all read; `None` when any of them is wrong.
    pub(crate) fn each<T>(
        &mut self,
        tree: &Tree,
        what: &str,
        mut read: impl FnMut(&mut Self, &Tree, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.list(tree, what)?;
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| read(self, item, &format!("{what}[{index}]")))
            .collect();
        read.into_iter().collect()
    }

    /// The pairs of a mapping whose keys anyone may choose.
    pub(crate) fn pairs<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [Entry]> {
        match &tree.node {
            Node::Map(entries) => Some(entries),
            _ => {
                self.wrong(tree, what, "a mapping", "write `key: value` pairs");
                None
            }
        }
    }
}

/// The keys of one mapping. Every known key is asked for once; [`close`](Self::close) refuses the others.
#[derive(Debug)]
pub(crate) struct Fields<'t> {
    pub(crate) at: Position,
    name: String,
    kind: &'static str,
    entries: &'t [Entry],
    asked: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    /// The keys of `tree`, which is called `name` in messages and is a `kind` in the schema.
    pub(crate) fn open(walk: &mut Walk, tree: &'t Tree, name: &str, kind: &'static str) -> Option<Self> {
        walk.known.entry(kind).or_default();
        let entries: &[Entry] = match &tree.node {
            Node::Map(entries) => entries,
            _ => {
                walk.wrong(
                    tree,
                    name,
                    "a mapping",
                    "write `key: value` pairs, or `{}` where there is nothing to set",
                );
                return None;
            }
        };
        Some(Self { at: tree.at, name: name.to_owned(), kind, entries, asked: Vec::new() })
    }

    /// The value of a key; nothing counts as absent.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'t Tree> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.node != Node::Null).then_some(&entry.value)
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, walk: &mut Walk, key: &'static str, hint: &str) -> Option<&'t Tree> {
        let found = self.get(key);
        if found.is_none() {
            let at = self.key_at(key).unwrap_or(self.at);
            walk.error(at, format!("`{}` has no `{key}`", self.name), hint);
        }
        found
    }

    /// A value read by `read`, or `default` where the key is absent; `None` when it is wrong.
    pub(crate) fn or<T>(
        &mut self,
        walk: &mut Walk,
        key: &'static str,
        default: T,
        read: impl FnOnce(&mut Walk, &'t Tree, &str) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(tree) => read(walk, tree, key),
            None => Some(default),
        }
    }

    /// A value read by `read` where the key is there; the outer `None` when it is wrong.
    pub(crate) fn maybe<T>(
        &mut self,
        walk: &mut Walk,
        key: &'static str,
        read: impl FnOnce(&mut Walk, &'t Tree, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            Some(tree) => read(walk, tree, key).map(Some),
            None => Some(None),
        }
    }

    /// Where a key stands.
    pub(crate) fn key_at(&self, key: &str) -> Option<Position> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_at)
    }

    /// Where a key stands, or the mapping.
    pub(crate) fn at_key(&self, key: &str) -> Position {
        self.key_at(key).unwrap_or(self.at)
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn close(self, walk: &mut Walk) {
        walk.known.entry(self.kind).or_default().extend(self.asked.iter().copied());
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let hint = nearest::hint(&entry.key, &self.asked);
            walk.error(entry.key_at, format!("unknown key `{}` in `{}`", entry.key, self.name), hint);
        }
    }
}
