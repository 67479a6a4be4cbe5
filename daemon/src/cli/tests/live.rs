//! `check --live` word for word, against servers that answer what the test says. That the real ones answer so is shown
//! where the whole program is tested.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Ran, paramedic};

const POLICIES: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  mode: enforce
  match: ['alertname="CartErrors"']
  target: {kind: Deployment, namespace: shop, name: "{{ labels.deployment }}"}
  when:
    - {query: 'errors{deployment="{{ labels.deployment }}"}', is: "> 1"}
    - {query: 'missing{deployment="{{ labels.deployment }}"}', is: "> 1"}
  ladder: [{restart: {}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: search-gone}
spec:
  mode: enforce
  match: ['alertname="SearchDown"']
  target: {kind: Deployment, namespace: shop, name: search}
  when:
    - {query: 'renamed{job="{{ labels.job }}"}', is: "> 1"}
    - {query: 'quiet{job="{{ labels.job }}"}', is: "== 0", empty: 0}
  ladder: [{restart: {}}]
"#;

/// Prometheus, Alertmanager and an API server in one.
async fn world(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let found = match parts.uri.path() {
        "/api/v1/query" => prometheus(&text),
        path if path.starts_with("/api/v1/records") => records(path, parts.uri.query().unwrap_or_default()),
        "/api/v2/status" => Some(json!({"config": {"original": ALERTMANAGER}})),
        "/api/v2/alerts" => Some(json!([
            alert(json!({"alertname": "CartErrors", "deployment": "cart"}), "paramedic"),
            alert(json!({"alertname": "CartErrors"}), "pager"),
            alert(json!({"alertname": "Watchdog"}), "pager"),
        ])),
        path => kubernetes(path, &text),
    };
    match found {
        Some(found) => axum::Json(found).into_response(),
        None => {
            let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"});
            (StatusCode::NOT_FOUND, axum::Json(status)).into_response()
        }
    }
}

const ALERTMANAGER: &str = "route: {receiver: pager, routes: [{receiver: paramedic}]}\nreceivers:\n- name: pager\n\
    - {name: paramedic, webhook_configs: [{url: 'http://medic:9911/webhook/alertmanager', send_resolved: false}]}\n";

fn alert(labels: Value, receiver: &str) -> Value {
    json!({"labels": labels, "receivers": [{"name": receiver}], "status": {"state": "active"}})
}

fn prometheus(form: &str) -> Option<Value> {
    let is_known = ["vector%281%29", "errors%7B", "count%28errors"].iter().any(|known| form.contains(known));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs();
    let result = if is_known { json!([{"metric": {}, "value": [now, "3"]}]) } else { json!([]) };
    Some(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// The journal of a daemon: one policy met an alert, the other one was only run by hand.
fn records(path: &str, query: &str) -> Option<Value> {
    static RECORDS: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
    let all = RECORDS.get_or_init(|| {
        let records = super::fixture::by_hand().records;
        records.iter().map(|record| serde_json::to_value(record).expect("plain data")).collect()
    });
    match path.strip_prefix("/api/v1/records/") {
        Some(seq) => all.iter().find(|record| record["seq"].as_u64() == seq.parse().ok()).cloned(),
        None => {
            let is_wanted = |record: &&Value| {
                let policy = record.pointer("/event/ruling/policy").and_then(Value::as_str);
                record["event"]["kind"] == "ruled"
                    && policy.is_some_and(|policy| query.contains(&format!("policy={policy}")))
            };
            let items: Vec<&Value> = all.iter().filter(is_wanted).collect();
            Some(json!({"items": items, "next": null}))
        }
    }
}

fn kubernetes(path: &str, body: &str) -> Option<Value> {
    match path {
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            Some(json!({"status": {"userInfo": {"username": "system:serviceaccount:ops:medic"}}}))
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let review: Value = serde_json::from_str(body).ok()?;
            let resource = review.pointer("/spec/resourceAttributes/resource")?.as_str()?;
            Some(json!({"status": {"allowed": resource != "poddisruptionbudgets"}}))
        }
        _ => None,
    }
}

/// Serves it until the test's process ends.
fn served() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket can be set so");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of ours");
            drop(axum::serve(listener, Router::new().fallback(world)).await);
        });
    });
    address
}

fn check(more: &[&str]) -> Ran {
    check_of(POLICIES, more)
}

