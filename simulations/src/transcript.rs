//! Records as a person reads them: what happened, in one line each. Questions, answers and repeated looks are left
//! out. Never decides what is recorded, and knows nothing that is not in the record.

use paramedic_policies::action::Outcome;
use paramedic_policies::counted::counted;
use paramedic_policies::event::{Advance, Closing, Conclusion, Event, Verdict as Helped};
use paramedic_policies::guard::Finding;
use paramedic_policies::ruling::{Ruling, Verdict};
use paramedic_policies::time::Moment;

/// One line about an event; none for what only machines care about.
pub fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Opened { labels, .. } => {
            format!("{} opens", labels.get("alertname").map_or("-", String::as_str))
        }
        Event::Closed { episode, why: Closing::Resolved, .. } => format!("episode {episode} is resolved"),
        Event::Closed { episode, why: Closing::Expired, .. } => format!("episode {episode} expires"),
        Event::Closed { episode, why: Closing::Over, .. } => format!("episode {episode} is over"),
        Event::Ruled { ruling } => ruled(ruling),
        Event::Intended { intent } if intent.reverts.is_some() => {
            format!("intent {}: take back: {} {}", intent.id, intent.action, intent.target)
        }
        Event::Intended { intent } => {
            format!("intent {}: {} {} ({})", intent.id, intent.action, intent.target, intent.mode)
        }
        Event::Ended { intent, outcome } => format!("intent {intent} {}", ended(outcome)),
        Event::Verified { intent, verdict, seen } => {
            let verdict = match verdict {
                Helped::Helped => "helped",
                Helped::DidNotHelp => "did not help",
                Helped::Unknown => "may have helped or not",
            };
            format!("intent {intent} {verdict}: {seen}")
        }
        Event::Advanced { case, rung, step, why, .. } => {
            let why = match why {
                Advance::NextStep => "next step",
                Advance::NextRung => "next rung",
                Advance::Relapse => "the trouble is back, next rung",
                Advance::Retry => "again",
                Advance::Again => "anew, for it lasted its time",
                Advance::NotBegun => "not begun, and no attempt",
                Advance::Already => "already so, and watched",
            };
            format!("{}: {why}: rung {}, step {}", case.policy, rung + 1, step + 1)
        }
        Event::Concluded { case, conclusion } => format!("{}: {}", case.policy, concluded(*conclusion)),
        Event::Notified { notice } => format!("{} is told: {}", notice.receiver, notice.title),
        Event::Delivered { notice, receipt } => format!("message {notice} was {}", receipt.name()),
        Event::Raised { to, why, .. } => format!("{} are told too: {why}", to.join(", ")),
        Event::Acknowledged { page, by, .. } => format!("{by} has call {page}"),
        Event::Escalated { why, notify, .. } if notify.is_empty() => format!("a person is called: {why}"),
        Event::Escalated { why, notify, .. } => format!("a person is called ({}): {why}", notify.join(", ")),
        Event::Approved { proposal, by, .. } => format!("proposal {proposal} is approved by {by}"),
        Event::Denied { proposal, by, .. } => format!("proposal {proposal} is denied by {by}"),
        Event::Lapsed { proposal } => format!("proposal {proposal} lapses"),
        Event::OrderRefused { by, why } => format!("an order of {by} is refused: {why}"),
        Event::Paused { scope, by, until: Some(until), .. } => {
            format!("{scope} is paused by {by} until {until}")
        }
        Event::Paused { scope, by, until: None, .. } => format!("{scope} is paused by {by}"),
        Event::Resumed { scope, by } => format!("{scope} is resumed by {by}"),
        Event::StormBegan { why } => format!("a storm begins: {why}"),
        Event::StormEnded => "the storm is over".to_owned(),
        Event::Quarantined { policy, rounds } => {
            format!("{policy} is quarantined: {} in a row did not help", counted(*rounds, "round"))
        }
        Event::RevertDropped { intent, why, .. } => format!("intent {intent} is not taken back: {why}"),
        Event::RevertHeld { intent, why, .. } => format!("taking intent {intent} back waits: {why}"),
        Event::RevertOrdered { intent, by, .. } => format!("{by} wants intent {intent} taken back"),
        Event::Cancelled { episode, by, .. } => format!("{by} cancels the order {episode}"),
        Event::ClockStepped { by_ms } => format!("the clock steps by {by_ms} ms"),
        Event::ClockAccepted { by } => format!("the clock is accepted by {by}"),
        Event::Received { .. }
        | Event::Asked { .. }
        | Event::Told { .. }
        | Event::Held { .. }
        | Event::Looked { .. }
        | Event::StormGoesOn { .. }
        | Event::Adopted { .. }
        | Event::Reigned { .. }
        | Event::Began { .. } => return None,
    })
}

fn ruled(ruling: &Ruling) -> String {
    let reasons: Vec<String> =
        ruling.findings.iter().filter_map(Finding::reason).map(ToString::to_string).collect();
    let what = match &ruling.action {
        Some(action) => format!("{action} ({})", ruling.mode),
        None => ruling.mode.to_string(),
    };
    match ruling.verdict {
        Verdict::Act => format!("{}: act: {what}", ruling.policy),
        Verdict::Propose { until } => format!("{}: propose until {until}: {what}", ruling.policy),
        Verdict::Hold { until } => format!("{}: hold until {until}: {}", ruling.policy, reasons.join("; ")),
        Verdict::Withhold => format!("{}: withhold: {}", ruling.policy, reasons.join("; ")),
    }
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { already: true, .. } => "done: it was so already".to_owned(),
        Outcome::Done { diff: None, .. } => "done".to_owned(),
        Outcome::Done { diff: Some(diff), .. } => {
            let fields: Vec<String> = diff
                .fields
                .iter()
                .map(|change| format!("{} {} -> {}", change.path, change.before, change.after))
                .collect();
            format!("done: {}", fields.join(", "))
        }
        Outcome::Collected { evidence } => format!("collected {} pieces of evidence", evidence.pieces.len()),
        Outcome::Refused { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("refused: {}", reasons.join("; "))
        }
        Outcome::Failed { what, applied: false, .. } => format!("failed, nothing changed: {what}"),
        Outcome::Failed { what, applied: true, .. } => format!("failed: {what}"),
        Outcome::Unknown { what } => format!("is in doubt: {what}"),
    }
}

fn concluded(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Helped => "it helped",
        Conclusion::Done => "done",
        Conclusion::Rehearsed => "rehearsed, nothing changed",
        Conclusion::Already => "nothing had to be changed",
        Conclusion::Exhausted => "no rung helped",
        Conclusion::Unknown => "nobody knows",
        Conclusion::Failed => "failed",
        Conclusion::Resolved => "the alert ended first",
        Conclusion::Withdrawn => "the policy left the book or was changed",
        Conclusion::Denied => "denied",
        Conclusion::Refused => "refused",
        Conclusion::TakenBack => "its time was over, or a person wanted it back, before it was known to help",
        Conclusion::Cancelled => "the order was cancelled",
    }
}

/// `+MM:SS` since a beginning, with hours in front once there are any.
pub fn since(beginning: Moment, at: Moment) -> String {
    let seconds = at.since(beginning).ms() / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("+{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("+{minutes:02}:{seconds:02}")
    }
}
