//! `paramedic test`: runs scenario files against policies, as a test runner does. Data goes to stdout, and what became of
//! all of it; exit 1 where anything is not as expected. It must never ask a real cluster or a real Prometheus.

mod diff;
mod files;
mod junit;
mod shown;
#[cfg(test)]
mod tests;
mod verdict;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paramedic_policies::book::Book;
use paramedic_policies::counted::counted;
use paramedic_policies::load::{self, Problem};
use paramedic_simulations::scenario::{Coverage, Miss, Scenario, Unasked, play};
use serde::Serialize;

use super::beside::{self, Input};
use super::console::{Console, Output, OutputArg};
use super::failure::Failure;
use crate::config::{self, Configuration, Problems};
use crate::reload;

/// Run scenarios: what these policies do in a simulated cluster, held against what is expected.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic test scenarios/ --policies policies/
  paramedic test scenarios/cart.yaml --policies policies/ --filter stale
  paramedic test scenarios/ --policies policies/ --coverage --fail-under 80 --junit junit.xml
  paramedic test scenarios/ --policies policies/ --update

The engine, its loop and its remediations are the ones of `serve`; the cluster, Prometheus and the
time are simulated. Where a file `NAME.transcript.txt` stands beside `NAME.yaml`, what happened must
be what it tells; --update writes it.
Exits with 1 when anything is not as expected.")]
pub struct TestArgs {
    /// Scenario files, or folders of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// A policy file, or a folder of them (repeatable)
    #[arg(long, value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,

    /// The configuration whose `vars`, guards and endpoints hold; a scenario's `settings` go over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Only scenarios whose name or file contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Write what happened beside the scenarios, to be compared with from now on
    #[arg(long)]
    update: bool,

    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Show which policies, steps and guards were exercised
    #[arg(long)]
    coverage: bool,

    /// Fail when less than this was exercised, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    fail_under: Option<u32>,

    #[command(flatten)]
    output: OutputArg,
}

/// What became of one scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    file: String,
    name: String,
    description: String,
    ok: bool,
    misses: Vec<Told>,
    /// What Prometheus was asked and was not told.
    untold: Vec<String>,
    /// What it was told and was never asked, each with its place.
    unasked: Vec<String>,
    story: Vec<String>,
}

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// `file:line:column`.
    place: String,
    what: String,
    expected: String,
    found: String,
    /// Line by line, where it is a text of many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diff: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Results<'a> {
    scenarios: &'a [Outcome],
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<&'a Coverage>,
}

/// Why there is no result: nothing was played, or the transcripts of what was could not be read or written.
struct Unplayed {
    /// What is wrong in the files.
    problems: Vec<Problem>,
    failure: Failure,
}

impl From<Failure> for Unplayed {
    fn from(failure: Failure) -> Self {
        Self { problems: Vec::new(), failure }
    }
}

impl From<std::io::Error> for Unplayed {
    fn from(error: std::io::Error) -> Self {
        Failure::from(error).into()
    }
}

/// All that was played.
struct All {
    outcomes: Vec<Outcome>,
    /// What transcripts tell of scenarios that are there no more.
    gone: Vec<String>,
    coverage: Coverage,
}

/// Runs the command.
pub(super) fn run(args: TestArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let junit = args.junit.as_deref();
    if let Some(file) = junit {
        // Before hundreds of scenarios are played, and not after them.
        let read = args.paths.iter().chain(&args.policies).chain(&args.config);
        beside::could_be_written(file, &read.map(|path| Input::Read(path)).collect::<Vec<_>>())?;
        junit::void(file);
    }
    let write = |text: String| junit.map_or(Ok(()), |file| junit::write(file, &text));
    let All { outcomes, gone, coverage } = match all(&args, console) {
        Ok(all) => all,
        Err(Unplayed { problems, failure }) => {
            let written = write(junit::unplayed(&problems, &failure));
            files::tell(&problems, args.output.output, console)?;
            written.or_else(|unwritten| writeln!(console.err, "{unwritten}"))?;
            return Err(failure);
        }
    };
    let least = args.fail_under.map(|percent| verdict::Least { percent, coverage: &coverage });
    let verdict = verdict::of(&outcomes, &gone, least);
    // Before they are shown: whoever stops reading them gets the file all the same.
    let written = write(junit::text(&outcomes, verdict.as_ref().err()));
    let wants_coverage = args.coverage || args.fail_under.is_some();
    match args.output.output {
        Output::Table => {
            shown::outcomes(&outcomes, console)?;
            if wants_coverage {
                shown::coverage(&coverage, console)?;
            }
        }
        other @ (Output::Json | Output::Yaml) => {
            let coverage = wants_coverage.then_some(&coverage);
            console.data(other, &Results { scenarios: &outcomes, coverage })?;
        }
    }
    match verdict {
        Ok(all) => writeln!(console.err, "{all}: ok")?,
        Err(failure) => {
            // What failed is worth more than where it could not be written, and neither hides the other.
            written.or_else(|unwritten| writeln!(console.err, "{unwritten}"))?;
            return Err(failure);
        }
    }
    written
}

