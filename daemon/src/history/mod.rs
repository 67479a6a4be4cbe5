//! Where the past comes from: Prometheus' `ALERTS`, webhooks that somebody kept, files of alerts, and our own journal. Each
//! is read from its beginning to its end, holds no more than it needs to go on, and must never change what it reads.

pub mod alerts_file;
pub mod audit;
pub mod covered;
pub mod dressed;
pub mod evaluated;
pub mod parts;
pub mod prometheus;
pub mod runs;
pub mod samples;
#[cfg(test)]
mod served;
pub(crate) mod slip;
pub mod stretches;
pub mod webhooks;

use std::io::{BufRead, Read as _};
use std::path::Path;

use paramedic_policies::counted::counted;
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::HistoryError;

use crate::intake::encoding;

/// What the caller can put right.
pub(crate) fn wrong(problem: impl Into<String>, hint: impl Into<String>) -> HistoryError {
    HistoryError { problem: problem.into(), hint: Some(hint.into()), is_content: true }
}

/// A file with nothing in it: what could not be written reads like a quiet past, and no gate may open for that.
pub(crate) fn hollow(path: &Path, what: &str, hint: &str) -> HistoryError {
    let problem = format!("{} holds no {what}: it does not show that nothing happened", path.display());
    wrong(problem, hint)
}

/// Alerts that the webhook refuses: left out of the past, as the daemon left them out, and said.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    many: usize,
    first: Option<String>,
}

impl Refused {
    /// So many more, one of them for this.
    pub(crate) fn add(&mut self, many: usize, problem: impl FnOnce() -> String) {
        self.many += many;
        self.first.get_or_insert_with(problem);
    }

    /// What that puts into doubt.
    pub(crate) fn doubt(&self) -> Option<String> {
        let (first, many) = (self.first.as_ref()?, counted(self.many, "alert"));
        Some(format!("what came of {many} that the webhook refuses, which are left out (the first: {first})"))
    }

    /// That nothing else was there.
    pub(crate) fn all(&self, hint: &str) -> Option<HistoryError> {
        Some(wrong(format!("{}: the webhook refuses that", self.first.as_ref()?), hint))
    }
}

/// What neither the caller nor the content is to blame for.
pub(crate) fn failed(problem: impl Into<String>, hint: Option<String>) -> HistoryError {
    HistoryError { problem: problem.into(), hint, is_content: false }
}

/// A file opened for reading lines; `-` is standard input.
pub(crate) fn lines(path: &Path) -> Result<Box<dyn BufRead + Send>, HistoryError> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::BufReader::new(std::io::stdin())));
    }
    let could_not = |why: String| {
        wrong(format!("could not open {}: {why}", path.display()), "name a file that can be read")
    };
    if path.is_dir() {
        return Err(could_not("it is a folder".to_owned()));
    }
    let file = std::fs::File::open(path).map_err(|error| could_not(error.to_string()))?;
    Ok(Box::new(std::io::BufReader::with_capacity(1 << 20, file)))
}

/// No line may be longer, without its end: as the webhook's bound.
pub(crate) const LINE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// By how much the clock of whoever wrote it may be ahead of ours.
const AHEAD_MAX: Span = Span::from_mins(5);

/// Whether this has not come yet, and cannot be the past.
pub(crate) fn is_ahead(at: Moment, now: Moment) -> bool {
    at > now + AHEAD_MAX
}

/// Text without its byte order mark; `place` says where it stands.
///
/// # Errors
/// Where it is UTF-16.
pub(crate) fn utf8<'t>(text: &'t [u8], place: &str) -> Result<&'t [u8], HistoryError> {
    encoding::utf8(text).map_err(|instead| {
        wrong(format!("{place}: this is {instead}"), "convert it: iconv -f UTF-16 -t UTF-8")
    })
}

/// Reads the next line, whatever is in it, without its end and a byte order mark; whether there was one.
///
/// # Errors
/// When it cannot be read, is UTF-16, or is longer than [`LINE_BYTES_MAX`]; `place` says where.
pub(crate) fn next_line(
    lines: &mut dyn BufRead,
    most: u64,
    text: &mut Vec<u8>,
    place: &str,
) -> Result<bool, HistoryError> {
    text.clear();
    let read = lines.take(most + 1).read_until(b'\n', text);
    if read.map_err(|error| failed(format!("could not read {place}: {error}"), None))? == 0 {
        return Ok(false);
    }
    // Files that are written one after the other into one have it within.
    let mark = text.len() - utf8(text, place)?.len();
    text.drain(..mark);
    match text.last() {
        Some(b'\n') => {
            text.pop();
            Ok(true)
        }
        _ if text.len() as u64 <= most => Ok(true),
        _ => Err(wrong(
            format!("{place}: the line is longer than {most} bytes"),
            "each line is a JSON object of its own; is this another kind of file?",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_callers_mistake() {
        let folder = tempfile::tempdir().expect("a folder");
        let Err(error) = lines(folder.path()) else { panic!("a folder was opened") };
        assert!(
            error.is_content && error.hint.is_some() && error.problem.ends_with(": it is a folder"),
            "{error:?}"
        );
    }

    #[test]
    fn a_line_as_long_as_allowed_is_read_and_a_longer_one_is_not_held() {
        let mut lines: &[u8] = b"1234\n12345\n";
        let mut text = Vec::new();
        assert_eq!(next_line(&mut lines, 4, &mut text, "x:1"), Ok(true));
        assert_eq!(text, b"1234");
        let error = next_line(&mut lines, 4, &mut text, "x:2").expect_err("it is too long");
        assert_eq!(error.problem, "x:2: the line is longer than 4 bytes");
        let mut last: &[u8] = b"1234";
        assert_eq!(next_line(&mut last, 4, &mut text, "x:1"), Ok(true), "without an end of its own");
        assert_eq!(next_line(&mut last, 4, &mut text, "x:2"), Ok(false));
    }
}
