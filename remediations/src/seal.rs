//! The proof, in a type, that something was recorded before it is done.

use std::ops::Deref;

/// A value whose record is durable, with the stamp that ties its traces to the journal. Only the write-ahead
/// loop makes one, from an append's receipt or from the journal itself after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    value: T,
    stamp: String,
}

impl<T> Sealed<T> {
    /// Seals a value. Visible to the loop alone.
    pub(crate) fn mint(value: T, stamp: String) -> Self {
        Self { value, stamp }
    }

    /// `<journal uuid>-<seq>`: put on everything the effect touches.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }
}

impl<T> Deref for Sealed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}
