//! Records as sentences: what a person reads in `audit`. One line each, the numbers kept, nothing left to be looked up.

use std::fmt::Write as _;

use paramedic_policies::action::{Diff, DiffSource, Intent, Mode, Outcome};
use paramedic_policies::alert::Labels;
use paramedic_policies::answer::Found;
use paramedic_policies::counted::counted;
use paramedic_policies::event::{Advance, Closing, Conclusion, Event, Ignored, Late, Unreadable, Verdict};
use paramedic_policies::evidence::{Evidence, Kept, Piece, Series};
use paramedic_policies::guard::{Finding, Guard, Stance};
use paramedic_policies::load::built_in;
use paramedic_policies::notifications::{NoticeKind, Receipt};
use paramedic_policies::order::ByHand;
use paramedic_policies::question::Ask;
use paramedic_policies::ruling::{self, Ruling};
use paramedic_policies::time::{Moment, Span};

/// One event in one line.
pub(super) fn tell(event: &Event) -> String {
    match event {
        Event::Received { sender, receiver, alerts, repeated, unreadable, truncated, ignored, .. } => {
            // A body that could not be read is counted as one alert: what was in it is lost, though nobody knows how many.
            let (bodies, lost): (Vec<_>, Vec<_>) =
                unreadable.iter().partition(|one| one.index.is_none() && one.count.is_none());
            let alerts = alerts.saturating_sub(u32::try_from(bodies.len()).unwrap_or(u32::MAX));
            let what = if alerts == 0 && !bodies.is_empty() {
                "a body without a readable alert".to_owned()
            } else {
                counted(alerts, "alert")
            };
            let mut text = format!("{what} from {sender}");
            if !receiver.is_empty() {
                let _ = write!(text, " for receiver {receiver}");
            }
            if !repeated.is_empty() {
                let _ = write!(text, ", {} of them repeats", repeated.len());
            }
            if let Some(first) = lost.first() {
                let count = Unreadable::alerts(lost.iter().copied());
                let _ = write!(text, ", {count} unreadable: {}", first.problem);
            }
            let mark = if alerts == 0 { ':' } else { ';' };
            for body in bodies {
                let _ = write!(text, "{mark} {}", body.problem);
            }
            if *truncated > 0 {
                let _ = write!(text, ", {truncated} more left out by Alertmanager");
            }
            text += &ignoring(ignored);
            text
        }
        Event::Opened { labels, by_hand: None, .. } => format!("{} fires: {}", alert(labels), list(labels)),
        Event::Opened { labels, by_hand: Some(order), .. } => {
            let ByHand { by, policy, reason, dry_run, key: _ } = &**order;
            let does = if *dry_run { "asks what would be done by" } else { "runs" };
            format!("{by} {does} {policy} by hand{}: {}", quoted(reason), list(labels))
        }
        Event::Closed { episode, why, .. } => match why {
            Closing::Resolved => format!("episode {episode} ended: resolved"),
            Closing::Expired => format!("episode {episode} ended: nobody repeated it for too long"),
            Closing::Over => format!("episode {episode} ended: what was run by hand is over"),
        },
        Event::Asked { question } => {
            format!("asked for {}: {} ({})", question.fact, ask(&question.ask), question.case)
        }
        Event::Told { answer } => format!("answer to {}: {}", answer.question, found(&answer.found)),
        Event::Ruled { ruling } => ruled(ruling),
        Event::Held { case, until: Some(until) } => {
            format!("{case}: nothing new, looked at again at {until}")
        }
        Event::Held { case, until: None } => format!("{case}: nothing new, waits for something to change"),
        Event::Intended { intent } => intended(intent),
        Event::Ended { intent, outcome } => format!("intent {intent} {}", ended(outcome)),
        Event::Looked { intent, holds, seen, again } => {
            let holds = match holds {
                Some(true) => "holds",
                Some(false) => "does not hold yet",
                None => "is not known",
            };
            format!("check of intent {intent} {holds}: {seen}; looked at again at {again}")
        }
        Event::Verified { intent, verdict, seen } => {
            format!("intent {intent} {}: {seen}", verified(*verdict))
        }
        Event::Advanced { case, rung, step, why, .. } => {
            let why = match why {
                Advance::NextStep => "the step held",
                Advance::NextRung => "the rung did not help",
                Advance::Relapse => "the trouble came back",
                Advance::Retry => "the attempt failed without an effect",
                Advance::Again => "what was done has lasted its time, and the alert is still open",
                Advance::NotBegun => "what was decided did not begin, which is no attempt",
                Advance::Already => "it was already so, and it is looked whether that helps",
            };
            format!("{case} goes on at rung {}, step {}: {why}", rung + 1, step + 1)
        }
        Event::Concluded { case, conclusion } => format!("{case} is over: {}", concluded(*conclusion)),
        Event::Escalated { case, why, notify, about: _ } => {
            let whom = if notify.is_empty() {
                "nobody is named to be called".to_owned()
            } else {
                format!("calls {}", notify.join(", "))
            };
            let case = case.as_ref().map(|case| format!("{case}: ")).unwrap_or_default();
            format!("{case}{why}; {whom}")
        }
        Event::Notified { notice } => {
            let kind = match notice.kind {
                NoticeKind::Trigger => "is told",
                NoticeKind::Acknowledge => "is told that somebody has it",
                NoticeKind::Resolve => "is told that it is over",
            };
            format!("{} {kind}: {}", notice.receiver, notice.title)
        }
        Event::Delivered { notice, receipt } => match receipt {
            Receipt::Taken { said } => format!("message {notice} was taken: {said}"),
            Receipt::Failed { what, passing: true } => format!("message {notice} was not delivered: {what}"),
            Receipt::Failed { what, passing: false } => format!("message {notice} was refused: {what}"),
        },
        Event::Raised { page, to, why } => format!("call {page}: {why}; {} told too", to.join(", ")),
        Event::Acknowledged { page, by, comment } => format!("{by} has call {page}{}", quoted(comment)),
        Event::Approved { proposal, by, comment } => {
            format!("{by} approved proposal {proposal}{}", quoted(comment))
        }
        Event::Denied { proposal, by, comment } => {
            format!("{by} denied proposal {proposal}{}", quoted(comment))
        }
        Event::Lapsed { proposal } => format!("nobody answered proposal {proposal} in time"),
        Event::OrderRefused { by, why } => format!("an order of {by} was refused: {why}"),
        Event::Paused { scope, by, until, reason } => {
            let until = until.map_or("until resumed".to_owned(), |until| format!("until {until}"));
            format!("{by} paused {scope} {until}{}", quoted(reason))
        }
        Event::Resumed { scope, by } => format!("{by} resumed {scope}"),
        Event::Adopted { digest, source, by } => {
            let mode = source.settings.mode;
            let by = by.as_ref().map(|by| format!(", loaded by {by}")).unwrap_or_default();
            let written = source.files.iter().filter(|file| !built_in::is_own(&file.path)).count();
            format!(
                "policies of {} in force, mode {mode}, book {}{by}",
                counted(written, "file"),
                short(digest)
            )
        }
        Event::StormBegan { why } => format!("storm: {why}"),
        Event::StormGoesOn { again } => format!("the storm goes on; looked at again at {again}"),
        Event::StormEnded => "the storm is over".to_owned(),
        Event::Quarantined { policy, rounds } => {
            format!(
                "{policy} acts no more until resumed: {} in a row did not help",
                counted(*rounds, "round")
            )
        }
        Event::RevertDropped { intent, into, why } => {
            let into = into.map(|into| format!("; intent {into} takes it back")).unwrap_or_default();
            format!("intent {intent} is not taken back: {why}{into}")
        }
        Event::RevertHeld { intent, until, why, .. } => {
            format!("taking back intent {intent} waits until {until}: {why}")
        }
        Event::RevertOrdered { intent, by, reason, only, of } => {
            let what = of.as_ref().map(|of| format!(" ({} on {})", of.action, of.target)).unwrap_or_default();
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            let only = if only.is_empty() { String::new() } else { format!(", of it {}", only.join(", ")) };
            format!("{by} wants intent {intent}{what} taken back now{only}{}", quoted(reason))
        }
        Event::Cancelled { episode, by, reason } => {
            format!(
                "{by} does not want any more what was ordered by hand in episode {episode}{}",
                quoted(reason)
            )
        }
        Event::Reigned { leader: true, epoch } => format!("this process leads (epoch {epoch})"),
        Event::Reigned { leader: false, epoch } => format!("this process does not lead (epoch {epoch})"),
        Event::Began { version } => format!("paramedic {version} started"),
        Event::ClockStepped { by_ms } => {
            let (by, way) =
                (Span::from_ms(by_ms.unsigned_abs()), if *by_ms < 0 { "back" } else { "forward" });
            format!("the wall clock went {way} by {by}; nothing acts until an operator accepts it")
        }
        Event::ClockAccepted { by } => format!("{by} accepted the clock"),
    }
}

