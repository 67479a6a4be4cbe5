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

/// Reads the sources and loads them.
///
/// # Errors
/// When a source no longer loads.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Digest, Arc<Book>>, D::Error> {
    let load = |source: Source| {
        let digest = source.digest();
        let book = super::book(source).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            serde::de::Error::custom(format!("a stored book ({digest}) no longer loads: {first}"))
        })?;
        Ok((book.digest(), Arc::new(book)))
    };
    Vec::<Source>::deserialize(from)?.into_iter().map(load).collect()
}
