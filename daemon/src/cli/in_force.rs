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
use super::table::Table;
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
