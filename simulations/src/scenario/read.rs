//! Reading scenario files: every unknown key, wrong type and contradiction at once, each with line, column and a hint.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use paramedic_policies::load::conform::conform;
use paramedic_policies::load::yaml::{self, Fault, Node, Tree};
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::target::is_dns_subdomain;

use super::document::ScenarioDocument;
use super::expect_document::StateDocument;
use super::{BEGINS, Scenario, amounts, hollow, schema, times};
use crate::scenario::setting;
use crate::world::kinds;

const API_VERSION: &str = "paramedic.dev/v1alpha1";
const KIND: &str = "Scenario";

/// Made once: it takes longer than to read a file.
static SCHEMA: LazyLock<schemars::Schema> = LazyLock::new(schema);

/// Reads the scenarios of a file; one document each.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str, file: &str) -> Result<Vec<Scenario>, Vec<Problem>> {
    let parsed = yaml::parse(text);
    let mut faults = parsed.faults;
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for tree in parsed.documents {
        let before = faults.len();
        headed(&tree, &mut faults);
        faults.extend(conform(&tree, &SCHEMA));
        if faults.len() > before {
            continue;
        }
        match serde_json::from_value::<ScenarioDocument>(tree.to_json()) {
            Ok(document) => {
                checked(&document, &tree, &mut faults);
                let name = document.metadata.name.clone();
                let at = tree.position("/metadata/name");
                if let Some(first) = names.insert(name.clone(), at.line) {
                    let message = format!("a scenario named `{name}` is already at line {first}");
                    faults.push(Fault::new(at, message, "names are unique in a file; rename one"));
                }
                let usual = BEGINS.parse().expect("it is written as a time");
                let begins = document.spec.begins.unwrap_or(usual);
                scenarios.push(Scenario { file: file.to_owned(), name, begins, document, tree });
            }
            Err(error) => faults.push(Fault { at: tree.at, message: error.to_string(), hint: None }),
        }
    }
    if faults.is_empty() {
        return Ok(scenarios);
    }
    faults.sort_by_key(|fault| fault.at);
    Err(faults.into_iter().map(|fault| problem(file, fault)).collect())
}

fn problem(file: &str, fault: Fault) -> Problem {
    Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line: fault.at.line,
        column: fault.at.column,
        message: fault.message,
        hint: fault.hint,
    }
}

fn headed(tree: &Tree, faults: &mut Vec<Fault>) {
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let is_it =
            tree.get(key).is_none_or(|value| matches!(&value.node, Node::Text(text) if text == wanted));
        if !is_it {
            let at = tree.position(&format!("/{key}"));
            faults.push(Fault::new(
                at,
                format!("`{key}` is not `{wanted}`"),
                format!("write `{key}: {wanted}`"),
            ));
        }
    }
}

fn is_one<const N: usize>(given: [bool; N]) -> bool {
    given.into_iter().filter(|is| *is).count() == 1
}