/// The alerts of a delivery that changed nothing, as the end of its sentence.
fn ignoring(ignored: &Ignored) -> String {
    let mut text = String::new();
    if let Some(first) = ignored.listed.first() {
        let _ = write!(text, ", {} ignored as late: {}", ignored.late, late(first));
    }
    if ignored.not_open > 0 {
        let _ = write!(text, ", {} resolved and not open", ignored.not_open);
    }
    if ignored.duplicate > 0 {
        let _ = write!(text, ", {} twice in it", ignored.duplicate);
    }
    text
}

/// Why an alert that fires opened nothing.
pub(super) fn late(late: &Late) -> String {
    let Late { episode, closed_at, until } = late;
    let episode =
        episode.map_or("its episode".to_owned(), |episode| format!("episode {episode} of this alert"));
    format!(
        "{episode} ended at {closed_at}, and what began before that end is taken for a late delivery of what is over until \
         {until}; a delivery from then on opens it again"
    )
}

fn ruled(ruling: &Ruling) -> String {
    let mut text = format!(
        "{} on {}",
        ruling.policy,
        ruling.target.as_ref().map_or("no target".to_owned(), ToString::to_string)
    );
    let doing = ruling.action.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    let _ = match ruling.verdict {
        ruling::Verdict::Act if ruling.mode.is == Mode::DryRun => {
            write!(text, ": would {doing} ({})", ruling.mode)
        }
        ruling::Verdict::Act => write!(text, ": {doing}"),
        ruling::Verdict::Hold { until } => write!(text, ": waits until {until}, {}", refusals(ruling)),
        ruling::Verdict::Withhold => write!(text, ": withheld, {}", refusals(ruling)),
        ruling::Verdict::Propose { until } => {
            write!(text, ": proposes {doing} ({}), waits for approval until {until}", ruling.mode)
        }
    };
    text
}

