//! What comes of an order by hand, as it is recorded: shown to whoever gave it, until it is over. It must never do
//! anything itself, and ends with the exit code of what it saw.

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::event::{Conclusion, Event, Record, Seq};
use paramedic_policies::ruling::{EffectiveMode, Verdict};
use paramedic_policies::time::Span;
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
struct Followed {
    episode: Seq,
    conclusion: Option<Conclusion>,
    records: Vec<Record>,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    records: Vec<Record>,
    conclusion: Option<Conclusion>,
    mode: Option<EffectiveMode>,
    /// What stands against it, by the last ruling.
    refusal: Option<String>,
    /// What was done that can be taken back.
    revertible: Vec<Seq>,
    over: bool,
}

/// Follows an episode to its end.
pub(super) async fn run(
    client: &Client,
    mut stream: Stream,
    episode: Seq,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let mut seen = Seen::default();
    loop {
        let after = seen.records.last().map(|record| record.seq);
        let filter = Filter { episode: Some(episode), after, newest: false, ..Filter::default() };
        let (found, _) = (client as &dyn Records).all(&filter, usize::MAX).await.map_err(|failure| {
            failure.hint(format!("the order stands; what comes of it: paramedic audit show {episode}"))
        })?;
        for record in found {
            if output == Output::Table {
                show(&record, console)?;
            }
            seen.take(episode, record);
        }
        console.out.flush()?;
        console.err.flush()?;
        if seen.over {
            break;
        }
        if !stream.news().await? {
            return Err(Failure::ours(format!(
                "the daemon is stopping; episode {episode} goes on when it runs again"
            ))
            .hint(format!("then: paramedic audit show {episode}")));
        }
    }
    seen.end(episode, output, console)
}

/// How long a revert may be held before its order counts as answered: it stays ordered.
const HELD_MAX: Span = Span::from_mins(2);

/// Follows the taking back of an intent to its end, from the record after `from`.
pub(super) async fn revert(
    client: &Client,
    mut stream: Stream,
    intent: Seq,
    from: Seq,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (mut after, mut revert) = (from, None);
    loop {
        let filter = Filter { intent: Some(intent), after: Some(after), ..Filter::default() };
        let (found, _) = (client as &dyn Records).all(&filter, usize::MAX).await.map_err(|failure| {
            failure.hint(format!("the order stands; what comes of it: paramedic audit show {intent}"))
        })?;
        for record in found {
            show(&record, console)?;
            after = record.seq;
            let hint = format!("the whole story: paramedic audit show {intent} --all");
            match record.event {
                Event::Intended { intent: made } if made.reverts == Some(intent) => revert = Some(made.id),
                Event::Ended { intent: ended, outcome } if revert == Some(ended) => match outcome {
                    Outcome::Done { .. } => {
                        console.out.flush()?;
                        writeln!(console.err, "taken back")?;
                        return Ok(());
                    }
                    Outcome::Collected { .. }
                    | Outcome::Refused { .. }
                    | Outcome::Failed { .. }
                    | Outcome::Unknown { .. } => {
                        let how = format!("taking it back {}", story::ended(&outcome));
                        return Err(Failure::users(how).hint(hint));
                    }
                },
                Event::RevertDropped { intent: dropped, why, .. } if dropped == intent => {
                    return Err(Failure::users(format!("not taken back: {why}")).hint(hint));
                }
                Event::RevertHeld { intent: held, until, why, order_over, .. } if held == intent => {
                    if order_over {
                        writeln!(console.err, "nothing had to be taken back: {}", plain(&why))?;
                        return Ok(());
                    }
                    if until.since(record.at) > HELD_MAX {
                        let what = format!("held until {until}: {why}");
                        return Err(Failure::users(what)
                            .hint("the order stands, and is followed once nothing holds it"));
                    }
                }
                // Shown, and nothing follows from them here.
                _ => {}
            }
        }
        console.out.flush()?;
        console.err.flush()?;
        if !stream.news().await? {
            return Err(Failure::ours(
                "the daemon is stopping; the order stands, and goes on when it runs again",
            )
            .hint(format!("then: paramedic audit show {intent}")));
        }
    }
}

impl Seen {
    fn take(&mut self, episode: Seq, record: Record) {
        match &record.event {
            Event::Ruled { ruling } => {
                self.mode = Some(ruling.mode);
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
            Event::Concluded { conclusion, .. } => self.conclusion = Some(*conclusion),
            Event::Closed { episode: closed, .. } => self.over |= *closed == episode,
            // Shown, and nothing follows from them here.
            _ => {}
        }
        self.records.push(record);
    }

    fn end(self, episode: Seq, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
        let Self { records, conclusion, mode, refusal, revertible, .. } = self;
        if output != Output::Table {
            console.data(output, &Followed { episode, conclusion, records })?;
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
                let mode = mode.map(|mode| mode.to_string()).unwrap_or_default();
                writeln!(console.err, "NOTHING WAS CHANGED, this was a rehearsal (mode {mode})")?;
            }
            Some(Conclusion::Refused) => {
                let why = refusal.map_or(String::new(), |why| format!(": {why}"));
                return failed(&format!("refused, nothing was done{}", plain(&why)));
            }
            Some(Conclusion::Exhausted) => return failed("it did not verify, and stopped there"),
            Some(Conclusion::Unknown) => return failed("nobody knows whether it helped; look for yourself"),
            Some(Conclusion::Failed) => return failed("it failed"),
            Some(Conclusion::Withdrawn) => return failed("the policy was changed or removed meanwhile"),
            Some(Conclusion::Denied | Conclusion::Resolved) | None => return failed("it ended early"),
        }
        Ok(())
    }
}

/// One record: what was decided and done is data, how it is waited for is talk.
fn show(record: &Record, console: &mut Console<'_>) -> Result<(), Failure> {
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
                writeln!(console.out, "{}", ruling::shown(made, 2))?;
            }
        }
        _ => writeln!(console.out, "{line}")?,
    }
    Ok(())
}
