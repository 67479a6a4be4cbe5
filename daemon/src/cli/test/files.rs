//! Reading scenarios, and the transcripts beside them: what happened, written so that people can read what a policy does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paramedic_policies::counted::counted;
use paramedic_policies::load::Problem;
use paramedic_policies::settings::Settings;
use paramedic_simulations::scenario::{self, Scenario};

use super::{Outcome, Told};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::reload;

/// Says what is wrong, and what the command fails with.
pub(super) fn told(problems: &[Problem], place: &str, console: &mut Console<'_>) -> Result<Failure, Failure> {
    for problem in problems {
        writeln!(console.out, "{problem}\n")?;
    }
    Ok(Failure::users(format!("{} {place}", counted(problems.len(), "error"))).hint("nothing was run"))
}

/// All scenarios of these files and folders, in order.
pub(super) fn read(paths: &[PathBuf], console: &mut Console<'_>) -> Result<Vec<Scenario>, Failure> {
    let source = reload::source(paths, &Settings::default()).map_err(|problems| {
        Failure::users(problems.join("\n       ")).hint("name scenario files, or folders of them")
    })?;
    let (mut scenarios, mut problems) = (Vec::new(), Vec::new());
    for file in &source.files {
        match scenario::read(&file.text, &file.path) {
            Ok(read) => scenarios.extend(read),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(told(&problems, "in the scenarios", console)?) }
}

/// The outcomes of each file.
fn by_file(outcomes: &[Outcome]) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut files: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        files.entry(outcome.file.as_str()).or_default().push(outcome);
    }
    files
}

fn path(file: &str) -> PathBuf {
    Path::new(file).with_extension("transcript.txt")
}

/// One scenario's part of a transcript.
fn section(outcome: &Outcome) -> String {
    let mut text = format!("## {}\n", outcome.name);
    for line in outcome.description.lines() {
        text.push_str(&format!("{}\n", line.trim()));
    }
    text.push('\n');
    for line in &outcome.story {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Writes what happened beside the scenarios. A part that was not run stays as it is.
pub(super) fn write_transcripts(
    scenarios: &[Scenario],
    outcomes: &[Outcome],
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    for (file, outcomes) in by_file(outcomes) {
        let path = path(file);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let old = sections(&before);
        let parts = scenarios.iter().filter(|one| one.file == file).filter_map(|one| {
            let now = outcomes.iter().find(|outcome| outcome.name == one.name).map(|one| section(one));
            now.or_else(|| old.get(one.name.as_str()).map(|part| (*part).to_owned()))
        });
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        let head = format!("# What happens in {name}, as `paramedic test --update` wrote it.\n");
        let text = std::iter::once(head).chain(parts).collect::<Vec<_>>().join("\n");
        if text != before {
            std::fs::write(&path, text)
                .map_err(|error| Failure::users(format!("could not write {}: {error}", path.display())))?;
            writeln!(console.err, "wrote {}", path.display())?;
        }
    }
    Ok(())
}

/// The parts of a transcript by the names of their scenarios.
fn sections(text: &str) -> BTreeMap<&str, &str> {
    let mut parts = BTreeMap::new();
    let starts: Vec<usize> = text.match_indices("\n## ").map(|(at, _)| at + 1).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |next| next - 1);
        let part = &text[*start..end];
        let name = part.lines().next().unwrap_or_default().trim_start_matches("## ");
        parts.insert(name, part);
    }
    parts
}

/// Holds what happened against the transcripts that are there.
pub(super) fn compare_transcripts(outcomes: &mut [Outcome]) -> Result<(), Failure> {
    for outcome in outcomes {
        let path = path(&outcome.file);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => {
                read.map_err(|error| Failure::users(format!("could not read {}: {error}", path.display())))?
            }
        };
        let shown = path.display().to_string();
        let is = section(outcome);
        let was = sections(&text).get(outcome.name.as_str()).copied().unwrap_or_default();
        if was == is {
            continue;
        }
        let first = text.match_indices(was).next().map_or(0, |(at, _)| text[..at].lines().count());
        let diff = super::diff::lines(was, &is);
        let line = first + diff.first_line;
        let what = "the transcript".to_owned();
        let (expected, found) = (diff.expected, diff.found);
        outcome.misses.push(Told {
            place: format!("{shown}:{line}:1"),
            what,
            expected,
            found,
            diff: diff.lines,
        });
        outcome.ok = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_read_back_part_by_part() {
        let text = "# head\n\n## a\nwhy\n\n+00:00 x\n\n## b\n\n+00:00 y\n";
        let parts = sections(text);
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(parts["a"], "## a\nwhy\n\n+00:00 x\n");
        assert_eq!(parts["b"], "## b\n\n+00:00 y\n");
    }
}
