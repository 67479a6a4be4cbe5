//! Who is told when a person is needed, and how: receivers, routes by severity and hour, and what is told. Journaled
//! with the settings, so it must never hold a secret itself, only the file that does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::{Endpoint, Fault, is_name};
use crate::event::Seq;
use crate::guard::schedule;
use crate::load::window;
use crate::state::CaseId;
use crate::time::{Moment, Span};

/// Who is told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Notifications {
    /// Receivers by name; policies name them in `onFailure.notify`.
    pub receivers: BTreeMap<String, Receiver>,
    /// Where a policy names no receiver: the first route that fits says who is told.
    pub routes: Vec<Route>,
    /// Templates of the first line, by severity: `labels`, `vars`, `target`, and `let.why`, `let.policy`, `let.severity`.
    pub titles: BTreeMap<Severity, String>,
}

/// One receiver: exactly one of `slack`, `pagerDuty` and `webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Receiver {
    /// A Slack incoming webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<Slack>,
    /// A PagerDuty service, by the Events API v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pager_duty: Option<PagerDuty>,
    /// Any URL that takes JSON by POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Endpoint>,
    /// Not acknowledged within this: `then` is told too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<Span>,
    /// Who is told next: when nobody acknowledged in time, or this receiver cannot be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<String>,
    /// Above this rate calls are collected and told as one.
    pub rate: Rate,
}

/// A Slack incoming webhook. Its URL is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slack {
    /// The file that holds the webhook's URL.
    pub url_file: String,
}

/// A PagerDuty service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PagerDuty {
    /// The file that holds the integration's routing key.
    pub routing_key_file: String,
    /// Where events go. Default `https://events.pagerduty.com`.
    #[serde(default = "pagerduty")]
    pub url: String,
}

fn pagerduty() -> String {
    "https://events.pagerduty.com".to_owned()
}

/// So many in such a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// At most this many messages.
    pub max: u32,
    /// In any window of this length.
    pub per: Span,
}

impl Default for Rate {
    fn default() -> Self {
        Self { max: 10, per: Span::from_mins(10) }
    }
}

/// Who is told of what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Of these severities; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    /// Only in these hours, such as `Mon-Fri 09:00-17:00 Europe/Berlin`; empty means always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<String>,
    /// Receivers.
    pub notify: Vec<String>,
}

/// How bad it is, as PagerDuty has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Users suffer.
    Critical,
    /// Something is broken.
    #[default]
    Error,
    /// Something will break.
    Warning,
    /// For the record.
    Info,
}

impl Severity {
    /// The severity that a label says; one that says none is an error.
    pub fn of_label(label: Option<&str>) -> Self {
        match label.unwrap_or_default().to_ascii_lowercase().as_str() {
            "critical" | "page" | "p0" | "p1" | "sev0" | "sev1" | "emergency" | "disaster" => Self::Critical,
            "warning" | "warn" | "p3" | "sev3" | "low" => Self::Warning,
            "info" | "informational" | "none" | "p4" | "sev4" => Self::Info,
            _ => Self::Error,
        }
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One message to one receiver, as recorded before it is sent. Its id is the sequence of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Sequence of the `Notified` record.
    pub id: Seq,
    /// To whom.
    pub receiver: String,
    /// What it does there.
    pub kind: NoticeKind,
    /// The pages that it is about; more than one in a digest.
    pub pages: Vec<Seq>,
    /// The same for all messages about one trouble, such as `episode-12`.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What a person needs to begin; lines.
    pub text: String,
    /// The alert's labels, where it is about one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// About which case, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// How often it was tried before.
    pub attempt: u32,
    /// When it was decided.
    pub at: Moment,
    /// After this it has failed.
    pub deadline: Moment,
}

/// What a message does at its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// Calls a person.
    Trigger,
    /// Says that somebody has it.
    Acknowledge,
    /// Says that it is over.
    Resolve,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Receipt {
    /// The receiver took it.
    #[serde(rename_all = "camelCase")]
    Taken {
        /// What it said, such as `202 Event processed`.
        said: String,
    },
    /// It did not, or nobody knows.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// What was tried, and what came back.
        what: String,
        /// Whether it may go well another time.
        passing: bool,
    },
}

impl Receipt {
    /// Its name in metrics and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "taken",
            Self::Failed { passing: true, .. } => "failed",
            Self::Failed { passing: false, .. } => "refused",
        }
    }
}

impl Receiver {
    /// Whether it wants to know that somebody has it, and that it is over.
    pub fn follows(&self) -> bool {
        self.slack.is_none()
    }
}

