//! What each malformed payload becomes: a table, its messages in a snapshot.

use serde_json::{Value, json};

use super::*;

fn read_bytes(body: &[u8]) -> (Delivery, Option<BodyProblem>) {
    let sent = Sent { sender: "am", correlation: "c-1", at: Moment::from_unix_ms(1_763_713_800_000), body };
    read(&sent, &Redactor::default())
}

fn read_json(body: &Value) -> (Delivery, Option<BodyProblem>) {
    read_bytes(&serde_json::to_vec(body).expect("plain data"))
}

fn firing() -> Value {
    json!({
        "status": "firing",
        "labels": {"alertname": "MaestroHighErrorRate", "namespace": "prod"},
        "annotations": {"summary": "5xx"},
        "startsAt": "2026-11-21T08:30:00.12Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "0123456789abcdef"
    })
}

fn batch(alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "paramedic",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am", "alerts": alerts
    })
}

/// The firing alert with one field changed (or removed, by `null`).
fn with(field: &str, value: Value) -> Value {
    let mut alert = firing();
    alert[field] = value;
    alert
}

fn with_label(name: &str, value: Value) -> Value {
    let mut alert = firing();
    alert["labels"][name] = value;
    alert
}

fn without(field: &str) -> Value {
    let mut alert = firing();
    alert.as_object_mut().expect("an object").remove(field);
    alert
}

#[test]
fn an_alertmanager_payload_is_read_whole() {
    let (delivery, problem) = read_json(&batch(&[firing()]));
    assert_eq!(problem, None);
    insta::assert_json_snapshot!(delivery);
}

#[test]
fn look_alikes_and_later_versions_are_read() {
    let mut grafana = batch(&[firing()]);
    grafana["version"] = json!("1");
    grafana["orgId"] = json!(1);
    grafana["title"] = json!("[FIRING:1]");
    grafana["alerts"][0]["values"] = json!({"B": 44.2, "C": 1});
    grafana["alerts"][0]["valueString"] = json!("[ var='B' ]");
    let mut later = batch(&[firing()]);
    later["notification_reason"] = json!("group_interval");
    later["routeLabels"] = json!({"team": "a"});
    let mut bare = batch(&[firing()]);
    for field in ["version", "groupKey", "receiver", "truncatedAlerts", "status"] {
        bare.as_object_mut().expect("an object").remove(field);
    }
    let mut nulls = batch(&[with("annotations", Value::Null), with("fingerprint", Value::Null)]);
    nulls["truncatedAlerts"] = Value::Null;
    for (name, body) in [("grafana", grafana), ("later", later), ("bare", bare), ("nulls", nulls)] {
        let (delivery, problem) = read_json(&body);
        assert_eq!((problem, delivery.unreadable), (None, Vec::new()), "{name}");
        assert!(!delivery.alerts.is_empty(), "{name}");
    }
}

