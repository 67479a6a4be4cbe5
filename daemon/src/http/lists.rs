//! Lists of what the state holds now: episodes, cases, policies, proposals, pauses. Each comes from one look, so a
//! page never mixes two states.

use axum::Json;
use axum::extract::{Query, State};
use paramedic_policies::event::Seq;
use paramedic_policies::state::{CaseId, Phase};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::list;
use super::{ApiError, Shared};

/// Items of a page, unless asked for fewer or more.
const PAGE: usize = 100;

/// Items of a page at most: the driver copies them out while it does nothing else.
const PAGE_MAX: usize = 1000;

/// What a list takes.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Paging {
    /// The `next` of the page before.
    after: Option<String>,
    limit: Option<usize>,
    /// Only open (or closed) episodes.
    open: Option<bool>,
    /// Only cases of this episode.
    episode: Option<u64>,
    /// Only cases of this policy.
    policy: Option<String>,
}

impl Paging {
    fn limit(&self) -> Result<usize, ApiError> {
        match self.limit {
            None => Ok(PAGE),
            Some(limit @ 1..=PAGE_MAX) => Ok(limit),
            Some(_) => {
                Err(ApiError::bad(format!("`limit` is from 1 to {PAGE_MAX}"), "follow `next` for more"))
            }
        }
    }

    fn after(&self) -> Result<Seq, ApiError> {
        self.after.as_deref().map_or(Ok(Seq(0)), super::api::sequence)
    }
}

type Asked = Result<Query<Paging>, axum::extract::rejection::QueryRejection>;

fn asked(query: Asked) -> Result<Paging, ApiError> {
    let hint = "`after`, `limit`, `open`, `episode` and `policy` are known; see /api/v1/openapi.json";
    query.map(|Query(paging)| paging).map_err(|error| ApiError::bad(error.body_text(), hint))
}

/// Cuts a page of one item too many and names where the next begins.
fn page(mut found: Vec<(String, Value)>, limit: usize) -> Json<Value> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(key, _)| key.clone());
    list(found.into_iter().map(|(_, item)| item).collect(), next)
}

/// Our own types as JSON.
fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("states are plain data, which serde_json always writes")
}

pub(super) async fn episodes(State(served): State<Shared>, query: Asked) -> Result<Json<Value>, ApiError> {
    let paging = asked(query)?;
    let (limit, after) = (paging.limit()?, paging.after()?);
    let found = served
        .inbox
        .look(move |state| {
            let later = state.episodes.range(Seq(after.0.saturating_add(1))..);
            let wanted =
                later.filter(|(_, episode)| paging.open.is_none_or(|open| open == episode.is_open()));
            wanted.take(limit + 1).map(|(id, episode)| (*id, episode.clone())).collect::<Vec<_>>()
        })
        .await?;
    Ok(page(found.iter().map(|(id, episode)| (id.to_string(), value(episode))).collect(), limit))
}

pub(super) async fn cases(State(served): State<Shared>, query: Asked) -> Result<Json<Value>, ApiError> {
    let paging = asked(query)?;
    let limit = paging.limit()?;
    let after = paging.after.as_deref().map(case_id).transpose()?;
    let found = served
        .inbox
        .look(move |state| {
            use std::ops::Bound::{Excluded, Unbounded};
            let later = state.cases.range((after.map_or(Unbounded, Excluded), Unbounded));
            let wanted = later.filter(|(id, _)| {
                paging.episode.is_none_or(|episode| episode == id.episode.0)
                    && paging.policy.as_ref().is_none_or(|policy| *policy == id.policy)
            });
            wanted.take(limit + 1).map(|(id, case)| (id.clone(), case.clone())).collect::<Vec<_>>()
        })
        .await?;
    let key = |id: &CaseId| format!("{}/{}", id.episode, id.policy);
    Ok(page(found.iter().map(|(id, case)| (key(id), value(case))).collect(), limit))
}

fn case_id(text: &str) -> Result<CaseId, ApiError> {
    let parts = text.split_once('/').and_then(|(episode, policy)| Some((episode.parse().ok()?, policy)));
    let (episode, policy) = parts.ok_or_else(|| {
        ApiError::bad("`after` is not the `next` of a list of cases", "it looks like EPISODE/POLICY")
    })?;
    Ok(CaseId { episode: Seq(episode), policy: policy.to_owned() })
}

pub(super) async fn policies(State(served): State<Shared>) -> Result<Json<Value>, ApiError> {
    let (book, efficacy) = served.inbox.look(|state| (state.current_book(), state.efficacy.clone())).await?;
    let cap = book.settings().mode;
    let items = book.policies().values().map(|policy| {
        let mode = policy.mode.min(cap);
        let shown = if mode == policy.mode {
            mode.to_string()
        } else {
            format!("{}, capped to {mode} by --mode", policy.mode)
        };
        json!({
            "name": policy.name,
            "description": policy.description,
            "mode": shown,
            "priority": policy.priority,
            "place": policy.place,
            "rungs": policy.ladder.len(),
            "quarantinedSince": efficacy.get(&policy.name).and_then(|one| one.quarantined_since),
        })
    });
    Ok(list(items.collect(), None))
}

pub(super) async fn proposals(State(served): State<Shared>) -> Result<Json<Value>, ApiError> {
    let items = served
        .inbox
        .look(|state| {
            let waiting = state.proposals.iter().filter_map(|(id, case)| {
                let case = state.cases.get(case)?;
                let Phase::Proposed { action, due, .. } = &case.phase else { return None };
                let alert = state.episodes.get(&case.id.episode).map(|episode| episode.alert().to_owned());
                Some(json!({
                    "id": id, "episode": case.id.episode, "policy": case.id.policy, "alert": alert,
                    "target": case.target, "action": action, "says": action.to_string(), "until": due,
                }))
            });
            waiting.take(PAGE_MAX).collect()
        })
        .await?;
    Ok(list(items, None))
}

pub(super) async fn pauses(State(served): State<Shared>) -> Result<Json<Value>, ApiError> {
    let items = served
        .inbox
        .look(|state| {
            let pauses = state.pauses.iter().map(|(scope, pause)| {
                json!({
                    "scope": scope, "says": scope.to_string(), "by": pause.by, "since": pause.since,
                    "until": pause.until, "reason": pause.reason,
                })
            });
            pauses.take(PAGE_MAX).collect()
        })
        .await?;
    Ok(list(items, None))
}
