//! From text to a [`Book`]. Collects every problem with file, line, column and a hint; reads no files itself.

pub mod index;
pub mod stored_books;