impl Notifications {
    /// Whether nothing is said here.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Who is told of trouble of this severity now: the receivers that are named, or else those of the first route.
    pub fn told(&self, named: &[String], severity: Severity, now: Moment) -> Vec<String> {
        let known = |names: &[String]| -> Vec<String> {
            names.iter().filter(|name| self.receivers.contains_key(*name)).cloned().collect()
        };
        let found = known(named);
        if !found.is_empty() {
            return found;
        }
        let fits = |route: &&Route| {
            (route.severities.is_empty() || route.severities.contains(&severity))
                && is_open(&route.schedule, now)
        };
        self.routes.iter().find(fits).map(|route| known(&route.notify)).unwrap_or_default()
    }

    /// Everything that cannot be meant.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, receiver) in &self.receivers {
            let at = format!("/receivers/{}", name.replace('~', "~0").replace('/', "~1"));
            self.receiver_faults(name, receiver, &at, &mut faults);
        }
        for (index, route) in self.routes.iter().enumerate() {
            let at = format!("/routes/{index}");
            self.names(&route.notify, &format!("{at}/notify"), &mut faults);
            if route.notify.is_empty() {
                faults.push(fault(format!("{at}/notify"), "a route tells nobody".into(), "name a receiver"));
            }
            for (number, text) in route.schedule.iter().enumerate() {
                if let Err(problem) = window(text) {
                    let hint = "such as Mon-Fri 09:00-17:00 Europe/Berlin";
                    faults.push(fault(format!("{at}/schedule/{number}"), problem.problem, hint));
                }
            }
        }
        for (severity, title) in &self.titles {
            if let Err(problem) = crate::template::Template::parse(title) {
                let at = format!("/titles/{}", severity.name());
                faults.push(fault(at, problem.problem, "such as \"{{ labels.alertname }}: {{ let.why }}\""));
            }
        }
        faults
    }

    fn receiver_faults(&self, name: &str, receiver: &Receiver, at: &str, faults: &mut Vec<Fault>) {
        if !is_name(name) {
            let message = format!("`{}` cannot be the name of a receiver", name.escape_debug());
            faults.push(fault(at.to_owned(), message, "up to 63 letters, digits, `-` and `_`"));
        }
        let ways = [receiver.slack.is_some(), receiver.pager_duty.is_some(), receiver.webhook.is_some()];
        let ways = ways.into_iter().filter(|is| *is).count();
        if ways != 1 {
            let message = format!("`{name}` has {ways} of `slack`, `pagerDuty` and `webhook`, one is wanted");
            faults.push(fault(at.to_owned(), message, "give each way a receiver of its own"));
        }
        if let Some(pager) = &receiver.pager_duty {
            if let Err(problem) = crate::url::check(&pager.url) {
                faults.push(fault(format!("{at}/pagerDuty/url"), problem, "https://events.pagerduty.com"));
            }
            if pager.routing_key_file.is_empty() {
                let message = "no file is named".to_owned();
                faults.push(fault(
                    format!("{at}/pagerDuty/routingKeyFile"),
                    message,
                    "such as /etc/paramedic/pd",
                ));
            }
        }
        if receiver.slack.as_ref().is_some_and(|slack| slack.url_file.is_empty()) {
            let message = "no file is named".to_owned();
            faults.push(fault(format!("{at}/slack/urlFile"), message, "such as /etc/paramedic/slack-url"));
        }
        for found in receiver.webhook.iter().flat_map(|webhook| webhook.faults("webhook")) {
            faults.push(Fault { path: format!("{at}/webhook{}", found.path), ..found });
        }
        self.names(&receiver.then, &format!("{at}/then"), faults);
        if receiver.then.iter().any(|next| next == name) {
            faults.push(fault(
                format!("{at}/then"),
                format!("`{name}` follows itself"),
                "name another receiver",
            ));
        }
        if receiver.escalate_after.is_some() && receiver.then.is_empty() {
            let message = "`escalateAfter` without `then` tells nobody".to_owned();
            faults.push(fault(format!("{at}/escalateAfter"), message, "such as then: [lead-pager]"));
        }
        if receiver.escalate_after.is_some_and(|after| after < Span::from_secs(10)) {
            let message = "nobody acknowledges so fast".to_owned();
            faults.push(fault(format!("{at}/escalateAfter"), message, "such as 15m"));
        }
        if receiver.rate.max == 0 || receiver.rate.per == Span::ZERO {
            let message = "a rate of nothing tells nobody".to_owned();
            faults.push(fault(format!("{at}/rate"), message, "such as {max: 10, per: 10m}"));
        }
    }

    fn names(&self, names: &[String], at: &str, faults: &mut Vec<Fault>) {
        for (index, name) in names.iter().enumerate() {
            if !self.receivers.contains_key(name) {
                let message = format!("there is no receiver `{}`", name.escape_debug());
                faults.push(fault(format!("{at}/{index}"), message, "name one under `receivers`"));
            }
        }
    }
}

