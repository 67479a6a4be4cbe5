//! `paramedic audit`: reading the journal, never writing it.

mod ends;
mod export;
mod query;
pub(super) mod report;
mod selection;
mod show;
mod stats;
mod tail;
mod unknown;
mod verify;

use clap::Subcommand;

use super::console::Console;
use super::failure::Failure;

pub(super) use query::row;
pub(super) use selection::{When, window};

/// The commands.
#[derive(Debug, Clone, Subcommand)]
#[allow(missing_docs, reason = "a command's help stands at its arguments")]
pub enum AuditCommand {
    Query(query::QueryArgs),
    Tail(tail::TailArgs),
    Show(show::ShowArgs),
    Report(Box<report::ReportArgs>),
    Stats(stats::StatsArgs),
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
}

/// Runs one.
pub(super) async fn run(command: AuditCommand, console: &mut Console<'_>) -> Result<(), Failure> {
    match command {
        AuditCommand::Query(args) => query::run(args, console).await,
        AuditCommand::Tail(args) => tail::run(args, console).await,
        AuditCommand::Show(args) => show::run(args, console).await,
        AuditCommand::Report(args) => report::run(*args, console).await,
        AuditCommand::Stats(args) => stats::run(args, console).await,
        AuditCommand::Verify(args) => verify::run(args, console).await,
        AuditCommand::Export(args) => export::run(args, console).await,
    }
}
