//! `paramedic status`: what is in force now, as the daemon's API tells it: whether it acts and why not, what waits for a
//! person, what is under way, what will be taken back, what is paused. Read-only.

use paramedic_policies::action::Mode;
use paramedic_policies::counted::counted;
use paramedic_policies::event::Seq;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::console::{Console, Output, OutputArg};
use super::failure::Failure;
use super::records::ServerArgs;
use super::story::short;
use super::table::{Table, plain};
use crate::client::{Client, ClientError};

/// Items of one list at most; whoever has more reads the API.
const ITEMS_MAX: usize = 10_000;

/// Cases that are held, at most: a storm holds thousands, for few reasons.
const HELD_MAX: usize = 20;

/// Show what is in force now: whether it acts, what waits for approval or was ordered and waits, what is under way or paused.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic status
  paramedic status --server http://paramedic.paramedic:9911 --token-file token
  paramedic status -o json

As JSON or YAML, `held` has the first 20 cases, and `heldMore` says whether there are more.

Exits with 0 whenever the daemon answers, whatever it answers; for probes there is /readyz.")]
pub struct StatusArgs {
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    server: ServerArgs,
}

/// The data that programs get: the API's answers. A list is absent where the journal does not answer.
#[derive(Serialize)]
struct Answers {
    server: String,
    status: Value,
    #[serde(flatten)]
    lists: Option<Lists>,
}

#[derive(Serialize)]
struct Lists {
    proposals: Vec<Value>,
    /// The first of them.
    held: Vec<Value>,
    /// Whether there are more.
    #[serde(rename = "heldMore")]
    held_more: bool,
    orders: Vec<Value>,
    intents: Vec<Value>,
    leases: Vec<Value>,
    pauses: Vec<Value>,
    policies: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    ready: bool,
    version: String,
    mode: Option<Mode>,
    journal: Journal,
    book: Book,
    #[serde(default)]
    not_in_force: Vec<String>,
    leader: bool,
    clock_stepped_ms: Option<i64>,
    time_stands_still: Option<StandsStill>,
    storm: Option<Storm>,
    prometheus: Option<Reached>,
    kubernetes: Option<String>,
    #[serde(default)]
    kubernetes_answers: Option<Reached>,
    /// Whether a world stands in the place of both.
    #[serde(default)]
    simulated: bool,
    open: Open,
}

#[derive(Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
enum Journal {
    Opening,
    Open,
    Broken { problem: String },
    Stuck { problem: String, hint: String },
    Stopping,
}

#[derive(Deserialize)]
struct Book {
    digest: Option<String>,
    policies: usize,
    broken: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    at: Moment,
    problems: Vec<String>,
}

#[derive(Deserialize)]
struct StandsStill {
    until: Moment,
    why: String,
    hint: String,
}

#[derive(Deserialize)]
struct Storm {
    since: Moment,
    why: String,
}

#[derive(Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
enum Reached {
    NotAsked,
    Answered { at: Moment },
    Failed { at: Moment, problem: String },
}

#[derive(Deserialize)]
struct Open {
    episodes: usize,
}

#[derive(Deserialize)]
struct Proposal {
    id: Seq,
    policy: String,
    target: Option<Target>,
    says: String,
    until: Moment,
}

/// A case that is held.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    episode: Seq,
    alert: String,
    policy: String,
    target: Option<Target>,
    is: Still,
    again: Option<Moment>,
    /// When it was decided for these reasons; none where the journal has that no more, which then gives their names.
    #[serde(default)]
    decided_at: Option<Moment>,
    waits_for: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Still {
    Waiting,
    Withheld,
    Asking,
}

