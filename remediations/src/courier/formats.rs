//! Messages as each receiver wants them: Slack's incoming webhooks, PagerDuty's Events API v2, and our own JSON. Pure.

use paramedic_policies::notifications::{Notice, NoticeKind};
use serde_json::{Value, json};

use crate::ports::http::Reply;

/// Characters that PagerDuty takes of a summary.
const SUMMARY_CHARS_MAX: usize = 1024;

/// Characters that PagerDuty takes of a key.
const KEY_CHARS_MAX: usize = 255;

/// Characters of a receipt that are kept.
const SAID_CHARS_MAX: usize = 200;

/// The same for all messages about one trouble, and never that of another journal.
pub(super) fn dedup_key(stamp: &str, notice: &Notice) -> String {
    let journal = stamp.rsplit_once('-').map_or(stamp, |(journal, _)| journal);
    cut(&format!("paramedic-{journal}-{}", notice.key), KEY_CHARS_MAX)
}

/// Slack: `text` in mrkdwn, where `&`, `<` and `>` are control characters.
pub(super) fn slack(notice: &Notice) -> Value {
    let mark = match notice.kind {
        NoticeKind::Trigger => "",
        NoticeKind::Acknowledge => "acknowledged: ",
        NoticeKind::Resolve => "resolved: ",
    };
    json!({"text": format!("*{mark}{}*\n{}", escaped(&notice.title), escaped(&notice.text))})
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// PagerDuty: `POST /v2/enqueue`. Only a trigger has a payload.
pub(super) fn pager_duty(notice: &Notice, key: &str, routing_key: &str) -> Value {
    let action = match notice.kind {
        NoticeKind::Trigger => "trigger",
        NoticeKind::Acknowledge => "acknowledge",
        NoticeKind::Resolve => "resolve",
    };
    let mut event = json!({"routing_key": routing_key, "event_action": action, "dedup_key": key});
    if notice.kind == NoticeKind::Trigger {
        let label = |name: &str| notice.labels.get(name).cloned();
        let source = label("instance").or_else(|| label("cluster")).unwrap_or_else(|| "paramedic".to_owned());
        let mut payload = json!({
            "summary": cut(&notice.title, SUMMARY_CHARS_MAX),
            "source": source,
            "severity": notice.severity.name(),
            "timestamp": notice.at,
            "custom_details": {"text": notice.text, "labels": notice.labels, "pages": notice.pages},
        });
        for (field, value) in [
            ("component", label("deployment").or_else(|| label("service"))),
            ("group", label("namespace")),
            ("class", label("alertname")),
        ] {
            if let Some(value) = value {
                payload[field] = json!(value);
            }
        }
        event["payload"] = payload;
        event["client"] = json!("paramedic");
    }
    event
}

/// Any webhook: everything, as it is recorded.
pub(super) fn webhook(notice: &Notice, key: &str) -> Value {
    json!({
        "version": 1, "action": notice.kind, "key": key, "severity": notice.severity, "title": notice.title,
        "text": notice.text, "labels": notice.labels, "pages": notice.pages, "at": notice.at,
        "episode": notice.case.as_ref().map(|case| case.episode),
        "policy": notice.case.as_ref().map(|case| &case.policy),
    })
}

/// What a receiver said, as it may be kept: the status, and the word or message in it.
pub(super) fn said(reply: &Reply) -> String {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let message = match &body {
        Some(body) => body.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        None => reply.body.lines().next().unwrap_or_default().trim().to_owned(),
    };
    let plain: String = message.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
    format!("{} {plain}", reply.status).trim_end().to_owned()
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use paramedic_policies::event::Seq;
    use paramedic_policies::notifications::Severity;
    use paramedic_policies::state::CaseId;
    use paramedic_policies::time::Span;

    use super::*;
    use crate::fakes::now;

    fn notice(kind: NoticeKind) -> Notice {
        Notice {
            id: Seq(40),
            receiver: "sre".into(),
            kind,
            pages: vec![Seq(39)],
            key: "episode-12".into(),
            severity: Severity::Critical,
            title: format!("<web> & co {}", "x".repeat(2000)),
            text: "a < b".into(),
            labels: [("alertname".into(), "Down".into()), ("namespace".into(), "prod".into())].into(),
            case: Some(CaseId { episode: Seq(12), policy: "p".into() }),
            attempt: 0,
            at: now(),
            deadline: now() + Span::from_secs(30),
        }
    }

    #[test]
    fn slack_is_sent_text_with_its_control_characters_escaped() {
        let sent = slack(&notice(NoticeKind::Trigger));
        let text = sent["text"].as_str().expect("text");
        assert!(text.starts_with("*&lt;web&gt; &amp; co ") && text.ends_with("\na &lt; b"), "{text}");
        assert_eq!(sent.as_object().map(|sent| sent.len()), Some(1));
    }

    #[test]
    fn pagerduty_is_sent_what_its_events_api_wants_within_its_limits() {
        let key = dedup_key("0192-abc-40", &notice(NoticeKind::Trigger));
        assert_eq!(key, "paramedic-0192-abc-episode-12");
        let sent = pager_duty(&notice(NoticeKind::Trigger), &key, "R0UT1NG");
        assert_eq!((&sent["routing_key"], &sent["event_action"]), (&json!("R0UT1NG"), &json!("trigger")));
        let payload = &sent["payload"];
        assert_eq!(payload["summary"].as_str().map(|text| text.chars().count()), Some(1024));
        assert_eq!((&payload["severity"], &payload["class"]), (&json!("critical"), &json!("Down")));
        assert_eq!((&payload["group"], &payload["source"]), (&json!("prod"), &json!("paramedic")));
        assert_eq!(payload["timestamp"], json!("2026-11-21T09:00:00.000Z"));
        for (kind, action) in [(NoticeKind::Acknowledge, "acknowledge"), (NoticeKind::Resolve, "resolve")] {
            let sent = pager_duty(&notice(kind), &key, "R0UT1NG");
            assert_eq!((&sent["event_action"], &sent["dedup_key"]), (&json!(action), &json!(key)));
            assert_eq!(sent.get("payload"), None);
        }
        let long = Notice { key: "k".repeat(400), ..notice(NoticeKind::Trigger) };
        assert_eq!(dedup_key("j-1", &long).chars().count(), 255);
    }

    #[test]
    fn a_receipt_is_short_and_plain() {
        let said = |status, body: &str| said(&Reply { status, body: body.into() });
        assert_eq!(said(200, "ok"), "200 ok");
        assert_eq!(
            said(202, r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#),
            "202 Event processed"
        );
        assert_eq!(said(404, "no_service\n<html>"), "404 no_service");
        assert_eq!(said(500, ""), "500");
        assert!(said(500, &"x".repeat(9000)).len() < 300);
    }
}