#[test]
fn a_count_of_truncated_alerts_is_bounded_and_a_wrong_one_is_told() {
    let most = bounds::TRUNCATED_MAX;
    let wrong = |what: &str| Some(format!("`truncatedAlerts` is {what}, not a count; taken for 0"));
    let cases = [
        ("0", 0, None),
        ("7", 7, None),
        ("7.0", 7, None),
        ("1000001", most, None),
        ("1e18", most, None),
        ("18446744073709551616", most, None),
        ("null", 0, None),
        ("-5", 0, wrong("-5")),
        ("-9223372036854775808", 0, wrong("-9223372036854775808")),
        ("-1e300", 0, wrong("-1e300")),
        ("2.5", 0, wrong("2.5")),
        ("\"7\"", 0, wrong("text")),
        ("[7]", 0, wrong("a list")),
        ("{\"n\": 7}", 0, wrong("an object")),
        ("true", 0, wrong("a boolean")),
    ];
    for (written, truncated, told) in cases {
        let alert = firing();
        let body = format!("{{\"truncatedAlerts\": {written}, \"alerts\": [{alert}]}}");
        let (delivery, problem) = read_bytes(body.as_bytes());
        assert_eq!((problem, delivery.alerts.len()), (None, 1), "{written}: the alert goes on");
        assert_eq!(delivery.truncated, truncated, "{written}");
        let found: Vec<_> = delivery.unreadable.into_iter().map(|one| (one.index, one.problem)).collect();
        assert_eq!(found, told.into_iter().map(|told| (None, told)).collect::<Vec<_>>(), "{written}");
    }
    let (_, problem) = read_bytes(br#"{"truncatedAlerts": -5, "alerts": []}"#);
    assert_eq!(problem, None, "an empty group stays one");
}

#[test]
fn one_bad_alert_does_not_drop_its_batch() {
    let (delivery, problem) = read_json(&batch(&[firing(), json!(7), firing()]));
    assert_eq!(problem, None);
    assert_eq!(delivery.alerts.len(), 2);
    assert_eq!(delivery.unreadable.len(), 1);
    assert_eq!(delivery.unreadable[0].index, Some(1));
}

#[test]
fn an_alert_without_a_start_fires_since_it_came() {
    for alert in
        [without("startsAt"), with("startsAt", json!("0001-01-01T00:00:00Z")), with("startsAt", json!(""))]
    {
        let (delivery, _) = read_json(&batch(&[alert]));
        assert_eq!(delivery.alerts[0].starts_at, Moment::from_unix_ms(1_763_713_800_000));
    }
}

#[test]
fn an_end_is_kept_only_of_what_is_resolved() {
    let end = json!("2026-11-21T08:40:00Z");
    let mut resolved = with("status", json!("resolved"));
    resolved["endsAt"] = end.clone();
    let (delivery, _) = read_json(&batch(&[with("endsAt", end), resolved]));
    assert_eq!(delivery.alerts[0].ends_at, None);
    assert!(delivery.alerts[1].ends_at.is_some());
}

#[test]
fn what_has_ended_did_so_when_it_was_heard_of_at_the_latest() {
    let ended = |start: &str, end: &str| {
        let mut resolved = with("status", json!("resolved"));
        (resolved["startsAt"], resolved["endsAt"]) = (json!(start), json!(end));
        read_json(&batch(&[resolved])).0.alerts[0].ends_at.expect("it has ended").to_string()
    };
    let heard = "2025-11-21T08:30:00.000Z";
    assert_eq!(ended("2025-11-21T08:00:00Z", "2031-01-01T00:00:00Z"), heard);
    assert_eq!(ended("2025-11-21T08:00:00Z", "2025-11-21T08:20:00Z"), "2025-11-21T08:20:00.000Z");
    // The sender's clock is ahead of ours; still this alert's own end.
    assert_eq!(ended("2025-11-21T08:31:00Z", "2025-11-21T08:32:00Z"), "2025-11-21T08:31:00.000Z");
}

#[test]
fn an_empty_label_is_no_label_and_an_empty_batch_is_no_problem() {
    let (delivery, _) = read_json(&batch(&[with_label("pod", json!(""))]));
    assert!(!delivery.alerts[0].labels.contains_key("pod"));
    assert_eq!(read_json(&batch(&[])).1, None);
}

#[test]
fn annotations_are_cut_cleaned_and_redacted() {
    let mut alert = firing();
    alert["annotations"] = json!({
        "long": "x".repeat(20_000), "escape": "a\u{1b}[31mb", "mail": "ask jane@example.com", "count": 3,
    });
    let (delivery, _) = read_json(&batch(&[alert]));
    let annotations = &delivery.alerts[0].annotations;
    assert_eq!(annotations["long"].len(), bounds::ANNOTATION_BYTES_MAX + "…".len());
    assert_eq!(annotations["escape"], "a\u{fffd}[31mb");
    assert_eq!(annotations["mail"], "ask [email]");
    assert!(!annotations.contains_key("count"));
}

#[test]
fn hostile_values_that_are_text_stay_as_they_are_for_the_policies_to_refuse() {
    for value in [
        "../../etc/passwd",
        "prod/../../kube-system",
        "{{ labels.namespace }}",
        "{% for x in range(9) %}x{% endfor %}",
        "prod\"} or vector(1)",
        "'; DROP TABLE records; --",
        "$(reboot)",
        "kube-system",
        "%2e%2e%2f",
        "PROD",
        "ｐｒｏｄ",
    ] {
        let (delivery, problem) = read_json(&batch(&[with_label("namespace", json!(value))]));
        assert_eq!(problem, None, "{value}");
        assert_eq!(delivery.alerts[0].labels["namespace"], value);
    }
}

#[test]
fn problems_are_listed_up_to_a_bound_and_then_counted() {
    let (delivery, problem) = read_json(&batch(&vec![json!(null); 1000]));
    assert_eq!(delivery.unreadable.len(), bounds::PROBLEMS_MAX);
    assert_eq!(delivery.unreadable.last().expect("some").problem, "981 more could not be read");
    assert_eq!(Unreadable::alerts(&delivery.unreadable), 1000);
    assert!(problem.is_some());
}

#[test]
fn secrets_in_problems_are_redacted_too() {
    let (delivery, problem) = read_json(&batch(&[with("status", json!("jane@example.com"))]));
    assert!(delivery.unreadable[0].problem.contains("[email]"), "{:?}", delivery.unreadable);
    assert!(problem.expect("nothing was readable").problem.contains("[email]"));
}

#[test]
fn the_group_key_and_the_receiver_hold_no_secrets_either() {
    let mut body = batch(&[firing()]);
    body["groupKey"] = json!("{}:{user=\"jane@example.com\"}");
    body["receiver"] = json!("mail-jane@example.com");
    let (delivery, _) = read_json(&body);
    assert_eq!(delivery.group_key, "{}:{user=\"[email]\"}");
    assert_eq!(delivery.receiver, "[email]");
}

#[test]
fn malformed_bodies_say_what_is_wrong() {
    let deep = format!("{}1", "{\"a\":".repeat(200));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("blank", b" \n\t ".to_vec()),
        ("text", b"hello".to_vec()),
        ("form", b"alerts=1".to_vec()),
        ("number", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("true", b"true".to_vec()),
        ("string", b"\"alerts\"".to_vec()),
        ("list", b"[]".to_vec()),
        ("list of objects", b"[{}]".to_vec()),
        ("xml", b"<alerts/>".to_vec()),
        ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("UTF-16", b"\xff\xfe{\x00}\x00".to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00".to_vec()),
        ("object without alerts", b"{}".to_vec()),
        ("cut", b"{\"alerts\":[{\"status\":\"fir".to_vec()),
        ("trailing comma", b"{\"alerts\":[],}".to_vec()),
        ("trailing text", b"{\"alerts\":[]} and more".to_vec()),
        ("two objects", b"{\"alerts\":[]}{\"alerts\":[]}".to_vec()),
        ("single quotes", b"{'alerts':[]}".to_vec()),
        ("NaN", b"{\"alerts\":[],\"x\":NaN}".to_vec()),
        ("bad escape", b"{\"alerts\":[],\"x\":\"\\q\"}".to_vec()),
        ("lone surrogate", b"{\"receiver\":\"\\ud800\",\"alerts\":[]}".to_vec()),
        ("not UTF-8", b"{\"receiver\":\"\xff\xfe\",\"alerts\":[]}".to_vec()),
        ("raw newline in text", b"{\"receiver\":\"a\nb\",\"alerts\":[]}".to_vec()),
        ("too deep", deep.into_bytes()),
        ("field twice", b"{\"alerts\":[],\"alerts\":[]}".to_vec()),
        ("version 3", b"{\"version\":\"3\",\"alerts\":[]}".to_vec()),
        ("version 5 as number", b"{\"version\":5,\"alerts\":[]}".to_vec()),
        ("version as list", b"{\"version\":[4],\"alerts\":[]}".to_vec()),
        ("alerts null", b"{\"alerts\":null}".to_vec()),
        ("alerts object", b"{\"alerts\":{}}".to_vec()),
        ("alerts text", b"{\"alerts\":\"all\"}".to_vec()),
        ("alerts number", b"{\"alerts\":3}".to_vec()),
        ("alerts boolean", b"{\"alerts\":false}".to_vec()),
    ];
    let table: Vec<String> = cases
        .iter()
        .map(|(name, body)| {
            let (delivery, problem) = read_bytes(body);
            let problem = problem.unwrap_or_else(|| panic!("{name} was read"));
            assert_eq!(delivery.unreadable.len(), 1, "{name} is recorded");
            format!("{name}: {}\n    hint: {}", problem.problem, problem.hint)
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn a_byte_order_mark_loses_no_alert() {
    let body = batch(&[firing()]).to_string();
    let (delivery, problem) = read_bytes(format!("\u{feff}{body}").as_bytes());
    assert_eq!((delivery.alerts.len(), problem), (1, None));
}

#[test]
fn malformed_alerts_say_what_is_wrong() {
    let many: serde_json::Map<String, Value> = (0..200).map(|n| (format!("l{n}"), json!("x"))).collect();
    let cases: Vec<(&str, Value)> = vec![
        ("null", json!(null)),
        ("number", json!(7)),
        ("float", json!(0.5)),
        ("negative", json!(-1)),
        ("boolean", json!(true)),
        ("text", json!("firing")),
        ("list", json!([firing()])),
        ("empty object", json!({})),
        ("unknown status", with("status", json!("suppressed"))),
        ("status in capitals", with("status", json!("FIRING"))),
        ("status with an escape", with("status", json!("\u{1b}[2Jfiring"))),
        ("status number", with("status", json!(1))),
        ("status object", with("status", json!({"state": "active"}))),
        ("no labels", without("labels")),
        ("labels null", with("labels", json!(null))),
        ("labels empty", with("labels", json!({}))),
        ("labels all empty", with("labels", json!({"a": "", "b": ""}))),
        ("labels list", with("labels", json!(["a", "b"]))),
        ("labels text", with("labels", json!("alertname=x"))),
        ("labels number", with("labels", json!(5))),
        ("label number", with_label("replica", json!(3))),
        ("label boolean", with_label("page", json!(true))),
        ("label null", with_label("pod", json!(null))),
        ("label object", with_label("pod", json!({"name": "x"}))),
        ("label list", with_label("pod", json!(["x"]))),
        ("label without a name", with_label("", json!("x"))),
        ("label with a long name", with_label(&"n".repeat(300), json!("x"))),
        ("label with a long value", with_label("pod", json!("v".repeat(5000)))),
        ("label with NUL", with_label("pod", json!("a\0b"))),
        ("label with ESC", with_label("pod", json!("\u{1b}[31mred"))),
        ("label with DEL", with_label("pod", json!("a\u{7f}"))),
        ("label with C1", with_label("pod", json!("a\u{9b}31m"))),
        ("label that turns the writing", with_label("pod", json!("abc\u{202e}cba"))),
        ("label name with a control character", with_label("a\u{7}b", json!("x"))),
        ("too many labels", with("labels", Value::Object(many))),
        ("annotations list", with("annotations", json!([]))),
        ("annotations text", with("annotations", json!("summary"))),
        ("start is no time", with("startsAt", json!("yesterday"))),
        ("start without zone", with("startsAt", json!("2026-11-21T08:30:00"))),
        ("start is a number", with("startsAt", json!(1_763_713_800))),
        ("start has month 13", with("startsAt", json!("2026-13-01T00:00:00Z"))),
        ("start is an object", with("startsAt", json!({}))),
        ("start is in the last hours there are", with("startsAt", json!("9999-12-31T23:59:59Z"))),
        ("end is no time", with("endsAt", json!("never"))),
        ("end is a boolean", with("endsAt", json!(false))),
    ];
    let mut bodies = Vec::new();
    for (name, alert) in &cases {
        let mut body = batch(std::slice::from_ref(alert));
        if *name == "empty object" {
            body["status"] = Value::Null;
        }
        bodies.push((*name, body));
    }
    let twice = serde_json::to_string(&batch(&[firing()])).expect("plain data");
    let twice = twice.replace("\"labels\":{", "\"labels\":{\"namespace\":\"prod\",");
    let mut table: Vec<String> = bodies
        .iter()
        .map(|(name, body)| {
            let (delivery, _) = read_json(body);
            assert!(delivery.alerts.is_empty(), "{name} was read");
            format!("{name}: {}", delivery.unreadable[0].problem)
        })
        .collect();
    let (delivery, _) = read_bytes(twice.as_bytes());
    table.push(format!("label twice: {}", delivery.unreadable[0].problem));
    insta::assert_snapshot!(table.join("\n"));
}