/// What somebody ordered by hand, and is not over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ordered {
    id: Seq,
    policy: String,
    by: String,
    target: Option<Target>,
    since: Moment,
    /// What it does; none while it waits.
    intent: Option<Seq>,
    again: Option<Moment>,
    waits_for: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Doing {
    id: Seq,
    policy: String,
    target: Option<Target>,
    is: Way,
    #[serde(default)]
    says: String,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    takes_back: Option<Seq>,
    since: Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Way {
    Acting,
    InDoubt,
    Verifying,
}

#[derive(Deserialize)]
struct Lease {
    id: Seq,
    policy: String,
    target: Option<Target>,
    says: String,
    until: Moment,
    held: bool,
    #[serde(default, rename = "atTheLatest")]
    at_the_latest: bool,
    #[serde(default)]
    late: bool,
    #[serde(default)]
    why: Option<String>,
}

#[derive(Deserialize)]
struct Pause {
    says: String,
    by: String,
    until: Option<Moment>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyHere {
    name: String,
    quarantined_since: Option<Moment>,
}

pub(super) async fn run(args: StatusArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let client = args.server.client()?;
    let status: Value = client.get("/api/v1/status", &()).await?;
    let standing: Standing = read(client.server(), status.clone())?;
    let lists = match standing.journal {
        Journal::Open => Some(lists(&client).await?),
        Journal::Opening | Journal::Broken { .. } | Journal::Stuck { .. } | Journal::Stopping => None,
    };
    let output = args.output.output;
    if output != Output::Table {
        return console.data(output, &Answers { server: client.server().to_owned(), status, lists });
    }
    let text = shown(client.server(), &standing, lists, console.now)?;
    Ok(console.out.write_all(text.as_bytes())?)
}

async fn lists(client: &Client) -> Result<Lists, Failure> {
    let held: Page = client.get("/api/v1/held", &[("limit", HELD_MAX.to_string())]).await?;
    Ok(Lists {
        proposals: all(client, "/api/v1/proposals").await?,
        held: held.items,
        held_more: held.next.is_some(),
        orders: all(client, "/api/v1/runs").await?,
        intents: all(client, "/api/v1/intents").await?,
        leases: all(client, "/api/v1/leases").await?,
        pauses: all(client, "/api/v1/pauses").await?,
        policies: all(client, "/api/v1/policies").await?,
    })
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

/// All pages of a list.
async fn all(client: &Client, path: &str) -> Result<Vec<Value>, Failure> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let query = [("limit", Some("1000".to_owned())), ("after", after)];
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let page: Page = client.get(path, &query).await?;
        items.extend(page.items);
        after = page.next.filter(|_| items.len() < ITEMS_MAX);
        if after.is_none() {
            return Ok(items);
        }
    }
}

/// An answer as this program knows it.
fn read<T: DeserializeOwned>(server: &str, value: Value) -> Result<T, Failure> {
    let foreign = |error: serde_json::Error| ClientError::Foreign {
        server: server.to_owned(),
        problem: error.to_string(),
    };
    Ok(serde_json::from_value(value).map_err(foreign)?)
}

fn read_all<T: DeserializeOwned>(server: &str, values: Vec<Value>) -> Result<Vec<T>, Failure> {
    read(server, Value::Array(values))
}

fn shown(server: &str, standing: &Standing, lists: Option<Lists>, now: Moment) -> Result<String, Failure> {
    let Some(lists) = lists else {
        return Ok(format!(
            "{}\nwhat waits, is under way or paused is not known until the journal opens\n",
            head(standing, server, &[], now)
        ));
    };
    let pauses: Vec<Pause> = read_all(server, lists.pauses)?;
    let proposals: Vec<Proposal> = read_all(server, lists.proposals)?;
    let orders: Vec<Ordered> = read_all(server, lists.orders)?;
    let doing: Vec<Doing> = read_all(server, lists.intents)?;
    let leases: Vec<Lease> = read_all(server, lists.leases)?;
    let policies: Vec<PolicyHere> = read_all(server, lists.policies)?;
    let held: Vec<Held> = read_all(server, lists.held)?;
    let all = if lists.held_more { "held, the first of many" } else { "held" };
    let head = head(standing, server, &pauses, now);
    let mut lists = Sections::default();
    lists.add(
        "waits for approval",
        "`paramedic approve ID` or `deny ID`",
        ["ID", "POLICY", "TARGET", "ACTION", "LAPSES"],
        proposals.into_iter().map(|one| {
            [one.id.to_string(), one.policy, on(one.target.as_ref()), one.says, when(one.until, now)]
        }),
    );
    lists.add(
        all,
        "`paramedic explain ID` says what each takes to act",
        ["ID", "ALERT", "POLICY", "TARGET", "LOOKED AT AGAIN", "WHY, AS DECIDED"],
        held.into_iter().map(|one| {
            let again = match (one.is, one.again) {
                (Still::Asking, _) => "now".to_owned(),
                (Still::Waiting | Still::Withheld, Some(again)) => when(again, now),
                (Still::Waiting | Still::Withheld, None) => "once something changes".to_owned(),
            };
            // The same reasons are not decided anew, so their numbers may be of long ago.
            let decided = one.decided_at.map_or("before the oldest record".to_owned(), |at| when(at, now));
            let why = reasons(&one.waits_for).unwrap_or("-".to_owned());
            let why = format!("{decided}: {why}");
            [one.episode.to_string(), one.alert, one.policy, on(one.target.as_ref()), again, why]
        }),
    );
    lists.add(
        "ordered by hand, waiting",
        "`paramedic cancel ID` ends it",
        ["ID", "POLICY", "TARGET", "BY", "SINCE", "WAITS FOR"],
        orders.into_iter().filter(|one| one.intent.is_none()).map(|one| {
            let waits = waits_for(&one, now);
            [one.id.to_string(), one.policy, on(one.target.as_ref()), one.by, when(one.since, now), waits]
        }),
    );
    lists.add(
        "under way",
        "`paramedic audit show ID` tells its story",
        ["ID", "POLICY", "TARGET", "ACTION", "SINCE"],
        doing.into_iter().map(|one| {
            [
                one.id.to_string(),
                one.policy.clone(),
                on(one.target.as_ref()),
                what(&one),
                when(one.since, now),
            ]
        }),
    );
    lists.add(
        "will be taken back",
        "unless somebody else changes the value first",
        ["ID", "POLICY", "TARGET", "ACTION", "TAKEN BACK"],
        leases.into_iter().map(|one| {
            let why = one.why.map(|why| format!(": {}", plain(&why))).unwrap_or_default();
            let at = when(one.until, now);
            let due = match (one.late, one.held, one.at_the_latest) {
                (true, _, false) => format!("NOT taken back yet, looked at again {at}{why}"),
                (true, _, true) => format!("NOT taken back yet, {at} at the latest{why}"),
                (false, true, false) => format!("{at}, held now{why}"),
                (false, true, true) => format!("{at} at the latest, held now{why}"),
                (false, false, true) => format!("{at} at the latest, it stays while its alert is open"),
                (false, false, false) => at,
            };
            [one.id.to_string(), one.policy, on(one.target.as_ref()), one.says, due]
        }),
    );
    lists.add(
        "paused",
        "`paramedic resume` with the same scope ends it",
        ["SCOPE", "BY", "UNTIL", "REASON"],
        pauses.into_iter().map(|one| {
            let until = one.until.map_or("resumed".to_owned(), |until| when(until, now));
            [one.says, one.by, until, one.reason]
        }),
    );
    lists.add(
        "in quarantine, for its actions did not help",
        "`paramedic resume --policy NAME` ends it",
        ["POLICY", "SINCE"],
        policies.into_iter().filter_map(|one| Some([one.name, when(one.quarantined_since?, now)])),
    );
    Ok(format!("{head}{}\n{}", lists.filled, lists.empty))
}

/// How the daemon stands, a line for each thing that could be wrong.
fn head(standing: &Standing, server: &str, pauses: &[Pause], now: Moment) -> String {
    let mut table = Table::headless(0);
    let mut row = |name: &str, says: String| table.row([name.to_owned(), says]);
    row("daemon", format!("paramedic {} at {server}", standing.version));
    row("ready", ready(standing));
    let against = against(standing, pauses, now);
    row("acts", if against.is_empty() { "yes".to_owned() } else { format!("NO: {}", against.join("; ")) });
    row("mode", mode(standing.mode).to_owned());
    row("policies", policies(&standing.book, now));
    for what in &standing.not_in_force {
        row("NOT taken", plain(what));
    }
    if let Some(Storm { since, why }) = &standing.storm {
        row("storm", format!("since {}: {why}; policies do what their `inStorm` says", when(*since, now)));
    }
    row(
        "prometheus",
        match &standing.prometheus {
            None if standing.simulated => "simulated".to_owned(),
            None => "none is configured".to_owned(),
            Some(reached) => answers(reached, now),
        },
    );
    row(
        "kubernetes",
        match (&standing.kubernetes, &standing.kubernetes_answers) {
            (None, _) if standing.simulated => "simulated".to_owned(),
            (None, _) => "none is configured".to_owned(),
            (Some(url), None) => url.clone(),
            (Some(url), Some(reached)) => format!("{url} {}", answers(reached, now)),
        },
    );
    row("alerts", format!("{} open", standing.open.episodes));
    table.to_string()
}

/// Whether somebody else answers, who is asked each minute.
fn answers(reached: &Reached, now: Moment) -> String {
    match reached {
        Reached::NotAsked => "not asked yet".to_owned(),
        Reached::Answered { at } => format!("answered {}", when(*at, now)),
        Reached::Failed { at, problem } => format!("FAILED {}: {}", when(*at, now), plain(problem)),
    }
}

fn ready(standing: &Standing) -> String {
    match &standing.journal {
        Journal::Open if standing.ready => "yes: alerts are taken and recorded".to_owned(),
        Journal::Open => "NO: no policies are in force".to_owned(),
        Journal::Opening => "NO: the journal is being opened".to_owned(),
        Journal::Stopping => "NO: the daemon is stopping".to_owned(),
        Journal::Broken { problem } => format!("NO: the journal is broken: {problem}"),
        Journal::Stuck { problem, hint } => format!("NO: {problem} (hint: {hint})"),
    }
}

/// Why nothing at all is done now. What stops one policy or target stands in its decisions.
fn against(standing: &Standing, pauses: &[Pause], now: Moment) -> Vec<String> {
    let mut against = Vec::new();
    if !standing.ready {
        against.push("it is not ready".to_owned());
        return against;
    }
    if standing.mode == Some(Mode::DryRun) {
        against.push("the mode is dry-run".to_owned());
    }
    if let Some(by_ms) = standing.clock_stepped_ms {
        let (by, way) = (Span::from_ms(by_ms.unsigned_abs()), if by_ms < 0 { "back" } else { "forward" });
        against
            .push(format!("the wall clock went {way} by {by}; check NTP, then `paramedic resume --clock`"));
    }
    if let Some(StandsStill { until, why, hint }) = &standing.time_stands_still {
        against.push(format!("time stands still until {}: {why}; {hint}", when(*until, now)));
    }
    if !standing.leader {
        against.push("another process leads, or none".to_owned());
    }
    if let Some(pause) = pauses.iter().find(|pause| pause.says == "everything") {
        let until =
            pause.until.map_or("until resumed".to_owned(), |until| format!("until {}", when(until, now)));
        against.push(format!("everything is paused by {} {until}", pause.by));
    }
    against
}

fn mode(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "not known until the journal answers",
        Some(Mode::DryRun) => "dry-run: decisions are shown and recorded, nothing is changed",
        Some(Mode::Approve) => "approve: nothing is changed that no person approved",
        Some(Mode::Enforce) => "enforce: each policy goes as far as its own `mode`",
    }
}

