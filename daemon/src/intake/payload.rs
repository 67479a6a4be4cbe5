//! The webhook payload of Alertmanager 0.25 to 0.34 (version 4) and of those that imitate it: Grafana (version 1),
//! vmalert, Mimir. Unknown fields are ignored, alerts are read one by one. It must never copy what is not kept:
//! a storm is read here first.

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::event::Unreadable;
use paramedic_policies::time::{Moment, MomentError};
use serde::Deserialize;

use super::lenient::{Count, Element, Elements, Fields, Pairs, Text};
use super::{bounds, encoding};

/// What a payload held.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Alertmanager's receiver.
    pub receiver: String,
    /// Alertmanager's group key.
    pub group_key: String,
    /// The alerts that could be read.
    pub alerts: Vec<Alert>,
    /// Those that could not, by position; without one, what else could not. At most [`bounds::PROBLEMS_MAX`] and one more.
    pub unreadable: Vec<Unreadable>,
    /// How many alerts Alertmanager left out.
    pub truncated: u64,
}

/// Why a body as a whole is of no use, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BodyProblem {
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: &'static str,
}

const HINT_SHAPE: &str = "send what Alertmanager's webhook_config sends: a JSON object with a list `alerts`";

impl BodyProblem {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: HINT_SHAPE }
    }

    pub(super) fn no_alert_readable(unreadable: &[Unreadable]) -> Self {
        let first = unreadable.first().map_or("", |first| first.problem.as_str());
        Self {
            problem: format!("none of the alerts could be read; the first: {first}"),
            hint: "the record of this delivery lists every problem by position",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default)]
    receiver: Text<'a>,
    #[serde(borrow, default)]
    group_key: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(default)]
    truncated_alerts: Count,
    #[serde(borrow, default)]
    alerts: Elements<'a>,
}

/// Reads a body that came at `now`.
///
/// # Errors
/// When it is not JSON, not an object, of another version, or without a list of alerts.
pub fn read(body: &[u8], now: Moment) -> Result<Payload, BodyProblem> {
    let envelope = envelope(body)?;
    let version = match &envelope.version {
        Text::Absent => None,
        Text::Is(version) => Some(version.to_string()),
        Text::Number(version) => Some(version.to_string()),
        Text::Other(noun) => return Err(BodyProblem::new(format!("`version` is {noun}, not text"))),
    };
    if let Some(version) = version.filter(|version| !matches!(version.as_str(), "4" | "1" | "")) {
        return Err(BodyProblem {
            problem: format!("payload version {} is not known", bounds::quoted(&version)),
            hint: "versions 4 (Alertmanager), 1 (Grafana) and none are read",
        });
    }
    let elements = match envelope.alerts {
        Elements::List(elements) => elements,
        Elements::Absent => return Err(BodyProblem::new("there is no `alerts`")),
        Elements::Not(noun) => return Err(BodyProblem::new(format!("`alerts` is {noun}, not a list"))),
    };
    let mut alerts = Vec::with_capacity(elements.len());
    let (truncated, problem) = truncated(envelope.truncated_alerts);
    let mut unreadable: Vec<Unreadable> =
        problem.into_iter().map(|problem| Unreadable { index: None, problem, count: None }).collect();
    let mut unlisted = 0_usize;
    for (index, element) in elements.into_iter().enumerate() {
        match alert(element, &envelope.status, now) {
            Ok(alert) => alerts.push(alert),
            Err(problem) if unreadable.len() + 1 < bounds::PROBLEMS_MAX => {
                unreadable.push(Unreadable { index: u32::try_from(index).ok(), problem, count: None });
            }
            Err(_) => unlisted += 1,
        }
    }
    if unlisted > 0 {
        let (problem, count) = (format!("{unlisted} more could not be read"), u32::try_from(unlisted).ok());
        unreadable.push(Unreadable { index: None, problem, count });
    }
    let kept = |text: &Text<'_>| bounds::cut(text.text().unwrap_or_default(), bounds::ENVELOPE_BYTES_MAX);
    Ok(Payload {
        receiver: kept(&envelope.receiver),
        group_key: kept(&envelope.group_key),
        alerts,
        unreadable,
        truncated,
    })
}

/// How many alerts were left out, and what is wrong with that number.
fn truncated(count: Count) -> (u64, Option<String>) {
    let odd = |what: &str| (0, Some(format!("`truncatedAlerts` is {what}, not a count; taken for 0")));
    match count {
        Count::Absent => (0, None),
        Count::Is(count) => (count.min(bounds::TRUNCATED_MAX), None),
        Count::Odd(number) => odd(&bounds::cut(&number, bounds::QUOTED_BYTES_MAX)),
        Count::Not(noun) => odd(noun),
    }
}

