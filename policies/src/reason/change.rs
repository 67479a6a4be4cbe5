//! What would have to change for a reason to be none: one instruction each, for whoever asks why nothing was done. Says
//! what somebody can do or wait for; never what is good to do.

use super::Reason;
use crate::order::PauseScope;

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
        PauseScope::Target(target) => format!(" --target {target}"),
    };
    format!("paramedic resume{of}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_names_the_command_that_ends_it() {
        let change = |scope| Reason::Paused { scope, by: "ann".into(), until: None }.change();
        assert_eq!(change(PauseScope::Everything), "`paramedic resume`");
        assert_eq!(change(PauseScope::Namespace("shop".into())), "`paramedic resume --namespace shop`");
        assert_eq!(change(PauseScope::Policy("errors".into())), "`paramedic resume --policy errors`");
    }
}
