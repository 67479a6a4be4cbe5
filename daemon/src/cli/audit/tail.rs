//! `audit tail`: the last records, and with `--follow` each new one as it becomes durable. The stream only says that
//! something is new; what is new is read by a query, so nothing is missed by a slow terminal.

use std::time::Duration;

use paramedic_policies::event::{Record, Seq};

use super::query::row;
use super::selection::Selection;
use crate::cli::console::{Console, Output, OutputArg};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, Records};
use crate::client::Stream;
use crate::journal::Filter;

/// How long a stopping daemon's stream may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// Show the last records, and follow new ones.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit tail
  paramedic audit tail --follow --namespace shop
  paramedic audit tail --follow --kind escalated --lines 0 -o json")]
pub struct TailArgs {
    #[command(flatten)]
    which: Selection,
    /// Stay, and show each new record as it is recorded; JSON is then one record a line.
    #[arg(long, short)]
    follow: bool,
    /// How many of the last records to begin with.
    #[arg(long, value_name = "N", default_value_t = 20)]
    lines: u32,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

pub(super) async fn run(args: TailArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let filter = args.which.filter(console.now)?;
    if args.follow && args.journal.data_dir.is_some() {
        return Err(Failure::users("--follow needs a running daemon, and --data-dir a stopped one")
            .hint("leave out --data-dir"));
    }
    let records = args.journal.open()?;
    // The stream is opened first: what is recorded between the two is in the query.
    let stream = if args.follow { Some(args.journal.server.client()?.stream().await?) } else { None };
    let mut shown = last(&*records, &filter, args.lines as usize, args.output.output, console).await?;
    let Some(mut stream) = stream else { return Ok(()) };
    while stream.news().await? {
        let fresh = Filter { after: Some(shown), newest: false, ..filter.clone() };
        let found = match records.all(&fresh, usize::MAX).await {
            Ok((found, _)) => found,
            // A daemon that stops takes no more questions while its stream still ends.
            Err(_) if ends(&mut stream).await => break,
            Err(failure) => return Err(failure),
        };
        if let Some(newest) = found.last() {
            shown = newest.seq;
        }
        for record in &found {
            line(record, args.output.output, console)?;
        }
        console.out.flush()?;
    }
    writeln!(
        console.err,
        "the daemon is stopping; its last records are there when it runs again, or with --data-dir"
    )?;
    Ok(())
}

/// Whether the stream comes to its end in an orderly way.
async fn ends(stream: &mut Stream) -> bool {
    let ended = async {
        loop {
            match stream.news().await {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(ENDS_WITHIN, ended).await.unwrap_or(false)
}

/// Shows the last records; returns after which the new ones follow.
async fn last(
    records: &dyn Records,
    filter: &Filter,
    lines: usize,
    output: Output,
    console: &mut Console<'_>,
) -> Result<Seq, Failure> {
    let any = Filter { newest: true, ..Filter::default() };
    let end = records.all(&any, 1).await?.0.first().map_or(Seq(0), |record| record.seq);
    if lines == 0 {
        return Ok(end);
    }
    let newest = Filter { newest: true, ..filter.clone() };
    let (mut found, _) = records.all(&newest, lines).await?;
    found.reverse();
    for record in &found {
        line(record, output, console)?;
    }
    console.out.flush()?;
    Ok(found.last().map_or(end, |record| record.seq.max(end)))
}

/// One record as one line (or one YAML document): a stream has no widest cell.
fn line(record: &Record, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    match output {
        Output::Table => {
            let [seq, at, kind, what] = row(record);
            let what = crate::cli::table::plain(&what);
            writeln!(console.out, "{seq:<8} {at}  {kind:<13} {what}")?;
        }
        Output::Json => {
            let json = serde_json::to_string(record);
            writeln!(console.out, "{}", json.map_err(|error| Failure::ours(error.to_string()))?)?;
        }
        Output::Yaml => {
            writeln!(console.out, "---")?;
            console.data(output, record)?;
        }
    }
    Ok(())
}