fn envelope(body: &[u8]) -> Result<Envelope<'_>, BodyProblem> {
    let body = encoding::utf8(body).map_err(|instead| BodyProblem {
        problem: format!("the body is {instead}"),
        hint: "send it as UTF-8; Alertmanager does",
    })?;
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => return Err(BodyProblem::new("the body is empty")),
        Some(b'{') => {}
        Some(b'[') => return Err(BodyProblem::new("the body is a list, not an object")),
        Some(0x1f) => {
            return Err(BodyProblem {
                problem: "the body is compressed".to_owned(),
                hint: "send it uncompressed; Alertmanager does",
            });
        }
        Some(_) => return Err(BodyProblem::new("the body is not a JSON object")),
    }
    serde_json::from_slice(body).map_err(|error| BodyProblem::new(format!("the body is not JSON: {error}")))
}

/// One alert by itself, as it is read of a payload; one without a word of its own has this status of its group.
///
/// # Errors
/// Why it is refused.
pub(crate) fn one(written: &serde_json::Value, group: &str, now: Moment) -> Result<Alert, String> {
    let text = written.to_string();
    let element: Element<'_> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    alert(element, &Text::Is(group.into()), now)
}

fn alert(element: Element<'_>, group: &Text<'_>, now: Moment) -> Result<Alert, String> {
    let fields = match element {
        Element::Fields(fields) => fields,
        Element::Not(noun) => return Err(format!("is {noun}, not an object")),
    };
    let status = status(&fields, group)?;
    let labels = labels(fields.labels)?;
    let annotations = annotations(fields.annotations)?;
    let starts_at = time("startsAt", &fields.starts_at)?.unwrap_or(now);
    let ends_at = time("endsAt", &fields.ends_at)?.filter(|_| status == AlertStatus::Resolved);
    // What has ended did so before it was heard of. A later end would make a late repeat of what fires anew; one before
    // the alert's own beginning, by a sender whose clock is ahead, would end another.
    let ends_at = ends_at.map(|at| at.min(now.max(starts_at)));
    let fingerprint =
        fields.fingerprint.text().filter(|text| bounds::is_fingerprint(text)).map(str::to_owned);
    Ok(Alert { status, labels, annotations, starts_at, ends_at, fingerprint })
}

/// The alert's own status; the group's where it has none and the group says that all have ended.
fn status(fields: &Fields<'_>, group: &Text<'_>) -> Result<AlertStatus, String> {
    let (own, which) = match &fields.status {
        Text::Absent => (group, "the group's `status`"),
        own => (own, "`status`"),
    };
    match own {
        Text::Is(text) => match text.as_ref() {
            "firing" => Ok(AlertStatus::Firing),
            "resolved" => Ok(AlertStatus::Resolved),
            other => Err(format!("{which} is {}, neither `firing` nor `resolved`", bounds::quoted(other))),
        },
        Text::Absent => Err("there is no `status`".to_owned()),
        other => Err(format!("{which} is {}, not text", other.noun().unwrap_or("something else"))),
    }
}

/// The labels of an alert.
///
/// # Errors
/// Why the alert is refused.
pub(crate) fn labels(read: Pairs) -> Result<Labels, String> {
    if let Some(noun) = read.not_object {
        return Err(format!("`labels` is {noun}, not an object"));
    }
    if let Some(problem) = read.problem {
        return Err(format!("`labels`: {problem}"));
    }
    bounds::labels(&read.pairs).map_err(|problem| format!("`labels`: {problem}"))?;
    Ok(read.pairs)
}

/// Annotations describe; they are cut and cleaned rather than refused, unless they are no annotations at all.
///
/// # Errors
/// What they are instead.
pub(crate) fn annotations(read: Pairs) -> Result<Labels, String> {
    match read.not_object {
        Some(noun) => Err(format!("`annotations` is {noun}, not an object")),
        None => Ok(bounds::annotations(read.pairs)),
    }
}

/// A time, or none where it is absent or Go's zero time.
fn time(field: &str, text: &Text<'_>) -> Result<Option<Moment>, String> {
    match text {
        Text::Absent => Ok(None),
        Text::Is(text) if text.is_empty() || text.starts_with("0001-01-01T00:00:00") => Ok(None),
        Text::Is(text) => match text.parse::<Moment>() {
            Ok(moment) => Ok(Some(moment)),
            Err(MomentError::NoTime(_)) => {
                Err(format!("`{field}` is {}, not an RFC 3339 time", bounds::quoted(text)))
            }
            Err(MomentError::OutOfRange(_)) => {
                Err(format!("`{field}` is {}, which is out of range", bounds::quoted(text)))
            }
        },
        other => Err(format!("`{field}` is {}, not a time", other.noun().unwrap_or("something else"))),
    }
}
