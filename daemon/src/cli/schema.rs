//! `paramedic schema`: what editors need to complete and check policies.

use super::console::{Console, Output};
use super::failure::Failure;

/// Print the JSON Schema of policies, for completion in editors.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic schema > remediation-policy.schema.json

Then begin a policy file with:
  # yaml-language-server: $schema=remediation-policy.schema.json")]
pub struct SchemaArgs {}

pub(super) fn run(SchemaArgs {}: SchemaArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    console.data(Output::Json, &paramedic_policies::load::schema())
}
