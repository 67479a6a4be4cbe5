//! `block` and `unblock`: clients kept out by their addresses, by hand, and let in again. What is ordered is a policy of
//! paramedic's own; what is lifted are the entries of that address alone, whoever made them.

use paramedic_policies::action::Action;
use paramedic_policies::address::AddressRange;
use paramedic_policies::load::built_in;
use paramedic_policies::remediation::block_ip::{self, INGRESS};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use serde_json::json;

use super::by_hand::{HowArgs, Wanted, start, take_back};
use super::console::{Console, Output};
use super::failure::Failure;
use super::in_force::{self, InForce};
use super::orders::target;
use super::records::ServerArgs;
use super::table::Table;
use crate::client::Client;

/// Keep a client out by its address for a while; without an address, list the blocks in force.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic block 203.0.113.7 --ingress shop/web --for 1h --reason 'password guessing'
  paramedic block 203.0.113.7 --app shop/Deployment/web --for 30m --dry-run
  paramedic block

With --app a NetworkPolicy closes the pods to the address; that is for clients that the pods see
themselves. Behind a proxy pods see the proxy: use --ingress, which tells ingress-nginx. Private
addresses, the cluster's own and its balancers' are never blocked. It ends after --for; before,
`paramedic unblock` ends it.")]
pub struct BlockArgs {
    /// An address; of IPv6 its network of 64 bits is kept out. Without one, the blocks in force are listed.
    #[arg(value_name = "ADDRESS", conflicts_with = "list")]
    address: Option<AddressRange>,
    /// The application whose pods are closed to it.
    #[arg(long, value_name = "NAMESPACE/KIND/NAME", value_parser = target, conflicts_with = "ingress")]
    app: Option<Target>,
    /// The Ingress whose proxy keeps it out.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = ingress)]
    ingress: Option<Target>,
    /// For how long, from 1m to 7d.
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<Span>,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Change nothing: show what would be done, and what every guard says.
    #[arg(long)]
    dry_run: bool,
    /// List the blocks in force.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    how: HowArgs,
}

/// Let a client in again before its block ends.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic unblock 203.0.113.7
  paramedic unblock 203.0.113.7 --ingress shop/web --reason 'that was our own monitoring'

Takes back this address alone, wherever paramedic keeps it out, by hand or by a policy.
`paramedic block` lists what is blocked.")]
pub struct UnblockArgs {
    /// The address or range, as `paramedic block` lists it.
    #[arg(value_name = "ADDRESS")]
    address: AddressRange,
    /// Only of this application.
    #[arg(long, value_name = "NAMESPACE/KIND/NAME", value_parser = target, conflicts_with = "ingress")]
    app: Option<Target>,
    /// Only of this Ingress.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = ingress)]
    ingress: Option<Target>,
    /// For the record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Only give the order; do not wait for what comes of it.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    server: ServerArgs,
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
    let BlockArgs { address, app, ingress, lasting, reason, dry_run, list: _, how } = args;
    let Some(address) = address else {
        return list(&how.server().client()?, how.output(), console).await;
    };
    let Some(on) = app.or(ingress) else {
        return Err(Failure::users("a block needs a place")
            .hint("--ingress NAMESPACE/NAME where a proxy stands in front, else --app NAMESPACE/KIND/NAME"));
    };
    let Some(lasting) = lasting else {
        return Err(Failure::users("a block needs an end").hint("say for how long, such as --for 1h"));
    };
    let Some((_, policy)) = built_in::BLOCKS.iter().find(|(kind, _)| *kind == on.kind) else {
        let kinds: Vec<&str> = built_in::BLOCKS.iter().map(|(kind, _)| *kind).collect();
        return Err(Failure::users(format!("a {} cannot be closed to an address", on.kind))
            .hint(format!("one of {}", kinds.join(", "))));
    };
    let labels = [
        ("namespace", on.namespace),
        ("name", on.name),
        ("address", address.to_string()),
        ("for", lasting.to_string()),
    ];
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    start(Wanted { policy: (*policy).to_owned(), labels, reason, dry_run }, how, console).await
}

/// The ranges that an action keeps out.
fn kept_out(action: &Action) -> Vec<AddressRange> {
    let Action::BlockIp(block @ block_ip::Action::Block(_)) = action else { return Vec::new() };
    block.ranges().collect()
}

async fn blocks(client: &Client) -> Result<Vec<InForce>, Failure> {
    in_force::all(client, |action| !kept_out(action).is_empty()).await
}

async fn list(client: &Client, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    let found = blocks(client).await?;
    if output != Output::Table {
        return console.data(output, &found);
    }
    if found.is_empty() {
        writeln!(console.err, "no block of paramedic's is in force")?;
        return Ok(());
    }
    let mut table = Table::new(["ADDRESS", "TARGET", "UNTIL", "BY", "WHY", "INTENT"]);
    for one in &found {
        let Action::BlockIp(block_ip::Action::Block(block)) = &one.action else { continue };
        for entry in &block.ranges {
            let until = if one.late { one.ends() } else { (one.since + entry.lasts).to_string() };
            table.row([
                entry.range.to_string(),
                one.target.to_string(),
                until,
                one.by(),
                one.why.clone(),
                one.id.to_string(),
            ]);
        }
    }
    write!(console.out, "{table}")?;
    Ok(())
}

pub(super) async fn unblock(args: UnblockArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let UnblockArgs { address, app, ingress, reason, no_wait, server } = args;
    let client = server.client()?;
    let found = blocks(&client).await?;
    let only = app.or(ingress);
    let here = found.iter().filter(|one| only.as_ref().is_none_or(|only| *only == one.target));
    let mut lifted = 0;
    for one in here.clone() {
        let ranges = kept_out(&one.action);
        // Of IPv6 a whole network is kept out for one address.
        let these: Vec<&AddressRange> = ranges.iter().filter(|range| range.contains(address)).collect();
        if these.is_empty() {
            continue;
        }
        for range in these.iter().filter(|range| ***range != address) {
            writeln!(console.err, "{address} is kept out as part of {range}, which is let in")?;
        }
        let body = json!({"reason": reason, "only": these});
        take_back(&client, one.id, &body, no_wait, console).await?;
        lifted += 1;
    }
    if lifted > 0 {
        return Ok(());
    }
    let shown: Vec<String> =
        here.flat_map(|one| kept_out(&one.action)).map(|range| range.to_string()).collect();
    let hint = match shown.as_slice() {
        [] => "no block of paramedic's is in force there".to_owned(),
        ranges => format!("kept out now: {}", ranges.join(", ")),
    };
    Err(Failure::users(format!("paramedic keeps nobody of {address} out")).hint(hint))
}
