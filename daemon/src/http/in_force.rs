//! Lists of what is in force now: proposals that wait for a person, actions under way, actions that will be taken back,
//! pauses. What `paramedic status` shows, and what the answer to a refused order names.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use axum::Json;
use axum::extract::State;
use paramedic_policies::action::Intent;
use paramedic_policies::engine::undo::{self, Anyway};
use paramedic_policies::event::Seq;
use paramedic_policies::order::PauseScope;
use paramedic_policies::state::{self, Case, Phase};
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::lists::{Whole, after};
use super::paging::{Asked, limit, page};
use super::{ApiError, Shared};

/// Names in a hint: a page of a terminal is not to be filled by one.
const NAMED_MAX: usize = 10;

type Answer = Result<Json<Value>, ApiError>;

/// A page of items that are kept by a sequence.
async fn by_sequence(
    served: &Shared,
    query: Asked<Whole>,
    items: impl FnOnce(&state::State, Seq, usize) -> Vec<(Seq, Value)> + Send + 'static,
) -> Answer {
    let Whole { after: from, limit: most } = Whole::asked(query)?;
    let (limit, after) = (limit(most)?, after(from.as_deref())?);
    let found = served.inbox.look(move |state| items(state, after, limit + 1)).await?;
    Ok(page(found.into_iter().map(|(id, item)| (id.to_string(), item)).collect(), limit))
}

/// Proposals that can still be approved or denied, each with what it would do and when it lapses.
fn open(state: &state::State, after: Seq) -> impl Iterator<Item = (Seq, &Case, String, Moment)> {
    state.proposals.range((Excluded(after), Unbounded)).filter_map(|(id, case)| {
        let case = state.cases.get(case)?;
        let Phase::Proposed { action, due, .. } = &case.phase else { return None };
        Some((*id, case, action.to_string(), *due))
    })
}

pub(super) async fn proposals(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    by_sequence(&served, query, |state, after, most| {
        let items = open(state, after).map(|(id, case, says, due)| {
            let Phase::Proposed { action, .. } = &case.phase else { return (id, Value::Null) };
            let alert = state.episodes.get(&case.id.episode).map(|episode| episode.alert().to_owned());
            let item = json!({
                "id": id, "episode": case.id.episode, "policy": case.id.policy, "alert": alert,
                "target": case.target, "action": action, "says": says, "until": due,
            });
            (id, item)
        });
        items.take(most).collect()
    })
    .await
}

/// What is the same of an intent wherever it is listed.
fn intent(intent: &Intent) -> Value {
    json!({
        "id": intent.id, "episode": intent.episode, "policy": intent.policy, "target": intent.target,
        "action": intent.action, "says": intent.action.to_string(), "mode": intent.mode, "since": intent.at,
        "takesBack": intent.reverts, "approvedBy": intent.approved_by,
    })
}

pub(super) async fn intents(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    by_sequence(&served, query, |state, after, most| {
        let under_way = state.in_flight.range((Excluded(after), Unbounded)).map(|(id, flying)| {
            let mut item = intent(&flying.intent);
            item["is"] = json!(if flying.in_doubt { "inDoubt" } else { "acting" });
            item["until"] = json!(flying.intent.deadline);
            (*id, item)
        });
        let checked = state.cases.values().filter_map(|case| {
            let Phase::Verifying { intent, since, held_since, last, .. } = &case.phase else { return None };
            let item = json!({
                "id": intent, "episode": case.id.episode, "policy": case.id.policy, "target": case.target,
                "is": "verifying", "since": since, "heldSince": held_since, "lastLook": last,
            });
            Some((*intent, item)).filter(|(id, _)| *id > after)
        });
        let all: BTreeMap<Seq, Value> = under_way.chain(checked).collect();
        all.into_iter().take(most).collect()
    })
    .await
}

pub(super) async fn leases(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    let now = served.clock.wall();
    by_sequence(&served, query, move |state, after, most| {
        let items = state.leases.range((Excluded(after), Unbounded)).map(|(id, lease)| {
            let mut item = intent(&lease.intent);
            let (until, latest) = match undo::anyway(state, now, lease) {
                Anyway::DueAtTheLatest(at) => (at, true),
                Anyway::Due(at) | Anyway::LookedAt(at) => (at, false),
                Anyway::Never => (lease.due, false),
            };
            item["until"] = json!(until);
            // It stays while its alert is open.
            item["atTheLatest"] = json!(latest);
            item["orderedBy"] = json!(lease.ordered.as_ref().map(|order| &order.by));
            item["held"] = json!(lease.held);
            if let Some(why) = lease.held_for.as_ref().filter(|_| lease.held) {
                item["why"] = json!(why);
            }
            item["attempts"] = json!(lease.attempts);
            // Its time is over, and what it holds is not known to be taken back.
            item["late"] = json!(lease.is_late());
            (*id, item)
        });
        items.take(most).collect()
    })
    .await
}

