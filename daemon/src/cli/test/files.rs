//! Reading scenarios, and the transcripts beside them: what happened, written so that people can read what a policy does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paramedic_policies::book::SourceFile;
use paramedic_policies::counted::counted;
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::settings::Settings;
use paramedic_simulations::scenario::{self, Scenario};
use serde_json::json;

use super::{Outcome, Told, Unplayed, diff};
use crate::cli::beside;
use crate::cli::console::{Console, Output};
use crate::cli::failure::Failure;
use crate::reload::{self, Found};

/// What is wrong in the files, and what the command fails with.
pub(super) fn told(problems: Vec<Problem>, place: &str) -> Unplayed {
    let failure =
        Failure::users(format!("{} {place}", counted(problems.len(), "error"))).hint("nothing was run");
    Unplayed { problems, failure }
}

/// Says what is wrong in the files. Programs get data, as they do of what was played.
pub(super) fn tell(problems: &[Problem], output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    match output {
        _ if problems.is_empty() => {}
        Output::Table => problems.iter().try_for_each(|problem| writeln!(console.out, "{problem}\n"))?,
        Output::Json | Output::Yaml => {
            console.data(output, &json!({"problems": problems, "scenarios": []}))?;
        }
    }
    Ok(())
}

/// All scenarios of these files and folders, in order.
pub(super) fn read(paths: &[PathBuf], console: &mut Console<'_>) -> Result<Vec<Scenario>, Unplayed> {
    let Found { source, left_out } = reload::found(paths, &Settings::default())
        .map_err(|problems| Failure::unread(&problems, "scenario"))?;
    // Transcripts stand beside their scenarios.
    left_out.iter().try_for_each(|problem| writeln!(console.err, "{problem}\n"))?;
    let hollow = |file: &SourceFile| Problem {
        severity: Severity::Warning,
        file: file.path.clone(),
        line: 1,
        column: 1,
        message: "no scenario in this file".to_owned(),
        hint: Some("write one, or remove the file".to_owned()),
    };
    let (mut scenarios, mut problems) = (Vec::new(), Vec::new());
    let mut transcripts: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for file in &source.files {
        problems.extend(shares_transcript(&mut transcripts, &file.path));
        match scenario::read(&file.text, &file.path) {
            Ok(read) if read.is_empty() => writeln!(console.err, "{}\n", hollow(file))?,
            Ok(read) => scenarios.extend(read),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(told(problems, "in the scenarios")) }
}

/// Two files with one transcript would overwrite each other's.
fn shares_transcript<'f>(taken: &mut BTreeMap<PathBuf, &'f str>, file: &'f str) -> Option<Problem> {
    let transcript = path(file);
    let other = taken.insert(transcript.clone(), file)?;
    Some(Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: format!("its transcript is {}, as that of {other}", transcript.display()),
        hint: Some("rename one of the two files, or put them into one".to_owned()),
    })
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
    beside::transcript(Path::new(file))
}

/// What each part of a transcript begins with, before the scenario's name.
const HEAD: &str = "## ";

