//! `POST /webhook/alertmanager`. 200 only when every record that follows is durable; 503 when overloaded or broken,
//! because Alertmanager repeats nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use paramedic_policies::event::{Seq, Unreadable};
use paramedic_policies::input::{Delivery, Input};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use super::tokens::Caller;
use super::{ApiError, Shared};
use crate::intake::{self, BodyProblem, Sent, correlation};

/// A storm must fit: beyond this the answer is 413, which is not repeated, and the storm is lost but for a record of it.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Memory for all bodies under way, in KiB: eight of the largest.
pub const BODY_MEMORY_KIB: usize = 8 * BODY_BYTES_MAX / 1024;

/// A body that takes longer is not Alertmanager's.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// What is set aside at once for a body that announces at least as much.
const LIKELY_BYTES_MAX: usize = 256 * 1024;

/// Beyond this a body is parsed beside the threads that serve everybody.
const BLOCKING_FROM_BYTES: usize = 256 * 1024;

/// The answer to a webhook that was taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    /// How many alerts could be read.
    alerts: usize,
    /// What could not.
    #[serde(skip_serializing_if = "<[Unreadable]>::is_empty")]
    unreadable: &'a [Unreadable],
    /// First record.
    first: Seq,
    /// The sequence after the last.
    end: Seq,
    correlation: &'a str,
}

pub(super) async fn alertmanager(
    State(served): State<Shared>,
    Extension(Caller(sender)): Extension<Caller>,
    request: Request,
) -> Response {
    let correlation = correlation::of(request.headers());
    let span = tracing::info_span!("webhook", correlation, sender);
    let answered = take(&served, sender, &correlation, request).instrument(span).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    if let Ok(value) = HeaderValue::from_str(&correlation) {
        response.headers_mut().insert(HeaderName::from_static("x-correlation-id"), value);
    }
    response
}

async fn take(
    served: &Shared,
    sender: String,
    correlation: &str,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let (bytes, memory) = match read_body(served, &parts.headers, body).await {
        Ok(read) => read,
        Err(error) => {
            note_unread(served, sender, correlation, &error).await;
            return Err(error);
        }
    };
    let (delivery, problem, memory) = parse(served, sender, correlation, bytes, memory).await;
    let (alerts, unreadable) = (delivery.alerts.len(), delivery.unreadable.clone());
    // Parsed alerts that wait for the journal are memory too, whether or not their sender still waits.
    let taken =
        served.inbox.take_holding(Input::Alerts(delivery), Some(memory)).await.inspect_err(|turned| {
            tracing::warn!(why = %turned, "webhook turned away");
        })?;
    if let Some(problem) = problem {
        tracing::warn!(problem = problem.problem, record = %taken.first, "webhook could not be read");
        return Err(problem.into());
    }
    if !unreadable.is_empty() {
        tracing::warn!(unreadable = Unreadable::alerts(&unreadable), record = %taken.first, "some alerts could not be read");
    }
    tracing::debug!(alerts, first = %taken.first, end = %taken.end, "webhook taken");
    let answer = Answer { alerts, unreadable: &unreadable, first: taken.first, end: taken.end, correlation };
    Ok((StatusCode::OK, Json(answer)).into_response())
}

/// A body that was not taken is told to our log; one that nobody repeats, to the journal too.
async fn note_unread(served: &Shared, sender: String, correlation: &str, error: &ApiError) {
    let (status, why) = (error.status.as_u16(), error.error.as_str());
    if error.status != StatusCode::PAYLOAD_TOO_LARGE {
        tracing::warn!(status, why, "webhook turned away");
        return;
    }
    let delivery = intake::unread(sender, correlation, why);
    match served.inbox.take_holding(Input::Alerts(delivery), None).await {
        Ok(taken) => {
            tracing::warn!(status, why, record = %taken.first, "webhook turned away; its alerts are lost");
        }
        Err(turned) => {
            tracing::warn!(status, why, unrecorded = %turned, "webhook turned away; its alerts are lost");
        }
    }
}

async fn parse(
    served: &Shared,
    sender: String,
    correlation: &str,
    body: Bytes,
    memory: OwnedSemaphorePermit,
) -> (Delivery, Option<BodyProblem>, OwnedSemaphorePermit) {
    let at = served.clock.wall();
    if body.len() < BLOCKING_FROM_BYTES {
        let sent = Sent { sender: &sender, correlation, at, body: &body };
        let (delivery, problem) = intake::read(&sent, &served.redactor);
        return (delivery, problem, memory);
    }
    let (beside, correlation) = (Arc::clone(served), correlation.to_owned());
    // It goes on when the sender has gone, and so does its memory.
    tokio::task::spawn_blocking(move || {
        let sent = Sent { sender: &sender, correlation: &correlation, at, body: &body };
        let (delivery, problem) = intake::read(&sent, &beside.redactor);
        (delivery, problem, memory)
    })
    .await
    .expect("reading a payload does not panic, and blocking tasks are not cancelled")
}

/// The body, and its part of the memory for all bodies.
async fn read_body(
    served: &Shared,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let mut memory = Memory::of(&served.body_memory);
    match tokio::time::timeout(BODY_WITHIN, collect(body, announced, &mut memory)).await {
        Ok(read) => Ok((read?, memory.taken)),
        // Not 408: Alertmanager repeats only 5xx.
        Err(_) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the body did not come within {} s", BODY_WITHIN.as_secs()),
            "look for a slow or broken proxy in between",
        )),
    }
}

/// A body's part of the memory for all. It grows with what has come: whoever only announces much takes nothing away.
struct Memory {
    all: Arc<Semaphore>,
    taken: OwnedSemaphorePermit,
}

impl Memory {
    fn of(all: &Arc<Semaphore>) -> Self {
        let taken = Arc::clone(all).try_acquire_many_owned(0).expect("nothing is always there");
        Self { all: Arc::clone(all), taken }
    }

    fn hold(&mut self, bytes: usize) -> Result<(), ApiError> {
        let more = bytes.div_ceil(1024).saturating_sub(self.taken.num_permits());
        let more = u32::try_from(more).expect("a body is bounded");
        let more = Arc::clone(&self.all).try_acquire_many_owned(more).map_err(|_| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large bodies are under way",
                "come again",
            )
        })?;
        self.taken.merge(more);
        Ok(())
    }
}

async fn collect(body: Body, announced: Option<usize>, memory: &mut Memory) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut come = 0;
    let mut next = async || match chunks.next().await {
        None => Ok(None),
        Some(Ok(chunk)) => {
            come += chunk.len();
            if come > BODY_BYTES_MAX {
                return Err(too_large());
            }
            memory.hold(come)?;
            Ok(Some(chunk))
        }
        Some(Err(error)) => Err(ApiError::bad(format!("the body broke off: {error}"), "send it again")),
    };
    let Some(first) = next().await? else { return Ok(Bytes::new()) };
    let Some(second) = next().await? else { return Ok(first) };
    let likely = announced.unwrap_or_default().min(LIKELY_BYTES_MAX);
    let mut whole = Vec::with_capacity(likely.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut chunk = Some(second);
    while let Some(more) = chunk {
        whole.extend_from_slice(&more);
        chunk = next().await?;
    }
    Ok(whole.into())
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {BODY_BYTES_MAX} bytes"),
        "set `max_alerts` in Alertmanager's webhook_config, or group by more labels",
    )
}