fn policies(book: &Book, now: Moment) -> String {
    let count = match book.policies {
        1 => "1 in force".to_owned(),
        many => format!("{many} in force"),
    };
    let digest = book.digest.as_ref().map(|digest| format!(" (book {})", short(digest))).unwrap_or_default();
    let broken = book.broken.as_ref().map(|refused| {
        let first = refused.problems.first().map(|first| format!(", the first: {first}")).unwrap_or_default();
        format!(
            "; NOT what is on disk, refused {} for {}{first}",
            when(refused.at, now),
            counted(refused.problems.len(), "problem")
        )
    });
    format!("{count}{digest}{}", broken.unwrap_or_default())
}

/// Lists with their names; what is empty stands together at the end.
#[derive(Default)]
struct Sections {
    filled: String,
    empty: String,
}

impl Sections {
    fn add<const N: usize>(
        &mut self,
        name: &str,
        what_to_do: &str,
        head: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        let mut table = Table::new(head);
        let mut count = 0;
        for row in rows {
            table.row(row);
            count += 1;
        }
        if count == 0 {
            self.empty += &format!("{name}: none\n");
        } else {
            self.filled += &format!("\n{name}: {count}  ({what_to_do})\n{table}");
        }
    }
}

fn on(target: Option<&Target>) -> String {
    target.map_or("-".to_owned(), ToString::to_string)
}

