//! What is never touched, whatever a policy says: namespaces, our own one, and workloads by their labels, which are
//! known once the remediation has looked at its target. An old look protects too.

use crate::answer::{BESIDE_MAX, Preflight};
use crate::counted::counted;
use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::settings::Protected;

/// Refuses a protected target, and an action that reaches a protected namespace.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if view.known_target().is_none() {
        return Finding::not_asked(Guard::Protection);
    }
    let protected = &view.book.settings().guards.protected;
    let refuse = |rule: String| Finding::refuses(Guard::Protection, Reason::Protected { rule });
    let reached = view.namespaces();
    if let Some(rule) = reached.iter().find_map(|name| protecting_namespace(protected, name)) {
        return refuse(rule);
    }
    let namespace = match reached.as_slice() {
        [] => "it belongs to no namespace".to_owned(),
        [name] => format!("namespace {name} is none of {} protected", protected.namespaces.len()),
        several => {
            let names = several.join(", ");
            format!("of namespaces {names} none is one of {} protected", protected.namespaces.len())
        }
    };
    let Some(preflight) = view.looked() else {
        return Finding::allows(Guard::Protection, format!("{namespace}, labels are not known yet"));
    };
    match protecting_label(protected, preflight) {
        Some(rule) => refuse(rule),
        None => Finding::allows(
            Guard::Protection,
            format!("{namespace}, none of {}", counted(protected.labels.len(), "protecting label")),
        ),
    }
}

/// The label by which the target, or what else would be touched, is never touched, if there is one.
pub(crate) fn protecting_label(protected: &Protected, preflight: &Preflight) -> Option<String> {
    let known = protected.labels.iter().find_map(|rule| {
        let (name, value) =
            rule.split_once('=').map_or((rule.as_str(), None), |(name, value)| (name, Some(value)));
        let has = preflight.labels.get(name);
        if has.is_some_and(|has| value.is_none_or(|value| has == value)) {
            return Some(format!("label {rule}"));
        }
        preflight.beside.with(name, value).map(|object| format!("label {rule} of {object}"))
    });
    // A label that is there is a better reason than one that may be.
    known.or_else(|| {
        let (rule, object) = (protected.labels.first()?, preflight.beside.in_doubt()?);
        Some(format!(
            "label {rule} or another, perhaps: of {object} not all labels are known, more than {BESIDE_MAX} would be touched"
        ))
    })
}

/// The rule by which this namespace is never touched, if there is one.
pub(crate) fn protecting_namespace(protected: &Protected, namespace: &str) -> Option<String> {
    if !protected.own_namespace.is_empty() && namespace == protected.own_namespace {
        return Some(format!("namespace {namespace}, which is our own"));
    }
    protected.namespaces.iter().any(|name| name == namespace).then(|| format!("namespace {namespace}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[track_caller]
    fn check_target(on: &str, says: &str) {
        let mut world = World::new();
        world.settings.guards.protected.own_namespace = "paramedic".to_owned();
        world.target = Some(Ok(target(on)));
        assert_eq!(world.says(judge), says);
    }

    #[track_caller]
    fn check_labels(has: &[(&str, &str)], says: &str) {
        let mut world = World::new();
        world.preflight(|preflight| preflight.labels = labels(has));
        assert_eq!(world.says(judge), says);
    }

    #[test]
    fn protected_namespaces_and_our_own_refuse() {
        check_target("kube-system/coredns", "refuses: protected by namespace kube-system");
        check_target("paramedic/paramedic", "refuses: protected by namespace paramedic, which is our own");
    }

    #[test]
    fn a_protecting_label_refuses_once_it_is_known() {
        check_labels(
            &[("app.kubernetes.io/name", "prometheus")],
            "refuses: protected by label app.kubernetes.io/name=prometheus",
        );
        check_labels(
            &[("paramedic.dev/protected", "whatever")],
            "refuses: protected by label paramedic.dev/protected",
        );
    }

    #[test]
    fn an_old_look_protects_too() {
        let mut world = World::new();
        world.preflight(|preflight| preflight.labels = labels(&[("paramedic.dev/protected", "")]));
        world.now = at("12:00:00");
        assert_eq!(world.says(judge), "refuses: protected by label paramedic.dev/protected");
    }

    #[test]
    fn every_namespace_that_the_action_reaches_is_judged() {
        let mut world = World::new();
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "kube-system"])));
        assert_eq!(world.says(judge), "refuses: protected by namespace kube-system");
        world.preflight(|preflight| preflight.action = Some(freeze(&["prod", "stage"])));
        assert_eq!(
            world.says(judge),
            "allows: of namespaces prod, stage none is one of 3 protected, none of 7 protecting labels"
        );
    }

    #[test]
    fn a_label_of_what_else_is_touched_protects_it() {
        let mut world = World::new();
        world.settings.guards.protected.labels = vec!["gold".to_owned(), "tier=0".to_owned()];
        let with = |world: &mut World, has: &[(&str, &str)]| {
            world.preflight(|preflight| preflight.beside.add("pod prod/db-0", &labels(has)));
        };
        with(&mut world, &[("tier", "1"), ("app", "tier=0")]);
        assert!(world.says(judge).starts_with("allows"));
        with(&mut world, &[("tier", "0")]);
        assert_eq!(world.says(judge), "refuses: protected by label tier=0 of pod prod/db-0");
        with(&mut world, &[("gold", "")]);
        assert_eq!(world.says(judge), "refuses: protected by label gold of pod prod/db-0");
    }

    #[test]
    fn a_refusal_in_doubt_says_that_it_is_one() {
        let mut world = World::new();
        world.settings.guards.protected.labels = vec!["gold".to_owned(), "tier=0".to_owned()];
        world.preflight(|preflight| {
            for pod in 0..=BESIDE_MAX {
                preflight.beside.add(&format!("pod prod/web-{pod}"), &labels(&[("pod", &pod.to_string())]));
            }
        });
        assert_eq!(
            world.says(judge),
            "refuses: protected by label gold or another, perhaps: of pod prod/web-4096 not all labels are known, more than \
             4096 would be touched"
        );
    }

    #[test]
    fn other_namespaces_and_labels_allow() {
        check_target("prod/web", "allows: namespace prod is none of 3 protected, labels are not known yet");
        check_labels(
            &[("app.kubernetes.io/name", "web")],
            "allows: namespace prod is none of 3 protected, none of 7 protecting labels",
        );
    }
}
