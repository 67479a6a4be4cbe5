//! `file`: alerts with their beginnings and ends, as a JSON list or one a line, in any order: what
//! `GET /api/v2/alerts` gives, or a list somebody made. All of it is held in memory, since it has to be sorted.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use serde::Deserialize;

use super::{Refused, failed, slip, wrong};
use crate::intake::{Pairs, payload};
use crate::redaction::Redactor;

/// A larger file belongs into Prometheus, or into lines of webhooks, which are read one by one.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

const HINT: &str = "write a list of alerts, or one a line: {\"labels\": {\"alertname\": \"X\"}, \"startsAt\": \
                    \"2026-11-21T08:30:00Z\", \"endsAt\": \"2026-11-21T08:40:00Z\"}; see ops/docs/backtest.md";

/// Alerts in the order of their beginnings and ends.
#[derive(Debug)]
pub struct AlertsFile {
    /// From the last to the first, so that the next is taken from the end.
    changes: Vec<Change>,
    alerts: Vec<Alert>,
    refused: Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    at: Moment,
    is_end: bool,
    alert: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    starts_at: Moment,
    #[serde(default)]
    ends_at: Option<Moment>,
    /// Only in Alertmanager's own list.
    #[serde(default)]
    updated_at: Option<Moment>,
}

/// One that the webhook takes.
struct Taken {
    labels: Labels,
    annotations: Labels,
    starts_at: Moment,
    ended: Option<Moment>,
}

impl Written {
    /// As the webhook would have taken it.
    ///
    /// # Errors
    /// Why it would have refused it.
    fn taken(self, redactor: &Redactor, now: Moment) -> Result<Taken, String> {
        let ended = self.ended(now);
        let (mut labels, mut annotations) =
            (payload::labels(self.labels)?, payload::annotations(self.annotations)?);
        // Before they are compared: what redaction makes one alert is one.
        redactor.labels(&mut labels);
        redactor.annotations(&mut annotations);
        Ok(Taken { labels, annotations, starts_at: self.starts_at, ended })
    }

    /// When it ended. Alertmanager writes year 1 where there is no end, and for what still fires when it would forget it.
    fn ended(&self, now: Moment) -> Option<Moment> {
        let is_guess = |end: &Moment| self.updated_at.is_some_and(|updated| *end > updated);
        let is_ahead = |end: &Moment| self.starts_at <= now && *end > now;
        self.ends_at.filter(|end| *end > self.starts_at && !is_guess(end) && !is_ahead(end))
    }

    /// What is wrong with its times.
    fn problem(&self, now: Moment) -> Option<String> {
        let begins = self.starts_at;
        if begins.unix_ms() <= 0 {
            return Some(format!("`startsAt` is {begins}, when no alert began"));
        }
        if super::is_ahead(begins, now) {
            return Some(format!("`startsAt` is {begins}, and it is {now}: that is no past"));
        }
        // Year 1 is no end.
        let end = self.ends_at.filter(|end| end.unix_ms() > 0 && *end < begins)?;
        Some(format!("`endsAt` is {end}, before `startsAt` {begins}"))
    }
}

impl AlertsFile {
    /// The alerts of this file. One that begins anew at the moment of its end ends a millisecond earlier, or the two would be
    /// one; one that would end only after `now` still fires.
    ///
    /// # Errors
    /// When it cannot be read, or is no list of alerts.
    pub fn open(path: &Path, redactor: &Redactor, now: Moment) -> Result<Self, HistoryError> {
        let place = path.display().to_string();
        let mut text = Vec::new();
        let mut source = super::lines(path)?.take(BYTES_MAX + 1);
        source
            .read_to_end(&mut text)
            .map_err(|error| failed(format!("could not read {place}: {error}"), None))?;
        if text.len() as u64 > BYTES_MAX {
            let problem = format!("{place} has more than {BYTES_MAX} bytes");
            return Err(wrong(problem, "cut it into several, or use --from alertmanager-jsonl"));
        }
        let (mut written, mut refused) = (Vec::new(), Refused::default());
        for (at, one) in self::written(&text, &place, now)? {
            match one.taken(redactor, now) {
                Ok(one) => written.push(one),
                Err(problem) => refused.add(1, || format!("{at}: {problem}")),
            }
        }
        if written.is_empty() {
            return Err(refused.all(HINT).unwrap_or_else(|| super::hollow(path, "alert", HINT)));
        }
        drop(text);
        let begins: HashSet<(&Labels, Moment)> =
            written.iter().map(|one| (&one.labels, one.starts_at)).collect();
        let ends: Vec<Option<Moment>> = written
            .iter()
            .map(|one| {
                let end = one.ended?;
                let is_begin = begins.contains(&(&one.labels, end));
                Some(if is_begin { end - Span::from_ms(1) } else { end })
            })
            .collect();
        let (mut alerts, mut changes) = (Vec::with_capacity(written.len()), Vec::new());
        for (one, ends_at) in written.into_iter().zip(ends) {
            let Taken { labels, annotations, starts_at, .. } = one;
            let alert = alerts.len();
            changes.push(Change { at: starts_at, is_end: false, alert });
            changes.extend(ends_at.map(|at| Change { at, is_end: true, alert }));
            alerts.push(Alert {
                status: AlertStatus::Firing,
                labels,
                annotations,
                starts_at,
                ends_at,
                fingerprint: None,
            });
        }
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self { changes, alerts, refused })
    }

    fn alert(&self, change: Change) -> Option<Alert> {
        let mut alert = self.alerts.get(change.alert)?.clone();
        if change.is_end {
            alert.status = AlertStatus::Resolved;
        } else {
            alert.ends_at = None;
        }
        Some(alert)
    }
}