/// What keeps an order from being done.
fn waits_for(order: &Ordered, now: Moment) -> String {
    let again = order.again.map(|at| format!(" (looked at again {})", when(at, now))).unwrap_or_default();
    let why = reasons(&order.waits_for).unwrap_or("the answers to its questions".to_owned());
    format!("{why}{again}")
}

/// The first reason in full.
fn reasons(all: &[String]) -> Option<String> {
    let (first, more) = all.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!("; and {} more", more.len()) };
    Some(format!("{}{more}", plain(first)))
}

fn what(doing: &Doing) -> String {
    let mut says = match doing.is {
        Way::Acting => doing.says.clone(),
        Way::InDoubt => format!("{}: was it done before the restart?", doing.says),
        Way::Verifying => "done; being checked whether it helped".to_owned(),
    };
    if doing.mode == Some(Mode::DryRun) {
        says.insert_str(0, "rehearse: ");
    }
    if let Some(intent) = doing.takes_back {
        says += &format!(", taking back intent {intent}");
    }
    plain(&says)
}

/// A moment, and how far away it is in a person's words.
fn when(at: Moment, now: Moment) -> String {
    if at > now {
        format!("{at} (in {})", rough(at.since(now)))
    } else {
        format!("{at} ({} ago)", rough(now.since(at)))
    }
}

/// Two units at most.
fn rough(span: Span) -> String {
    let text = Span::from_secs(span.ms() / 1000).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "tests/status.rs"]
mod tests;
