//! `file`: alerts with their beginnings and ends, as a JSON list or one a line, in any order: what
//! `GET /api/v2/alerts` gives, or a list somebody made. All of it is held in memory, since it has to be sorted.

use std::io::{BufRead, Read};
use std::path::Path;

use async_trait::async_trait;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::time::Moment;
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use serde::Deserialize;

use super::{failed, wrong};
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
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: Moment,
    #[serde(default)]
    ends_at: Option<Moment>,
}

impl AlertsFile {
    /// The alerts of this file, each ended by `until` at the latest that has no end by then.
    ///
    /// # Errors
    /// When it cannot be read, or is no list of alerts.
    pub fn open(path: &Path, redactor: &Redactor) -> Result<Self, HistoryError> {
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
        let written = written(&text, &place)?;
        drop(text);
        let (mut alerts, mut changes) = (Vec::with_capacity(written.len()), Vec::new());
        for one in written {
            let Written { mut labels, mut annotations, starts_at, ends_at } = one;
            redactor.labels(&mut labels);
            redactor.annotations(&mut annotations);
            // Alertmanager writes year 1 where there is no end.
            let ends_at = ends_at.filter(|end| *end > starts_at);
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
        Ok(Self { changes, alerts })
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

fn written(text: &[u8], place: &str) -> Result<Vec<Written>, HistoryError> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let bad = |place: String, error: serde_json::Error| wrong(format!("{place}: {error}"), HINT);
    match first {
        None => Err(wrong(format!("{place} is empty"), HINT)),
        Some(b'[') => serde_json::from_slice(text).map_err(|error| bad(place.to_owned(), error)),
        Some(_) => {
            let lines = text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.as_ref().is_ok_and(|line| !line.trim().is_empty()));
            lines
                .map(|(number, line)| {
                    let line = line.unwrap_or_default();
                    let place = format!("{place}:{}", number + 1);
                    serde_json::from_str(&line).map_err(|error| bad(place, error))
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn alerts_come_in_the_order_of_their_changes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"[
            {"labels": {"alertname": "B"}, "startsAt": "2026-11-21T08:05:00Z", "endsAt": "0001-01-01T00:00:00Z"},
            {"labels": {"alertname": "A"}, "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T08:05:00Z"}
        ]"#;
        std::fs::write(file.path(), text).expect("it takes text");
        let mut alerts = AlertsFile::open(file.path(), &Redactor::default()).expect("it opens");
        let mut told = Vec::new();
        while let Some(heard) = alerts.next().await.expect("it reads") {
            for alert in heard.alerts {
                told.push(format!("{} {} {:?}", &heard.at.to_string()[11..16], alert.name(), alert.status));
            }
        }
        assert_eq!(told, ["08:00 A Firing", "08:05 B Firing", "08:05 A Resolved"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "{\"labels\":{},\"startsAt\":\"2026-11-21T08:05:00Z\"}\n{}\n")
            .expect("text");
        let error = AlertsFile::open(file.path(), &Redactor::default()).expect_err("it is wrong");
        let place = file.path().display().to_string();
        assert_eq!(error.problem, format!("{place}:2: missing field `labels` at line 1 column 2"));
    }
}
