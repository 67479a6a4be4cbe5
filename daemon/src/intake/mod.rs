//! From the bytes of a webhook to a [`Delivery`]: parsed alert by alert, bounded, redacted, named. What cannot be
//! read is listed and never drops the rest. It must never decide anything.

pub mod bounds;
pub mod correlation;
pub(crate) mod encoding;
mod lenient;
pub mod payload;

use paramedic_policies::alert::Alert;
use paramedic_policies::event::Unreadable;
use paramedic_policies::input::Delivery;
use paramedic_policies::time::Moment;

use crate::redaction::Redactor;
pub(crate) use lenient::Pairs;
pub use payload::{BodyProblem, Payload};

/// A webhook as it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// Who sent it: the name of the token, or `anonymous`.
    pub sender: &'a str,
    /// What ties it to logs and effects.
    pub correlation: &'a str,
    /// When it came, for alerts that do not say since when they fire.
    pub at: Moment,
    /// Its body.
    pub body: &'a [u8],
}

/// The delivery to be recorded, and what is wrong with it as a whole, if anything is. A body of which nothing
/// can be read is a delivery too: it is recorded with its problem.
pub fn read(sent: &Sent<'_>, redactor: &Redactor) -> (Delivery, Option<BodyProblem>) {
    let empty = empty(sent.sender.to_owned(), sent.correlation);
    match payload::read(sent.body, sent.at) {
        Err(problem) => {
            let unreadable = vec![Unreadable {
                index: None,
                problem: redactor.text(&problem.problem).into_owned(),
                count: None,
            }];
            (Delivery { unreadable, ..empty }, Some(problem))
        }
        Ok(mut payload) => {
            for alert in &mut payload.alerts {
                redactor.annotations(&mut alert.annotations);
                redactor.labels(&mut alert.labels);
            }
            for unreadable in &mut payload.unreadable {
                unreadable.problem = redactor.text(&unreadable.problem).into_owned();
            }
            let nothing_read =
                payload.alerts.is_empty() && payload.unreadable.iter().any(|one| one.index.is_some());
            let problem = nothing_read.then(|| BodyProblem::no_alert_readable(&payload.unreadable));
            let delivery = Delivery {
                receiver: redactor.text(&payload.receiver).into_owned(),
                // It holds labels, and any label may hold a person.
                group_key: redactor.text(&payload.group_key).into_owned(),
                alerts: payload.alerts,
                unreadable: payload.unreadable,
                truncated: payload.truncated,
                ..empty
            };
            (delivery, problem)
        }
    }
}

/// An alert that came another way than by a webhook, as a webhook's is kept: bounded, and redacted.
///
/// # Errors
/// Why a webhook's would be refused.
pub(crate) fn believed(alert: &mut Alert, redactor: &Redactor) -> Result<(), String> {
    // As in Prometheus, a label without a value is no label.
    alert.labels.retain(|_, value| !value.is_empty());
    alert.annotations.retain(|_, value| !value.is_empty());
    bounds::labels(&alert.labels).map_err(|problem| format!("`labels`: {problem}"))?;
    alert.annotations = bounds::annotations(std::mem::take(&mut alert.annotations));
    alert.fingerprint = alert.fingerprint.take().filter(|text| bounds::is_fingerprint(text));
    redactor.labels(&mut alert.labels);
    redactor.annotations(&mut alert.annotations);
    Ok(())
}

/// The delivery to be recorded of a body that was not even read.
pub fn unread(sender: String, correlation: &str, why: &str) -> Delivery {
    let unreadable = vec![Unreadable { index: None, problem: why.to_owned(), count: None }];
    Delivery { unreadable, ..empty(sender, correlation) }
}

fn empty(sender: String, correlation: &str) -> Delivery {
    Delivery {
        sender,
        receiver: String::new(),
        group_key: String::new(),
        correlation: correlation.to_owned(),
        alerts: Vec::new(),
        unreadable: Vec::new(),
        truncated: 0,
    }
}

#[cfg(test)]
mod tests;
