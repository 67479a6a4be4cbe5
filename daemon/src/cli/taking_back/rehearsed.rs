//! What an undo would come to, said beforehand: the daemon decides as it does of the order. It must never order anything.

use paramedic_policies::event::Seq;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde::Deserialize;
use serde_json::json;

use super::{Became, Item, Wanted, told};
use crate::cli::by_hand::posted;
use crate::cli::console::{Console, Output};
use crate::cli::failure::{Failure, Whose};
use crate::cli::table::plain;
use crate::cli::waiting::Cancelled;
use crate::client::Client;

/// What the daemon says an order would come to: it decides as it does of the order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rehearsed {
    repeated: bool,
    says: String,
    target: Target,
    until: Option<Moment>,
    #[serde(default)]
    at_the_latest: bool,
    #[serde(default)]
    looked_at: Option<Moment>,
    held: Option<String>,
    cancels: Vec<Seq>,
}

impl Rehearsed {
    fn words(&self) -> String {
        let Self { repeated, says, target, until, at_the_latest, looked_at, held, cancels: _ } = self;
        let mut text = format!("{says} on {target}");
        text += &match (until, looked_at) {
            _ if *repeated => ", which is ordered or under way already".to_owned(),
            (Some(until), _) if *at_the_latest => {
                format!(", due at {until} at the latest anyway: it stays while its alert is open")
            }
            (Some(until), _) => format!(", due at {until} anyway"),
            (None, Some(again)) => format!(", due already, and looked at again at {again}"),
            (None, None) => ", which nothing else would take back".to_owned(),
        };
        if let Some(why) = held {
            text += &format!("; held now: {why}");
        }
        text
    }
}

/// Says what would be taken back, and orders nothing. Whether it is still as it was left, only a look before the change
/// tells.
pub(super) async fn rehearse(
    client: &Client,
    wanted: &[Wanted],
    orders: Vec<Cancelled>,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let mut items = Vec::new();
    for Wanted { intent, only } in wanted {
        let path = format!("/api/v1/intents/{intent}/undo");
        let body = json!({"only": only, "dryRun": true});
        let item = match posted::<Rehearsed>(client, &path, &body, console).await {
            Ok(would) => {
                let says = would.words();
                if output == Output::Table {
                    writeln!(console.out, "intent {intent} would be taken back: {}", plain(&says))?;
                }
                for order in would.cancels {
                    if !orders.iter().any(|known| known.order == order) {
                        writeln!(console.err, "order {order}, which waits, would be cancelled with it")?;
                    }
                }
                let result = Became::WouldBeOrdered;
                Item { intent: *intent, record: None, result, why: Some(says), failure: None }
            }
            Err(failure) if failure.whose == Whose::Users => {
                Item::not(*intent, None, Became::Refused, failure)
            }
            Err(failure) => return Err(failure),
        };
        items.push(item);
    }
    // Where nothing can be taken back, the errors say that, and nothing was rehearsed.
    if !orders.is_empty() || items.is_empty() || items.iter().any(|item| item.failure.is_none()) {
        writeln!(
            console.err,
            "NOTHING WAS ORDERED, this was a rehearsal; it is done only where all is as it was left"
        )?;
    }
    told(items, &orders, None, output, console)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nobody takes back is not said to be due, nor is a look the end of it.
    #[test]
    fn a_rehearsal_says_when_it_would_be_due_anyway() {
        const STAYS: &str = "it stays while its alert is open";
        const PAUSED: &str = "paused by ada";
        let (at, none) = ("2026-11-21T09:00:00.000Z", None);
        for (until, latest, again, says) in [
            (Some(at), false, none, format!("due at {at} anyway")),
            (Some(at), true, none, format!("due at {at} at the latest anyway: {STAYS}")),
            (none, false, Some(at), format!("due already, and looked at again at {at}; held now: {PAUSED}")),
            (none, false, none, "which nothing else would take back".to_owned()),
        ] {
            let target = json!({"kind": "Deployment", "namespace": "prod", "name": "web"});
            let mut answer = json!({
                "intent": 7, "dryRun": true, "repeated": false, "says": "scale 4 -> 6", "target": target,
                "until": until, "atTheLatest": latest, "lookedAt": again, "cancels": [],
                "held": again.map(|_| PAUSED),
            });
            let would: Rehearsed = serde_json::from_value(answer.clone()).expect("an answer");
            assert_eq!(would.words(), format!("scale 4 -> 6 on prod/deployment/web, {says}"));
            answer["repeated"] = json!(true);
            let would: Rehearsed = serde_json::from_value(answer).expect("an answer");
            assert!(would.words().contains(", which is ordered or under way already"), "{}", would.words());
        }
    }
}