pub(super) async fn pauses(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    let Whole { after, limit: most } = Whole::asked(query)?;
    let limit = limit(most)?;
    let found = served
        .inbox
        .look(move |state| {
            // By the words that a person reads; the scope itself tells apart what reads the same.
            let all: BTreeMap<(String, &PauseScope), &state::Pause> =
                state.pauses.iter().map(|(scope, pause)| ((scope.to_string(), scope), pause)).collect();
            let later =
                all.into_iter().filter(|((says, _), _)| after.as_ref().is_none_or(|after| says > after));
            let items = later.map(|((says, scope), pause)| {
                let item = json!({
                    "scope": scope, "says": says, "by": pause.by, "since": pause.since, "until": pause.until,
                    "reason": pause.reason,
                });
                (says, item)
            });
            items.take(limit + 1).collect::<Vec<_>>()
        })
        .await?;
    Ok(page(found, limit))
}

/// The open proposals, for somebody who named one that is not.
pub(super) fn proposals_named(state: &state::State) -> String {
    let open = open(state, Seq(0)).map(|(id, case, says, _)| {
        let target = case.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
        format!("{id} ({says}{target}, by {})", case.id.policy)
    });
    match named(open) {
        None => "no proposal is open now".to_owned(),
        Some(names) => format!("open now: {names}"),
    }
}

/// Calls for people that are not over.
pub(super) async fn pages(State(served): State<Shared>, query: Asked<Whole>) -> Answer {
    by_sequence(&served, query, |state, after, most| {
        let items = state.paging.pages.range((Excluded(after), Unbounded)).map(|(id, page)| {
            let told: Vec<&String> =
                page.calls.iter().filter(|(_, call)| call.reached.is_some()).map(|(name, _)| name).collect();
            let item = json!({
                "id": id, "subject": page.subject, "episode": page.case.as_ref().map(|case| case.episode),
                "policy": page.case.as_ref().map(|case| &case.policy), "severity": page.severity,
                "title": page.title, "since": page.since, "acknowledgedBy": page.acknowledged, "told": told,
                "calls": page.calls,
            });
            (*id, item)
        });
        items.take(most).collect()
    })
    .await
}

/// The calls that nobody has, for somebody who named another.
pub(super) fn pages_named(state: &state::State) -> String {
    let open = state.paging.pages.values().filter(|page| page.acknowledged.is_none());
    match named(open.map(|page| format!("{} ({})", page.id, page.title))) {
        None => "no call waits for anybody now".to_owned(),
        Some(names) => format!("waiting now: {names}"),
    }
}

/// What will be taken back, for somebody who named an intent that cannot be.
pub(super) fn leases_named(state: &state::State) -> String {
    let leases = state
        .leases
        .values()
        .map(|lease| format!("{} ({} on {})", lease.intent.id, lease.intent.action, lease.intent.target));
    match named(leases) {
        None => {
            "nothing is waiting to be taken back; `paramedic audit query --kind intended` lists what was done"
                .to_owned()
        }
        Some(names) => format!("in force now: {names}"),
    }
}

/// What could have been run, for somebody whose order was not taken.
pub(super) fn runs_named(state: &state::State, policy: &str, key: &str) -> String {
    if state.requested.contains_key(key) {
        return "a key names one request: give another, or none and one is made up".to_owned();
    }
    match state.current_book().policy(policy) {
        Some(policy) => {
            let labels: Vec<String> = policy.labels_in_templates().into_iter().collect();
            format!("{} takes the labels {}; give each as NAME=VALUE", policy.name, labels.join(", "))
        }
        None => "`paramedic check` lists the policies with the labels that they take".to_owned(),
    }
}

/// What can be resumed, for somebody who named something else.
pub(super) fn pauses_named(state: &state::State) -> String {
    let paused = state.pauses.iter().map(|(scope, pause)| format!("{scope} (by {})", pause.by));
    let quarantined = state
        .efficacy
        .iter()
        .filter(|(_, one)| one.quarantined_since.is_some())
        .map(|(name, _)| format!("policy {name} (quarantine)"));
    match named(paused.chain(quarantined)) {
        None => "nothing is paused now, and no policy is in quarantine".to_owned(),
        Some(names) => format!("paused now: {names}"),
    }
}

/// A few of them as one sentence's part.
pub(super) fn named(all: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<String> = all.collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    if more > 0 {
        names.push(format!("{more} more, see `paramedic status`"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
