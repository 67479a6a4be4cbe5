//! Alerts as people have them at hand: one alert, a webhook's payload, or what `GET /api/v2/alerts` answers; in JSON or
//! YAML. Read leniently: nothing here is ever acted on.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::load::yaml;
use paramedic_policies::time::Moment;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;

/// How long Alertmanager may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// How much is read of a file: a storm of tens of thousands of alerts is smaller.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    starts_at: Option<Moment>,
    #[serde(default)]
    fingerprint: Option<String>,
}

/// The alerts of a file; `-` is standard input.
pub(super) fn read(path: &Path, now: Moment) -> Result<Vec<Alert>, Failure> {
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
    parse(&text, now).map_err(|problem| {
        Failure::users(format!("{shown}: {problem}")).hint(
            "give one alert (an object with `labels`), a webhook payload, or the answer of /api/v2/alerts, as JSON or YAML",
        )
    })
}

/// Everything that fires at an Alertmanager, silenced and inhibited alerts left out: those are never sent.
pub(super) async fn firing(url: &str, now: Moment) -> Result<Vec<Alert>, Failure> {
    if let Err(error) = reqwest::Url::parse(url) {
        return Err(Failure::users(format!("the URL of Alertmanager is none: {error}"))
            .hint("write it such as http://alertmanager:9093"));
    }
    let failed = |problem: String| {
        Failure::ours(format!("could not ask Alertmanager at {}: {problem}", shown(url)))
            .hint("is the URL right? it is the one of Alertmanager's own page, path prefix included")
    };
    let text = asked(url, FIRING).await.map_err(failed)?;
    let mut alerts = parse(&text, now).map_err(failed)?;
    alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(alerts)
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

fn parse(text: &str, now: Moment) -> Result<Vec<Alert>, String> {
    let value = value(text)?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut fields) => match fields.remove("alerts") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err("`alerts` is not a list".to_owned()),
            None if fields.contains_key("labels") => vec![Value::Object(fields)],
            None => return Err("there is neither `labels` nor `alerts`".to_owned()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("this is no alert".to_owned());
        }
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| alert(item, now).map_err(|why| format!("alert {index}: {why}")))
        .collect()
}

fn value(text: &str) -> Result<Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let parsed = yaml::parse(text);
    if let Some(fault) = parsed.faults.first() {
        return Err(format!("{}:{}: {}", fault.at.line, fault.at.column, fault.message));
    }
    match parsed.documents.as_slice() {
        [] => Err("there is nothing in it".to_owned()),
        [one] => Ok(one.to_json()),
        several => Ok(Value::Array(several.iter().map(yaml::Tree::to_json).collect())),
    }
}

fn alert(item: Value, now: Moment) -> Result<Alert, String> {
    let written: Written = serde_json::from_value(item).map_err(|error| error.to_string())?;
    // A webhook has a word here, the API an object; both mean firing unless they say otherwise.
    let resolved = written.status.as_str() == Some("resolved");
    Ok(Alert {
        status: if resolved { AlertStatus::Resolved } else { AlertStatus::Firing },
        labels: written.labels,
        annotations: written.annotations,
        starts_at: written.starts_at.unwrap_or(now),
        ends_at: None,
        fingerprint: written.fingerprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        let now = Moment::from_unix_ms(0);
        Ok(parse(text, now)?.iter().map(|alert| alert.name().to_owned()).collect())
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
            (r#"[{"labels": {"a": 1}}]"#, "alert 0: invalid type: integer `1`, expected a string"),
        ] {
            assert_eq!(names(text).expect_err("no alert"), why);
        }
    }
}
