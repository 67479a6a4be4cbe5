//! What would have to change for a reason to be none: one instruction each, for whoever asks why nothing was done. Says
//! what somebody can do or wait for; never what is good to do.

use super::Reason;
use crate::order::PauseScope;
use crate::target::Target;

impl Reason {
    /// What would have to change, as an instruction that begins in lower case.
    pub fn change(&self) -> String {
        match self {
            Self::NotLeading => "ask the daemon that leads; this one acts once it does".into(),
            Self::ClockStepped { .. } => "look at the clock, then `paramedic resume --clock`".into(),
            Self::TimeStandsStill { until } => format!("wait until {until}, when the clock has caught up"),
            Self::Storm { .. } => {
                "wait until the storm is over (`paramedic status`), or set `guards.inStorm: act` in the policy".into()
            }
            Self::Paused { scope, until: None, .. } => format!("`{}`", resume(scope)),
            Self::Paused { scope, until: Some(until), .. } => {
                format!("wait until {until}, or `{}`", resume(scope))
            }
            Self::PausedByAnnotation { until } => {
                format!("wait until {until}, or take the annotation paramedic.dev/pause-until away")
            }
            Self::Quarantined { .. } => {
                "find out why its actions do not help, then `paramedic resume --policy` with its name".into()
            }
            Self::OtherCluster { ours, .. } => {
                format!("the alert has to come with the cluster's name {ours}; look at external_labels and routes")
            }
            Self::Protected { .. } => {
                "nothing here: it is protected on purpose; `guards.protected` of the configuration can be shortened \
                 but for what is built in"
                    .into()
            }
            Self::Unless { episode, alert } => format!("the alert {alert} (episode {episode}) has to end"),
            Self::TooYoung { until, .. } => format!("wait until {until}, or shorten `for:`"),
            Self::OffSchedule { until: Some(until) } => format!("wait until {until}, or widen `guards.schedule`"),
            Self::OffSchedule { until: None } => "widen `guards.schedule`: no window of it comes any more".into(),
            Self::AlreadyRunning { intent } => {
                format!("intent {intent} on the same target has to end, and its verification")
            }
            Self::Outranked { by } => format!("the policy {by}, which comes first here, has to be done with the target"),
            Self::TooManyRunning { .. } => {
                "another action of the policy has to end, or raise `guards.concurrency`".into()
            }
            Self::CoolingDown { until, .. } => format!("wait until {until}, or shorten `guards.cooldown`"),
            Self::Settling { until, .. } => format!("wait until {until}, when our last action has settled"),
            Self::LimitReached { until, .. } => {
                format!("wait until {until}, when the oldest drops out of the window, or raise the limit")
            }
            Self::Pace { until } => format!("wait until {until}"),
            Self::TooManyTargets { until, .. } => {
                format!("wait until {until}, or raise `guards.blastRadius.targets`")
            }
            Self::TooManyDown { .. } => {
                "replicas of the namespace have to come back, or raise `guards.blastRadius.unavailable`".into()
            }
            Self::Relapsed { .. } => {
                "a person has to look: every rung was tried, and the trouble came back within `guards.relapse`".into()
            }
            Self::EndedInDoubt { .. } => {
                "a person has to look whether the last action helped; nobody knows, so nothing is built on it".into()
            }
            Self::NotConfirmed { .. } => {
                "Prometheus has to show the alert firing, with the labels that the policy uses".into()
            }
            Self::ConditionFalse { condition, wanted, .. } => {
                format!("the query of when[{condition}] has to give {wanted}")
            }
            Self::FactUnknown { fact, .. } => format!("{fact} has to be known: look at what was asked (`--all`)"),
            Self::FactStale { fact, allow, .. } => {
                format!("{fact} has to be younger than {allow}: look at Prometheus and at both clocks")
            }
            Self::BadValue { what, .. } => format!("the alert has to carry a usable {what}: mend its labels or the template"),
            Self::TargetAbsent { what } => format!("there has to be {what}: look at the target's name and namespace"),
            Self::WrongKind { wanted, .. } => format!("the target has to be one of {wanted}"),
            Self::WorkloadPaused => "take `spec.paused` off the workload".into(),
            Self::Suspended => "take `spec.suspend` off the CronJob".into(),
            Self::JobRunning { job } => format!("{job} has to end"),
            Self::RollingOut { .. } => "its rollout has to end".into(),
            Self::NoPodWouldMove { .. } => "its update strategy has to be one that moves pods".into(),
            Self::OwnedByAutoscaler { by, .. } => format!("raise or free the replicas at {by}, which owns them"),
            Self::NeverBlocked { .. } => "nothing: such an address is never kept out".into(),
            Self::WrongLever { .. } => "use the lever that fits, as the reason says".into(),
            Self::ManagedByGitOps { by, field } => {
                format!("change {field} where {by} takes it from, or let {by} ignore it")
            }
            Self::ManagedByOther { by, .. } => format!("{by} has to let go of it, or do it itself"),
            Self::DisruptionBudget { budget, .. } => {
                format!("{budget} has to allow a disruption: more pods have to be ready")
            }
            Self::OutOfBounds { which, .. } => format!("raise or lower `{which}`, where that is right"),
            Self::WouldLower { .. } => "set `allowDown: true`, where fewer are wanted".into(),
            Self::Changed { .. } => "nothing: it is looked at anew".into(),
            Self::ServerRefused { .. } => {
                "mend what the server says; rights are shown by `paramedic check --live`".into()
            }
            Self::NoKubernetes => "name a cluster: the daemon runs with --no-kubernetes".into(),
            Self::NotAsApproved { .. } => "approve the new proposal, where it is right".into(),
        }
    }
}

