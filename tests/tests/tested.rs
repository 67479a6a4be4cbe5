//! That the page of what each remediation is tested for tells the truth: every remediation has its table, no cell is empty,
//! and each test that a cell names is in the source. It reads files only, and must never judge what a test shows.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_tests::peers::repository;

const PAGE: &str = "ops/docs/tested.md";

/// The rows of each table.
const ROWS: [&str; 7] =
    ["done", "already so", "refused", "answer lost", "same intent again", "taken back", "time is over"];

/// Words of a cell that names no test.
const EXEMPT: &str = "does not apply: ";

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The keys of all remediations, from the list that makes the enum: `Scale, scale, "scale";`.
fn keys() -> BTreeSet<String> {
    let list = read("policies/src/remediation/mod.rs");
    let key = |line: &str| {
        let words: Vec<&str> = line.trim().strip_suffix("\";")?.split(", ").collect();
        let [_, _, key] = words.as_slice() else { return None };
        key.strip_prefix('"').map(str::to_owned)
    };
    list.lines().filter_map(key).collect()
}

/// The rows of the table below each heading, by the heading without its ticks.
fn tables(page: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut heading = String::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.trim_matches('`').to_owned();
            found.entry(heading.clone()).or_default();
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [name, cell] = cells.as_slice()
            && line.starts_with("| ")
            && !heading.is_empty()
            && !name.is_empty()
        {
            found.entry(heading.clone()).or_default().push(((*name).to_owned(), (*cell).to_owned()));
        }
    }
    found
}

/// What stands in ticks and names a test.
fn named(cell: &str) -> Vec<(&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|token| token.split_once("::")).collect()
}

/// Whether a file holds a function of that name with the attribute of a test.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(index, line)| {
        let is_it = line.trim_start_matches("async ").starts_with(&head);
        let above = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
        is_it
            && above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_remediation_has_its_table() {
    let keys = keys();
    assert!(keys.len() > 10 && keys.contains("restart"), "the list was not read: {keys:?}");
    let tables = tables(&read(PAGE));
    for key in &keys {
        let rows = tables.get(key).unwrap_or_else(|| panic!("{PAGE} has no table for `{key}`"));
        let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ROWS, "{PAGE}, `{key}`");
    }
    let strangers: Vec<&String> =
        tables.keys().filter(|key| !keys.contains(*key) && *key != "Telling people").collect();
    assert!(strangers.is_empty(), "{PAGE} has tables of no remediation: {strangers:?}");
}

#[test]
fn each_cell_names_tests_that_are_there_or_says_why_not() {
    let mut wrong = Vec::new();
    for (heading, rows) in tables(&read(PAGE)) {
        for (row, cell) in rows {
            let tests = named(&cell);
            let is_exempt = cell.strip_prefix(EXEMPT).is_some_and(|why| why.split(' ').count() > 3);
            if tests.is_empty() && !is_exempt {
                wrong.push(format!("{heading}, {row}: neither a test nor `{EXEMPT}...`: {cell}"));
            }
            for (file, name) in tests {
                let source = std::fs::read_to_string(repository().join(file)).unwrap_or_default();
                if !is_test(&source, name) {
                    wrong.push(format!("{heading}, {row}: there is no test {name} in {file}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn a_test_is_told_from_what_only_looks_like_one() {
    let source = "#[tokio::test(start_paused = true)]\nasync fn it_works() {}\nfn helper() {}\n// fn gone() {}\n\
                  #[test]\n#[cfg(unix)]\nfn plain() {}";
    for (name, is) in [("it_works", true), ("plain", true), ("helper", false), ("gone", false)] {
        assert_eq!(is_test(source, name), is, "{name}");
    }
    assert_eq!(named("a: `x.rs::y`, `z`"), [("x.rs", "y")]);
}
