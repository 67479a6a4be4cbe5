//! What paramedic has done that is in force, and will be taken back: from the daemon's state, with who and why from its
//! records. It must never show less than there is.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use paramedic_policies::action::{Action, Mode};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::console::{Console, Output};
use super::failure::Failure;
use super::records::Records;
use super::table::{Table, plain};
use crate::client::Client;

/// How many records are asked for at once.
const AT_ONCE: usize = 16;

/// One action that will be taken back.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InForce {
    pub(super) id: Seq,
    pub(super) episode: Seq,
    pub(super) policy: String,
    pub(super) target: Target,
    pub(super) action: Action,
    pub(super) mode: Mode,
    pub(super) since: Moment,
    pub(super) until: Moment,
    #[serde(default)]
    pub(super) approved_by: Option<String>,
    /// Whether its time is over, and it is not known to be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) late: bool,
    /// Why it was done, in words.
    #[serde(default)]
    pub(super) why: String,
}

impl InForce {
    /// Until when it lasts, as far as is known.
    pub(super) fn ends(&self) -> String {
        if self.late { "not taken back yet".to_owned() } else { self.until.to_string() }
    }

    /// Who did it: a person, or the policy.
    pub(super) fn by(&self) -> String {
        self.approved_by.clone().unwrap_or_else(|| format!("policy {}", self.policy))
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<InForce>,
    #[serde(default)]
    next: Option<String>,
}

/// All of them that `wanted` takes, with why.
pub(super) async fn all(client: &Client, wanted: impl Fn(&Action) -> bool) -> Result<Vec<InForce>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = match &after {
            Some(after) => json!({"limit": 1000, "after": after}),
            None => json!({"limit": 1000}),
        };
        let Page { items, next } = client.get("/api/v1/leases", &query).await?;
        found.extend(items.into_iter().filter(|one| wanted(&one.action)));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut episodes: Vec<Seq> = found.iter().map(|one| one.episode).collect();
    episodes.sort();
    episodes.dedup();
    let asked = episodes.into_iter().map(async |episode| Ok((episode, why(client, episode).await?)));
    let whys: BTreeMap<Seq, String> = stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
        .map_err(|failure: Failure| failure)?;
    for one in &mut found {
        one.why = whys.get(&one.episode).cloned().unwrap_or_default();
    }
    Ok(found)
}

/// An order by hand of which nothing is done yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    pub(super) id: Seq,
    pub(super) policy: String,
    pub(super) by: String,
    pub(super) labels: BTreeMap<String, String>,
    intent: Option<Seq>,
}

/// The orders that wait and that `wanted` takes: what they would do is not in force yet, and will be.
pub(super) async fn waiting(
    client: &Client,
    wanted: impl Fn(&Waiting) -> bool,
) -> Result<Vec<Waiting>, Failure> {
    #[derive(Deserialize)]
    struct Orders {
        items: Vec<Waiting>,
        #[serde(default)]
        next: Option<String>,
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = match &after {
            Some(after) => json!({"limit": 1000, "after": after}),
            None => json!({"limit": 1000}),
        };
        let Orders { items, next } = client.get("/api/v1/runs", &query).await?;
        found.extend(items.into_iter().filter(|one| one.intent.is_none() && wanted(one)));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// Orders that were to be cancelled and are not. What else was asked for is done before that is an error.
#[must_use]
pub(super) struct NotCancelled(Vec<String>);

impl NotCancelled {
    /// An error where any is left: it would do again what was taken back.
    pub(super) fn checked(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Failure::users(format!("not cancelled: order {}", self.0.join(", ")))
            .hint("what it has done by now, or will do, is not taken back; look at `paramedic status`, and try again"))
    }
}

/// Cancels orders that would do again what is to be taken back, or says which it would cancel.
pub(super) async fn cancel(
    client: &Client,
    orders: &[Waiting],
    reason: &str,
    dry_run: bool,
    console: &mut Console<'_>,
) -> Result<NotCancelled, Failure> {
    let mut left = Vec::new();
    for Waiting { id, by, .. } in orders {
        let by = plain(by);
        if dry_run {
            writeln!(console.err, "order {id} of {by}, which waits, would be cancelled")?;
            continue;
        }
        let path = format!("/api/v1/runs/{id}/cancel");
        let answered: Result<serde_json::Value, _> = client.post(&path, &json!({"reason": reason})).await;
        match answered {
            Ok(_) => writeln!(console.err, "order {id} of {by}, which waited, is cancelled")?,
            // It has begun meanwhile, or nobody may, or nobody answered: whoever asked must know.
            Err(error) => {
                writeln!(console.err, "order {id} of {by} is not cancelled: {}", plain(&error.to_string()))?;
                left.push(id.to_string());
            }
        }
    }
    Ok(NotCancelled(left))
}

/// Lists them: `what` they are, and a row or more of each.
pub(super) fn list<const N: usize>(
    found: &[InForce],
    what: &str,
    heads: [&str; N],
    output: Output,
    console: &mut Console<'_>,
    rows: impl Fn(&InForce) -> Vec<[String; N]>,
) -> Result<(), Failure> {
    if output != Output::Table {
        return console.data(output, &found);
    }
    if found.is_empty() {
        writeln!(console.err, "no {what} of paramedic's is in force")?;
        return Ok(());
    }
    let mut table = Table::new(heads);
    found.iter().flat_map(rows).for_each(|row| table.row(row));
    write!(console.out, "{table}")?;
    Ok(())
}

/// Why an episode began: somebody's reason, or the alert.
async fn why(client: &Client, episode: Seq) -> Result<String, Failure> {
    let record = client.one(episode).await?;
    Ok(match record.map(|record| record.event) {
        Some(Event::Opened { by_hand: Some(order), .. }) if !order.reason.is_empty() => order.reason,
        Some(Event::Opened { by_hand: Some(_), .. }) => "by hand".to_owned(),
        Some(Event::Opened { labels, by_hand: None, .. }) => {
            format!("alert {}", labels.get("alertname").map_or("-", String::as_str))
        }
        // Older than what the journal keeps.
        Some(_) | None => "-".to_owned(),
    })
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
        let order = Waiting {
            id: Seq(7),
            policy: "paramedic-freeze".to_owned(),
            by: "ann".to_owned(),
            labels: BTreeMap::new(),
            intent: None,
        };
        for (dry_run, fails) in [(false, true), (true, false)] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let now = "2026-11-21T09:00:00Z".parse().expect("a time");
            let mut console = Console { out: &mut out, err: &mut err, now };
            let orders = std::slice::from_ref(&order);
            let left = cancel(&client, orders, "over", dry_run, &mut console).await;
            let left = left.unwrap_or_else(|_| panic!("the console takes all"));
            assert_eq!(left.checked().is_err(), fails, "dry run: {dry_run}");
            let said = String::from_utf8(err).expect("text");
            assert_eq!(said.contains("order 7 of ann is not cancelled"), fails, "{said}");
        }
    }
}
