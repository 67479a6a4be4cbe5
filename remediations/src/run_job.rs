//! Runs one Job, named after the intent, and waits until it has ended: its exit code and the end of its log are kept.
//! Never makes a second Job for one intent, never runs what somebody suspended, and never beside a run of our own.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::run_job::{Action, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ports::clock::left;
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::ports::objects::{Address, ObjectChange};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::retry;
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;
use crate::stamp::{INTENT, annotation};

mod ended;
mod looked;
mod made;

use ended::{End, PODS, end};
use looked::{JOBS, Looked};

/// How often a Job is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long its pod is asked for its exit code and its log. What they say changes nothing about the end.
const LISTEN_WITHIN: Duration = Duration::from_secs(15);

/// A finished Job is cleaned up at some time, at the earliest by the history limits of its CronJob. Later than this after
/// the decision, its absence shows nothing.
const ABSENCE_SHOWS: Span = Span::from_mins(5);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        for target in aim.targets() {
            rights.look(&[Verb::Get], &target);
        }
        rights.look(&[Verb::Get], &aim.home());
        let jobs = aim.beside(JOBS);
        rights.look(&[Verb::List], &jobs);
        rights.change(&[Verb::Create], &jobs);
        // Watched to its end, and listened to.
        rights.act(&[Verb::Get], &jobs);
        rights.act(&[Verb::List], &aim.beside(PODS));
        rights.act(&[Verb::Get], &aim.beside(PODS).sub("log"));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if let Err(reason) = looked::fits(self, target) {
            checks.refuse(reason);
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let looked = looked::look(cluster, target).await?;
        let action = Action { wish: self.clone(), generation: looked.generation(self) };
        obstacles(&looked, &action, "", eyes.now(), &mut checks);
        let mut seen = Seen { uid: looked.uid.clone(), labels: looked.labels(), ..Seen::default() };
        if diff && checks.is_clear() {
            let make = make(&looked, &action, "preview", None);
            seen.diff = one_change::preview(cluster, &make, &mut checks).await;
        }
        Ok(checks.into_preflight(seen, Some(action::Action::RunJob(action)), false))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("Job"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Running { seal, action: self, absence_shows: true }).await
    }

    /// Waits until it has ended.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        let one = Running { seal, action: self, absence_shows: true };
        match one_change::carry_out(hands, seal, &one).await {
            Ok(diff) => watch(hands.eyes, seal, self, diff).await,
            Err(outcome) => outcome,
        }
    }

    /// By its name, then by its end.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let absence_shows = eyes.now() <= seal.at + ABSENCE_SHOWS;
        match one_change::closed(eyes, seal, &Running { seal, action: self, absence_shows }).await {
            Ok(diff) => watch(eyes, seal, self, diff).await,
            Err(outcome) => outcome,
        }
    }
}

/// A Job as its intent has it.
struct Running<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
    /// Whether a Job that is not there was never made.
    absence_shows: bool,
}

#[async_trait]
impl OneChange for Running<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        looked::look(cluster, &self.seal.target).await
    }

    fn change(&self, looked: &Looked) -> Result<ClusterChange, Reason> {
        Ok(make(looked, self.action, self.seal.stamp(), Some(self.seal)))
    }

    fn obstacles(&self, looked: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        obstacles(looked, self.action, &name(self.seal.stamp()), now, &mut checks);
        checks.note(checks::same_uid(&looked.uid, &self.seal.uid));
        checks
    }

    fn trace(&self, looked: &Looked) -> Trace {
        let at = at(&self.seal.target, self.seal.stamp());
        match looked.job(&at.name) {
            Some(job) if annotation(job, INTENT) == Some(self.seal.stamp()) => Trace::Made,
            Some(_) => Trace::Unclear(format!("somebody else made {at}")),
            None if self.absence_shows => Trace::NotMade,
            None => Trace::Unclear(format!("{at} is not there, and may have been cleaned up since")),
        }
    }

    fn diff(&self) -> Diff {
        let path = at(&self.seal.target, self.seal.stamp()).to_string();
        let change = Change { path, before: "-".into(), after: "created".into() };
        Diff { fields: vec![change], source: DiffSource::Applied }
    }
}

/// The name of an intent's Job; within the 63 characters that one may have.
fn name(stamp: &str) -> String {
    format!("paramedic-{stamp}")
}

fn at(target: &Target, stamp: &str) -> Address {
    JOBS.named(&target.namespace, &name(stamp))
}

fn make(looked: &Looked, action: &Action, stamp: &str, seal: Option<&Sealed<Intent>>) -> ClusterChange {
    let at = at(&looked.target, stamp);
    let object = made::job(looked, action, &at, stamp, seal.and_then(|seal| seal.correlation.as_deref()));
    ClusterChange::Object(ObjectChange::Create { at, object })
}

/// What stands against it now; `own` is the name of the intent's own Job.
fn obstacles(looked: &Looked, action: &Action, own: &str, now: Moment, checks: &mut Checks) {
    checks.note(checks::pause("object", &looked.annotations(), now));
    checks.note(checks::pause("namespace", &looked.namespace_annotations, now));
    checks.note(looked.is_same(action));
    checks.note(looked.is_resumed(action));
    checks.note(looked.has_container(action));
    checks.note(looked.is_free(action, own));
}

/// Looks at least once, so that a Job that ended before its deadline is seen to have ended after a crash too.
async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, action: &Action, made: Diff) -> Outcome {
    let at = at(&seal.target, seal.stamp());
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { eyes.cluster()?.get(&at).await },
        );
        let seen = match looked.await {
            Ok(Some(job)) => match end(&job) {
                Some(end) => return told(eyes, &at, action, end, made).await,
                None => "it is still running".to_owned(),
            },
            Ok(None) => {
                return Outcome::Unknown { what: format!("{at} is gone, and nobody saw its end") };
            }
            Err(error @ LookError::Absent { .. }) => return Outcome::Unknown { what: error.to_string() },
            Err(
                error @ (LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }),
            ) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            let what = format!("{at} had not ended by {}: {seen}", seal.deadline);
            return Outcome::Failed { what, applied: true };
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The end of a Job, with what its container said.
async fn told(eyes: Eyes<'_>, at: &Address, action: &Action, end: End, made: Diff) -> Outcome {
    let last = match eyes.cluster() {
        Ok(cluster) => {
            let words = ended::last_words(cluster, at, action.wish.container.as_deref());
            let late = |_| ended::LastWords::unheard("no answer in time".into());
            tokio::time::timeout(LISTEN_WITHIN, words).await.unwrap_or_else(late)
        }
        Err(error) => ended::LastWords::unheard(error.to_string()),
    };
    match end {
        End::Complete => {
            let mut diff = made;
            diff.fields.extend(last.fields());
            Outcome::Done { diff: Some(diff), already: false }
        }
        End::Failed { why } => Outcome::Failed { what: format!("{at} failed: {why}; {last}"), applied: true },
    }
}

#[cfg(test)]
mod tests;
