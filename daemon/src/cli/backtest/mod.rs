//! `paramedic backtest`: what policies would have done. Reads the past, replays it through the engine, shows the counts; it
//! must never act, and never say more than history does.

mod bars;
mod days;
mod html;
mod markdown;
pub(super) mod past;
mod table;

use std::path::PathBuf;

use clap::ValueEnum;
use paramedic_simulations::backtest::{self, HistoryError, Report};

use super::beside::{self, Input};
use super::console::{Console, Output};
use super::failure::Failure;
use past::{PastArgs, Watched};
pub(super) use table::guard;

/// Replay the past: what these policies would have done, and what would have kept them from it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic backtest --policies policies/ --from prometheus --prometheus-url http://prometheus:9090
  paramedic backtest --policies policies/ --from prometheus --since 7d --html backtest.html
  paramedic backtest --policies policies/ --from alertmanager-jsonl --input webhooks.jsonl
  paramedic backtest --policies policies/ --from audit --data-dir /var/lib/paramedic

The engine and its loop are the ones of `serve`, in mode dry-run and in the time of the past. What
history cannot tell (did it help? what would the cluster have said?) is listed, and never guessed.")]
pub struct BacktestArgs {
    /// A policy file, or a folder of them; may be given several times.
    #[arg(long, value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,

    #[command(flatten)]
    past: PastArgs,

    /// How to write the counts.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,

    /// Also write it as a picture book: one HTML file with everything inside.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// How counts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For tickets and pull requests.
    Markdown,
}

/// Runs the command.
pub(super) async fn run(args: BacktestArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    if let Some(file) = &args.html {
        // Before a replay of minutes, and not after it.
        let read = args.policies.iter().map(|path| Input::Read(path)).chain(args.past.reads());
        beside::could_be_written(file, &read.collect::<Vec<_>>())?;
    }
    let configuration = args.past.configuration(console)?;
    let source = past::policies(&args.policies, &configuration, console)?;
    past::refuse_none(&[&source], &args.policies)?;
    let opened = args.past.open(&configuration, console.now).await?;
    let terms = opened.terms;
    let mut watched = Watched::new(opened.history, &terms, console.err);
    let report = backtest::backtest(&mut watched, &*opened.facts, source, &terms).await;
    watched.done();
    let mut report = report.map_err(told)?;
    report.live = opened.recorded.and_then(|recorded| recorded.verdicts());
    show(args.output, &report, console)?;
    let Some(file) = &args.html else { return Ok(()) };
    std::fs::write(file, html::written(&report, console.now))
        .map_err(|error| Failure::users(format!("could not write {}: {error}", file.display())))?;
    writeln!(console.err, "written to {}", file.display())?;
    Ok(())
}

fn show(output: Format, report: &Report, console: &mut Console<'_>) -> Result<(), Failure> {
    match output {
        Format::Table => write!(console.out, "{}", table::written(report))?,
        Format::Json => console.data(Output::Json, report)?,
        Format::Markdown => write!(console.out, "{}", markdown::written(report))?,
    }
    Ok(())
}

/// Why the past could not be replayed.
pub(super) fn told(error: HistoryError) -> Failure {
    let failure = if error.is_content { Failure::users } else { Failure::ours };
    failure(error.problem).maybe_hint(error.hint)
}
