//! Against a server that answers as Prometheus does, and as it should not.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};

use super::*;
use crate::clock::SystemClock;
use crate::redaction::Redactor;

async fn served(answer: Value) -> String {
    let handler = move |headers: HeaderMap| async move {
        let authorized = headers.get("authorization").is_none_or(|value| value == "Bearer a-token");
        assert!(
            authorized && headers.get("x-scope-orgid").is_none_or(|value| value == "team"),
            "{headers:?}"
        );
        axum::Json(answer)
    };
    let router = Router::new()
        .route("/prom/api/v1/query", post(handler.clone()))
        .route("/prom/api/v1/query_range", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/prom")
}

fn prometheus(settings: &PrometheusSettings) -> (Prometheus, watch::Receiver<Reachable>) {
    let redactor = Redactor { labels: ["user".to_owned()].into(), ..Redactor::default() };
    drop(rustls::crypto::ring::default_provider().install_default());
    let (clock, metrics) = (Arc::new(SystemClock::new()), Arc::new(Metrics::default()));
    let made = Prometheus::new(settings, clock, metrics, redactor);
    made.expect("a client").expect("a URL is set")
}

/// Now, as Prometheus writes it.
fn now() -> f64 {
    SystemClock::new().wall().unix_ms() as f64 / 1000.0
}

async fn asked(answer: Value) -> Found {
    let url = served(answer).await;
    prometheus(&PrometheusSettings { url, ..PrometheusSettings::default() }).0.query("up").await
}

fn vector(values: &[&str]) -> Value {
    let series: Vec<Value> = values
        .iter()
        .enumerate()
        .map(|(n, value)| json!({"metric": {"n": n.to_string()}, "value": [now(), value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": series}})
}

#[tokio::test]
async fn empty_nan_infinite_and_scalar_are_kept_apart() {
    assert_eq!(asked(vector(&[])).await, Found::Series(Vec::new()));
    for (written, shown) in [("NaN", "NaN"), ("+Inf", "+Inf"), ("0.25", "0.25")] {
        let Found::Series(series) = asked(vector(&[written])).await else { panic!("{written} is a series") };
        assert_eq!(series[0].value.to_string(), shown);
    }
    let scalar = json!({"status": "success", "data": {"resultType": "scalar", "result": [now(), "3"]}});
    let Found::Series(series) = asked(scalar).await else { panic!("a scalar is one series") };
    assert_eq!((series.len(), series[0].value), (1, Number(3.0)));
}

#[tokio::test]
async fn a_sample_of_another_time_is_no_fact_even_among_fresh_ones() {
    let hour = 3600.0;
    for (away, which) in [(-hour, "older than"), (hour, "in the future, farther than")] {
        let at = now() + away;
        let series = json!([
            {"metric": {"n": "0"}, "value": [now(), "1"]},
            {"metric": {"n": "1"}, "value": [at, "1"]},
        ]);
        let vector = json!({"status": "success", "data": {"resultType": "vector", "result": series}});
        let scalar = json!({"status": "success", "data": {"resultType": "scalar", "result": [at, "1"]}});
        for answer in [vector, scalar] {
            let Found::Failed { what } = asked(answer.clone()).await else { panic!("{answer} is a fact") };
            let time = Moment::from_unix_ms((at * 1000.0).round() as i64).to_string();
            let both = format!("stale: a sample of {time} came at ");
            assert!(what.contains(&both) && what.contains(which), "{what}");
            assert!(what.contains("`facts.maxAge` (30s)"), "{what}");
        }
    }
    for away in [-20.0, 20.0] {
        let answer =
            json!({"status": "success", "data": {"resultType": "scalar", "result": [now() + away, "1"]}});
        assert!(matches!(asked(answer).await, Found::Series(_)), "{away}");
    }
}

#[tokio::test]
async fn labels_that_may_hold_a_person_are_redacted_in_answers_too() {
    let metric = json!({"user": "jane@example.com", "pod": "web-0"});
    let answer = json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": metric, "value": [now(), "1"]},
    ]}});
    let Found::Series(series) = asked(answer).await else { panic!("it is one series") };
    assert_eq!((series[0].labels["user"].as_str(), series[0].labels["pod"].as_str()), ("[email]", "web-0"));
}

#[tokio::test]
async fn what_is_no_plain_answer_is_a_failure() {
    let many: Vec<&str> = vec!["1"; SERIES_MAX + 1];
    let wrong = [
        vector(&many),
        json!({"status": "error", "errorType": "bad_data", "error": "parse error"}),
        json!({"status": "success", "data": {"resultType": "matrix", "result": []}}),
        json!({"hello": "world"}),
        json!([]),
    ];
    for answer in wrong {
        let found = asked(answer.clone()).await;
        assert!(matches!(found, Found::Failed { .. }), "{answer}: {found:?}");
    }
}

#[tokio::test]
async fn a_login_page_before_it_is_told_as_a_redirect() {
    let to_login =
        || async { axum::response::Redirect::to("https://ada:pw@login.example/start?state=secret") };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let router = Router::new().route("/api/v1/query", post(to_login));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = PrometheusSettings { url, ..PrometheusSettings::default() };
    let Found::Failed { what } = prometheus(&settings).0.query("up").await else { panic!("it is no answer") };
    assert!(
        what.contains("it answered 303 See Other to https://login.example/start, which is not"),
        "{what}"
    );
    assert!(!what.contains("secret") && !what.contains("ada"), "{what}");
}

#[tokio::test]
async fn token_and_headers_are_sent_and_the_token_is_read_anew() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("token");
    std::fs::write(&file, "a-token\n").expect("a file can be written");
    let settings = PrometheusSettings {
        url: served(vector(&["1"])).await,
        token_file: Some(file.clone()),
        headers: [("X-Scope-OrgID".to_owned(), "team".to_owned())].into(),
        ..PrometheusSettings::default()
    };
    let (prometheus, reachable) = prometheus(&settings);
    assert!(matches!(prometheus.query("up").await, Found::Series(_)));
    assert!(matches!(&*reachable.borrow(), Reachable::Answered { .. }));
    std::fs::remove_file(&file).expect("it is there");
    let Found::Failed { what } = prometheus.query("up").await else { panic!("there is no token") };
    assert!(what.contains("could not read the token"), "{what}");
    assert!(matches!(&*reachable.borrow(), Reachable::Failed { .. }));
}

