//! Logs to stderr, as text or JSON, every line redacted on its way out.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, LogSettings};
use crate::redaction::Redactor;

/// What to log.
///
/// # Errors
/// What is wrong with the directives.
pub fn directives(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| format!("`{}` is not a log level: {error}", level.escape_debug()))
}

/// Begins to log; only the first call in a process does anything.
///
/// # Errors
/// When the level is not one.
pub fn begin(settings: &LogSettings, redactor: &Redactor) -> Result<(), String> {
    let filter = directives(&settings.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Redacted { redactor: redactor.clone() });
    // A second daemon in one process (the demo, a test) logs where the first does.
    let _already = match settings.format {
        LogFormat::Text => builder.with_target(false).with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Stderr, redacted line by line: the formatter hands over one whole line at a time.
#[derive(Debug, Clone)]
struct Redacted {
    redactor: Redactor,
}

impl<'w> MakeWriter<'w> for Redacted {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => io::stderr().write_all(self.redactor.text(text).as_bytes())?,
            Err(_) => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
