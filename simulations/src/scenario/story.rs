//! What happened in a scenario, told as people read it: alerts by their names, actions and proposals counted from one, times
//! from the beginning. What is told does not hang on how many records there were in between, so that a transcript changes
//! only when what happens does. Says nothing that is not in the records.

use std::collections::BTreeMap;

use paramedic_policies::action::Intent;
use paramedic_policies::alert::Labels;
use paramedic_policies::event::{Closing, Event, Record, Seq};
use paramedic_policies::guard::Finding;
use paramedic_policies::order::ByHand;
use paramedic_policies::ruling::{Ruling, Verdict};
use paramedic_policies::time::Moment;

use crate::transcript;

/// What happened, and the words for whatever else is said of it.
pub(super) struct Story {
    /// One line for each thing that happened, with its time.
    pub(super) lines: Vec<String>,
    teller: Teller,
}

impl Story {
    /// What these records tell.
    pub(super) fn of(records: &[Record], begins: Moment) -> Self {
        let mut teller = Teller { begins, ..Teller::default() };
        let told = records.iter().filter_map(|record| {
            let line = teller.line(record)?;
            Some(format!("{} {}", since(begins, record.at), teller.plain(&line)))
        });
        Self { lines: told.collect(), teller }
    }

    /// A text of the records as the lines have it.
    pub(super) fn told(&self, text: &str) -> String {
        self.teller.plain(text)
    }

    /// Whether a text of the records says this, as the records have it or as the lines do.
    pub(super) fn says(&self, text: &str, part: &str) -> bool {
        text.contains(part) || self.told(text).contains(part)
    }
}

/// What was told so far.
struct Teller {
    begins: Moment,
    alerts: BTreeMap<Seq, String>,
    actions: BTreeMap<Seq, usize>,
    proposals: BTreeMap<Seq, usize>,
}

impl Default for Teller {
    fn default() -> Self {
        let begins = Moment::from_unix_ms(0);
        Self { begins, alerts: BTreeMap::new(), actions: BTreeMap::new(), proposals: BTreeMap::new() }
    }
}

impl Teller {
    fn line(&mut self, record: &Record) -> Option<String> {
        match &record.event {
            Event::Opened { labels, by_hand, .. } => {
                Some(self.opened(record.seq, labels, by_hand.as_deref()))
            }
            Event::Closed { episode, why, .. } => {
                let how = match why {
                    Closing::Resolved => "is resolved",
                    Closing::Expired => "expires",
                    Closing::Over => "is over",
                };
                Some(format!("{} {how}", self.alerts.get(episode).map_or("an alert", String::as_str)))
            }
            Event::Ruled { ruling } => self.ruled(record.seq, ruling),
            Event::Intended { intent } => Some(self.intended(intent)),
            other => transcript::line(other),
        }
    }

    fn opened(&mut self, seq: Seq, labels: &Labels, by_hand: Option<&ByHand>) -> String {
        let others: Vec<String> = labels
            .iter()
            .filter(|(name, _)| *name != "alertname")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let others = others.join(", ");
        let (name, line) = match by_hand {
            None => {
                let name = labels.get("alertname").cloned().unwrap_or_default();
                let line = format!("{name} fires: {others}");
                (name, line)
            }
            Some(ByHand { by, policy, dry_run, .. }) => {
                let only = if *dry_run { ", to see what it would do" } else { "" };
                (format!("the run of {policy}"), format!("{by} runs {policy} by hand{only}: {others}"))
            }
        };
        self.alerts.insert(seq, name);
        line
    }

    /// An act is told by its action, which follows.
    fn ruled(&mut self, seq: Seq, ruling: &Ruling) -> Option<String> {
        let Ruling { policy, action, target, findings, .. } = ruling;
        let reasons = || {
            let reasons = findings.iter().filter_map(Finding::reason).map(ToString::to_string);
            reasons.collect::<Vec<_>>().join("; ")
        };
        match ruling.verdict {
            Verdict::Act => None,
            Verdict::Propose { until } => {
                let number = self.proposals.len() + 1;
                self.proposals.insert(seq, number);
                let what = action.as_ref().map(ToString::to_string).unwrap_or_default();
                let on = target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
                Some(format!("{policy} proposes, until {until}: {what}{on} (proposal {seq})"))
            }
            // What is so already is told by how it ends.
            Verdict::Hold { .. } | Verdict::Withhold if reasons().is_empty() => None,
            Verdict::Hold { until } => Some(format!("{policy} holds until {until}: {}", reasons())),
            Verdict::Withhold => Some(format!("{policy} withholds: {}", reasons())),
        }
    }

    fn intended(&mut self, intent: &Intent) -> String {
        let number = self.actions.len() + 1;
        self.actions.insert(intent.id, number);
        let Intent { id, policy, action, target, mode, .. } = intent;
        match intent.reverts {
            Some(earlier) => {
                let what = format!("{action} on {target}");
                format!("intent {earlier} is taken back by intent {id}: {what}")
            }
            None => format!("{policy} acts ({mode}): {action} on {target} (intent {id})"),
        }
    }

