//! Why something is not done: a closed set, each with the numbers that made it.

use serde::{Deserialize, Serialize};

use crate::event::Seq;
use crate::order::PauseScope;
use crate::policy::LimitScope;
use crate::time::{Moment, Span};

mod change;
mod words;

/// One reason to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reason {
    /// This process does not lead.
    NotLeading,
    /// The wall clock moved and nobody has accepted it yet.
    ClockStepped {
        /// Milliseconds.
        by_ms: i64,
    },
    /// The wall clock had run ahead and was put back; until it has caught up with the records, no time passes.
    TimeStandsStill {
        /// When time goes on.
        until: Moment,
    },
    /// Too much fires.
    Storm {
        /// Since when.
        since: Moment,
        /// With what numbers.
        why: String,
    },
    /// An operator paused it.
    Paused {
        /// What is paused.
        scope: PauseScope,
        /// Who paused it.
        by: String,
        /// Until when, where there is an end.
        until: Option<Moment>,
    },
    /// The workload carries `paramedic.dev/pause-until`.
    PausedByAnnotation {
        /// The annotation's value.
        until: String,
    },
    /// The policy's actions do not help.
    Quarantined {
        /// Since when.
        since: Moment,
        /// After how many rounds.
        rounds: u32,
    },
    /// The alert is of another cluster, or does not say of which.
    OtherCluster {
        /// What the alert says.
        has: String,
        /// Which cluster this is.
        ours: String,
    },
    /// The target is never touched.
    Protected {
        /// Which rule protects it.
        rule: String,
    },
    /// An alert of `unless:` is open.
    Unless {
        /// That episode.
        episode: Seq,
        /// Its alert's name.
        alert: String,
    },
    /// The episode is younger than `for:`.
    TooYoung {
        /// Its age.
        age: Span,
        /// The wanted age.
        wanted: Span,
        /// When it has that age.
        until: Moment,
    },
    /// Outside the schedule.
    OffSchedule {
        /// When the next window opens, where there is one.
        until: Option<Moment>,
    },
    /// Another action on the target is under way.
    AlreadyRunning {
        /// That intent.
        intent: Seq,
    },
    /// Another policy with precedence wants the target and has not been decided.
    Outranked {
        /// That policy.
        by: String,
    },
    /// As many of this policy's actions run as may.
    TooManyRunning {
        /// How many run.
        have: u32,
        /// How many may.
        allow: u32,
    },
    /// The policy acted on this target too recently.
    CoolingDown {
        /// When that was.
        since: Moment,
        /// When it is over.
        until: Moment,
    },
    /// Our own action on this target ended too recently.
    Settling {
        /// That intent.
        intent: Seq,
        /// When it is over.
        until: Moment,
    },
    /// A ceiling is reached.
    LimitReached {
        /// Over what it counts.
        by: LimitScope,
        /// How many there were.
        have: u32,
        /// How many may be.
        allow: u32,
        /// In a window of this length.
        per: Span,
        /// When one drops out of the window.
        until: Moment,
    },
    /// Effects come too fast.
    Pace {
        /// When the next may leave.
        until: Moment,
    },
    /// Too many distinct targets.
    TooManyTargets {
        /// How many there would be.
        have: u32,
        /// How many may be.
        allow: u32,
        /// In a window of this length.
        per: Span,
        /// Where they are counted, such as `namespace prod`; records did not always say it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        within: String,
        /// When one drops out of the window.
        until: Moment,
    },
    /// Too much of the namespace would be unavailable.
    TooManyDown {
        /// Unavailable, this action's share included.
        have: u32,
        /// Of how many wanted.
        of: u32,
        /// Percent that may be.
        allow_percent: u8,
    },
    /// Every rung was tried within `relapse`, and the trouble came back.
    Relapsed {
        /// How many rungs the ladder has.
        rungs: u32,
        /// When the last one ended.
        since: Moment,
    },
    /// The last ladder ended within `relapse` in a way that shows neither help nor its absence.
    EndedInDoubt {
        /// The rung of which nobody knows, from 1.
        rung: u32,
        /// When it ended.
        since: Moment,
    },
    /// Prometheus does not show the alert firing.
    NotConfirmed {
        /// What it shows.
        found: String,
    },
    /// A condition does not hold.
    ConditionFalse {
        /// Position in `when:`, from 0.
        condition: u32,
        /// The value.
        value: String,
        /// What it should satisfy.
        wanted: String,
    },
    /// A fact shows nothing: empty, NaN, failed, or more than one series.
    FactUnknown {
        /// Which fact.
        fact: String,
        /// What came instead.
        found: String,
    },
    /// A fact is too old.
    FactStale {
        /// Which fact.
        fact: String,
        /// Its age.
        age: Span,
        /// The greatest age allowed.
        allow: Span,
    },
    /// A value from a label is not what it must become.
    BadValue {
        /// What it should be, such as `namespace`.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The target is not there.
    TargetAbsent {
        /// What was looked for.
        what: String,
    },
    /// The remediation does not fit this kind of target.
    WrongKind {
        /// The target's kind.
        kind: String,
        /// The kinds that fit.
        wanted: String,
    },
    /// The workload is paused (`spec.paused`).
    WorkloadPaused,
    /// The CronJob is suspended: whoever did that wants no run of it.
    Suspended,
    /// A Job of it is running.
    JobRunning {
        /// Which.
        job: String,
    },
    /// A rollout is under way.
    RollingOut {
        /// How far it is.
        detail: String,
    },
    /// The update strategy would not move any pod.
    NoPodWouldMove {
        /// Such as `OnDelete`.
        strategy: String,
    },
    /// An autoscaler owns the field.
    OwnedByAutoscaler {
        /// Which.
        by: String,
        /// Why its own lever cannot be used.
        why: String,
    },
    /// An address that must not be kept out.
    NeverBlocked {
        /// The address or range.
        range: String,
        /// Why.
        why: String,
    },
    /// It would not do here what it is for, or more than that.
    WrongLever {
        /// Why, and what would.
        why: String,
    },
    /// A GitOps controller would revert the change.
    ManagedByGitOps {
        /// Which.
        by: String,
        /// Which field.
        field: String,
    },
    /// Something else keeps a record of it that would disagree.
    ManagedByOther {
        /// Which.
        by: String,
        /// What would follow, and what to do.
        why: String,
    },
    /// A PodDisruptionBudget allows no disruption.
    DisruptionBudget {
        /// Which.
        budget: String,
        /// How many disruptions it allows.
        allowed: i32,
    },
    /// The new value is beyond a bound.
    OutOfBounds {
        /// The value.
        value: i64,
        /// The bound.
        bound: i64,
        /// Which bound, such as `max`.
        which: String,
    },
    /// Lowering needs `allowDown`.
    WouldLower {
        /// Now.
        from: u32,
        /// Then.
        to: u32,
    },
    /// The object changed since it was looked at.
    Changed {
        /// What changed.
        what: String,
    },
    /// The server refused.
    ServerRefused {
        /// What it said.
        message: String,
    },
    /// Neither hands nor eyes for this: Kubernetes is switched off.
    NoKubernetes,
    /// What was approved is not what would be done now.
    NotAsApproved {
        /// What was approved.
        approved: String,
        /// What would be done now.
        now: String,
    },
}

