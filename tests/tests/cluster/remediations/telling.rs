//! Messages over real HTTP, in the formats that Slack (incoming webhooks) and PagerDuty (Events API v2) publish: fields,
//! limits, escapes, what counts as taken, and that no secret is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paramedic_policies::apply;
use paramedic_policies::book::{Digest, Source};
use paramedic_policies::endpoint::Endpoint;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{
    Notice, NoticeKind, Notifications, PagerDuty, Receipt, Receiver, Severity, Slack,
};
use paramedic_policies::settings::Settings;
use paramedic_policies::state::{self, Call, Calling, CaseId, Page};
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::journal;
use paramedic_remediations::ports::world::Deliveries;
use paramedic_remediations::{Courier, Release, Sealed, WriteAhead};
use paramedic_tests::scratch::Scratch;
use serde_json::{Value, json};

const ROUTING_KEY: &str = "R0123456789abcdefghijklmnopqrstu";
const SLACK_SECRET: &str = "/services/T000/B000/XXXXsecretXXXX";

/// A server that notes what it takes and answers as it is told, the last answer for good.
#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<Vec<(u16, &'static str)>>>,
    taken: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
}

impl Server {
    pub(crate) async fn serve(answers: &[(u16, &'static str)]) -> (Self, String) {
        let server = Self { answers: Arc::new(Mutex::new(answers.to_vec())), ..Self::default() };
        let app = Router::new().fallback(answer).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (server, url)
    }

    pub(crate) fn taken(&self) -> Vec<(String, HeaderMap, Value)> {
        self.taken.lock().expect("unpoisoned").clone()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 512 * 1024).await.expect("what PagerDuty takes at most");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let line = format!("{} {}", parts.method, parts.uri);
    server.taken.lock().expect("unpoisoned").push((line, parts.headers, body));
    let mut answers = server.answers.lock().expect("unpoisoned");
    let (status, text) = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
    (StatusCode::from_u16(status).expect("a status"), text).into_response()
}

struct Stand {
    settings: Notifications,
    courier: Courier,
    _files: Scratch,
}

/// A courier with the receivers `slack`, `pager` and `hook`.
fn stand(slack: &str, pager: &str, hook: &str) -> Stand {
    paramedic_tests::tls::install();
    let files = Scratch::new("telling");
    let file = |name: &str, text: &str| files.write(name, format!("{text}\n")).to_string_lossy().into_owned();
    let slack = Slack { url_file: file("slack", &format!("{slack}{SLACK_SECRET}")) };
    let pager = PagerDuty { routing_key_file: file("pager", ROUTING_KEY), url: pager.to_owned() };
    let hook = Endpoint { url: format!("{hook}/hook"), ca_file: None, headers: BTreeMap::new() };
    let receivers = [
        ("slack".to_owned(), Receiver { slack: Some(slack), ..Receiver::default() }),
        ("pager".to_owned(), Receiver { pager_duty: Some(pager), ..Receiver::default() }),
        ("hook".to_owned(), Receiver { webhook: Some(hook), ..Receiver::default() }),
    ];
    let settings = Notifications { receivers: receivers.into(), ..Notifications::default() };
    assert_eq!(settings.faults(), []);
    Stand { courier: Courier::new(&settings).expect("good receivers"), settings, _files: files }
}

fn now() -> Moment {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

/// A message as the loop seals it: decided by the engine, recorded, released.
fn sealed(settings: &Notifications, receiver: &str, kind: NoticeKind) -> Sealed<Notice> {
    let settings = Settings { notifications: settings.clone(), ..Settings::default() };
    let source = Source { files: Vec::new(), settings, tzdb: "test".to_owned() };
    let mut state = state::State::new();
    apply(&mut state, now(), &Event::Adopted { digest: source.digest(), source: Box::new(source), by: None });
    let reached = (kind != NoticeKind::Trigger).then_some(NoticeKind::Trigger);
    let is = Calling::Waiting { due: now(), attempt: 0 };
    let call = Call { since: now(), reached, key: "episode-12".to_owned(), is, more: false };
    let id = Seq(1);
    let page = Page {
        id,
        case: Some(CaseId { episode: Seq(12), policy: "p".to_owned() }),
        severity: Severity::Critical,
        title: format!("<web> & co{}", "x".repeat(1500)),
        text: "a < b & c > d".to_owned(),
        labels: [("alertname".to_owned(), "Down".to_owned()), ("namespace".to_owned(), "prod".to_owned())]
            .into(),
        whys: Vec::new(),
        subject: state::Subject::Trouble,
        said: Vec::new(),
        unended: false,
        since: now(),
        calls: [(receiver.to_owned(), call)].into(),
        acknowledged: (kind == NoticeKind::Acknowledge).then(|| "ada".to_owned()),
        over: kind == NoticeKind::Resolve,
        due: None,
    };
    state.paging.pages.insert(id, page);
    let mut wal = WriteAhead::new(state, "0192-journal".to_owned());
    let now = now() + Span::from_secs(1);
    wal.feed(now, &Input::Began { version: "test".to_owned() }, None);
    wal.feed(now, &Input::Reign { leader: true, epoch: 1 }, None);
    let block = wal.take_block().expect("who leads is recorded");
    let receipt = journal::Receipt { first: block.first(), end: block.end(), root: Digest::of(b"root") };
    let released = wal.committed(&receipt).into_iter().find_map(|release| match release {
        Release::Deliver(notice) => Some(notice),
        _ => None,
    });
    let notice = released.expect("a page that waits is told");
    assert_eq!(notice.kind, kind);
    notice
}

#[tokio::test]
async fn slack_takes_escaped_text_at_its_secret_url() {
    let (server, url) = Server::serve(&[(200, "ok")]).await;
    let stand = stand(&url, "http://127.0.0.1:1", "http://127.0.0.1:1");
    let receipt = stand.courier.deliver(&sealed(&stand.settings, "slack", NoticeKind::Trigger)).await;
    assert_eq!(receipt, Receipt::Taken { said: "200 ok".to_owned() });
    let (line, headers, body) = server.taken().pop().expect("one");
    assert_eq!(line, format!("POST {SLACK_SECRET}"));
    assert_eq!(headers["content-type"], "application/json");
    let text = body["text"].as_str().expect("Slack wants `text`");
    assert!(text.starts_with("*&lt;web&gt; &amp; co") && text.ends_with("a &lt; b &amp; c &gt; d"), "{text}");
    assert!(text.chars().count() < 40_000, "Slack's limit");
}

#[tokio::test]
async fn pagerduty_takes_trigger_acknowledge_and_resolve_under_one_key() {
    let said = r#"{"status": "success", "message": "Event processed", "dedup_key": "k"}"#;
    let (server, url) = Server::serve(&[(202, said)]).await;
    let stand = stand("http://127.0.0.1:1", &url, "http://127.0.0.1:1");
    for kind in [NoticeKind::Trigger, NoticeKind::Acknowledge, NoticeKind::Resolve] {
        let receipt = stand.courier.deliver(&sealed(&stand.settings, "pager", kind)).await;
        assert_eq!(receipt, Receipt::Taken { said: "202 Event processed".to_owned() });
    }
    let events: Vec<Value> = server.taken().into_iter().map(|(_, _, body)| body).collect();
    let actions: Vec<&str> = events.iter().filter_map(|event| event["event_action"].as_str()).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!(server.taken().iter().all(|(line, ..)| line == "POST /v2/enqueue"));
    for event in &events {
        assert_eq!(event["routing_key"], json!(ROUTING_KEY));
        let key = event["dedup_key"].as_str().expect("a key");
        assert_eq!((key, key.len() <= 255), ("paramedic-0192-journal-episode-12", true));
    }
    let payload = &events[0]["payload"];
    let summary = payload["summary"].as_str().expect("required");
    assert!(!summary.is_empty() && summary.chars().count() <= 1024);
    assert!(payload["source"].as_str().is_some_and(|source| !source.is_empty()), "required");
    let severity = payload["severity"].as_str().expect("required");
    assert!(["critical", "error", "warning", "info"].contains(&severity));
    assert!(payload["timestamp"].as_str().is_some_and(|at| at.parse::<Moment>().is_ok()), "{payload}");
    assert!(payload["custom_details"].is_object());
    let known =
        ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    assert!(
        payload.as_object().expect("an object").keys().all(|key| known.contains(&key.as_str())),
        "{payload}"
    );
}

#[tokio::test]
async fn a_webhook_takes_everything_with_the_stamp_as_its_key() {
    let (server, url) = Server::serve(&[(204, "")]).await;
    let stand = stand("http://127.0.0.1:1", "http://127.0.0.1:1", &url);
    let notice = sealed(&stand.settings, "hook", NoticeKind::Trigger);
    assert_eq!(stand.courier.deliver(&notice).await.name(), "taken");
    let (line, headers, body) = server.taken().pop().expect("one");
    assert_eq!(line, "POST /hook");
    assert_eq!(headers["idempotency-key"], notice.stamp());
    assert_eq!(
        (&body["version"], &body["action"], &body["episode"]),
        (&json!(1), &json!("trigger"), &json!(12))
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
    let (busy, url) = Server::serve(&[(429, "rate_limited"), (503, ""), (200, "ok")]).await;
    let busy_stand = stand(&url, "http://127.0.0.1:1", "http://127.0.0.1:1");
    let notice = sealed(&busy_stand.settings, "slack", NoticeKind::Trigger);
    assert_eq!((busy_stand.courier.deliver(&notice).await.name(), busy.taken().len()), ("taken", 3));

    let (gone, url) = Server::serve(&[(404, "no_service")]).await;
    let gone_stand = stand(&url, "http://127.0.0.1:1", "http://127.0.0.1:1");
    let refused = gone_stand.courier.deliver(&notice).await;
    let what = "answered 404 no_service".to_owned();
    assert_eq!((refused, gone.taken().len()), (Receipt::Failed { what, passing: false }, 1));
}

#[tokio::test]
async fn no_secret_stands_in_what_people_see() {
    let stand = stand("http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1");
    for receiver in ["slack", "pager"] {
        let notice = sealed(&stand.settings, receiver, NoticeKind::Trigger);
        let receipt =
            tokio::time::timeout(std::time::Duration::from_secs(28), stand.courier.deliver(&notice)).await;
        let receipt = receipt.expect("a delivery ends by itself");
        assert!(matches!(receipt, Receipt::Failed { passing: true, .. }), "{receipt:?}");
        let seen = format!("{receipt:?} {notice:?} {:?} {:?}", stand.courier, stand.settings);
        assert!(!seen.contains("secret") && !seen.contains(ROUTING_KEY), "{seen}");
    }
}
