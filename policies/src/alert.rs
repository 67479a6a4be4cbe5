//! Alerts as they come in, and the keys by which repeats are recognised. Labels are untrusted text.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time::Moment;

/// Label or annotation names with their values, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// Whether an alert fires or has been resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// It fires.
    Firing,
    /// It fires no longer.
    Resolved,
}

/// One alert of a webhook delivery, redacted and bounded by intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Firing or resolved.
    pub status: AlertStatus,
    /// What identifies the alert.
    pub labels: Labels,
    /// What describes it, for people only: never matched, never part of a target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Labels,
    /// Since when it fires.
    pub starts_at: Moment,
    /// When it ended; only on resolved alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Moment>,
    /// The sender's own fingerprint, kept for people who search by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Alert {
    /// The `alertname` label, or `-` where there is none.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("-", String::as_str)
    }
}

/// Our own identity of an alert: the first 128 bits of SHA-256 over its sorted labels, less the ones that
/// configuration drops (such as `prometheus_replica`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeKey(u128);

impl EpisodeKey {
    /// The key of these labels without those named in `dropped`.
    pub fn of(labels: &Labels, dropped: &[String]) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in labels.iter().filter(|(name, _)| !dropped.contains(name)) {
            hash.update(name.as_bytes());
            hash.update([0xff]);
            hash.update(value.as_bytes());
            hash.update([0xff]);
        }
        let digest = hash.finalize();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for EpisodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EpisodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for EpisodeKey {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for EpisodeKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EpisodeKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn an_alert_has_its_name_or_a_dash() {
        let of = |labels: Labels| {
            let starts_at = Moment::from_unix_ms(0);
            let status = AlertStatus::Firing;
            Alert { status, labels, annotations: Labels::new(), starts_at, ends_at: None, fingerprint: None }
        };
        assert_eq!(of(labels(&[("alertname", "HighErrors"), ("pod", "a")])).name(), "HighErrors");
        assert_eq!(of(labels(&[("pod", "a")])).name(), "-");
    }

    #[test]
    fn a_key_is_shown_as_it_is_written() {
        let key = EpisodeKey::of(&labels(&[("alertname", "X")]), &[]);
        assert_eq!(format!("{key:?}"), key.to_string());
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn a_dropped_label_does_not_change_the_key() {
        let dropped = ["prometheus_replica".to_owned()];
        let a = EpisodeKey::of(&labels(&[("alertname", "X"), ("prometheus_replica", "a")]), &dropped);
        let b = EpisodeKey::of(&labels(&[("alertname", "X"), ("prometheus_replica", "b")]), &dropped);
        assert_eq!(a, b);
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let a = EpisodeKey::of(&labels(&[("ab", "c")]), &[]);
        let b = EpisodeKey::of(&labels(&[("a", "bc")]), &[]);
        assert_ne!(a, b);
    }
}