/// A transcript as it was written, without what an editor or git makes of line ends.
fn unified(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Whether two parts have the same lines, whatever stands at their end.
fn is_same(was: &str, is: &str) -> bool {
    was.trim_end().lines().eq(is.trim_end().lines())
}

/// One scenario's part of a transcript.
fn section(outcome: &Outcome) -> String {
    let mut text = format!("{HEAD}{}\n", outcome.name);
    let mut push = |line: &str| {
        // What looks like the head of a part would be read back as one.
        let mark = if line.starts_with(HEAD) { "> " } else { "" };
        text.push_str(&format!("{mark}{line}\n"));
    };
    outcome.description.lines().for_each(|line| push(line.trim()));
    push("");
    outcome.story.iter().flat_map(|entry| entry.lines()).for_each(push);
    text
}

/// The names of the scenarios of each file, in their order: of those that are not run too.
pub(super) type Names = BTreeMap<String, Vec<String>>;

/// The names in these.
pub(super) fn names(scenarios: &[Scenario]) -> Names {
    let mut names = Names::new();
    for one in scenarios {
        names.entry(one.file.clone()).or_default().push(one.name.clone());
    }
    names
}

/// What transcripts tell of scenarios that are in their files no more.
pub(super) fn gone(names: &Names) -> Result<Vec<String>, Failure> {
    let mut gone = Vec::new();
    for (file, names) in names {
        let Some(text) = transcript(&path(file))? else { continue };
        let parts = sections(&text);
        let more = parts.keys().filter(|name| !names.iter().any(|one| one == *name));
        gone.extend(
            more.map(|name| format!("{} tells of `{name}`, which is not in {file}", path(file).display())),
        );
    }
    Ok(gone)
}

/// A transcript, where there is one.
fn transcript(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(unified(&text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::users(format!("could not read {}: {error}", path.display()))),
    }
}

/// Writes what happened beside the scenarios. A part that was not run stays as it is.
pub(super) fn write_transcripts(
    names: &Names,
    outcomes: &[Outcome],
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    for (file, outcomes) in by_file(outcomes) {
        let path = path(file);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let unified = unified(&before);
        let old = sections(&unified);
        let parts = names.get(file).into_iter().flatten().filter_map(|name| {
            let now = outcomes.iter().find(|outcome| outcome.name == *name).map(|one| section(one));
            now.or_else(|| old.get(name.as_str()).map(|part| (*part).to_owned()))
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
        let name = part.lines().next().unwrap_or_default().trim_start_matches(HEAD);
        parts.insert(name, part);
    }
    parts
}

/// Holds what happened against the transcripts that are there.
pub(super) fn compare_transcripts(outcomes: &mut [Outcome]) -> Result<(), Failure> {
    for outcome in outcomes {
        let path = path(&outcome.file);
        let Some(text) = transcript(&path)? else { continue };
        let shown = path.display().to_string();
        let is = section(outcome);
        let was = sections(&text).get(outcome.name.as_str()).copied().unwrap_or_default();
        if is_same(was, &is) {
            continue;
        }
        let first = text.match_indices(was).next().map_or(0, |(at, _)| text[..at].lines().count());
        let diff = diff::lines(was, &is);
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

    fn outcome(name: &str, description: &str, story: &[&str]) -> Outcome {
        Outcome {
            file: "cart.yaml".to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            ok: true,
            misses: Vec::new(),
            untold: Vec::new(),
            unasked: Vec::new(),
            story: story.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn no_line_of_a_scenario_is_read_back_as_another_one() {
        let first = section(&outcome("a", "  ## Why\nbecause", &["+0:00:00 ana orders: so\n## b\n"]));
        assert_eq!(first, "## a\n> ## Why\nbecause\n\n+0:00:00 ana orders: so\n> ## b\n");
        let second = section(&outcome("b", "", &["+0:00:00 x"]));
        let text = format!("# head\n\n{first}\n{second}");
        let parts = sections(&text);
        assert_eq!((parts.len(), parts["a"], parts["b"]), (2, first.as_str(), second.as_str()));
    }

    #[test]
    fn line_ends_make_no_difference() {
        let (a, b) = (outcome("a", "why", &["+0:00:00 x"]), outcome("b", "", &["+0:00:00 y"]));
        let text = format!("# head\n\n{}\n{}", section(&a), section(&b));
        for written in [text.replace('\n', "\r\n"), text.trim_end().to_owned(), format!("{text}\n")] {
            let read = unified(&written);
            let parts = sections(&read);
            assert!(is_same(parts["a"], &section(&a)) && is_same(parts["b"], &section(&b)), "{written:?}");
            assert!(!is_same(parts["a"], &section(&b)));
        }
    }

    /// The file `cart.yaml` in a folder, its names, and a transcript of some of them.
    fn with_transcript(folder: &Path, names: &[&str], told: &[&str]) -> Names {
        let file = folder.join("cart.yaml").display().to_string();
        let parts: Vec<String> =
            told.iter().map(|name| section(&outcome(name, "", &["+0:00:00 x"]))).collect();
        std::fs::write(path(&file), format!("# head\n\n{}", parts.join("\n"))).expect("it can be written");
        Names::from([(file, names.iter().map(|name| (*name).to_owned()).collect())])
    }

    #[test]
    fn a_part_that_was_not_run_stays_and_one_that_is_gone_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = with_transcript(folder.path(), &["a", "b"], &["a", "b", "old"]);
        let file = names.keys().next().expect("one").clone();
        let told = gone(&names).expect("it can be read");
        assert!(
            told.len() == 1 && told[0].contains("cart.transcript.txt tells of `old`, which is not in "),
            "{told:?}"
        );
        // As with `--filter b`.
        let run = Outcome { file, ..outcome("b", "", &["+0:00:00 y"]) };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let now = paramedic_policies::time::Moment::from_unix_ms(0);
        let mut console = Console { out: &mut out, err: &mut err, now };
        write_transcripts(&names, &[run], &mut console).expect("it can be written");
        let text = std::fs::read_to_string(folder.path().join("cart.transcript.txt")).expect("it is there");
        let parts = sections(&text);
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert!(parts["a"].contains("+0:00:00 x") && parts["b"].contains("+0:00:00 y"), "{text}");
        assert_eq!(gone(&names).expect("it can be read"), [""; 0]);
    }

    #[test]
    fn two_files_never_share_a_transcript() {
        let mut taken = BTreeMap::new();
        assert_eq!(shares_transcript(&mut taken, "scenarios/b.yaml"), None);
        assert_eq!(shares_transcript(&mut taken, "other/b.yaml"), None);
        let problem = shares_transcript(&mut taken, "scenarios/b.yml").expect("they share one").to_string();
        let wanted = "scenarios/b.yml:1:1: error: its transcript is scenarios/b.transcript.txt, \
                      as that of scenarios/b.yaml\n  hint: ";
        assert!(problem.starts_with(wanted), "{problem}");
    }
}
