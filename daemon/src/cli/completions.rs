//! `paramedic completions`: completion of commands and flags in shells.

use clap_complete::Shell;

use super::console::Console;
use super::failure::Failure;

/// Print a completion script for a shell.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic completions bash > /etc/bash_completion.d/paramedic
  paramedic completions zsh > ~/.zfunc/_paramedic
  paramedic completions fish > ~/.config/fish/completions/paramedic.fish")]
pub struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: CompletionsArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "paramedic", &mut script);
    Ok(console.out.write_all(&script)?)
}