fn fault(path: String, message: String, hint: &'static str) -> Fault {
    Fault { path, message, hint }
}

/// Whether one of these windows is open now; none means always.
fn is_open(windows: &[String], now: Moment) -> bool {
    windows.is_empty()
        || windows.iter().filter_map(|text| window(text).ok()).any(|one| schedule::opens(&one, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(of: serde_json::Value) -> Notifications {
        serde_json::from_value(serde_json::json!({ "receivers": of })).expect("they are receivers")
    }

    #[test]
    fn a_label_says_how_bad_it_is_in_the_words_that_people_use() {
        for (severity, words) in [
            (Severity::Critical, &["critical", "PAGE", "p1", "sev0"][..]),
            (Severity::Warning, &["warning", "warn", "P3", "low"]),
            (Severity::Info, &["info", "informational", "none", "p4", "sev4"]),
            (Severity::Error, &["error", "", "odd"]),
        ] {
            for word in words {
                assert_eq!(Severity::of_label(Some(word)), severity, "{word}");
            }
        }
        assert_eq!(Severity::of_label(None), Severity::Error);
    }

    #[test]
    fn a_pager_goes_to_pagerduty_where_nothing_else_is_said() {
        let told = receivers(serde_json::json!({"oncall": {"pagerDuty": {"routingKeyFile": "/etc/pd"}}}));
        let pager = told.receivers["oncall"].pager_duty.as_ref().expect("it is one");
        assert_eq!(pager.url, "https://events.pagerduty.com");
        assert_eq!(told.faults(), []);
    }

    #[test]
    fn a_receipt_has_a_name_for_metrics() {
        let failed = |passing| Receipt::Failed { what: String::new(), passing };
        let names =
            [Receipt::Taken { said: String::new() }.name(), failed(true).name(), failed(false).name()];
        assert_eq!(names, ["taken", "failed", "refused"]);
    }

    #[test]
    fn a_fault_of_a_receiver_is_told_at_its_place() {
        let slack = serde_json::json!({"urlFile": "/etc/slack"});
        let found = |receiver: serde_json::Value| -> Vec<String> {
            let all = receivers(serde_json::json!({"a/b": {"slack": slack}, "oncall": receiver}));
            all.faults().into_iter().map(|fault| fault.path).filter(|path| path.contains("oncall")).collect()
        };
        let with = |more: serde_json::Value| {
            let mut receiver = serde_json::json!({"slack": slack});
            receiver.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            found(receiver)
        };
        assert_eq!(with(serde_json::json!({"then": ["a/b"], "escalateAfter": "10s"})), [""; 0]);
        for (place, more) in [
            ("/then", serde_json::json!({"then": ["oncall"]})),
            ("/then/0", serde_json::json!({"then": ["nobody"]})),
            ("/escalateAfter", serde_json::json!({"escalateAfter": "15m"})),
            ("/escalateAfter", serde_json::json!({"then": ["a/b"], "escalateAfter": "9s"})),
            ("/rate", serde_json::json!({"rate": {"max": 0, "per": "10m"}})),
            ("/rate", serde_json::json!({"rate": {"max": 1, "per": "0s"}})),
        ] {
            assert_eq!(with(more.clone()), [format!("/receivers/oncall{place}")], "{more}");
        }
        assert_eq!(found(serde_json::json!({"slack": {"urlFile": ""}})), ["/receivers/oncall/slack/urlFile"]);
        assert_eq!(
            found(serde_json::json!({"pagerDuty": {"routingKeyFile": "", "url": "nowhere"}})),
            ["/receivers/oncall/pagerDuty/url", "/receivers/oncall/pagerDuty/routingKeyFile"]
        );
        let webhook = found(serde_json::json!({"webhook": {"url": "nowhere"}}));
        assert!(webhook.iter().all(|path| path.starts_with("/receivers/oncall/webhook/")), "{webhook:?}");
        assert!(!webhook.is_empty());
        assert_eq!(found(serde_json::json!({})), ["/receivers/oncall"]);
    }

    #[test]
    fn nothing_said_is_nothing_written() {
        assert!(Notifications::default().is_empty());
        assert!(!receivers(serde_json::json!({"a": {"slack": {"urlFile": "x"}}})).is_empty());
    }
}