impl Reason {
    /// Its name in metrics and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotLeading => "notLeading",
            Self::ClockStepped { .. } => "clockStepped",
            Self::TimeStandsStill { .. } => "timeStandsStill",
            Self::Storm { .. } => "storm",
            Self::Paused { .. } => "paused",
            Self::PausedByAnnotation { .. } => "pausedByAnnotation",
            Self::Quarantined { .. } => "quarantined",
            Self::OtherCluster { .. } => "otherCluster",
            Self::Protected { .. } => "protected",
            Self::Unless { .. } => "unless",
            Self::TooYoung { .. } => "tooYoung",
            Self::OffSchedule { .. } => "offSchedule",
            Self::AlreadyRunning { .. } => "alreadyRunning",
            Self::Outranked { .. } => "outranked",
            Self::TooManyRunning { .. } => "tooManyRunning",
            Self::CoolingDown { .. } => "coolingDown",
            Self::Settling { .. } => "settling",
            Self::LimitReached { .. } => "limitReached",
            Self::Pace { .. } => "pace",
            Self::TooManyTargets { .. } => "tooManyTargets",
            Self::TooManyDown { .. } => "tooManyDown",
            Self::Relapsed { .. } => "relapsed",
            Self::EndedInDoubt { .. } => "endedInDoubt",
            Self::NotConfirmed { .. } => "notConfirmed",
            Self::ConditionFalse { .. } => "conditionFalse",
            Self::FactUnknown { .. } => "factUnknown",
            Self::FactStale { .. } => "factStale",
            Self::BadValue { .. } => "badValue",
            Self::TargetAbsent { .. } => "targetAbsent",
            Self::WrongKind { .. } => "wrongKind",
            Self::WorkloadPaused => "workloadPaused",
            Self::Suspended => "suspended",
            Self::JobRunning { .. } => "jobRunning",
            Self::RollingOut { .. } => "rollingOut",
            Self::NoPodWouldMove { .. } => "noPodWouldMove",
            Self::OwnedByAutoscaler { .. } => "ownedByAutoscaler",
            Self::NeverBlocked { .. } => "neverBlocked",
            Self::WrongLever { .. } => "wrongLever",
            Self::ManagedByGitOps { .. } => "managedByGitOps",
            Self::ManagedByOther { .. } => "managedByOther",
            Self::DisruptionBudget { .. } => "disruptionBudget",
            Self::OutOfBounds { .. } => "outOfBounds",
            Self::WouldLower { .. } => "wouldLower",
            Self::Changed { .. } => "changed",
            Self::ServerRefused { .. } => "serverRefused",
            Self::NoKubernetes => "noKubernetes",
            Self::NotAsApproved { .. } => "notAsApproved",
        }
    }

    /// Whether it is worth looking again while nothing else changes.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::TooYoung { .. }
            | Self::CoolingDown { .. }
            | Self::Settling { .. }
            | Self::LimitReached { .. }
            | Self::Pace { .. }
            | Self::TooManyTargets { .. }
            | Self::Paused { .. }
            | Self::PausedByAnnotation { .. }
            | Self::OffSchedule { .. }
            | Self::NotLeading
            | Self::TimeStandsStill { .. }
            | Self::Storm { .. }
            | Self::Unless { .. }
            | Self::AlreadyRunning { .. }
            | Self::Outranked { .. }
            | Self::TooManyRunning { .. }
            | Self::TooManyDown { .. }
            | Self::NotConfirmed { .. }
            | Self::ConditionFalse { .. }
            | Self::FactUnknown { .. }
            | Self::FactStale { .. }
            | Self::TargetAbsent { .. }
            | Self::WorkloadPaused
            | Self::Suspended
            | Self::JobRunning { .. }
            | Self::RollingOut { .. }
            | Self::DisruptionBudget { .. }
            | Self::Changed { .. }
            // The approval is spent; what would be done now is proposed anew.
            | Self::NotAsApproved { .. } => true,
            Self::ClockStepped { .. }
            | Self::Quarantined { .. }
            | Self::OtherCluster { .. }
            | Self::Protected { .. }
            | Self::Relapsed { .. }
            | Self::EndedInDoubt { .. }
            | Self::BadValue { .. }
            | Self::WrongKind { .. }
            | Self::NoPodWouldMove { .. }
            | Self::OwnedByAutoscaler { .. }
            | Self::NeverBlocked { .. }
            | Self::WrongLever { .. }
            | Self::ManagedByGitOps { .. }
            | Self::ManagedByOther { .. }
            | Self::OutOfBounds { .. }
            | Self::WouldLower { .. }
            | Self::ServerRefused { .. }
            | Self::NoKubernetes => false,
        }
    }

    /// Whether people know of it without being called: the policy itself says so, somebody decided so, or they were told.
    pub(crate) fn is_known_to_people(&self) -> bool {
        match self {
            Self::NotLeading
            | Self::Storm { .. }
            | Self::Paused { .. }
            | Self::PausedByAnnotation { .. }
            | Self::Quarantined { .. }
            | Self::OtherCluster { .. }
            | Self::Protected { .. }
            | Self::Unless { .. }
            | Self::TooYoung { .. }
            | Self::OffSchedule { .. }
            | Self::Relapsed { .. }
            | Self::EndedInDoubt { .. }
            | Self::NotConfirmed { .. }
            | Self::ConditionFalse { .. }
            | Self::WorkloadPaused
            | Self::Suspended => true,
            Self::ClockStepped { .. }
            | Self::TimeStandsStill { .. }
            | Self::AlreadyRunning { .. }
            | Self::Outranked { .. }
            | Self::TooManyRunning { .. }
            | Self::CoolingDown { .. }
            | Self::Settling { .. }
            | Self::LimitReached { .. }
            | Self::Pace { .. }
            | Self::TooManyTargets { .. }
            | Self::TooManyDown { .. }
            | Self::FactUnknown { .. }
            | Self::FactStale { .. }
            | Self::BadValue { .. }
            | Self::TargetAbsent { .. }
            | Self::WrongKind { .. }
            | Self::JobRunning { .. }
            | Self::RollingOut { .. }
            | Self::NoPodWouldMove { .. }
            | Self::OwnedByAutoscaler { .. }
            | Self::NeverBlocked { .. }
            | Self::WrongLever { .. }
            | Self::ManagedByGitOps { .. }
            | Self::ManagedByOther { .. }
            | Self::DisruptionBudget { .. }
            | Self::OutOfBounds { .. }
            | Self::WouldLower { .. }
            | Self::Changed { .. }
            | Self::ServerRefused { .. }
            | Self::NoKubernetes
            | Self::NotAsApproved { .. } => false,
        }
    }

    /// When it may no longer stand, where that is known.
    pub fn until(&self) -> Option<Moment> {
        match self {
            Self::TooYoung { until, .. }
            | Self::CoolingDown { until, .. }
            | Self::Settling { until, .. }
            | Self::LimitReached { until, .. }
            | Self::Pace { until }
            | Self::TimeStandsStill { until }
            | Self::TooManyTargets { until, .. } => Some(*until),
            Self::Paused { until, .. } | Self::OffSchedule { until } => *until,
            Self::NotLeading
            | Self::ClockStepped { .. }
            | Self::Storm { .. }
            | Self::PausedByAnnotation { .. }
            | Self::Quarantined { .. }
            | Self::OtherCluster { .. }
            | Self::Protected { .. }
            | Self::Unless { .. }
            | Self::AlreadyRunning { .. }
            | Self::Outranked { .. }
            | Self::TooManyRunning { .. }
            | Self::TooManyDown { .. }
            | Self::Relapsed { .. }
            | Self::EndedInDoubt { .. }
            | Self::NotConfirmed { .. }
            | Self::ConditionFalse { .. }
            | Self::FactUnknown { .. }
            | Self::FactStale { .. }
            | Self::BadValue { .. }
            | Self::TargetAbsent { .. }
            | Self::WrongKind { .. }
            | Self::WorkloadPaused
            | Self::Suspended
            | Self::JobRunning { .. }
            | Self::RollingOut { .. }
            | Self::NoPodWouldMove { .. }
            | Self::OwnedByAutoscaler { .. }
            | Self::NeverBlocked { .. }
            | Self::WrongLever { .. }
            | Self::ManagedByGitOps { .. }
            | Self::ManagedByOther { .. }
            | Self::DisruptionBudget { .. }
            | Self::OutOfBounds { .. }
            | Self::WouldLower { .. }
            | Self::Changed { .. }
            | Self::ServerRefused { .. }
            | Self::NoKubernetes
            | Self::NotAsApproved { .. } => None,
        }
    }
}
