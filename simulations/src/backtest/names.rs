//! Counts by name, up to a bound: what comes beyond it is not told apart, and that is remembered, so that nobody reads the
//! bound as a count.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The first names that came, each with what is counted of it.
#[derive(Debug)]
pub(super) struct Names<K, V> {
    by: BTreeMap<K, V>,
    most: usize,
    left_out: bool,
}

impl<K: Ord, V: Default> Names<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { by: BTreeMap::new(), most, left_out: false }
    }

    /// What is counted of this name; nothing where there are too many others.
    pub(super) fn of<Q>(&mut self, name: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        if !self.by.contains_key(name) {
            if self.by.len() >= self.most {
                self.left_out = true;
                return None;
            }
            self.by.insert(name.to_owned(), V::default());
        }
        self.by.get_mut(name)
    }

    /// Whether there were more names than are counted.
    pub(super) fn left_out(&self) -> bool {
        self.left_out
    }

    /// All of them.
    pub(super) fn all(&self) -> &BTreeMap<K, V> {
        &self.by
    }

    /// All of them, for good.
    pub(super) fn take(&mut self) -> BTreeMap<K, V> {
        std::mem::take(&mut self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beyond_the_bound_is_not_counted_and_that_is_known() {
        let mut names: Names<String, u64> = Names::new(2);
        for name in ["a", "b", "a"] {
            *names.of(name).expect("there is room") += 1;
        }
        assert!(!names.left_out());
        assert_eq!(names.of("c"), None);
        *names.of("b").expect("it is known") += 1;
        assert!(names.left_out());
        assert_eq!(names.take().into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    }
}