/// The command that ends a pause of exactly this scope.
fn resume(scope: &PauseScope) -> String {
    let of = match scope {
        PauseScope::Everything => String::new(),
        PauseScope::Namespace(name) => format!(" --namespace {name}"),
        PauseScope::Policy(name) => format!(" --policy {name}"),
        // As the command reads it, and not as a target is shown.
        PauseScope::Target(Target { kind, namespace, name }) => {
            format!(" --target {namespace}/{kind}/{name}")
        }
    };
    format!("paramedic resume{of}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Reason::*;
    use super::*;
    use crate::event::Seq;
    use crate::policy::LimitScope;
    use crate::time::{Moment, Span};

    /// The names of all variants, and which one it is: a new one does not compile until it stands here, and is not passed
    /// until the table has it.
    macro_rules! variants {
        ($($pattern:pat => $name:literal,)+) => {
            const VARIANTS: &[&str] = &[$($name),+];

            fn variant(reason: &Reason) -> &'static str {
                match reason {
                    $($pattern => $name,)+
                }
            }
        };
    }

    variants! {
        Reason::NotLeading => "NotLeading",
        Reason::ClockStepped { .. } => "ClockStepped",
        Reason::TimeStandsStill { .. } => "TimeStandsStill",
        Reason::Storm { .. } => "Storm",
        Reason::Paused { .. } => "Paused",
        Reason::PausedByAnnotation { .. } => "PausedByAnnotation",
        Reason::Quarantined { .. } => "Quarantined",
        Reason::OtherCluster { .. } => "OtherCluster",
        Reason::Protected { .. } => "Protected",
        Reason::Unless { .. } => "Unless",
        Reason::TooYoung { .. } => "TooYoung",
        Reason::OffSchedule { .. } => "OffSchedule",
        Reason::AlreadyRunning { .. } => "AlreadyRunning",
        Reason::Outranked { .. } => "Outranked",
        Reason::TooManyRunning { .. } => "TooManyRunning",
        Reason::CoolingDown { .. } => "CoolingDown",
        Reason::Settling { .. } => "Settling",
        Reason::LimitReached { .. } => "LimitReached",
        Reason::Pace { .. } => "Pace",
        Reason::TooManyTargets { .. } => "TooManyTargets",
        Reason::TooManyDown { .. } => "TooManyDown",
        Reason::Relapsed { .. } => "Relapsed",
        Reason::EndedInDoubt { .. } => "EndedInDoubt",
        Reason::NotConfirmed { .. } => "NotConfirmed",
        Reason::ConditionFalse { .. } => "ConditionFalse",
        Reason::FactUnknown { .. } => "FactUnknown",
        Reason::FactStale { .. } => "FactStale",
        Reason::BadValue { .. } => "BadValue",
        Reason::TargetAbsent { .. } => "TargetAbsent",
        Reason::WrongKind { .. } => "WrongKind",
        Reason::WorkloadPaused => "WorkloadPaused",
        Reason::Suspended => "Suspended",
        Reason::JobRunning { .. } => "JobRunning",
        Reason::RollingOut { .. } => "RollingOut",
        Reason::NoPodWouldMove { .. } => "NoPodWouldMove",
        Reason::OwnedByAutoscaler { .. } => "OwnedByAutoscaler",
        Reason::NeverBlocked { .. } => "NeverBlocked",
        Reason::WrongLever { .. } => "WrongLever",
        Reason::ManagedByGitOps { .. } => "ManagedByGitOps",
        Reason::ManagedByOther { .. } => "ManagedByOther",
        Reason::DisruptionBudget { .. } => "DisruptionBudget",
        Reason::OutOfBounds { .. } => "OutOfBounds",
        Reason::WouldLower { .. } => "WouldLower",
        Reason::Changed { .. } => "Changed",
        Reason::ServerRefused { .. } => "ServerRefused",
        Reason::NoKubernetes => "NoKubernetes",
        Reason::NotAsApproved { .. } => "NotAsApproved",
    }

    #[test]
    fn every_reason_says_what_would_have_to_change() {
        let text = str::to_owned;
        let (since, until) = (Moment::from_unix_ms(0), Moment::from_unix_ms(1_800_000_000_000));
        let (minute, hour) = (Span::from_mins(1), Span::from_hours(1));
        let table: Vec<(Reason, &str)> = vec![
            (NotLeading, "ask the daemon that leads; this one acts once it does"),
            (ClockStepped { by_ms: 90_000 }, "look at the clock, then `paramedic resume --clock`"),
            (TimeStandsStill { until }, "wait until T, when the clock has caught up"),
            (
                Storm { since, why: text("61 in a minute") },
                "wait until the storm is over (`paramedic status`), or set `guards.inStorm: act` in the policy",
            ),
            (Paused { scope: PauseScope::Everything, by: text("ann"), until: None }, "`paramedic resume`"),
            (
                Paused { scope: PauseScope::Policy(text("errors")), by: text("ann"), until: Some(until) },
                "wait until T, or `paramedic resume --policy errors`",
            ),
            (
                PausedByAnnotation { until: text("2026-11-22") },
                "wait until 2026-11-22, or take the annotation paramedic.dev/pause-until away",
            ),
            (
                Quarantined { since, rounds: 3 },
                "find out why its actions do not help, then `paramedic resume --policy` with its name",
            ),
            (
                OtherCluster { has: text("a"), ours: text("b") },
                "the alert has to come with the cluster's name b; look at external_labels and routes",
            ),
            (
                Protected { rule: text("namespace dns") },
                "nothing here: it is protected on purpose; `guards.protected` of the configuration can be shortened but for what is built in",
            ),
            (
                Unless { episode: Seq(4), alert: text("Failover") },
                "the alert Failover (episode 4) has to end",
            ),
            (TooYoung { age: minute, wanted: hour, until }, "wait until T, or shorten `for:`"),
            (OffSchedule { until: None }, "widen `guards.schedule`: no window of it comes any more"),
            (OffSchedule { until: Some(until) }, "wait until T, or widen `guards.schedule`"),
            (
                AlreadyRunning { intent: Seq(9) },
                "intent 9 on the same target has to end, and its verification",
            ),
            (
                Outranked { by: text("other") },
                "the policy other, which comes first here, has to be done with the target",
            ),
            (
                TooManyRunning { have: 1, allow: 1 },
                "another action of the policy has to end, or raise `guards.concurrency`",
            ),
            (CoolingDown { since, until }, "wait until T, or shorten `guards.cooldown`"),
            (Settling { intent: Seq(9), until }, "wait until T, when our last action has settled"),
            (
                LimitReached { by: LimitScope::Target, have: 3, allow: 3, per: hour, until },
                "wait until T, when the oldest drops out of the window, or raise the limit",
            ),
            (Pace { until }, "wait until T"),
            (
                TooManyTargets { have: 3, allow: 2, per: hour, within: text("namespace prod"), until },
                "wait until T, or raise `guards.blastRadius.targets`",
            ),
            (
                TooManyDown { have: 4, of: 12, allow_percent: 25 },
                "replicas of the namespace have to come back, or raise `guards.blastRadius.unavailable`",
            ),
            (
                Relapsed { rungs: 2, since },
                "a person has to look: every rung was tried, and the trouble came back within `guards.relapse`",
            ),
            (
                EndedInDoubt { rung: 1, since },
                "a person has to look whether the last action helped; nobody knows, so nothing is built on it",
            ),
            (
                NotConfirmed { found: text("no series") },
                "Prometheus has to show the alert firing, with the labels that the policy uses",
            ),
            (
                ConditionFalse { condition: 0, value: text("0.5"), wanted: text("> 1") },
                "the query of when[0] has to give > 1",
            ),
            (
                FactUnknown { fact: text("when[0]"), found: text("NaN") },
                "when[0] has to be known: look at what was asked (`--all`)",
            ),
            (
                FactStale { fact: text("when[0]"), age: hour, allow: minute },
                "when[0] has to be younger than 1m: look at Prometheus and at both clocks",
            ),
            (
                BadValue { what: text("namespace"), problem: text("empty") },
                "the alert has to carry a usable namespace: mend its labels or the template",
            ),
            (
                TargetAbsent { what: text("deployment web") },
                "there has to be deployment web: look at the target's name and namespace",
            ),
            (
                WrongKind { kind: text("Pod"), wanted: text("Deployment") },
                "the target has to be one of Deployment",
            ),
            (WorkloadPaused, "take `spec.paused` off the workload"),
            (Suspended, "take `spec.suspend` off the CronJob"),
            (JobRunning { job: text("job/drill-1") }, "job/drill-1 has to end"),
            (RollingOut { detail: text("3 of 4") }, "its rollout has to end"),
            (
                NoPodWouldMove { strategy: text("OnDelete") },
                "its update strategy has to be one that moves pods",
            ),
            (
                OwnedByAutoscaler { by: text("HPA web"), why: text("max") },
                "raise or free the replicas at HPA web, which owns them",
            ),
            (
                NeverBlocked { range: text("10.0.0.1"), why: text("a node") },
                "nothing: such an address is never kept out",
            ),
            (WrongLever { why: text("a proxy") }, "use the lever that fits, as the reason says"),
            (
                ManagedByGitOps { by: text("Argo CD"), field: text("spec.replicas") },
                "change spec.replicas where Argo CD takes it from, or let Argo CD ignore it",
            ),
            (
                ManagedByOther { by: text("Helm"), why: text("it disagrees") },
                "Helm has to let go of it, or do it itself",
            ),
            (
                DisruptionBudget { budget: text("web"), allowed: 0 },
                "web has to allow a disruption: more pods have to be ready",
            ),
            (
                OutOfBounds { value: 12, bound: 10, which: text("max") },
                "raise or lower `max`, where that is right",
            ),
            (WouldLower { from: 4, to: 2 }, "set `allowDown: true`, where fewer are wanted"),
            (Changed { what: text("generation is 5") }, "nothing: it is looked at anew"),
            (
                ServerRefused { message: text("forbidden") },
                "mend what the server says; rights are shown by `paramedic check --live`",
            ),
            (NoKubernetes, "name a cluster: the daemon runs with --no-kubernetes"),
            (
                NotAsApproved { approved: text("4 -> 6"), now: text("5 -> 7") },
                "approve the new proposal, where it is right",
            ),
        ];
        for (reason, change) in &table {
            assert_eq!(reason.change().replace(&until.to_string(), "T"), *change, "{reason:?}");
        }
        let has: BTreeSet<&str> = table.iter().map(|(reason, _)| variant(reason)).collect();
        assert_eq!(has, VARIANTS.iter().copied().collect(), "each has a row");
    }

    #[test]
    fn a_pause_names_the_command_that_ends_it() {
        let change = |scope| Paused { scope, by: "ann".into(), until: None }.change();
        assert_eq!(change(PauseScope::Everything), "`paramedic resume`");
        assert_eq!(change(PauseScope::Namespace("shop".into())), "`paramedic resume --namespace shop`");
        assert_eq!(change(PauseScope::Policy("errors".into())), "`paramedic resume --policy errors`");
        let target = |kind: &str, namespace: &str, name: &str| {
            PauseScope::Target(Target { kind: kind.into(), namespace: namespace.into(), name: name.into() })
        };
        assert_eq!(
            change(target("Rollout.argoproj.io", "shop", "cart")),
            "`paramedic resume --target shop/Rollout.argoproj.io/cart`"
        );
        assert_eq!(change(target("Node", "", "worker-1")), "`paramedic resume --target /Node/worker-1`");
    }
}
