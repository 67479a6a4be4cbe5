//! That what ships for Maestro fits together: Prometheus and Alertmanager take their files, each alert fires where it
//! should and nowhere else, the policies load and are for alerts that there are, and the table of the runbooks tells the
//! truth about all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::endpoint::Endpoint;
use paramedic_policies::load;
use paramedic_policies::notifications::{Receiver, Slack};
use paramedic_policies::settings::Settings;
use paramedic_tests::peers::{self, peer, repository};

/// Runs a peer in a folder of the repository.
///
/// # Panics
/// With all it printed, where it found anything.
fn passes(program: &str, folder: &str, arguments: &[&str]) {
    if !peers::need(&[program]) {
        return;
    }
    let output = Command::new(&peer(program).path)
        .args(arguments)
        .current_dir(repository().join(Path::new(folder)))
        .output()
        .expect("the peer starts");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?}:\n{said}");
}

#[test]
fn prometheus_takes_the_rules() {
    passes("promtool", "ops/prometheus", &["check", "rules", "--lint-fatal", "maestro.rules.yaml"]);
}

#[test]
fn each_alert_fires_where_it_should_and_nowhere_else() {
    passes("promtool", "ops/prometheus", &["test", "rules", "maestro.test.yaml"]);
}

#[test]
fn the_alerts_of_days_fire_where_they_should_and_nowhere_else() {
    passes("promtool", "ops/prometheus", &["test", "rules", "maestro-days.test.yaml"]);
}

#[test]
fn the_alert_of_a_month_fires_where_it_should_and_nowhere_else() {
    passes("promtool", "ops/prometheus", &["test", "rules", "maestro-month.test.yaml"]);
}

#[test]
fn alertmanager_takes_the_suggested_route() {
    passes("amtool", "ops/alertmanager", &["check-config", "maestro.yaml"]);
}

/// The names of all alerts with their severities, as the rules file has them.
fn alerts() -> BTreeMap<String, BTreeSet<String>> {
    let rules = read("ops/prometheus/maestro.rules.yaml");
    let mut alerts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in rules.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            last = name.to_owned();
        } else if let Some((_, severity)) =
            line.split_once("severity: ").filter(|_| line.starts_with("labels:"))
        {
            let severity = severity.split([',', '}']).next().unwrap_or_default();
            alerts.entry(last.clone()).or_default().insert(severity.to_owned());
        }
    }
    alerts
}

