//! Books inside a stored state: written as their source, read by loading it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::book::{Book, Digest, Source};

/// Writes the sources.
///
/// # Errors
/// Whatever the serializer says.
pub fn serialize<S: Serializer>(books: &BTreeMap<Digest, Arc<Book>>, to: S) -> Result<S::Ok, S::Error> {
    books.values().map(|book| book.source()).collect::<Vec<_>>().serialize(to)
}

/// Reads the sources and loads them. One that no longer loads keeps its text and has no policies: a newer program
/// must still open an old journal, and ladders of that book are withdrawn.
///
/// # Errors
/// When what was written is no list of sources.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Digest, Arc<Book>>, D::Error> {
    let load = |source: Source| {
        let book = super::book(source.clone()).unwrap_or_else(|_| Book::without_policies(source));
        (book.digest(), Arc::new(book))
    };
    Ok(Vec::<Source>::deserialize(from)?.into_iter().map(load).collect())
}
