//! The routers with a real driver and journal behind them, and no sockets.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::clock::Clock;
use crate::clock::tests::HandClock;
use crate::driver::tests::{Running, delivery};
use crate::reload::{Begun, Reloader, Want, Wanted};
use paramedic_policies::action::Mode;
use tokens::{TokenFile, TokensOut};

mod by_hand;
mod late;
mod reloading;
mod streaming;
mod turned_away;

struct Server {
    running: Running,
    public: Router,
    admin: Router,
    folder: tempfile::TempDir,
    served: Shared,
}

pub(super) const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restart-web}
spec:
  match: ['alertname="WebDown"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: web}
  ladder:
    - restart: {}
"#;

impl Server {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With tokens of these names and roles; each token is its name, repeated.
    async fn with(names: &[(&str, Role)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let files = names.iter().map(|(name, role)| {
            let file = folder.path().join(format!("{name}.token"));
            std::fs::write(&file, token(name)).expect("a file can be written");
            TokenFile { name: (*name).to_owned(), role: *role, file }
        });
        let tokens = Arc::new(Tokens::read(files.collect()).expect("valid tokens"));
        let by_hand = Arc::new(HandClock::new());
        let clock = Arc::clone(&by_hand) as Arc<dyn Clock>;
        let metrics = Arc::new(Metrics::default());
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).expect("a folder can be made");
        std::fs::write(policies.join("web.yaml"), POLICY).expect("a file can be written");
        let want: Want =
            Arc::new(move || Ok(Wanted { policies: vec![policies.clone()], ..Wanted::default() }));
        let Begun { reloader, reloads, book, status } = Reloader::begin(
            want,
            Mode::Enforce,
            Box::new(TokensOut::default),
            Arc::clone(&clock),
            Arc::clone(&metrics),
        );
        tokio::spawn(reloader.run());
        let running = Running::with_books(by_hand, book).await;
        let served = Arc::new(Served {
            inbox: running.inbox.clone(),
            tokens,
            metrics,
            clock,
            redactor: Redactor::default(),
            reloads,
            book: status,
            others: Others { prometheus: None, kubernetes: None, simulated: false },
            world: Arc::new(crate::driver::tests::QuietWorld),
            explanations: Semaphore::new(EXPLANATIONS_AT_ONCE),
            body_memory: Arc::new(Semaphore::new(BODY_MEMORY_KIB)),
            version: "test".to_owned(),
        });
        let (public, admin) = (public(Arc::clone(&served)), admin(Arc::clone(&served)));
        Self { running, public, admin, folder, served }
    }

    async fn ask(&self, request: Request) -> (StatusCode, Value) {
        answer(self.public.clone(), request).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(request(Method::GET, path, None)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(request(Method::POST, path, Some(body))).await
    }
}

async fn answer(router: Router, request: Request) -> (StatusCode, Value) {
    let response = router.oneshot(request).await.expect("routers do not fail");
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("small");
    let text = String::from_utf8_lossy(&body).into_owned();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn token(name: &str) -> String {
    format!("a-token-of-some-length-for-{name}")
}

fn request(method: Method, path: &str, body: Option<&Value>) -> Request {
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    Request::builder().method(method).uri(path).body(body).expect("valid")
}

fn bearing(mut request: Request, authorization: &str) -> Request {
    request.headers_mut().insert(header::AUTHORIZATION, authorization.parse().expect("valid"));
    request
}

fn batch(alerts: &[Value]) -> Value {
    json!({"version": "4", "status": "firing", "receiver": "paramedic", "alerts": alerts})
}

fn alert(name: &str) -> Value {
    json!({"status": "firing", "labels": {"alertname": name}, "startsAt": "2025-11-21T08:30:00Z"})
}

#[tokio::test]
async fn a_webhook_is_answered_when_it_is_durable() {
    let server = Server::start().await;
    let body = batch(&[alert("A"), json!(7)]);
    let (status, answer) = server.post("/webhook/alertmanager", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!((&answer["alerts"], &answer["unreadable"][0]["index"]), (&json!(1), &json!(1)));
    let (status, record) = server.get(&format!("/api/v1/records/{}", answer["first"])).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&record["event"]["kind"], &record["event"]["alerts"]), (&json!("received"), &json!(2)));
    assert_eq!(record["event"]["correlation"], answer["correlation"]);
    let (_, page) = server.get("/api/v1/records?kind=opened&alert=A").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}

#[tokio::test]
async fn a_webhook_of_two_peers_is_one_episode() {
    let server = Server::start().await;
    let body = batch(&[alert("A")]);
    let (first, _) = server.post("/webhook/alertmanager", &body).await;
    let (second, _) = server.post("/webhook/alertmanager", &body).await;
    assert_eq!((first, second), (StatusCode::OK, StatusCode::OK));
    let (_, page) = server.get("/api/v1/episodes?open=true").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}

#[tokio::test]
async fn what_cannot_be_read_is_recorded_and_400() {
    let server = Server::start().await;
    for body in [json!([1]), json!({"alerts": 3}), batch(&[json!(null)])] {
        let before = server.running.inbox.standing().next;
        let (status, answer) = server.post("/webhook/alertmanager", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"].is_string() && answer["hint"].is_string(), "{answer}");
        let (_, record) = server.get(&format!("/api/v1/records/{before}")).await;
        assert!(record["event"]["unreadable"][0]["problem"].is_string(), "{record}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let server = Server::start().await;
    let large = Request::builder()
        .method(Method::POST)
        .uri("/webhook/alertmanager")
        .header(header::CONTENT_LENGTH, BODY_BYTES_MAX + 1)
        .body(Body::from("{}"))
        .expect("valid");
    let (status, answer) = server.ask(large).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    // One that does not say its length.
    let chunk = axum::body::Bytes::from(vec![b' '; 1 << 20]);
    let chunks = futures::stream::iter((0..40).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let endless = Request::builder().method(Method::POST).uri("/webhook/alertmanager");
    let (status, _) = server.ask(endless.body(Body::from_stream(chunks)).expect("valid")).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn too_many_large_bodies_at_once_are_503() {
    let server = Server::start().await;
    let _all = server.served.body_memory.try_acquire_many(u32::try_from(BODY_MEMORY_KIB).expect("fits"));
    let length = "{}".len();
    let mut request = request(Method::POST, "/webhook/alertmanager", Some(&json!({})));
    request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    let (status, answer) = server.ask(request).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
}

#[tokio::test]
async fn large_bodies_under_way_hold_their_memory_and_give_it_back() {
    let server = Server::start().await;
    let whole = axum::body::Bytes::from(vec![b' '; BODY_BYTES_MAX]);
    let large = || {
        let come = futures::stream::iter([Ok::<_, std::io::Error>(whole.clone())]);
        let body = Body::from_stream(come.chain(futures::stream::pending()));
        let request = Request::builder().method(Method::POST).uri("/webhook/alertmanager");
        let request = request.header(header::CONTENT_LENGTH, BODY_BYTES_MAX).body(body).expect("valid");
        Box::pin(answer(server.public.clone(), request))
    };
    let mut under_way = Vec::new();
    for _ in 0..BODY_MEMORY_KIB * 1024 / BODY_BYTES_MAX {
        let mut one = large();
        assert!(futures::poll!(&mut one).is_pending());
        under_way.push(one);
    }
    let (status, refused) = large().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused}");
    under_way.pop();
    let mut next = large();
    assert!(futures::poll!(&mut next).is_pending(), "there is a place again");
    drop((under_way, next));
    // A body that was read counts until its answer, for its alerts wait for the journal.
    server.running.valve.shut();
    let body = batch(&[alert("A")]);
    let mut waiting = Box::pin(server.post("/webhook/alertmanager", &body));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert!(server.served.body_memory.available_permits() < BODY_MEMORY_KIB);
    server.running.valve.open_again();
    assert_eq!(waiting.await.0, StatusCode::OK);
    assert_eq!(server.served.body_memory.available_permits(), BODY_MEMORY_KIB);
}

#[tokio::test]
async fn a_sender_that_gives_up_does_not_free_the_memory_of_what_still_waits() {
    let server = Server::start().await;
    server.running.valve.shut();
    // More than is parsed at once, so that it is parsed beside.
    let large = batch(&vec![alert("A"); 5000]);
    for body in [batch(&[alert("B")]), large] {
        let before = server.served.body_memory.available_permits();
        let mut waiting = Box::pin(server.post("/webhook/alertmanager", &body));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(waiting);
        assert!(server.served.body_memory.available_permits() < before, "its sender has gone, it has not");
    }
    server.running.valve.open_again();
    server.running.inbox.take(delivery(&["C"])).await.expect("taken");
    // What is parsed beside may come later, to nobody.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while server.served.body_memory.available_permits() < BODY_MEMORY_KIB {
        assert!(std::time::Instant::now() < patience, "the memory did not come back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_inbox_is_503_with_a_time_to_come_again() {
    let server = Server::start().await;
    server.running.valve.shut();
    let mut waiting = Vec::new();
    let mut full = false;
    while !full {
        let inbox = server.running.inbox.clone();
        let mut take = Box::pin(async move { inbox.take(delivery(&["A"])).await });
        full = futures::poll!(&mut take).is_ready();
        waiting.push(take);
    }
    let response = server
        .public
        .clone()
        .oneshot(request(Method::POST, "/webhook/alertmanager", Some(&batch(&[alert("B")]))))
        .await
        .expect("routers do not fail");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    server.running.valve.open_again();
}

#[tokio::test]
async fn a_broken_journal_is_503_and_not_ready() {
    let server = Server::start().await;
    server.running.valve.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let (status, answer) = server.post("/webhook/alertmanager", &batch(&[alert("A")])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.to_string().contains("disk"), "what broke is for our log: {answer}");
    let (status, detail) =
        super::tests::answer(server.admin.clone(), request(Method::GET, "/readyz", None)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        detail["journal"]["problem"].as_str().is_some_and(|text| text.contains("disk is full")),
        "{detail}"
    );
}

#[tokio::test]
async fn every_role_may_do_its_own_and_nothing_more() {
    use Role::{Ingest, Operate, Read};
    let server = Server::with(&[("am", Ingest), ("jane", Read), ("joe", Operate)]).await;
    let pause = json!({"scope": "everything"});
    let cases = [
        (Method::POST, "/webhook/alertmanager", Some(batch(&[])), [200, 403, 403]),
        (Method::GET, "/api/v1/status", None, [403, 200, 200]),
        (Method::GET, "/api/v1/records", None, [403, 200, 200]),
        (Method::GET, "/api/v1/pauses", None, [403, 200, 200]),
        (Method::POST, "/api/v1/explain", Some(json!({"episode": 99})), [403, 404, 404]),
        (Method::POST, "/api/v1/pauses", Some(pause), [403, 403, 200]),
        (Method::POST, "/api/v1/clock/accept", None, [403, 403, 409]),
        (Method::POST, "/-/reload", None, [403, 403, 200]),
    ];
    for (method, path, body, wanted) in cases {
        for (name, wanted) in ["am", "jane", "joe"].into_iter().zip(wanted) {
            let asked = request(method.clone(), path, body.as_ref());
            let (status, answer) = server.ask(bearing(asked, &format!("Bearer {}", token(name)))).await;
            assert_eq!(status.as_u16(), wanted, "{name} at {method} {path}: {answer}");
        }
        for wrong in ["Bearer nobody-nobody-nobody", "Bearer ", "Basic YW06YW0=", "am", "bearer\u{a0}x"] {
            let mut asked = request(method.clone(), path, body.as_ref());
            let value = header::HeaderValue::from_bytes(wrong.as_bytes()).expect("valid");
            asked.headers_mut().insert(header::AUTHORIZATION, value);
            let (status, answer) = server.ask(asked).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong} at {method} {path}: {answer}");
        }
        let (status, _) = server.ask(request(method.clone(), path, body.as_ref())).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let (_, page) = server
        .ask(bearing(
            request(Method::GET, "/api/v1/records?kind=paused", None),
            &format!("Bearer {}", token("joe")),
        ))
        .await;
    assert_eq!(page["items"][0]["event"]["by"], json!("joe"), "{page}");
}

#[tokio::test]
async fn a_replaced_token_file_holds_after_rereading() {
    let server = Server::with(&[("jane", Role::Read)]).await;
    let file = server.folder.path().join("jane.token");
    std::fs::write(&file, "a-new-token-for-jane").expect("a file can be written");
    let new = || bearing(request(Method::GET, "/api/v1/status", None), "Bearer a-new-token-for-jane");
    assert_eq!(server.ask(new()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.served.tokens.reread(None), TokensOut::default());
    assert_eq!(server.ask(new()).await.0, StatusCode::OK);
    std::fs::write(&file, "short").expect("a file can be written");
    let out = server.served.tokens.reread(None).unusable;
    assert!(out[0].contains("`jane`") && out[0].contains("is shorter than"), "{out:?}");
    assert_eq!(server.ask(new()).await.0, StatusCode::UNAUTHORIZED, "whoever spoils the file revokes it");
}

#[tokio::test]
async fn without_tokens_a_browser_elsewhere_gives_no_orders() {
    let server = Server::start().await;
    let cases: [(&[(header::HeaderName, &str)], u16); 6] = [
        (&[], 200),
        (&[(header::HOST, "127.0.0.1:9911")], 200),
        (&[(header::HOST, "localhost:9911"), (header::ORIGIN, "http://localhost:9911")], 200),
        (&[(header::HOST, "[::1]:9911")], 200),
        (&[(header::HOST, "rebound.example:9911")], 403),
        (&[(header::HOST, "127.0.0.1:9911"), (header::ORIGIN, "https://evil.example")], 403),
    ];
    for (headers, wanted) in cases {
        let mut asked = request(Method::POST, "/api/v1/pauses", Some(&json!({"scope": "everything"})));
        for (name, value) in headers {
            asked.headers_mut().insert(name.clone(), value.parse().expect("valid"));
        }
        let (status, answer) = server.ask(asked).await;
        assert_eq!(status.as_u16(), wanted, "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn orders_are_checked_recorded_and_listed() {
    let server = Server::start().await;
    let wrong = [
        json!({}),
        json!({"scope": "all"}),
        json!({"scope": {"namespace": "Prod/.."}}),
        json!({"scope": {"policy": "a b"}}),
        json!({"scope": {"target": {"kind": "Deployment", "namespace": "p", "name": "../x"}}}),
        json!({"scope": {"target": {"kind": "rollout", "namespace": "p", "name": "x"}}}),
        json!({"scope": "everything", "for": "soon"}),
        json!({"scope": "everything", "for": "1h", "until": "2099-01-01T00:00:00Z"}),
        json!({"scope": "everything", "until": "1999-01-01T00:00:00Z"}),
        json!({"scope": "everything", "lasts": "1h"}),
        json!({"scope": "everything", "for": "100000d"}),
        json!({"scope": "everything", "until": "2999-01-01T00:00:00Z"}),
    ];
    let mut table = Vec::new();
    for body in wrong {
        let (status, answer) = server.post("/api/v1/pauses", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        table.push(format!("{body}\n    {}\n    hint: {}", answer["error"], answer["hint"]));
    }
    insta::assert_snapshot!(table.join("\n"));
    let pause = json!({"scope": {"namespace": "prod"}, "for": "1h", "reason": "mail jane@example.com"});
    assert_eq!(server.post("/api/v1/pauses", &pause).await.0, StatusCode::OK);
    let (_, pauses) = server.get("/api/v1/pauses").await;
    assert_eq!(pauses["items"][0]["reason"], json!("mail [email]"), "{pauses}");
    // As records print targets.
    let web = json!({"scope": {"target": {"kind": "deployment", "namespace": "p", "name": "web"}}});
    assert_eq!(server.post("/api/v1/pauses", &web).await.0, StatusCode::OK);
    let (_, pauses) = server.get("/api/v1/pauses").await;
    let kinds: Vec<_> =
        pauses["items"].as_array().into_iter().flatten().map(|one| &one["scope"]["target"]["kind"]).collect();
    assert!(kinds.contains(&&json!("Deployment")), "{pauses}");
    let resume = json!({"scope": {"namespace": "prod"}});
    assert_eq!(server.post("/api/v1/resume", &resume).await.0, StatusCode::OK);
    let (status, answer) = server.post("/api/v1/resume", &resume).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    for path in ["/api/v1/proposals/99/approve", "/api/v1/proposals/99/deny"] {
        let (status, answer) = server.post(path, &json!({"comment": "yes"})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    }
    assert_eq!(server.post("/api/v1/proposals/x/approve", &json!({})).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn after_a_clock_that_had_run_ahead_it_says_until_when_time_stands_still() {
    let server = Server::start().await;
    let day = 24 * 3_600_000;
    let begin = server.served.clock.wall();
    for (step_ms, name) in [(day, "A"), (-day, "B")] {
        server.running.clock.step(step_ms);
        assert_eq!(server.post("/webhook/alertmanager", &batch(&[alert(name)])).await.0, StatusCode::OK);
    }
    let (status, answer) = server.post("/api/v1/clock/accept", &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, detail) = server.get("/api/v1/status").await;
    assert_eq!(detail["clockSteppedMs"], json!(null));
    let until: paramedic_policies::time::Moment =
        serde_json::from_value(detail["timeStandsStill"]["until"].clone()).expect("a moment");
    assert_eq!(until.since(begin).ms(), 24 * 3_600_000 + 1);
    for word in ["why", "hint"] {
        assert!(detail["timeStandsStill"][word].is_string(), "{detail}");
    }
    server.running.clock.pass("25h".parse().expect("a span"));
    let (_, detail) = server.get("/api/v1/status").await;
    assert_eq!(detail["timeStandsStill"], json!(null), "nothing was recorded, and time goes on");
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panics").extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_order_is_logged_once_with_its_outcome() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
    // While there is one subscriber alone, a line that another test's thread logs first is switched off for all.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _logging = tracing::subscriber::set_default(lines.with_writer(move || writer.clone()).finish());
    let server = Server::start().await;
    server.post("/api/v1/pauses", &json!({"scope": {"namespace": "prod"}, "for": "1h"})).await;
    server.post("/api/v1/resume", &json!({"scope": "everything"})).await;
    server.post("/api/v1/proposals/99/approve", &json!({})).await;
    server.post("/-/reload", &json!({})).await;
    let text = String::from_utf8(log.0.lock().expect("no panics").clone()).expect("UTF-8");
    let orders: Vec<&str> = text.lines().filter(|line| line.contains("order=")).collect();
    insta::assert_snapshot!(orders.join("\n"));
}

#[tokio::test]
async fn lists_are_paged_by_what_next_says() {
    let server = Server::start().await;
    let names: Vec<String> = (0..7).map(|n| format!("A{n}")).collect();
    let alerts: Vec<Value> = names.iter().map(|name| alert(name)).collect();
    server.post("/webhook/alertmanager", &batch(&alerts)).await;
    for list in ["/api/v1/episodes?limit=3", "/api/v1/records?kind=opened&limit=3"] {
        let (mut seen, mut after) = (0, String::new());
        loop {
            let (status, page) = server.get(&format!("{list}{after}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            seen += page["items"].as_array().map_or(0, Vec::len);
            match &page["next"] {
                Value::Null => break,
                Value::String(next) => after = format!("&after={next}"),
                next => after = format!("&after={next}"),
            }
        }
        assert_eq!(seen, 7, "{list}");
    }
    let mut wrongs = String::new();
    for wrong in [
        "/api/v1/episodes?limit=0",
        "/api/v1/episodes?page=2",
        "/api/v1/records?colour=red",
        "/api/v1/cases?after=x",
        "/api/v1/cases?open=true",
        "/api/v1/pauses?limit=1001",
        "/api/v1/policies?foo=1",
        "/api/v1/proposals?limit=0",
        "/api/v1/intents?after=x",
        "/api/v1/leases?policy=web",
        "/api/v1/records?limit=0",
        "/api/v1/records?limit=10001",
        "/api/v1/records?since=yesterday",
        "/api/v1/records?kind=bogus",
        "/api/v1/records?verdict=Act",
        "/api/v1/stream?outcome=lapsed",
    ] {
        let (status, answer) = server.get(wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
        assert!(answer["hint"].is_string());
        wrongs += &format!("GET {wrong}\n    {}\n    hint: {}\n", answer["error"], answer["hint"]);
    }
    insta::assert_snapshot!(wrongs);
}

#[tokio::test]
async fn nothing_there_and_wrong_methods_are_told_in_json() {
    let server = Server::start().await;
    for (method, path, wanted) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/api/v2/alerts", 404),
        (Method::GET, "/webhook/alertmanager", 405),
        (Method::DELETE, "/api/v1/records", 405),
        (Method::OPTIONS, "/api/v1/leases", 405),
        (Method::POST, "/api/v1/proposals", 405),
        (Method::GET, "/api/v1/resume", 405),
        (Method::GET, "/api/v1/records/", 404),
        (Method::GET, "/api/v1/records/9999", 404),
        (Method::GET, "/api/v1/records/first", 400),
    ] {
        let (status, answer) = server.ask(request(method.clone(), path, None)).await;
        assert_eq!(status.as_u16(), wanted, "{method} {path}");
        assert!(answer["error"].is_string() && answer["hint"].is_string(), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn a_broken_set_of_policies_is_refused_with_all_its_problems() {
    let server = Server::start().await;
    let (status, answer) = server.post("/-/reload", &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    std::fs::write(server.folder.path().join("policies/a.yaml"), "kind: Nonsense")
        .expect("it can be written");
    let (status, answer) = server.post("/-/reload", &json!({})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["problems"][0].as_str().is_some_and(|problem| problem.contains("a.yaml:1:")), "{answer}");
    let (status, detail) =
        super::tests::answer(server.admin.clone(), request(Method::GET, "/readyz", None)).await;
    assert_eq!(status, StatusCode::OK, "an old book is in force: {detail}");
    assert!(detail["book"]["broken"]["problems"][0].is_string(), "{detail}");
    let (_, metrics) =
        super::tests::answer(server.admin.clone(), request(Method::GET, "/metrics", None)).await;
    assert!(metrics.as_str().is_some_and(|text| text.contains("paramedic_reload_broken 1")), "{metrics}");
}

#[tokio::test]
async fn an_alert_is_explained_and_nothing_is_recorded() {
    let server = Server::start().await;
    let before = server.running.inbox.standing().next;
    let (status, explained) = server.post("/api/v1/explain", &json!({"alert": alert("A")})).await;
    assert_eq!((status, &explained["alert"]), (StatusCode::OK, &json!("A")), "{explained}");
    assert_eq!(server.running.inbox.standing().next, before);
    for (body, wanted) in
        [(json!({"episode": 99}), 404), (json!({"fingerprint": "ab"}), 404), (json!({"all": 1}), 400)]
    {
        let (status, answer) = server.post("/api/v1/explain", &body).await;
        assert_eq!(status.as_u16(), wanted, "{body}: {answer}");
    }
}

#[test]
fn the_description_names_every_route_and_method() {
    let source = include_str!("mod.rs");
    let public = source.split("pub fn admin(").next().expect("there is a first part");
    let document: Value = serde_json::from_str(openapi::DOCUMENT).expect("valid JSON");
    let described = document["paths"].as_object().expect("an object");
    let mut routed = std::collections::BTreeSet::new();
    for line in public.lines().filter_map(|line| line.split_once(".route(\"")).map(|(_, rest)| rest) {
        let path = line.split('"').next().expect("a path in quotes");
        let method = if line.contains(" get(") { "get" } else { "post" };
        assert!(!described[path][method].is_null(), "{method} {path} is not in openapi.json");
        routed.insert((path.to_owned(), method.to_owned()));
    }
    let all = described.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .into_iter()
            .flat_map(|methods| methods.keys())
            .map(move |method| (path.clone(), method.clone()))
    });
    assert_eq!(all.collect::<std::collections::BTreeSet<_>>(), routed);
}
