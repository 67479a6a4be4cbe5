//! The part of the past that is asked about. What fired already at its beginning is not forgotten: it is delivered there, as
//! Alertmanager would have repeated it to a daemon that starts then.

use std::collections::HashMap;

use paramedic_policies::alert::{Alert, AlertStatus, EpisodeKey};
use paramedic_policies::time::{Moment, Span};

use super::history::{Heard, History, HistoryError};
use super::replay::Terms;

/// The deliveries of the time that is asked about.
pub(super) struct Window<'a> {
    history: &'a mut dyn History,
    from: Option<Moment>,
    until: Option<Moment>,
    /// What the source does not repeat for so long has ended; nothing where it tells every end.
    expiry: Option<Span>,
    has_begun: bool,
    ahead: Option<Heard>,
    /// Alerts that fired already when it begins.
    pub(super) carried: usize,
}

impl<'a> Window<'a> {
    pub(super) fn new(history: &'a mut dyn History, terms: &Terms, expiry: Span) -> Self {
        Self {
            history,
            from: terms.from,
            until: terms.until,
            expiry: terms.repeat_every.is_none().then_some(expiry),
            has_begun: false,
            ahead: None,
            carried: 0,
        }
    }

    /// The source itself.
    pub(super) fn history(&self) -> &dyn History {
        &*self.history
    }

    /// The next delivery of this time.
    pub(super) async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        let next = match self.from.filter(|_| !std::mem::replace(&mut self.has_begun, true)) {
            Some(from) => self.begin(from).await?,
            None => match self.ahead.take() {
                Some(ahead) => Some(ahead),
                None => self.history.next().await?,
            },
        };
        Ok(next.filter(|heard| self.until.is_none_or(|until| heard.at <= until)))
    }

    /// Reads up to the beginning, and gives what fires there, with what is heard at that moment.
    async fn begin(&mut self, from: Moment) -> Result<Option<Heard>, HistoryError> {
        let mut open = Open::default();
        let mut first = Heard { at: from, alerts: Vec::new(), truncated: 0 };
        let mut is_heard = false;
        self.ahead = loop {
            match self.history.next().await? {
                Some(heard) if heard.at < from => open.hear(heard.at, heard.alerts),
                Some(heard) if heard.at == from => {
                    is_heard = true;
                    first.truncated = first.truncated.max(heard.truncated);
                    first.alerts.extend(heard.alerts.into_iter().filter(|alert| !open.ends(alert)));
                }
                other => break other,
            }
        };
        let mut carried = open.fires(self.expiry.map(|expiry| from - expiry));
        self.carried = carried.len();
        if !carried.is_empty() {
            carried.append(&mut first.alerts);
            first.alerts = carried;
        }
        if self.carried > 0 || is_heard { Ok(Some(first)) } else { Ok(self.ahead.take()) }
    }
}

/// What fires, and when it was heard last.
#[derive(Default)]
struct Open(HashMap<EpisodeKey, (Moment, Alert)>);

impl Open {
    fn hear(&mut self, at: Moment, alerts: Vec<Alert>) {
        for alert in alerts {
            if self.ends(&alert) || alert.status == AlertStatus::Resolved {
                continue;
            }
            let known = self.0.entry(EpisodeKey::of(&alert.labels, &[]));
            known.or_insert_with(|| (at, alert)).0 = at;
        }
    }

    /// Takes away what this ends; whether there was any.
    fn ends(&mut self, alert: &Alert) -> bool {
        if alert.status == AlertStatus::Firing {
            return false;
        }
        let key = EpisodeKey::of(&alert.labels, &[]);
        let is_of_an_earlier_one = self
            .0
            .get(&key)
            .is_some_and(|(_, open)| alert.ends_at.is_some_and(|ended| ended < open.starts_at));
        !is_of_an_earlier_one && self.0.remove(&key).is_some()
    }

    /// All of it that was heard since then, the oldest first.
    fn fires(self, since: Option<Moment>) -> Vec<Alert> {
        let heard = self.0.into_values().filter(|(at, _)| since.is_none_or(|since| *at > since));
        let mut alerts: Vec<Alert> = heard.map(|(_, alert)| alert).collect();
        alerts.sort_by(|a, b| (a.starts_at, &a.labels).cmp(&(b.starts_at, &b.labels)));
        alerts
    }
}
