//! `audit show`: one record with everything around it, told in order: the alert, the decisions with their reasons, what
//! was done, whether it helped, who approved.

use paramedic_policies::action::Outcome;
use paramedic_policies::counted::counted;
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::evidence::{Evidence, Kept};
use serde::Serialize;

use super::query::row;
use crate::cli::console::{Console, Output, OutputArg};
use crate::cli::failure::Failure;
use crate::cli::records::{JournalArgs, Records};
use crate::cli::ruling;
use crate::cli::story;
use crate::cli::table::{Table, plain};
use crate::journal::Filter;

/// How many records of a story are read: a long episode is repeated for days.
const STORY_MAX: usize = 2000;

/// Tell the whole story around one record: its alert, decisions, actions, checks, approvals.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic audit show 1041
  paramedic audit show 1041 --all
  paramedic audit show 1041 --data-dir /var/lib/paramedic -o yaml

SEQ is any number that `audit query` shows: of an alert, a decision, an intent, an outcome, a
proposal.")]
pub struct ShowArgs {
    /// Sequence of the record.
    #[arg(value_name = "SEQ")]
    seq: u64,
    /// Also the questions, answers and single looks of verifications.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

/// The data that programs get.
#[derive(Serialize)]
struct Shown {
    record: Record,
    episode: Option<Seq>,
    related: Vec<Record>,
}

pub(super) async fn run(args: ShowArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let records = args.journal.open_watched()?;
    show(&*records, Seq(args.seq), args.all, args.output.output, console).await
}

async fn show(
    records: &dyn Records,
    seq: Seq,
    all: bool,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let record = records.one(seq).await?.ok_or_else(|| {
        Failure::users(format!("there is no record {seq}"))
            .hint("records begin at 1, and old ones are dropped by `retention`; see `paramedic audit tail`")
    })?;
    let episode = episode_of(records, &record.event, seq).await?;
    let (mut related, more) = match episode {
        Some(episode) => {
            let filter = Filter { episode: Some(episode), ..Filter::default() };
            records.all(&filter, STORY_MAX).await?
        }
        None => (Vec::new(), false),
    };
    if !all {
        related.retain(|other| other.seq == seq || !is_detail(&other.event));
    }
    match output {
        Output::Table => {
            head(&record, console)?;
            if let Some(episode) = episode {
                tell(episode, &record, &related, console)?;
            }
        }
        Output::Json | Output::Yaml => console.data(output, &Shown { record, episode, related })?,
    }
    if more {
        writeln!(
            console.err,
            "this is the beginning of a long story; `audit export --episode` has all of it"
        )?;
    }
    Ok(())
}

fn head(record: &Record, console: &mut Console<'_>) -> Result<(), Failure> {
    writeln!(console.out, "record {}, {}, {}", record.seq, record.event.kind(), record.at)?;
    writeln!(console.out, "  {}", plain(&story::tell(&record.event)))?;
    match &record.event {
        Event::Ruled { ruling: made } => {
            writeln!(console.out, "\n{}", ruling::verdict(made))?;
            writeln!(
                console.out,
                "  by {} at {}, book {}",
                made.policy,
                made.place,
                story::short(&made.book)
            )?;
            write!(console.out, "{}", ruling::shown(made, record.seq, 2))?;
        }
        Event::Received { unreadable, correlation, ignored, .. } => {
            writeln!(console.out, "  correlation {}", plain(correlation))?;
            for one in unreadable {
                let which = one.index.map_or("the whole".to_owned(), |index| format!("alert {index}"));
                writeln!(console.out, "  could not read {which}: {}", plain(&one.problem))?;
            }
            // The sentence has the first.
            for late in ignored.listed.iter().skip(1) {
                writeln!(console.out, "  ignored as late: {}", story::late(late))?;
            }
        }
        Event::Opened { correlation, by_hand: Some(order), .. } => {
            let mut table = Table::headless(2);
            table.row(["ordered by".to_owned(), order.by.clone()]);
            table.row(["policy".to_owned(), order.policy.clone()]);
            table.row(["only shown".to_owned(), if order.dry_run { "yes" } else { "no" }.to_owned()]);
            table.row(["correlation".to_owned(), correlation.clone()]);
            write!(console.out, "{table}")?;
        }
        Event::Opened { key, annotations, fingerprint, correlation, starts_at, by_hand: None, .. } => {
            let mut table = Table::headless(2);
            table.row(["fires since".to_owned(), starts_at.to_string()]);
            table.row([
                "fingerprint (the sender's)".to_owned(),
                fingerprint.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
            table.row(["fingerprint (paramedic's)".to_owned(), key.to_string()]);
            table.row(["correlation".to_owned(), correlation.clone()]);
            annotations.iter().for_each(|(name, value)| table.row([name.clone(), value.clone()]));
            write!(console.out, "{table}")?;
        }
        Event::Intended { intent } => {
            let mut table = Table::headless(2);
            table.row(["mode".to_owned(), intent.mode.to_string()]);
            table.row(["target uid".to_owned(), intent.uid.clone()]);
            table.row(["deadline".to_owned(), intent.deadline.to_string()]);
            let charged = if intent.charged { "yes" } else { "no" };
            table.row(["counts against limits".to_owned(), charged.to_owned()]);
            if let Some(after) = intent.revert_after {
                table.row(["taken back after".to_owned(), after.to_string()]);
            }
            table.row(["book".to_owned(), story::short(&intent.book)]);
            write!(console.out, "{table}")?;
        }
        Event::Ended { outcome: Outcome::Collected { evidence }, .. } => {
            write!(console.out, "{}", evidence_text(evidence))?;
        }
        Event::Adopted { source, .. } => {
            let mut table = Table::headless(2);
            source
                .files
                .iter()
                .for_each(|file| table.row([file.path.clone(), counted(file.text.lines().count(), "line")]));
            write!(console.out, "{table}")?;
        }
        // Their sentence says it all.
        _ => {}
    }
    Ok(())
}

/// Evidence as it was kept: each piece with its lines, moved to the right.
fn evidence_text(evidence: &Evidence) -> String {
    let mut text = String::new();
    for piece in &evidence.pieces {
        let cut = piece.cut.as_ref().map(|cut| format!(" (cut: {cut})")).unwrap_or_default();
        text += &format!("\n  {}{cut}\n", plain(&piece.name));
        let lines = match &piece.found {
            Kept::Text(lines) => lines.clone(),
            Kept::Missing { why } => format!("could not be had: {why}"),
            Kept::Values(series) => story::values(series),
        };
        lines.lines().for_each(|line| text += &format!("    {}\n", plain(line)));
    }
    for name in &evidence.left_out {
        text += &format!("\n  {} (no room was left)\n", plain(name));
    }
    text
}

fn tell(episode: Seq, record: &Record, related: &[Record], console: &mut Console<'_>) -> Result<(), Failure> {
    writeln!(console.out, "\nthe story of episode {episode}")?;
    let begin = related.first().map_or(record.at, |first| first.at);
    let mut table = Table::headless(0);
    for other in related {
        let mark = if other.seq == record.seq { ">" } else { "" };
        let [seq, _, kind, what] = row(other);
        table.row([mark.to_owned(), story::later(begin, other.at), seq, kind, what]);
    }
    write!(console.out, "{table}")?;
    Ok(())
}

/// What most readers of a story skip.
fn is_detail(event: &Event) -> bool {
    matches!(event, Event::Asked { .. } | Event::Told { .. } | Event::Looked { .. } | Event::Held { .. })
}

/// The episode that a record belongs to, directly or by the intent, question or proposal that it names.
pub(super) async fn episode_of(
    records: &dyn Records,
    event: &Event,
    seq: Seq,
) -> Result<Option<Seq>, Failure> {
    let named = match episode_in(event, seq) {
        Ok(episode) => return Ok(episode),
        Err(named) => named,
    };
    let other = records.one(named).await?;
    Ok(other.and_then(|other| episode_in(&other.event, named).unwrap_or_default()))
}

/// The episode, where the event says it; else the record that leads there.
fn episode_in(event: &Event, seq: Seq) -> Result<Option<Seq>, Seq> {
    match event {
        Event::Opened { .. } => Ok(Some(seq)),
        Event::Closed { episode, .. } | Event::Cancelled { episode, .. } => Ok(Some(*episode)),
        Event::Asked { question } => Ok(Some(question.case.episode)),
        Event::Ruled { ruling } => Ok(Some(ruling.episode)),
        Event::Intended { intent } => Ok(Some(intent.episode)),
        Event::Held { case, .. } | Event::Advanced { case, .. } | Event::Concluded { case, .. } => {
            Ok(Some(case.episode))
        }
        Event::Escalated { case, .. } => Ok(case.as_ref().map(|case| case.episode)),
        Event::Notified { notice } => Ok(notice.case.as_ref().map(|case| case.episode)),
        Event::Delivered { notice: named, .. }
        | Event::Raised { page: named, .. }
        | Event::Acknowledged { page: named, .. } => Err(*named),
        Event::Told { answer } => Err(answer.question),
        Event::Ended { intent, .. }
        | Event::Looked { intent, .. }
        | Event::Verified { intent, .. }
        | Event::RevertDropped { intent, .. }
        | Event::RevertHeld { intent, .. }
        | Event::RevertOrdered { intent, .. } => Err(*intent),
        Event::Approved { proposal, .. } | Event::Denied { proposal, .. } | Event::Lapsed { proposal } => {
            Err(*proposal)
        }
        Event::Received { .. }
        | Event::OrderRefused { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Adopted { .. }
        | Event::StormBegan { .. }
        | Event::StormGoesOn { .. }
        | Event::StormEnded
        | Event::Quarantined { .. }
        | Event::Reigned { .. }
        | Event::Began { .. }
        | Event::ClockStepped { .. }
        | Event::ClockAccepted { .. } => Ok(None),
    }
}
