//! `approve`, `deny`, `ack`, `pause`, `resume`, `cancel`: orders to a running daemon. Each is recorded with the name of the token that
//! gave it before it takes effect.

use paramedic_policies::event::Seq;
use paramedic_policies::order::PauseScope;
use paramedic_policies::target::{Target, kind_as_written};
use paramedic_policies::time::Span;
use serde_json::{Value, json};

use super::approving;
use super::console::Console;
use super::failure::Failure;
use super::records::ServerArgs;
use super::table::plain;

/// Approve a proposal: it is decided again with fresh facts, and what is done is the proposed action, or nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic status
  paramedic audit show 1041
  paramedic approve 1041 --comment 'seen with Ada, go'

Nothing is done where it would be another action by now: `scale 2 -> 4` instead of `scale 3 -> 5`,
a restart of a workload that somebody has changed, a breaker that is open on other endpoints. Nor is
it where a guard holds it, such as a pause: the approval is spent then, and it is proposed anew.

Exit codes: 0 it began; 1 it was refused, or did not begin within half a minute; 2 our fault.")]
pub struct ApproveArgs {
    /// The proposal: sequence of the ruling that proposed.
    #[arg(value_name = "ID")]
    id: u64,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    /// Only give the order; do not wait for what comes of it.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Deny a proposal: nothing is done, and the policy is over for this episode.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic deny 1041 --comment 'the database is the cause, not the pods'")]
pub struct DenyArgs {
    /// The proposal: sequence of the ruling that proposed.
    #[arg(value_name = "ID")]
    id: u64,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Acknowledge a call for a person: whoever was told is told that you have it, and nobody else is called.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic ack 1187 --comment 'looking at the database'

The number stands in the message, and in `paramedic audit query --kind escalated`.")]
pub struct AckArgs {
    /// The call: sequence of the escalation.
    #[arg(value_name = "ID")]
    id: u64,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Act on nothing for a while: everywhere, or in one namespace, on one target, by one policy.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic pause --for 2h --reason 'database migration'
  paramedic pause --namespace shop --for 30m --reason 'load test'
  paramedic pause --target shop/Deployment/cart --reason 'debugging by hand'

Without a scope, everything is paused. Without --for, until `paramedic resume` with the same scope.
Alerts are still taken, decided and recorded; what was already begun is still watched.")]
pub struct PauseArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// For how long, at most 30d.
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<Span>,
    /// Why; shown with every decision that it holds back.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// End a pause, a policy's quarantine, or the stop after the wall clock stepped.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic resume
  paramedic resume --namespace shop
  paramedic resume --policy conductor-high-error-rate
  paramedic resume --clock

Ends the pause of exactly this scope: `resume` alone ends the pause of everything, not that of a
namespace. `paramedic status` lists what is paused.")]
pub struct ResumeArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Accept the wall clock after it stepped: it is right now. Ends no pause.
    #[arg(long, conflicts_with_all = ["namespace", "target", "policy"])]
    clock: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Cancel what was ordered by hand and is not done yet: `run`, `freeze`, `block`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic status
  paramedic cancel 1060 --reason 'the fix is out'

ORDER is the number that `paramedic status` lists under what waits, and that the order itself said.
What is being done, or was done, is not cancelled: `paramedic undo INTENT` takes it back. Of a
sequence that has begun, what is left is not done, and a person is told what was.

Exit codes: 0 it is cancelled, now or before; 1 it acts, is over, or is no order; 2 our fault.")]
pub struct CancelArgs {
    /// The order: its episode.
    #[arg(value_name = "ORDER")]
    id: u64,
    /// For the record.
    #[arg(long, alias = "comment", value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// What is paused.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
struct ScopeArgs {
    /// Targets in this namespace.
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// This target, such as `shop/Deployment/cart`.
    #[arg(long, value_name = "NAMESPACE/KIND/NAME", value_parser = target)]
    target: Option<Target>,
    /// This policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

impl ScopeArgs {
    fn scope(self) -> PauseScope {
        match (self.namespace, self.target, self.policy) {
            (Some(namespace), ..) => PauseScope::Namespace(namespace),
            (_, Some(target), _) => PauseScope::Target(target),
            (.., Some(policy)) => PauseScope::Policy(policy),
            (None, None, None) => PauseScope::Everything,
        }
    }
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let [namespace, kind, name] = parts.as_slice() else {
        return Err("write NAMESPACE/KIND/NAME, such as shop/Deployment/cart".to_owned());
    };
    let Some(kind) = kind_as_written(kind) else {
        return Err(format!(
            "`{kind}` is no known kind; write it as in a policy, such as Rollout.argoproj.io"
        ));
    };
    Ok(Target { kind: kind.to_owned(), namespace: (*namespace).to_owned(), name: (*name).to_owned() })
}

pub(super) async fn approve(args: ApproveArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let ApproveArgs { id, comment, no_wait, server } = args;
    let client = server.client()?;
    // Opened first: what is recorded between the two is in the first query.
    let stream = if no_wait { None } else { Some(client.stream().await?) };
    let answer: Value =
        client.post(&format!("/api/v1/proposals/{id}/approve"), &json!({"comment": comment})).await?;
    let record = answer.get("record").and_then(Value::as_u64).unwrap_or(id);
    writeln!(console.out, "record {record}")?;
    match stream {
        Some(stream) => approving::followed(&client, stream, Seq(id), Seq(record), console).await,
        None => Ok(writeln!(
            console.err,
            "approved: it is decided again with fresh facts, and then done or not\nwhat comes of it: paramedic audit show {id}"
        )?),
    }
}

pub(super) async fn deny(args: DenyArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let DenyArgs { id, comment, server } = args;
    give(&server, &format!("/api/v1/proposals/{id}/deny"), &json!({"comment": comment}), console).await?;
    writeln!(console.err, "denied; nothing is done")?;
    Ok(())
}

pub(super) async fn ack(args: AckArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let AckArgs { id, comment, server } = args;
    give(&server, &format!("/api/v1/pages/{id}/acknowledge"), &json!({"comment": comment}), console).await?;
    writeln!(console.err, "acknowledged; nobody else is called about it")?;
    Ok(())
}

pub(super) async fn pause(args: PauseArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let PauseArgs { scope, lasting, reason, server } = args;
    let scope = scope.scope();
    let mut body = json!({"scope": scope, "reason": reason});
    if let Some(lasting) = lasting {
        body["for"] = json!(lasting);
    }
    let answer = give(&server, "/api/v1/pauses", &body, console).await?;
    let lasting = lasting.map_or("until it is resumed".to_owned(), |lasting| format!("for {lasting}"));
    writeln!(console.err, "{scope} is paused {lasting}")?;
    if let Some(doubt) = answer.get("doubt").and_then(Value::as_str) {
        writeln!(console.err, "warning: {}", plain(doubt))?;
    }
    Ok(())
}

pub(super) async fn resume(args: ResumeArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    if args.clock {
        give(&args.server, "/api/v1/clock/accept", &json!({}), console).await?;
        writeln!(console.err, "the clock is accepted; whether anything else holds: paramedic status")?;
        return Ok(());
    }
    let scope = args.scope.scope();
    give(&args.server, "/api/v1/resume", &json!({"scope": scope}), console).await?;
    writeln!(console.err, "the pause of {scope} is over")?;
    Ok(())
}

pub(super) async fn cancel(args: CancelArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let CancelArgs { id, reason, server } = args;
    let path = format!("/api/v1/runs/{id}/cancel");
    let answer = give(&server, &path, &json!({"reason": reason}), console).await?;
    let by = answer.get("by").and_then(Value::as_str).unwrap_or("somebody");
    match answer.get("repeated").and_then(Value::as_bool) {
        Some(true) => writeln!(console.err, "order {id} was cancelled before, by {}", plain(by))?,
        Some(false) | None => {
            writeln!(console.err, "cancelled; what was not done of order {id} stays undone")?
        }
    }
    Ok(())
}

/// Gives an order; prints the sequence of its record, and gives the answer.
async fn give(
    server: &ServerArgs,
    path: &str,
    body: &Value,
    console: &mut Console<'_>,
) -> Result<Value, Failure> {
    let answer: Value = server.client()?.post(path, body).await?;
    if let Some(record) = answer.get("record").and_then(Value::as_u64) {
        writeln!(console.out, "record {record}")?;
    }
    Ok(answer)
}
