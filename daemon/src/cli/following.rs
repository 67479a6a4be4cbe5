//! What comes of a run by hand, as it is recorded: shown to whoever ordered it, until it is over. It must never do anything
//! itself, and ends with the exit code of what it saw.

use paramedic_policies::action::{Action, Mode, Outcome};
use paramedic_policies::event::{Conclusion, Event, Record, Seq};
use paramedic_policies::remediation::freeze_deploys::{self, Freeze};
use paramedic_policies::ruling::{Cap, EffectiveMode, Ruling, Verdict};
use serde::Serialize;

use super::audit::row;
use super::console::{Console, Output};
use super::failure::Failure;
use super::records::Records;
use super::ruling;
use super::story;
use super::table::plain;
use crate::client::{Client, Stream};
use crate::journal::Filter;

/// The data that programs get.
#[derive(Serialize)]
struct Data<'a> {
    episode: Seq,
    conclusion: Option<Conclusion>,
    records: &'a [Record],
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    records: Vec<Record>,
    conclusion: Option<Conclusion>,
    mode: Option<EffectiveMode>,
    /// What stands against it, by the last ruling.
    refusal: Option<String>,
    /// What it waits for, by the last ruling.
    waits: Option<String>,
    /// Who has cancelled it.
    cancelled_by: Option<String>,
    /// What was done that can be taken back.
    revertible: Vec<Seq>,
    over: bool,
}

/// What is followed, and how it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    pub(super) episode: Seq,
    /// Whether no more than a rehearsal was asked for.
    pub(super) rehearsal: bool,
    pub(super) output: Output,
}

/// Follows an episode to its end.
pub(super) async fn run(
    client: &Client,
    mut stream: Stream,
    followed: Followed,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let mut seen = Seen::default();
    while !seen.over {
        let looked = match look(client, &mut seen, followed, console).await {
            Ok(()) if seen.over => break,
            Ok(()) => stream.news().await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        let failure = match looked {
            Ok(true) => continue,
            Ok(false) => stopping(&format!("episode {}", followed.episode)),
            Err(failure) => failure,
        };
        // Programs get what there is, and people have seen it.
        if followed.output != Output::Table {
            console.data(followed.output, &seen.data(followed.episode))?;
        }
        return Err(stands(failure, &followed.episode.to_string()));
    }
    seen.end(followed, console)
}

/// What was already recorded of an order that nobody follows: whether it is over, as one is that was refused at once.
pub(super) async fn over_already(
    client: &Client,
    followed: Followed,
    console: &mut Console<'_>,
) -> Result<Option<Result<(), Failure>>, Failure> {
    let mut seen = Seen::default();
    let filter = Filter { episode: Some(followed.episode), ..Filter::default() };
    let records =
        read(client, &filter).await.map_err(|failure| stands(failure, &followed.episode.to_string()))?;
    let over = records.iter().any(|record| seen.is_end(followed.episode, record));
    if !over {
        return Ok(None);
    }
    for record in records {
        if followed.output == Output::Table {
            show(&record, console)?;
        }
        seen.take(followed.episode, record);
    }
    Ok(Some(seen.end(followed, console)))
}

/// Reads what is new, and shows it.
async fn look(
    client: &Client,
    seen: &mut Seen,
    followed: Followed,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let after = seen.records.last().map(|record| record.seq);
    let filter = Filter { episode: Some(followed.episode), after, newest: false, ..Filter::default() };
    let before = seen.waits.clone();
    for record in read(client, &filter).await? {
        if followed.output == Output::Table {
            show(&record, console)?;
        }
        seen.take(followed.episode, record);
    }
    if !seen.over
        && let Some(waits) = seen.waits.as_ref().filter(|waits| before.as_ref() != Some(waits))
    {
        writeln!(
            console.err,
            "waiting: {}; Ctrl-C leaves the order as it is, `paramedic cancel {}` ends it",
            plain(waits),
            followed.episode
        )?;
    }
    console.out.flush()?;
    console.err.flush()?;
    Ok(())
}

/// All records that a filter finds.
pub(super) async fn read(client: &Client, filter: &Filter) -> Result<Vec<Record>, Failure> {
    Ok((client as &dyn Records).all(filter, usize::MAX).await?.0)
}

/// The connection is lost, the order is not: by its number it is found again.
pub(super) fn stands(failure: Failure, number: &str) -> Failure {
    failure.hint(format!("the order stands; what comes of it: paramedic audit show {number}"))
}

/// The daemon ended the stream.
pub(super) fn stopping(what: &str) -> Failure {
    Failure::ours(format!("the daemon is stopping; {what} goes on when it runs again"))
}

impl Seen {
    fn data(&self, episode: Seq) -> Data<'_> {
        Data { episode, conclusion: self.conclusion, records: &self.records }
    }

    fn is_end(&self, episode: Seq, record: &Record) -> bool {
        matches!(&record.event, Event::Closed { episode: closed, .. } if *closed == episode)
    }

    fn take(&mut self, episode: Seq, record: Record) {
        match &record.event {
            Event::Ruled { ruling } => {
                self.mode = Some(ruling.mode);
                self.waits = waits(ruling);
                let mut reasons = ruling.findings.iter().filter_map(|finding| finding.reason());
                self.refusal = reasons.next().map(|first| match reasons.count() {
                    0 => first.to_string(),
                    more => format!("{first}; and {more} more"),
                });
            }
            Event::Ended { intent, outcome: Outcome::Done { already: false, .. } } => {
                let done = self.records.iter().find_map(|before| match &before.event {
                    Event::Intended { intent: made } if made.id == *intent => Some(made),
                    _ => None,
                });
                let real = done.filter(|made| made.mode != Mode::DryRun && made.action.inverse().is_some());
                self.revertible.extend(real.map(|made| made.id));
            }
            Event::Cancelled { by, reason, .. } => {
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                self.cancelled_by = Some(format!("{by}{why}"));
            }
            Event::Concluded { conclusion, .. } => self.conclusion = Some(*conclusion),
            // Shown, and nothing follows from them here.
            _ => {}
        }
        self.over |= self.is_end(episode, &record);
        self.records.push(record);
    }

    fn end(self, followed: Followed, console: &mut Console<'_>) -> Result<(), Failure> {
        let Followed { episode, rehearsal, output } = followed;
        if output != Output::Table {
            console.data(output, &self.data(episode))?;
        }
        let through = self.records.iter().find_map(let_through);
        let Self { conclusion, mode, refusal, cancelled_by, revertible, .. } = self;
        if let Some(through) = through {
            writeln!(console.err, "{}", plain(&through))?;
        }
        for intent in revertible {
            writeln!(console.err, "to take it back: paramedic undo {intent}")?;
        }
        let failed = |what: &str| {
            Err(Failure::users(what).hint(format!("the whole story: paramedic audit show {episode} --all")))
        };
        match conclusion {
            Some(Conclusion::Helped) => writeln!(console.err, "it helped")?,
            Some(Conclusion::Done) => {
                writeln!(console.err, "done; nothing says how to verify it, so look for yourself")?;
            }
            Some(Conclusion::Already) => writeln!(console.err, "nothing had to be changed")?,
            Some(Conclusion::Rehearsed) => {
                let shown = mode.as_ref().map(EffectiveMode::to_string).unwrap_or_default();
                let what = format!("NOTHING WAS CHANGED, this was a rehearsal (mode {shown})");
                if !rehearsal {
                    return Err(
                        Failure::users(what).hint(only_rehearsed(mode.and_then(|mode| mode.capped_by)))
                    );
                }
                writeln!(console.err, "{what}")?;
            }
            Some(Conclusion::Refused) => {
                let why = refusal.map_or(String::new(), |why| format!(": {why}"));
                return failed(&format!("refused, nothing was done{}", plain(&why)));
            }
            Some(Conclusion::Exhausted) => return failed("it did not verify, and stopped there"),
            Some(Conclusion::Unknown) => return failed("nobody knows whether it helped; look for yourself"),
            Some(Conclusion::Failed) => return failed("it failed"),
            Some(Conclusion::Withdrawn) => {
                return failed("the policy was changed or removed meanwhile");
            }
            Some(Conclusion::TakenBack) => {
                return failed(story::concluded(Conclusion::TakenBack));
            }
            Some(Conclusion::Cancelled) => {
                let by = cancelled_by.map_or(String::new(), |by| format!(" by {}", plain(&by)));
                return failed(&format!("cancelled{by}"));
            }
            Some(Conclusion::Denied | Conclusion::Resolved) | None => return failed("it ended early"),
        }
        Ok(())
    }
}

