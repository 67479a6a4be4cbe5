//! Declared calls over real HTTP: what arrives on the wire, what no call follows, and that no secret is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use paramedic_policies::action::{Action, Outcome, Wish};
use paramedic_policies::endpoint::{Endpoint, HeaderValue, SecretFile};
use paramedic_policies::remediation::http_call::{self, Call, Look, Method, Undo};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{Endpoints, Remedies};
use paramedic_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::stand::{http_with, intent, preflight, sealed, stamp};

const SECRET: &str = "s3cret-of-the-queue";

/// A queue service with one message, and every request that it took.
#[derive(Clone, Default)]
pub(crate) struct Queue {
    dead: Arc<Mutex<bool>>,
    taken: Arc<Mutex<Vec<(String, HeaderMap, String)>>>,
    /// Hangs up after the work, once.
    hangs_up: Arc<Mutex<bool>>,
}

impl Queue {
    pub(crate) async fn serve(&self) -> String {
        let app = Router::new().fallback(answer).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    pub(crate) fn taken(&self) -> Vec<(String, HeaderMap, String)> {
        self.taken.lock().expect("unpoisoned").clone()
    }
}

async fn answer(State(queue): State<Queue>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.expect("a small body");
    let line = format!("{} {}", parts.method, parts.uri);
    if parts.method == "GET" {
        let state = if *queue.dead.lock().expect("unpoisoned") { "dead" } else { "queued" };
        return axum::Json(json!({ "state": state })).into_response();
    }
    queue.taken.lock().expect("unpoisoned").push((
        line.clone(),
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    ));
    if line.contains("/moved") {
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "http://127.0.0.1:1/evil")])
            .into_response();
    }
    *queue.dead.lock().expect("unpoisoned") = !line.contains("/replay");
    if std::mem::take(&mut *queue.hangs_up.lock().expect("unpoisoned")) {
        // A body that ends before its length is a connection that broke in the middle.
        let broken = axum::body::Body::from_stream(futures::stream::once(async {
            Err::<axum::body::Bytes, _>(std::io::Error::other("the process was killed"))
        }));
        return Response::new(broken);
    }
    StatusCode::ACCEPTED.into_response()
}

fn endpoint(url: &str, file: &str) -> BTreeMap<String, Endpoint> {
    let secret = SecretFile { file: file.to_owned(), prefix: "Bearer ".to_owned() };
    let headers = [
        ("Authorization".to_owned(), HeaderValue::Secret(secret)),
        ("X-Team".to_owned(), HeaderValue::Text("sre".to_owned())),
    ];
    let endpoint = Endpoint { url: format!("{url}/api/"), ca_file: None, headers: headers.into() };
    [("dlq".to_owned(), endpoint)].into()
}

fn call(path: &str) -> Call {
    let body = Some(json!({"job": "ä\"1", "tries": 7}));
    Call { method: Method::Post, path: path.to_owned(), body, expect: vec![202], already: vec![] }
}

fn wish(path: &str) -> http_call::Wish {
    let look = |state: &str| Look {
        path: "/m/1".into(),
        status: 200,
        field: Some(("/state".into(), json!(state))),
        absent: None,
    };
    http_call::Wish {
        endpoint: "dlq".to_owned(),
        call: call(path),
        look: Some(look("dead")),
        idempotent: false,
        idempotency_key: "Idempotency-Key".to_owned(),
        timeout: Span::from_secs(5),
        undo: Some(Undo { call: call("/m/1/replay"), look: Some(look("queued")) }),
    }
}

fn target() -> Target {
    Target { kind: "Deployment".into(), namespace: "prod".into(), name: "worker".into() }
}

struct Stand {
    queue: Queue,
    world: Remedies,
    scratch: Scratch,
}

async fn stand() -> Stand {
    let scratch = Scratch::new("http-call");
    let file = scratch.path().join("token");
    std::fs::write(&file, format!("{SECRET}\n")).expect("a scratch folder takes files");
    let queue = Queue::default();
    let url = queue.serve().await;
    paramedic_tests::tls::install();
    let endpoints = endpoint(&url, &file.to_string_lossy());
    let world = http_with(Endpoints::new(&endpoints).expect("good endpoints"));
    Stand { queue, world, scratch }
}