/// All of them, each with its place.
fn written(text: &[u8], place: &str, now: Moment) -> Result<Vec<(String, Written)>, HistoryError> {
    let text = super::utf8(text, place)?;
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Err(wrong(format!("{place} is empty"), HINT)),
        Some(b'[') => {
            let all: Vec<Written> =
                serde_json::from_slice(text).map_err(|error| wrong(slip::in_file(place, &error), HINT))?;
            let placed = all.into_iter().zip(1..).map(|(one, number)| {
                let place = format!("{place}: alert {number}");
                match one.problem(now) {
                    None => Ok((place, one)),
                    Some(problem) => Err(wrong(format!("{place}: {problem}"), HINT)),
                }
            });
            placed.collect()
        }
        Some(_) => {
            let lines = text.split(|byte| *byte == b'\n').enumerate();
            let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
            lines
                .map(|(number, line)| {
                    let place = format!("{place}:{}", number + 1);
                    let one: Written = serde_json::from_slice(super::utf8(line, &place)?)
                        .map_err(|error| wrong(slip::in_line(&place, "", &error), HINT))?;
                    match one.problem(now) {
                        None => Ok((place, one)),
                        Some(problem) => Err(wrong(format!("{place}: {problem}"), HINT)),
                    }
                })
                .collect()
        }
    }
}