/// What stands against it; the first two in full.
fn refusals(ruling: &Ruling) -> String {
    let refused: Vec<String> =
        ruling.findings.iter().filter(|finding| finding.reason().is_some()).map(finding).collect();
    match refused.as_slice() {
        [] if ruling.action.is_none() => "nothing to do: the wanted state already holds".to_owned(),
        [] => "not every guard was asked".to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one}; {two}"),
        [one, two, rest @ ..] => format!("{one}; {two}; and {} more", rest.len()),
    }
}

fn finding(finding: &Finding) -> String {
    format!("{}: {}", guard(finding.guard), stance(&finding.stance))
}

/// A guard's name: as a policy writes it where it is of a key, else as in records.
pub(super) fn guard(guard: Guard) -> String {
    if let Some((_, key)) = KEYS.iter().find(|(of, _)| *of == guard) {
        return (*key).to_owned();
    }
    match serde_json::to_value(guard) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => format!("{guard:?}"),
    }
}

/// Guards whose names in records are not the keys that people know from their policies.
const KEYS: [(Guard, &str); 4] = [
    (Guard::Lets, "let"),
    (Guard::Conditions, "when"),
    (Guard::BlastTargets, "blastRadius.targets"),
    (Guard::BlastUnavailable, "blastRadius.unavailable"),
];

/// What a guard says, in words.
pub(super) fn stance(stance: &Stance) -> String {
    match stance {
        Stance::Allows { detail } if detail.is_empty() => "nothing to check".to_owned(),
        Stance::Allows { detail } => detail.clone(),
        Stance::Refuses { reason } => reason.to_string(),
        Stance::NotAsked => "not asked, since another guard refuses".to_owned(),
    }
}

