//! Finds the policies that match an alert without asking each of them.
//!
//! Every policy is filed under one of its equality matchers, the one that the fewest policies share. An alert looks
//! up its own labels, so it meets only policies that one of its labels names, and those without any equality. What
//! remains of their matchers is compared, equalities first; equal expressions are run once for an alert. A policy
//! without matchers is only run by hand: it stands in no index.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::alert::Labels;
use crate::matcher::{Matcher, Operator};
use crate::policy::Policy;

/// A map whose order is never seen, with a hash that is the same in every process.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Where to look first.
#[derive(Debug, Default)]
pub struct Index {
    /// By precedence: the higher priority first, then the lesser name.
    entries: Vec<Entry>,
    /// Entries by the label and value of their rarest equality.
    keyed: Map<String, Map<String, Vec<u32>>>,
    /// Entries without an equality.
    rest: Vec<u32>,
    /// Every different matcher that is no equality.
    tests: Vec<Matcher>,
}

#[derive(Debug)]
struct Entry {
    policy: String,
    equalities: Vec<(String, String)>,
    tests: Vec<u32>,
}

impl Index {
    /// The index over these policies.
    pub fn of(policies: &BTreeMap<String, Policy>) -> Self {
        let mut order: Vec<&Policy> = policies.values().filter(|policy| !policy.is_only_by_hand()).collect();
        order.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        let mut shared: Map<(&str, &str), u32> = Map::default();
        for key in order.iter().flat_map(|policy| equalities(policy)) {
            *shared.entry(key).or_default() += 1;
        }
        let mut index = Self::default();
        let mut numbers: Map<(&str, Operator, &str), u32> = Map::default();
        for policy in &order {
            let at = number(index.entries.len());
            // An empty value also means an absent label, which no lookup finds.
            let rarest =
                equalities(policy).filter(|(_, value)| !value.is_empty()).min_by_key(|key| shared[key]);
            match rarest {
                Some((name, value)) => {
                    index
                        .keyed
                        .entry(name.to_owned())
                        .or_default()
                        .entry(value.to_owned())
                        .or_default()
                        .push(at);
                }
                None => index.rest.push(at),
            }
            let mut tests = Vec::new();
            for matcher in policy.matchers.iter().filter(|matcher| matcher.operator != Operator::Equal) {
                let fresh = number(index.tests.len());
                let known =
                    *numbers.entry((&matcher.name, matcher.operator, &matcher.value)).or_insert(fresh);
                if known == fresh {
                    index.tests.push(matcher.clone());
                }
                tests.push(known);
            }
            let equalities = equalities(policy)
                .filter(|key| Some(*key) != rarest)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            index.entries.push(Entry { policy: policy.name.clone(), equalities, tests });
        }
        index
    }

    /// The policies whose matchers all meet these labels, by priority, then by name.
    pub fn matching<'p>(&self, policies: &'p BTreeMap<String, Policy>, labels: &Labels) -> Vec<&'p Policy> {
        // Whether each test is met, once it has been asked.
        let mut answers: Vec<Option<bool>> = vec![None; self.tests.len()];
        let mut met = |test: &u32| match (answers.get_mut(*test as usize), self.tests.get(*test as usize)) {
            (Some(answer), Some(matcher)) => *answer.get_or_insert_with(|| matcher.meets(labels)),
            _ => false,
        };
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        let named = labels.iter().filter_map(|(name, value)| self.keyed.get(name)?.get(value));
        let mut found: Vec<u32> = named
            .chain([&self.rest])
            .flatten()
            .copied()
            .filter(|at| {
                self.entries.get(*at as usize).is_some_and(|entry| {
                    entry.equalities.iter().all(|(name, wanted)| value(name) == wanted)
                        && entry.tests.iter().all(&mut met)
                })
            })
            .collect();
        found.sort_unstable();
        found.into_iter().filter_map(|at| policies.get(&self.entries.get(at as usize)?.policy)).collect()
    }
}

fn equalities(policy: &Policy) -> impl Iterator<Item = (&str, &str)> {
    let equal = policy.matchers.iter().filter(|matcher| matcher.operator == Operator::Equal);
    equal.map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("a source of at most a few megabytes holds fewer than four billion matchers")
}
