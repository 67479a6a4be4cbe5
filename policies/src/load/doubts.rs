//! What loads and probably does not do what was meant: policies that can never match, never act, or never get
//! their turn. Warnings only.

use crate::load::fields::Walk;
use crate::load::policy::Written;
use crate::matcher::{Matcher, Operator};
use crate::policy::{Policy, TargetSpec};

/// Doubts about each policy by itself.
pub(crate) fn of_each(written: &[Written], walk: &mut Walk) {
    for Written { policy, match_at, unless_at, steps_at, .. } in written {
        walk.file.clone_from(&policy.place.file);
        if let Some((a, b)) = contradiction(&policy.matchers) {
            walk.warn(
                *match_at,
                format!("`{}` can never match: {a} and {b} contradict each other", policy.name),
                "an alert must meet all matchers; make two policies of it",
            );
        } else if !policy.is_only_by_hand() && policy.matchers.iter().all(|matcher| matcher.meets_value("")) {
            walk.warn(
                *match_at,
                format!("`{}` matches every alert that lacks a label", policy.name),
                "add a matcher that only a present label can meet",
            );
        }
        if !policy.unless.is_empty() && policy.unless.iter().all(|unless| implied(unless, &policy.matchers)) {
            walk.warn(
                *unless_at,
                format!("`{}` can never act: its own alert meets `unless`", policy.name),
                "`unless` is for other alerts that may be open",
            );
        } else if let Some((a, b)) = contradiction(&policy.unless) {
            walk.warn(
                *unless_at,
                format!("`unless` can never be met: {a} and {b} contradict each other"),
                "one alert must meet all matchers of `unless`",
            );
        }
        let last = policy.ladder.last().and_then(|rung| rung.steps.last());
        if last.is_some_and(|step| step.verify.is_none() && !step.remediation.proves_itself()) {
            walk.warn(
                *steps_at,
                format!("nobody will see whether the last step of `{}` helped", policy.name),
                "add `verify` to it",
            );
        }
    }
}

/// Doubts about policies beside each other.
pub(crate) fn between(written: &[Written], walk: &mut Walk) {
    // Only policies that could meet one alert are compared: those that share an equality, or have none.
    let mut order: Vec<&Written> = written.iter().filter(|one| !one.policy.is_only_by_hand()).collect();
    order.sort_by(|a, b| {
        b.policy.priority.cmp(&a.policy.priority).then_with(|| a.policy.name.cmp(&b.policy.name))
    });
    let mut first: std::collections::BTreeMap<(&str, &str), Vec<&Policy>> = std::collections::BTreeMap::new();
    for Written { policy, name_at, .. } in order {
        let keys = || {
            let equal = policy.matchers.iter().filter(|matcher| matcher.operator == Operator::Equal);
            equal.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())).chain([("", "")])
        };
        let shadow = keys()
            .flat_map(|key| first.get(&key).into_iter().flatten())
            .find(|before| shadows(before, policy));
        if let Some(before) = shadow {
            walk.file.clone_from(&policy.place.file);
            walk.warn(
                *name_at,
                format!("`{}` may never get its turn: every alert it matches also matches `{}` ({}), which comes first on the same target", policy.name, before.name, before.place),
                "narrow the other's `match`, or give this one the higher `priority`",
            );
        }
        // Where nothing conditions a policy it can shadow others; it is found under one of its own equalities.
        if policy.when.is_empty() && policy.unless.is_empty() && policy.guards.schedule.is_empty() {
            let key = keys().next().unwrap_or(("", ""));
            let bucket = first.entry(key).or_default();
            if bucket.len() < BUCKET_MAX {
                bucket.push(policy);
            }
        }
    }
}

/// How many policies under one equality are compared with each later one; keeps ten thousand on one alert linear.
const BUCKET_MAX: usize = 64;

/// Two matchers that no value of their label can meet both.
fn contradiction(matchers: &[Matcher]) -> Option<(&Matcher, &Matcher)> {
    matchers.iter().enumerate().find_map(|(index, a)| {
        matchers[index + 1..].iter().find(|b| a.name == b.name && contradict(a, b)).map(|b| (a, b))
    })
}

fn contradict(a: &Matcher, b: &Matcher) -> bool {
    match (a.operator, b.operator) {
        (Operator::Equal, _) => !b.meets_value(&a.value),
        (_, Operator::Equal) => !a.meets_value(&b.value),
        (Operator::Matches, Operator::NotMatches) | (Operator::NotMatches, Operator::Matches) => {
            a.value == b.value
        }
        _ => false,
    }
}

/// Whether every alert that meets `matchers` meets `one`.
fn implied(one: &Matcher, matchers: &[Matcher]) -> bool {
    matchers.iter().filter(|matcher| matcher.name == one.name).any(|matcher| {
        (matcher.operator == Operator::Equal && one.meets_value(&matcher.value))
            || (matcher.operator == one.operator && matcher.value == one.value)
    })
}

/// Whether `before` takes every alert of `after` on the same target, without conditions of its own.
fn shadows(before: &Policy, after: &Policy) -> bool {
    before.matchers.iter().all(|matcher| implied(matcher, &after.matchers))
        && before.wait <= after.wait
        && before.mode >= after.mode
        && same_target(&before.target, &after.target)
}

fn same_target(a: &TargetSpec, b: &TargetSpec) -> bool {
    match (a, b) {
        (TargetSpec::Named { kind, .. }, TargetSpec::Named { kind: other, .. }) if kind != other => false,
        (TargetSpec::OwnerOf { origin, .. }, TargetSpec::OwnerOf { origin: other, .. })
            if origin != other =>
        {
            false
        }
        (TargetSpec::Named { .. }, TargetSpec::Named { .. })
        | (TargetSpec::OwnerOf { .. }, TargetSpec::OwnerOf { .. }) => a.templates() == b.templates(),
        (TargetSpec::Named { .. }, TargetSpec::OwnerOf { .. })
        | (TargetSpec::OwnerOf { .. }, TargetSpec::Named { .. }) => false,
    }
}
