//! The rules of the repository as tests: who knows whom, what each file opens with, what may not be in it. They
//! read tracked files only, and must never need the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use paramedic_tests::peers::repository;
use serde_json::Value;

/// The most lines of a file; most have 100 to 300.
const LINES_MAX: usize = 600;

/// Names at the top beside files whose name begins with a dot.
const TOP: [&str; 14] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "daemon",
    "ops",
    "policies",
    "remediations",
    "rust-toolchain.toml",
    "simulations",
    "tests",
    "target",
];

/// Which of our crates each may know: the direction of knowledge.
const DIRECTION: [(&str, &[&str]); 5] = [
    ("paramedic-policies", &[]),
    ("paramedic-remediations", &["paramedic-policies"]),
    ("paramedic-simulations", &["paramedic-policies", "paramedic-remediations"]),
    ("paramedic", &["paramedic-policies", "paramedic-remediations", "paramedic-simulations"]),
    (
        "paramedic-tests",
        &["paramedic-policies", "paramedic-remediations", "paramedic-simulations", "paramedic"],
    ),
];

/// What a crate must not know at all, not even for its tests, except what stands in [`ONLY_IN_TESTS`].
const STRANGERS: [(&str, &[&str]); 3] = [
    (
        "paramedic-policies",
        &["tokio", "axum", "kube", "k8s-openapi", "sled", "reqwest", "clap", "backoff", "rand", "chrono"],
    ),
    ("paramedic-remediations", &["axum", "sled", "clap", "prometheus-http-query"]),
    ("paramedic-simulations", &["axum", "sled", "clap", "kube", "k8s-openapi", "reqwest"]),
];

/// A stranger that a crate may use in its own tests.
const ONLY_IN_TESTS: [(&str, &str); 2] =
    [("paramedic-remediations", "axum"), ("paramedic-simulations", "tokio")];

/// Words of source that only some places may hold.
const ONLY_THERE: [(&str, &[&str]); 2] = [
    ("k8s_openapi", &["remediations/src/kubernetes", "tests/"]),
    // The daemon may say where the cluster is (`kube::Config`), and hands it on.
    ("kube::", &["remediations/src/kubernetes", "daemon/src", "tests/"]),
];

fn git(arguments: &[&str]) -> String {
    let answer =
        Command::new("git").arg("-C").arg(repository()).args(arguments).output().expect("git can be started");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

/// Files that are tracked, or new and not ignored, and are there.
fn files() -> Vec<PathBuf> {
    git(&["ls-files", "--cached", "--others", "--exclude-standard"])
        .lines()
        .map(PathBuf::from)
        .filter(|path| repository().join(path).is_file())
        .collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| {
            let text = read(&path);
            (path, text)
        })
        .collect()
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(repository().join(path)).expect("a listed file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fails with all that is wrong at once.
fn none(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

/// Our packages, each with its dependencies by kind (`normal`, `dev`, `build`).
fn packages() -> BTreeMap<String, Vec<(String, String)>> {
    let answer = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo can be started");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let read: Value = serde_json::from_slice(&answer.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or("normal").to_string();
    let all = read["packages"].as_array().expect("a list of packages");
    all.iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let each = dependencies.map(|one| (text(&one["name"]), text(&one["kind"]))).collect();
            (text(&package["name"]), each)
        })
        .collect()
}

#[test]
fn knowledge_has_one_direction() {
    let packages = packages();
    let ours: BTreeSet<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    assert_eq!(packages.keys().map(String::as_str).collect::<BTreeSet<_>>(), ours);
    let mut wrong = Vec::new();
    for (name, may_know) in DIRECTION {
        for (dependency, kind) in &packages[name] {
            let is_ours = ours.contains(dependency.as_str());
            let is_itself = dependency == name && kind == "dev";
            if is_ours && !is_itself && !may_know.contains(&dependency.as_str()) {
                wrong.push(format!("{name} must not know {dependency}"));
            }
        }
    }
    none(wrong, "the direction is policies <- remediations <- simulations <- daemon <- tests");
}

#[test]
fn no_crate_knows_what_is_not_its_business() {
    let packages = packages();
    let mut wrong = Vec::new();
    for (name, strangers) in STRANGERS {
        for (dependency, kind) in &packages[name] {
            let is_for_tests = kind == "dev" && ONLY_IN_TESTS.contains(&(name, dependency.as_str()));
            if strangers.contains(&dependency.as_str()) && !is_for_tests {
                wrong.push(format!("{name} must not know {dependency}"));
            }
        }
    }
    none(wrong, "a crate's manifest names only what it may use (ARCHITECTURE.md)");
}

#[test]
fn the_map_says_what_each_crate_uses() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let packages = packages();
    let mut wrong = Vec::new();
    for (crate_of, package) in [
        ("policies", "paramedic-policies"),
        ("remediations", "paramedic-remediations"),
        ("simulations", "paramedic-simulations"),
        ("daemon", "paramedic"),
    ] {
        let row = map.lines().find_map(|line| line.strip_prefix(&format!("| `{crate_of}` | ")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {crate_of}"));
        let said: BTreeSet<&str> = row.split(" | ").next().unwrap_or_default().split(", ").collect();
        let used: BTreeSet<&str> = packages[package]
            .iter()
            .filter(|(name, kind)| kind == "normal" && !packages.contains_key(name))
            .map(|(name, _)| name.as_str())
            .collect();
        wrong.extend(used.difference(&said).map(|name| format!("{crate_of} uses {name}")));
        wrong.extend(said.difference(&used).map(|name| format!("{crate_of} does not use {name}")));
    }
    none(wrong, "the table of ARCHITECTURE.md says what each crate uses");
}

#[test]
fn clusters_are_touched_in_one_place() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (word, places) in ONLY_THERE {
            let is_there = places.iter().any(|place| path.starts_with(place) || path_is(&path, place));
            let holds = text.lines().any(|line| !line.trim_start().starts_with("//") && names(line, word));
            if holds && !is_there {
                wrong.push(format!("{} uses {word}", path.display()));
            }
        }
    }
    none(wrong, "Kubernetes is behind remediations/src/kubernetes");
}

