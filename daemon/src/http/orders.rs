//! Orders of operators: approve, deny, pause, resume, accept the clock, load policies again. Each is recorded with the
//! name of whoever gave it, and answered when the record is durable.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use paramedic_policies::counted::counted;
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, Order, PauseScope};
use paramedic_policies::target::{Target, is_dns_label, is_dns_subdomain, kind_as_written};
use paramedic_policies::time::{Moment, Span};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::api::sequence;
use super::tokens::Caller;
use super::{ApiError, Served, Shared, doubt, in_force, runs};
use crate::driver::{NewBook, Taken};
use crate::intake::bounds;
use crate::reload::{Loaded, in_one_line};

/// How long a pause may last that ends by itself. Whoever writes more has slipped, or wants one that lasts until
/// somebody ends it: a pause of centuries is one that everybody takes for an ordinary one.
const PAUSE_MAX: Span = Span::from_hours(30 * 24);

/// Bytes of a comment or reason that are kept: a few sentences.
const COMMENT_BYTES_MAX: usize = 1024;

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Comment {
    comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    scope: PauseScope,
    #[serde(default, rename = "for")]
    lasting: Option<Span>,
    #[serde(default)]
    until: Option<Moment>,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    scope: PauseScope,
}

type Answer = Result<Json<Value>, ApiError>;

pub(super) async fn approve(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let proposal = sequence(&id)?;
    let comment = text(&served, read_or_default::<Comment>(&body)?.comment);
    give(&served, caller, Command::Approve { proposal, comment }).await
}

pub(super) async fn deny(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let proposal = sequence(&id)?;
    let comment = text(&served, read_or_default::<Comment>(&body)?.comment);
    give(&served, caller, Command::Deny { proposal, comment }).await
}

pub(super) async fn acknowledge(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let page = sequence(&id)?;
    let comment = text(&served, read_or_default::<Comment>(&body)?.comment);
    give(&served, caller, Command::Acknowledge { page, comment }).await
}

pub(super) async fn pause(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer {
    let Pause { scope, lasting, until, reason } = read(&body)?;
    let scope = checked(scope)?;
    let now = served.clock.wall();
    let until = match (lasting, until) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad("both `for` and `until` are given", "give one of them"));
        }
        (Some(lasting), None) => Some(now + lasting),
        (None, until) => until,
    };
    if until.is_some_and(|until| until <= now) {
        return Err(ApiError::bad(
            "the pause would have ended already",
            "give a later `until` or a longer `for`",
        ));
    }
    if until.is_some_and(|until| until > now + PAUSE_MAX) {
        return Err(ApiError::bad(
            format!("a pause with an end lasts at most {PAUSE_MAX}"),
            "leave the end out (no `for`, no --for): then it lasts until somebody resumes",
        ));
    }
    let reason = text(&served, reason);
    let taken = given(&served, caller, Command::Pause { scope: scope.clone(), until, reason }).await?;
    let mut answer = json!({"record": taken.first, "end": taken.end});
    // The pause is in force; what is to be said besides must not keep it from being answered.
    if let Ok(Some(doubt)) = served.inbox.look(move |state| doubt::of(state, &scope)).await {
        answer["doubt"] = json!(doubt);
    }
    Ok(Json(answer))
}

