//! Prometheus as the port of facts: instant queries with a deadline, without retries of its own. What is not a plain
//! answer is a failure, and a failure shows nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use paramedic_policies::answer::{Found, Number, SERIES_MAX, Sample};
use paramedic_policies::settings::FactSettings;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::metrics::{Metrics as MetricsPort, Range, Values};
use prometheus_http_query::Client;
use prometheus_http_query::response::{Data, PromqlResult, Sample as Dated};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use tokio::sync::watch;

use crate::causes::causes;
use crate::clock::Clock;
use crate::config::PrometheusSettings;
use crate::metrics::{Metrics, Peer};
use crate::peers::Reachable;
use crate::redaction::Redactor;

/// What came of a question about the past.
pub(crate) enum Then {
    /// The answer.
    Found(Found),
    /// It takes no more questions for now.
    Busy {
        /// How long it asks us to wait.
        wait: Option<Span>,
        /// What is found where nobody waits.
        found: Found,
    },
}

/// An answer that says whether it is one.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<PromqlResult>,
    #[serde(default)]
    error: Option<String>,
}

/// How long a server asks us to wait. It may name a moment instead: then the usual wait has to do.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Span> {
    const LONGEST_SECS: u64 = 86_400;
    let secs: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Span::from_secs(secs.min(LONGEST_SECS)))
}

/// A Prometheus.
pub struct Prometheus {
    client: Client,
    token_file: Option<PathBuf>,
    headers: BTreeMap<String, String>,
    timeout: std::time::Duration,
    max_age: Span,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    redactor: Redactor,
    reachable: watch::Sender<Reachable>,
}

