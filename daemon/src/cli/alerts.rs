//! Alerts as people have them at hand: one alert, a webhook's payload, or what `GET /api/v2/alerts` answers; in JSON or
//! YAML, or one of these a line. Each is read as the webhook reads it, which refuses some, but for a status: where none is
//! written, it fires until its `endsAt`.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use paramedic_policies::alert::Alert;
use paramedic_policies::time::Moment;
use serde_json::Value;

use super::failure::Failure;
use crate::intake::payload;

mod written;

/// How long Alertmanager may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// How much is read of a file: a storm of tens of thousands of alerts is smaller.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Alerts as the webhook takes them.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) alerts: Vec<Alert>,
    /// Why each of those is left out that the webhook refuses.
    pub(super) refused: Vec<String>,
    /// What else than their words was read out of some.
    pub(super) remarks: Vec<String>,
}

/// The alerts of a file; `-` is standard input.
pub(super) fn read(path: &Path, now: Moment) -> Result<Heard, Failure> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let opened: std::io::Result<Box<dyn std::io::Read>> = if path == Path::new("-") {
        Ok(Box::new(std::io::stdin()))
    } else {
        std::fs::File::open(path).map(|file| Box::new(file) as Box<dyn std::io::Read>)
    };
    opened
        .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| Failure::users(format!("could not read {shown}: {error}")))?;
    let heard = parse(&text, now).map_err(|problem| {
        Failure::users(format!("{shown}: {problem}")).hint(
            "give one alert (an object with `labels`), a webhook payload, or the answer of /api/v2/alerts, as JSON or YAML, or \
             one of these a line, as JSON",
        )
    })?;
    match (heard.alerts.is_empty(), heard.refused.first()) {
        (true, Some(problem)) => Err(Failure::users(format!("{shown}: {problem}"))
            .hint("the webhook refuses it too, and nothing would be done for it")),
        _ => Ok(heard),
    }
}

/// Everything that fires at an Alertmanager, silenced and inhibited alerts left out: those are never sent.
pub(super) async fn firing(url: &str, now: Moment) -> Result<Heard, Failure> {
    if let Err(error) = reqwest::Url::parse(url) {
        return Err(Failure::users(format!("the URL of Alertmanager is none: {error}"))
            .hint("write it such as http://alertmanager:9093"));
    }
    let failed = |problem: String| {
        Failure::ours(format!("could not ask Alertmanager at {}: {problem}", shown(url)))
            .hint("is the URL right? it is the one of Alertmanager's own page, path prefix included")
    };
    let text = asked(url, FIRING).await.map_err(failed)?;
    let mut heard = parse(&text, now).map_err(failed)?;
    heard.alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(heard)
}

/// What fires, silenced and inhibited alerts left out.
pub(super) const FIRING: &str = "/api/v2/alerts?active=true&silenced=false&inhibited=false";

/// What an Alertmanager answers: no other place that it sends us to, and no more than a storm is.
///
/// # Errors
/// Why there is no answer, in words without the URL: it may hold a password.
pub(super) async fn asked(url: &str, path: &str) -> Result<String, String> {
    let root = |error: reqwest::Error| crate::client::root(&error);
    let http = reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let request = http.get(format!("{}{path}", url.trim_end_matches('/')));
    let mut response = request.send().await.map_err(root)?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(root)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > BYTES_MAX {
            return Err(format!("its answer is longer than {BYTES_MAX} bytes"));
        }
    }
    String::from_utf8(bytes).map_err(|_| "its answer is no text".to_owned())
}

/// A URL as it may be shown: without the name and the password in it.
pub(super) fn shown(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else { return "an address that is no URL".to_owned() };
    // Neither fails for a URL that has a host; one without has neither.
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    parsed.as_str().trim_end_matches('/').to_owned()
}

fn parse(text: &str, now: Moment) -> Result<Heard, String> {
    let mut heard = Heard::default();
    for value in written::values(text)? {
        heard.take(value, now)?;
    }
    Ok(heard)
}