/// Whether a line of source holds that word, and not as the end of a longer one or of another path.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':')
    })
}

/// A module may be a file of the folder's name.
fn path_is(path: &Path, place: &str) -> bool {
    path == Path::new(&format!("{place}.rs"))
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let wrong = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string());
    none(wrong.collect(), "a file opens with `//!`: what it is for, what it must never do");
}

#[test]
fn files_are_short() {
    let wrong = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()));
    none(wrong.collect(), &format!("a file has one idea and at most {LINES_MAX} lines"));
}

#[test]
fn the_top_of_the_repository_is_small() {
    let wrong: BTreeSet<String> = files()
        .iter()
        .filter_map(|path| Some(path.components().next()?.as_os_str().to_str()?.to_string()))
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()))
        .collect();
    none(wrong.into_iter().collect(), "new things go into the folders that are there");
}

#[test]
fn no_test_is_switched_off_or_sleeps() {
    // Put together here, so that this file does not hold them.
    let words = [format!("#[{}", "ignore"), format!("thread::{}", "sleep"), format!("{}!(", "todo")];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (at, line) in text.lines().enumerate() {
            for word in &words {
                if line.contains(word) && !line.trim_start().starts_with("//") {
                    wrong.push(format!("{}:{}: {word}", path.display(), at + 1));
                }
            }
        }
    }
    none(wrong, "tests wait on a condition with a deadline, and all of them run");
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let words =
        [format!("/{}/", "root"), format!("/{}/", "home"), format!("/{}/", "Users"), format!("/{}/", "work")];
    let mut wrong = Vec::new();
    for path in files() {
        let is_text = !["png", "ico", "gz", "lz4", "svg"]
            .iter()
            .any(|end| path.extension().is_some_and(|is| is == *end));
        if !is_text {
            continue;
        }
        for (at, line) in read(&path).lines().enumerate() {
            for word in words.iter().filter(|word| begins_a_path(line, word)) {
                wrong.push(format!("{}:{}: {word}", path.display(), at + 1));
            }
        }
    }
    none(wrong, "paths of one machine are of no use on another");
}

/// Whether `word` stands in the line as the start of an absolute path, not within a longer one or an address.
fn begins_a_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        line[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && !"._-}~$".contains(before))
    })
}

#[test]
fn there_is_one_tls_provider_and_one_source_of_crates() {
    let lock = read(Path::new("Cargo.lock"));
    let mut wrong = Vec::new();
    for line in lock.lines() {
        let banned = ["openssl-sys", "openssl", "native-tls", "aws-lc-rs", "aws-lc-sys"];
        if let Some(name) = line.strip_prefix("name = ")
            && banned.contains(&name.trim_matches('"'))
        {
            wrong.push(format!("{name} is in Cargo.lock; rustls with ring is the one TLS provider"));
        }
        if line.starts_with("source = ") && !line.contains("github.com/rust-lang/crates.io-index") {
            wrong.push(format!("{line}: crates come from crates.io"));
        }
    }
    none(wrong, "the rules of .cargo/deny.toml that need no tool");
}

#[test]
fn every_dependency_is_said_once_with_its_reason() {
    let manifest = read(Path::new("Cargo.toml"));
    let mut wrong = Vec::new();
    for package in ["policies", "remediations", "simulations", "daemon", "tests"] {
        let text = read(&Path::new(package).join("Cargo.toml"));
        let mut in_dependencies = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies]");
            } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
                wrong.push(format!("{package}/Cargo.toml: {line}"));
            }
        }
    }
    assert!(manifest.contains("[workspace.dependencies]"));
    none(wrong, "versions stand in the workspace's manifest, with the reason beside them");
}

#[test]
fn the_rules_see_what_they_are_for() {
    assert!(names("use kube::Api;", "kube::"));
    assert!(!names("use crate::kube::Api;", "kube::"));
    let home = format!("/{}/", "home");
    assert!(begins_a_path(&format!("path = \"{home}me\""), &home));
    assert!(begins_a_path(&format!("{home}me"), &home));
    assert!(!begins_a_path(&format!("https://example.com{home}"), &home));
    assert!(!begins_a_path(&format!("$HOME{home}"), &home));
    assert!(files().len() > 20 && sources().len() > 10);
}
