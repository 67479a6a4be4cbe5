//! Where PromQL is answered.

use async_trait::async_trait;
use paramedic_policies::alert::Labels;
use paramedic_policies::answer::{Found, Number};
use paramedic_policies::time::{Moment, Span};

/// A Prometheus, or something that answers like one.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// One instant query: `Series` (possibly none) or `Failed`. Scalars are one series without labels.
    async fn query(&self, promql: &str) -> Found;

    /// The values of a query over a time, at most [`SERIES_MAX`](paramedic_policies::answer::SERIES_MAX) series.
    ///
    /// # Errors
    /// What was tried, and what came back.
    async fn range(&self, _promql: &str, _over: Range) -> Result<Vec<Values>, String> {
        Err("there is nobody to ask for values over a time".to_owned())
    }
}

/// A stretch of time, and how close its values lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first value's moment.
    pub from: Moment,
    /// None lies after this.
    pub to: Moment,
    /// Between two values; whole seconds, at least one.
    pub step: Span,
}

impl Range {
    /// That stretch with about so many values.
    pub fn of(from: Moment, to: Moment, values: u64) -> Self {
        let step = Span::from_secs((to.since(from).ms() / 1000).div_ceil(values.max(1)).max(1));
        Self { from, to, step }
    }
}

/// One series over a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its labels.
    pub labels: Labels,
    /// Its values, in the order of time.
    pub points: Vec<(Moment, Number)>,
}
