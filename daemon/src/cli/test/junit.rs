//! The results as JUnit XML, which every CI reads: a suite for each file, a case for each scenario.

use std::collections::BTreeMap;
use std::path::Path;

use paramedic_policies::load::Problem;

use super::{Outcome, Told};
use crate::cli::failure::Failure;

/// Voids what another run has left: whatever ends this one, the results of that one are not taken for its own. A device is
/// left alone, and what cannot be written is told at the end.
pub(super) fn void(file: &Path) {
    if std::fs::metadata(file).is_ok_and(|there| there.is_file()) {
        let unended = Failure::ours("the run has not come to its end");
        drop(std::fs::write(file, unplayed(&[], &unended)));
    }
}

/// Writes the file.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::users(format!("could not write {}: {error}", file.display())))
}

/// That nothing was played, and why.
pub(super) fn unplayed(problems: &[Problem], failure: &Failure) -> String {
    let problems: Vec<String> = problems.iter().map(|problem| format!("{problem}\n\n")).collect();
    document(&error(&format!("{}{failure}", problems.concat()), failure))
}

/// All that was played; what makes the run fail, though each scenario is as expected, is an error of its own.
pub(super) fn text(outcomes: &[Outcome], failure: Option<&Failure>) -> String {
    let failure = failure.filter(|_| outcomes.iter().all(|one| one.ok));
    let error = failure.map(|failure| error(&failure.to_string(), failure)).unwrap_or_default();
    document(&format!("{}{error}", suites(outcomes)))
}

fn document(suites: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{suites}</testsuites>\n")
}

/// A suite that is one error.
fn error(text: &str, Failure { error, .. }: &Failure) -> String {
    let (message, text) = (escaped(error), escaped(text));
    format!(
        "  <testsuite name=\"paramedic test\" tests=\"1\" failures=\"0\" errors=\"1\">
    <testcase classname=\"paramedic test\" name=\"the run\">
      <error message=\"{message}\">{text}</error>
    </testcase>
  </testsuite>
"
    )
}

/// A suite for each file.
fn suites(outcomes: &[Outcome]) -> String {
    let mut suites: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        suites.entry(outcome.file.as_str()).or_default().push(outcome);
    }
    let failed = |all: &[&Outcome]| all.iter().filter(|one| !one.ok).count();
    let mut text = String::new();
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
        let failure = Failure::users("1 of 2 scenarios failed");
        assert_eq!(text(&[one(true), one(false)], Some(&failure)), WRITTEN);
        let error = "<error message=\"nothing &lt; 80 %\">error: nothing &lt; 80 %</error>";
        let text = text(&[one(true)], Some(&Failure::users("nothing < 80 %")));
        assert!(text.contains(error) && text.contains("name=\"x &lt; y\"/>"), "{text}");
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