/// Whom a freeze lets through all the same: paramedic's own account, which a person may share in a first try.
fn let_through(record: &Record) -> Option<String> {
    let Event::Intended { intent } = &record.event else { return None };
    let Action::FreezeDeploys(freeze_deploys::Action::Freeze(Freeze { wish, exempt, .. })) = &intent.action
    else {
        return None;
    };
    let group = &wish.break_glass;
    Some(match exempt.starts_with(SERVICE_ACCOUNT) {
        true => format!("let through all the same: paramedic ({exempt}) and the group {group}"),
        false => format!(
            "let through all the same: EVERYBODY who comes as `{exempt}`, the account of paramedic, and the group {group}"
        ),
    })
}

/// How the accounts of pods begin.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// What a ruling waits for.
fn waits(ruling: &Ruling) -> Option<String> {
    match ruling.verdict {
        Verdict::Hold { until } => {
            let reasons: Vec<String> = ruling
                .findings
                .iter()
                .filter_map(|finding| finding.reason())
                .map(ToString::to_string)
                .collect();
            Some(format!("{} (looked at again at {until})", reasons.join("; ")))
        }
        Verdict::Act | Verdict::Withhold | Verdict::Propose { .. } => None,
    }
}

/// Who ordered the thing itself is told why it was not done.
fn only_rehearsed(capped: Option<Cap>) -> &'static str {
    match capped {
        Some(Cap::Daemon) => {
            "the daemon's --mode is dry-run: `paramedic serve --mode enforce` acts; with --dry-run this is no failure"
        }
        Some(Cap::Storm) => "the storm lowered its mode: `paramedic status` says when that ends",
        Some(Cap::Order) => "the order asked for no more than a rehearsal",
        None => "the policy's own `mode` is dry-run; with --dry-run this is no failure",
    }
}

/// One record: what was decided and done is data, how it is waited for is talk.
pub(super) fn show(record: &Record, console: &mut Console<'_>) -> Result<(), Failure> {
    let [seq, at, kind, what] = row(record);
    let line = format!("{seq:<8} {at}  {kind:<13} {}", plain(&what));
    match &record.event {
        Event::Asked { .. } | Event::Held { .. } | Event::Looked { .. } => writeln!(console.err, "{line}")?,
        Event::Told { .. } => {}
        Event::Ruled { ruling: made } => {
            writeln!(console.out, "{line}")?;
            if made.mode.is == Mode::DryRun || made.verdict != Verdict::Act {
                writeln!(console.out, "\n{}", ruling::verdict(made))?;
                writeln!(
                    console.out,
                    "  by {} at {}, book {}",
                    made.policy,
                    made.place,
                    story::short(&made.book)
                )?;
                writeln!(console.out, "{}", ruling::shown(made, record.seq, 2))?;
            }
        }
        _ => writeln!(console.out, "{line}")?,
    }
    Ok(())
}
