//! Plain HTTP calls: no redirects, a deadline each, small bodies. To declared endpoints a call names only the endpoint:
//! where that is and which secrets it wants stays behind the port.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::Intent;
use paramedic_policies::remediation::http_call::Method;
use serde_json::Value;

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

/// One call to a declared endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub endpoint: String,
    /// The path behind its URL with its query, encoded.
    pub path: String,
    /// JSON.
    pub body: Option<Value>,
    /// Further headers, such as the idempotency key.
    pub headers: Vec<(String, String)>,
    /// After this it has failed.
    pub timeout: Duration,
}

/// An endpoint as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its URL without a slash at the end.
    pub base: String,
    /// What every call carries; a secret is shown as its file.
    pub headers: Vec<(String, String)>,
    /// Why a call could not be made now, such as a secret that cannot be read.
    pub unready: Option<String>,
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

    /// The endpoint that the operator declared by this name.
    async fn declared(&self, _endpoint: &str) -> Option<Declared> {
        None
    }

    /// One `GET` of a declared endpoint, without retries.
    ///
    /// # Errors
    /// When no answer came, or there is no such endpoint.
    async fn look(&self, request: &Request) -> Result<Reply, CallError> {
        Err(not_declared(request))
    }
}

/// Hands by HTTP: nothing changes without a seal.
#[async_trait]
pub trait HttpHands: Http {
    /// One `POST` without a body, without retries.
    ///
    /// # Errors
    /// When no answer came.
    async fn post(&self, seal: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError>;

    /// One call to a declared endpoint, without retries.
    ///
    /// # Errors
    /// When no answer came, or there is no such endpoint.
    async fn send(
        &self,
        _seal: &Sealed<Intent>,
        _method: Method,
        request: &Request,
    ) -> Result<Reply, CallError> {
        Err(not_declared(request))
    }
}

/// The error about an endpoint that nobody declared.
pub(crate) fn not_declared(request: &Request) -> CallError {
    let url = format!("endpoint {}", request.endpoint);
    CallError::NotSent { url, problem: "it is not declared in the configuration".into() }
}