/// Reads and plays all of them.
fn all(args: &TestArgs, console: &mut Console<'_>) -> Result<All, Unplayed> {
    let book = book(args, console)?;
    let scenarios = files::read(&args.paths, console)?;
    check_names(&scenarios, &book)?;
    let names = files::names(&scenarios);
    let scenarios = filtered(scenarios, args.filter.as_deref())?;
    let mut coverage = Coverage::of(&book);
    let mut outcomes = played(&scenarios, &book, &mut coverage)
        .map_err(|problems| files::told(problems, "in the scenarios"))?;
    let gone = if args.update {
        files::write_transcripts(&names, &outcomes, console)?;
        Vec::new()
    } else {
        files::compare_transcripts(&mut outcomes)?;
        files::gone(&names)?
    };
    Ok(All { outcomes, gone, coverage })
}

/// Those that are asked for.
///
/// # Errors
/// Where none is left.
fn filtered(scenarios: Vec<Scenario>, filter: Option<&str>) -> Result<Vec<Scenario>, Failure> {
    if scenarios.is_empty() {
        return Err(Failure::users("no scenario to run").hint("name a file, or a folder that has some"));
    }
    let Some(filter) = filter else { return Ok(scenarios) };
    let all = counted(scenarios.len(), "scenario");
    let such_as = scenarios.first().map(|one| one.name.clone()).unwrap_or_default();
    let has = |one: &Scenario| one.name.contains(filter) || one.file.contains(filter);
    let left: Vec<Scenario> = scenarios.into_iter().filter(has).collect();
    if left.is_empty() {
        let problem = format!("of {all} none has `{}` in its name or file", filter.escape_debug());
        let hint =
            format!("--filter takes a part of a name such as `{such_as}`, letter by letter, and no pattern");
        return Err(Failure::users(problem).hint(hint));
    }
    Ok(left)
}

/// The policies, loaded once to tell what is wrong with them.
fn book(args: &TestArgs, console: &mut Console<'_>) -> Result<Book, Unplayed> {
    let configuration = match &args.config {
        None => Configuration::default(),
        Some(file) => config::read_file(file)
            .map_err(|Problems(problems)| files::told(problems, "in the configuration"))?,
    };
    let settings = configuration.settings();
    let found =
        reload::found(&args.policies, &settings).map_err(|problems| Failure::unread(&problems, "policy"))?;
    found.left_out.iter().try_for_each(|problem| writeln!(console.err, "{problem}\n"))?;
    load::book(found.source).map_err(|problems| files::told(problems, "in the policies"))
}

/// Names that no policy has would make expectations empty.
fn check_names(scenarios: &[Scenario], book: &Book) -> Result<(), Unplayed> {
    let unknown = |one: &Scenario| [one.unknown_policies(book), one.unknown_words(book)].concat();
    let problems: Vec<_> = scenarios.iter().flat_map(unknown).collect();
    if problems.is_empty() { Ok(()) } else { Err(files::told(problems, "in the scenarios")) }
}

/// Plays all of them, on as many threads as there are processors.
///
/// # Errors
/// The problems of all that cannot be played.
fn played(
    scenarios: &[Scenario],
    book: &Book,
    coverage: &mut Coverage,
) -> Result<Vec<Outcome>, Vec<Problem>> {
    let next = AtomicUsize::new(0);
    let shared = Mutex::new((Vec::new(), std::mem::take(coverage)));
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(scenarios.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, scenario)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(index).map(|scenario| (index, scenario))
                } {
                    let played = play(scenario, book);
                    let mut shared = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let outcome = played.map(|played| {
                        shared.1.see(&played.records);
                        Outcome::of(scenario, played)
                    });
                    shared.0.push((index, outcome));
                }
            });
        }
    });
    let (mut outcomes, seen) = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    *coverage = seen;
    outcomes.sort_by_key(|(index, _)| *index);
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (_, outcome) in outcomes {
        match outcome {
            Ok(outcome) => all.push(outcome),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

impl Told {
    /// Whether a transcript tells otherwise; an expectation has no lines.
    fn is_of_transcript(&self) -> bool {
        !self.diff.is_empty()
    }
}

impl Outcome {
    fn of(scenario: &Scenario, played: paramedic_simulations::scenario::Played) -> Self {
        let told = |Miss { line, column, what, wanted, found }: Miss| Told {
            place: format!("{}:{line}:{column}", scenario.file),
            what,
            expected: wanted,
            found,
            diff: Vec::new(),
        };
        let unasked =
            |Unasked { line, column, about }: Unasked| format!("{}:{line}:{column}: {about}", scenario.file);
        Self {
            file: scenario.file.clone(),
            name: scenario.name.clone(),
            description: scenario.description().to_owned(),
            ok: played.misses.is_empty(),
            misses: played.misses.into_iter().map(told).collect(),
            untold: played.untold,
            unasked: played.unasked.into_iter().map(unasked).collect(),
            story: played.story,
        }
    }
}
