//! An Alertmanager that is none: compares what fires with what it sent, and makes the webhook bodies for the
//! difference, one alert a group, as the suggested route with `group_by: ['...']` does.

use std::collections::BTreeMap;

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

/// What was sent as firing and not yet as resolved.
#[derive(Debug, Clone, Default)]
pub struct Alertmanager {
    sent: BTreeMap<Labels, Alert>,
}

impl Alertmanager {
    /// The notifications that are due when these alerts fire: new ones, then those that have ended.
    pub fn notify(&mut self, firing: &[Alert], now: Moment) -> Vec<Alert> {
        let mut due = Vec::new();
        for alert in firing {
            if !self.sent.contains_key(&alert.labels) {
                self.sent.insert(alert.labels.clone(), alert.clone());
                due.push(alert.clone());
            }
        }
        let fires = |labels: &Labels| firing.iter().any(|alert| alert.labels == *labels);
        let ended: Vec<Labels> = self.sent.keys().filter(|labels| !fires(labels)).cloned().collect();
        due.extend(ended.iter().filter_map(|labels| {
            let alert = self.sent.remove(labels)?;
            Some(Alert { status: AlertStatus::Resolved, ends_at: Some(now), ..alert })
        }));
        due
    }

    /// Everything that fires, once more: what `repeat_interval` does.
    pub fn repeat(&self) -> Vec<Alert> {
        self.sent.values().cloned().collect()
    }
}

/// The webhook body, version 4, for one alert as a group of its own.
pub fn body(alert: &Alert) -> Value {
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{:?}", alert.labels),
        "truncatedAlerts": 0,
        "status": alert.status,
        "receiver": "paramedic",
        "groupLabels": alert.labels,
        "commonLabels": alert.labels,
        "commonAnnotations": alert.annotations,
        "externalURL": "http://alertmanager.simulated:9093",
        "alerts": [{
            "status": alert.status,
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": alert.starts_at,
            // Alertmanager's zero time means: it still fires.
            "endsAt": alert.ends_at.map_or_else(|| json!("0001-01-01T00:00:00Z"), |at| json!(at)),
            "generatorURL": "http://prometheus.simulated:9090/graph",
            "fingerprint": alert.fingerprint.as_deref().unwrap_or(""),
        }],
    })
}

#[cfg(test)]
mod tests {
    use paramedic_policies::time::Span;

    use super::*;
    use crate::maestro;
    use crate::world::Cure;

    #[test]
    fn an_alert_is_sent_once_and_its_end_once() {
        let mut world = maestro::world(Moment::from_unix_ms(0));
        let mut alertmanager = Alertmanager::default();
        world.begin(maestro::P95, &[("deployment", "maestro-ui")], 3.0, Cure::Nothing, Span::ZERO);
        let sent = alertmanager.notify(&world.firing(), world.now());
        assert_eq!(sent.len(), 1);
        assert_eq!(body(&sent[0])["alerts"][0]["labels"]["alertname"], "MaestroSlowResponses");
        assert_eq!(alertmanager.notify(&world.firing(), world.now()), []);
        assert_eq!(alertmanager.repeat().len(), 1);
        world.heal();
        world.advance(Moment::from_unix_ms(1));
        let sent = alertmanager.notify(&world.firing(), world.now());
        assert_eq!(sent.iter().map(|alert| alert.status).collect::<Vec<_>>(), [AlertStatus::Resolved]);
        assert_eq!(alertmanager.notify(&world.firing(), world.now()), []);
    }
}
