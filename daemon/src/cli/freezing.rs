//! `freeze` and `thaw`: deploys refused for a while, by hand, and let through again. What is ordered is a policy of
//! paramedic's own; what is lifted is any freeze that paramedic made, by hand or by a policy.

use std::collections::BTreeSet;

use paramedic_policies::action::Action;
use paramedic_policies::load::built_in;
use paramedic_policies::remediation::freeze_deploys;
use paramedic_policies::target::is_dns_label;

use super::console::Console;
use super::failure::Failure;
use super::for_a_while::ForAWhileArgs;
use super::in_force::{self, InForce, Waiting};
use super::taking_back::{BackArgs, Wanted, take_back};
use crate::client::Client;

/// A wider freeze is the work of a person.
const NAMESPACES_MAX: usize = 16;

/// Refuse new pod templates in a few namespaces for a while; `freeze` alone lists the freezes in force.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic freeze --namespace prod --for 2h --reason 'incident 4711'
  paramedic freeze -n prod -n staging --for 30m --reason 'database migration' --dry-run
  paramedic freeze --list

Refused are new pod templates of Deployments, StatefulSets, DaemonSets, CronJobs and Argo Rollouts,
and new ones of these. Scaling, autoscalers, paramedic and members of the group
paramedic:break-glass go on. It ends by itself, whether paramedic lives or not; before, `paramedic
thaw` ends it. The daemon needs rights for it: `paramedic rbac --by-hand` prints them.

Exit codes: 0 it is in force, or was rehearsed as --dry-run asks; 1 it was refused, failed, or was
only rehearsed; 2 our fault.")]
pub struct FreezeArgs {
    /// A namespace; once for each, or with commas, at most 16.
    #[arg(
        long = "namespace",
        short = 'n',
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = namespace,
        conflicts_with = "list"
    )]
    namespaces: Vec<String>,
    #[command(flatten)]
    order: ForAWhileArgs,
}

/// Let deploys through again before their freeze ends.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic thaw --namespace prod --reason 'the fix is out'
  paramedic thaw --all

Lifts every freeze that paramedic made in these namespaces, by hand or by a policy. One that
covers other namespaces too is only lifted as a whole: name them all, or give --all. All are
ordered at once; one that is held keeps no other. `paramedic freeze --list` lists them.

Exit codes: 0 all were lifted; 1 one was refused, is held or failed; 2 our fault.")]
pub struct ThawArgs {
    /// A namespace; once for each, or with commas.
    #[arg(
        long = "namespace",
        short = 'n',
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = namespace,
        required_unless_present = "all"
    )]
    namespaces: Vec<String>,
    /// Every freeze in force.
    #[arg(long, conflicts_with = "namespaces")]
    all: bool,
    #[command(flatten)]
    how: BackArgs,
}

fn namespace(text: &str) -> Result<String, String> {
    match is_dns_label(text) {
        true => Ok(text.to_owned()),
        false => Err("a namespace has lower-case letters, digits and `-`".to_owned()),
    }
}

pub(super) async fn freeze(args: FreezeArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let FreezeArgs { namespaces, order } = args;
    if order.lists(!namespaces.is_empty()) {
        let found = freezes(&order.how.server().client()?).await?;
        let heads = ["INTENT", "NAMESPACES", "UNTIL", "BY", "WHY"];
        return in_force::list(&found, "freeze", heads, order.how.output(), console, |one| {
            let names = frozen(&one.action).unwrap_or_default().join(",");
            vec![[one.id.to_string(), names, one.ends(), one.by(), one.why.clone()]]
        });
    }
    let names: BTreeSet<String> = namespaces.into_iter().collect();
    let Some(first) = names.first().cloned() else {
        return Err(Failure::users("a freeze needs a namespace")
            .hint("-n NAME; `paramedic freeze --list` lists what is in force"));
    };
    if names.len() > NAMESPACES_MAX {
        return Err(Failure::users(format!("{} namespaces, at most {NAMESPACES_MAX} may be", names.len()))
            .hint("freeze them in several orders"));
    }
    let joined = names.into_iter().collect::<Vec<_>>().join(",");
    order.order(built_in::FREEZE, vec![("namespace", first), ("namespaces", joined)], console).await
}

/// The namespaces of a freeze.
fn frozen(action: &Action) -> Option<&[String]> {
    let Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)) = action else { return None };
    Some(&freeze.wish.namespaces)
}

async fn freezes(client: &Client) -> Result<Vec<InForce>, Failure> {
    in_force::all(client, |action| frozen(action).is_some()).await
}

pub(super) async fn thaw(args: ThawArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let ThawArgs { namespaces, all, how } = args;
    let client = how.client()?;
    let named = |one: &Waiting| {
        let all_of_it = one.labels.get("namespaces").is_some_and(|names| {
            names.split(',').map(str::trim).all(|name| namespaces.iter().any(|named| named == name))
        });
        one.policy == built_in::FREEZE && (all || all_of_it)
    };
    // What waits would freeze it again, with nobody watching.
    let waiting = in_force::waiting(&client, named).await?;
    let found = freezes(&client).await?;
    let mut chosen = Vec::new();
    for one in &found {
        let covered = frozen(&one.action).unwrap_or_default();
        let others: Vec<&str> =
            covered.iter().filter(|name| !namespaces.contains(name)).map(String::as_str).collect();
        if all || others.is_empty() {
            chosen.push(Wanted { intent: one.id, only: Vec::new() });
        } else if others.len() < covered.len() {
            return Err(Failure::users(format!(
                "the freeze {} covers {} too, and is only lifted as a whole",
                one.id,
                others.join(", ")
            ))
            .hint(format!("name them too, or `paramedic undo {}`", one.id)));
        }
    }
    let left = in_force::cancel(&client, &waiting, how.reason(), how.dry_run(), console).await?;
    if chosen.is_empty() && !waiting.is_empty() {
        return left.checked();
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
    take_back(&client, &chosen, &how, console).await?;
    left.checked()
}
