//! What an operator does by hand: run a policy, undo an action. Taken here, decided by the engine under the same guards as what an alert
//! starts, and answered when it is on record; what comes of it is told by the records of its episode.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use paramedic_policies::address::AddressRange;
use paramedic_policies::alert::Labels;
use paramedic_policies::engine::undo::{self, Anyway, Rehearsed, Wanted};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::load::built_in;
use paramedic_policies::order::{Command, Past};
use paramedic_policies::target::is_dns_subdomain;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::sequence;
use super::orders::{given, hint, read, read_or_default, text};
use super::tokens::Caller;
use super::{ApiError, Served, Shared};
use crate::driver::Archive;
use crate::intake::{bounds, correlation};
use crate::journal::Filter;

/// Records of one kind about one intent that are read: a revert is tried a few times, and held now and then.
const RECORDS_MAX: usize = 1000;

/// Addresses of one order: as many as an action may keep out.
const ONLY_MAX: usize = 500;

/// The label in which a freeze tells colleagues why; its policy takes one line of at most so many characters.
const REASON: &str = "reason";
const REASON_CHARS_MAX: usize = 200;

type Answer = Result<Json<Value>, ApiError>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Run {
    policy: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    key: Option<String>,
}

pub(super) async fn run(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer {
    let Run { policy, mut labels, reason, dry_run, key } = read(&body)?;
    if !is_dns_subdomain(&policy) {
        return Err(ApiError::bad(
            format!("{} cannot be the name of a policy", bounds::quoted(&policy)),
            "names of policies are DNS subdomains; `paramedic check` lists them",
        ));
    }
    checked(&labels)?;
    served.redactor.labels(&mut labels);
    let key = named(key)?;
    let reason = text(&served, reason);
    if policy == built_in::FREEZE {
        let said = labels.remove(REASON).map(|said| text(&served, said)).filter(|said| !said.is_empty());
        labels.insert(REASON.to_owned(), one_line(said.as_ref().unwrap_or(&reason)));
    }
    let command = Command::Run { policy, labels, reason, dry_run, key: key.clone() };
    let taken = given(&served, caller, command).await?;
    let repeated = taken.first == taken.end;
    let episode = match repeated {
        false => Some(taken.first),
        true => {
            let known = served.inbox.look(move |state| state.requested.get(&key).map(|one| one.episode));
            known.await?
        }
    };
    Ok(Json(json!({"record": taken.first, "end": taken.end, "episode": episode, "repeated": repeated})))
}

/// A reason as colleagues read it who are refused: free text of a person, redacted already, on one line.
fn one_line(reason: &str) -> String {
    if reason.is_empty() {
        return "frozen by hand".to_owned();
    }
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS_MAX) {
        None => line,
        Some(_) => line.chars().take(REASON_CHARS_MAX - 1).chain(['…']).collect(),
    }
}

/// The name of a request: the sender's own, or one made up.
fn named(key: Option<String>) -> Result<String, ApiError> {
    match key {
        Some(key) if correlation::is_harmless(&key) => Ok(key),
        Some(key) => Err(ApiError::bad(
            format!("`key` cannot be {}", bounds::quoted(&key)),
            format!("at most {} letters, digits, `-`, `_`, `.` and `:`", correlation::LENGTH_MAX),
        )),
        None => Ok(correlation::made_up()),
    }
}

/// Labels of a person are bounded as those of an alert.
fn checked(labels: &Labels) -> Result<(), ApiError> {
    let bad =
        |problem: String| Err(ApiError::bad(problem, "give the labels that the policy's templates use"));
    if labels.len() > bounds::LABELS_MAX {
        return bad(format!("{} labels, at most {} may be", labels.len(), bounds::LABELS_MAX));
    }
    for (name, value) in labels {
        let shown = bounds::quoted(name);
        if name.is_empty() || name.len() > bounds::NAME_BYTES_MAX {
            return bad(format!("{shown} cannot be the name of a label"));
        }
        if value.len() > bounds::VALUE_BYTES_MAX {
            return bad(format!(
                "the label {shown} has {} bytes, at most {} may be",
                value.len(),
                bounds::VALUE_BYTES_MAX
            ));
        }
        if !name.chars().chain(value.chars()).all(bounds::is_plain) {
            return bad(format!("the label {shown} has a control character"));
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Undo {
    only: Vec<AddressRange>,
    reason: String,
    dry_run: bool,
}

pub(super) async fn undone(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let intent = sequence(&id)?;
    let Undo { only, reason, dry_run } = read_or_default(&body)?;
    if only.len() > ONLY_MAX {
        let hint = "leave `only` out: then all of it is taken back";
        return Err(ApiError::bad(
            format!("{} addresses in `only`, at most {ONLY_MAX} may be", only.len()),
            hint,
        ));
    }
    let reason = text(&served, reason);
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let past = past(&*archive, intent).await?.map(Box::new);
    if dry_run {
        return rehearsed(&served, caller, intent, only, past).await;
    }
    let taken = given(&served, caller, Command::Undo { intent, only, reason, past }).await?;
    // What stands already may still withdraw what was ordered since.
    let repeated = match taken.first == taken.end {
        true => true,
        false => {
            let first = archive.record(taken.first).await?.map(|record| record.event);
            !matches!(first, Some(Event::RevertOrdered { .. }))
        }
    };
    Ok(Json(json!({"record": taken.first, "end": taken.end, "intent": intent, "repeated": repeated})))
}

/// What an order to undo would come to: decided by the engine as the order is, on the state of now, and not recorded.
async fn rehearsed(
    served: &Served,
    Caller(by): Caller,
    intent: Seq,
    only: Vec<AddressRange>,
    past: Option<Box<Past>>,
) -> Answer {
    let command = Command::Undo { intent, only: only.clone(), reason: String::new(), past: past.clone() };
    // The end of a pause is no record: what holds it is judged by the clock, as the order would be.
    let now = served.clock.wall();
    let decided = served.inbox.look(move |state| {
        let wanted = Wanted { intent, only: &only, reason: "", past: past.as_deref() };
        undo::rehearse(state, &state.current_book(), now, &by, &wanted)
    });
    match decided.await? {
        Ok(Rehearsed { repeated, action, target, anyway, held, cancels }) => {
            let (until, latest, looked_at) = match anyway {
                Anyway::Never => (None, false, None),
                Anyway::Due(at) => (Some(at), false, None),
                Anyway::DueAtTheLatest(at) => (Some(at), true, None),
                Anyway::LookedAt(at) => (None, false, Some(at)),
            };
            Ok(Json(json!({
                "intent": intent, "dryRun": true, "repeated": repeated, "action": action,
                "says": action.to_string(), "target": target, "until": until, "atTheLatest": latest,
                "lookedAt": looked_at, "held": held, "cancels": cancels,
            })))
        }
        Err(why) => Err(ApiError::new(StatusCode::CONFLICT, why, hint(served, &command).await)),
    }
}

/// What the journal tells of an intent: the engine reads no journal.
async fn past(archive: &dyn Archive, id: Seq) -> Result<Option<Past>, ApiError> {
    let Some(Event::Intended { intent }) = archive.record(id).await?.map(|record| record.event) else {
        return Ok(None);
    };
    let mut events = Vec::new();
    for kind in ["intended", "ended", "revertDropped"] {
        let (kind, limit) = (Some(kind.to_owned()), Some(RECORDS_MAX));
        let filter = Filter { intent: Some(id), kind, limit, ..Filter::default() };
        events.extend(archive.query(filter).await?.items.into_iter().map(|record| record.event));
    }
    Ok(Some(Past::of(*intent, events)))
}
