//! The part of the daemon's configuration that decisions depend on: global guards, `vars`, the cluster's
//! identity, the cap on modes. It is adopted together with the policies and journaled with them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::action::Mode;
use crate::endpoint::Endpoint;
use crate::notifications::Notifications;
use crate::policy::{Limit, LimitScope};
use crate::time::Span;

/// What decisions depend on besides policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// No policy may go further than this.
    pub mode: Mode,
    /// Values for `{{ vars.x }}` in policies.
    pub vars: BTreeMap<String, String>,
    /// Which cluster this is.
    pub cluster: ClusterIdentity,
    /// Global guards.
    pub guards: GlobalGuards,
    /// How alerts become episodes.
    pub episodes: EpisodeSettings,
    /// How facts are judged.
    pub facts: FactSettings,
    /// Services that policies may call, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Who is told when a person is needed.
    #[serde(skip_serializing_if = "Notifications::is_empty")]
    pub notifications: Notifications,
}

/// A setting that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senseless {
    /// Path within the configuration, such as `facts.retry`.
    pub path: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

/// Below this, looking again would keep Prometheus and the journal busy for nothing.
const LEAST_WAIT: Span = Span::from_secs(1);

/// Below this, an episode would expire before any Alertmanager repeats it.
const LEAST_EXPIRY: Span = Span::from_mins(1);

/// Below this, the pauses between two looks would call people.
const LEAST_STUCK: Span = Span::from_mins(1);

impl Settings {
    /// Everything that cannot be meant. A book is not made with any.
    pub fn senseless(&self) -> Vec<Senseless> {
        let mut found = Vec::new();
        for (path, wait) in [
            ("facts.retry", self.facts.retry),
            ("facts.deadline", self.facts.deadline),
            ("facts.maxAge", self.facts.max_age),
        ] {
            if wait < LEAST_WAIT {
                let message = format!("{wait} is too short");
                found.push(Senseless { path, message, hint: "write at least 1s" });
            }
        }
        if self.episodes.expiry < LEAST_EXPIRY {
            let message = format!("{} is too short", self.episodes.expiry);
            let hint = "write more than Alertmanager's repeat_interval, such as 5h";
            found.push(Senseless { path: "episodes.expiry", message, hint });
        }
        let storm = &self.guards.storm;
        if !(1..=100).contains(&storm.targets_firing_percent) {
            let message = format!("{} is no share in percent", storm.targets_firing_percent);
            let hint = "write 1 to 100; a storm stop that never stops anything is off";
            found.push(Senseless { path: "guards.storm.targetsFiringPercent", message, hint });
        }
        let stuck_after = self.guards.stuck_after;
        if stuck_after != Span::ZERO && stuck_after < LEAST_STUCK {
            let message = format!("{stuck_after} is too short");
            let hint = "write at least 1m, or 0s to call nobody";
            found.push(Senseless { path: "guards.stuckAfter", message, hint });
        }
        if self.guards.limits.iter().any(|limit| limit.per == Span::ZERO) {
            let message = "a window of no length holds nothing".to_owned();
            found.push(Senseless { path: "guards.limits", message, hint: "write such as per: 1h" });
        }
        found
    }
}

/// Which cluster this is; an alert that names another one is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterIdentity {
    /// The value of the label on our alerts; empty means that alerts carry none.
    pub name: String,
    /// The label's name.
    pub label: String,
}

impl Default for ClusterIdentity {
    fn default() -> Self {
        Self { name: String::new(), label: "cluster".to_owned() }
    }
}

/// Guards over all policies, on by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GlobalGuards {
    /// When to stop acting because too much fires.
    pub storm: StormSettings,
    /// Exact ceilings over all policies.
    pub limits: Vec<Limit>,
    /// The pace of all effects.
    pub pace: Pace,
    /// What is never touched.
    pub protected: Protected,
    /// No action on a target for this long after another action on it ended.
    pub settle: Span,
    /// Before acting, Prometheus must show the alert firing.
    pub confirmation: bool,
    /// A person is called when guards have kept a policy from acting for this long while its alert fires; `0s` means never.
    /// Default 30m.
    #[serde(skip_serializing_if = "is_usual_patience")]
    pub stuck_after: Span,
}

/// How long a policy may be kept from acting before a person is called.
pub(crate) const STUCK_AFTER: Span = Span::from_mins(30);

fn is_usual_patience(stuck_after: &Span) -> bool {
    *stuck_after == STUCK_AFTER
}

impl Default for GlobalGuards {
    fn default() -> Self {
        Self {
            storm: StormSettings::default(),
            limits: vec![Limit { max: 10, per: Span::from_hours(1), by: LimitScope::Global }],
            pace: Pace::default(),
            protected: Protected::default(),
            settle: Span::from_mins(2),
            confirmation: true,
            stuck_after: STUCK_AFTER,
        }
    }
}

/// When to stop acting because too much fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StormSettings {
    /// A storm begins above this many new alerts in a minute.
    pub alerts_per_minute: u32,
    /// A storm begins above this share, in percent, of the known targets firing.
    pub targets_firing_percent: u8,
    /// The share counts only where at least this many targets are known.
    pub targets_known_min: u32,
    /// A storm ends when both have been below half for this long.
    pub calm: Span,
}

