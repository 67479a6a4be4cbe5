//! Chance that can be repeated: the same seed throws the same. It must be the only source of chance in a run.

use std::ops::RangeInclusive;

use paramedic_policies::time::Span;

/// A seeded generator.
#[derive(Debug, Clone)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that throw what this seed throws.
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Others, that do not depend on how often these are thrown from now on.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// True in this many of a hundred throws.
    pub(crate) fn percent(&mut self, chance: u8) -> bool {
        self.0.u8(0..100) < chance
    }

    /// True once in so many throws.
    pub(crate) fn one_in(&mut self, throws: u32) -> bool {
        self.0.u32(0..throws.max(1)) == 0
    }

    /// A number of the range.
    pub(crate) fn number(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.u64(range)
    }

    /// The same as a count.
    pub(crate) fn count(&mut self, range: RangeInclusive<u32>) -> u32 {
        self.0.u32(range)
    }

    /// One of these; there is at least one.
    pub(crate) fn among<'a, T>(&mut self, those: &'a [T]) -> &'a T {
        &those[self.0.usize(0..those.len())]
    }

    /// Whole seconds.
    pub(crate) fn secs(&mut self, range: RangeInclusive<u64>) -> Span {
        Span::from_secs(self.number(range))
    }

    /// Milliseconds.
    pub(crate) fn ms(&mut self, range: RangeInclusive<u64>) -> Span {
        Span::from_ms(self.number(range))
    }
}