fn intended(intent: &Intent) -> String {
    let Intent { action, target, policy, mode, .. } = intent;
    let mut text = match intent.reverts {
        Some(of) => format!("{action} on {target}, taking back intent {of}"),
        None => format!("{action} on {target} for {policy}, episode {}", intent.episode),
    };
    if *mode == Mode::DryRun {
        text.insert_str(0, "rehearse: ");
    }
    if let Some(by) = &intent.approved_by {
        let _ = write!(text, ", approved by {by}");
    }
    text
}

/// How an effect ended.
pub(super) fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { already: true, .. } => "done: nothing had to be changed".to_owned(),
        Outcome::Done { diff: Some(found), .. } if !found.fields.is_empty() => match found.source {
            DiffSource::Applied => format!("done: {}", diff(found)),
            // A rehearsal: whoever reads "done" at night believes that something was changed.
            DiffSource::ServerDryRun | DiffSource::Computed { .. } => {
                format!("rehearsed, nothing was changed; would be: {}", diff(found))
            }
        },
        Outcome::Done { .. } => "done".to_owned(),
        Outcome::Collected { evidence } => collected(evidence),
        Outcome::Refused { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("refused before anything changed: {}", reasons.join("; "))
        }
        Outcome::Failed { what, applied: false, .. } => format!("failed without an effect: {what}"),
        Outcome::Failed { what, applied: true, diff: Some(left) } => {
            format!("failed after a change: {what}; {}", diff(left))
        }
        Outcome::Failed { what, applied: true, diff: None } => format!("failed after a change: {what}"),
        Outcome::Unknown { what } => {
            format!("ended unknown, so it counts as done and is not repeated: {what}")
        }
    }
}

/// What was collected, and what was not.
fn collected(evidence: &Evidence) -> String {
    let is_missing = |piece: &&Piece| matches!(piece.found, Kept::Missing { .. });
    let names =
        |pieces: Vec<&Piece>| pieces.iter().map(|piece| piece.name.as_str()).collect::<Vec<_>>().join(", ");
    let (missing, kept): (Vec<&Piece>, Vec<&Piece>) = evidence.pieces.iter().partition(is_missing);
    let mut text = match kept.is_empty() {
        true => "collected nothing".to_owned(),
        false => format!("collected {}", names(kept)),
    };
    if !missing.is_empty() {
        let _ = write!(text, "; could not have {}", names(missing));
    }
    if !evidence.left_out.is_empty() {
        let _ = write!(text, "; no room for {}", counted(evidence.left_out.len(), "more part"));
    }
    text
}

/// Values over a time, one series a line: the first, the least, the most and the last.
pub(super) fn values(series: &[Series]) -> String {
    if series.is_empty() {
        return "no series".to_owned();
    }
    let one = |one: &Series| {
        let known = || one.points.iter().map(|(_, value)| value.0).filter(|value| value.is_finite());
        let (least, most) =
            (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        let ends = match (one.points.first(), one.points.last()) {
            (Some((from, first)), Some((to, last))) => format!("{first} at {from}, {last} at {to}"),
            _ => "no values".to_owned(),
        };
        let between = if least <= most { format!(", from {least} to {most}") } else { String::new() };
        format!("{}: {ends}{between} ({})", list(&one.labels), counted(one.points.len(), "value"))
    };
    series.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// A difference in one line.
pub(super) fn diff(diff: &Diff) -> String {
    let fields: Vec<String> = diff
        .fields
        .iter()
        .map(|field| format!("{}: {} -> {}", field.path, field.before, one_line(&field.after)))
        .collect();
    format!("{}{}", fields.join(", "), source(&diff.source))
}

/// A value of several lines, such as the end of a log, by its last one; `--output json` has all of it.
fn one_line(value: &str) -> String {
    let mut lines = value.lines();
    match (lines.next_back(), lines.count()) {
        (Some(last), before @ 1..) => format!("({before} lines, then) {last}"),
        (Some(only), 0) => only.to_owned(),
        (None, _) => String::new(),
    }
}

/// How a difference is known, where that is not by doing it.
pub(super) fn source(source: &DiffSource) -> String {
    match source {
        DiffSource::Applied => String::new(),
        DiffSource::ServerDryRun => " (by the API server's dry run)".to_owned(),
        DiffSource::Computed { because } => format!(" (computed here: {because})"),
    }
}

/// What a verification came to.
pub(super) fn verified(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Helped => "helped",
        Verdict::DidNotHelp => "did not help",
        Verdict::Unknown => "helped or not, nobody knows",
    }
}

/// How a case ended.
pub(super) fn concluded(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Helped => "it helped",
        Conclusion::Done => "it was done; nothing says how to verify it",
        Conclusion::Rehearsed => "rehearsed in dry-run, nothing was changed",
        Conclusion::Already => "nothing had to be changed",
        Conclusion::Exhausted => "no rung of the ladder helped",
        Conclusion::Unknown => "nobody knows whether it helped",
        Conclusion::Failed => "the action failed",
        Conclusion::Resolved => "the alert ended first",
        Conclusion::Withdrawn => "the policy is no longer in force, or was changed",
        Conclusion::Denied => "an operator denied it",
        Conclusion::Refused => "a guard refused what was run by hand",
        Conclusion::TakenBack => {
            "its time was over, or a person wanted it back, before anybody knew whether it helped"
        }
        Conclusion::Cancelled => "the order was cancelled",
    }
}

