//! `alertmanager-jsonl`: one webhook payload a line, as Alertmanager sent it, with `receivedAt` beside its fields. Lines are
//! in the order of their times. It reads one line at a time, by the same reader as the webhook.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use paramedic_policies::time::Moment;
use paramedic_simulations::backtest::{Heard, History, HistoryError};
use serde::Deserialize;

use super::{LINE_BYTES_MAX, Refused, next_line, slip, wrong};
use crate::intake::{self, Sent};
use crate::redaction::Redactor;

const HINT: &str = "each line is what Alertmanager's webhook sent, with \"receivedAt\": \"2026-11-21T08:30:00Z\" beside \
                    its fields; see ops/docs/backtest.md";

/// Webhooks of a file.
pub struct Webhooks {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    redactor: Redactor,
    now: Moment,
    line: u64,
    last: Option<Moment>,
    text: Vec<u8>,
    has_alerts: bool,
    refused: Refused,
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
    /// The webhooks of this file, read at this time.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, redactor: Redactor, now: Moment) -> Result<Self, HistoryError> {
        let (path, lines) = (path.to_owned(), super::lines(path)?);
        let (has_alerts, refused) = (false, Refused::default());
        Ok(Self { path, lines, redactor, now, line: 0, last: None, text: Vec::new(), has_alerts, refused })
    }

    fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    fn heard(&mut self) -> Result<Heard, HistoryError> {
        let place = self.place();
        let received: Received = serde_json::from_slice(&self.text)
            .map_err(|error| wrong(slip::in_line(&place, "this is no webhook's payload: ", &error), HINT))?;
        let at =
            received.received_at.ok_or_else(|| wrong(format!("{place}: there is no `receivedAt`"), HINT))?;
        if super::is_ahead(at, self.now) {
            let problem = format!("{place}: `receivedAt` is {at}, and it is {}: that is no past", self.now);
            return Err(wrong(problem, HINT));
        }
        if let Some(last) = self.last.filter(|last| at < *last) {
            let problem = format!("{place}: it was received at {at}, and the line before it at {last}");
            return Err(wrong(problem, "sort the lines by `receivedAt`: time never goes back"));
        }
        self.last = Some(at);
        let sent = Sent { sender: "history", correlation: "", at, body: &self.text };
        let (delivery, problem) = intake::read(&sent, &self.redactor);
        // The daemon leaves such alerts out, and goes on: nothing is left out in silence.
        let mut are_alerts = false;
        for one in delivery.unreadable {
            let many = match (one.index, one.count) {
                (Some(_), _) => 1,
                (None, Some(count)) => usize::try_from(count).unwrap_or(usize::MAX),
                (None, None) => continue,
            };
            are_alerts = true;
            let which = one.index.map(|index| format!(" alert {index}:")).unwrap_or_default();
            self.refused.add(many, || format!("{place}:{which} {}", one.problem));
        }
        match problem.filter(|_| !are_alerts) {
            Some(problem) => Err(wrong(format!("{place}: {problem}"), problem.hint)),
            None => {
                self.has_alerts |= !delivery.alerts.is_empty();
                Ok(Heard { at, alerts: delivery.alerts, truncated: delivery.truncated })
            }
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
                let nothing_read = self.refused.all(HINT).filter(|_| !self.has_alerts);
                return match (self.last, nothing_read) {
                    (Some(_), Some(refused)) => Err(refused),
                    (Some(_), None) => Ok(None),
                    (None, _) => Err(super::hollow(&self.path, "delivery", HINT)),
                };
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                return self.heard().map(Some);
            }
        }
    }

    fn doubts(&self) -> Vec<String> {
        self.refused.doubt().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn now() -> Moment {
        "2026-11-21T12:00:00Z".parse().expect("a time")
    }

    async fn read(text: &str) -> Result<Vec<Heard>, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("it takes text");
        let mut webhooks = Webhooks::open(file.path(), Redactor::default(), now()).expect("it opens");
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
        // As editors of some systems write it.
        let text =
            format!("\u{feff}{}\r\n\n\u{feff}{}\n", line("08:00:30", "firing"), line("08:10:00", "resolved"));
        let heard = read(&text).await.expect("it reads");
        let told: Vec<String> =
            heard.iter().map(|one| format!("{} {:?}", one.at, one.alerts[0].status)).collect();
        assert_eq!(told, ["2026-11-21T08:00:30.000Z Firing", "2026-11-21T08:10:00.000Z Resolved"]);
    }

    #[tokio::test]
    async fn what_the_webhook_refuses_is_left_out_and_said() {
        let odd = |at: &str| line(at, "firing").replace("\"X\"", "\"X\\u0007\"");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let text = [line("08:00:30", "firing"), odd("08:01:00"), odd("08:02:00")].join("\n");
        file.write_all(text.as_bytes()).expect("it takes text");
        let mut webhooks = Webhooks::open(file.path(), Redactor::default(), now()).expect("it opens");
        let mut alerts = 0;
        while let Some(heard) = webhooks.next().await.expect("it reads") {
            alerts += heard.alerts.len();
        }
        let doubts = webhooks.doubts().join("\n").replace(&file.path().display().to_string(), "FILE");
        let said = "what came of 2 alerts that the webhook refuses, which are left out (the first: FILE:2: alert 0: \
                    `labels`: `alertname` has the control character U+0007)";
        assert_eq!((alerts, doubts.as_str()), (1, said));
        let error = read(&odd("08:01:00")).await.expect_err("nothing is left");
        assert!(error.contains("U+0007: the webhook refuses that"), "{error}");
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
            ("[]", "FILE:1:2: this is no webhook's payload: invalid length 0, expected an object"),
            (
                line("12:06:00", "firing").as_str(),
                "FILE:1: `receivedAt` is 2026-11-21T12:06:00.000Z, and it is 2026-11-21T12:00:00.000Z: that is no past",
            ),
            ("{\0\"\0", "FILE:1: this is UTF-16, not UTF-8"),
            ("\n", "FILE holds no delivery: it does not show that nothing happened"),
        ] {
            let error = read(text).await.expect_err("it is wrong");
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
