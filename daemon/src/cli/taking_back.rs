//! Taking back by hand, one action or several: `undo`, and what `thaw` and `unblock` have chosen. All of it is ordered before
//! any of it is followed, so that one that is held keeps no other back; and no wait here is without an end.

mod rehearsed;

use paramedic_policies::ALREADY_BACK;
use paramedic_policies::action::Outcome;
use paramedic_policies::address::AddressRange;
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::time::{Moment, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Duration, Instant, timeout_at};

use super::by_hand::posted;
use super::console::{Console, Output, OutputArg};
use super::failure::{Failure, Whose};
use super::following::{read, show, stands, stopping};
use super::records::{Records, ServerArgs};
use super::story;
use super::table::plain;
use super::waiting::{self, Cancelled};
use crate::client::{Client, Stream};
use crate::journal::Filter;

/// How long a revert may be held before its order counts as answered: it stays ordered.
const HELD_MAX: Span = Span::from_mins(2);

/// How long orders are followed at most: an effect has ten minutes, and what is held is told after two.
const FOLLOWED_MAX: Duration = Duration::from_secs(12 * 60);

/// Take an action back now: only while what it changed is still as it was left.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic undo 1047 --reason 'the traffic is back to normal'
  paramedic undo 1047 --no-wait
  paramedic undo 1047 --dry-run

INTENT is the number that `paramedic status` and `paramedic audit query --kind intended` show.
A restart, a call or a Job cannot be taken back; the answer says so. The same order again is not
given twice: it says how the first one stands.

Exit codes: 0 it was taken back; 1 it was refused, is held or failed; 2 our fault.")]
pub struct UndoArgs {
    /// The intent that did it.
    #[arg(value_name = "INTENT")]
    intent: u64,
    #[command(flatten)]
    how: BackArgs,
}

/// How something is taken back.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BackArgs {
    /// For the record.
    #[arg(long, alias = "comment", value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Only give the order; do not wait for what comes of it.
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    /// Order nothing: show what would be taken back.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    server: ServerArgs,
}

impl BackArgs {
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.server.client()
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn dry_run(&self) -> bool {
        self.dry_run
    }
}

/// What is to be taken back.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) intent: Seq,
    /// Of several addresses only these.
    pub(super) only: Vec<AddressRange>,
}

pub(super) async fn undo(args: UndoArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let UndoArgs { intent, how } = args;
    let client = how.client()?;
    take_back(&client, &[Wanted { intent: Seq(intent), only: Vec::new() }], Vec::new(), &how, console).await
}

/// How one order stands; the data that programs get.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    intent: Seq,
    /// The record of the order, where it is a new one.
    record: Option<Seq>,
    result: Became,
    /// Why it was not taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip)]
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Became {
    /// A rehearsal: it would be ordered.
    WouldBeOrdered,
    /// Ordered, and not followed.
    Ordered,
    TakenBack,
    /// Nothing was left of it.
    NothingLeft,
    /// The order was not taken.
    Refused,
    /// The order stands; something keeps it from being done.
    Held,
    /// It was tried, or given up.
    Failed,
    /// Nobody was told.
    Unknown,
    /// The connection was lost before it could be ordered.
    NotOrdered,
}

impl Item {
    fn not(intent: Seq, record: Option<Seq>, result: Became, failure: Failure) -> Self {
        Self { intent, record, result, why: Some(failure.error.clone()), failure: Some(failure) }
    }

    /// What the lost connection leaves open; that it is lost is said once.
    fn lost(intent: Seq, record: Option<Seq>, result: Became, failure: &Failure) -> Self {
        Self { intent, record, result, why: Some(failure.error.clone()), failure: None }
    }
}

/// What the daemon answers to the order.
#[derive(Debug, Deserialize)]
struct Taken {
    record: Seq,
    repeated: bool,
}

/// An order that was taken, and is followed.
struct Ordered {
    intent: Seq,
    /// Its record; none where the same was ordered before.
    record: Option<Seq>,
    /// What was said before this is old news.
    since: Seq,
}

