//! A server for tests that answers questions over ranges as a Prometheus does: of which version, the test says.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use paramedic_policies::time::Span;

use crate::clock::SystemClock;
use crate::config::PrometheusSettings;
use crate::metrics::Metrics;
use crate::prometheus::Prometheus;
use crate::redaction::Redactor;

/// Which ends of a range belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Prometheus 2, Thanos and Mimir of its time.
    Both,
    /// Prometheus 3 and what is built on it, and for samples VictoriaMetrics.
    TheLast,
    /// VictoriaMetrics, whose subqueries begin where the range begins.
    FromTheFirst,
}

pub(super) const ALL: [Ends; 3] = [Ends::Both, Ends::TheLast, Ends::FromTheFirst];

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// What stands before the brackets.
    pub(super) selector: String,
    /// Milliseconds since the Unix epoch.
    pub(super) until: i64,
    /// In milliseconds, as the rest.
    pub(super) range: i64,
    /// Of a subquery.
    pub(super) step: Option<i64>,
}

impl Question {
    fn of(body: &str) -> Self {
        let asked = reqwest::Url::parse(&format!("http://x/?{body}")).expect("a form");
        let of = |name: &str| {
            asked.query_pairs().find(|(key, _)| key == name).expect("it is given").1.into_owned()
        };
        assert_eq!(of("max_source_resolution"), "0s", "raw samples are wanted");
        let query = of("query");
        let (selector, range) = query.rsplit_once('[').expect("a range");
        let range = range.strip_suffix(']').expect("it ends");
        let (range, step) = range.split_once(':').map_or((range, None), |(range, step)| (range, Some(step)));
        let ms = |text: &str| text.strip_suffix("ms").expect("ms").parse().expect("a number");
        let until = (of("time").parse::<f64>().expect("a time") * 1000.0).round() as i64;
        Self { selector: selector.to_owned(), until, range: ms(range), step: step.map(ms) }
    }

    pub(super) fn minutes(&self) -> i64 {
        self.range / 60_000
    }

    /// Which of these moments, in order, are samples of the range.
    pub(super) fn samples(&self, ends: Ends, moments: impl Iterator<Item = i64>) -> Vec<i64> {
        let from = self.until - self.range;
        let is_in = |at: &i64| *at <= self.until && (*at > from || (ends == Ends::Both && *at == from));
        moments.filter(is_in).collect()
    }

    /// When a subquery is evaluated.
    pub(super) fn steps(&self, ends: Ends) -> Vec<i64> {
        let (from, step) = (self.until - self.range, self.step.expect("a subquery"));
        let first = match ends {
            Ends::Both => from + (-from).rem_euclid(step),
            Ends::TheLast => from - from.rem_euclid(step) + step,
            Ends::FromTheFirst => from,
        };
        (0..).map(|number| first + number * step).take_while(|at| *at <= self.until).collect()
    }
}

/// Serves these answers; gives the URL.
pub(super) async fn serve<F>(answer: impl Fn(Question) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Response> + Send + 'static,
{
    let handler = move |body: String| answer(Question::of(&body));
    let router = Router::new().route("/api/v1/query", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// An answer with this status.
pub(super) fn reply(status: u16, text: impl Into<String>) -> Response {
    (StatusCode::from_u16(status).expect("a status"), text.into()).into_response()
}

/// A good answer: labels as JSON, with samples at moments.
pub(super) fn matrix(series: &[(String, Vec<(i64, String)>)]) -> String {
    let series: Vec<String> = series
        .iter()
        .map(|(labels, samples)| {
            let samples: Vec<String> =
                samples.iter().map(|(at, value)| format!("[{},\"{value}\"]", *at as f64 / 1000.0)).collect();
            format!(r#"{{"metric":{labels},"values":[{}]}}"#, samples.join(","))
        })
        .collect();
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#, series.join(","))
}

/// A client of it.
pub(super) fn prometheus(url: &str, timeout: Span) -> Arc<Prometheus> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = PrometheusSettings { url: url.to_owned(), timeout, ..PrometheusSettings::default() };
    let (clock, metrics) = (Arc::new(SystemClock::new()), Arc::new(Metrics::default()));
    let made = Prometheus::new(&settings, clock, metrics, Redactor::default());
    Arc::new(made.expect("a client").expect("a URL is set").0)
}
