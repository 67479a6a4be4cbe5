//! `alertmanager-jsonl`: one webhook payload a line, as Alertmanager sent it, with `receivedAt` beside its fields. Lines are
//! in the order of their times. It reads one line at a time, by the same reader as the webhook.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use paramedic_policies::time::Moment;
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use serde::Deserialize;

use super::{LINE_BYTES_MAX, next_line, wrong};
use crate::intake::{self, Sent};
use crate::redaction::Redactor;

const HINT: &str = "each line is what Alertmanager's webhook sent, with \"receivedAt\": \"2026-11-21T08:30:00Z\" beside \
                    its fields; see ops/docs/backtest.md";

/// Webhooks of a file.
pub struct Webhooks {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    redactor: Redactor,
    line: u64,
    last: Option<Moment>,
    text: Vec<u8>,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("path", &self.path).field("line", &self.line).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    received_at: Option<Moment>,
}

impl Webhooks {
    /// The webhooks of this file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, redactor: Redactor) -> Result<Self, HistoryError> {
        let (path, lines) = (path.to_owned(), super::lines(path)?);
        Ok(Self { path, lines, redactor, line: 0, last: None, text: Vec::new() })
    }

    fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    fn heard(&mut self) -> Result<Heard, HistoryError> {
        let place = self.place();
        let received: Received = serde_json::from_slice(&self.text)
            .map_err(|error| wrong(format!("{place}: this is no webhook's payload: {error}"), HINT))?;
        let at =
            received.received_at.ok_or_else(|| wrong(format!("{place}: there is no `receivedAt`"), HINT))?;
        if let Some(last) = self.last.filter(|last| at < *last) {
            let problem = format!("{place}: it was received at {at}, and the line before it at {last}");
            return Err(wrong(problem, "sort the lines by `receivedAt`: time never goes back"));
        }
        self.last = Some(at);
        let sent = Sent { sender: "history", correlation: "", at, body: &self.text };
        let (delivery, problem) = intake::read(&sent, &self.redactor);
        match problem {
            // Also where the others of the line could be read: nothing is left out in silence.
            Some(problem) => Err(wrong(format!("{place}: {problem}"), problem.hint)),
            None => Ok(Heard { at, alerts: delivery.alerts, truncated: delivery.truncated }),
        }
    }
}

#[async_trait]
impl History for Webhooks {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        loop {
            self.line += 1;
            let place = self.place();
            if !next_line(&mut self.lines, LINE_BYTES_MAX, &mut self.text, &place)? {
                return match self.last {
                    Some(_) => Ok(None),
                    None => Err(super::hollow(&self.path, "delivery", HINT)),
                };
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                return self.heard().map(Some);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn read(text: &str) -> Result<Vec<Heard>, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("it takes text");
        let mut webhooks = Webhooks::open(file.path(), Redactor::default()).expect("it opens");
        let mut heard = Vec::new();
        loop {
            match webhooks.next().await {
                Ok(Some(one)) => heard.push(one),
                Ok(None) => return Ok(heard),
                Err(error) => return Err(error.problem.replace(&file.path().display().to_string(), "FILE")),
            }
        }
    }

    fn line(at: &str, status: &str) -> String {
        format!(
            r#"{{"receivedAt":"2026-11-21T{at}Z","version":"4","status":"{status}","alerts":[{{"status":"{status}","labels":{{"alertname":"X"}},"startsAt":"2026-11-21T08:00:00Z"}}]}}"#
        )
    }

    #[tokio::test]
    async fn each_line_is_a_delivery() {
        let text = format!("{}\n\n{}\n", line("08:00:30", "firing"), line("08:10:00", "resolved"));
        let heard = read(&text).await.expect("it reads");
        let told: Vec<String> =
            heard.iter().map(|one| format!("{} {:?}", one.at, one.alerts[0].status)).collect();
        assert_eq!(told, ["2026-11-21T08:00:30.000Z Firing", "2026-11-21T08:10:00.000Z Resolved"]);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_with_its_line() {
        let back = format!("{}\n{}", line("08:10:00", "firing"), line("08:09:00", "firing"));
        for (text, problem) in [
            ("{\"alerts\":[]}", "FILE:1: there is no `receivedAt`"),
            (
                back.as_str(),
                "FILE:2: it was received at 2026-11-21T08:09:00.000Z, and the line before it at 2026-11-21T08:10:00.000Z",
            ),
            ("[]", "FILE:1: this is no webhook's payload"),
            ("\n", "FILE holds no delivery: it does not show that nothing happened"),
        ] {
            let error = read(text).await.expect_err("it is wrong");
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