impl Heard {
    /// The alerts of one value: an alert, a list of them, or a payload.
    fn take(&mut self, value: Value, now: Moment) -> Result<(), String> {
        let mut group = None;
        let items = match value {
            Value::Array(items) => items,
            Value::Object(mut fields) => match fields.remove("alerts") {
                Some(Value::Array(items)) => {
                    if let Some(Value::String(status)) = fields.remove("status") {
                        group = Some(status);
                    }
                    items
                }
                Some(_) => return Err("`alerts` is not a list".to_owned()),
                None if fields.contains_key("labels") => vec![Value::Object(fields)],
                None => return Err("there is neither `labels` nor `alerts`".to_owned()),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err("this is no alert".to_owned());
            }
        };
        for item in items {
            let index = self.alerts.len() + self.refused.len();
            match alert(item, group.as_deref(), now) {
                Ok((alert, remark)) => {
                    self.remarks.extend(remark.map(|remark| format!("alert {index}: {remark}")));
                    self.alerts.push(alert);
                }
                Err(problem) => self.refused.push(format!("alert {index}: {problem}")),
            }
        }
        Ok(())
    }
}

/// The alert, and what else than its words was read out of it.
fn alert(mut item: Value, group: Option<&str>, now: Moment) -> Result<(Alert, Option<String>), String> {
    let end = item.get("endsAt").and_then(Value::as_str).and_then(|at| at.parse::<Moment>().ok());
    // Year 1 is no end.
    let end = end.filter(|end| end.unix_ms() > 0);
    let mut remark = None;
    if let Some(fields) = item.as_object_mut() {
        match (fields.get("status"), group) {
            // A webhook has a word here, the API an object, with which all fire that it lists.
            (Some(Value::Object(_)), _) => {
                fields.insert("status".to_owned(), "firing".into());
            }
            // So clients of Alertmanager say that it is over, and so does a file for `backtest`.
            (None | Some(Value::Null), None) => {
                if let Some(end) = end.filter(|end| *end <= now) {
                    fields.insert("status".to_owned(), "resolved".into());
                    remark = Some(format!("it has no `status`, and ended by its `endsAt` at {end}"));
                }
            }
            (Some(_) | None, _) => {}
        }
    }
    let read = payload::one(&item, group.unwrap_or("firing"), now)?;
    if let Some(end) = end.filter(|end| read.ends_at.is_some_and(|read| read < *end)) {
        remark =
            Some(format!("its `endsAt` {end} is still to come: as the webhook does, it is taken to end now"));
    }
    Ok((read, remark))
}