    /// The line without what only a machine knows: sequences of records, and moments of a day that nobody lived.
    fn plain(&self, line: &str) -> String {
        let line = in_words(line);
        let mut plain = String::with_capacity(line.len());
        let mut rest = line.as_str();
        while !rest.is_empty() {
            if let Some((told, after)) = self.name(rest, &plain) {
                plain.push_str(&told);
                rest = after;
                continue;
            }
            let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
            let (this, after) = rest.split_at(next);
            plain.push_str(this);
            rest = after;
        }
        plain
    }

    /// What stands here in other words, and what comes after it.
    fn name<'l>(&self, text: &'l str, before: &str) -> Option<(String, &'l str)> {
        if let Some(moment) = text.get(..MOMENT).and_then(|text| text.parse::<Moment>().ok()) {
            return Some((since(self.begins, moment), &text[MOMENT..]));
        }
        let numbered = |word: &str| {
            let after = text.strip_prefix(word)?;
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = after.split_at(digits);
            Some((Seq(number.parse().ok()?), after))
        };
        // Beside its name the number of an alert is its name once more.
        if let Some((seq, after)) = numbered(" (episode ")
            && let (Some(alert), Some(after)) = (self.alerts.get(&seq), after.strip_prefix(')'))
            && before.contains(alert.as_str())
        {
            return Some((String::new(), after));
        }
        if before.ends_with(|last: char| last.is_alphanumeric()) {
            return None;
        }
        if let Some((seq, after)) = numbered("intent ") {
            return Some((format!("action {}", self.actions.get(&seq)?), after));
        }
        if let Some((seq, after)) = numbered("simulated-") {
            return Some((format!("simulated-{}", self.actions.get(&seq)?), after));
        }
        if let Some((seq, after)) = numbered("proposal ") {
            return Some((format!("proposal {}", self.proposals.get(&seq)?), after));
        }
        let (seq, after) = numbered("episode ")?;
        Some((self.alerts.get(&seq)?.clone(), after))
    }
}

/// What becomes of whole objects, and what is not there before or after, in words where a difference has signs.
fn in_words(line: &str) -> String {
    let line = line
        .replace(" - -> created", " is created")
        .replace(" present -> deleted", " is deleted")
        .replace(" running -> evicted", " is evicted")
        .replace(" - -> ", " none -> ");
    let (mut told, mut rest) = (String::with_capacity(line.len()), line.as_str());
    while let Some((before, after)) = rest.split_once(" -> -") {
        let is_alone = after.chars().next().is_none_or(|next| matches!(next, ' ' | ',' | ';' | ')'));
        told.push_str(before);
        told.push_str(if is_alone { " -> none" } else { " -> -" });
        rest = after;
    }
    told + rest
}

/// How long a moment is, as records write it.
const MOMENT: usize = "2026-11-23T09:02:00.000Z".len();

/// `+H:MM:SS` from the beginning, with days in front once there are any; what was before it has a `-`.
fn since(begins: Moment, at: Moment) -> String {
    let seconds = (at.unix_ms() - begins.unix_ms()).div_euclid(1000);
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let days = if days > 0 { format!("{days}d ") } else { String::new() };
    format!("{sign}{days}{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_without_sequences_and_moments() {
        let mut teller = Teller { begins: Moment::from_unix_ms(1_000_000), ..Teller::default() };
        teller.actions.insert(Seq(54), 1);
        teller.alerts.insert(Seq(5), "DiskFull".to_owned());
        let told = |line: &str| teller.plain(line);
        assert_eq!(told("intent 54 is under way"), "action 1 is under way");
        assert_eq!(told("paramedic-freeze-simulated-54 was made"), "paramedic-freeze-simulated-1 was made");
        assert_eq!(told("after episode 5, not 540 of intent 9"), "after DiskFull, not 540 of intent 9");
        assert_eq!(told("until 1970-01-01T00:18:40.000Z: ä"), "until +0:02:00: ä");
        assert_eq!(told("since 1970-01-01T00:16:39.000Z"), "since -0:00:01");
        assert_eq!(told("until 1970-01-08T00:16:40.000Z"), "until +7d 0:00:00");
    }

    #[test]
    fn what_is_not_there_is_none_before_and_after() {
        let told = |line: &str| Teller::default().plain(line);
        assert_eq!(
            told("done: a - -> x, b x -> -, c - -> created"),
            "done: a none -> x, b x -> none, c is created"
        );
        assert_eq!(told("limit-rps 5 -> - on prod/ingress/web"), "limit-rps 5 -> none on prod/ingress/web");
        assert_eq!(told("limit-rps 5 -> -"), "limit-rps 5 -> none");
        assert_eq!(told("offset 5 -> -5, x -> --fast"), "offset 5 -> -5, x -> --fast");
    }

    #[test]
    fn an_alert_is_named_once() {
        let mut teller = Teller::default();
        teller.alerts.insert(Seq(5), "DiskFull".to_owned());
        let told = |line: &str| teller.plain(line);
        assert_eq!(
            told("DiskFull is still open (episode 5); taken back"),
            "DiskFull is still open; taken back"
        );
        assert_eq!(told("somebody waits (episode 5)"), "somebody waits (DiskFull)");
        assert_eq!(told("DiskFull is still open (episode 6)"), "DiskFull is still open (episode 6)");
    }
}