/// Orders all of them back, and follows each to its end. It fails where one is not taken back, or one of the orders that
/// were to be cancelled before is not, and says what became of the others.
pub(super) async fn take_back(
    client: &Client,
    wanted: &[Wanted],
    orders: Vec<Cancelled>,
    how: &BackArgs,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let output = how.output.output;
    if how.dry_run {
        return rehearsed::rehearse(client, wanted, orders, output, console).await;
    }
    // Opened first: what is recorded between the two is in the first query.
    let opened = if how.no_wait || wanted.is_empty() { Ok(None) } else { client.stream().await.map(Some) };
    let (mut stream, mut lost) = match opened {
        Ok(stream) => (stream, None),
        Err(error) => (None, Some(Failure::from(error))),
    };
    let (mut ordered, mut items) = (Vec::new(), Vec::new());
    for Wanted { intent, only } in wanted {
        if let Some(failure) = &lost {
            items.push(Item::lost(*intent, None, Became::NotOrdered, failure));
            continue;
        }
        let path = format!("/api/v1/intents/{intent}/undo");
        let body = json!({"reason": how.reason, "only": only});
        match posted::<Taken>(client, &path, &body, console).await {
            Ok(Taken { record, repeated: false }) => {
                ordered.push(Ordered { intent: *intent, record: Some(record), since: record });
            }
            Ok(Taken { record, repeated: true }) => {
                ordered.push(Ordered { intent: *intent, record: None, since: record });
            }
            Err(failure) if failure.whose == Whose::Users => {
                items.push(Item::not(*intent, None, Became::Refused, failure));
            }
            Err(failure) => {
                // Whether it was taken, nobody knows.
                items.push(Item::lost(*intent, None, Became::Unknown, &failure));
                lost = Some(unfinished(&ordered, failure));
            }
        }
    }
    let deadline = Instant::now() + FOLLOWED_MAX;
    for (index, order) in ordered.iter().enumerate() {
        let item = match (&lost, &mut stream) {
            (Some(failure), _) => Item::lost(order.intent, order.record, Became::Ordered, failure),
            (None, None) => given(order, output, console)?,
            (None, Some(stream)) => match follow(client, stream, order, deadline, output, console).await {
                Ok(item) => item,
                Err(failure) => {
                    let item = Item::lost(order.intent, order.record, Became::Ordered, &failure);
                    lost = Some(unfinished(&ordered[index..], failure));
                    item
                }
            },
        };
        items.push(item);
    }
    items.sort_by_key(|item| item.intent);
    told(items, &orders, lost, output, console)
}

/// An order that nobody follows.
fn given(order: &Ordered, output: Output, console: &mut Console<'_>) -> Result<Item, Failure> {
    let Ordered { intent, record, .. } = order;
    match record {
        Some(record) if output == Output::Table => writeln!(console.out, "record {record}")?,
        Some(_) => {}
        None => writeln!(console.err, "intent {intent}: this was ordered before, and stands")?,
    }
    writeln!(console.err, "ordered; what comes of it: paramedic audit show {intent}")?;
    Ok(Item { intent: *intent, record: *record, result: Became::Ordered, why: None, failure: None })
}

/// The connection is lost: which orders stand all the same.
fn unfinished(ordered: &[Ordered], failure: Failure) -> Failure {
    let intents: Vec<String> = ordered.iter().map(|order| order.intent.to_string()).collect();
    match intents.as_slice() {
        [] => failure,
        [one] => stands(failure, one),
        [first, ..] => {
            let all = intents.join(", ");
            failure.hint(format!(
                "the orders for {all} stand; what comes of each: paramedic audit show {first}, and so on"
            ))
        }
    }
}

/// What became of all of them, also where the connection was lost on the way.
fn told(
    items: Vec<Item>,
    orders: &[Cancelled],
    lost: Option<Failure>,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    if output != Output::Table {
        let all: Vec<_> =
            orders.iter().map(|one| json!(one)).chain(items.iter().map(|one| json!(one))).collect();
        console.data(output, &json!({"items": all}))?;
    }
    for Item { intent, result, .. } in &items {
        match result {
            Became::Unknown => writeln!(
                console.err,
                "intent {intent}: nobody knows whether its order was taken: paramedic audit show {intent}"
            )?,
            Became::NotOrdered => writeln!(console.err, "intent {intent}: not ordered")?,
            _ => {}
        }
    }
    let all = items.len();
    let mut failures: Vec<(Seq, Failure)> =
        items.into_iter().filter_map(|item| Some((item.intent, item.failure?))).collect();
    if failures.len() == 1 && all == 1 {
        return Err(failures.remove(0).1.and(waiting::checked(orders)));
    }
    for (intent, failure) in &failures {
        writeln!(console.err, "intent {intent}: {}", failure.error)?;
    }
    let left = waiting::checked(orders);
    match (lost, failures.len()) {
        (Some(lost), _) => Err(lost.and(left)),
        (None, 0) => left,
        (None, failed) => {
            let which: Vec<String> = failures.iter().map(|(intent, _)| intent.to_string()).collect();
            let error = format!("{} of {all} taken back; not {}", all - failed, which.join(", "));
            let failure =
                Failure::users(error).hint("`paramedic status` shows what is still in force, and why");
            Err(failure.and(left))
        }
    }
}

