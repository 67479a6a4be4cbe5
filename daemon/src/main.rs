//! The binary `paramedic`. It must never do anything that the library cannot.

use std::process::ExitCode;

fn main() -> ExitCode {
    paramedic::cli::main()
}
