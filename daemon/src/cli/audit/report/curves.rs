//! The curves around what was done, from the Prometheus that is named. What the journal recorded stays as it is; a curve
//! that cannot be had is said, and ends no report.

use std::path::PathBuf;
use std::sync::Arc;

use paramedic_policies::time::Span;
use paramedic_remediations::ports::metrics::{Metrics as _, Range};

use super::document::Report;
use super::incident::{CaseTold, Point};
use crate::cli::beside::Input;
use crate::cli::failure::Failure;
use crate::clock::SystemClock;
use crate::config::PrometheusSettings;
use crate::metrics::Metrics;
use crate::prometheus::Prometheus;
use crate::redaction::Redactor;

/// Values of a curve.
const VALUES: u64 = 180;

/// Curves that are asked for.
const CURVES_MAX: usize = 40;

/// What is shown before the first thing was done, and after the last look.
const AROUND: Span = Span::from_mins(10);

/// Which Prometheus.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Curves")]
pub(super) struct CurvesArgs {
    /// Also draw the curves of the queries around each action, from this Prometheus.
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<String>,
    /// File with a bearer token for it.
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_token_file: Option<PathBuf>,
}

impl CurvesArgs {
    /// The file that is read.
    pub(super) fn reads(&self) -> impl Iterator<Item = Input<'_>> {
        self.prometheus_token_file.iter().map(|path| Input::Read(path))
    }

    /// Adds the curves, where a Prometheus is named.
    pub(super) async fn add(&self, report: &mut Report) -> Result<(), Failure> {
        let Some(url) = &self.prometheus_url else { return Ok(()) };
        let settings = PrometheusSettings {
            url: url.clone(),
            token_file: self.prometheus_token_file.clone(),
            ..PrometheusSettings::default()
        };
        let clock = Arc::new(SystemClock::new());
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
        let made = Prometheus::new(&settings, clock, metrics, Redactor::default())
            .map_err(|error| Failure::users(format!("{error:#}")).hint("such as http://prometheus:9090"))?;
        let Some((prometheus, _)) = made else { return Ok(()) };
        let mut left = CURVES_MAX;
        for case in report.incidents.iter_mut().flat_map(|incident| &mut incident.cases) {
            of_case(&prometheus, case, &mut left).await;
        }
        if left == 0 {
            report.left_out.push(format!("curves: only the first {CURVES_MAX} were asked for"));
        }
        Ok(())
    }
}

async fn of_case(prometheus: &Prometheus, case: &mut CaseTold, left: &mut usize) {
    let done = case.actions.iter().map(|action| action.at);
    let looks = case.actions.iter().flat_map(|action| {
        let verified = action.verified.as_ref().map(|verified| verified.at);
        action.ended.iter().map(|ended| ended.at).chain(verified)
    });
    let around: Vec<_> = done.chain(looks).collect();
    for curve in &mut case.curves {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let asked = || curve.recorded.iter().map(|point| point.at);
        let of_case = || around.iter().copied();
        let (Some(first), Some(last)) = (of_case().chain(asked()).min(), of_case().chain(asked()).max())
        else {
            continue;
        };
        let over = Range::of(first - AROUND, last + AROUND, VALUES);
        match prometheus.range(&curve.promql, over).await.as_deref() {
            Ok([one]) => {
                let known = |value: f64| value.is_finite().then_some(value);
                let points = one.points.iter().map(|(at, value)| Point { at: *at, value: known(value.0) });
                curve.range = with_gaps(points, over.step);
            }
            Ok([]) => curve.range_failed = Some("it has no values of that time".to_owned()),
            Ok(many) => curve.range_failed = Some(format!("{} series, one is wanted", many.len())),
            Err(problem) => curve.range_failed = Some(problem.clone()),
        }
    }
}

/// Where values are missing, a point without one, so that no line is drawn over it.
fn with_gaps(points: impl Iterator<Item = Point>, step: Span) -> Vec<Point> {
    let mut all: Vec<Point> = Vec::new();
    for point in points {
        if let Some(last) = all.last()
            && point.at > last.at + step + step
        {
            all.push(Point { at: last.at + step, value: None });
        }
        all.push(point);
    }
    all
}