/// A lease, as far as it is asked about here.
#[derive(Debug, Deserialize)]
struct Lease {
    id: Seq,
    until: Moment,
    held: bool,
    #[serde(default)]
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Leases {
    items: Vec<Lease>,
}

/// What the state says of an action that is to be taken back: it knows what the records do not repeat.
async fn lease(client: &Client, intent: Seq) -> Result<Option<Lease>, Failure> {
    let query = json!({"after": intent.0.saturating_sub(1).to_string(), "limit": 1});
    let Leases { items } = client.get("/api/v1/leases", &query).await?;
    Ok(items.into_iter().find(|lease| lease.id == intent))
}

/// The record of the order that is in force for an intent.
async fn order_of(client: &Client, intent: Seq) -> Result<Option<Seq>, Failure> {
    let kind = Some("revertOrdered".to_owned());
    let filter = Filter { intent: Some(intent), kind, newest: true, ..Filter::default() };
    let (found, _) = (client as &dyn Records).all(&filter, 1).await?;
    Ok(found.first().map(|record| record.seq))
}

/// Follows the taking back of an intent to its end.
async fn follow(
    client: &Client,
    stream: &mut Stream,
    order: &Ordered,
    deadline: Instant,
    output: Output,
    console: &mut Console<'_>,
) -> Result<Item, Failure> {
    let Ordered { intent, record, since } = *order;
    let item = |end: End| end.item(intent, record);
    let begun = match record {
        Some(record) => record,
        None => {
            if let Some(lease) = lease(client, intent).await?.filter(|lease| lease.held) {
                return Ok(item(lease.end()));
            }
            writeln!(console.err, "intent {intent}: this was ordered before, and is under way")?;
            order_of(client, intent).await?.unwrap_or(since)
        }
    };
    let mut seen = Seen { intent, news: since, revert: None, held_since: None };
    let mut after = Seq(begun.0.saturating_sub(1));
    loop {
        let filter = Filter { intent: Some(intent), after: Some(after), ..Filter::default() };
        for record in read(client, &filter).await? {
            if output == Output::Table {
                show(&record, console)?;
            }
            after = record.seq;
            if let Some(end) = seen.take(&record) {
                console.out.flush()?;
                end.say(intent, console)?;
                return Ok(item(end));
            }
        }
        console.out.flush()?;
        console.err.flush()?;
        match timeout_at(deadline, stream.news()).await {
            Ok(news) => {
                if !news? {
                    return Err(stopping(&format!("taking intent {intent} back")));
                }
            }
            Err(_) => {
                let held = lease(client, intent).await?.filter(|lease| lease.held);
                return Ok(item(held.map_or(End::Overdue, |lease| lease.end())));
            }
        }
    }
}

impl Lease {
    fn end(self) -> End {
        let Self { until, why, .. } = self;
        End::Held { until, why: why.unwrap_or_else(|| "it is not said for what".to_owned()) }
    }
}

/// What was seen of an order so far.
struct Seen {
    intent: Seq,
    /// From here on a hold counts: an older one may have been over when the order was repeated.
    news: Seq,
    revert: Option<Seq>,
    held_since: Option<Moment>,
}

/// How the following ends.
enum End {
    Done,
    Nothing {
        why: String,
    },
    Held {
        until: Moment,
        why: String,
    },
    Dropped {
        why: String,
    },
    Ended {
        how: String,
    },
    /// Nothing was heard for as long as anything may take.
    Overdue,
}

impl Seen {
    fn take(&mut self, record: &Record) -> Option<End> {
        match &record.event {
            Event::Intended { intent: made } if made.reverts == Some(self.intent) => {
                self.revert = Some(made.id);
                None
            }
            Event::Ended { intent, outcome } if self.revert == Some(*intent) => Some(match outcome {
                Outcome::Done { .. } => End::Done,
                Outcome::Collected { .. }
                | Outcome::Refused { .. }
                | Outcome::Failed { .. }
                | Outcome::Unknown { .. } => End::Ended { how: story::ended(outcome) },
            }),
            Event::RevertDropped { intent, why, .. } if *intent == self.intent && why == ALREADY_BACK => {
                Some(End::Nothing { why: why.clone() })
            }
            Event::RevertDropped { intent, why, .. } if *intent == self.intent => {
                Some(End::Dropped { why: why.clone() })
            }
            Event::RevertHeld { intent, why, order_over: true, .. } if *intent == self.intent => {
                Some(End::Nothing { why: why.clone() })
            }
            Event::RevertHeld { intent, until, why, order_over: false, behind, .. }
                if *intent == self.intent =>
            {
                // Short holds, one after the other, are a long one.
                let since = *self.held_since.get_or_insert(record.at);
                // Behind another effect it is looked at again as soon as that has ended.
                let lasts_to = if behind.is_some() { record.at } else { *until };
                let counts = record.seq >= self.news && lasts_to.since(since) > HELD_MAX;
                counts.then(|| End::Held { until: *until, why: why.clone() })
            }
            // Shown, and nothing follows from them here.
            _ => None,
        }
    }
}

impl End {
    fn say(&self, intent: Seq, console: &mut Console<'_>) -> Result<(), Failure> {
        match self {
            Self::Done => writeln!(console.err, "taken back (intent {intent})")?,
            Self::Nothing { why } => writeln!(console.err, "nothing had to be taken back: {}", plain(why))?,
            Self::Held { .. } | Self::Dropped { .. } | Self::Ended { .. } | Self::Overdue => {}
        }
        Ok(())
    }

