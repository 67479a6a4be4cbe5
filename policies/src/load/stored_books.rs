//! Books inside a stored state: written as their name and source, read by loading that again. A name is never computed
//! anew where one is written: cases refer to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::book::{Book, Digest, Source};

#[derive(Serialize)]
struct Written<'a> {
    digest: Digest,
    #[serde(flatten)]
    source: &'a Source,
}

#[derive(Deserialize)]
struct Read {
    /// The first states were stored without.
    digest: Option<Digest>,
    #[serde(flatten)]
    source: Source,
}

/// Writes names and sources.
///
/// # Errors
/// Whatever the serializer says.
pub fn serialize<S: Serializer>(books: &BTreeMap<Digest, Arc<Book>>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(books.values().map(|book| Written { digest: book.digest(), source: book.source() }))
}

/// Reads the sources and loads them. One that no longer loads keeps its text and has no policies: a newer program
/// must still open an old journal, and ladders of that book are withdrawn.
///
/// # Errors
/// When what was written is no list of sources.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Digest, Arc<Book>>, D::Error> {
    let load = |Read { digest, source }: Read| {
        let digest = digest.unwrap_or_else(|| source.digest());
        let book =
            super::adopted(digest, source.clone()).unwrap_or_else(|_| Book::without_policies(digest, source));
        (digest, Arc::new(book))
    };
    Ok(Vec::<Read>::deserialize(from)?.into_iter().map(load).collect())
}
