//! Against a server that answers as Prometheus does where it has an hour of samples, and as it, what stands for it, and its
//! proxies do where that is too much, or where they are too busy.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use paramedic_policies::alert::AlertStatus;

use super::*;
use crate::history::parts;
use crate::history::served::{ALL, Ends, Question, matrix, prometheus, reply, serve};
use crate::history::stretches::Patience;
use crate::redaction::Redactor;

const MINUTE: i64 = 60_000;

/// What becomes of a question over more than so many minutes.
#[derive(Debug, Clone, Copy)]
enum Beyond {
    Answers,
    Is(u16, &'static str),
    Says(u16, &'static str, &'static str),
    Warns(&'static str),
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
    let url = serve(move |question| {
        let seen = Arc::clone(&seen);
        async move { answer(&question, minutes, beyond, &seen).await }
    })
    .await;
    Served { url, asked }
}

fn a_and_b(question: &Question) -> String {
    let steps = (question.until - question.range) / 15_000..=question.until / 15_000;
    let samples = question.samples(Ends::TheLast, steps.map(|step| step * 15_000));
    let samples: Vec<(i64, String)> = samples.into_iter().map(|at| (at, "1".to_owned())).collect();
    let of = |name: &str| {
        (format!(r#"{{"__name__":"ALERTS","alertname":"{name}","alertstate":"firing"}}"#), samples.clone())
    };
    matrix(&["A", "B"].map(of))
}

async fn answer(
    question: &Question,
    minutes: i64,
    beyond: Beyond,
    seen: &Mutex<Vec<(i64, usize)>>,
) -> Response {
    let too_much = question.minutes() > minutes;
    let (status, text) = match beyond {
        Beyond::NeverAnswers if too_much => {
            seen.lock().expect("seen").push((question.minutes(), 0));
            std::future::pending().await
        }
        Beyond::Is(status, text) if too_much => (status, text.to_owned()),
        Beyond::Says(status, kind, error) if too_much => {
            (status, format!(r#"{{"status":"error","errorType":"{kind}","error":"{error}"}}"#))
        }
        Beyond::Warns(warning) if too_much => (
            200,
            format!(
                r#"{{"status":"success","warnings":["{warning}"],"data":{{"resultType":"matrix","result":[]}}}}"#
            ),
        ),
        Beyond::Answers | Beyond::NeverAnswers | Beyond::Is(..) | Beyond::Says(..) | Beyond::Warns(_) => {
            (200, a_and_b(question))
        }
    };
    seen.lock().expect("seen").push((question.minutes(), text.len()));
    reply(status, text)
}

fn at(minutes: i64) -> Moment {
    Moment::from_unix_ms(1_800_000_000_000 + minutes * MINUTE)
}

/// Nobody waits for long in a test.
const PATIENCE: Patience = Patience { first: Span::from_ms(1), longest: Span::from_ms(2), times: 3 };

fn an_hour_and_a_half(url: &str, timeout: Span, redactor: Redactor) -> AlertsSeries {
    let dress = Dress { added: None, redactor };
    let reading = Reading { from: at(0), until: at(90), interval: None, dress };
    let mut series = AlertsSeries::new(prometheus(url, timeout), reading);
    series.reader.patience = PATIENCE;
    series
}

/// Reads all of it, and says what began and ended.
async fn told(series: &mut AlertsSeries) -> Result<Vec<String>, String> {
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

/// Reads an hour and a half, and says what began and ended.
async fn read_all(served: &Served, bytes_max: usize, timeout: Span) -> Result<Vec<String>, String> {
    let mut series = an_hour_and_a_half(&served.url, timeout, Redactor::default());
    series.reader.bytes_max = bytes_max;
    told(&mut series).await
}

const LONG: Span = Span::from_mins(5);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), what).await.expect("it ends in time")
}

fn both() -> Vec<String> {
    vec!["A begins".to_owned(), "B begins".to_owned()]
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_not_held_and_a_shorter_time_is_asked() {
    let served = served(0, Beyond::Answers).await;
    let most = 6_000;
    assert_eq!(in_time(read_all(&served, most, LONG)).await, Ok(both()));
    let asked = served.asked.lock().expect("asked").clone();
    let good: i64 = asked.iter().filter(|(_, bytes)| *bytes <= most).map(|(minutes, _)| minutes).sum();
    assert_eq!((asked[0].0, good), (60, 90), "an hour was too much, and all of the time was read: {asked:?}");
}

const SAMPLES: &str = "query processing would load too many samples into memory in query execution";
const CHUNKS: &str =
    "the query exceeded the maximum number of chunks (limit: 10 chunks) (err-mimir-max-chunks-per-query)";
const STORE: &str = "expanding series: rpc error: code = Aborted desc = fetch series: exceeded series limit: limit 10 violated";

#[tokio::test]
async fn what_is_too_much_for_prometheus_or_its_proxies_is_asked_in_shorter_parts() {
    let html = "<html>504 Gateway Time-out</html>";
    for beyond in [
        Beyond::Says(422, "execution", SAMPLES),
        Beyond::Says(422, "execution", CHUNKS),
        Beyond::Says(500, "internal", STORE),
        Beyond::Says(429, "too_many_requests", "the query reads too many series"),
        Beyond::Says(503, "timeout", "query timed out in expression evaluation"),
        Beyond::Warns(STORE),
        Beyond::Is(504, html),
        Beyond::Is(502, html),
        Beyond::Is(503, "busy"),
    ] {
        let served = served(20, beyond).await;
        let told = in_time(read_all(&served, parts::BYTES_MAX, LONG)).await;
        assert_eq!(told, Ok(both()), "{beyond:?}");
        let asked = served.asked.lock().expect("asked").clone();
        assert_eq!(asked[..3].iter().map(|(minutes, _)| *minutes).collect::<Vec<_>>(), [60, 30, 15]);
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
    let twice = "found duplicate series for the match group";
    let cases = [
        (Beyond::Is(401, "no"), "401 Unauthorized", "--prometheus-token-file"),
        (Beyond::Is(404, "page not found"), "404 Not Found", "base URL"),
        (Beyond::Says(400, "bad_data", "parse error"), "parse error", "did not take the query itself"),
        (Beyond::Says(422, "execution", twice), twice, "could not evaluate it"),
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
    let nothing = served(0, Beyond::Says(503, "timeout", "it was too much")).await;
    let error = in_time(read_all(&nothing, parts::BYTES_MAX, LONG)).await.expect_err("it fails");
    assert!(error.contains("even for 5m: 503 Service Unavailable: it was too much"), "{error}");
    assert_eq!(nothing.asked.lock().expect("asked").len(), 5, "60, 30, 15, 7.5 and 5 minutes");

    let waits = [(429, "too many outstanding requests", "less busy"), (500, "block 7 is gone", "its log")];
    for (status, words, hint) in waits {
        let busy = served(0, Beyond::Says(status, "x", words)).await;
        let error = in_time(read_all(&busy, parts::BYTES_MAX, LONG)).await.expect_err("it fails");
        assert!(error.contains(&format!("{words} (asked 4 times)")) && error.contains(hint), "{error}");
        assert!(busy.asked.lock().expect("asked").iter().all(|(minutes, _)| *minutes == 60));
    }
}

#[tokio::test]
async fn one_that_is_busy_is_asked_the_same_again() {
    let asked: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let url = serve(move |question| {
        let mut seen = seen.lock().expect("seen");
        seen.push(question.minutes());
        let mut busy = reply(if seen.len() == 2 { 503 } else { 429 }, "too many outstanding requests");
        busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        let answer = if seen.len() <= 2 { busy } else { reply(200, a_and_b(&question)) };
        async move { answer }
    })
    .await;
    let mut series = an_hour_and_a_half(&url, LONG, Redactor::default());
    assert_eq!(in_time(told(&mut series)).await, Ok(both()));
    assert_eq!(*asked.lock().expect("asked"), [60, 60, 60, 30]);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_taken_and_said() {
    let served = served(0, Beyond::Warns("store 10.0.0.7:10901 is not there")).await;
    let mut series = an_hour_and_a_half(&served.url, LONG, Redactor::default());
    assert_eq!(in_time(told(&mut series)).await, Ok(Vec::new()));
    let said = "what else fired: Prometheus says that its answers may not be whole (store 10.0.0.7:10901 is not there)";
    assert_eq!(series.doubts(), [said]);
}

#[tokio::test]
async fn a_store_that_hangs_is_not_asked_for_ever_shorter_times() {
    let hangs = "receive series from 10.0.0.7:10901: rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    let served = served(0, Beyond::Warns(hangs)).await;
    let mut series = an_hour_and_a_half(&served.url, LONG, Redactor::default());
    assert_eq!(in_time(told(&mut series)).await, Ok(Vec::new()));
    assert!(series.doubts()[0].contains("context deadline exceeded"), "{:?}", series.doubts());
    let asked: Vec<i64> = served.asked.lock().expect("asked").iter().map(|(minutes, _)| *minutes).collect();
    assert_eq!(asked, [60, 30], "each question takes all the time that the store may take");
}

/// A Prometheus with these alerts, `ALERTS` and `ALERTS_FOR_STATE` both: samples in minutes, and since when they are active.
async fn with_alerts(ends: Ends, alerts: &'static [(&'static str, &'static [(i64, i64)])]) -> String {
    serve(move |question| {
        let is_state = question.selector.starts_with("ALERTS_FOR_STATE");
        let series: Vec<(String, Vec<(i64, String)>)> = alerts
            .iter()
            .map(|(labels, samples)| {
                let by_moment: BTreeMap<i64, i64> = samples
                    .iter()
                    .map(|(minute, since)| (at(*minute).unix_ms(), at(*since).unix_ms()))
                    .collect();
                let samples = question.samples(ends, by_moment.keys().copied());
                let value = |moment: &i64| if is_state { by_moment[moment] / 1000 } else { 1 };
                let of = samples.iter().map(|moment| (*moment, value(moment).to_string()));
                ((*labels).to_owned(), of.collect())
            })
            .filter(|(_, samples): &(String, Vec<_>)| !samples.is_empty())
            .collect();
        let answer = reply(200, matrix(&series));
        async move { answer }
    })
    .await
}

async fn moments(url: &str, redactor: Redactor) -> Vec<String> {
    let mut series = an_hour_and_a_half(url, LONG, redactor);
    let mut all = Vec::new();
    while let Some(heard) = in_time(series.next()).await.expect("it reads") {
        for alert in heard.alerts {
            let ended = if alert.status == AlertStatus::Firing { "begins" } else { "ends" };
            let minute = (heard.at.unix_ms() - at(0).unix_ms()) / MINUTE;
            all.push(format!("{minute} {} {ended}", alert.labels["alertname"]));
        }
    }
    all
}

#[tokio::test]
async fn a_sample_between_two_parts_counts_once_whichever_ends_belong_to_a_range() {
    // The first part ends with the sixtieth minute, the last one with the ninetieth.
    const ALERTS: &[(&str, &[(i64, i64)])] = &[
        (r#"{"alertname":"before"}"#, &[(-2, -2), (-1, -2)]),
        (r#"{"alertname":"first"}"#, &[(0, 0)]),
        (r#"{"alertname":"border"}"#, &[(60, 60)]),
        (r#"{"alertname":"over"}"#, &[(58, 58), (59, 58), (60, 58), (61, 58)]),
        // Two alerts, of which the second is active since after the first one's last sample.
        (r#"{"alertname":"anew"}"#, &[(57, 56), (58, 56), (60, 60), (61, 60)]),
        (r#"{"alertname":"last"}"#, &[(89, 89), (90, 89)]),
    ];
    let wanted = [
        "0 first begins",
        "1 first ends",
        "57 anew begins",
        "58 over begins",
        "59 anew ends",
        "60 anew begins",
        "60 border begins",
        "61 border ends",
        "62 anew ends",
        "62 over ends",
        "89 last begins",
    ];
    for ends in ALL {
        let url = with_alerts(ends, ALERTS).await;
        assert_eq!(moments(&url, Redactor::default()).await, wanted, "{ends:?}");
    }
}

#[tokio::test]
async fn alerts_that_redaction_makes_one_keep_the_beginnings_of_all() {
    const ALERTS: &[(&str, &[(i64, i64)])] = &[
        // One of them is active only since after the last sample of the other, and one has been all the time.
        (r#"{"alertname":"new","user":"ada@corp.example"}"#, &[(10, 10), (11, 10), (12, 10)]),
        (r#"{"alertname":"new","user":"bob@corp.example"}"#, &[(14, 14), (15, 14)]),
        (r#"{"alertname":"same","user":"ada@corp.example"}"#, &[(30, 30), (31, 30), (33, 30)]),
        (r#"{"alertname":"same","user":"bob@corp.example"}"#, &[(33, 33), (34, 33)]),
        // In the order in which they are read, the second fires within a pause of the first.
        (r#"{"alertname":"within","user":"ada@corp.example"}"#, &[(50, 50), (51, 50), (70, 70)]),
        (r#"{"alertname":"within","user":"bob@corp.example"}"#, &[(60, 60), (61, 60)]),
    ];
    let wanted = [
        "10 new begins",
        "13 new ends",
        "14 new begins",
        "16 new ends",
        "30 same begins",
        "35 same ends",
        "50 within begins",
        "52 within ends",
        "60 within begins",
        "62 within ends",
        "70 within begins",
        "71 within ends",
    ];
    let url = with_alerts(Ends::Both, ALERTS).await;
    let redactor = Redactor { labels: ["user".to_owned()].into(), ..Redactor::default() };
    assert_eq!(moments(&url, redactor).await, wanted);
}

#[test]
fn a_name_of_an_alert_may_hold_anything() {
    let names = BTreeSet::from(["a\"b\\c".to_owned(), "d\ne.f".to_owned()]);
    assert_eq!(active_since(&names), r#"ALERTS_FOR_STATE{alertname=~"a\"b\\\\c|d\ne\\.f"}"#);
}
