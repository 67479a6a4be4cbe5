//! What comes of an approval, as it is recorded: it begins, or something keeps it from beginning. Whoever approved must
//! not walk away believing that it was done. It must never do anything itself.

use std::time::Duration;

use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::ruling::{Ruling, Verdict};

use super::console::Console;
use super::failure::Failure;
use super::records::Records;
use super::story;
use super::table::plain;
use crate::client::{Client, Stream};
use crate::journal::Filter;

/// How long it may take until it begins: twice what a question may, by default.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// What an approval led to.
enum Came {
    /// The intent, and what it is in words.
    Begun(Seq, String),
    /// Why nothing was begun, and what to do.
    Kept(String, String),
}

/// Waits a while for what comes of the approval of a proposal, given as the record `from`.
pub(super) async fn followed(
    client: &Client,
    mut stream: Stream,
    proposal: Seq,
    from: Seq,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let whole = format!("what follows: paramedic audit show {proposal}");
    let records = client as &dyn Records;
    let proposed = records.one(proposal).await?.and_then(|record| match record.event {
        Event::Ruled { ruling } => Some(ruling),
        _ => None,
    });
    let Some(proposed) = proposed else {
        return Ok(writeln!(console.err, "approved; {whole}")?);
    };
    let watched = async {
        let mut after = from;
        loop {
            let filter = Filter {
                episode: Some(proposed.episode),
                after: Some(after),
                newest: false,
                ..Filter::default()
            };
            let (found, _) = records.all(&filter, usize::MAX).await?;
            for record in found {
                after = record.seq;
                if let Some(came) = came(&record, &proposed) {
                    return Ok(came);
                }
            }
            if !stream.news().await? {
                return Err(Failure::ours("approved; the daemon is stopping").hint(whole.clone()));
            }
        }
    };
    match tokio::time::timeout(BEGINS_WITHIN, watched).await {
        Ok(came) => match came? {
            Came::Begun(intent, what) => Ok(writeln!(
                console.err,
                "approved, and begun: {}\nit is being done, and is verified then where the policy says how\nfollow it: \
                 paramedic audit tail --follow --intent {intent}\nthe whole story: paramedic audit show {proposal}",
                plain(&what)
            )?),
            Came::Kept(why, hint) => Err(Failure::users(format!("approved, but {}", plain(&why))).hint(hint)),
        },
        Err(_) => {
            let waited = BEGINS_WITHIN.as_secs();
            Err(Failure::users(format!(
                "approved, but not begun within {waited} s; it is still being decided"
            ))
            .hint(whole))
        }
    }
}

/// What a record after the approval says about it, if it does.
fn came(record: &Record, proposed: &Ruling) -> Option<Came> {
    let (episode, policy) = (proposed.episode, proposed.policy.as_str());
    match &record.event {
        Event::Intended { intent } if intent.episode == episode && intent.policy == policy => {
            let what = format!("{} on {} (intent {})", intent.action, intent.target, intent.id);
            Some(Came::Begun(intent.id, what))
        }
        Event::Ruled { ruling } if ruling.episode == episode && ruling.policy == policy => {
            let (how, hint) = match ruling.verdict {
                Verdict::Act => return None,
                Verdict::Hold { until } => (
                    format!("held until {until}"),
                    "the approval is spent; it is proposed anew when nothing holds it: see `paramedic status` then",
                ),
                Verdict::Withhold => (
                    "withheld".to_owned(),
                    "the approval is spent; it is decided anew when the alert is repeated, policies change or \
                     something is resumed",
                ),
                Verdict::Propose { .. } => (
                    format!("proposed anew, as {}", record.seq),
                    "look at what it would do now, and approve that: `paramedic status`",
                ),
            };
            Some(Came::Kept(format!("{how}{}", because(ruling)), hint.to_owned()))
        }
        Event::Held { case, .. } if case.episode == episode && case.policy == policy => Some(Came::Kept(
            "held, for the same reasons as before".to_owned(),
            "the approval is spent; `paramedic audit show` of the proposal has the reasons".to_owned(),
        )),
        Event::Concluded { case, conclusion } if case.episode == episode && case.policy == policy => {
            let how = story::concluded(*conclusion);
            let hint = format!("the whole story: paramedic audit show {episode} --all");
            Some(Came::Kept(format!("it ended before it began: {how}"), hint))
        }
        Event::Closed { episode: closed, .. } if *closed == episode => Some(Came::Kept(
            "the alert ended meanwhile; nothing was done".to_owned(),
            format!("the whole story: paramedic audit show {episode} --all"),
        )),
        // Nothing follows for the proposal.
        _ => None,
    }
}

/// The reasons of a refusal, as one sentence's end.
fn because(ruling: &Ruling) -> String {
    let mut reasons = ruling.findings.iter().filter_map(|finding| finding.reason());
    match (reasons.next(), reasons.count()) {
        (None, _) => String::new(),
        (Some(first), 0) => format!(": {first}"),
        (Some(first), more) => format!(": {first}; and {more} more"),
    }
}
