//! What policies do not do for alerts that are open: the cases that wait or are withheld, each with its reasons. Orders by
//! hand have a list of their own.

use std::ops::Bound::{Excluded, Unbounded};

use axum::Json;
use axum::extract::State;
use paramedic_policies::event::Seq;
use paramedic_policies::state::{self, CaseId, Phase};
use serde_json::{Value, json};

use super::lists::{Whole, case_id};
use super::paging::{Asked, limit, page};
use super::runs::reasons;
use super::{ApiError, Shared};

/// A case that is held.
struct Held {
    id: CaseId,
    item: Value,
    /// The decision that says why.
    ruling: Seq,
}

pub(super) async fn held(State(served): State<Shared>, query: Asked<Whole>) -> Result<Json<Value>, ApiError> {
    let Whole { after, limit: most } = Whole::asked(query)?;
    let limit = limit(most)?;
    let after = after.as_deref().map(case_id).transpose()?;
    let found =
        served.inbox.look(move |state| open(state, after).take(limit + 1).collect::<Vec<_>>()).await?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let mut items = Vec::with_capacity(found.len());
    for Held { id, mut item, ruling } in found {
        item["waitsFor"] = json!(reasons(&archive, ruling).await?);
        items.push((format!("{}/{}", id.episode, id.policy), item));
    }
    Ok(page(items, limit))
}

fn open(state: &state::State, after: Option<CaseId>) -> impl Iterator<Item = Held> {
    let later = state.cases.range((after.map_or(Unbounded, Excluded), Unbounded));
    later.filter_map(|(id, case)| {
        let episode = state.episodes.get(&id.episode).filter(|episode| episode.by_hand.is_none())?;
        let is = match case.phase {
            Phase::Waiting { .. } => "waiting",
            Phase::Withheld => "withheld",
            Phase::Asking { .. }
            | Phase::Proposed { .. }
            | Phase::Approved { .. }
            | Phase::Acting { .. }
            | Phase::Verifying { .. }
            | Phase::Resting => return None,
        };
        // What has not been decided yet, or was decided otherwise, is held by nothing.
        let last = case.last_ruling.as_ref().filter(|last| !last.reasons.is_empty())?;
        let item = json!({
            "episode": id.episode, "policy": id.policy, "alert": episode.alert(), "target": case.target, "is": is,
            "again": case.phase.due(), "ruling": last.seq, "waitsFor": [],
        });
        Some(Held { id: id.clone(), item, ruling: last.seq })
    })
}
