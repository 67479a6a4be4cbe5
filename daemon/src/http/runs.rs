//! What operators ordered by hand that is not over: listed with what it waits for, and cancelled. It must never cancel what is
//! being done: that is taken back, or stopped by a pause.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::guard::Finding;
use paramedic_policies::order::Command;
use paramedic_policies::state::{self, LastRuling, Phase};
use paramedic_policies::time::Moment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::sequence;
use super::lists::{Whole, after};
use super::orders::{given, read_or_default, text};
use super::paging::{Asked, limit, page};
use super::tokens::Caller;
use super::{ApiError, Shared};
use crate::driver::Archive;
use crate::journal::Filter;

type Answer = Result<Json<Value>, ApiError>;

/// The orders that are not over, each with how it stands and what it waits for.
pub(super) async fn runs(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    let Whole { after: from, limit: most } = Whole::asked(query)?;
    let (limit, after) = (limit(most)?, after(from.as_deref())?);
    let found =
        served.inbox.look(move |state| open(state, after).take(limit + 1).collect::<Vec<_>>()).await?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let mut items = Vec::with_capacity(found.len());
    for Open { episode, mut item, ruling } in found {
        if let Some(ruling) = ruling {
            item["waitsFor"] = json!(decided(&archive, &ruling).await?.why);
        }
        items.push((episode.to_string(), item));
    }
    Ok(page(items, limit))
}

/// An order that is not over.
struct Open {
    episode: Seq,
    item: Value,
    /// The decision that says what it waits for.
    ruling: Option<LastRuling>,
}

fn open(state: &state::State, after: Seq) -> impl Iterator<Item = Open> {
    let later = state.episodes.range((Excluded(after), Unbounded));
    later.filter(|(_, episode)| episode.is_open()).filter_map(|(id, episode)| {
        let order = episode.by_hand.as_ref()?;
        let case = state.cases_of(*id).find(|case| case.phase != Phase::Resting)?;
        let (is, intent) = match &case.phase {
            Phase::Waiting { .. } | Phase::Withheld => ("waiting", None),
            Phase::Asking { .. } | Phase::Approved { .. } | Phase::Proposed { .. } => ("asking", None),
            Phase::Acting { intent } => ("acting", Some(*intent)),
            Phase::Verifying { intent, .. } => ("verifying", Some(*intent)),
            Phase::Resting => ("over", None),
        };
        let waits = matches!(case.phase, Phase::Waiting { .. } | Phase::Withheld);
        let item = json!({
            "id": id, "policy": order.policy, "by": order.by, "reason": order.reason, "dryRun": order.dry_run,
            "labels": episode.labels, "target": case.target, "since": episode.opened_at, "is": is,
            "intent": intent, "again": case.phase.due(), "until": episode.expires_at, "waitsFor": [],
        });
        let ruling = case.last_ruling.clone().filter(|_| waits);
        Some(Open { episode: *id, item, ruling })
    })
}

/// When a decision was made, and why it was not to act.
pub(super) struct Decided {
    /// None where the journal has it no more.
    pub(super) at: Option<Moment>,
    /// In words with the numbers of that moment; the reasons' names where the journal has it no more.
    pub(super) why: Vec<String>,
}

/// What is known of a case's last decision.
pub(super) async fn decided(archive: &Arc<dyn Archive>, last: &LastRuling) -> Result<Decided, ApiError> {
    Ok(told(archive.record(last.seq).await?, last))
}

fn told(record: Option<Record>, last: &LastRuling) -> Decided {
    match record {
        Some(Record { at, event: Event::Ruled { ruling }, .. }) => {
            let why = ruling.findings.iter().filter_map(Finding::reason).map(ToString::to_string).collect();
            Decided { at: Some(at), why }
        }
        Some(_) | None => Decided { at: None, why: last.reasons.clone() },
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Cancel {
    reason: String,
}

pub(super) async fn cancel(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let episode = sequence(&id)?;
    let Cancel { reason } = read_or_default(&body)?;
    let reason = text(&served, reason);
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let answer = |record: Seq, end: Seq, by: &str, repeated: bool| {
        let answer =
            json!({"record": record, "end": end, "episode": episode, "by": by, "repeated": repeated});
        Ok(Json(answer))
    };
    // The engine forgets what is over; whoever asks again is told that it was done.
    let (kind, limit) = (Some("cancelled".to_owned()), Some(1));
    let filter = Filter { episode: Some(episode), kind, limit, ..Filter::default() };
    if let Some(record) = archive.query(filter).await?.items.into_iter().next()
        && let Event::Cancelled { by, .. } = &record.event
    {
        return answer(record.seq, record.seq, by, true);
    }
    let by = caller.0.clone();
    let taken = given(&served, caller, Command::Cancel { episode, reason }).await?;
    answer(taken.first, taken.end, &by, false)
}

/// The orders that wait, for somebody who named another.
pub(super) fn named(state: &state::State, episode: Seq) -> String {
    let all: Vec<Open> = open(state, Seq(0)).collect();
    let this = all.iter().find(|one| one.episode == episode);
    if let Some(intent) = this.and_then(|one| one.item["intent"].as_u64()) {
        return format!(
            "what it did: paramedic audit show {intent}; `paramedic undo {intent}` takes it back where that can be"
        );
    }
    let waits = all.iter().filter(|one| one.item["intent"].is_null());
    let names = waits.map(|one| {
        let policy = one.item["policy"].as_str().unwrap_or_default();
        format!("{} ({policy}, by {})", one.episode, one.item["by"].as_str().unwrap_or_default())
    });
    match super::in_force::named(names) {
        None => "no order by hand waits now".to_owned(),
        Some(names) => format!("waiting now: {names}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_decision_that_is_not_kept_any_more_the_names_of_its_reasons_are_told() {
        let reasons = vec!["storm".to_owned()];
        let last = LastRuling { seq: Seq(7), verdict: "withhold".to_owned(), reasons: reasons.clone() };
        let Decided { at, why } = told(None, &last);
        assert_eq!((at, why), (None, reasons));
    }
}
