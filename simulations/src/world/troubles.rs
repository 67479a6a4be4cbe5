//! What goes wrong, and what makes it better: series are healthy, sick while a trouble lasts, and recover over a
//! while once it is cured. Deliberately absent: any knowledge of policies.

use paramedic_policies::alert::Labels;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

/// A recording-rule series that the simulated Prometheus knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its metric's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value while nothing is wrong.
    pub healthy: f64,
    /// Whether it is gone at the moment: no scrape, no series.
    pub is_gone: bool,
}

impl Series {
    /// A series by its name and labels.
    pub fn new(name: &str, labels: &[(&str, &str)], healthy: f64) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { name: name.to_owned(), labels, healthy, is_gone: false }
    }

    /// Whether it has this name and all of these labels.
    pub fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(&str, &str)| self.labels.get(*name).is_some_and(|has| has == value);
        self.name == name && labels.iter().all(has)
    }
}

/// What ends a trouble.
#[derive(Debug, Clone, PartialEq)]
pub enum Cure {
    /// New pods of this workload, all ready.
    Restarted(Target),
    /// This many ready pods.
    Ready(Target, u32),
    /// The breaker is closed on every pod of the service.
    BreakerClosed(Target, String),
    /// This node takes no pods any more.
    Cordoned(String),
    /// Nothing does.
    Nothing,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// Which series it makes sick: positions in the model's list.
    pub(super) series: Vec<usize>,
    /// The value they have while it lasts.
    pub(super) sick: f64,
    /// What ends it.
    pub(super) cure: Cure,
    /// Since when it lasts.
    pub(super) since: Moment,
    /// When it was cured.
    pub(super) cured_at: Option<Moment>,
    /// How long the series take to become healthy after that.
    pub(super) recovery: Span,
}

impl Trouble {
    /// The value of a series that this trouble makes sick.
    pub(super) fn value(&self, healthy: f64, now: Moment) -> f64 {
        let Some(cured_at) = self.cured_at else { return self.sick };
        let (passed, whole) = (now.since(cured_at).ms(), self.recovery.ms());
        if passed >= whole {
            return healthy;
        }
        // Milliseconds of a recovery are far below what a float holds exactly.
        let share = passed as f64 / whole as f64;
        self.sick + (healthy - self.sick) * share
    }

    /// Whether its series are healthy again.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.cured_at.is_some_and(|cured_at| now.since(cured_at) >= self.recovery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cured_series_recovers_over_a_while() {
        let began = Moment::from_unix_ms(0);
        let mut trouble = Trouble {
            series: vec![0],
            sick: 0.2,
            cure: Cure::Nothing,
            since: began,
            cured_at: None,
            recovery: Span::from_secs(10),
        };
        assert_eq!(trouble.value(0.0, began + Span::from_hours(1)), 0.2);
        trouble.cured_at = Some(began);
        assert_eq!(trouble.value(0.0, began + Span::from_secs(5)), 0.1);
        assert_eq!(trouble.value(0.0, began + Span::from_secs(10)), 0.0);
        assert!(trouble.is_over(began + Span::from_secs(10)));
    }
}
