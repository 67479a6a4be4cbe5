//! From text to a [`Book`]. Collects every problem with file, line, column and a hint; reads no files itself.

pub mod index;
pub mod stored_books;

use crate::book::{Book, Source};

/// Loads a book. (Documents are read by the loader that follows; settings alone make a book already.)
///
/// # Errors
/// None yet.
pub fn book(source: Source) -> Result<Book, Vec<String>> {
    let digest = source.digest();
    Ok(Book { policies: Default::default(), source, digest, index: index::Index::default() })
}
