//! What a remediation checks before it acts. Every check speaks, whatever the others said; none acts.

use std::collections::BTreeMap;

use paramedic_policies::action::{Action, Diff};
use paramedic_policies::answer::{Beside, Preflight, Surroundings};
use paramedic_policies::reason::Reason;
use paramedic_policies::time::Moment;

use crate::ports::cluster::Workload;

/// A person's word on a workload or its namespace: no remediation before that time.
pub(crate) const PAUSE_UNTIL: &str = "paramedic.dev/pause-until";

/// What was found, in the order of asking.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Checks {
    pub(crate) refusals: Vec<Reason>,
    pub(crate) passed: Vec<String>,
}

impl Checks {
    /// Notes one check; what refuses in the same words as another is said once.
    pub(crate) fn note(&mut self, found: Result<String, Reason>) {
        match found {
            Ok(passed) => self.passed.push(passed),
            Err(reason) if self.refusals.contains(&reason) => {}
            Err(reason) => self.refusals.push(reason),
        }
    }

    /// Notes a refusal.
    pub(crate) fn refuse(&mut self, reason: Reason) {
        self.refusals.push(reason);
    }

    /// Notes what does not stand against it.
    pub(crate) fn pass(&mut self, what: impl Into<String>) {
        self.passed.push(what.into());
    }

    /// Adds what others have found.
    pub(crate) fn join(&mut self, others: Self) {
        self.refusals.extend(others.refusals);
        self.passed.extend(others.passed);
    }

    pub(crate) fn is_clear(&self) -> bool {
        self.refusals.is_empty()
    }

    /// The answer of a preflight; what is refused has no action.
    pub(crate) fn into_preflight(self, seen: Seen, action: Option<Action>, already: bool) -> Preflight {
        let action = if self.is_clear() { action } else { None };
        Preflight {
            uid: seen.uid,
            action,
            already,
            refusals: self.refusals,
            passed: self.passed,
            labels: seen.labels,
            beside: seen.beside,
            surroundings: seen.surroundings,
            diff: seen.diff,
        }
    }
}

/// What a preflight says about its target beside its checks.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) beside: Beside,
    pub(crate) surroundings: Option<Surroundings>,
    pub(crate) diff: Option<Diff>,
}

impl Seen {
    /// A workload, and how many replicas the action may make unavailable.
    pub(crate) fn of(workload: &Workload, added: u32) -> Self {
        Self {
            uid: workload.uid.clone(),
            labels: workload.labels.clone(),
            surroundings: Some(Surroundings { added, ..workload.surroundings }),
            ..Self::default()
        }
    }
}

/// Refuses where `paramedic.dev/pause-until` lies ahead, or is no time at all: whoever wrote it wanted no action.
pub(crate) fn pause(on: &str, annotations: &BTreeMap<String, String>, now: Moment) -> Result<String, Reason> {
    match annotations.get(PAUSE_UNTIL) {
        None => Ok(format!("no {PAUSE_UNTIL} on the {on}")),
        Some(text) => match text.parse::<Moment>() {
            Ok(until) if until <= now => Ok(format!("{PAUSE_UNTIL} on the {on} is over since {until}")),
            Ok(_) | Err(_) => Err(Reason::PausedByAnnotation { until: text.clone() }),
        },
    }
}

/// The checks of every change to a workload: nobody paused it, and nothing else moves it.
pub(crate) fn rests(workload: &Workload, now: Moment, checks: &mut Checks) {
    pauses(workload, now, checks);
    checks.note(if workload.paused {
        Err(Reason::WorkloadPaused)
    } else {
        Ok("spec.paused is not set".into())
    });
    checks.note(if workload.rollout.under_way {
        Err(Reason::RollingOut { detail: workload.rollout.detail.clone() })
    } else {
        Ok(format!("no rollout is under way ({})", workload.rollout.detail))
    });
}

/// The part of [`rests`] that holds for taking an own action back too.
pub(crate) fn pauses(workload: &Workload, now: Moment, checks: &mut Checks) {
    checks.note(pause("workload", &workload.annotations, now));
    checks.note(pause("namespace", &workload.namespace_annotations, now));
}

/// Refuses where the object is another one than the intent's.
pub(crate) fn same_uid(has: &str, wanted: &str) -> Result<String, Reason> {
    if has == wanted {
        Ok(format!("uid is {wanted}"))
    } else {
        Err(Reason::Changed { what: format!("uid is {has}, was {wanted}") })
    }
}