#[tokio::test]
async fn a_call_arrives_once_with_its_secret_its_stamp_and_its_body() {
    let Stand { queue, world, scratch: _kept } = stand().await;
    let found = preflight(&world, &target(), Wish::Http(wish("/m/a%2Fb/dead?why=x%26y")), true).await;
    let seal = sealed(intent(12, &target(), &found));
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Done { already: false, .. }), "{outcome:?}");
    let taken = queue.taken();
    let (line, headers, body) = &taken[0];
    assert_eq!(line, "POST /api/m/a%2Fb/dead?why=x%26y");
    assert_eq!(headers["authorization"], format!("Bearer {SECRET}"));
    assert_eq!(
        (&headers["x-team"], &headers["content-type"]),
        (&"sre".parse().expect("a value"), &"application/json".parse().expect("a value"))
    );
    assert_eq!(headers["idempotency-key"], stamp(12).as_str());
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), json!({"job": "ä\"1", "tries": 7}));
    let shown = format!("{found:?} {outcome:?} {world:?} {seal:?}");
    assert!(!shown.contains(SECRET) && shown.contains("<from "), "{shown}");

    assert_eq!(world.perform(&seal, &Halt::never()).await, Outcome::Done { diff: None, already: true });
    assert_eq!(world.close(&seal).await.name(), "done");
    assert_eq!(queue.taken().len(), 1, "a repeat sends nothing");

    let back = preflight(&world, &target(), Wish::Revert(seal.action.clone()), false).await;
    assert_eq!(world.perform(&sealed(intent(13, &target(), &back)), &Halt::never()).await.name(), "done");
    assert_eq!(queue.taken()[1].0, "POST /api/m/1/replay");
}

#[tokio::test]
async fn a_lost_answer_is_found_done_by_the_declared_look() {
    let Stand { queue, world, scratch: _kept } = stand().await;
    let found = preflight(&world, &target(), Wish::Http(wish("/m/1/dead")), false).await;
    *queue.hangs_up.lock().expect("unpoisoned") = true;
    let outcome = world.perform(&sealed(intent(12, &target(), &found)), &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Done { already: false, .. }), "{outcome:?}");
    assert_eq!(queue.taken().len(), 1, "and not sent again");

    let Stand { queue, world, scratch: _kept } = stand().await;
    let blind = http_call::Wish { look: None, undo: None, ..wish("/m/1/dead") };
    let found = preflight(&world, &target(), Wish::Http(blind), false).await;
    *queue.hangs_up.lock().expect("unpoisoned") = true;
    let outcome = world.perform(&sealed(intent(12, &target(), &found)), &Halt::never()).await;
    assert_eq!((outcome.name(), queue.taken().len()), ("unknown", 1), "{outcome:?}");
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let Stand { world, scratch: _kept, .. } = stand().await;
    let found = preflight(&world, &target(), Wish::Http(wish("/moved")), false).await;
    let outcome = world.perform(&sealed(intent(12, &target(), &found)), &Halt::never()).await;
    let Outcome::Failed { what, applied: false, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(what.contains("307, and redirects are not followed"), "{what}");
}

#[tokio::test]
async fn a_secret_that_is_gone_refuses_and_names_its_file() {
    let Stand { queue, world, scratch } = stand().await;
    let found = preflight(&world, &target(), Wish::Http(wish("/m/1/dead")), false).await;
    std::fs::remove_file(scratch.path().join("token")).expect("it was there");
    let refused = preflight(&world, &target(), Wish::Http(wish("/m/1/dead")), false).await;
    assert!(
        refused.refusals.iter().any(|reason| reason.to_string().contains("could not read")),
        "{refused:?}"
    );
    let blind = http_call::Wish { look: None, ..wish("/m/1/dead") };
    let mut intent = intent(12, &target(), &found);
    if let Action::Http(action) = &mut intent.action {
        action.wish = blind;
    }
    let outcome = world.perform(&sealed(intent), &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert!(queue.taken().is_empty());
}

#[tokio::test]
async fn metadata_addresses_are_refused_at_the_start_and_loopback_behind_a_name_at_the_call() {
    paramedic_tests::tls::install();
    for url in ["http://169.254.169.254", "http://[fe80::1]:80", "http://2852039166"] {
        let error = Endpoints::new(&endpoint(url, "unused")).expect_err(url);
        assert!(error.to_string().contains("never called"), "{error}");
    }
    let scratch = Scratch::new("http-call-names");
    let file = scratch.path().join("token");
    std::fs::write(&file, SECRET).expect("a scratch folder takes files");
    // A name of this machine that the URL does not call loopback by itself.
    let url = "http://ip6-localhost.invalid:9";
    let world =
        http_with(Endpoints::new(&endpoint(url, &file.to_string_lossy())).expect("a name is no address"));
    let found = preflight(&world, &target(), Wish::Http(wish("/m/1/dead")), false).await;
    assert!(!found.refusals.is_empty(), "{found:?}");
}