fn check_of(policies: &str, more: &[&str]) -> Ran {
    let url = format!("http://{}", served());
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let policies = file("policies.yaml", policies.to_owned());
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "t",
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
        "clusters": [{"name": "t", "cluster": {"server": url}}],
        "users": [{"name": "t", "user": {"token": "t"}}],
    });
    let kubeconfig = file("kubeconfig", kubeconfig.to_string());
    let mut args = vec!["check", "--live", &policies, "--mode", "enforce", "--kubeconfig", &kubeconfig];
    args.extend(["--prometheus-url", &url]);
    if !more.contains(&"--alertmanager-url") {
        args.extend(["--alertmanager-url", &url]);
    }
    args.extend(more.iter().map(|more| if *more == "DAEMON" { url.as_str() } else { more }));
    let Ran { code, out, err } = paramedic(&args);
    let plain = |text: String| text.replace(&url, "URL").replace(dir.path().to_str().expect("UTF-8"), "DIR");
    Ran { code, out: plain(out), err: plain(err) }
}

/// Without what every check prints of the policies.
fn live(ran: &Ran) -> String {
    let (problems, rest) = ran.out.split_once("cart-errors (").expect("the policies follow the problems");
    let (_, asked) = rest.split_once("live\n").expect("what was asked is last");
    format!("exit {}\n{problems}...\nlive\n{asked}----- stderr\n{}", ran.code, ran.err)
}

#[test]
fn what_the_world_lacks_is_told_with_its_place_and_what_to_do() {
    insta::assert_snapshot!(live(&check(&[])));
}

#[test]
fn an_address_that_nobody_posts_to_is_said() {
    let ran = check(&["--webhook-url", "http://medic.ops:9911/webhook/alertmanager/"]);
    assert!(ran.out.contains("Alertmanager: error: no receiver posts to paramedic"), "{ran}");
    let ran = check(&["--receiver", "nobody"]);
    assert!(ran.out.contains("there is no receiver nobody with a webhook"), "{ran}");
}

#[test]
fn programs_get_the_same_as_data() {
    let ran = check(&["-o", "json"]);
    let data: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(ran.code, 1);
    assert!(data["live"]["problems"].as_array().is_some_and(|problems| problems.len() > 3), "{data}");
    assert!(data["live"]["asked"]["rights"].is_string(), "{data}");
}

const BY_HAND: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restore}
spec:
  target: {kind: Deployment, namespace: shop, name: "{{ labels.deployment }}"}
  when:
    - {query: 'missing{deployment="{{ labels.deployment }}"}', is: "> 1", empty: 0}
  ladder: [{restart: {}}]
"#;

#[test]
fn what_is_only_run_by_hand_is_asked_for_no_alert() {
    let ran = check_of(BY_HAND, &["--server", "DAEMON"]);
    assert!(!ran.out.contains("with the values of the alert"), "{ran}");
    assert!(!ran.out.contains("names no target for it"), "{ran}");
    assert!(!ran.out.contains("no alert ever matched"), "{ran}");
    assert!(ran.out.contains("0 of 0 policies never matched"), "{ran}");
}

#[test]
fn what_was_run_by_hand_was_matched_by_no_alert() {
    let ran = check_of(super::fixture::POLICY, &["--server", "DAEMON"]);
    assert!(ran.out.contains("no alert ever matched search-slow in the journal"), "{ran}");
    assert!(!ran.out.contains("no alert ever matched cart-errors"), "{ran}");
}

#[test]
fn rights_of_orders_by_hand_are_asked_for_where_that_is_wanted() {
    let asked = |more: &[&str]| -> String {
        let ran = check(&[&["-o", "json"], more].concat());
        let data: Value = serde_json::from_str(&ran.out).expect("JSON");
        data["live"]["asked"]["rights"].as_str().expect("it was asked").to_owned()
    };
    assert!(asked(&[]).starts_with("7 of 8 "));
    let more = asked(&["--by-hand"]);
    let all: u32 = more.split(' ').nth(2).and_then(|count| count.parse().ok()).expect("N of M");
    assert!(all > 8, "{more}");
}

#[test]
fn a_set_that_does_not_load_says_that_nothing_was_asked() {
    let ran = check_of("kind: Nothing\n", &[]);
    assert!(ran.code == 1 && ran.err.contains("live: not asked, for the policies do not load"), "{ran}");
}

#[test]
fn a_password_of_alertmanager_is_not_shown() {
    let ran = check(&["--alertmanager-url", "http://user:secretpw@127.0.0.1:1"]);
    assert!(ran.out.contains("could not ask http://127.0.0.1:1 for its routes"), "{ran}");
    assert!(!ran.to_string().contains("secretpw"), "{ran}");
}
