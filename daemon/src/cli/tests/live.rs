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
    let url = format!("http://{}", served());
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let policies = file("policies.yaml", POLICIES.to_owned());
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "t",
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
        "clusters": [{"name": "t", "cluster": {"server": url}}],
        "users": [{"name": "t", "user": {"token": "t"}}],
    });
    let kubeconfig = file("kubeconfig", kubeconfig.to_string());
    let mut args = vec!["check", "--live", &policies, "--mode", "enforce", "--kubeconfig", &kubeconfig];
    args.extend(["--prometheus-url", &url, "--alertmanager-url", &url]);
    args.extend(more);
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
