//! `POST /api/v1/explain`: what would happen to an alert now, and why. It asks the world, and never records or acts.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;

use super::orders::read;
use super::{ApiError, Shared};
use crate::explain::{self, Explanation, Subject};
use crate::intake;

/// Explanations at once: each copies the state and asks Prometheus and the cluster.
pub const AT_ONCE: usize = 2;

/// Every question has a deadline of its own; together they may take this long.
const WITHIN: Duration = Duration::from_secs(90);

pub(super) async fn explain(
    State(served): State<Shared>,
    body: Bytes,
) -> Result<Json<Explanation>, ApiError> {
    let mut subject: Subject = read(&body)?;
    if let Subject::Alert(alert) = &mut subject {
        let hint = "the webhook refuses such an alert, and nothing would be done for it";
        intake::believed(alert, &served.redactor).map_err(|problem| ApiError::bad(problem, hint))?;
    }
    let busy = || {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many explanations are under way", "come again")
    };
    let _place = served.explanations.try_acquire().map_err(|_| busy())?;
    let state = served.inbox.look(paramedic_policies::state::State::clone).await?;
    let (world, now) = (Arc::clone(&served.world), served.clock.wall());
    let explaining = async move {
        let book = state.current_book();
        Box::pin(explain::of(&state, &book, &subject, &*world, now)).await
    };
    let explained = tokio::time::timeout(WITHIN, explaining).await.map_err(|_| {
        let error = format!("the facts did not come within {} s", WITHIN.as_secs());
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, error, "look at Prometheus and the cluster in /readyz")
    })?;
    explained.map(Json).ok_or_else(|| {
        let hint = "it may have been closed and forgotten; `paramedic audit query` finds its records";
        ApiError::new(StatusCode::NOT_FOUND, "no such episode is known", hint)
    })
}
