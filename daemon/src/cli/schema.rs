//! `paramedic schema`: what editors need to complete and check policies.

use super::console::{Console, Output};
use super::failure::Failure;

/// Print the JSON Schema of policies, of scenarios or of the configuration, for completion in editors.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic schema > remediation-policy.schema.json
  paramedic schema --scenario > scenario.schema.json
  paramedic schema --configuration > configuration.schema.json

Then begin a policy file with:
  # yaml-language-server: $schema=remediation-policy.schema.json")]
pub struct SchemaArgs {
    /// That of the daemon's configuration file instead.
    #[arg(long)]
    configuration: bool,

    /// That of scenario files, which `paramedic test` runs.
    #[arg(long, conflicts_with = "configuration")]
    scenario: bool,
}

pub(super) fn run(args: SchemaArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let schema = if args.configuration {
        crate::config::schema()
    } else if args.scenario {
        paramedic_simulations::scenario::schema()
    } else {
        paramedic_policies::load::schema()
    };
    console.data(Output::Json, &schema)
}
