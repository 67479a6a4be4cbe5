//! `paramedic demo`: the daemon on a simulated cluster, telling what it does.

use super::failure::Failure;
use crate::demo::{self, DemoArgs};

pub(super) async fn run(args: DemoArgs) -> Result<(), Failure> {
    match demo::run(args).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::users("not everything that the demo promises was seen")
            .hint("a machine that is very busy may be too slow for it; try again")),
        Err(error) => Err(Failure::users(format!("{error:#}"))),
    }
}
