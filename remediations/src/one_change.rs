//! One change to the cluster, from the last look before it to the certainty after it: look, check, change, and look
//! again where no answer came. Never sends a second request for one intent unless the server has refused the first because
//! somebody else's came before it, and never says that something did not happen unless a look has shown it.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{Diff, DiffSource, Intent, Outcome};
use paramedic_policies::reason::Reason;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::Checks;
use crate::ports::clock::left;
use crate::ports::cluster::{ChangeError, Cluster, ClusterChange, LookError};
use crate::remedy::{BothHands, Eyes};
use crate::retry;
use crate::seal::Sealed;

/// How long a look may take altogether, tries included.
pub(crate) const LOOK_WITHIN: Duration = Duration::from_secs(20);

/// How long to look for the traces of a change that was not answered, or of a process that is gone. Its deadline may
/// have passed by then; that a change is in doubt is worth this much more.
const FIND_OUT_WITHIN: Duration = Duration::from_secs(60);

/// How a remediation makes its one change.
#[async_trait]
pub(crate) trait OneChange: Sync {
    /// What a look shows.
    type Seen: Send + Sync;

    /// Looks, once.
    async fn look(&self, cluster: &dyn Cluster) -> Result<Self::Seen, LookError>;

    /// The change, from what was seen.
    ///
    /// # Errors
    /// Where what was seen no longer allows it.
    fn change(&self, seen: &Self::Seen) -> Result<ClusterChange, Reason>;

    /// What stands against it now.
    fn obstacles(&self, seen: &Self::Seen, now: Moment) -> Checks;

    /// Whether it is there.
    fn trace(&self, seen: &Self::Seen) -> Trace;

    /// What it changes, where it was made and the server's own words are lost.
    fn diff(&self) -> Diff;
}

/// What a look shows of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was made, by this intent.
    Made,
    /// It was certainly not made.
    NotMade,
    /// Nobody can tell, because of this.
    Unclear(String),
}

/// Looks, with retries.
async fn look<C: OneChange>(
    cluster: &dyn Cluster,
    target: &Target,
    one: &C,
    within: Duration,
) -> Result<C::Seen, LookError> {
    retry::question(within, is_transient, || late(target), || one.look(cluster)).await
}

pub(crate) fn is_transient(error: &LookError) -> bool {
    matches!(error, LookError::Failed { .. })
}

pub(crate) fn late(target: &Target) -> LookError {
    LookError::Failed { tried: format!("look at {target}"), problem: "no answer in time".into() }
}

/// How long the API server works on a request at most: its `--request-timeout`, one minute by default, and some slack.
const REQUEST_LIFE: Duration = Duration::from_secs(65);

/// How often a change is tried again that somebody else's came before. Each is a look and one request.
const TRIES_MAX: u32 = 5;

/// As [`carried_out`], on an object that others write all the time (a kubelet its status): what lost a race is known not to
/// have been made, and is tried again from a fresh look with all its checks.
pub(crate) async fn carry_out_in_a_crowd<C: OneChange>(
    hands: BothHands<'_>,
    seal: &Sealed<Intent>,
    one: &C,
) -> Result<Carried, Outcome> {
    let mut tried = 1;
    loop {
        match carried_out(hands, seal, one).await {
            Err(Outcome::Refused { reasons }) if tried < TRIES_MAX && raced(&reasons) => tried += 1,
            ended => return ended,
        }
    }
}

fn raced(reasons: &[Reason]) -> bool {
    matches!(reasons, [Reason::Changed { .. }])
}

/// What became of a change that was to be made.
pub(crate) enum Carried {
    /// It was made by a request of this call.
    Made(Diff),
    /// The look before the request showed it: made by an earlier request of this intent, or by somebody else.
    Found,
}

impl Carried {
    /// The difference, and whether it was made by this call.
    pub(crate) fn told<C: OneChange>(self, one: &C) -> (Diff, bool) {
        match self {
            Self::Made(diff) => (diff, true),
            Self::Found => (one.diff(), false),
        }
    }
}

/// Makes the change, or finds it made; the difference, or how it ended otherwise.
pub(crate) async fn carry_out<C: OneChange>(
    hands: BothHands<'_>,
    seal: &Sealed<Intent>,
    one: &C,
) -> Result<Diff, Outcome> {
    carried_out(hands, seal, one).await.map(|carried| carried.told(one).0)
}