pub(super) async fn resume(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer {
    let Resume { scope } = read(&body)?;
    let scope = checked(scope)?;
    give(&served, caller, Command::Resume { scope }).await
}

pub(super) async fn accept_clock(
    State(served): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Answer {
    give(&served, caller, Command::AcceptClock).await
}

/// A book that loads is in force, and on record with the name of whoever asked, when this answers.
pub(super) async fn reload(State(served): State<Shared>, Extension(Caller(by)): Extension<Caller>) -> Answer {
    served.inbox.refuse_while_broken()?;
    let loaded = served.reloads.now(&by).await;
    let answered = |outcome: &str, why: Option<String>| {
        tracing::info!(by, order = "reload", outcome, why, "order answered");
    };
    match loaded {
        Ok(Loaded { digest, policies, changed, source, tokens_out, not_in_force }) => {
            let mode = source.settings.mode;
            // The driver is told of it on another way too: whichever comes first adopts it, and this one is answered.
            let book = NewBook { source, by: Some(by.clone()) };
            match served.inbox.take(book.input()).await {
                Ok(_) => answered("taken", None),
                Err(turned) => {
                    answered("unanswered", Some(turned.to_string()));
                    return Err(turned.into());
                }
            }
            Ok(Json(json!({
                "digest": digest,
                "policies": policies,
                "changed": changed,
                "mode": mode,
                "tokensOut": tokens_out,
                "notInForce": not_in_force,
            })))
        }
        Err(problems) => {
            let why = record_refused(&served, &by, &problems).await;
            answered("refused", Some(why));
            let error = format!(
                "the new policies are refused: {}; the old ones stay in force",
                counted(problems.len(), "problem")
            );
            let hint = "run `paramedic check` on the files".to_owned();
            Err(ApiError { status: StatusCode::UNPROCESSABLE_ENTITY, error, hint, problems })
        }
    }
}

/// Who asks for a reload by a signal has no name.
const SIGNAL: &str = "SIGHUP";

/// Reads the policies again as SIGHUP asks; nobody is answered, so that a refusal stands in the journal and the log.
pub async fn reload_by_signal(served: &Shared) {
    if let Err(problems) = served.reloads.now(SIGNAL).await {
        record_refused(served, SIGNAL, &problems).await;
    }
}

/// Records that a reload was refused; gives why, in short: the log and `/readyz` have all of it. It is refused, whether or
/// not that can be recorded.
async fn record_refused(served: &Shared, by: &str, problems: &[String]) -> String {
    let why = match problems {
        [first, more @ ..] if !more.is_empty() => format!("{first}; and {} more", more.len()),
        [first, ..] => first.clone(),
        [] => String::new(),
    };
    let why = text(served, format!("a reload: {}", in_one_line(&why)));
    let refused = Input::ReloadRefused { by: by.to_owned(), why: why.clone() };
    if let Err(turned) = served.inbox.take(refused).await {
        tracing::warn!(why = %turned, "a refused reload could not be recorded");
    }
    why
}

async fn give(served: &Shared, caller: Caller, command: Command) -> Answer {
    let taken = given(served, caller, command).await?;
    Ok(Json(json!({"record": taken.first, "end": taken.end})))
}

/// Gives an order; an answer only where it was not refused.
pub(super) async fn given(served: &Shared, Caller(by): Caller, command: Command) -> Result<Taken, ApiError> {
    let (order, on) = named(&command);
    let taken = served.inbox.take(Input::Order(Order { by: by.clone(), command: command.clone() })).await;
    // One sentence for each order, once its outcome is known; the record has the rest.
    let (outcome, record, why) = match &taken {
        Ok(taken) => match &taken.refusal {
            None => ("taken", Some(taken.first.0), None),
            Some(why) => ("refused", Some(taken.first.0), Some(why.clone())),
        },
        // It may have been taken all the same, where the answer was late.
        Err(turned) => ("unanswered", None, Some(turned.to_string())),
    };
    tracing::info!(by, order, on, outcome, record, why, "order answered");
    let taken = taken?;
    match &taken.refusal {
        None => Ok(taken),
        Some(why) => Err(ApiError::new(StatusCode::CONFLICT, why.clone(), hint(served, &command).await)),
    }
}

/// An order as the log has it: its word, and what it is about.
fn named(command: &Command) -> (&'static str, String) {
    match command {
        Command::Approve { proposal, .. } => ("approve", format!("proposal {proposal}")),
        Command::Deny { proposal, .. } => ("deny", format!("proposal {proposal}")),
        Command::Acknowledge { page, .. } => ("acknowledge", format!("call {page}")),
        Command::Pause { scope, .. } => ("pause", scope.to_string()),
        Command::Resume { scope } => ("resume", scope.to_string()),
        Command::AcceptClock => ("acceptClock", "the clock".to_owned()),
        Command::Cancel { episode, .. } => ("cancel", format!("order {episode}")),
        Command::Undo { intent, .. } => ("undo", format!("intent {intent}")),
        Command::Run { policy, dry_run: false, .. } => ("run", format!("policy {policy}")),
        Command::Run { policy, dry_run: true, .. } => ("run", format!("policy {policy}, as a rehearsal")),
    }
}

/// What could have been meant by an order that was refused.
pub(super) async fn hint(served: &Served, command: &Command) -> String {
    let known = match command {
        Command::Approve { .. } | Command::Deny { .. } => {
            served.inbox.look(in_force::proposals_named).await.ok()
        }
        Command::Acknowledge { .. } => served.inbox.look(in_force::pages_named).await.ok(),
        Command::Resume { .. } => served.inbox.look(in_force::pauses_named).await.ok(),
        Command::Pause { .. } => Some("`paramedic check` lists the policies".to_owned()),
        Command::Cancel { episode, .. } => {
            let episode = *episode;
            served.inbox.look(move |state| runs::named(state, episode)).await.ok()
        }
        // Of what was done its own story says more than what else is in force.
        Command::Undo { intent, past: Some(_), .. } => {
            Some(format!("what became of it: paramedic audit show {intent} --all"))
        }
        Command::Undo { past: None, .. } => served.inbox.look(in_force::leases_named).await.ok(),
        Command::Run { policy, key, .. } => {
            let (policy, key) = (policy.clone(), key.clone());
            served.inbox.look(move |state| in_force::runs_named(state, &policy, &key)).await.ok()
        }
        Command::AcceptClock => {
            Some("there is nothing to accept; `paramedic status` says what keeps it from acting".to_owned())
        }
    };
    known.unwrap_or_else(|| "see `paramedic status`".to_owned())
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad(format!("the body is not what this takes: {error}"), "see /api/v1/openapi.json")
    })
}

