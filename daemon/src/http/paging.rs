//! Pages of lists: what is asked for, and where the next page begins. It must never drop an item without a `next`.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ApiError;

/// Items of a page, unless asked for fewer or more.
const PAGE: usize = 100;

/// Items of a page at most: the driver copies them out while it does nothing else.
const PAGE_MAX: usize = 1000;

/// What a handler was asked, or why that could not be read.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// The parameters; `known` names them for whoever got one wrong.
pub(super) fn asked<T: DeserializeOwned>(query: Asked<T>, known: &str) -> Result<T, ApiError> {
    query.map(|Query(asked)| asked).map_err(|error| {
        // What is wrong follows; who found it out is of no use to the asker.
        let text = error.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        ApiError::bad(text, format!("{known}; see /api/v1/openapi.json"))
    })
}

/// How many items a page gets.
pub(super) fn limit(wanted: Option<usize>) -> Result<usize, ApiError> {
    bounded(wanted, PAGE, PAGE_MAX)
}

/// A limit between one and the most there can be.
pub(super) fn bounded(wanted: Option<usize>, usual: usize, most: usize) -> Result<usize, ApiError> {
    match wanted {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::bad(format!("`limit` is from 1 to {most}"), "follow `next` for more")),
    }
}

/// Cuts a page of one item too many and names where the next begins.
pub(super) fn page(mut found: Vec<(String, Value)>, limit: usize) -> Json<Value> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(key, _)| key.clone());
    let items: Vec<Value> = found.into_iter().map(|(_, item)| item).collect();
    let mut body = json!({"items": items});
    if let Some(next) = next {
        body["next"] = json!(next);
    }
    Json(body)
}
