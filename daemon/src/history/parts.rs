//! An answer of Prometheus' that may be large: read in parts, and up to a bound, whatever comes. It tells what a shorter time
//! may mend (too much, too slow) from what waiting may mend (too busy) and from what nothing mends, so that nobody asks in
//! vain again. Thanos, Mimir, Cortex and VictoriaMetrics stand for Prometheus here as often as Prometheus itself.

use std::error::Error;
use std::fmt;
use std::sync::LazyLock;

use paramedic_policies::time::{Moment, Span};
use regex::Regex;
use reqwest::StatusCode;

use super::samples::{self, Samples, Wanted};
use crate::causes::causes;
use crate::prometheus::{Prometheus, retry_after};

/// No answer is held that is larger: with what is read from it, and the one before it, it must fit into memory.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Of an answer that is none, so much is shown.
const SHOWN: usize = 200;

/// How such servers say that a query reads too much: Prometheus "would load too many samples into memory", Mimir and Cortex
/// "exceeded the maximum number of chunks" and "hit the max number of series limit", Thanos "exceeded series limit",
/// VictoriaMetrics "cannot select more than -search.maxSamplesPerQuery", all of them "timed out".
static OF_SIZE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)too (?:many|much) (?:samples|series|points|chunks|data)|exceed|\blimits?\b|\bmax(?:imum)? number of\b|search\.max|not enough memory|resource ?exhausted|timed? ?out|deadline",
    )
    .expect("the expression is sound")
});

/// How they say that one was too late.
static OF_TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)timed? ?out|deadline").expect("the expression is sound"));

/// What a query may read too much of. Who limits how often or how many at once exceeds limits too, and names none of these.
static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:samples|series|chunks|bytes|memory|points|time range)\b")
        .expect("the expression is sound")
});

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It was too much, or took too long: a shorter time may be answered.
    TooMuch(String),
    /// It takes no more for now: the same may be answered later.
    Busy {
        /// What it said.
        problem: String,
        /// How long it asks us to wait.
        wait: Option<Span>,
        /// What to do where waiting was in vain.
        hint: &'static str,
    },
    /// Whoever asks may not.
    NotAllowed(String),
    /// Asking once more would change nothing.
    Failed {
        /// What it said.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
}

const BASE_URL: &str = "is --prometheus-url its base URL?";
const NOT_THERE: &str = "does it answer at --prometheus-url, and is that its base URL?";
const REFUSED: &str =
    "it did not take the query itself: is it a Prometheus, or one that knows all of PromQL?";
const NOT_EVALUATED: &str = "it took the query and could not evaluate it: what does its log say?";
const INTERNAL: &str = "what does its log say? A part of its data may be damaged or out of reach: \
                        --since and --until leave a time out";
const CROWDED: &str =
    "it takes no more queries for now: try again when it is less busy, or raise what it allows at once";

impl Unread {
    /// Nothing came that could be read as an answer.
    pub fn no_answer(problem: String) -> Self {
        Self::Failed { problem, hint: BASE_URL }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "name a file with a token that may read: --prometheus-token-file",
            Self::TooMuch(_) => {
                "what do Prometheus and the proxies before it allow, in time, samples and bytes?"
            }
            Self::Busy { hint, .. } | Self::Failed { hint, .. } => hint,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(problem)
            | Self::NotAllowed(problem)
            | Self::Busy { problem, .. }
            | Self::Failed { problem, .. } => f.write_str(problem),
        }
    }
}

/// The samples of a good answer, and how many bytes it had.
///
/// # Errors
/// With what Prometheus says, or why it says nothing.
pub async fn read(
    prometheus: &Prometheus,
    promql: &str,
    at: Moment,
    (wanted, bytes_max): (Wanted, usize),
) -> Result<(Samples, usize), Unread> {
    let not_there = |problem| Unread::Failed { problem, hint: NOT_THERE };
    let query = prometheus.instant(promql, at).await.map_err(not_there)?;
    // Thanos may answer with samples of five minutes or an hour; whoever does not know this word passes over it.
    let query = query.query("max_source_resolution", "0s");
    let mut answer = query.post_raw().await.map_err(|error| {
        let problem = causes(&error);
        if is_late(&error) { Unread::TooMuch(problem) } else { not_there(problem) }
    })?;
    let status = answer.status();
    let too_much = || Unread::TooMuch(format!("an answer of more than {} MiB", bytes_max >> 20));
    if status.is_success() && answer.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_much());
    }
    let wait = retry_after(answer.headers());
    let mut body = Vec::new();
    // Cut off on the way: a proxy's deadline or bound, or a Prometheus that died of it.
    while let Some(part) = answer.chunk().await.map_err(|error| Unread::TooMuch(causes(&error)))? {
        if body.len() + part.len() > bytes_max {
            return Err(too_much());
        }
        body.extend_from_slice(&part);
    }
    if !status.is_success() {
        return Err(refused(status, wait, &body));
    }
    match samples::read(&body, wanted) {
        Ok(samples) => Ok((samples, body.len())),
        // A gateway that answers 200 to everything.
        Err(samples::Problem::Said { kind, error }) => Err(said(status, &kind, wait, error)),
        Err(samples::Problem::NoAnswer(problem)) => Err(Unread::no_answer(problem)),
    }
}

/// Whether what a server says is that it was too much.
pub fn is_of_size(said: &str) -> bool {
    OF_SIZE.is_match(said)
}

