//! Whether a pause can be of anything: a stop order with a slip in it is a comfort that does nothing. It is given all the
//! same, since what it is for may come later; but whoever gave it is told.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::order::PauseScope;
use paramedic_policies::policy::TargetSpec;
use paramedic_policies::state::State;
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;

/// Names in a doubt.
const NAMED_MAX: usize = 10;

/// More differing letters are another word.
const SLIP_MAX: usize = 2;

/// What speaks against anything being in this scope, as far as the state knows.
pub(super) fn of(state: &State, scope: &PauseScope) -> Option<String> {
    match scope {
        // Whether there is such a policy, the engine has looked.
        PauseScope::Everything | PauseScope::Policy(_) => None,
        PauseScope::Namespace(name) => namespace(state, name),
        PauseScope::Target(target) => namespace(state, &target.namespace).or_else(|| slip(state, target)),
    }
}

fn namespace(state: &State, name: &str) -> Option<String> {
    let known = namespaces(state);
    if known.contains(name) || is_matched(state, name) {
        return None;
    }
    let meant = nearest(name, known.iter().map(String::as_str));
    let named: Vec<&str> = known.iter().map(String::as_str).take(NAMED_MAX).collect();
    let others = match (meant, named.is_empty()) {
        (Some(meant), _) => format!("; did you mean {meant}?"),
        (None, false) => format!("; known are: {}.", named.join(", ")),
        (None, true) => ".".to_owned(),
    };
    Some(format!(
        "no open alert, no policy and nothing done so far is in the namespace {name}{others} The pause is in force all \
         the same"
    ))
}

/// A target of which nothing is known, while one of nearly that name is.
fn slip(state: &State, target: &Target) -> Option<String> {
    let known = targets(state);
    if known.contains(target) {
        return None;
    }
    let shown: Vec<String> = known.iter().map(ToString::to_string).collect();
    let meant = nearest(&target.to_string(), shown.iter().map(String::as_str))?;
    Some(format!(
        "no open alert, no policy and nothing done so far is about {target}; did you mean {meant}? The pause is in force \
         all the same"
    ))
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let apart = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    apart.filter(|(apart, _)| (1..=SLIP_MAX).contains(apart)).min().map(|(_, known)| known)
}

fn namespaces(state: &State) -> BTreeSet<String> {
    let open = state.open.values().filter_map(|episode| state.episodes.get(episode));
    let labels = ["namespace", "exported_namespace"];
    let mut known: BTreeSet<String> = open
        .flat_map(|episode| labels.iter().filter_map(|label| episode.labels.get(*label)).cloned())
        .collect();
    known.extend(targets(state).into_iter().map(|target| target.namespace));
    let book = state.current_book();
    let (labels, lets) = (BTreeMap::new(), BTreeMap::new());
    let scope = Scope { labels: &labels, vars: &book.settings().vars, lets: &lets, target: None };
    for policy in book.policies().values() {
        for spec in specs(policy) {
            let namespace = match spec {
                TargetSpec::Named { namespace, .. } => Some(namespace),
                TargetSpec::OwnerOf { namespace, .. } => namespace.as_ref(),
            };
            known.extend(namespace.and_then(|namespace| namespace.render(&scope).ok()));
        }
    }
    known.retain(|name| !name.is_empty());
    known
}

/// Whether a policy is for alerts of this namespace by name.
fn is_matched(state: &State, name: &str) -> bool {
    state.current_book().policies().values().any(|policy| {
        let mut ofs = policy.matchers.iter().filter(|matcher| matcher.name == "namespace").peekable();
        ofs.peek().is_some() && ofs.all(|matcher| matcher.meets_value(name) && !matcher.meets_value(ANY))
    })
}

/// No namespace has this name: what it meets, anything meets.
const ANY: &str = "-";

fn targets(state: &State) -> BTreeSet<Target> {
    let cases = state.cases.values().filter_map(|case| case.target.clone());
    let acted = state.last_actions.keys().cloned();
    let leases = state.leases.values().map(|lease| lease.intent.target.clone());
    let charged = state.ledger.charges.iter().map(|charge| charge.target.clone());
    cases.chain(acted).chain(leases).chain(charged).collect()
}

fn specs(policy: &paramedic_policies::policy::Policy) -> impl Iterator<Item = &TargetSpec> {
    let steps = policy.ladder.iter().flat_map(|rung| &rung.steps);
    std::iter::once(&policy.target).chain(steps.filter_map(|step| step.target.as_ref()))
}

#[cfg(test)]
mod tests {
    use paramedic_policies::action::Mode;
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::input::Input;
    use paramedic_policies::settings::Settings;
    use paramedic_policies::time::Moment;
    use paramedic_policies::{apply, decide};

    use super::*;

    fn state() -> State {
        let text = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: fixed}
spec:
  match: ['alertname="A"']
  target: {kind: Deployment, namespace: apns, name: gateway}
  ladder: [{restart: {}, verify: {rollout: complete}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: matched}
spec:
  match: ['alertname="B"', 'namespace=~"shop|search"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder: [{restart: {}, verify: {rollout: complete}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: anywhere}
spec:
  match: ['alertname="C"', 'namespace!=""']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder: [{restart: {}, verify: {rollout: complete}}]
"#;
        let files = vec![SourceFile { path: "a.yaml".to_owned(), text: text.to_owned() }];
        let settings = Settings { mode: Mode::Enforce, ..Settings::default() };
        let source = Source { files, settings, tzdb: "test".to_owned() };
        let mut state = State::new();
        let now = Moment::from_unix_ms(0);
        for event in decide(&state, &state.current_book(), now, &Input::Adopt(Box::new(source))) {
            apply(&mut state, now, &event);
        }
        assert!(state.book.is_some());
        state
    }

    fn said(namespace: &str) -> Option<String> {
        of(&state(), &PauseScope::Namespace(namespace.to_owned()))
    }

    #[test]
    fn a_slip_in_a_namespace_is_told() {
        for known in ["apns", "shop", "search"] {
            assert_eq!(said(known), None, "{known}");
        }
        let slip = said("apsn").expect("nobody knows it");
        assert!(slip.contains("no open alert, no policy") && slip.contains("did you mean apns?"), "{slip}");
        let other = said("elsewhere").expect("a policy for any namespace names none");
        assert!(other.contains("known are: apns"), "{other}");
    }

    #[test]
    fn a_target_is_doubted_for_its_namespace_alone_where_nothing_is_like_it() {
        let target = |namespace: &str| {
            let target = Target {
                kind: "Deployment".to_owned(),
                namespace: namespace.to_owned(),
                name: "cart".to_owned(),
            };
            of(&state(), &PauseScope::Target(target))
        };
        assert_eq!(target("shop"), None);
        assert!(target("shpo").is_some());
    }
}
