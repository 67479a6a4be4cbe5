//! Every right that the levers need, taken away one by one: `check --live` names that one and no other. The API server here
//! answers SelfSubjectAccessReviews and nothing else; that a real one answers so is shown where the whole program is tested.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Source, SourceFile};
use paramedic_policies::endpoint::Endpoint;
use paramedic_policies::load;
use paramedic_policies::settings::Settings;
use paramedic_remediations::rights::{Plurals, Right, of_book};
use serde_json::{Value, json};

use super::paramedic;

const WEB: &str = "{kind: Deployment, namespace: shop, name: '{{ labels.name }}'}";
const POD: &str = "{kind: Pod, namespace: shop, name: '{{ labels.name }}'}";
const ANY: &str = "{kind: Deployment, namespace: '{{ labels.namespace }}', name: '{{ labels.name }}'}";
const INGRESS: &str = "{kind: Ingress.networking.k8s.io, namespace: shop, name: '{{ labels.name }}'}";
const MAP: &str = "{kind: ConfigMap, namespace: shop, name: '{{ labels.name }}'}";
const SERVICE: &str = "{kind: Service, namespace: shop, name: '{{ labels.name }}'}";
const ROLLOUT: &str = "{kind: Rollout.argoproj.io, namespace: shop, name: '{{ labels.name }}'}";

/// Each lever with a target that it is for.
const LEVERS: [(&str, &str); 27] = [
    (WEB, "scale: {by: 1, max: 9}"),
    (ANY, "restart: {}"),
    (ROLLOUT, "restart: {}"),
    (WEB, "rollback: {healthy: {query: 'vector(0)', is: '< 1'}}"),
    (ROLLOUT, "rollback: {healthy: {query: 'vector(0)', is: '< 1'}}"),
    (WEB, "http: {endpoint: dlq, path: /m/1, look: {path: /m/1, field: /state, is: dead}}"),
    (SERVICE, "resetBreaker: {breaker: db, port: http}"),
    (
        WEB,
        "freezeDeploys: {for: 1h, argoCd: [{namespace: argocd, project: shop}], \
         flux: [{kind: Kustomization, namespace: flux, name: shop}, {kind: HelmRelease, namespace: flux, name: shop}]}",
    ),
    ("{kind: Namespace, namespace: shop, name: shop}", "freezeDeploys: {for: 1h}"),
    (
        "{kind: Namespace, namespace: '{{ labels.namespace }}', name: '{{ labels.namespace }}'}",
        "freezeDeploys: {for: 1h, namespaces: '{{ labels.namespaces }}'}",
    ),
    (WEB, "blockIp: {by: networkPolicy, clientAddress: peer, address: 203.0.113.7, for: 1h}"),
    (INGRESS, "blockIp: {by: ingressNginx, clientAddress: forwarded, address: 203.0.113.7, for: 1h}"),
    (WEB, "patch: {resources: {container: main, limits: {memory: {times: 1.5, max: 5Gi}}}}"),
    (INGRESS, "patch: {rateLimit: {atMost: 5, paths: [/login]}, for: 30m}"),
    (SERVICE, "patch: {selector: {label: app, to: green}}"),
    (MAP, "patch: {switch: {key: maintenance, to: 'on'}}"),
    (MAP, "patch: {switch: {annotation: example.com/maintenance, to: 'on'}}"),
    (ROLLOUT, "abortRollout: {}"),
    ("{kind: CronJob.batch, namespace: shop, name: '{{ labels.name }}'}", "runJob: {}"),
    (MAP, "runJob: {template: {image: 'registry.example/shop/drill:1'}}"),
    (
        "{kind: Certificate.cert-manager.io, namespace: shop, name: '{{ labels.name }}'}",
        "renewCertificate: {}",
    ),
    (POD, "quarantine: {for: 1h, detach: true}"),
    (WEB, "quarantine: {for: 1h}"),
    (POD, "evictPod: {}"),
    (POD, "deletePod: {}"),
    ("{from: {node: '{{ labels.node }}'}}", "drainNode: {}"),
    (POD, "collectEvidence: {}"),
];

/// With the endpoint of `http`.
const CONFIG: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\nendpoints: {dlq: {url: 'http://127.0.0.1:1'}}\n";

/// The right that nobody has, as a review asks for it.
type Denied = Arc<Mutex<Option<Value>>>;

fn review(right: &Right) -> Value {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    json!({
        "namespace": right.namespace.as_deref().unwrap_or_default(), "group": right.group, "resource": resource,
        "subresource": subresource, "name": right.name.as_deref().unwrap_or_default(), "verb": right.verb.name(),
    })
}

async fn answer(State(denied): State<Denied>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    match parts.uri.path() {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
            let denied = denied.lock().expect("no test panicked");
            let is_denied = asked.pointer("/spec/resourceAttributes") == denied.as_ref();
            Json(json!({"status": {"allowed": !is_denied}})).into_response()
        }
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            Json(json!({"status": {"userInfo": {"username": "medic"}}})).into_response()
        }
        "/apis/apps/v1/daemonsets" => {
            Json(json!({"items": [{"metadata": {"name": "calico-node"}}]})).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Serves it until the test's process ends.
fn served(denied: Denied) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket can be set so");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of ours");
            drop(axum::serve(listener, Router::new().fallback(answer).with_state(denied)).await);
        });
    });
    address
}

fn book(text: &str) -> Book {
    let files = vec![SourceFile { path: "policies.yaml".into(), text: text.to_owned() }];
    let url = "http://127.0.0.1:1".to_owned();
    let endpoints = [("dlq".to_owned(), Endpoint { url, ca_file: None, headers: Default::default() })].into();
    let settings = Settings { mode: Mode::Enforce, endpoints, ..Settings::default() };
    load::book(Source { files, settings, tzdb: String::new() }).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

#[test]
fn each_right_of_each_lever_that_is_missing_is_named() {
    let denied = Denied::default();
    let url = format!("http://{}", served(Arc::clone(&denied)));
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "t",
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
        "clusters": [{"name": "t", "cluster": {"server": url}}],
        "users": [{"name": "t", "user": {"token": "t"}}],
    });
    let kubeconfig = file("kubeconfig", &kubeconfig.to_string());
    let config = file("paramedic.yaml", CONFIG);
    for (target, step) in LEVERS {
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p}}\nspec:\n  mode: enforce\n  \
             match: ['alertname=\"A\"']\n  target: {target}\n  ladder: [{{{step}}}]\n"
        );
        let policies = file("policies.yaml", &text);
        let lever = step.split(':').next().expect("a key");
        let check = || {
            let mut args =
                vec!["check", "--live", &policies, "--mode", "enforce", "--kubeconfig", &kubeconfig];
            args.extend(["--config", &config]);
            paramedic(&args).out
        };
        let rights = of_book(&book(&text), &Plurals::new());
        assert!(rights.len() > 2, "{step}: {rights:?}");
        *denied.lock().expect("no test panicked") = None;
        let out = check();
        assert!(out.contains(&format!("{0} of {0} allowed to medic", rights.len())), "{step}: {out}");
        for right in rights.keys() {
            *denied.lock().expect("no test panicked") = Some(review(right));
            let out = check();
            let named = format!("medic may not {right}, which {lever} needs");
            assert!(out.contains(&named), "{step}: no `{named}` in\n{out}");
            assert!(out.contains(&right.rule()), "{step}: no `{}` in\n{out}", right.rule());
            assert_eq!(out.matches("medic may not").count(), 1, "{step}, without {right}:\n{out}");
        }
    }
}
