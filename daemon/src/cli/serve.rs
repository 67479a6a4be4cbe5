//! `paramedic serve`: the daemon, until it is told to stop.

use super::failure::Failure;
use crate::config::Problems;
use crate::serve::{self, ServeArgs};

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    if let Err(problems) = args.effective() {
        return Err(unusable(&problems));
    }
    // Everything else that keeps it from starting is an address, a file, a cluster that the user names.
    serve::run_with_args(args, serve::ordered_to_stop())
        .await
        .map_err(|error| Failure::users(format!("{error:#}")))
}

/// What is wrong with a configuration and its flags. A flag has no lines.
pub(super) fn unusable(problems: &Problems) -> Failure {
    let lines = problems.0.iter().map(|problem| match problem.file.strip_prefix("--") {
        Some(flag) => {
            let hint = problem.hint.iter().map(|hint| format!("\n  hint: {hint}")).collect::<String>();
            format!("--{flag}: {}{hint}", problem.message)
        }
        None => problem.to_string(),
    });
    let lines: Vec<String> = lines.collect();
    Failure::users(format!("the configuration cannot be used\n{}", lines.join("\n")))
        .hint("`paramedic check --config FILE` shows the whole configuration once it is right")
}