impl Default for StormSettings {
    fn default() -> Self {
        Self {
            alerts_per_minute: 50,
            targets_firing_percent: 20,
            targets_known_min: 10,
            calm: Span::from_mins(10),
        }
    }
}

/// The pace of all effects: one each interval, after a burst. A pace, no ceiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pace {
    /// One effect each.
    pub every: Span,
    /// This many at once after a quiet time.
    pub burst: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Span::from_secs(10), burst: 3 }
    }
}

/// What is never touched, whatever a policy says. What is written adds to the defaults, which always hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Protected {
    /// Namespaces, besides those of the default.
    #[serde(deserialize_with = "more_namespaces")]
    pub namespaces: Vec<String>,
    /// Our own namespace; empty when we do not run in the cluster.
    pub own_namespace: String,
    /// Labels of a workload that protect it, each `name=value` or `name`, besides those of the default.
    #[serde(deserialize_with = "more_labels")]
    pub labels: Vec<String>,
}

fn more_namespaces<'de, D: Deserializer<'de>>(written: D) -> Result<Vec<String>, D::Error> {
    Ok(besides(Protected::default().namespaces, Vec::deserialize(written)?))
}

fn more_labels<'de, D: Deserializer<'de>>(written: D) -> Result<Vec<String>, D::Error> {
    Ok(besides(Protected::default().labels, Vec::deserialize(written)?))
}

/// Whoever adds one of their own must not lose what is protected anyway.
fn besides(mut built_in: Vec<String>, written: Vec<String>) -> Vec<String> {
    for name in written {
        if !built_in.contains(&name) {
            built_in.push(name);
        }
    }
    built_in
}

impl Default for Protected {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            namespaces: owned(&["kube-system", "kube-public", "kube-node-lease"]),
            own_namespace: String::new(),
            labels: owned(&[
                "paramedic.dev/protected",
                "app.kubernetes.io/name=paramedic",
                "app.kubernetes.io/name=prometheus",
                "app.kubernetes.io/name=alertmanager",
                "k8s-app=kube-dns",
                "k8s-app=cilium",
                "k8s-app=calico-node",
            ]),
        }
    }
}

/// How alerts become episodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EpisodeSettings {
    /// Labels that do not tell one alert from another.
    pub dropped_labels: Vec<String>,
    /// An episode that nobody repeats for this long is closed; longer than Alertmanager's `repeat_interval`.
    pub expiry: Span,
}

impl Default for EpisodeSettings {
    fn default() -> Self {
        Self {
            dropped_labels: ["prometheus_replica", "replica", "receive_replica"].map(str::to_owned).to_vec(),
            expiry: Span::from_hours(5),
        }
    }
}

/// How facts are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FactSettings {
    /// An older fact shows nothing, nor does one whose sample Prometheus dates farther away, before or after.
    pub max_age: Span,
    /// An unanswered question has failed after this.
    pub deadline: Span,
    /// After a fact failed, look again after this, and twice as long each time up to sixteen times as long.
    pub retry: Span,
}

impl Default for FactSettings {
    fn default() -> Self {
        Self { max_age: Span::from_secs(30), deadline: Span::from_secs(15), retry: Span::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senseless(change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.senseless().into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn the_least_that_can_be_meant_is_taken_and_less_is_not() {
        assert_eq!(senseless(|_| ()), [""; 0]);
        for (wait, found) in [(LEAST_WAIT, vec![]), (Span::from_ms(999), vec!["facts.retry"])] {
            assert_eq!(senseless(|settings| settings.facts.retry = wait), found);
        }
        for (expiry, found) in
            [(LEAST_EXPIRY, vec![]), (Span::from_ms(LEAST_EXPIRY.ms() - 1), vec!["episodes.expiry"])]
        {
            assert_eq!(senseless(|settings| settings.episodes.expiry = expiry), found);
        }
        for (after, found) in [
            (Span::ZERO, vec![]),
            (Span::from_ms(1), vec!["guards.stuckAfter"]),
            (Span::from_ms(59_999), vec!["guards.stuckAfter"]),
            (Span::from_mins(1), vec![]),
        ] {
            assert_eq!(senseless(|settings| settings.guards.stuck_after = after), found);
        }
        for (percent, sound) in [(0, false), (1, true), (100, true), (101, false)] {
            let found = senseless(|settings| settings.guards.storm.targets_firing_percent = percent);
            assert_eq!(found.is_empty(), sound, "{percent}");
        }
        let endless = |settings: &mut Settings| {
            settings.guards.limits = vec![Limit { max: 1, per: Span::ZERO, by: LimitScope::Global }];
        };
        assert_eq!(senseless(endless), ["guards.limits"]);
    }

    #[test]
    fn the_usual_patience_is_not_written() {
        let written = |stuck_after: Span| {
            let guards = GlobalGuards { stuck_after, ..GlobalGuards::default() };
            serde_json::to_value(guards).expect("plain data").get("stuckAfter").cloned()
        };
        assert_eq!((written(STUCK_AFTER), written(Span::from_mins(10))), (None, Some("10m".into())));
    }
}
