//! `audit verify`: computes every root of the journal again and says whether what is there is what was written.

use paramedic_policies::counted::counted;
use serde_json::Value;

use crate::cli::console::{Console, Output, OutputArg};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, Records};

/// Check that the journal is what was written: every record's hash, every block's root, the whole chain.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit verify
  paramedic audit verify --data-dir /var/lib/paramedic

Exits with 1 when anything was changed, is damaged or missing in between. That nothing was cut off
at the end, only the last root kept elsewhere can show: note the one that is printed.")]
pub struct VerifyArgs {
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

pub(super) async fn run(args: VerifyArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let records = args.journal.open_watched()?;
    verify(&*records, args.output.output, console).await
}

async fn verify(records: &dyn Records, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    let report = records.verify().await?;
    let problem = report.get("problem").and_then(Value::as_str).map(str::to_owned);
    match output {
        Output::Table => {
            let text = |key: &str| match report.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "?".to_owned(),
            };
            let last = report.get("end").and_then(Value::as_u64).map_or(0, |end| end.saturating_sub(1));
            let count = |key: &str, noun: &str| match report.get(key).and_then(Value::as_u64) {
                Some(count) => counted(count, noun),
                None => format!("? {noun}s"),
            };
            let state = if problem.is_none() { "whole" } else { "DAMAGED" };
            writeln!(console.out, "journal {}: {state}", text("journal"))?;
            writeln!(
                console.out,
                "verified records {} to {last} ({} in {}; {})",
                text("first"),
                count("records", "record"),
                count("blocks", "block"),
                count("partitions", "partition")
            )?;
            writeln!(console.out, "root {}", text("root"))?;
        }
        Output::Json | Output::Yaml => console.data(output, &report)?,
    }
    match problem {
        None => Ok(()),
        Some(problem) => Err(Failure::users(format!("the journal is not what was written: {problem}"))
            .hint("keep the directory as it is, and restore it from a backup")),
    }
}