impl Prometheus {
    /// A client for these settings; connects at the first query. `None` where no URL is set.
    ///
    /// # Errors
    /// When a file cannot be read or the client cannot be built.
    pub fn new(
        settings: &PrometheusSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        redactor: Redactor,
    ) -> anyhow::Result<Option<(Self, watch::Receiver<Reachable>)>> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        let timeout = settings.timeout.duration();
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(std::time::Duration::from_secs(5)))
            .redirect(reqwest::redirect::Policy::custom(|elsewhere| {
                let problem = sent_elsewhere(elsewhere.status(), elsewhere.url());
                elsewhere.error(problem)
            }))
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("paramedic/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &settings.ca_file {
            let pem = std::fs::read(file)
                .with_context(|| format!("could not read Prometheus' authorities from {}", file.display()))?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{} holds no certificates in PEM", file.display()))?;
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder.build().context("could not build the client for Prometheus")?;
        let client = Client::from(client, &settings.url)
            .with_context(|| format!("could not use {} as Prometheus' URL", settings.url))?;
        let (reachable, seen) = watch::channel(Reachable::NotAsked);
        let prometheus = Self {
            client,
            token_file: settings.token_file.clone(),
            headers: settings.headers.clone(),
            timeout,
            max_age: FactSettings::default().max_age,
            clock,
            metrics,
            redactor,
            reachable,
        };
        Ok(Some((prometheus, seen)))
    }

    /// A sample that is farther than this from our own time is no fact; as by default where it is not said.
    #[must_use]
    pub fn fresh_within(self, max_age: Span) -> Self {
        Self { max_age, ..self }
    }

    /// What every request carries. The token is read for each: such tokens are short-lived and replaced under our hands.
    async fn credentials(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header's name"))?;
            let value: HeaderValue =
                value.parse().map_err(|_| format!("the value of `{name}` is not a header's"))?;
            headers.push((name, value));
        }
        if let Some(file) = &self.token_file {
            let token = tokio::fs::read_to_string(file)
                .await
                .map_err(|error| format!("could not read the token from {}: {error}", file.display()))?;
            let mut value: HeaderValue = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| format!("{} holds no token", file.display()))?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        Ok(headers)
    }

    fn timeout_ms(&self) -> i64 {
        i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX)
    }

    async fn ask(&self, promql: &str) -> Result<PromqlResult, String> {
        let mut query = self.client.query(promql).timeout(self.timeout_ms());
        for (name, value) in self.credentials().await? {
            query = query.header(name, value);
        }
        self.in_time(query.post()).await
    }

    async fn ask_over(&self, promql: &str, over: Range) -> Result<PromqlResult, String> {
        let (from, to) = (over.from.unix_ms().div_euclid(1000), over.to.unix_ms().div_euclid(1000));
        let step = over.step.ms() as f64 / 1000.0;
        let mut query = self.client.query_range(promql, from, to, step).timeout(self.timeout_ms());
        for (name, value) in self.credentials().await? {
            query = query.header(name, value);
        }
        self.in_time(query.post()).await
    }

    async fn in_time(
        &self,
        asked: impl Future<Output = Result<PromqlResult, prometheus_http_query::Error>>,
    ) -> Result<PromqlResult, String> {
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(causes(&error)),
            Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }

    /// The answer to an instant query as it was at a moment, and what came instead where there is none.
    pub(crate) async fn query_at(&self, promql: &str, at: Moment) -> Then {
        let asked = async {
            let answer = self.instant(promql, at).await?.post_raw().await.map_err(|error| causes(&error))?;
            let (status, wait) = (answer.status(), retry_after(answer.headers()));
            let is_busy = status == StatusCode::TOO_MANY_REQUESTS
                || (status == StatusCode::SERVICE_UNAVAILABLE && wait.is_some());
            if is_busy {
                let found = Found::Failed { what: format!("Prometheus: it is too busy: {status}") };
                return Ok(Then::Busy { wait, found });
            }
            let body = answer.bytes().await.map_err(|error| causes(&error))?;
            let read: Result<Answer, _> = serde_json::from_slice(&body);
            let answer = read.map_err(|error| format!("{status}, and no answer of Prometheus': {error}"))?;
            match answer {
                Answer { error: Some(error), .. } => Err(error),
                Answer { data: None, .. } => Err(format!("{status}, and an answer without data")),
                Answer { data: Some(result), .. } => {
                    let fresh = Fresh { now: at, max_age: self.max_age };
                    Ok::<_, String>(Then::Found(found(result, fresh, &self.redactor)))
                }
            }
        };
        let answered = tokio::time::timeout(self.timeout, asked).await;
        let late = || Err(format!("no answer within {} ms", self.timeout.as_millis()));
        let failed = |problem: String| Then::Found(Found::Failed { what: format!("Prometheus: {problem}") });
        answered.unwrap_or_else(|_| late()).unwrap_or_else(failed)
    }

    /// The same at several moments, each a step after the one before; whole seconds alone.
    pub(crate) async fn query_along(
        &self,
        promql: &str,
        along: Range,
    ) -> Result<Vec<(Moment, Found)>, String> {
        let Data::Matrix(series) = self.ask_over(promql, along).await?.into_inner().0 else {
            return Err("values over a time were asked for, and something else came back".to_owned());
        };
        let mut moments: BTreeMap<Moment, Vec<Sample>> = BTreeMap::new();
        let mut at = along.from;
        while at <= along.to {
            moments.insert(at, Vec::new());
            at = at + along.step;
        }
        for one in series {
            let (labels, samples) = one.into_inner();
            let mut labels = labels.into_iter().collect();
            self.redactor.labels(&mut labels);
            for sample in &samples {
                let of_moment = moments.entry(moment(sample)).or_default();
                of_moment.push(Sample { labels: labels.clone(), value: Number(sample.value()) });
            }
        }
        let found = |mut samples: Vec<Sample>| {
            samples.sort_by(|a, b| a.labels.cmp(&b.labels));
            match samples.len() {
                many if many > SERIES_MAX => too_many(many),
                _ => Found::Series(samples),
            }
        };
        Ok(moments.into_iter().map(|(at, samples)| (at, found(samples))).collect())
    }

    /// An instant query of a moment, to the millisecond; who sends it reads the answer, which may be larger than any fact.
    pub(crate) async fn instant(
        &self,
        promql: &str,
        at: Moment,
    ) -> Result<prometheus_http_query::InstantQueryBuilder, String> {
        let (secs, ms) = (at.unix_ms().div_euclid(1000), at.unix_ms().rem_euclid(1000));
        let time = format!("{secs}.{ms:03}");
        let mut query = self.client.query(promql).query("time", time).timeout(self.timeout_ms());
        for (name, value) in self.credentials().await? {
            query = query.header(name, value);
        }
        Ok(query)
    }

    /// What came of a request, for status and metrics.
    fn noted<T>(&self, answered: Result<T, String>) -> Result<T, String> {
        let at = self.clock.wall();
        self.metrics.answered(Peer::Prometheus, answered.is_ok(), at);
        match &answered {
            Ok(_) => self.reachable.send_replace(Reachable::Answered { at }),
            Err(problem) => {
                tracing::warn!(problem, "Prometheus did not answer");
                self.reachable.send_replace(Reachable::Failed { at, problem: problem.clone() })
            }
        };
        answered.map_err(|problem| format!("Prometheus: {problem}"))
    }
}

