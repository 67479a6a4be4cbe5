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
use super::in_force::{self, InForce};
use super::table::plain;
use super::taking_back::{BackArgs, Wanted, take_back};
use super::waiting::{self, Waiting};
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

Lifts every freeze that paramedic made in these namespaces, by hand or by a policy, and cancels the
orders to freeze them that still wait. One that covers other namespaces too is only lifted, or
cancelled, as a whole: name them all, or give --all. All are ordered at once; one that is held keeps
no other. `paramedic freeze --list` lists them.

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
            vec![[one.id.to_string(), names, until(one), one.by(), one.why.clone()]]
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

/// Until when it refuses deploys: by its intent, as the cluster knows it; what is left of it is taken away a little later.
fn until(one: &InForce) -> String {
    match &one.action {
        Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)) if !one.late => {
            (one.since + freeze.wish.lasts).to_string()
        }
        _ => one.ends(),
    }
}

/// The namespaces that an order by hand would freeze.
fn would_freeze(order: &Waiting) -> Option<Vec<String>> {
    let names = order.labels.get("namespaces").filter(|_| order.policy == built_in::FREEZE)?;
    Some(names.split(',').map(|name| name.trim().to_owned()).collect())
}

async fn freezes(client: &Client) -> Result<Vec<InForce>, Failure> {
    in_force::all(client, |action| frozen(action).is_some()).await
}

pub(super) async fn thaw(args: ThawArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let ThawArgs { namespaces, all, how } = args;
    let client = how.client()?;
    // What of it is not named, and whether any of it is.
    let others = |covered: &[String]| -> Option<Vec<String>> {
        let others: Vec<String> =
            covered.iter().filter(|name| !all && !namespaces.contains(name)).cloned().collect();
        (all || others.len() < covered.len()).then_some(others)
    };
    let as_a_whole = |is: &str, others: &[String], ends: &str| {
        Failure::users(format!("{is} {} too, and is only {ends} as a whole", others.join(", ")))
    };
    // What waits would freeze it again, with nobody watching.
    let waiting =
        waiting::all(&client, |one| would_freeze(one).is_some_and(|names| others(&names).is_some()));
    let waiting = waiting.await?;
    for one in &waiting {
        let others = would_freeze(one).and_then(|names| others(&names)).unwrap_or_default();
        if !others.is_empty() {
            let Waiting { id, by, .. } = one;
            let is = format!("the order {id} of {}, which waits, covers", plain(by));
            return Err(as_a_whole(&is, &others, "cancelled")
                .hint(format!("name them too, or `paramedic cancel {id}`")));
        }
    }
    let found = freezes(&client).await?;
    let mut chosen = Vec::new();
    for one in &found {
        match others(frozen(&one.action).unwrap_or_default()) {
            None => {}
            Some(others) if others.is_empty() => chosen.push(Wanted { intent: one.id, only: Vec::new() }),
            Some(others) => {
                let is = format!("the freeze {} covers", one.id);
                return Err(as_a_whole(&is, &others, "lifted")
                    .hint(format!("name them too, or `paramedic undo {}`", one.id)));
            }
        }
    }
    if chosen.is_empty() && waiting.is_empty() {
        let shown: Vec<String> =
            found.iter().map(|one| frozen(&one.action).unwrap_or_default().join(",")).collect();
        let hint = match shown.as_slice() {
            [] => "no freeze of paramedic's is in force".to_owned(),
            names => format!("frozen now: {}", names.join("; ")),
        };
        return Err(Failure::users("nothing of that is frozen by paramedic").hint(hint));
    }
    let cancelled = waiting::cancel(&client, &waiting, how.reason(), how.dry_run(), console).await?;
    take_back(&client, &chosen, cancelled, &how, console).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cluster opens by the intent's time, not by the time at which the intent had ended.
    #[test]
    fn a_freeze_is_listed_until_the_time_that_the_cluster_has() {
        let freeze = serde_json::json!({"freezeDeploys": {"freeze": {
            "namespaces": ["shop"], "for": "2h", "breakGlass": "sre", "exempt": "paramedic"
        }}});
        let mut one: InForce = serde_json::from_value(serde_json::json!({
            "id": 7, "episode": 3, "policy": "p", "mode": "enforce", "action": freeze,
            "target": {"kind": "namespace", "namespace": "", "name": "shop"},
            "since": "2026-11-21T09:00:00Z", "until": "2026-11-21T11:00:01.200Z",
        }))
        .expect("as the daemon lists it");
        assert_eq!(until(&one), "2026-11-21T11:00:00.000Z");
        one.late = true;
        assert_eq!(until(&one), "not taken back yet");
    }
}
