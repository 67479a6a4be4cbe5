//! Reads one document of any type, such as the daemon's configuration, with the place of every mistake.
//!
//! The document is held against the JSON Schema of its type first, which finds all unknown keys and wrong types at
//! once; serde reads it afterwards and can only object to what no schema says.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::load::conform::conform;
use crate::load::problem::{Problem, Severity};
use crate::load::yaml::{self, Fault, Position};

/// Reads the one document of a text.
///
/// # Errors
/// Everything that is wrong with it, by place.
pub fn read<T: DeserializeOwned + JsonSchema>(file: &str, text: &str) -> Result<T, Vec<Problem>> {
    let yaml::Parsed { documents, mut faults } = yaml::parse(text);
    let read = match documents.as_slice() {
        [document] => {
            faults.extend(conform(document, &schemars::schema_for!(T)));
            serde_path_to_error::deserialize(document.to_json()).map_err(|error| {
                let at = document.position(&error.path().to_string());
                Fault { at, message: error.inner().to_string(), hint: None }
            })
        }
        [] => Err(Fault::new(Position::START, "there is no document", "the file is empty or only comments")),
        [_, second, ..] => Err(Fault::new(
            second.at,
            "there is a second document",
            "this file holds one document; remove `---`",
        )),
    };
    match read {
        Ok(value) if faults.is_empty() => return Ok(value),
        // Whatever serde says of a document that is wrong already is one of the faults, or follows from them.
        Err(fault) if faults.is_empty() => faults.push(fault),
        Ok(_) | Err(_) => {}
    }
    faults.sort_by_key(|fault| fault.at);
    let problem = |Fault { at: Position { line, column }, message, hint }| Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line,
        column,
        message,
        hint,
    };
    Err(faults.into_iter().map(problem).collect())
}
