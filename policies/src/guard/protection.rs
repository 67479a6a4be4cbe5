//! What is never touched, whatever a policy says: namespaces, our own one, and workloads by their labels, which are
//! known once the remediation has looked at its target. An old look protects too.

use crate::answer::Found;
use crate::guard::{Finding, Guard, View};
use crate::question::Fact;
use crate::reason::Reason;

/// Refuses a protected target.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Protection);
    };
    let protected = &view.book.settings().guards.protected;
    let refuse = |rule: String| Finding::refuses(Guard::Protection, Reason::Protected { rule });
    if !protected.own_namespace.is_empty() && target.namespace == protected.own_namespace {
        return refuse(format!("namespace {}, which is our own", target.namespace));
    }
    if protected.namespaces.contains(&target.namespace) {
        return refuse(format!("namespace {}", target.namespace));
    }
    let looked = view.case.facts.get(&Fact::Preflight).and_then(|known| match &known.found {
        Found::Preflight(preflight) => Some(preflight),
        Found::Series(_)
        | Found::Target(_)
        | Found::Rollout { .. }
        | Found::Http { .. }
        | Found::Absent { .. }
        | Found::Failed { .. } => None,
    });
    let namespace =
        format!("namespace {} is none of {} protected", target.namespace, protected.namespaces.len());
    let Some(preflight) = looked else {
        return Finding::allows(Guard::Protection, format!("{namespace}, labels are not known yet"));
    };
    let rule = protected.labels.iter().find(|rule| match rule.split_once('=') {
        Some((name, value)) => preflight.labels.get(name).is_some_and(|has| has == value),
        None => preflight.labels.contains_key(rule.as_str()),
    });
    match rule {
        Some(rule) => refuse(format!("label {rule}")),
        None => Finding::allows(
            Guard::Protection,
            format!("{namespace}, none of {} protecting labels", protected.labels.len()),
        ),
    }
}
