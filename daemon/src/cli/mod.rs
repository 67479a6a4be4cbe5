//! The command line: one file per command. Data goes to stdout, talk to stderr; exit 0 is ok, 1 the user's fault or a
//! failed check, 2 ours. Commands must never decide or act: they ask the daemon, or read what is there.

mod alerts;
mod approving;
mod audit;
mod backtest;
mod beside;
mod blocking;
mod by_hand;
mod check;
mod cleanup;
mod completions;
mod console;
mod demo;
mod explain;
mod eyes;
mod failure;
mod following;
mod for_a_while;
mod freezing;
mod in_force;
mod live;
mod orders;
mod plan;
mod progress;
mod rbac;
mod records;
mod ruling;
mod schema;
mod serve;
mod status;
mod story;
mod table;
mod taking_back;
mod test;
mod variables;
mod waiting;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use paramedic_policies::time::Moment;

pub use console::{Console, Output};
pub use failure::{Failure, Whose};
use progress::InPlaceOf;

/// Takes alerts from Alertmanager, acts on them under guards, checks that it helped, and records why.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "paramedic",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:
  paramedic demo
  paramedic check policies/
  paramedic serve --policies policies/ --prometheus-url http://prometheus:9090
  paramedic status
  paramedic audit query --since 2h
  paramedic pause --for 1h --reason 'database migration'

Every flag can be set by a variable, as its help shows.
Exit codes: 0 ok, 1 your input or a failed check, 2 our fault."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
#[allow(missing_docs, reason = "a command's help stands at its arguments")]
pub enum Command {
    /// Run the daemon: take alerts from Alertmanager, and remediate as policies and guards allow.
    #[command(after_help = "Examples:
  paramedic serve --policies policies/ --prometheus-url http://prometheus:9090
  paramedic serve --config paramedic.yaml --mode enforce

Without --mode nothing is changed: dry-run decides, shows the difference and records it.
`paramedic check --config FILE` shows the whole configuration with its defaults.")]
    Serve(Box<crate::serve::ServeArgs>),
    Check(check::CheckArgs),
    Rbac(rbac::RbacArgs),
    Schema(schema::SchemaArgs),
    Test(Box<test::TestArgs>),
    Backtest(Box<backtest::BacktestArgs>),
    Plan(Box<plan::PlanArgs>),
    Explain(Box<explain::ExplainArgs>),
    /// Read the journal: find records, tell their story, follow, verify and export them.
    #[command(
        subcommand,
        after_help = "Examples:
  paramedic audit query --since 2h --namespace shop
  paramedic audit show 1041
  paramedic audit tail --follow"
    )]
    Audit(audit::AuditCommand),
    Status(status::StatusArgs),
    Approve(orders::ApproveArgs),
    Deny(orders::DenyArgs),
    Ack(orders::AckArgs),
    Pause(orders::PauseArgs),
    Resume(orders::ResumeArgs),
    Run(by_hand::RunArgs),
    Cancel(orders::CancelArgs),
    Undo(taking_back::UndoArgs),
    Freeze(freezing::FreezeArgs),
    Thaw(freezing::ThawArgs),
    Block(blocking::BlockArgs),
    Unblock(blocking::UnblockArgs),
    Demo(crate::demo::DemoArgs),
    Cleanup(cleanup::CleanupArgs),
    Completions(completions::CompletionsArgs),
}

/// The commands as clap knows them, each flag with its variable.
pub fn command() -> clap::Command {
    variables::named(Cli::command())
}

/// The whole program.
pub fn main() -> ExitCode {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = Moment::from_unix_ms(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let (mut out, mut err) = (InPlaceOf(std::io::stdout()), InPlaceOf(std::io::stderr()));
    let mut console = Console { out: &mut out, err: &mut err, now };
    ExitCode::from(run(std::env::args_os().collect(), &mut console))
}

/// Parses the arguments and runs what they say; returns the exit code.
pub fn run(args: Vec<OsString>, console: &mut Console<'_>) -> u8 {
    // One provider for the whole process; an error would only say that there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let parsed = command().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error, console),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(cli.command, console)),
        Err(error) => Err(Failure::ours(format!("could not start: {error}"))),
    };
    let result = result.and_then(|()| Ok(console.out.flush()?));
    match result {
        Ok(()) => 0,
        Err(failure) => {
            if failure.whose != Whose::Nobodys {
                // Nowhere is left to say that stderr is closed.
                drop(writeln!(console.err, "{failure}"));
            }
            failure.code()
        }
    }
}

async fn dispatch(command: Command, console: &mut Console<'_>) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(*args).await,
        Command::Check(args) => check::run(args, console).await,
        Command::Rbac(args) => rbac::run(args, console),
        Command::Schema(args) => schema::run(args, console),
        Command::Test(args) => test::run(*args, console),
        Command::Backtest(args) => backtest::run(*args, console).await,
        Command::Plan(args) => plan::run(*args, console).await,
        Command::Explain(args) => explain::run(*args, console).await,
        Command::Audit(command) => audit::run(command, console).await,
        Command::Status(args) => status::run(args, console).await,
        Command::Approve(args) => orders::approve(args, console).await,
        Command::Deny(args) => orders::deny(args, console).await,
        Command::Ack(args) => orders::ack(args, console).await,
        Command::Pause(args) => orders::pause(args, console).await,
        Command::Resume(args) => orders::resume(args, console).await,
        Command::Run(args) => by_hand::run(args, console).await,
        Command::Cancel(args) => orders::cancel(args, console).await,
        Command::Undo(args) => taking_back::undo(args, console).await,
        Command::Freeze(args) => freezing::freeze(args, console).await,
        Command::Thaw(args) => freezing::thaw(args, console).await,
        Command::Block(args) => blocking::block(args, console).await,
        Command::Unblock(args) => blocking::unblock(args, console).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Cleanup(args) => cleanup::run(args, console).await,
        Command::Completions(args) => completions::run(args, console),
    }
}

/// What clap has to say: help and versions are data, mistakes are the user's.
fn usage(error: &clap::Error, console: &mut Console<'_>) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render().to_string();
    // Nobody means an unknown flag as the name of a file.
    let is_meant =
        |line: &&str| !(line.trim_start().starts_with("tip: to pass '-") && line.contains("use '-- "));
    let text: String = text.split_inclusive('\n').filter(is_meant).collect();
    let text = text.replace("\n\n\n", "\n\n");
    let text = text.replace("\n\nFor more information, try '--help'.", "\nhint: try '--help'");
    let written = if asked { write!(console.out, "{text}") } else { write!(console.err, "{text}") };
    match written {
        Ok(()) if asked => 0,
        Ok(()) | Err(_) => 1,
    }
}

#[cfg(test)]
mod tests;