/// The policies for Maestro, by file name.
fn policies() -> BTreeMap<String, String> {
    let folder = repository().join("policies/maestro");
    let files = std::fs::read_dir(folder).expect("the folder is there").map(|entry| {
        let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
        let text = read(&format!("policies/maestro/{name}"));
        (name, text)
    });
    files.collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Stands for a `|` that separates no cells.
const ESCAPED: &str = "\u{1}";

/// The words of the table's rows, cell by cell, without the heading.
fn rows(table: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = table.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| cell.trim().replace(ESCAPED, "|");
    rows.map(|line| line.replace("\\|", ESCAPED).trim_matches('|').split('|').map(cell).collect()).collect()
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Settings with the variables that the table names, the endpoint that the policy for row 15 calls, and the
/// receivers that the policies name.
fn configured() -> Settings {
    let mut settings = Settings::default();
    for cells in rows(&read("ops/docs/runbooks.md"), "| variable |") {
        for (name, example) in quoted(&cells[0]).into_iter().zip(quoted(&cells[1])) {
            settings.vars.insert(name.to_owned(), example.to_owned());
        }
    }
    let url = "http://maestro.prod.svc:8080/api/queues".to_owned();
    let endpoint = Endpoint { url, ca_file: None, headers: BTreeMap::new() };
    settings.endpoints.insert("maestro-queues".to_owned(), endpoint);
    for name in ["sre-pager", "database-team", "data-team", "security", "security-team"] {
        let slack = Some(Slack { url_file: format!("/run/{name}") });
        settings.notifications.receivers.insert(name.to_owned(), Receiver { slack, ..Receiver::default() });
    }
    settings
}

#[test]
fn the_policies_load_together_with_the_variables_that_the_table_names() {
    let files = policies().into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    let checked = load::check(Source { files, settings: configured(), tzdb: "test".to_owned() });
    let said: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, [""; 0]);
}

#[test]
fn each_policy_is_for_an_alert_that_fires_with_the_severity_it_wants() {
    let alerts = alerts();
    for (file, text) in policies() {
        let source = Source {
            files: vec![SourceFile { path: file.clone(), text }],
            settings: configured(),
            tzdb: "test".to_owned(),
        };
        let book = load::book(source).expect("it loads");
        for policy in book.policies().values().filter(|policy| !policy.is_only_by_hand()) {
            let wants = |name: &str| policy.matchers.iter().find(|matcher| matcher.name == name);
            let fits = |alert: &str, severity: &str| {
                wants("alertname").is_some_and(|matcher| matcher.meets(&labels("alertname", alert)))
                    && wants("severity").is_none_or(|matcher| matcher.meets(&labels("severity", severity)))
            };
            let met = alerts.iter().any(|(alert, all)| all.iter().any(|severity| fits(alert, severity)));
            assert!(met, "{file}: no alert of the rules meets {}", policy.name);
        }
    }
}

#[test]
fn every_policy_acts_in_the_namespaces_of_maestro_alone() {
    for (file, text) in policies() {
        let source = Source {
            files: vec![SourceFile { path: file.clone(), text }],
            settings: configured(),
            tzdb: "test".to_owned(),
        };
        for policy in load::book(source).expect("it loads").policies().values() {
            // What no alert starts names its namespace by hand; a node is in none, and guards judge all whose pods leave it.
            if policy.matchers.is_empty() || policy.name == "maestro-drain-node" {
                continue;
            }
            let meets = |namespace: &str| {
                let labels = labels("namespace", namespace);
                let ofs = policy.matchers.iter().filter(|matcher| matcher.name == "namespace");
                ofs.clone().count() > 0 && ofs.into_iter().all(|matcher| matcher.meets(&labels))
            };
            let met = ["maestro", "maestro-staging", "shop", "monitoring", ""].map(meets);
            assert_eq!(met, [true, true, false, false, false], "{file}: {}", policy.name);
        }
    }
}

#[test]
fn no_rule_takes_the_namespace_of_an_exporter_for_that_of_a_workload() {
    let rules = read("ops/prometheus/maestro.rules.yaml");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for (number, line) in rules.lines().enumerate().filter(|(_, line)| !line.trim().starts_with('#')) {
        for exporter in ["kube_", "certmanager_", "rollout_info"] {
            for (at, _) in line.match_indices(exporter) {
                let (before, rest) = line.split_at(at);
                let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
                // Part of another name, a recorded series, or of nodes, which have no namespace.
                if before.ends_with(is_name) || name.contains(':') || name.starts_with("kube_node_") {
                    continue;
                }
                let selector = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
                let asks = selector.is_some_and(|selector| selector.contains("exported_namespace"));
                assert!(asks, "line {}: {name} without exported_namespace", number + 1);
            }
        }
    }
}

fn labels(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

#[test]
fn every_recorded_series_that_a_policy_asks_for_is_recorded() {
    let rules = read("ops/prometheus/maestro.rules.yaml");
    let recorded: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for (file, text) in policies() {
        for line in text.lines().filter(|line| line.contains("query: ")) {
            let names = line.split(|c| !is_name(c)).filter(|word| word.matches(':').count() == 2);
            for name in names {
                assert!(recorded.contains(name), "{file} asks for {name}, which no rule records");
            }
        }
    }
}

#[test]
fn the_table_of_the_runbooks_tells_the_truth() {
    let rows = rows(&read("ops/docs/runbooks.md"), "| # |");
    let mut numbers: Vec<String> = rows.iter().map(|cells| cells[0].clone()).collect();
    // A row of the runbooks may have several policies.
    numbers.dedup();
    assert_eq!(numbers, (1..=31).map(|n| n.to_string()).collect::<Vec<_>>());
    let (alerts, policies, tests) = (alerts(), policies(), names_of_tests());
    let (mut shown, mut played) = (BTreeSet::new(), BTreeSet::new());
    for cells in &rows {
        let [number, _, alert, policy, remediations, scenario, tried] = cells.as_slice() else {
            panic!("{cells:?} has not seven cells")
        };
        let (files, cases): (Vec<&str>, Vec<&str>) =
            quoted(scenario).into_iter().partition(|name| name.ends_with(".yaml"));
        shows_both(number, &quoted(policy), &files, &cases);
        played.extend(files.into_iter().map(str::to_owned));
        for alert in quoted(alert) {
            assert!(alerts.contains_key(alert), "row {number}: no rule fires {alert}");
        }
        for test in quoted(tried) {
            assert!(tests.contains(test), "row {number}: there is no test {test}");
        }
        for file in quoted(policy) {
            let Some(text) = policies.get(file) else { panic!("row {number}: there is no {file}") };
            for remediation in quoted(remediations) {
                assert!(
                    text.contains(&format!("{remediation}:")),
                    "row {number}: {file} has no {remediation}"
                );
            }
            for alert in quoted(alert) {
                assert!(text.contains(&format!("\"{alert}\"")), "row {number}: {file} is not for {alert}");
            }
            let by_hand = alert.contains("by hand");
            assert_eq!(
                !text.contains("\n  match:"),
                by_hand,
                "row {number}: {file} is run by hand, or is not"
            );
            assert_ne!(quoted(tried), [""; 0], "row {number}: nothing tried {file}");
            shown.insert(file.to_owned());
        }
    }
    assert_eq!(shown, policies.into_keys().collect::<BTreeSet<_>>(), "every policy stands in the table");
    let folder = std::fs::read_dir(repository().join("simulations/scenarios")).expect("the folder is there");
    let files =
        folder.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned());
    let files: BTreeSet<String> = files.filter(|name| name.ends_with(".yaml")).collect();
    assert_eq!(played, files, "every scenario stands in the table");
}

/// A policy is shown by a scenario that is named after its row, or as the policy itself, and the row names a case of it that
/// acts and one that a guard stops.
fn shows_both(number: &str, policy: &[&str], files: &[&str], cases: &[&str]) {
    assert_eq!(files.is_empty(), policy.is_empty(), "row {number}: a policy is shown by a scenario");
    let mut named = BTreeSet::new();
    for file in files {
        let row = file.split('-').next().unwrap_or_default();
        assert!(
            row == format!("{number:0>2}") || policy.contains(file),
            "row {number}: {file} is of another row"
        );
        let text = read(&format!("simulations/scenarios/{file}"));
        for case in ["acts", "refused"] {
            let is_it = |name: &&&str| {
                name.starts_with(&format!("{row}-{case}")) && text.contains(&format!("name: {name}}}"))
            };
            let shown = cases.iter().find(is_it);
            named.insert(*shown.unwrap_or_else(|| panic!("row {number} names no {row}-{case} of {file}")));
        }
    }
    assert_eq!(named, cases.iter().copied().collect(), "row {number} names cases of its scenarios");
}

/// The names of all functions in the repository's Rust sources that are marked as tests.
fn names_of_tests() -> BTreeSet<String> {
    let listed = Command::new("git").args(["ls-files", "*.rs"]).current_dir(repository()).output();
    let listed = String::from_utf8(listed.expect("git lists the files").stdout).expect("names are UTF-8");
    let mut names = BTreeSet::new();
    for path in listed.lines() {
        // A file that was removed is listed until that is committed.
        let Ok(text) = std::fs::read_to_string(repository().join(path)) else { continue };
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            let name =
                line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| marked) {
                names.insert(name.to_owned());
            }
            marked = line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || (marked && line.starts_with("#["));
        }
    }
    names
}
