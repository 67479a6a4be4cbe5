//! What Alertmanager would have repeated: alerts fire, by their labels, until the source says that they ended, whatever the
//! engine has made of them. An alert that outlives its episode opens a new one with the next repeat, as in life.

use std::collections::{HashMap, VecDeque};

use paramedic_policies::alert::{Alert, AlertStatus, EpisodeKey};
use paramedic_policies::time::{Moment, Span};

/// All that fires, and when each is repeated next.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Nothing where the source has the repeats itself.
    every: Option<Span>,
    firing: HashMap<EpisodeKey, Firing>,
    /// In the order of time; an entry whose alert has ended or begun anew since counts for nothing.
    queue: VecDeque<(Moment, EpisodeKey)>,
}

#[derive(Debug)]
struct Firing {
    alert: Alert,
    due: Moment,
}

impl Repeats {
    pub(super) fn new(every: Option<Span>) -> Self {
        Self { every, ..Self::default() }
    }

    /// What the source says at this moment.
    pub(super) fn hear(&mut self, now: Moment, alerts: &[Alert]) {
        let Some(every) = self.every else { return };
        for alert in alerts {
            let key = EpisodeKey::of(&alert.labels, &[]);
            match alert.status {
                AlertStatus::Firing => {
                    self.firing.entry(key).or_insert_with(|| {
                        let due = now + every;
                        self.queue.push_back((due, key));
                        Firing { alert: alert.clone(), due }
                    });
                }
                AlertStatus::Resolved => {
                    let is_of_an_earlier_one =
                        |firing: &Firing| alert.ends_at.is_some_and(|ended| ended < firing.alert.starts_at);
                    if !self.firing.get(&key).is_some_and(is_of_an_earlier_one) {
                        self.firing.remove(&key);
                    }
                }
            }
        }
    }

    /// When the next repeat is due.
    pub(super) fn due(&mut self) -> Option<Moment> {
        while let Some((due, key)) = self.queue.front() {
            if self.firing.get(key).is_some_and(|firing| firing.due == *due) {
                return Some(*due);
            }
            self.queue.pop_front();
        }
        None
    }

    /// What is repeated until now.
    pub(super) fn take(&mut self, now: Moment) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let Some(every) = self.every else { return alerts };
        while let Some(due) = self.due().filter(|due| *due <= now) {
            let Some((_, key)) = self.queue.pop_front() else { break };
            let Some(firing) = self.firing.get_mut(&key) else { continue };
            firing.due = due + every;
            self.queue.push_back((firing.due, key));
            alerts.push(firing.alert.clone());
        }
        alerts
    }
}
