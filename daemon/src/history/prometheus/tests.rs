//! Against a server that answers as Prometheus does where it has an hour of samples, and as it and its proxies do where that
//! is too much.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use paramedic_policies::alert::AlertStatus;

use super::*;
use crate::clock::SystemClock;
use crate::config::PrometheusSettings;
use crate::metrics::Metrics;

const MINUTE: i64 = 60_000;

/// What becomes of a question over more than so many minutes.
#[derive(Debug, Clone, Copy)]
enum Beyond {
    Answers,
    Is(u16, &'static str),
    Says(u16, &'static str),
    NeverAnswers,
}

/// A Prometheus with alerts A and B, which fire all the time, each with a sample every fifteen seconds.
struct Served {
    url: String,
    /// Minutes of each question, and bytes of its answer.
    asked: Arc<Mutex<Vec<(i64, usize)>>>,
}

async fn served(minutes: i64, beyond: Beyond) -> Served {
    let asked: Arc<Mutex<Vec<(i64, usize)>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let handler = move |body: String| {
        let seen = Arc::clone(&seen);
        async move { answer(&body, minutes, beyond, &seen).await }
    };
    let router = Router::new().route("/api/v1/query", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    Served { url: format!("http://{address}"), asked }
}

async fn answer(body: &str, minutes: i64, beyond: Beyond, seen: &Mutex<Vec<(i64, usize)>>) -> Response {
    let asked = reqwest::Url::parse(&format!("http://x/?{body}")).expect("a form");
    let of =
        |name: &str| asked.query_pairs().find(|(key, _)| key == name).expect("it is given").1.into_owned();
    let range: i64 =
        of("query").split_once('[').expect("a range").1.trim_end_matches("ms]").parse().expect("ms");
    let until = (of("time").parse::<f64>().expect("a time") * 1000.0) as i64;
    let too_much = range > minutes * MINUTE;
    let (status, text) = match beyond {
        Beyond::NeverAnswers if too_much => {
            seen.lock().expect("seen").push((range / MINUTE, 0));
            std::future::pending().await
        }
        Beyond::Is(status, text) if too_much => (status, text.to_owned()),
        Beyond::Says(status, kind) if too_much => {
            (status, format!(r#"{{"status":"error","errorType":"{kind}","error":"it was too much"}}"#))
        }
        Beyond::Answers | Beyond::NeverAnswers | Beyond::Is(..) | Beyond::Says(..) => {
            let first = (until - range).div_euclid(15_000) + 1;
            let samples: Vec<String> =
                (first..=until.div_euclid(15_000)).map(|step| format!("[{},\"1\"]", step * 15)).collect();
            let series = ["A", "B"].map(|name| {
                let samples = samples.join(",");
                format!(r#"{{"metric":{{"__name__":"ALERTS","alertname":"{name}"}},"values":[{samples}]}}"#)
            });
            let result = series.join(",");
            (200, format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#))
        }
    };
    seen.lock().expect("seen").push((range / MINUTE, text.len()));
    (StatusCode::from_u16(status).expect("a status"), text).into_response()
}

fn at(minutes: i64) -> Moment {
    Moment::from_unix_ms(1_800_000_000_000 + minutes * MINUTE)
}

/// Reads an hour and a half, and says what began and ended.
async fn read_all(served: &Served, bytes_max: usize, timeout: Span) -> Result<Vec<String>, String> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = PrometheusSettings { url: served.url.clone(), timeout, ..PrometheusSettings::default() };
    let (clock, metrics) = (Arc::new(SystemClock::new()), Arc::new(Metrics::default()));
    let made = Prometheus::new(&settings, clock, metrics, Redactor::default());
    let (prometheus, _) = made.expect("a client").expect("a URL is set");
    let reading =
        Reading { from: at(0), until: at(90), interval: None, added: None, redactor: Redactor::default() };
    let mut series = AlertsSeries::new(Arc::new(prometheus), reading);
    series.bytes_max = bytes_max;
    let mut told = Vec::new();
    loop {
        match series.next().await {
            Ok(Some(heard)) => told.extend(heard.alerts.iter().map(|alert| {
                let ended = if alert.status == AlertStatus::Firing { "begins" } else { "ends" };
                format!("{} {ended}", alert.name())
            })),
            Ok(None) => return Ok(told),
            Err(error) => return Err(format!("{}; {}", error.problem, error.hint.unwrap_or_default())),
        }
    }
}

const LONG: Span = Span::from_mins(5);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), what).await.expect("it ends in time")
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_not_held_and_a_shorter_time_is_asked() {
    let served = served(0, Beyond::Answers).await;
    let most = 6_000;
    assert_eq!(
        in_time(read_all(&served, most, LONG)).await,
        Ok(vec!["A begins".to_owned(), "B begins".to_owned()])
    );
    let asked = served.asked.lock().expect("asked").clone();
    let good: i64 = asked.iter().filter(|(_, bytes)| *bytes <= most).map(|(minutes, _)| minutes).sum();
    assert_eq!((asked[0].0, good), (60, 90), "an hour was too much, and all of the time was read: {asked:?}");
}

#[tokio::test]
async fn what_is_too_much_for_prometheus_or_its_proxies_is_asked_in_shorter_parts() {
    let html = "<html>504 Gateway Time-out</html>";
    for beyond in [
        Beyond::Says(422, "execution"),
        Beyond::Says(503, "timeout"),
        Beyond::Is(504, html),
        Beyond::Is(502, html),
        Beyond::Is(503, "busy"),
    ] {
        let served = served(20, beyond).await;
        let told = in_time(read_all(&served, parts::BYTES_MAX, LONG)).await;
        assert_eq!(told, Ok(vec!["A begins".to_owned(), "B begins".to_owned()]), "{beyond:?}");
    }
}

#[tokio::test]
async fn what_is_too_slow_is_asked_in_shorter_parts() {
    let served = served(59, Beyond::NeverAnswers).await;
    let told = in_time(read_all(&served, parts::BYTES_MAX, Span::from_secs(5))).await;
    assert_eq!(told.map(|told| told.len()), Ok(2));
    assert_eq!(served.asked.lock().expect("asked")[0], (60, 0), "the first hour never came");
}

#[tokio::test]
async fn what_cannot_succeed_is_asked_once() {
    let cases = [
        (Beyond::Is(401, "no"), "401 Unauthorized", "--prometheus-token-file"),
        (Beyond::Is(404, "page not found"), "404 Not Found", "base URL"),
        (Beyond::Says(400, "bad_data"), "it was too much", "base URL"),
        (Beyond::Is(200, "<html>welcome</html>"), "not Prometheus'", "base URL"),
    ];
    for (beyond, problem, hint) in cases {
        let served = served(0, beyond).await;
        let error = in_time(read_all(&served, parts::BYTES_MAX, LONG)).await.expect_err("it fails");
        assert!(error.contains(problem) && error.contains(hint), "{beyond:?}: {error}");
        assert_eq!(served.asked.lock().expect("asked").len(), 1, "{beyond:?}");
    }
}

#[tokio::test]
async fn a_prometheus_that_can_answer_nothing_is_not_asked_for_ever() {
    let served = served(0, Beyond::Says(503, "timeout")).await;
    let error = in_time(read_all(&served, parts::BYTES_MAX, LONG)).await.expect_err("it fails");
    assert!(error.contains("even for 5m: 503 Service Unavailable: it was too much"), "{error}");
    assert_eq!(served.asked.lock().expect("asked").len(), 5, "60, 30, 15, 7.5 and 5 minutes");
}
