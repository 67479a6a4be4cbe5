//! The results as JUnit XML, which every CI reads: a suite for each file, a case for each scenario.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Outcome, Told};
use crate::cli::failure::Failure;

/// Whether the file's place is one: where it is not, nothing is run.
pub(super) fn could_be_written(file: &Path) -> Result<(), Failure> {
    let could_not = |why: String| Failure::users(format!("could not write {}: {why}", file.display()));
    if file.is_dir() {
        return Err(could_not("it is a folder".to_owned()).hint("name a file in it, such as junit.xml"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => Err(could_not(format!("there is no folder {}", folder.display()))
            .hint("make the folder, or name another one; nothing was run")),
    }
}

/// Writes the file.
pub(super) fn write(file: &Path, outcomes: &[Outcome]) -> Result<(), Failure> {
    std::fs::write(file, text(outcomes))
        .map_err(|error| Failure::users(format!("could not write {}: {error}", file.display())))
}

fn text(outcomes: &[Outcome]) -> String {
    let mut suites: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        suites.entry(outcome.file.as_str()).or_default().push(outcome);
    }
    let failed = |all: &[&Outcome]| all.iter().filter(|one| !one.ok).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (file, cases) in suites {
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
            escaped(file),
            cases.len(),
            failed(&cases)
        ));
        for case in cases {
            let head =
                format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(file), escaped(&case.name));
            let Some(first) = case.misses.first() else {
                text.push_str(&format!("{head}/>\n"));
                continue;
            };
            let message = format!("{}: expected {}, found {}", first.what, first.expected, first.found);
            let mut all: Vec<String> = case
                .misses
                .iter()
                .map(|miss| {
                    let Told { place, what, expected, found, .. } = miss;
                    format!("{place}: {what}: expected {expected}, found {found}")
                })
                .collect();
            all.extend(case.misses.iter().flat_map(|miss| miss.diff.iter().cloned()));
            all.push(String::new());
            all.extend(case.story.iter().cloned());
            text.push_str(&format!(
                "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                escaped(&message),
                escaped(&all.join("\n"))
            ));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text for XML 1.0, which has neither control characters nor U+FFFE and U+FFFF.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_and_escaped() {
        let one = |ok: bool| Outcome {
            file: "a.yaml".into(),
            name: "x < y".into(),
            description: String::new(),
            ok,
            misses: if ok {
                Vec::new()
            } else {
                let told = |text: &str| text.to_owned();
                let (what, expected) = (told("actions[0].do"), told("\"restart\""));
                let diff = Vec::new();
                vec![Told { place: told("a.yaml:3:1"), what, expected, found: told("nothing"), diff }]
            },
            untold: Vec::new(),
            unasked: Vec::new(),
            story: vec!["+00:00 A opens".into()],
        };
        assert_eq!(text(&[one(true), one(false)]), WRITTEN);
    }

    #[test]
    fn a_place_that_is_none_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = |file: &Path| could_be_written(file).map_err(|failure| failure.to_string());
        assert_eq!(told(Path::new("junit.xml")), Ok(()));
        assert_eq!(told(&folder.path().join("junit.xml")), Ok(()));
        let missing = told(&folder.path().join("no/junit.xml")).expect_err("there is no such folder");
        assert!(
            missing.contains("junit.xml: there is no folder ") && missing.contains("hint: make the folder"),
            "{missing}"
        );
        let itself = told(folder.path()).expect_err("it is a folder");
        assert!(itself.contains(": it is a folder\nhint: "), "{itself}");
    }

    #[test]
    fn what_is_no_character_of_xml_is_replaced() {
        let odd = "a\u{0}\u{1b}\u{fffe}\u{ffff}\u{85}\u{10ffff}\tb";
        assert_eq!(escaped(odd), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{10ffff}\tb");
    }

    const WRITTEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="a.yaml" tests="2" failures="1">
    <testcase classname="a.yaml" name="x &lt; y"/>
    <testcase classname="a.yaml" name="x &lt; y">
      <failure message="actions[0].do: expected &quot;restart&quot;, found nothing">a.yaml:3:1: actions[0].do: expected &quot;restart&quot;, found nothing

+00:00 A opens</failure>
    </testcase>
  </testsuite>
</testsuites>
"#;
}
