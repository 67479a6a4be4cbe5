//! `audit report`: an incident or a window as a document, for the meeting after the night. Reads records, and Prometheus
//! where it is named; it must never say what no record says.

mod card;
mod chart;
mod curves;
mod document;
mod figures;
mod fold;
mod gather;
mod html;
mod incident;
mod lanes;
mod markdown;
mod marks;
pub(in crate::cli) mod markup;
mod open;
mod picture;
mod scale;
pub(in crate::cli) mod words;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use paramedic_policies::event::{Event, Seq};

use super::selection::{When, window_of};
use crate::cli::beside;
use crate::cli::console::{Console, Output};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, Records};
use document::Report;
pub(super) use figures::{Spread, Took};
use gather::About;

/// Write an incident down: what happened, what was refused and why, what was done, whether it helped, how long it took.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit report --episode 1041 > incident.md
  paramedic audit report --intent 1057 --file incident.html
  paramedic audit report --since 2026-11-21T08:00:00Z --until 2026-11-21T10:00:00Z --file a.html
  paramedic audit report --since 30d --output json | jq '.policies'

One episode is told in full. A window also has, for each policy, the times to detect, decide, act,
verify and remediate. The HTML file has everything inside, opens offline and prints on A4.")]
#[command(group(clap::ArgGroup::new("about").required(true).args(["episode", "intent", "since"])))]
pub struct ReportArgs {
    /// About this episode: any SEQ of its story.
    #[arg(long, value_name = "SEQ", help_heading = "About what")]
    episode: Option<u64>,
    /// About the episode of this intent.
    #[arg(long, value_name = "SEQ", help_heading = "About what")]
    intent: Option<u64>,
    /// About everything since this: a time, or how long ago (`2h`, `30d`).
    #[arg(long, value_name = "TIME", env = "PARAMEDIC_AUDIT_REPORT_SINCE", help_heading = "About what")]
    since: Option<When>,
    /// With --since: until this.
    #[arg(
        long,
        value_name = "TIME",
        env = "PARAMEDIC_AUDIT_REPORT_UNTIL",
        requires = "since",
        help_heading = "About what"
    )]
    until: Option<When>,
    /// How to write it [default: by the ending of --file, else markdown]; both given must agree.
    #[arg(long, short = 'o', value_enum, value_name = "FORMAT", env = "PARAMEDIC_AUDIT_REPORT_OUTPUT")]
    output: Option<Format>,
    /// Write it to this file instead of standard output.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(flatten)]
    curves: curves::CurvesArgs,
    #[command(flatten)]
    journal: JournalArgs,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For tickets and wikis.
    #[value(alias = "table")]
    Markdown,
    /// One file with everything inside, for browsers and printers.
    Html,
    /// The data, for programs.
    Json,
    /// The data.
    Yaml,
}

pub(super) async fn run(args: ReportArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let format = format(args.output, args.file.as_deref())?;
    if let Some(file) = &args.file {
        // Before months are read, and not after it.
        let read = args.journal.reads().chain(args.curves.reads());
        beside::could_be_written(file, &read.collect::<Vec<_>>())?;
    }
    let records = args.journal.open_watched()?;
    let about = about(&args, &*records, console).await?;
    let gathered = gather::gather(&*records, about).await?;
    let mut report = Report::of(about, gathered, console.now);
    args.curves.add(&mut report).await?;
    let text = match format {
        Format::Markdown => markdown::written(&report),
        Format::Html => html::written(&report),
        Format::Json => data(Output::Json, &report, console)?,
        Format::Yaml => data(Output::Yaml, &report, console)?,
    };
    let Some(file) = &args.file else { return Ok(console.out.write_all(text.as_bytes())?) };
    write(file, &text)
        .map_err(|error| Failure::users(format!("could not write {}: {error}", file.display())))?;
    writeln!(console.err, "written to {}", file.display())?;
    Ok(())
}

/// The format that is asked for. A file that says another than its name does would be opened by the wrong program.
fn format(asked: Option<Format>, file: Option<&Path>) -> Result<Format, Failure> {
    let named = file.and_then(by_ending);
    match (asked, named, file) {
        (Some(asked), Some(named), Some(file)) if asked != named => {
            let word = |format: Format| format!("{format:?}").to_lowercase();
            let (asked, named) = (word(asked), word(named));
            Err(Failure::users(format!("{} would hold {asked}, and is named as {named}", file.display()))
                .hint("leave --output out, or give the file another ending"))
        }
        (asked, named, _) => Ok(asked.or(named).unwrap_or(Format::Markdown)),
    }
}

/// The format that a file's name asks for.
fn by_ending(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "html" | "htm" => Some(Format::Html),
        "json" => Some(Format::Json),
        "yaml" | "yml" => Some(Format::Yaml),
        "md" | "markdown" => Some(Format::Markdown),
        _ => None,
    }
}

/// Writes a file whole or not at all, and for its owner alone: a report holds what alerts and logs say. What is no file, such
/// as a device or a pipe, is written to, and never replaced.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if std::fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        let mut open = std::fs::OpenOptions::new().write(true).open(file)?;
        return std::io::Write::write_all(&mut open, text.as_bytes());
    }
    // Where a link leads to.
    let file = &std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut made| {
        std::io::Write::write_all(&mut made, text.as_bytes())?;
        made.sync_all()?;
        std::fs::rename(&beside, file)
    });
    if written.is_err() {
        // What cannot be removed was most likely never made.
        drop(std::fs::remove_file(&beside));
    }
    written
}

fn data(output: Output, report: &Report, console: &Console<'_>) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    Console { out: &mut bytes, err: &mut Vec::new(), now: console.now }.data(output, report)?;
    String::from_utf8(bytes).map_err(|error| Failure::ours(error.to_string()))
}

/// What it is about.
async fn about(args: &ReportArgs, records: &dyn Records, console: &Console<'_>) -> Result<About, Failure> {
    let named = match (args.episode, args.intent, args.since) {
        (Some(seq), _, _) => (Seq(seq), None),
        (None, Some(seq), _) => {
            let found = records.one(Seq(seq)).await?;
            if let Some(other) = found.filter(|record| !matches!(record.event, Event::Intended { .. })) {
                let error = format!("record {seq} is no intent, but `{}`", other.event.kind());
                return Err(
                    Failure::users(error).hint("`paramedic audit query --kind intended` lists intents")
                );
            }
            (Seq(seq), Some(Seq(seq)))
        }
        (None, None, Some(since)) => {
            let (since, until) = window_of(since, args.until, console.now)?;
            return Ok(About::Window { since, until });
        }
        (None, None, None) => return Err(Failure::users("nothing is named").hint("see `--help`")),
    };
    let (seq, intent) = named;
    let episode = gather::episode(records, seq).await?.ok_or_else(|| {
        Failure::users(format!("record {seq} belongs to no episode"))
            .hint("`paramedic audit query --kind opened` lists episodes, `--since` reports on a window")
    })?;
    Ok(About::Episode { episode, intent })
}
