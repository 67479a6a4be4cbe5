//! `audit query`: the last records that meet the filters, in the order of time.

use paramedic_policies::event::Record;

use super::selection::Selection;
use super::unknown;
use crate::cli::console::{Console, Output, OutputArg};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, Records};
use crate::cli::story;
use crate::cli::table::Table;

/// Find records: what came in, what was decided and why, what was done, whether it helped.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit query --since 2h
  paramedic audit query --since 1d --namespace shop --verdict withhold
  paramedic audit query --target shop/deployment/cart --kind ended -o json
  paramedic audit query --data-dir /var/lib/paramedic --outcome failed")]
pub struct QueryArgs {
    #[command(flatten)]
    which: Selection,
    /// At most this many records: the newest ones.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Which records")]
    limit: u32,
    /// The oldest ones instead.
    #[arg(long, help_heading = "Which records")]
    oldest: bool,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

pub(super) async fn run(args: QueryArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let filter = args.which.filter(console.now)?;
    let records = args.journal.open_watched()?;
    query(&*records, args, filter, console).await
}

async fn query(
    records: &dyn Records,
    args: QueryArgs,
    mut filter: crate::journal::Filter,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    filter.newest = !args.oldest;
    let (mut found, more) = records.all(&filter, args.limit as usize).await?;
    if filter.newest {
        found.reverse();
    }
    match args.output.output {
        Output::Table => write!(console.out, "{}", table(&found))?,
        output @ (Output::Json | Output::Yaml) => console.data(output, &found)?,
    }
    if found.is_empty() {
        writeln!(console.err, "no record meets all filters")?;
        for told in unknown::names(records, &filter).await? {
            writeln!(console.err, "hint: {told}")?;
        }
    } else if more {
        let kept = if args.oldest { "oldest" } else { "newest" };
        writeln!(
            console.err,
            "these are the {kept} {}; there are more: raise --limit, or use `audit export` for all",
            found.len()
        )?;
    }
    Ok(())
}

/// Records as people read them.
pub(super) fn table(records: &[Record]) -> Table {
    let mut table = Table::new(["SEQ", "TIME", "KIND", "WHAT"]);
    for record in records {
        table.row(row(record));
    }
    table
}

/// One record's cells.
pub(in crate::cli) fn row(record: &Record) -> [String; 4] {
    [
        record.seq.to_string(),
        record.at.to_string(),
        record.event.kind().to_owned(),
        story::tell(&record.event),
    ]
}
