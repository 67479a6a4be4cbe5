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

/// What is wrong with a configuration and its flags.
pub(super) fn unusable(problems: &Problems) -> Failure {
    Failure::users(format!("the configuration cannot be used\n{problems}"))
        .hint("`paramedic check --config FILE` shows the whole configuration once it is right")
}
