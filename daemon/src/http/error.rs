//! Errors as strangers see them: `{"error": "...", "hint": "..."}` with a status that says who is to act. It must never
//! show what only our log should hold.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::driver::{ReadProblem, Turned};
use crate::intake::BodyProblem;

/// How long a sender had better wait after 503, in seconds.
const RETRY_AFTER_SECS: u64 = 5;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Whose fault it is.
    pub status: StatusCode,
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub hint: String,
    /// Several problems, where there are several.
    pub problems: Vec<String>,
}

impl ApiError {
    /// An error with one problem.
    pub fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, error: error.into(), hint: hint.into(), problems: Vec::new() }
    }

    /// The request is wrong.
    pub fn bad(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// The journal cannot be read now.
    pub(super) fn no_archive() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the journal is not open",
            "see /readyz on the admin listener",
        )
    }
}

impl From<Turned> for ApiError {
    fn from(turned: Turned) -> Self {
        let hint = match &turned {
            Turned::Full => "come again; nothing of this request was taken",
            Turned::Frozen { .. } => "nothing is taken until the journal opens again; see the daemon's log",
            Turned::Stuck { .. } => {
                "nothing is taken meanwhile; see /readyz on the admin listener and the daemon's log"
            }
            Turned::Stopping => "come again when it has been started anew",
            Turned::Late => "come again; a repeat does no harm",
        };
        // What broke in the journal is for our log, not for whoever posts.
        let error = match &turned {
            Turned::Frozen { .. } => "the journal failed".to_owned(),
            Turned::Stuck { .. } => "the engine is stuck".to_owned(),
            Turned::Full | Turned::Stopping | Turned::Late => turned.to_string(),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, hint)
    }
}

impl From<BodyProblem> for ApiError {
    fn from(problem: BodyProblem) -> Self {
        Self::bad(problem.problem, problem.hint)
    }
}

impl From<ReadProblem> for ApiError {
    fn from(ReadProblem { problem }: ReadProblem) -> Self {
        tracing::error!(problem, "journal could not be read");
        let hint = "see the daemon's log; `paramedic audit verify` checks the whole journal";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the journal could not be read", hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({"error": self.error, "hint": self.hint});
        if !self.problems.is_empty() {
            body["problems"] = json!(self.problems);
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"paramedic\""));
        }
        response
    }
}

pub(super) async fn not_found(uri: Uri) -> ApiError {
    let path = crate::intake::bounds::quoted(uri.path());
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {path}"),
        "see /api/v1/openapi.json for all paths",
    )
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let path = crate::intake::bounds::quoted(uri.path());
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} does not take {}", crate::intake::bounds::quoted(method.as_str())),
        "see /api/v1/openapi.json for the methods of each path",
    )
}
