//! Rights without those that another one holds already: the whole cluster holds its namespaces, all objects hold each.

use std::collections::BTreeMap;

use super::{Needers, Right};

/// Who needs what is left out needs what holds it.
pub(crate) fn least(all: BTreeMap<Right, Needers>) -> BTreeMap<Right, Needers> {
    let mut kept: BTreeMap<Right, Needers> = BTreeMap::new();
    for (right, needers) in &all {
        let holder = wider(right).into_iter().find(|wider| all.contains_key(wider));
        let into = kept.entry(holder.unwrap_or_else(|| right.clone())).or_default();
        for (policy, levers) in needers {
            into.entry(policy.clone()).or_default().extend(levers);
        }
    }
    kept
}

/// What holds a right, the widest first.
fn wider(right: &Right) -> Vec<Right> {
    let mut found = Vec::new();
    if right.namespace.is_some() && right.name.is_some() {
        found.push(Right { namespace: None, name: None, ..right.clone() });
    }
    if right.namespace.is_some() {
        found.push(Right { namespace: None, ..right.clone() });
    }
    if right.name.is_some() {
        found.push(Right { name: None, ..right.clone() });
    }
    found
}