/// What was asked.
pub(super) fn ask(ask: &Ask) -> String {
    match ask {
        Ask::Query { promql } => promql.clone(),
        Ask::Seek { sought } => sought.to_string(),
        Ask::Preflight { target, .. } => format!("what would be done to {target}"),
        Ask::Rollout { target } => format!("whether the rollout of {target} is complete"),
        Ask::Http { url } => url.clone(),
    }
}

/// What came back.
pub(super) fn found(found: &Found) -> String {
    match found {
        Found::Series(series) => match series.as_slice() {
            [] => "no series".to_owned(),
            [one] => one.value.to_string(),
            many => format!("{} series", many.len()),
        },
        Found::Target(target) => target.to_string(),
        Found::Preflight(preflight) => match (&preflight.action, preflight.refusals.as_slice()) {
            (_, [first, ..]) => format!("refused: {first}"),
            (Some(action), []) => action.to_string(),
            (None, []) => "nothing to do".to_owned(),
        },
        Found::Rollout { complete: true, detail } => format!("complete, {detail}"),
        Found::Rollout { complete: false, detail } => format!("not complete, {detail}"),
        Found::Http { status } => format!("status {status}"),
        Found::Absent { what } => format!("there is no {what}"),
        Found::Failed { what } => format!("not known: {what}"),
    }
}

/// `alertname`, or what stands for it.
pub(super) fn alert(labels: &Labels) -> &str {
    labels.get("alertname").map_or("an alert without alertname", String::as_str)
}

/// The other labels, in Prometheus' own form.
pub(super) fn list(labels: &Labels) -> String {
    let pairs = labels.iter().filter(|(name, _)| *name != "alertname");
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value:?}")).collect();
    if pairs.is_empty() { "no other labels".to_owned() } else { pairs.join(" ") }
}

/// The beginning of a digest, as people say it.
pub(super) fn short(digest: &impl ToString) -> String {
    digest.to_string().chars().take(12).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" (\"{text}\")") }
}

/// How long after `from`, as a person would say it.
pub(super) fn later(from: Moment, at: Moment) -> String {
    let span = at.since(from);
    let whole = if span < Span::from_secs(10) { span } else { Span::from_secs(span.ms() / 1000) };
    format!("+{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_could_not_be_read_is_no_alert() {
        let told = |alerts: u32, unreadable: &[(Option<u32>, &str)]| {
            let unreadable = unreadable.iter().map(|(index, problem)| Unreadable {
                index: *index,
                problem: (*problem).to_owned(),
                count: None,
            });
            tell(&Event::Received {
                sender: "anonymous".to_owned(),
                receiver: String::new(),
                group_key: String::new(),
                correlation: String::new(),
                alerts,
                repeated: Vec::new(),
                unreadable: unreadable.collect(),
                truncated: 0,
                ignored: Default::default(),
            })
        };
        assert_eq!(
            told(1, &[(None, "the body is empty")]),
            "a body without a readable alert from anonymous: the body is empty"
        );
        assert_eq!(
            told(3, &[(Some(2), "is a number"), (None, "`truncatedAlerts` is text")]),
            "2 alerts from anonymous, 1 unreadable: is a number; `truncatedAlerts` is text"
        );
        assert_eq!(told(1, &[(Some(0), "is null")]), "1 alert from anonymous, 1 unreadable: is null");
    }
}