/// As [`carry_out`], for whom it matters which of the two it was.
pub(crate) async fn carried_out<C: OneChange>(
    hands: BothHands<'_>,
    seal: &Sealed<Intent>,
    one: &C,
) -> Result<Carried, Outcome> {
    let (cluster, clock) = (hands.cluster().map_err(unseen)?, hands.eyes.clock);
    let time = left(clock, seal.deadline);
    if time.is_zero() {
        return Err(failed("its deadline has passed before anything was sent".into()));
    }
    let seen = look(cluster, &seal.target, one, time.min(LOOK_WITHIN)).await;
    let seen = seen.map_err(unseen)?;
    if one.trace(&seen) == Trace::Made {
        return Ok(Carried::Found);
    }
    let reasons = one.obstacles(&seen, clock()).refusals;
    if !reasons.is_empty() {
        return Err(Outcome::Refused { reasons });
    }
    let change = one.change(&seen).map_err(|reason| Outcome::Refused { reasons: vec![reason] })?;
    let answered = tokio::time::timeout(left(clock, seal.deadline), cluster.change(seal, &change)).await;
    let error = match answered {
        Ok(Ok(diff)) => return Ok(Carried::Made(diff)),
        Ok(Err(error)) => error,
        Err(_) => ChangeError::NoAnswer {
            tried: format!("{} {}", seal.action, seal.target),
            problem: "none before the intent's deadline".into(),
        },
    };
    tracing::warn!(intent = %seal.id, target = %seal.target, error = %error, "a change was not made as asked");
    match error {
        ChangeError::Refused { message, conflict: false } | ChangeError::Forbidden { message } => {
            Err(Outcome::Refused { reasons: vec![Reason::ServerRefused { message }] })
        }
        // Perhaps by ourselves, in an earlier attempt whose answer was lost.
        ChangeError::Refused { message, conflict: true } => match find_out(cluster, seal, one).await {
            Trace::Made => Ok(Carried::Made(one.diff())),
            Trace::NotMade | Trace::Unclear(_) => {
                Err(Outcome::Refused { reasons: vec![Reason::Changed { what: message }] })
            }
        },
        ChangeError::NotSent { .. } => Err(failed(error.to_string())),
        ChangeError::NoAnswer { .. } => match find_out_at_last(cluster, seal, one).await {
            Trace::Made => Ok(Carried::Made(one.diff())),
            Trace::NotMade => Err(failed(format!("{error}; a look shows that it was not made"))),
            Trace::Unclear(why) => Err(Outcome::Unknown { what: format!("{error}; {why}") }),
        },
    }
}

/// How an intent ended whose process is gone. Its request may have left just before that.
pub(crate) async fn closed<C: OneChange>(
    eyes: Eyes<'_>,
    seal: &Sealed<Intent>,
    one: &C,
) -> Result<Diff, Outcome> {
    let cluster = eyes.cluster().map_err(|error| unclear(seal, error))?;
    // When it left is known by a wall clock that may have been set meanwhile: counted from now, in time that passes.
    match find_out_at_last(cluster, seal, one).await {
        Trace::Made => Ok(one.diff()),
        Trace::NotMade => Err(failed(format!(
            "the process ended before it was done: {} {} shows no trace of it",
            seal.action, seal.target
        ))),
        Trace::Unclear(why) => Err(Outcome::Unknown {
            what: format!("the process ended during {} {}: {why}", seal.action, seal.target),
        }),
    }
}

