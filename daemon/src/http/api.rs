//! Reading what was recorded and how the daemon stands.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use paramedic_policies::event::{Record, Seq};
use serde_json::{Value, json};

use super::paging::{asked, bounded};
use super::words::{KINDS, OUTCOMES, VERDICTS};
use super::{ApiError, Shared, admin};
use crate::journal::{Filter, LIMIT_DEFAULT, LIMIT_MAX, Page, Report};

/// How long `/api/v1/status` waits for what only the driver knows. It answers without it where the disk hangs.
const STATUS_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn status(State(served): State<Shared>) -> Json<Value> {
    let mut detail = admin::detail(&served);
    let mode = served.inbox.look(|state| state.current_book().settings().mode);
    let mode = tokio::time::timeout(STATUS_WITHIN, mode).await;
    detail["mode"] = json!(mode.ok().and_then(Result::ok));
    Json(detail)
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
pub(super) fn filter(query: Result<Query<Filter>, QueryRejection>) -> Result<Filter, ApiError> {
    let known = "since, until (RFC 3339), after, limit, newest, policy, namespace, target, alert, fingerprint, \
                 episode, intent, verdict, outcome and kind are known";
    let filter = asked(query, known)?;
    bounded(filter.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    // A word that no record has would find nothing, and look like an answer.
    for (name, given, known) in [
        ("verdict", &filter.verdict, &VERDICTS[..]),
        ("outcome", &filter.outcome, &OUTCOMES[..]),
        ("kind", &filter.kind, &KINDS[..]),
    ] {
        if let Some(given) = given.as_ref().filter(|given| !known.contains(&given.as_str())) {
            let shown = crate::intake::bounds::quoted(given);
            return Err(ApiError::bad(
                format!("no record has the {name} {shown}"),
                format!("one of {}", known.join(", ")),
            ));
        }
    }
    Ok(filter)
}

/// A sequence in a path.
pub(super) fn sequence(text: &str) -> Result<Seq, ApiError> {
    text.parse().map(Seq).map_err(|_| {
        let shown = crate::intake::bounds::quoted(text);
        ApiError::bad(format!("{shown} is not a record's sequence"), "it is a number, as in the field `seq`")
    })
}
