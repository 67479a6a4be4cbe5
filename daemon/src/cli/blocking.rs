//! `block` and `unblock`: clients kept out by their addresses, by hand, and let in again. What is ordered is a policy of
//! paramedic's own; what is lifted are the entries of that address alone, whoever made them.

use paramedic_policies::action::Action;
use paramedic_policies::address::AddressRange;
use paramedic_policies::load::built_in;
use paramedic_policies::remediation::block_ip::{self, INGRESS};
use paramedic_policies::target::Target;

use super::console::Console;
use super::failure::Failure;
use super::for_a_while::ForAWhileArgs;
use super::in_force::{self, InForce};
use super::orders::target;
use super::table::plain;
use super::taking_back::{BackArgs, Wanted, take_back};
use super::waiting::{self, Waiting};
use crate::client::Client;

/// Keep a client out by its address for a while; `block` alone lists the blocks in force.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic block 203.0.113.7 --ingress shop/web --for 1h --reason 'password guessing'
  paramedic block 203.0.113.7 --target shop/Deployment/web --for 30m --dry-run
  paramedic block --list

With --target a NetworkPolicy closes the pods to the address; that is for clients that the pods see
themselves. Behind a proxy pods see the proxy: use --ingress, which tells ingress-nginx. Private
addresses, the cluster's own and its balancers' are never blocked. It ends after --for; before,
`paramedic unblock` ends it. The daemon needs rights for it: `paramedic rbac --by-hand` prints them.

Exit codes: 0 it is in force, or was rehearsed as --dry-run asks; 1 it was refused, failed, or was
only rehearsed; 2 our fault.")]
pub struct BlockArgs {
    /// An address; of IPv6 its network of 64 bits is kept out.
    #[arg(value_name = "ADDRESS", conflicts_with = "list")]
    address: Option<AddressRange>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    order: ForAWhileArgs,
}

/// Let a client in again before its block ends.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic unblock 203.0.113.7
  paramedic unblock 203.0.113.7 --ingress shop/web --reason 'that was our own monitoring'

Takes back this address alone, wherever paramedic keeps it out, by hand or by a policy; of a range
all that is kept out within it. Orders to block it that still wait are cancelled, each as a whole.
All are ordered at once; one that is held keeps no other.
`paramedic block --list` lists what is blocked.

Exit codes: 0 it is let in everywhere; 1 one was refused, is held or failed; 2 our fault.")]
pub struct UnblockArgs {
    /// The address or range, as `paramedic block --list` shows it.
    #[arg(value_name = "ADDRESS")]
    address: AddressRange,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    how: BackArgs,
}

/// Where a client is kept out.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
struct PlaceArgs {
    /// The workload whose pods are closed to it.
    #[arg(long, alias = "app", value_name = "NAMESPACE/KIND/NAME", value_parser = target)]
    target: Option<Target>,
    /// The Ingress whose proxy keeps it out.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = ingress)]
    ingress: Option<Target>,
}

fn ingress(text: &str) -> Result<Target, String> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(Target {
            kind: INGRESS.to_owned(),
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
        }),
        _ => Err("write NAMESPACE/NAME, such as shop/web".to_owned()),
    }
}

pub(super) async fn block(args: BlockArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let BlockArgs { address, place, order } = args;
    let on = place.target.or(place.ingress);
    if order.lists(address.is_some() || on.is_some()) {
        let found = blocks(&order.how.server().client()?).await?;
        let heads = ["ADDRESS", "TARGET", "UNTIL", "BY", "WHY", "INTENT"];
        return in_force::list(&found, "block", heads, order.how.output(), console, |one| {
            let entry = |entry: &block_ip::Entry| {
                let until = if one.late { one.ends() } else { (one.since + entry.lasts).to_string() };
                let (why, id) = (one.why.clone(), one.id.to_string());
                [entry.range.to_string(), one.target.to_string(), until, one.by(), why, id]
            };
            entries(&one.action).iter().map(entry).collect()
        });
    }
    let Some(address) = address else {
        return Err(Failure::users("a block needs an address")
            .hint("such as 203.0.113.7; `paramedic block --list` lists what is in force"));
    };
    let Some(on) = on else {
        return Err(Failure::users("a block needs a place").hint(
            "--ingress NAMESPACE/NAME where a proxy stands in front, else --target NAMESPACE/KIND/NAME",
        ));
    };
    let Some((_, policy)) = built_in::BLOCKS.iter().find(|(kind, _)| *kind == on.kind) else {
        let kinds: Vec<&str> = built_in::BLOCKS.iter().map(|(kind, _)| *kind).collect();
        return Err(Failure::users(format!("a {} cannot be closed to an address", on.kind))
            .hint(format!("one of {}", kinds.join(", "))));
    };
    let labels = vec![("namespace", on.namespace), ("name", on.name), ("address", address.to_string())];
    order.order(policy, labels, console).await
}

