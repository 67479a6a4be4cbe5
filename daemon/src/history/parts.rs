//! An answer of Prometheus' that may be large: read in parts, and up to a bound, whatever comes. It tells what a shorter time
//! may mend (too much, too slow) from what nothing mends, so that nobody asks in vain again.

use std::error::Error;
use std::fmt;

use paramedic_policies::time::Moment;
use reqwest::StatusCode;

use super::samples;
use crate::causes::causes;
use crate::prometheus::Prometheus;

/// No answer is held that is larger: with what is read from it, and the one before it, it must fit into memory.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Of an answer that is none, so much is shown.
const SHOWN: usize = 200;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It was too much, or took too long: a shorter time may be answered.
    TooMuch(String),
    /// Whoever asks may not.
    NotAllowed(String),
    /// Asking once more would change nothing.
    Failed(String),
}

impl Unread {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "name a file with a token that may read: --prometheus-token-file",
            Self::TooMuch(_) => {
                "what do Prometheus and the proxies before it allow, in time, samples and bytes?"
            }
            Self::Failed(_) => "is --prometheus-url its base URL, and is the time within its retention?",
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(problem) | Self::NotAllowed(problem) | Self::Failed(problem) => {
                f.write_str(problem)
            }
        }
    }
}

/// The body of a good answer.
///
/// # Errors
/// With what Prometheus says, or why it says nothing.
pub async fn read(
    prometheus: &Prometheus,
    promql: &str,
    at: Moment,
    bytes_max: usize,
) -> Result<Vec<u8>, Unread> {
    let query = prometheus.instant(promql, at).await.map_err(Unread::Failed)?;
    let mut answer = query.post_raw().await.map_err(|error| {
        let problem = causes(&error);
        if is_late(&error) { Unread::TooMuch(problem) } else { Unread::Failed(problem) }
    })?;
    let status = answer.status();
    let too_much = || Unread::TooMuch(format!("an answer of more than {} MiB", bytes_max >> 20));
    if status.is_success() && answer.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_much());
    }
    let mut body = Vec::new();
    // Cut off on the way: a proxy's deadline or bound, or a Prometheus that died of it.
    while let Some(part) = answer.chunk().await.map_err(|error| Unread::TooMuch(causes(&error)))? {
        if body.len() + part.len() > bytes_max {
            return Err(too_much());
        }
        body.extend_from_slice(&part);
    }
    match status.is_success() {
        true => Ok(body),
        false => Err(refused(status, &body)),
    }
}

/// Whether it was asked, and did not answer in time.
fn is_late(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return error.is_timeout() && !error.is_connect();
        }
        cause = error.source();
    }
    false
}

fn refused(status: StatusCode, body: &[u8]) -> Unread {
    let said = match samples::read(body, samples::Wanted::Times) {
        Err(samples::Problem::Said { error, .. }) => format!("{status}: {error}"),
        Ok(_) | Err(samples::Problem::NoAnswer(_)) => {
            let begin = body.get(..SHOWN.min(body.len())).unwrap_or_default();
            format!("{status}; the answer begins with {:?}", String::from_utf8_lossy(begin))
        }
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Unread::NotAllowed(said),
        status if is_of_load(status) => Unread::TooMuch(said),
        _ => Unread::Failed(said),
    }
}

/// What Prometheus and the proxies before it answer where a query was too much for them.
fn is_of_load(status: StatusCode) -> bool {
    [
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .contains(&status)
}

/// What is wrong with an answer, by what would mend it.
pub fn unread(problem: samples::Problem) -> Unread {
    match problem {
        samples::Problem::Said { kind, error } if ["execution", "timeout"].contains(&kind.as_str()) => {
            Unread::TooMuch(error)
        }
        samples::Problem::Said { error, .. } | samples::Problem::NoAnswer(error) => Unread::Failed(error),
    }
}