/// What no type can say.
fn checked(document: &ScenarioDocument, tree: &Tree, faults: &mut Vec<Fault>) {
    let spec = &document.spec;
    let mut fault = |path: &str, message: String, hint: &str| {
        faults.push(Fault::new(tree.position(path), message, hint));
    };
    for (path, problem, hint) in setting::faults(&spec.world) {
        fault(&format!("/spec/world{path}"), problem, hint);
    }
    let name = &document.metadata.name;
    if !is_dns_subdomain(name) {
        let problem = format!("`{}` is no name", name.escape_debug());
        fault(
            "/metadata/name",
            problem,
            "lower case letters, digits, `-` and `.`, such as `a-stale-fact-withholds`",
        );
    }
    for (path, problem, hint) in times::faults(spec) {
        fault(&format!("/spec/{path}"), problem, &hint);
    }
    for (path, problem, hint) in hollow::faults(spec) {
        fault(&format!("/spec/{path}"), problem, hint);
    }
    for (path, problem) in amounts::faults(spec) {
        fault(
            &format!("/spec/{path}"),
            problem,
            "write fewer: some pods and some dozens of alerts show the same",
        );
    }
    for (index, alert) in spec.alerts.iter().enumerate() {
        let path = format!("/spec/alerts/{index}");
        if let Some(recurs) = &alert.recurs {
            let lasts = alert.until.map(|until| until.ms().saturating_sub(alert.from.ms()));
            if lasts.is_none_or(|lasts| lasts >= recurs.every.ms()) {
                let problem = "it does not end before it begins anew".to_owned();
                fault(&path, problem, "write an `until` that comes before `every` has passed");
            }
        }
    }
    for (index, fact) in spec.facts.iter().enumerate() {
        let path = format!("/spec/facts/{index}");
        if let Err((problem, hint)) = setting::about(fact) {
            fault(&path, problem, hint);
        }
        let own = fact.says.said();
        match (own, fact.over.is_empty()) {
            (Ok(None), true) => {
                fault(&path, "it says no value".to_owned(), "write `is: 0.2`, `empty: true` or `over:`");
            }
            (Ok(Some(_)), false) => {
                fault(&path, "a value and `over` contradict each other".to_owned(), "write one of them");
            }
            (Err(problem), _) => fault(&path, problem, "write one of is, samples, empty, nan, fails"),
            (Ok(_), _) => {}
        }
        let mut last = None;
        for (place, spell) in fact.over.iter().enumerate() {
            let path = format!("{path}/over/{place}");
            match spell.says.said() {
                Ok(Some(_)) => {}
                Ok(None) => fault(&path, "it says no value".to_owned(), "write such as `is: 0.2`"),
                Err(problem) => fault(&path, problem, "write one of is, samples, empty, nan, fails"),
            }
            match setting::when(spell) {
                Ok(at) if last.is_none_or(|last| last < at) => last = Some(at),
                Ok(_) => fault(&path, "it is not later than the one before".to_owned(), "sort them by time"),
                Err(problem) => fault(&path, problem, "write one of `at` and `ago`"),
            }
        }
    }
    for (index, order) in spec.orders.iter().enumerate() {
        let given = [
            order.run.is_some(),
            order.undo.is_some(),
            order.approve.is_some(),
            order.deny.is_some(),
            order.pause.is_some(),
            order.resume.is_some(),
            order.acknowledge,
        ];
        if !is_one(given) {
            let hint = "write one of run, undo, approve, deny, pause, resume, acknowledge";
            fault(&format!("/spec/orders/{index}"), "an order is one thing".to_owned(), hint);
        }
        for (key, scope) in [("pause", &order.pause), ("resume", &order.resume)] {
            if let Some(scope) = scope
                && setting::scope(scope).is_none()
            {
                let hint = "write one of everything, namespace, policy, target";
                fault(&format!("/spec/orders/{index}/{key}"), "one scope is wanted".to_owned(), hint);
            }
        }
    }
    for (index, change) in spec.changes.iter().enumerate() {
        let path = format!("/spec/changes/{index}");
        let given = [
            change.deploy.is_some(),
            change.scale.is_some(),
            change.put.is_some(),
            change.delete.is_some(),
            change.daemon_restarts,
        ];
        if !is_one(given) {
            let hint = "write one of deploy, scale, put, delete, daemonRestarts";
            fault(&path, "a change is one thing".to_owned(), hint);
        }
        if change.scale.is_some() != change.to.is_some() {
            fault(&path, "`scale` and `to` belong together".to_owned(), "write scale: {...}, to: 3");
        }
        if let Some(put) = &change.put
            && let Err(problem) = setting::address_of(put)
        {
            fault(&format!("{path}/put"), problem, setting::OBJECT_HINT);
        }
        for (key, named) in [("delete", &change.delete)] {
            if let Some(named) = named
                && kinds::of_target(&named.kind).is_none()
            {
                let problem = format!("the simulated world has no {}", named.kind);
                fault(&format!("{path}/{key}/kind"), problem, setting::OBJECT_HINT);
            }
        }
        for (key, named) in [("deploy", &change.deploy), ("scale", &change.scale)] {
            if let Some(named) = named
                && !spec.world.workloads.iter().any(|one| setting::is_named(one, named))
            {
                let problem =
                    format!("there is no {} {}/{} in `world`", named.kind, named.namespace, named.name);
                fault(&format!("{path}/{key}"), problem, "name one of `world.workloads`");
            }
        }
    }
    for (index, state) in spec.expect.state.iter().enumerate() {
        let path = format!("/spec/expect/state/{index}");
        let StateDocument { kind, there, field, annotation, .. } = state;
        let given = [there.is_some(), field.is_some(), annotation.is_some()];
        if !is_one(given) {
            let hint = "write one of there, field, annotation";
            fault(&path, "it expects one thing of an object".to_owned(), hint);
        }
        if kinds::of_target(kind).is_none() {
            fault(
                &format!("{path}/kind"),
                format!("the simulated world has no {kind}"),
                setting::OBJECT_HINT,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match read(text, "cart.yaml") {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    const HEAD: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n";

    #[test]
    fn a_small_scenario_is_read() {
        let text = format!("{HEAD}  alerts: [{{labels: {{alertname: A}}}}]\n  expect: {{actions: []}}\n");
        assert_eq!(problems(&text), [""; 0]);
    }

    #[test]
    fn a_name_that_would_break_a_transcript_is_refused() {
        for name in ["''", "A b", "\"## a\"", "\"a\\n## b\""] {
            let text = format!(
                "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: {name}}}\nspec: {{expect: {{}}}}\n"
            );
            let all = problems(&text);
            assert!(all.len() == 1 && all[0].starts_with("cart.yaml:3:18: error: `"), "{name}: {all:#?}");
            assert!(all[0].contains("is no name\n  hint: lower case letters"), "{name}: {all:#?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let text = format!(
            "{HEAD}  facts:
    - {{series: 'up{{', is: 1}}
    - {{query: 'sum(up)'}}
  orders: [{{at: 5, aprove: x}}]
  world: {{objects: [{{kind: Ingress}}]}}
  expect: {{action: []}}
"
        );
        let problems = problems(&text).join("\n");
        assert!(problems.contains("cart.yaml:10:12: error: unknown key `action` in `expect`"), "{problems}");
        assert!(problems.contains("did you mean `actions`?"), "{problems}");
        assert!(problems.contains("unknown key `aprove`"), "{problems}");
        assert!(problems.contains("`at` must be text"), "{problems}");
    }

    #[test]
    fn what_no_type_can_say_is_checked_too() {
        let text = format!(
            "{HEAD}  facts:
    - {{series: 'up{{', is: 1}}
    - {{query: 'sum(up)'}}
    - {{query: 'sum(up)', over: [{{at: 5m, is: 1}}, {{at: 1m, is: 2}}]}}
  orders: [{{at: 5m}}]
  world: {{objects: [{{kind: Ingress}}]}}
  expect: {{}}
"
        );
        let problems = problems(&text);
        let lines: Vec<&str> = problems.iter().map(|one| one.lines().next().unwrap_or_default()).collect();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert!(lines[1].starts_with("cart.yaml:7:") && lines[1].contains("it says no value"), "{lines:#?}");
    }
}