#[async_trait]
impl History for AlertsFile {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        let Some(first) = self.changes.last().copied() else { return Ok(None) };
        let mut alerts = Vec::new();
        while let Some(change) = self.changes.last().copied().filter(|change| change.at == first.at) {
            self.changes.pop();
            alerts.extend(self.alert(change));
        }
        Ok(Some(Heard { at: first.at, alerts, truncated: 0 }))
    }

    fn doubts(&self) -> Vec<String> {
        self.refused.doubt().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Moment {
        "2026-11-21T12:00:00Z".parse().expect("a time")
    }

    #[tokio::test]
    async fn alerts_come_in_the_order_of_their_changes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"MARK[
            {"labels": {"alertname": "B"}, "startsAt": "2026-11-21T08:05:00Z", "endsAt": "0001-01-01T00:00:00Z"},
            {"labels": {"alertname": "A"}, "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T08:05:00Z"}
        ]"#;
        std::fs::write(file.path(), text.replace("MARK", "\u{feff}")).expect("it takes text");
        let mut alerts = AlertsFile::open(file.path(), &Redactor::default(), now()).expect("it opens");
        let mut told = Vec::new();
        while let Some(heard) = alerts.next().await.expect("it reads") {
            for alert in heard.alerts {
                told.push(format!("{} {} {:?}", &heard.at.to_string()[11..16], alert.name(), alert.status));
            }
        }
        assert_eq!(told, ["08:00 A Firing", "08:05 B Firing", "08:05 A Resolved"]);
    }

    #[tokio::test]
    async fn what_the_webhook_refuses_is_left_out_and_said() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"
            {"labels": {"alertname": "A", "empty": ""}, "startsAt": "2026-11-21T08:00:00Z"}
            {"labels": {"alertname": "\u001b[31mB"}, "startsAt": "2026-11-21T08:01:00Z"}
            {"labels": {}, "startsAt": "2026-11-21T08:02:00Z"}
        "#;
        std::fs::write(file.path(), text).expect("it takes text");
        let mut alerts = AlertsFile::open(file.path(), &Redactor::default(), now()).expect("it opens");
        let said = "what came of 2 alerts that the webhook refuses, which are left out (the first: FILE:3: `labels`: \
                    `alertname` has the control character U+001B)";
        let doubts = alerts.doubts().join("\n").replace(&file.path().display().to_string(), "FILE");
        assert_eq!(doubts, said);
        let heard = alerts.next().await.expect("it reads").expect("an alert");
        assert_eq!(
            heard.alerts[0].labels.keys().collect::<Vec<_>>(),
            ["alertname"],
            "an empty label is none"
        );
        assert_eq!(alerts.next().await.expect("it reads"), None);

        std::fs::write(file.path(), r#"[{"labels": {"a": 7}, "startsAt": "2026-11-21T08:01:00Z"}]"#)
            .expect("it takes text");
        let error = AlertsFile::open(file.path(), &Redactor::default(), now()).expect_err("nothing is left");
        assert!(
            error
                .problem
                .ends_with(": alert 1: `labels`: `a` is a number, not text: the webhook refuses that")
        );
    }

    #[tokio::test]
    async fn one_that_begins_anew_as_it_ends_and_one_that_still_fires_are_told_apart() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"
            {"labels": {"alertname": "A"}, "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T08:05:00Z"}
            {"labels": {"alertname": "A"}, "startsAt": "2026-11-21T08:05:00Z", "endsAt": "2026-11-21T08:10:00Z"}
            {"labels": {"alertname": "B"}, "startsAt": "2026-11-21T08:01:00Z", "endsAt": "2026-11-21T08:09:00Z",
             "updatedAt": "2026-11-21T08:05:00Z", "status": {"state": "active"}}
            {"labels": {"alertname": "C"}, "startsAt": "2026-11-21T08:02:00Z", "endsAt": "2026-11-21T12:04:00Z"}
        "#;
        std::fs::write(file.path(), text.replace(",\n             ", ", ")).expect("it takes text");
        let mut alerts = AlertsFile::open(file.path(), &Redactor::default(), now()).expect("it opens");
        let mut told = Vec::new();
        while let Some(heard) = alerts.next().await.expect("it reads") {
            for alert in heard.alerts {
                told.push(format!("{} {} {:?}", &heard.at.to_string()[11..], alert.name(), alert.status));
            }
        }
        let wanted = [
            "08:00:00.000Z A Firing",
            "08:01:00.000Z B Firing",
            "08:02:00.000Z C Firing",
            "08:04:59.999Z A Resolved",
            "08:05:00.000Z A Firing",
            "08:10:00.000Z A Resolved",
        ];
        assert_eq!(told, wanted);
    }

    #[tokio::test]
    async fn one_that_redaction_makes_another_begins_anew_as_that_one_ends() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"
            {"labels": {"user": "ada@corp.example"}, "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T08:05:00Z"}
            {"labels": {"user": "bob@corp.example"}, "startsAt": "2026-11-21T08:05:00Z"}
        "#;
        std::fs::write(file.path(), text).expect("it takes text");
        let redactor = Redactor { labels: ["user".to_owned()].into(), ..Redactor::default() };
        let mut alerts = AlertsFile::open(file.path(), &redactor, now()).expect("it opens");
        let mut told = Vec::new();
        while let Some(heard) = alerts.next().await.expect("it reads") {
            told.extend(heard.alerts.iter().map(|alert| alert.status));
        }
        assert_eq!(told, [AlertStatus::Firing, AlertStatus::Resolved, AlertStatus::Firing]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "{\"labels\":{},\"startsAt\":\"2026-11-21T08:05:00Z\"}\n{}\n")
            .expect("text");
        let error = AlertsFile::open(file.path(), &Redactor::default(), now()).expect_err("it is wrong");
        let place = file.path().display().to_string();
        assert_eq!(error.problem, format!("{place}:2:2: missing field `labels`"));
        for (times, problem) in [
            (
                r#""startsAt":"2026-11-21T08:00:00Z","endsAt":"2026-11-21T07:00:00Z""#,
                "`endsAt` is 2026-11-21T07:00:00.000Z, before `startsAt` 2026-11-21T08:00:00.000Z",
            ),
            (
                r#""startsAt":"2026-11-21T12:06:00Z""#,
                "`startsAt` is 2026-11-21T12:06:00.000Z, and it is 2026-11-21T12:00:00.000Z: that is no past",
            ),
        ] {
            std::fs::write(file.path(), format!(r#"{{"labels":{{"alertname":"A"}},{times}}}"#))
                .expect("text");
            let error = AlertsFile::open(file.path(), &Redactor::default(), now()).expect_err("no past");
            assert_eq!(error.problem, format!("{place}:1: {problem}"));
        }
        std::fs::write(file.path(), "[ ]").expect("text");
        let error = AlertsFile::open(file.path(), &Redactor::default(), now()).expect_err("nothing");
        assert_eq!(error.problem, format!("{place} holds no alert: it does not show that nothing happened"));
        let zero = r#"{"labels":{"alertname":"A"},"startsAt":"0001-01-01T00:00:00Z"}"#;
        for (text, which) in [(format!("\n{zero}\n"), ":2:"), (format!("[{zero}]"), ": alert 1:")] {
            std::fs::write(file.path(), text).expect("text");
            let error = AlertsFile::open(file.path(), &Redactor::default(), now()).expect_err("no time");
            let wanted =
                format!("{place}{which} `startsAt` is 0001-01-01T00:00:00.000Z, when no alert began");
            assert_eq!(error.problem, wanted);
        }
    }
}