#[async_trait]
impl MetricsPort for Prometheus {
    async fn query(&self, promql: &str) -> Found {
        let answered = self.ask(promql).await;
        match self.noted(answered) {
            Ok(result) => {
                let (now, max_age) = (self.clock.wall(), self.max_age);
                found(result, Fresh { now, max_age }, &self.redactor)
            }
            Err(what) => Found::Failed { what },
        }
    }

    async fn range(&self, promql: &str, over: Range) -> Result<Vec<Values>, String> {
        let answered = self.ask_over(promql, over).await;
        values(self.noted(answered)?, &self.redactor)
    }
}

/// Values over a time, as the remediations take them.
fn values(result: PromqlResult, redactor: &Redactor) -> Result<Vec<Values>, String> {
    let Data::Matrix(series) = result.into_inner().0 else {
        return Err("Prometheus: values over a time were asked for, and something else came back".to_owned());
    };
    if series.len() > SERIES_MAX {
        return Err(format!("Prometheus: {} series, at most {SERIES_MAX} are taken", series.len()));
    }
    let mut all: Vec<Values> = series
        .into_iter()
        .map(|series| {
            let (labels, samples) = series.into_inner();
            let mut labels = labels.into_iter().collect();
            redactor.labels(&mut labels);
            let point = |sample: &Dated| (moment(sample), Number(sample.value()));
            Values { labels, points: samples.iter().map(point).collect() }
        })
        .collect();
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// What is said of a redirect, which is never followed: a login page answers so. What the URL asks may be a secret.
fn sent_elsewhere(status: reqwest::StatusCode, to: &reqwest::Url) -> String {
    let mut shown = to.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Neither fails for what came by HTTP.
    let _ = (shown.set_username(""), shown.set_password(None));
    format!(
        "it answered {status} to {shown}, which is not followed; does something ask for a login before it?"
    )
}

fn moment(sample: &Dated) -> Moment {
    Moment::from_unix_ms((sample.timestamp() * 1000.0).round() as i64)
}

/// How old an answer to an instant query may be. Prometheus stamps each sample of one with the time of evaluation, also
/// with `offset` and `@`; another time is that of a cache on the way, or of a machine whose clock is wrong.
#[derive(Debug, Clone, Copy)]
struct Fresh {
    now: Moment,
    max_age: Span,
}

impl Fresh {
    /// Why this sample shows nothing, if it does not.
    fn refuses(self, sample: &Dated) -> Option<Found> {
        let (at, Self { now, max_age }) = (moment(sample), self);
        let (apart, which) =
            if at < now { (now.since(at), "older") } else { (at.since(now), "in the future, farther") };
        let what = || {
            format!(
                "Prometheus: stale: a sample of {at} came at {now}, which is {which} than `facts.maxAge` ({max_age}) \
                 allows; look for a cache between, and at the clocks of both machines"
            )
        };
        (apart > max_age).then(|| Found::Failed { what: what() })
    }
}

fn too_many(series: usize) -> Found {
    Found::Failed { what: format!("{series} series, at most {SERIES_MAX} are taken") }
}

/// An answer as the engine takes it.
fn found(result: PromqlResult, fresh: Fresh, redactor: &Redactor) -> Found {
    match result.into_inner().0 {
        Data::Vector(series) if series.len() > SERIES_MAX => too_many(series.len()),
        Data::Vector(series) => {
            if let Some(stale) = series.iter().find_map(|series| fresh.refuses(series.sample())) {
                return stale;
            }
            let samples = series.into_iter().map(|series| {
                let (labels, sample) = series.into_inner();
                let mut labels = labels.into_iter().collect();
                redactor.labels(&mut labels);
                Sample { labels, value: Number(sample.value()) }
            });
            let mut samples: Vec<Sample> = samples.collect();
            samples.sort_by(|a, b| a.labels.cmp(&b.labels));
            Found::Series(samples)
        }
        Data::Scalar(sample) => fresh.refuses(&sample).unwrap_or_else(|| {
            Found::Series(vec![Sample { labels: BTreeMap::new(), value: Number(sample.value()) }])
        }),
        Data::Matrix(_) => {
            Found::Failed { what: "a range of values came back, one moment was asked for".to_owned() }
        }
    }
}

/// Where no Prometheus is configured: every query fails, so whatever needs a fact is withheld.
#[derive(Debug, Clone, Copy)]
pub struct NoPrometheus;

#[async_trait]
impl MetricsPort for NoPrometheus {
    async fn query(&self, _promql: &str) -> Found {
        Found::Failed { what: "no Prometheus is configured (--prometheus-url)".to_owned() }
    }
}

#[cfg(test)]
mod tests;
