//! What an Alertmanager says of itself: its configuration, as `/api/v2/status` shows it, and to whom it sends what fires.
//! Newer ones hide the addresses of their receivers.

use std::collections::BTreeSet;

use paramedic_policies::load::yaml;
use serde_json::Value;

use crate::cli::alerts;

/// What stands in place of an address that it hides.
const HIDDEN: &str = "<secret>";

/// A receiver that posts to webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receiver {
    pub(super) name: String,
    /// Addresses that are shown.
    pub(super) urls: Vec<String>,
    /// Whether one is hidden, or in a file.
    pub(super) hides: bool,
    /// Whether it leaves out that an alert is over.
    pub(super) no_resolved: bool,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// The receivers with a webhook.
    pub(super) receivers: Vec<Receiver>,
    /// The receivers to which a route leads.
    pub(super) routed: BTreeSet<String>,
}

/// An alert that fires, and the receivers that get it.
pub(super) struct Sent {
    pub(super) labels: paramedic_policies::alert::Labels,
    pub(super) receivers: BTreeSet<String>,
}

/// Its configuration.
pub(super) async fn shown(url: &str) -> Result<Shown, String> {
    let status = get(url, "/api/v2/status").await?;
    let text = status.pointer("/config/original").and_then(Value::as_str);
    let text = text.ok_or("it shows no configuration")?;
    read(text).ok_or_else(|| "its configuration cannot be read".to_owned())
}

/// What fires, silenced and inhibited alerts left out.
pub(super) async fn sent(url: &str) -> Result<Vec<Sent>, String> {
    let firing = get(url, alerts::FIRING).await?;
    let firing = firing.as_array().cloned().unwrap_or_default();
    let receivers = |alert: &Value| -> BTreeSet<String> {
        let all = alert.get("receivers").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect()
    };
    let sent = |alert: &Value| {
        let labels = serde_json::from_value(alert.get("labels")?.clone()).ok()?;
        Some(Sent { labels, receivers: receivers(alert) })
    };
    Ok(firing.iter().filter_map(sent).collect())
}

async fn get(url: &str, path: &str) -> Result<Value, String> {
    let text = alerts::asked(url, path).await?;
    serde_json::from_str(&text).map_err(|error| format!("it did not answer with JSON: {error}"))
}

/// Receivers and routes of a configuration.
fn read(text: &str) -> Option<Shown> {
    let config = yaml::parse(text).documents.first()?.to_json();
    let mut shown = Shown::default();
    for receiver in config.get("receivers")?.as_array()? {
        let webhooks = receiver.get("webhook_configs").and_then(Value::as_array);
        let Some(webhooks) = webhooks.filter(|all| !all.is_empty()) else { continue };
        let of = |webhook: &Value, key: &str| {
            webhook.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let urls: Vec<String> = webhooks.iter().map(|webhook| of(webhook, "url")).collect();
        shown.receivers.push(Receiver {
            name: of(receiver, "name"),
            hides: webhooks
                .iter()
                .any(|webhook| of(webhook, "url") == HIDDEN || !of(webhook, "url_file").is_empty()),
            urls: urls.into_iter().filter(|url| !url.is_empty() && url != HIDDEN).collect(),
            no_resolved: webhooks
                .iter()
                .any(|webhook| webhook.get("send_resolved") == Some(&Value::Bool(false))),
        });
    }
    routed(config.get("route")?, &mut shown.routed);
    Some(shown)
}

fn routed(route: &Value, into: &mut BTreeSet<String>) {
    into.extend(route.get("receiver").and_then(Value::as_str).map(str::to_owned));
    for inner in route.get("routes").and_then(Value::as_array).into_iter().flatten() {
        routed(inner, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_and_routes_are_read_as_alertmanager_prints_them() {
        let text = "route:\n  receiver: test\n  routes:\n  - receiver: medic\n    continue: true\nreceivers:\n- name: test\n\
                    - name: medic\n  webhook_configs:\n  - send_resolved: true\n    url: <secret>\n    url_file: \"\"\n\
                    - name: old\n  webhook_configs:\n  - send_resolved: false\n    url: http://medic:9911/webhook/alertmanager\n";
        let shown = read(text).expect("it is one");
        assert_eq!(shown.routed, ["medic", "test"].map(str::to_owned).into());
        let told: Vec<_> = shown
            .receivers
            .iter()
            .map(|one| (one.name.as_str(), one.hides, one.urls.len(), one.no_resolved))
            .collect();
        assert_eq!(told, [("medic", true, 0, false), ("old", false, 1, true)]);
    }
}
