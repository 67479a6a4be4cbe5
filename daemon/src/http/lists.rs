//! Lists of what the state knows: episodes, cases, policies. Each page comes from one look, so it never mixes two
//! states.

use std::ops::Bound::{Excluded, Unbounded};

use axum::Json;
use axum::extract::State;
use paramedic_policies::event::Seq;
use paramedic_policies::state::CaseId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::paging::{Asked, asked, limit, page};
use super::{ApiError, Shared};

/// What the list of episodes takes.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Episodes {
    after: Option<String>,
    limit: Option<usize>,
    /// Only open (or closed) ones.
    open: Option<bool>,
}

/// What the list of cases takes.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cases {
    after: Option<String>,
    limit: Option<usize>,
    /// Only of this episode.
    episode: Option<u64>,
    /// Only of this policy.
    policy: Option<String>,
}

/// What a list takes that is not narrowed.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Whole {
    /// The `next` of the page before.
    pub(super) after: Option<String>,
    pub(super) limit: Option<usize>,
}

impl Whole {
    /// The parameters of such a list.
    pub(super) fn asked(query: Asked<Self>) -> Result<Self, ApiError> {
        asked(query, "`after` and `limit` are known")
    }
}

/// Our own types as JSON.
pub(super) fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("states are plain data, which serde_json always writes")
}

/// The sequence after which a page begins.
pub(super) fn after(text: Option<&str>) -> Result<Seq, ApiError> {
    text.map_or(Ok(Seq(0)), super::api::sequence)
}

pub(super) async fn episodes(
    State(served): State<Shared>,
    query: Asked<Episodes>,
) -> Result<Json<Value>, ApiError> {
    let Episodes { after: from, limit: most, open } =
        asked(query, "`after`, `limit` and `open` (true or false) are known")?;
    let (limit, after) = (limit(most)?, after(from.as_deref())?);
    let found = served
        .inbox
        .look(move |state| {
            let later = state.episodes.range((Excluded(after), Unbounded));
            let wanted = later.filter(|(_, episode)| open.is_none_or(|open| open == episode.is_open()));
            wanted.take(limit + 1).map(|(id, episode)| (*id, episode.clone())).collect::<Vec<_>>()
        })
        .await?;
    Ok(page(found.iter().map(|(id, episode)| (id.to_string(), value(episode))).collect(), limit))
}

pub(super) async fn cases(
    State(served): State<Shared>,
    query: Asked<Cases>,
) -> Result<Json<Value>, ApiError> {
    let Cases { after, limit: most, episode, policy } =
        asked(query, "`after`, `limit`, `episode` and `policy` are known")?;
    let limit = limit(most)?;
    let after = after.as_deref().map(case_id).transpose()?;
    let found = served
        .inbox
        .look(move |state| {
            let later = state.cases.range((after.map_or(Unbounded, Excluded), Unbounded));
            let wanted = later.filter(|(id, _)| {
                episode.is_none_or(|episode| episode == id.episode.0)
                    && policy.as_ref().is_none_or(|policy| *policy == id.policy)
            });
            wanted.take(limit + 1).map(|(id, case)| (id.clone(), case.clone())).collect::<Vec<_>>()
        })
        .await?;
    let key = |id: &CaseId| format!("{}/{}", id.episode, id.policy);
    Ok(page(found.iter().map(|(id, case)| (key(id), value(case))).collect(), limit))
}

/// The case after which a page begins.
pub(super) fn case_id(text: &str) -> Result<CaseId, ApiError> {
    let parts = text.split_once('/').and_then(|(episode, policy)| Some((episode.parse().ok()?, policy)));
    let (episode, policy) = parts.ok_or_else(|| {
        ApiError::bad("`after` is not the `next` of a list of cases", "it looks like EPISODE/POLICY")
    })?;
    Ok(CaseId { episode: Seq(episode), policy: policy.to_owned() })
}

pub(super) async fn policies(
    State(served): State<Shared>,
    query: Asked<Whole>,
) -> Result<Json<Value>, ApiError> {
    let Whole { after, limit: most } = Whole::asked(query)?;
    let limit = limit(most)?;
    let (book, efficacy) = served.inbox.look(|state| (state.current_book(), state.efficacy.clone())).await?;
    let cap = book.settings().mode;
    let later = book.policies().range((after.map_or(Unbounded, Excluded), Unbounded));
    let items = later.take(limit + 1).map(|(name, policy)| {
        let mode = policy.mode.min(cap);
        let shown = if mode == policy.mode {
            mode.to_string()
        } else {
            format!("{}, capped to {mode} by --mode", policy.mode)
        };
        let item = json!({
            "name": policy.name,
            "description": policy.description,
            "mode": shown,
            "priority": policy.priority,
            "onlyByHand": policy.is_only_by_hand(),
            "labels": policy.labels_in_templates(),
            "place": policy.place,
            "rungs": policy.ladder.len(),
            "quarantinedSince": efficacy.get(&policy.name).and_then(|one| one.quarantined_since),
        });
        (name.clone(), item)
    });
    Ok(page(items.collect(), limit))
}
