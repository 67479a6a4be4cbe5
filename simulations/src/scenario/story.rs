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

/// One line for each thing that happened, with its time.
pub(super) fn of(records: &[Record], begins: Moment) -> Vec<String> {
    let mut teller = Teller { begins, ..Teller::default() };
    let told = records.iter().filter_map(|record| {
        let line = teller.line(record)?;
        Some(format!("{} {}", since(begins, record.at), teller.plain(&line)))
    });
    told.collect()
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
            ended @ Event::Ended { .. } => transcript::line(ended).map(|line| in_words(&line)),
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
        let mut plain = String::with_capacity(line.len());
        let mut rest = line;
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
        if before.ends_with(|last: char| last.is_alphanumeric()) {
            return None;
        }
        let numbered = |word: &str| {
            let after = text.strip_prefix(word)?;
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = after.split_at(digits);
            Some((Seq(number.parse().ok()?), after))
        };
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

/// What becomes of whole objects, in words where a difference has signs.
fn in_words(line: &str) -> String {
    line.replace(" - -> created", " is created")
        .replace(" present -> deleted", " is deleted")
        .replace(" running -> evicted", " is evicted")
        .replace(" - -> ", " none -> ")
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
}
