//! Reasons in words, for people: each with the numbers that made it, and never more than the reason itself knows.

use std::fmt;

use super::Reason;
use crate::counted::counted;
use crate::policy::LimitScope;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeading => f.write_str("another process leads"),
            Self::ClockStepped { by_ms } => {
                write!(f, "the wall clock moved by {by_ms} ms and nobody has accepted it")
            }
            Self::TimeStandsStill { until } => {
                write!(f, "the wall clock had run ahead: time stands still, and nothing acts, until {until}")
            }
            Self::Storm { since, why } => write!(f, "a storm since {since}: {why}"),
            Self::Paused { scope, by, until: Some(until) } => {
                write!(f, "{scope} is paused by {by} until {until}")
            }
            Self::Paused { scope, by, until: None } => write!(f, "{scope} is paused by {by}"),
            Self::PausedByAnnotation { until } => {
                write!(f, "the workload carries paramedic.dev/pause-until={until}")
            }
            Self::Quarantined { since, rounds } => {
                write!(f, "quarantined since {since}: {} in a row did not help", counted(*rounds, "round"))
            }
            Self::OtherCluster { has, ours } => {
                write!(f, "the alert is of cluster `{has}`, this is `{ours}`")
            }
            Self::Protected { rule } => write!(f, "protected by {rule}"),
            Self::Unless { episode, alert } => write!(f, "{alert} is open (episode {episode})"),
            Self::TooYoung { age, wanted, until } => {
                write!(f, "open for {age}, wanted for {wanted}, until {until}")
            }
            Self::OffSchedule { until: Some(until) } => {
                write!(f, "outside the schedule until {until}")
            }
            Self::OffSchedule { until: None } => f.write_str("outside the schedule, which never opens again"),
            Self::AlreadyRunning { intent } => {
                write!(f, "intent {intent} is under way on this target")
            }
            Self::Outranked { by } => write!(f, "policy {by} comes first and is not decided yet"),
            Self::TooManyRunning { have, allow } => {
                write!(f, "{have} of {allow} allowed actions are running")
            }
            Self::CoolingDown { since, until } => {
                write!(f, "acted on this target at {since}, cooling down until {until}")
            }
            Self::Settling { intent, until } => {
                write!(f, "intent {intent} settles on this target until {until}")
            }
            Self::LimitReached { by, have, allow, per, until } => {
                write!(f, "{have} of {allow} actions used in {per} by {by}, until {until}")
            }
            Self::Pace { until } => write!(f, "effects are paced, the next at {until}"),
            Self::TooManyTargets { have, allow, per, within, until } if within.is_empty() => {
                write!(f, "would be target {have} of {allow} allowed in {per}, until {until}")
            }
            Self::TooManyTargets { have, allow, per, within, until } => {
                let used = have.saturating_sub(1);
                write!(
                    f,
                    "would be target {have} of {allow} allowed in {per} in {within}, {used} used, until {until}"
                )
            }
            Self::TooManyDown { have, of, allow_percent } => {
                write!(f, "{have} of {of} replicas would be unavailable, {allow_percent} % allowed")
            }
            Self::EndedInDoubt { rung, since } => {
                write!(
                    f,
                    "nobody knows whether rung {rung} helped, which ended at {since}, and the trouble is there"
                )
            }
            Self::Relapsed { rungs, since } => {
                let tried = match rungs {
                    1 => "the only rung was tried,".to_owned(),
                    rungs => format!("all {rungs} rungs were tried, the last"),
                };
                write!(f, "{tried} at {since}, and the trouble came back")
            }
            Self::NotConfirmed { found } => {
                write!(f, "Prometheus does not show the alert firing: {found}")
            }
            Self::ConditionFalse { condition, value, wanted } => {
                write!(f, "when[{condition}] is {value}, wanted {wanted}")
            }
            Self::FactUnknown { fact, found } => write!(f, "{fact} is not known: {found}"),
            Self::FactStale { fact, age, allow } => {
                write!(f, "{fact} is {age} old, {allow} allowed")
            }
            Self::BadValue { what, problem } => write!(f, "no usable {what}: {problem}"),
            Self::TargetAbsent { what } => write!(f, "there is no {what}"),
            Self::WrongKind { kind, wanted } => write!(f, "target is a {kind}, wanted {wanted}"),
            Self::WorkloadPaused => f.write_str("the workload is paused (spec.paused)"),
            Self::Suspended => f.write_str("the CronJob is suspended (spec.suspend)"),
            Self::JobRunning { job } => write!(f, "{job} is still running"),
            Self::RollingOut { detail } => write!(f, "a rollout is under way: {detail}"),
            Self::NoPodWouldMove { strategy } => write!(f, "no pod would move: {strategy}"),
            Self::OwnedByAutoscaler { by, why } => write!(f, "owned by autoscaler {by}: {why}"),
            Self::NeverBlocked { range, why } => write!(f, "{range} is never blocked: {why}"),
            Self::WrongLever { why } => write!(f, "it is the wrong lever here: {why}"),
            Self::ManagedByGitOps { by, field } => write!(f, "{by} would revert {field}"),
            Self::ManagedByOther { by, why } => write!(f, "{by} manages it: {why}"),
            Self::DisruptionBudget { budget, allowed } => {
                write!(f, "PodDisruptionBudget {budget} allows {}", counted(*allowed, "disruption"))
            }
            Self::OutOfBounds { value, bound, which } => write!(f, "{value} is beyond {which} {bound}"),
            Self::WouldLower { from, to } => {
                write!(f, "{from} -> {to} lowers, and allowDown is not set")
            }
            Self::Changed { what } => write!(f, "changed since it was looked at: {what}"),
            Self::ServerRefused { message } => write!(f, "the server refused: {message}"),
            Self::NoKubernetes => f.write_str("Kubernetes is switched off (--no-kubernetes)"),
            Self::NotAsApproved { approved, now } => {
                write!(f, "approved was `{approved}`, now it would be `{now}`")
            }
        }
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "target",
            Self::Policy => "policy",
            Self::Namespace => "namespace",
            Self::Global => "global",
        })
    }
}
