//! `freeze` and `thaw`: deploys refused for a while, by hand, and let through again. What is ordered is a policy of
//! paramedic's own; what is lifted is any freeze that paramedic made, by hand or by a policy.

use std::collections::BTreeSet;

use paramedic_policies::action::Action;
use paramedic_policies::event::Seq;
use paramedic_policies::load::built_in;
use paramedic_policies::remediation::freeze_deploys;
use paramedic_policies::time::Span;
use serde_json::json;

use super::by_hand::{HowArgs, Wanted, start, take_back};
use super::console::{Console, Output};
use super::failure::Failure;
use super::in_force::{self, InForce};
use super::records::ServerArgs;
use super::table::Table;
use crate::client::Client;

/// Refuse new pod templates in a few namespaces for a while; without a namespace, list the freezes in force.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic freeze --namespace prod --for 2h --reason 'incident 4711'
  paramedic freeze -n prod -n staging --for 30m --reason 'database migration' --dry-run
  paramedic freeze

Refused are new pod templates of Deployments, StatefulSets and DaemonSets. Scaling, autoscalers,
paramedic and members of the group paramedic:break-glass go on. It ends by itself, whether
paramedic lives or not; before, `paramedic thaw` ends it.")]
pub struct FreezeArgs {
    /// A namespace; once for each, at most 16. Without any, the freezes in force are listed.
    #[arg(long = "namespace", short = 'n', value_name = "NAME", conflicts_with = "list")]
    namespaces: Vec<String>,
    /// For how long, from 1m to 7d.
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<Span>,
    /// Why; colleagues who are refused read it.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Change nothing: show what would be done, and what every guard says.
    #[arg(long)]
    dry_run: bool,
    /// List the freezes in force.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    how: HowArgs,
}

/// Let deploys through again before their freeze ends.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic thaw --namespace prod --reason 'the fix is out'
  paramedic thaw --all

Lifts every freeze that paramedic made in these namespaces, by hand or by a policy. One that
covers other namespaces too is only lifted as a whole: name them all, or give --all.
`paramedic freeze` lists them.")]
pub struct ThawArgs {
    /// A namespace; once for each.
    #[arg(long = "namespace", short = 'n', value_name = "NAME", required_unless_present = "all")]
    namespaces: Vec<String>,
    /// Every freeze in force.
    #[arg(long, conflicts_with = "namespaces")]
    all: bool,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Only give the order; do not wait for what comes of it.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn freeze(args: FreezeArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let FreezeArgs { namespaces, lasting, reason, dry_run, list: _, how } = args;
    let names: BTreeSet<String> = namespaces.into_iter().collect();
    let Some(first) = names.first().cloned() else {
        return list(&how.server().client()?, how.output(), console).await;
    };
    let Some(lasting) = lasting else {
        return Err(Failure::users("a freeze needs an end").hint("say for how long, such as --for 2h"));
    };
    let joined = names.into_iter().collect::<Vec<_>>().join(",");
    let told = if reason.is_empty() { "frozen by hand".to_owned() } else { reason.clone() };
    let labels =
        [("namespace", first), ("namespaces", joined), ("for", lasting.to_string()), ("reason", told)];
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    start(Wanted { policy: built_in::FREEZE.to_owned(), labels, reason, dry_run }, how, console).await
}

/// The namespaces of a freeze.
fn frozen(action: &Action) -> Option<&[String]> {
    let Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)) = action else { return None };
    Some(&freeze.wish.namespaces)
}

async fn freezes(client: &Client) -> Result<Vec<InForce>, Failure> {
    in_force::all(client, |action| frozen(action).is_some()).await
}

async fn list(client: &Client, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    let found = freezes(client).await?;
    if output != Output::Table {
        return console.data(output, &found);
    }
    if found.is_empty() {
        writeln!(console.err, "no freeze of paramedic's is in force")?;
        return Ok(());
    }
    let mut table = Table::new(["INTENT", "NAMESPACES", "UNTIL", "BY", "WHY"]);
    for one in &found {
        let names = frozen(&one.action).unwrap_or_default().join(",");
        table.row([one.id.to_string(), names, one.ends(), one.by(), one.why.clone()]);
    }
    write!(console.out, "{table}")?;
    Ok(())
}

pub(super) async fn thaw(args: ThawArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let ThawArgs { namespaces, all, reason, no_wait, server } = args;
    let client = server.client()?;
    let found = freezes(&client).await?;
    let mut chosen: Vec<Seq> = Vec::new();
    for one in &found {
        let covered = frozen(&one.action).unwrap_or_default();
        let others: Vec<&str> =
            covered.iter().filter(|name| !namespaces.contains(name)).map(String::as_str).collect();
        if all || others.is_empty() {
            chosen.push(one.id);
        } else if others.len() < covered.len() {
            return Err(Failure::users(format!(
                "the freeze {} covers {} too, and is only lifted as a whole",
                one.id,
                others.join(", ")
            ))
            .hint(format!("name them too, or `paramedic undo {}`", one.id)));
        }
    }
    if chosen.is_empty() {
        let shown: Vec<String> =
            found.iter().map(|one| frozen(&one.action).unwrap_or_default().join(",")).collect();
        let hint = match shown.as_slice() {
            [] => "no freeze of paramedic's is in force".to_owned(),
            names => format!("frozen now: {}", names.join("; ")),
        };
        return Err(Failure::users("nothing of that is frozen by paramedic").hint(hint));
    }
    for intent in chosen {
        take_back(&client, intent, &json!({"reason": reason}), no_wait, console).await?;
    }
    Ok(())
}
