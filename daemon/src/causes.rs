//! An error with all its causes, as one line for people.

use std::error::Error;

/// What went wrong, and why, and why that: `could not read x: permission denied`.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
