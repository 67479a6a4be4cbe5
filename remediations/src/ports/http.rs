//! Plain HTTP calls: no redirects, a deadline each, small bodies.

use std::time::Duration;

use async_trait::async_trait;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// Absolute URL, its segments encoded.
    pub url: String,
    /// Header names with their values, such as the idempotency key.
    pub headers: Vec<(String, String)>,
    /// After this it has failed.
    pub timeout: Duration,
}

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes.
    Post,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The body, at most [`BODY_BYTES_MAX`] of it.
    pub body: String,
}

/// How much of a body is read: states of breakers are small, and a hostile endpoint must not fill our memory.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request never left: it is certain that nothing happened.
    #[error("could not connect to {url}: {problem}")]
    NotSent {
        /// Where to.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// It may have left: nobody knows what happened.
    #[error("no answer from {url}: {problem}")]
    NoAnswer {
        /// Where to.
        url: String,
        /// What went wrong.
        problem: String,
    },
}

/// Makes calls.
#[async_trait]
pub trait Http: Send + Sync {
    /// Makes one call, without retries.
    ///
    /// # Errors
    /// When no answer came.
    async fn call(&self, call: &Call) -> Result<Reply, CallError>;
}
