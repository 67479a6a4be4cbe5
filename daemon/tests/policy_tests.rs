//! `paramedic test`, by the binary itself: the scenarios that ship, the worked example of the documentation with its real
//! output, and what a run is worth as an exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn ran(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paramedic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARAMEDIC_")) {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("the binary runs")
}

/// Data, then talk, as a terminal shows them.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

const SHIPPED: [&str; 12] = [
    "test",
    "simulations/scenarios",
    "simulations/scenarios/guards",
    "--policies",
    "policies/maestro",
    "--config",
    "simulations/maestro.yaml",
    "--coverage",
    "--fail-under",
    "100",
    "-o",
    "json",
];

#[test]
fn every_scenario_that_ships_is_as_expected_and_all_of_every_policy_is_exercised() {
    let output = ran(&repository(), &SHIPPED);
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut wrong = Vec::new();
    for scenario in results["scenarios"].as_array().expect("a list") {
        for miss in scenario["misses"].as_array().expect("a list") {
            let text = |key: &str| miss[key].as_str().unwrap_or_default().to_owned();
            let mut lines = vec![format!("{}: {}: {}", text("place"), scenario["name"], text("what"))];
            match miss["diff"].as_array() {
                Some(diff) => {
                    lines.extend(diff.iter().filter_map(|line| Some(format!("    {}", line.as_str()?))))
                }
                None => lines.push(format!("    expected {}, found {}", text("expected"), text("found"))),
            }
            wrong.push(lines.join("\n"));
        }
    }
    for (name, policy) in results["coverage"]["policies"].as_object().expect("a mapping") {
        for part in ["steps", "guards"].iter().flat_map(|parts| policy[parts].as_array().expect("a list")) {
            if part["exercised"] != true {
                wrong.push(format!("{name}: no scenario exercises {}", part["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_does_not_load_is_data_for_programs_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("broken.yaml", "kind: Nothing\n");
    write(
        "good.yaml",
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: a}\nspec:\n  \
        target: {kind: Deployment, namespace: shop, name: cart}\n  ladder: [{restart: {}}]\n",
    );
    for (scenarios, policies) in [("broken.yaml", "good.yaml"), ("good.yaml", "broken.yaml")] {
        let output = ran(folder.path(), &["test", scenarios, "--policies", policies, "-o", "json"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let data: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(data["problems"].as_array().is_some_and(|all| !all.is_empty()), "{data}");
        assert_eq!(data["scenarios"], serde_json::json!([]));
    }
}

#[test]
fn every_scenario_that_ships_has_its_transcript_beside_it() {
    let texts = |ending: &str| {
        let mut texts = std::collections::BTreeMap::new();
        for folder in ["simulations/scenarios", "simulations/scenarios/guards"] {
            for entry in std::fs::read_dir(repository().join(folder)).expect("the folder is there") {
                let path = entry.expect("it can be listed").path().display().to_string();
                if let Some(name) = path.strip_suffix(ending) {
                    texts.insert(name.to_owned(), std::fs::read_to_string(&path).expect("it can be read"));
                }
            }
        }
        texts
    };
    let named = |text: &str, before: &str, after: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(before)?.strip_suffix(after));
        lines.map(str::to_owned).collect()
    };
    let (scenarios, transcripts) = (texts(".yaml"), texts(".transcript.txt"));
    let hint = "`paramedic test --update` writes it";
    assert!(scenarios.keys().eq(transcripts.keys()), "{hint}: {:?}", transcripts.keys());
    for (name, text) in &scenarios {
        let told = named(&transcripts[name], "## ", "");
        assert_eq!(told, named(text, "metadata: {name: ", "}"), "{name}: {hint}");
    }
}

/// Texts, each with its name or its command.
type Texts = Vec<(String, String)>;

/// The files and commands of a page: a line with a name in backquotes before each block of YAML, and what follows `$ `.
fn blocks(page: &str) -> (Texts, Texts) {
    let (mut files, mut commands) = (Vec::new(), Vec::new());
    let mut named = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.ends_with(':') {
            named =
                line.rsplit('`').nth(1).filter(|name| name.ends_with(".yaml")).unwrap_or_default().to_owned();
        }
        let mut block = || {
            lines
                .by_ref()
                .take_while(|line| *line != "```")
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        match line {
            "```yaml" if !named.is_empty() => files.push((std::mem::take(&mut named), block())),
            "```console" => {
                let text = block();
                let (command, shown) = text.split_once('\n').unwrap_or((&text, ""));
                let command = command.strip_prefix("$ paramedic ").expect("a command").to_owned();
                commands.push((command, shown.to_owned()));
            }
            _ => {}
        }
    }
    (files, commands)
}

#[test]
fn the_worked_example_shows_what_is_really_said() {
    let path = repository().join("ops/docs/writing-policy-tests.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (files, commands) = blocks(&page);
    assert_eq!((files.len(), commands.len()), (3, 2));
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in &files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    let mut written = page.clone();
    for (command, shown) in &commands {
        let output = ran(folder.path(), &command.split(' ').collect::<Vec<_>>());
        let is = said(&output);
        if std::env::var_os("UPDATE_PAGES").is_some() {
            let block = |shown: &str| format!("```console\n$ paramedic {command}\n{shown}```");
            written = written.replace(&block(shown), &block(&is));
        } else {
            assert_eq!(is, *shown, "UPDATE_PAGES=1 writes it anew; read the difference then");
        }
    }
    if written != page {
        std::fs::write(path, written).expect("the page can be written");
    }
}

#[test]
fn a_transcript_is_written_once_and_held_against_from_then_on() {
    let page =
        std::fs::read_to_string(repository().join("ops/docs/writing-policy-tests.md")).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = blocks(&page);
    for (name, text) in &files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    let test = ["test", "scenarios", "--policies", "policies"];
    assert_eq!(ran(folder.path(), &[&test[..], &["--update"]].concat()).status.code(), Some(0));
    let transcript = folder.path().join("scenarios/cart.transcript.txt");
    let told = std::fs::read_to_string(&transcript).expect("it is written");
    assert!(told.contains("## a-restart-helps\nTwo minutes of errors"), "{told}");
    assert_eq!(ran(folder.path(), &test).status.code(), Some(0));
    std::fs::write(&transcript, told.replace("it helped", "it did not")).expect("a file");
    let junit = folder.path().join("junit.xml").display().to_string();
    let output = ran(folder.path(), &[&test[..], &["--junit", &junit]].concat());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cart.transcript.txt:") && said.contains("it did not"), "{said}");
    let junit = std::fs::read_to_string(junit).expect("it is written");
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n";
    let text = format!("{head}  alert: []\n  expect: {{verdicts: {{}}}}\n");
    std::fs::write(folder.path().join("a.yaml"), text).expect("a file");
    let policies = repository().join("policies/maestro/03-slow-responses.yaml").display().to_string();
    let settings = repository().join("simulations/maestro.yaml").display().to_string();
    let test = ["test", "a.yaml", "--policies", &policies, "--config", &settings];
    let output = ran(folder.path(), &test);
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("a.yaml:5:3: error: unknown key `alert` in `spec`"), "{told}");
    let text = format!("{head}  expect: {{verdicts: {{slow: [act]}}}}\n");
    std::fs::write(folder.path().join("a.yaml"), text).expect("a file");
    let told = said(&ran(folder.path(), &test));
    assert!(told.contains("a.yaml:5:") && told.contains("there is no policy `slow`"), "{told}");
}
