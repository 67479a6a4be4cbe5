//! Plain HTTP calls: no redirects, a deadline each, small bodies.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::Intent;

use crate::seal::Sealed;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Absolute URL, its segments encoded.
    pub url: String,
    /// Header names with their values, such as the idempotency key.
    pub headers: Vec<(String, String)>,
    /// After this it has failed.
    pub timeout: Duration,
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

/// Eyes by HTTP. An adapter without [`HttpHands`] is what dry-run gets.
#[async_trait]
pub trait Http: Send + Sync {
    /// One `GET`, without retries.
    ///
    /// # Errors
    /// When no answer came.
    async fn get(&self, call: &Call) -> Result<Reply, CallError>;
}

/// Hands by HTTP: nothing changes without a seal.
#[async_trait]
pub trait HttpHands: Http {
    /// One `POST` without a body, without retries.
    ///
    /// # Errors
    /// When no answer came.
    async fn post(&self, seal: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError>;
}
