//! Alert rules of the simulated Prometheus: a threshold over one metric, and what fires because of it.

use std::collections::BTreeMap;

use paramedic_policies::alert::Labels;
use paramedic_policies::time::{Moment, Span};

/// An alert rule: fires for every series of a metric above the threshold, once that has lasted.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// The alert's name.
    pub alert: String,
    /// The metric.
    pub metric: String,
    /// Fires above this.
    pub above: f64,
    /// `for:` of the rule.
    pub lasting: Span,
    /// Labels that it adds.
    pub labels: Labels,
    /// Annotations.
    pub summary: String,
}

/// A series above a rule's threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Not for long enough.
    Pending(Moment),
    /// It fires, since then.
    Firing(Moment),
}

/// Alerts by their labels, `alertname` included.
pub(super) type Alarms = BTreeMap<Labels, Alarm>;

impl AlertRule {
    /// The labels of the alert for a series.
    pub(super) fn labels_for(&self, series: &Labels) -> Labels {
        let mut labels = series.clone();
        labels.extend(self.labels.clone());
        labels.insert("alertname".to_owned(), self.alert.clone());
        labels
    }

    /// What an alarm becomes while its series is above the threshold.
    pub(super) fn still_above(&self, before: Option<Alarm>, now: Moment) -> Alarm {
        match before {
            Some(Alarm::Firing(since)) => Alarm::Firing(since),
            Some(Alarm::Pending(since)) if now.since(since) >= self.lasting => Alarm::Firing(now),
            Some(Alarm::Pending(since)) => Alarm::Pending(since),
            None if self.lasting == Span::ZERO => Alarm::Firing(now),
            None => Alarm::Pending(now),
        }
    }
}