/// What the change would do. Touches no hands.
pub(crate) async fn rehearse<C: OneChange>(eyes: Eyes<'_>, seal: &Sealed<Intent>, one: &C) -> Outcome {
    let clock = eyes.clock;
    let cluster = match eyes.cluster() {
        Ok(cluster) => cluster,
        Err(error) => return unseen(error),
    };
    let time = left(clock, seal.deadline);
    if time.is_zero() {
        return failed("its deadline has passed before it was rehearsed".into());
    }
    let seen = match look(cluster, &seal.target, one, time.min(LOOK_WITHIN)).await {
        Ok(seen) => seen,
        Err(error) => return unseen(error),
    };
    let reasons = one.obstacles(&seen, clock()).refusals;
    if !reasons.is_empty() {
        return Outcome::Refused { reasons };
    }
    let change = match one.change(&seen) {
        Ok(change) => change,
        Err(reason) => return Outcome::Refused { reasons: vec![reason] },
    };
    let preview = cluster.preview(&change, seal.stamp());
    match tokio::time::timeout(left(clock, seal.deadline), preview).await {
        Ok(Ok(diff)) => Outcome::Done { diff: Some(diff), already: false },
        Ok(Err(ChangeError::Refused { message, conflict: true })) => {
            Outcome::Refused { reasons: vec![Reason::Changed { what: message }] }
        }
        Ok(Err(ChangeError::Refused { message, conflict: false } | ChangeError::Forbidden { message })) => {
            Outcome::Refused { reasons: vec![Reason::ServerRefused { message }] }
        }
        Ok(Err(error @ (ChangeError::NotSent { .. } | ChangeError::NoAnswer { .. }))) => {
            failed(error.to_string())
        }
        Err(_) => failed(format!("no answer to a dry run of {} {} in time", seal.action, seal.target)),
    }
}

/// The difference for a preflight that wants one: its refusal is one more check.
pub(crate) async fn preview(
    cluster: &dyn Cluster,
    change: &ClusterChange,
    checks: &mut Checks,
) -> Option<Diff> {
    match cluster.preview(change, "preview").await {
        Ok(diff) => {
            match &diff.source {
                DiffSource::ServerDryRun => checks.pass("the API server would accept it"),
                // Nobody asked it; the difference says so itself.
                DiffSource::Computed { .. } | DiffSource::Applied => {}
            }
            Some(diff)
        }
        Err(ChangeError::Refused { message, conflict: true }) => {
            checks.refuse(Reason::Changed { what: message });
            None
        }
        Err(ChangeError::Refused { message, conflict: false } | ChangeError::Forbidden { message }) => {
            checks.refuse(Reason::ServerRefused { message });
            None
        }
        Err(error @ (ChangeError::NotSent { .. } | ChangeError::NoAnswer { .. })) => {
            checks.refuse(Reason::FactUnknown { fact: "dry run".into(), found: error.to_string() });
            None
        }
    }
}

/// A request without an answer may still be on its way: the server may take it up to [`REQUEST_LIFE`] later. Only a look
/// after that shows that it was not made.
async fn find_out_at_last<C: OneChange>(cluster: &dyn Cluster, seal: &Sealed<Intent>, one: &C) -> Trace {
    match find_out(cluster, seal, one).await {
        Trace::NotMade => {
            tokio::time::sleep(REQUEST_LIFE).await;
            find_out(cluster, seal, one).await
        }
        seen @ (Trace::Made | Trace::Unclear(_)) => seen,
    }
}

async fn find_out<C: OneChange>(cluster: &dyn Cluster, seal: &Sealed<Intent>, one: &C) -> Trace {
    match look(cluster, &seal.target, one, FIND_OUT_WITHIN).await {
        Ok(seen) => one.trace(&seen),
        Err(error) => Trace::Unclear(format!("{error}, so nobody knows")),
    }
}

/// A look that found another object of the same name.
pub(crate) fn another(target: &Target, uid: &str) -> Trace {
    Trace::Unclear(format!("{target} is another object now (uid {uid})"))
}

/// How an intent ends whose target could not be looked at before anything was done.
pub(crate) fn unseen(error: LookError) -> Outcome {
    match error {
        LookError::Absent { what } => Outcome::Refused { reasons: vec![Reason::TargetAbsent { what }] },
        LookError::NoKubernetes => Outcome::Refused { reasons: vec![Reason::NoKubernetes] },
        LookError::Forbidden { .. } | LookError::Failed { .. } => failed(error.to_string()),
    }
}

/// How an intent ends whose process is gone and whose traces cannot be looked for.
fn unclear(seal: &Sealed<Intent>, error: LookError) -> Outcome {
    Outcome::Unknown { what: format!("{} {} cannot be looked at: {error}", seal.action, seal.target) }
}

/// Known not to have been made.
pub(crate) fn failed(what: String) -> Outcome {
    Outcome::Failed { what, applied: false, diff: None }
}
