//! The alerts of a delivery that changed nothing, so that each alert that was received is accounted for: what was not
//! opened, repeated, closed or unreadable is here.

use serde::{Deserialize, Serialize};

use super::{Seq, is_zero};
use crate::time::Moment;

/// So many late alerts are listed of one delivery; the rest is counted. Whoever asks why nothing happened looks for one.
const LISTED_MAX: usize = 20;

/// Alerts that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// Firing, of episodes that had just ended: taken for late deliveries.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u32,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Late>,
    /// Resolved, and nothing was open that they could end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_open: u32,
    /// The same as another one of the delivery.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicate: u32,
}

impl Ignored {
    /// Whether every alert of the delivery was heeded.
    pub fn is_none(&self) -> bool {
        let Self { late, listed: _, not_open, duplicate } = self;
        [late, not_open, duplicate].into_iter().all(|count| *count == 0)
    }

    pub(crate) fn late(&mut self, late: Late) {
        self.late = self.late.saturating_add(1);
        if self.listed.len() < LISTED_MAX {
            self.listed.push(late);
        }
    }
}

/// A firing alert that began before its episode ended: a slow Alertmanager peer may still send what is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Late {
    /// The episode that had ended; states did not always say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Seq>,
    /// When that ended, by our clock.
    pub closed_at: Moment,
    /// From then on the alert is taken for one that fires again: some minutes after the end, and as much later as our clock has
    /// stepped forward since.
    pub until: Moment,
}
