//! `audit stats`: what each policy is worth: how often it acted, whether that helped, what refused and why, how long it
//! took, beside how often the same alert ended without us while the policy only rehearsed. It must never count what no
//! record says.

mod tally;

use paramedic_policies::counted::counted;
use paramedic_policies::time::{Moment, Span};

use super::ends::Ends;
use super::report::{Spread, Took};
use super::selection::{When, window_of};
use super::unknown;
use crate::cli::console::{Console, Output, OutputArg};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, PAGE, Records};
use crate::cli::table::{Table, plain};
use crate::journal::Filter;
use tally::{Stats, Tally, WithoutUs};

/// Records of one kind that are read: months of a busy cluster. What is beyond is said, not guessed.
const RECORDS_MAX: usize = 2_000_000;

/// What each policy is worth: how often it acted, helped, was refused and why, and how long it took.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit stats --since 30d
  paramedic audit stats --since 90d --policy conductor-high-error-rate
  paramedic audit stats --since 30d --output json | jq '.remediations'

Counted are the episodes that were received in the window, with everything that came of them until
now. PENDING waits for a person, for a guard, or to be tried again. What a policy only rehearsed in
dry-run is a measure of its own: how often did the alert end without us? Where another policy acted
on the alert, that says nothing and is counted apart; what people did by hand nobody tells.")]
pub struct StatsArgs {
    /// Episodes received since this: a time, or how long ago (`30d`).
    #[arg(long, value_name = "TIME", default_value = "30d", help_heading = "About what")]
    since: When,
    /// And before this.
    #[arg(long, value_name = "TIME", help_heading = "About what")]
    until: Option<When>,
    /// Of this policy alone.
    #[arg(long, value_name = "NAME", help_heading = "About what")]
    policy: Option<String>,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

pub(super) async fn run(args: StatsArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let (since, until) = window_of(args.since, args.until, console.now)?;
    let records = args.journal.open_watched()?;
    let mut tally = Tally::of(args.policy.clone(), since, until);
    for kind in tally::KINDS {
        if !read(&*records, kind, since, args.policy.as_deref(), &mut tally).await? {
            writeln!(
                console.err,
                "only the first {RECORDS_MAX} records of kind {kind} are counted: name a shorter time"
            )?;
        }
    }
    let stats = tally.finished();
    match args.output.output {
        Output::Table => shown(&stats, since, until, args.policy.is_some(), console)?,
        output @ (Output::Json | Output::Yaml) => console.data(output, &stats)?,
    }
    if stats.policies.is_empty() {
        let policy = args.policy.clone();
        match &policy {
            None => writeln!(console.err, "no policy spoke on an episode of that time")?,
            Some(name) => writeln!(console.err, "{} spoke on no episode of that time", plain(name))?,
        }
        let filter = Filter { policy, ..Filter::default() };
        for sentence in unknown::names(&*records, &filter).await? {
            writeln!(console.err, "{sentence}")?;
        }
    }
    Ok(())
}

/// Reads a kind page by page and keeps the counts alone; whether all was read.
async fn read(
    records: &dyn Records,
    kind: &str,
    since: Moment,
    policy: Option<&str>,
    tally: &mut Tally,
) -> Result<bool, Failure> {
    let policy = policy.filter(|_| !tally::OF_ALL.contains(&kind)).map(str::to_owned);
    let mut filter = Filter {
        since: Some(since),
        kind: Some(kind.to_owned()),
        policy,
        limit: Some(PAGE),
        ..Filter::default()
    };
    let mut count = 0;
    loop {
        let page = records.page(&filter).await?;
        count += page.items.len();
        page.items.iter().for_each(|record| tally.take(record));
        match page.next {
            Some(_) if count >= RECORDS_MAX => return Ok(false),
            Some(next) => filter.after = Some(next),
            None => return Ok(true),
        }
    }
}

fn shown(
    stats: &Stats,
    since: Moment,
    until: Moment,
    is_of_one: bool,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let by_hand = match stats.by_hand {
        0 => String::new(),
        runs => format!(", {} by hand not counted", counted(runs, "run")),
    };
    let all = if is_of_one { " of all policies" } else { "" };
    writeln!(console.out, "{since} to {until}: {}{all}{by_hand}", counted(stats.episodes, "episode"))?;

    let columns = Ends::default().columns().map(|(name, _)| name.to_uppercase());
    let head = std::iter::once("POLICY".to_owned()).chain(columns);
    let mut cases = Table::new(head.chain(["DECIDE".to_owned()]));
    for one in &stats.policies {
        let counts = one.ends.columns().map(|(_, count)| count.to_string());
        cases.row(std::iter::once(one.policy.clone()).chain(counts).chain([times(&one.decide)]));
    }
    section(
        console,
        "How cases ended (DECIDE: median and 90th percentile, from the alert to the first act)",
        &cases,
    )?;

    let mut levers = Table::new([
        "POLICY",
        "REMEDIATION",
        "DONE",
        "REFUSED",
        "FAILED",
        "UNKNOWN",
        "HELPED",
        "DID NOT",
        "NOT KNOWN",
        "ACT",
        "VERIFY",
    ]);
    for one in &stats.remediations {
        levers.row([
            one.policy.clone(),
            one.remediation.to_owned(),
            one.done.to_string(),
            one.refused.to_string(),
            one.failed.to_string(),
            one.unknown.to_string(),
            one.helped.to_string(),
            one.did_not_help.to_string(),
            one.not_known.to_string(),
            times(&one.act),
            times(&one.verify),
        ]);
    }
    section(console, "What was done, and what its verification showed", &levers)?;

    let mut refusals = Table::new(["POLICY", "GUARD", "REASON", "CASES"]);
    for one in &stats.refusals {
        let cells = [one.policy.clone(), one.guard.clone(), one.reason.to_owned(), one.cases.to_string()];
        refusals.row(cells);
    }
    section(console, "What refused, by the cases in which it did at least once", &refusals)?;

    let mut alone = Table::new([
        "POLICY",
        "ONLY REHEARSED",
        "ENDED WITHOUT US",
        "AFTER",
        "ANOTHER ACTED",
        "ACTED",
        "ENDED",
        "AFTER",
    ]);
    for one in &stats.without_us {
        let WithoutUs { policy, rehearsed, ended, after, another_acted, acted, acted_ended, acted_after } =
            one;
        alone.row([
            policy.clone(),
            rehearsed.to_string(),
            ended.to_string(),
            times(after),
            another_acted.to_string(),
            acted.to_string(),
            acted_ended.to_string(),
            times(acted_after),
        ]);
    }
    section(
        console,
        "Does it help more than waiting? From the ruling that acted, or would have, until the alert was resolved",
        &alone,
    )
}

fn section(console: &mut Console<'_>, title: &str, table: &Table) -> Result<(), Failure> {
    if !table.is_empty() {
        write!(console.out, "\n{title}\n{table}")?;
    }
    Ok(())
}

/// Median and ninetieth percentile.
fn times(spread: &Spread) -> String {
    match (spread.median, spread.p90) {
        (Took::Known(median), Took::Known(p90)) => format!("{} / {}", rounded(median), rounded(p90)),
        (Took::Unknown, _) | (_, Took::Unknown) => "not known".to_owned(),
        (Took::NotReached, _) | (_, Took::NotReached) => "-".to_owned(),
    }
}

/// Seconds are fine enough from a minute on.
fn rounded(span: Span) -> Span {
    if span >= Span::from_mins(1) { Span::from_secs(span.ms() / 1000) } else { span }
}
