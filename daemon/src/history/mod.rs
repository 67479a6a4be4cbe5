//! Where the past comes from: Prometheus' `ALERTS`, webhooks that somebody kept, files of alerts, and our own journal. Each
//! is read from its beginning to its end, holds no more than it needs to go on, and must never change what it reads.

pub mod alerts_file;
pub mod audit;
pub mod covered;
pub mod evaluated;
pub mod prometheus;
pub mod runs;
pub mod samples;
pub mod webhooks;

use std::path::Path;

use paramedic_simulations::backtest::HistoryError;

/// What the caller can put right.
pub(crate) fn wrong(problem: impl Into<String>, hint: impl Into<String>) -> HistoryError {
    HistoryError { problem: problem.into(), hint: Some(hint.into()), is_content: true }
}

/// What neither the caller nor the content is to blame for.
pub(crate) fn failed(problem: impl Into<String>, hint: Option<String>) -> HistoryError {
    HistoryError { problem: problem.into(), hint, is_content: false }
}

/// A file opened for reading lines; `-` is standard input.
pub(crate) fn lines(path: &Path) -> Result<Box<dyn std::io::BufRead + Send>, HistoryError> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::BufReader::new(std::io::stdin())));
    }
    let file = std::fs::File::open(path).map_err(|error| {
        wrong(format!("could not open {}: {error}", path.display()), "name a file that can be read")
    })?;
    Ok(Box::new(std::io::BufReader::with_capacity(1 << 20, file)))
}