pub(super) fn read_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() { Ok(T::default()) } else { read(body) }
}

/// What an operator wrote, as it may be kept.
pub(super) fn text(served: &Shared, text: String) -> String {
    let kept = bounds::cut(text.trim(), COMMENT_BYTES_MAX);
    let plain: String = kept.chars().map(|c| if bounds::is_plain(c) { c } else { '\u{fffd}' }).collect();
    served.redactor.text(&plain).into_owned()
}

/// A pause of something that cannot exist would be a comfort that does nothing.
fn checked(scope: PauseScope) -> Result<PauseScope, ApiError> {
    let wrong = |what: &str, name: &str| {
        let hint = "namespaces are DNS labels, names of policies and objects DNS subdomains";
        Err(ApiError::bad(format!("{} cannot be the name of a {what}", bounds::quoted(name)), hint))
    };
    match scope {
        PauseScope::Namespace(name) if !is_dns_label(&name) => wrong("namespace", &name),
        PauseScope::Policy(name) if !is_dns_subdomain(&name) => wrong("policy", &name),
        PauseScope::Target(target) if !is_dns_subdomain(&target.name) => wrong("target", &target.name),
        PauseScope::Target(target) if !is_dns_label(&target.namespace) => {
            wrong("namespace", &target.namespace)
        }
        PauseScope::Target(target) => match kind_as_written(&target.kind) {
            Some(kind) => Ok(PauseScope::Target(Target { kind: kind.to_owned(), ..target })),
            None => Err(ApiError::bad(
                format!("{} cannot be the kind of a target", bounds::quoted(&target.kind)),
                "write it as in a policy, such as Deployment or Rollout.argoproj.io",
            )),
        },
        PauseScope::Everything | PauseScope::Namespace(_) | PauseScope::Policy(_) => Ok(scope),
    }
}