/// Whether a warning beside an answer is of an amount, which a shorter time may mend. A store that hangs answers late of
/// anything, each time after all that it may take: to ask it again and again would take days.
pub fn is_of_amount(warning: &str) -> bool {
    is_of_size(warning) && !OF_TIME.is_match(warning)
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

fn refused(status: StatusCode, wait: Option<Span>, body: &[u8]) -> Unread {
    match samples::read(body, Wanted::Times) {
        Err(samples::Problem::Said { kind, error }) => said(status, &kind, wait, error),
        Ok(_) | Err(samples::Problem::NoAnswer(_)) => {
            let begin = body.get(..SHOWN.min(body.len())).unwrap_or_default();
            let begin = String::from_utf8_lossy(begin);
            let words = format!("the answer begins with {begin:?}");
            by_status(status, wait, format!("{status}; {words}"), is_of_size(&begin))
        }
    }
}

fn said(status: StatusCode, kind: &str, wait: Option<Span>, error: String) -> Unread {
    let is_of_size = is_of_size(&error);
    match (status.is_success(), kind) {
        (true, "timeout") => Unread::TooMuch(error),
        (true, _) if is_of_size => Unread::TooMuch(error),
        (true, _) => Unread::Failed { problem: error, hint: NOT_EVALUATED },
        (false, _) => by_status(status, wait, format!("{status}: {error}"), is_of_size),
    }
}

/// What would mend it, by the status and by whether the words are of size.
fn by_status(status: StatusCode, wait: Option<Span>, problem: String, is_of_size: bool) -> Unread {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Unread::NotAllowed(problem),
        // A query's timeout, a proxy's, or one that died of it; who says when to come back is only busy.
        StatusCode::SERVICE_UNAVAILABLE if wait.is_some() && !is_of_size => {
            Unread::Busy { problem, wait, hint: CROWDED }
        }
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Unread::TooMuch(problem),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::INTERNAL_SERVER_ERROR
            if is_of_size =>
        {
            Unread::TooMuch(problem)
        }
        StatusCode::TOO_MANY_REQUESTS if AMOUNT.is_match(&problem) => Unread::TooMuch(problem),
        // Too many queries at once, or too many waiting.
        StatusCode::TOO_MANY_REQUESTS => Unread::Busy { problem, wait, hint: CROWDED },
        // A store behind it that just starts anew, or data that is damaged for good: the second look tells.
        StatusCode::INTERNAL_SERVER_ERROR => Unread::Busy { problem, wait, hint: INTERNAL },
        StatusCode::BAD_REQUEST => Unread::Failed { problem, hint: REFUSED },
        StatusCode::UNPROCESSABLE_ENTITY => Unread::Failed { problem, hint: NOT_EVALUATED },
        _ => Unread::Failed { problem, hint: BASE_URL },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of an answer, in a word.
    fn kind(status: u16, text: &str) -> &'static str {
        let status = StatusCode::from_u16(status).expect("a status");
        match refused(status, None, text.as_bytes()) {
            Unread::TooMuch(_) => "shorter",
            Unread::Busy { .. } => "later",
            Unread::NotAllowed(_) => "not allowed",
            Unread::Failed { .. } => "never",
        }
    }

    fn json(error: &str) -> String {
        serde_json::json!({"status": "error", "errorType": "execution", "error": error}).to_string()
    }

    /// Words of Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics.
    #[test]
    fn what_is_too_much_is_told_from_what_is_wrong_by_its_words() {
        let too_much = [
            (422, "query processing would load too many samples into memory in query execution"),
            (
                422,
                "the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query)",
            ),
            (422, "the query hit the max number of series limit (limit: 100000 series)"),
            (422, "the query hit the aggregated chunks size limit (limit: 1000 bytes)"),
            (422, "the query time range exceeds the limit (query length: 721h0m0s, limit: 720h0m0s)"),
            (400, "the total query time range exceeds the limit (err-mimir-max-total-query-length)"),
            (
                500,
                "expanding series: rpc error: code = ResourceExhausted desc = exceeded series limit: limit 10 violated (got 11)",
            ),
            (500, "expanding series: rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
            (
                422,
                "cannot select more than -search.maxSamplesPerQuery=1000000000 samples; possible solutions: reduce time range",
            ),
            (422, "not enough memory for processing 3 data points across 2 time series"),
            (429, "the query would read too many samples"),
        ];
        for (status, words) in too_much {
            assert_eq!(kind(status, &json(words)), "shorter", "{status} {words}");
        }
        let crowded = "couldn't start executing the request in 10.000 seconds, since -search.maxConcurrentRequests=8 concurrent \
                       requests are executed. Possible solutions: to increase -search.maxQueueDuration=10s; to increase \
                       -search.maxQueryDuration";
        for (status, words) in too_much {
            assert_eq!(is_of_amount(words), !words.contains("deadline"), "{status} {words}");
        }
        assert_eq!(kind(429, crowded), "later");
        let rate = "the request has been rejected because the tenant exceeded the request rate limit";
        assert_eq!(kind(429, &json(rate)), "later");
        assert_eq!(kind(429, &json("too many outstanding requests")), "later");
        assert_eq!(kind(500, &json("expanding series: connection refused")), "later");
        let wrong = [
            (422, "found duplicate series for the match group {} on the right hand-side of the operation"),
            (422, "the request has been blocked by the cluster administrator (err-mimir-query-blocked)"),
            (400, "invalid parameter \"query\": 1:8: parse error: unexpected character: '$'"),
        ];
        for (status, words) in wrong {
            assert_eq!(kind(status, &json(words)), "never", "{status} {words}");
        }
        assert_eq!((kind(401, "no"), kind(404, "page not found")), ("not allowed", "never"));
    }
}
