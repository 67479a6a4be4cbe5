//! The binary `paramedic`: reads flags, runs one command, gives an exit code. It must never decide anything.

use std::process::ExitCode;

use clap::Parser;
use paramedic::serve::{self, ServeArgs};

/// Alert-driven remediation: does no harm, and explains itself.
#[derive(Debug, Parser)]
#[command(name = "paramedic", version)]
enum Command {
    /// Takes alerts and remediates
    Serve(Box<ServeArgs>),
}

fn main() -> ExitCode {
    let Command::Serve(args) = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve::run_with_args(*args, serve::ordered_to_stop())),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