    fn item(self, intent: Seq, record: Option<Seq>) -> Item {
        let story = format!("the whole story: paramedic audit show {intent} --all");
        let order = "the order stands, and is followed once nothing holds it";
        let (result, error, hint) = match self {
            Self::Done => {
                return Item { intent, record, result: Became::TakenBack, why: None, failure: None };
            }
            Self::Nothing { why } => {
                return Item { intent, record, result: Became::NothingLeft, why: Some(why), failure: None };
            }
            Self::Held { until, why } => {
                (Became::Held, format!("held until {until}: {}", plain(&why)), order.to_owned())
            }
            Self::Dropped { why } => (Became::Failed, format!("not taken back: {}", plain(&why)), story),
            Self::Ended { how } => (Became::Failed, format!("taking it back {}", plain(&how)), story),
            Self::Overdue => {
                let waited = Span::from_ms(u64::try_from(FOLLOWED_MAX.as_millis()).unwrap_or(u64::MAX));
                let hint = format!("the order stands; {story}");
                (Became::Unknown, format!("not taken back within {waited}"), hint)
            }
        };
        Item::not(intent, record, result, Failure::users(error).hint(hint))
    }
}

#[cfg(test)]
mod lost;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks on one object are taken back one after the other: the second is not held by anybody's decision.
    #[test]
    fn what_waits_for_the_effect_before_it_is_followed_and_not_told_as_held() {
        let at =
            |secs: u64| "2026-11-21T09:00:00Z".parse::<Moment>().expect("a time") + Span::from_secs(secs);
        let held = |seq, secs, behind| Record {
            seq: Seq(seq),
            at: at(secs),
            schema: 1,
            event: Event::RevertHeld {
                intent: Seq(7),
                until: at(secs) + Span::from_mins(5),
                why: "intent 9 is under way on this target".to_owned(),
                order_over: false,
                reason: String::new(),
                failures: 0,
                since: None,
                behind,
            },
        };
        let mut seen = Seen { intent: Seq(7), news: Seq(1), revert: None, held_since: None };
        assert!(seen.take(&held(10, 0, Some(Seq(9)))).is_none(), "it is looked at again once 9 has ended");
        let long = seen.take(&held(11, 121, Some(Seq(9))));
        assert!(matches!(long, Some(End::Held { .. })), "two minutes are long");
        let mut seen = Seen { intent: Seq(7), news: Seq(1), revert: None, held_since: None };
        assert!(matches!(seen.take(&held(10, 0, None)), Some(End::Held { .. })), "a pause is told at once");
    }
}
