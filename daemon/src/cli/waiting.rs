//! Orders by hand that would do again what is to be taken back: found, and cancelled with it. It must never leave one out of
//! what is said: whoever thaws goes away believing that nothing is frozen later.

use std::collections::BTreeMap;

use paramedic_policies::event::Seq;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::console::Console;
use super::failure::Failure;
use super::table::plain;
use crate::client::Client;

/// An order by hand of which nothing is done yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    pub(super) id: Seq,
    pub(super) policy: String,
    pub(super) by: String,
    pub(super) labels: BTreeMap<String, String>,
    intent: Option<Seq>,
    /// A rehearsal does nothing again.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Waiting>,
    #[serde(default)]
    next: Option<String>,
}

/// The orders that wait and that `wanted` takes: what they would do is not in force yet, and will be.
pub(super) async fn all(client: &Client, wanted: impl Fn(&Waiting) -> bool) -> Result<Vec<Waiting>, Failure> {
    let waits = |one: &Waiting| one.intent.is_none() && !one.dry_run;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = match &after {
            Some(after) => json!({"limit": 1000, "after": after}),
            None => json!({"limit": 1000}),
        };
        let Page { items, next } = client.get("/api/v1/runs", &query).await?;
        found.extend(items.into_iter().filter(|one| waits(one) && wanted(one)));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// What became of one of them; the data that programs get.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancelled {
    pub(super) order: Seq,
    by: String,
    result: Became,
    /// Why it was not cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Became {
    /// It will not be done.
    Cancelled,
    /// A rehearsal.
    WouldBeCancelled,
    /// It has begun meanwhile, or nobody may, or nobody answered.
    NotCancelled,
}

/// Cancels orders that would do again what is to be taken back, or says which it would cancel.
pub(super) async fn cancel(
    client: &Client,
    orders: &[Waiting],
    reason: &str,
    dry_run: bool,
    console: &mut Console<'_>,
) -> Result<Vec<Cancelled>, Failure> {
    let mut all = Vec::new();
    for Waiting { id, by, .. } in orders {
        let said = plain(by);
        let (result, why) = if dry_run {
            writeln!(console.err, "order {id} of {said}, which waits, would be cancelled")?;
            (Became::WouldBeCancelled, None)
        } else {
            let path = format!("/api/v1/runs/{id}/cancel");
            let answered: Result<serde_json::Value, _> = client.post(&path, &json!({"reason": reason})).await;
            match answered {
                Ok(_) => {
                    writeln!(console.err, "order {id} of {said}, which waited, is cancelled")?;
                    (Became::Cancelled, None)
                }
                Err(error) => {
                    let why = error.to_string();
                    writeln!(console.err, "order {id} of {said} is not cancelled: {}", plain(&why))?;
                    (Became::NotCancelled, Some(why))
                }
            }
        };
        all.push(Cancelled { order: *id, by: by.clone(), result, why });
    }
    Ok(all)
}

/// An error where any is left: it would do again what was taken back. What else was asked for is done before that is said.
pub(super) fn checked(orders: &[Cancelled]) -> Result<(), Failure> {
    let left: Vec<String> = orders
        .iter()
        .filter(|one| one.result == Became::NotCancelled)
        .map(|one| one.order.to_string())
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::users(format!("not cancelled: order {}", left.join(", "))).hint(
        "what it has done by now, or will do, is not taken back; look at `paramedic status`, and try again",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_that_could_not_be_cancelled_is_an_error() {
        drop(rustls::crypto::ring::default_provider().install_default());
        // Nobody listens on the port of a listener that is gone.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let client = Client::new(&format!("http://{gone}"), None).expect("a client");
        let order = json!({"id": 7, "policy": "paramedic-freeze", "by": "ann", "labels": {}, "intent": null});
        let order: Waiting = serde_json::from_value(order).expect("as the daemon lists it");
        for (dry_run, result) in [(false, "notCancelled"), (true, "wouldBeCancelled")] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let now = "2026-11-21T09:00:00Z".parse().expect("a time");
            let mut console = Console { out: &mut out, err: &mut err, now };
            let orders = std::slice::from_ref(&order);
            let all = cancel(&client, orders, "over", dry_run, &mut console).await;
            let all = all.unwrap_or_else(|_| panic!("the console takes all"));
            assert_eq!(checked(&all).is_err(), !dry_run);
            let data = json!(all);
            assert_eq!((&data[0]["order"], &data[0]["result"]), (&json!(7), &json!(result)), "{data}");
            let said = String::from_utf8(err).expect("text");
            assert_eq!(said.contains("order 7 of ann is not cancelled"), !dry_run, "{said}");
        }
    }
}