#[tokio::test]
async fn nobody_there_and_no_answer_in_time_are_failures() {
    let gone = PrometheusSettings { url: "http://127.0.0.1:9".to_owned(), ..PrometheusSettings::default() };
    assert!(matches!(prometheus(&gone).0.query("up").await, Found::Failed { .. }));
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let settings = PrometheusSettings {
        url: format!("http://{}", silent.local_addr().expect("bound")),
        timeout: Span::from_ms(200),
        ..PrometheusSettings::default()
    };
    let Found::Failed { what } = prometheus(&settings).0.query("up").await else { panic!("nobody answered") };
    assert!(what.contains("Prometheus"), "{what}");
}

#[tokio::test]
async fn values_over_a_time_keep_their_moments_and_hide_named_labels() {
    let series = json!([{
        "metric": {"pod": "a", "user": "jane@corp.example"},
        "values": [[1_763_713_800.0, "0.5"], [1_763_713_860.5, "NaN"]],
    }]);
    let answer = json!({"status": "success", "data": {"resultType": "matrix", "result": series}});
    let url = served(answer).await;
    let (prometheus, _) = prometheus(&PrometheusSettings { url, ..PrometheusSettings::default() });
    let from = Moment::from_unix_ms(1_763_713_800_000);
    let over = Range::of(from, from + Span::from_mins(2), 60);
    let found = prometheus.range("up", over).await.expect("a matrix");
    assert_eq!(found[0].labels["user"], "[email]");
    let points: Vec<(i64, String)> =
        found[0].points.iter().map(|(at, value)| (at.unix_ms(), value.to_string())).collect();
    assert_eq!(points, [(1_763_713_800_000, "0.5".to_owned()), (1_763_713_860_500, "NaN".to_owned())]);
}

#[test]
fn a_wait_is_read_where_it_is_a_number_of_seconds() {
    let told = |text: &str| {
        let value = text.parse().expect("a header's value");
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
    };
    assert_eq!((told("10"), told("Wed, 21 Oct 2026 07:28:00 GMT")), (Some(Span::from_secs(10)), None));
    assert_eq!(told("999999999"), Some(Span::from_hours(24)));
}

#[tokio::test]
async fn one_moment_is_no_answer_to_a_question_about_a_time() {
    let url = served(vector(&["1"])).await;
    let (prometheus, _) = prometheus(&PrometheusSettings { url, ..PrometheusSettings::default() });
    let from = Moment::from_unix_ms(0);
    let error = prometheus.range("up", Range::of(from, from, 60)).await.expect_err("a vector");
    assert!(error.contains("something else"), "{error}");
}