#[cfg(test)]
mod tests {
    use paramedic_policies::alert::AlertStatus;

    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        let now = Moment::from_unix_ms(0);
        let heard = parse(text, now)?;
        match heard.refused.first() {
            Some(problem) => Err(problem.clone()),
            None => Ok(heard.alerts.iter().map(|alert| alert.name().to_owned()).collect()),
        }
    }

    #[test]
    fn an_alert_is_read_in_every_form_people_have_it() {
        let one = r#"{"labels": {"alertname": "A"}}"#;
        assert_eq!(names(one).expect("one alert"), ["A"]);
        assert_eq!(names("labels: {alertname: A}\n").expect("YAML"), ["A"]);
        assert_eq!(names(&format!(r#"{{"version": "4", "alerts": [{one}]}}"#)).expect("a payload"), ["A"]);
        let api = r#"[{"labels": {"alertname": "A"}, "status": {"state": "active", "silencedBy": []}, "startsAt": "2026-11-21T08:30:00.120Z"}]"#;
        assert_eq!(names(api).expect("the API's answer"), ["A"]);
    }

    #[test]
    fn an_alert_a_line_is_read_as_backtest_reads_it() {
        let line = |name: &str| {
            format!(r#"{{"labels": {{"alertname": "{name}"}}, "startsAt": "1969-11-21T08:30:00Z"}}"#)
        };
        let text = format!("{}\n\n{}\r\n", line("A"), line("B"));
        assert_eq!(names(&text).expect("two alerts"), ["A", "B"]);
        let hook = format!(r#"{{"receivedAt": "1969-11-21T08:30:00Z", "alerts": [{}]}}"#, line("C"));
        assert_eq!(names(&format!("{hook}\n{hook}\n")).expect("two payloads"), ["C", "C"]);
        let problem = names(&format!("{}\n{{\"labels\": \n", line("A"))).expect_err("the second is cut");
        assert_eq!(problem, "2:10: EOF while parsing a value");
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        let twice = r#"{"labels": {"alertname": "A", "job": "a", "job": "b"}}"#;
        assert_eq!(names(twice).expect_err("twice"), "1:43: the key `job` is there twice, first on line 1");
        let problem = names(&format!("{twice}\n{twice}\n")).expect_err("twice");
        assert!(
            problem.starts_with("1:") && problem.ends_with(": the key `job` is there twice"),
            "{problem}"
        );
    }

    #[test]
    fn an_end_in_the_past_ends_what_has_no_status() {
        let now: Moment = "2026-11-21T09:00:00Z".parse().expect("a time");
        let read = |more: &str| {
            let heard =
                parse(&format!(r#"{{"labels": {{"alertname": "A"}}, {more}}}"#), now).expect("an alert");
            (heard.alerts[0].status == AlertStatus::Resolved, heard.remarks.join("; "))
        };
        let (over, said) = read(r#""endsAt": "2026-11-21T08:00:00Z""#);
        let why = "alert 0: it has no `status`, and ended by its `endsAt` at 2026-11-21T08:00:00.000Z";
        assert_eq!((over, said.as_str()), (true, why));
        for fires in [
            r#""endsAt": "0001-01-01T00:00:00Z""#,
            r#""endsAt": "2026-11-21T09:04:00Z""#,
            r#""endsAt": "2026-11-21T08:00:00Z", "status": "firing""#,
            r#""endsAt": "2026-11-21T08:00:00Z", "status": {"state": "active"}"#,
        ] {
            assert_eq!(read(fires), (false, String::new()), "{fires}");
        }
        let (over, said) = read(r#""status": "resolved", "endsAt": "2026-11-21T12:00:00Z""#);
        assert!(
            over && said.contains("is still to come: as the webhook does, it is taken to end now"),
            "{said}"
        );
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(shown("http://user:secretpw@alerts.test:9093/prefix/"), "http://alerts.test:9093/prefix");
        assert_eq!(shown("http://alerts.test:9093"), "http://alerts.test:9093");
        assert_eq!(shown("//user:secretpw@alerts"), "an address that is no URL");
    }

    #[test]
    fn what_is_no_alert_says_so() {
        for (text, why) in [
            ("", "there is nothing in it"),
            ("7", "this is no alert"),
            ("{}", "there is neither `labels` nor `alerts`"),
            (r#"{"alerts": 1}"#, "`alerts` is not a list"),
            (r#"[{"labels": {"a": 1}}]"#, "alert 0: `labels`: `a` is a number, not text"),
            (r#"[7]"#, "alert 0: is a number, not an object"),
        ] {
            assert_eq!(names(text).expect_err("no alert"), why);
        }
    }

    #[test]
    fn what_the_webhook_refuses_or_changes_is_refused_or_changed_alike() {
        let now: Moment = "2026-11-21T09:00:00Z".parse().expect("a time");
        let long = "x".repeat(5000);
        let alerts = [
            r#"{"status": "firing", "labels": {"alertname": "A", "empty": ""}, "annotations": {"a": "b\u0007"}, "fingerprint": "../x"}"#.to_owned(),
            r#"{"status": "resolved", "labels": {"alertname": "B"}, "endsAt": "2026-11-21T08:00:00Z"}"#.to_owned(),
            r#"{"status": "firing", "labels": {"alertname": "\u001b[31mC"}}"#.to_owned(),
            format!(r#"{{"status": "firing", "labels": {{"alertname": "D", "query": "{long}"}}}}"#),
            r#"{"status": "firing", "labels": {}}"#.to_owned(),
            r#"{"status": "gone", "labels": {"alertname": "E"}}"#.to_owned(),
            r#"{"status": "firing", "labels": {"alertname": "F"}, "startsAt": "soon"}"#.to_owned(),
        ];
        let body = format!(r#"{{"version": "4", "status": "firing", "alerts": [{}]}}"#, alerts.join(","));
        let webhook = payload::read(body.as_bytes(), now).expect("a payload");
        let heard = parse(&body, now).expect("alerts");
        assert_eq!((heard.alerts.len(), &heard.alerts), (2, &webhook.alerts));
        let refused: Vec<String> = webhook
            .unreadable
            .iter()
            .map(|one| format!("alert {}: {}", one.index.unwrap_or_default(), one.problem))
            .collect();
        assert_eq!(heard.refused, refused);
        let resolved = parse(r#"{"status": "resolved", "alerts": [{"labels": {"alertname": "G"}}]}"#, now);
        assert!(resolved.expect("alerts").alerts.iter().all(|one| one.status == AlertStatus::Resolved));
    }
}
