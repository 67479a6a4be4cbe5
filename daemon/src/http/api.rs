//! Reading what was recorded and how the daemon stands.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use paramedic_policies::event::{Record, Seq};
use serde_json::{Value, json};

use super::{ApiError, Shared, admin};
use crate::journal::{Filter, Page, Report};

pub(super) async fn status(State(served): State<Shared>) -> Json<Value> {
    Json(admin::detail(&served))
}

pub(super) async fn records(
    State(served): State<Shared>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let filter = self::filter(filter)?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    Ok(Json(archive.query(filter).await?))
}

pub(super) async fn record(
    State(served): State<Shared>,
    Path(seq): Path<String>,
) -> Result<Json<Record>, ApiError> {
    let seq = sequence(&seq)?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let record = archive.record(seq).await?;
    record.map(Json).ok_or_else(|| {
        let hint = "records begin at 1; old ones are dropped by `retention`";
        ApiError::new(StatusCode::NOT_FOUND, format!("there is no record {seq}"), hint)
    })
}

pub(super) async fn verify(State(served): State<Shared>) -> Result<Json<Report>, ApiError> {
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    Ok(Json(archive.verify().await?))
}

/// The conditions of a query.
pub(super) fn filter(asked: Result<Query<Filter>, QueryRejection>) -> Result<Filter, ApiError> {
    asked.map(|Query(filter)| filter).map_err(|error| {
        let hint = "since, until (RFC 3339), after, limit, newest, policy, namespace, target, alert, fingerprint, \
                    episode, intent, verdict, outcome and kind are known; see /api/v1/openapi.json";
        ApiError::bad(error.body_text(), hint)
    })
}

/// A sequence in a path.
pub(super) fn sequence(text: &str) -> Result<Seq, ApiError> {
    text.parse().map(Seq).map_err(|_| {
        let shown = crate::intake::bounds::quoted(text);
        ApiError::bad(format!("{shown} is not a record's sequence"), "it is a number, as in the field `seq`")
    })
}

/// A list answer.
pub(super) fn list(items: Vec<Value>, next: Option<String>) -> Json<Value> {
    let mut body = json!({"items": items});
    if let Some(next) = next {
        body["next"] = json!(next);
    }
    Json(body)
}
