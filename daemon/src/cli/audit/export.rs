//! `audit export`: every record that meets the filters, one JSON object a line, oldest first.

use super::selection::Selection;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, PAGE, Records};
use crate::journal::Filter;
use paramedic_policies::counted::counted;

/// How many records are written between two words about the progress.
const PROGRESS_EACH: u64 = 100_000;

/// Write all records that meet the filters as JSON Lines, for archives and other tools.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit export --since 30d > audit.jsonl
  paramedic audit export --data-dir /var/lib/paramedic | zstd > audit.jsonl.zst
  paramedic audit export --kind ruled | jq -r '.event.ruling | [.policy, .verdict.is] | @tsv'")]
pub struct ExportArgs {
    #[command(flatten)]
    which: Selection,
    #[command(flatten)]
    journal: JournalArgs,
}

pub(super) async fn run(args: ExportArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let filter = args.which.filter(console.now)?;
    let records = args.journal.open_watched()?;
    export(&*records, filter, console).await
}

async fn export(records: &dyn Records, mut filter: Filter, console: &mut Console<'_>) -> Result<(), Failure> {
    filter.limit = Some(PAGE);
    let mut written = 0_u64;
    loop {
        let page = records.page(&filter).await?;
        for record in &page.items {
            let json = serde_json::to_string(record);
            writeln!(console.out, "{}", json.map_err(|error| Failure::ours(error.to_string()))?)?;
            written += 1;
            if written.is_multiple_of(PROGRESS_EACH) {
                writeln!(console.err, "{written} records so far, up to {}", record.at)?;
            }
        }
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    writeln!(console.err, "{} exported", counted(written, "record"))?;
    Ok(())
}
