//! `PARAMEDIC_…` variables: every flag has one, made from its name, so that none is forgotten and none is misspelt.
//!
//! What runs the daemon, and where the daemon is, has the plain name (`PARAMEDIC_MODE`, `PARAMEDIC_SERVER`). All other
//! flags have one for their command (`PARAMEDIC_PAUSE_REASON`, `PARAMEDIC_AUDIT_SINCE`), so that an old variable never
//! widens an order unseen, and the daemon's own surroundings never send `audit` to the locked directory. A flag that
//! means something else than its namesakes has a variable that is written at the flag.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command, ValueHint};

/// Commands whose flags have the plain name: they are the daemon, or read what it reads.
const DAEMONS: [&str; 4] = ["serve", "demo", "check", "rbac"];

/// Flags that mean the same wherever they stand.
const SHARED: [&str; 4] = ["alertmanager-url", "output", "server", "token-file"];

/// The command with a variable for each flag, subcommands too.
pub(super) fn named(mut command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let prefix =
            if DAEMONS.contains(&name.as_str()) { String::new() } else { format!("{}_", upper(&name)) };
        command = command.mut_subcommand(&name, |sub| walk(sub, &prefix));
    }
    command
}

fn walk(command: Command, prefix: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut command = command.mut_args(|arg| variable(hinted(arg), prefix));
    for name in names {
        command = command.mut_subcommand(&name, |sub| walk(sub, prefix));
    }
    command
}

/// What a shell offers to complete, by the word that help shows.
fn hinted(arg: Arg) -> Arg {
    let hint = match arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("FILE") => ValueHint::FilePath,
        Some("DIR") => ValueHint::DirPath,
        Some("PATH") => ValueHint::AnyPath,
        Some(_) | None => return arg,
    };
    arg.value_hint(hint)
}

fn variable(arg: Arg, prefix: &str) -> Arg {
    let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
    if arg.get_env().is_some() {
        return arg.hide_env_values(true);
    }
    let prefix = if SHARED.contains(&long.as_str()) { "" } else { prefix };
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let arg = arg.env(format!("PARAMEDIC_{prefix}{}", upper(&long))).hide_env_values(true);
    if is_switch { arg.value_parser(BoolishValueParser::new()) } else { arg }
}

fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}
