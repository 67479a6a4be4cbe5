//! Where a command writes, and what time it is: data to `out`, talk to `err`. Everything is an argument, so that
//! tests read what people read without a process.

use std::io::Write;

use clap::ValueEnum;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::failure::Failure;

/// What a command has of the outside.
pub struct Console<'a> {
    /// Data.
    pub out: &'a mut (dyn Write + Send),
    /// Talk.
    pub err: &'a mut (dyn Write + Send),
    /// The present, for `--since 2h` and the like.
    pub now: Moment,
}

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// The flag, for every command that has data to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::Args)]
pub(crate) struct OutputArg {
    /// How to write the data.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

impl Console<'_> {
    /// Writes data for programs; a table is the caller's own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn data(&mut self, output: Output, data: &impl Serialize) -> Result<(), Failure> {
        let text = match output {
            Output::Table | Output::Json => {
                let json = serde_json::to_string_pretty(data);
                json.map_err(|error| Failure::ours(format!("could not write JSON: {error}")))? + "\n"
            }
            Output::Yaml => yaml(data)?,
        };
        Ok(self.out.write_all(text.as_bytes())?)
    }
}

/// Data as YAML, with a line break at its end.
pub(super) fn yaml(data: &impl Serialize) -> Result<String, Failure> {
    let failed = |problem: String| Failure::ours(format!("could not write YAML: {problem}"));
    // By way of JSON, so that both say the same whatever tricks a type's serializer plays.
    let value = serde_json::to_value(data).map_err(|error| failed(error.to_string()))?;
    let mut text = serde_saphyr::to_string(&value).map_err(|error| failed(error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