/// What an action keeps out.
fn entries(action: &Action) -> &[block_ip::Entry] {
    match action {
        Action::BlockIp(block_ip::Action::Block(block)) => &block.ranges,
        _ => &[],
    }
}

/// Where an order by hand would keep clients out, and whom.
fn would_block(order: &Waiting) -> Option<(Target, AddressRange)> {
    let (kind, _) = built_in::BLOCKS.iter().find(|(_, policy)| *policy == order.policy)?;
    let label = |name: &str| order.labels.get(name).cloned();
    let target = Target { kind: (*kind).to_owned(), namespace: label("namespace")?, name: label("name")? };
    Some((target, label("address")?.parse().ok()?))
}

/// Whether a client is kept out only because a wider range is.
fn is_part(address: AddressRange, range: AddressRange) -> bool {
    range != address && range.contains(address)
}

async fn blocks(client: &Client) -> Result<Vec<InForce>, Failure> {
    in_force::all(client, |action| !entries(action).is_empty()).await
}

pub(super) async fn unblock(args: UnblockArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let UnblockArgs { address, place, how } = args;
    let client = how.client()?;
    let only = place.target.or(place.ingress);
    // What waits would keep it out again, with nobody watching.
    let waiting = waiting::all(&client, |one| {
        would_block(one).is_some_and(|(on, range)| {
            only.as_ref().is_none_or(|only| *only == on) && range.overlaps(address)
        })
    });
    let waiting = waiting.await?;
    for one in &waiting {
        if let Some((_, range)) = would_block(one).filter(|(_, range)| is_part(address, *range)) {
            let (id, by) = (one.id, plain(&one.by));
            writeln!(
                console.err,
                "{address} would be kept out as part of {range}, by order {id} of {by}, which is cancelled as a whole"
            )?;
        }
    }
    let found = blocks(&client).await?;
    let here: Vec<&InForce> =
        found.iter().filter(|one| only.as_ref().is_none_or(|only| *only == one.target)).collect();
    let mut chosen = Vec::new();
    for one in &here {
        // Of IPv6 a whole network is kept out for one address; of a range, addresses within it may be.
        let these: Vec<AddressRange> = entries(&one.action)
            .iter()
            .map(|entry| entry.range)
            .filter(|range| range.overlaps(address))
            .collect();
        for range in these.iter().filter(|range| is_part(address, **range)) {
            writeln!(console.err, "{address} is kept out as part of {range}, which is let in")?;
        }
        if !these.is_empty() {
            chosen.push(Wanted { intent: one.id, only: these });
        }
    }
    if chosen.is_empty() && waiting.is_empty() {
        let shown: Vec<String> =
            here.iter().flat_map(|one| entries(&one.action)).map(|entry| entry.range.to_string()).collect();
        let hint = match shown.as_slice() {
            [] => "no block of paramedic's is in force there".to_owned(),
            ranges => format!("kept out now: {}", ranges.join(", ")),
        };
        return Err(Failure::users(format!("paramedic keeps nobody of {address} out")).hint(hint));
    }
    let cancelled = waiting::cancel(&client, &waiting, how.reason(), how.dry_run(), console).await?;
    take_back(&client, &chosen, cancelled, &how, console).await
}
