//! What the file of each remediation provides: what it must be allowed, a look before, the deed, and the
//! look after a crash. The lists at the
//! end name every remediation once; nothing else here knows one.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use paramedic_policies::action::{Action, Diff, Intent, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::Remediation;
use paramedic_policies::remediation::http_call::Method;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{Checks, Seen};
use crate::ports::clock::Clock;
use crate::ports::cluster::{ChangeError, Cluster, ClusterChange, Hands, LookError};
use crate::ports::halt::Halt;
use crate::ports::http::{Call, CallError, Http, HttpHands, Reply, Request};
use crate::ports::metrics::Metrics;
use crate::ports::redaction::Hides;
use crate::rights::Needs;
use crate::seal::Sealed;

/// What a remediation may look with.
#[derive(Clone, Copy)]
pub(crate) struct Eyes<'a> {
    pub(crate) kubernetes: Option<&'a dyn Cluster>,
    pub(crate) http: &'a dyn Http,
    pub(crate) metrics: &'a dyn Metrics,
    pub(crate) clock: &'a Clock,
    /// What hides secrets in text; without one nothing that strangers wrote is kept.
    pub(crate) hides: Option<&'a Hides>,
}

impl<'a> Eyes<'a> {
    pub(crate) fn now(&self) -> Moment {
        (self.clock)()
    }

    /// The cluster.
    ///
    /// # Errors
    /// Where the configuration names none.
    pub(crate) fn cluster(&self) -> Result<&'a dyn Cluster, LookError> {
        self.kubernetes.ok_or(LookError::NoKubernetes)
    }
}

/// What a remediation may act with, eyes included. Nobody sends anything but through it, so that no effect of many changes
/// can forget to ask whether it may go on.
#[derive(Clone, Copy)]
pub(crate) struct BothHands<'a> {
    pub(crate) eyes: Eyes<'a>,
    kubernetes: Option<&'a dyn Hands>,
    http: &'a dyn HttpHands,
    /// Whether one more change may be made.
    halt: &'a Halt,
    /// Whether this effect has sent anything.
    begun: &'a AtomicBool,
}

/// Why a change was not made as asked.
#[derive(Debug)]
pub(crate) enum NotMade<E> {
    /// Nothing was sent: somebody has stopped the effect after an earlier request of it. Why, in words.
    Halted(String),
    /// It was sent, or could not be.
    Tried(E),
}

impl<'a> BothHands<'a> {
    /// For one effect, of which nothing was sent yet.
    pub(crate) fn new(
        eyes: Eyes<'a>,
        kubernetes: Option<&'a dyn Hands>,
        http: &'a dyn HttpHands,
        halt: &'a Halt,
        begun: &'a AtomicBool,
    ) -> Self {
        Self { eyes, kubernetes, http, halt, begun }
    }

    /// One change of the cluster.
    ///
    /// # Errors
    /// When it was stopped or refused, or was not or may not have been made.
    pub(crate) async fn change(
        &self,
        seal: &Sealed<Intent>,
        change: &ClusterChange,
    ) -> Result<Diff, NotMade<ChangeError>> {
        let no_cluster = || NotMade::Tried(no_cluster(seal));
        let kubernetes = self.kubernetes.ok_or_else(no_cluster)?;
        self.asked().map_err(NotMade::Halted)?;
        kubernetes.change(seal, change).await.map_err(NotMade::Tried)
    }

    /// One `POST`, as [`HttpHands::post`].
    ///
    /// # Errors
    /// When it was stopped, or no answer came.
    pub(crate) async fn post(&self, seal: &Sealed<Intent>, call: &Call) -> Result<Reply, NotMade<CallError>> {
        self.asked().map_err(NotMade::Halted)?;
        self.http.post(seal, call).await.map_err(NotMade::Tried)
    }

    /// One call to a declared endpoint, as [`HttpHands::send`].
    ///
    /// # Errors
    /// When it was stopped, or no answer came.
    pub(crate) async fn send(
        &self,
        seal: &Sealed<Intent>,
        method: Method,
        request: &Request,
    ) -> Result<Reply, NotMade<CallError>> {
        self.asked().map_err(NotMade::Halted)?;
        self.http.send(seal, method, request).await.map_err(NotMade::Tried)
    }

    /// Before each request: the driver has just placed the effect when it sends its first one.
    fn asked(&self) -> Result<(), String> {
        if self.begun.swap(true, Ordering::Relaxed) { self.may_go_on() } else { Ok(()) }
    }

    /// Whether one more change may be made, for what waits between two of them.
    ///
    /// # Errors
    /// Why not, in words: somebody has stopped it since it began.
    pub(crate) fn may_go_on(&self) -> Result<(), String> {
        self.halt.may_go_on()
    }

    /// The cluster that is changed, to look at.
    ///
    /// # Errors
    /// Where the configuration names none.
    pub(crate) fn cluster(&self) -> Result<&'a dyn Cluster, LookError> {
        match self.kubernetes {
            Some(cluster) => Ok(cluster),
            None => Err(LookError::NoKubernetes),
        }
    }
}

fn no_cluster(seal: &Sealed<Intent>) -> ChangeError {
    let tried = format!("{} {}", seal.action, seal.target);
    ChangeError::NotSent { tried, problem: LookError::NoKubernetes.to_string() }
}

/// A wish that can be asked about.
#[async_trait]
pub(crate) trait Plans: Sync {
    /// What it would do to the target, and what stands against it. Changes nothing.
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError>;
}

/// An absolute action that can be done.
#[async_trait]
pub(crate) trait Deed: Sync {
    /// What taking it back would do: only while what it changed is still as it left it.
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        diff: bool,
    ) -> Result<Preflight, LookError>;

    /// Shows what the intent would change.
    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome;

    /// Does it, and watches it to its end or deadline.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome;

    /// Finds out how it ended whose process is gone. Changes nothing.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome;
}

/// The answer about taking back what cannot be taken back.
pub(crate) fn irrevocable(action: &str) -> Preflight {
    refused(Reason::BadValue { what: "revert".into(), problem: format!("a {action} cannot be taken back") })
}

/// Nothing but one refusal.
pub(crate) fn refused(reason: Reason) -> Preflight {
    let mut checks = Checks::default();
    checks.refuse(reason);
    checks.into_preflight(Seen::default(), None, false)
}

/// The file of a wish.
pub(crate) fn plans(wish: &Wish) -> &dyn Plans {
    match wish {
        Wish::Scale(wish) => wish,
        Wish::Restart(wish) => wish,
        Wish::ResetBreaker(wish) => wish,
        Wish::FreezeDeploys(wish) => wish,
        Wish::BlockIp(wish) => wish,
        Wish::Patch(wish) => wish,
        Wish::Rollback(wish) => wish,
        Wish::Http(wish) => wish,
        Wish::AbortRollout(wish) => wish,
        Wish::RunJob(wish) => wish,
        Wish::RenewCertificate(wish) => wish,
        Wish::Quarantine(wish) => wish,
        Wish::EvictPod(wish) => wish,
        Wish::DeletePod(wish) => wish,
        Wish::DrainNode(wish) => wish,
        Wish::CollectEvidence(wish) => wish,
        Wish::Revert(action) => action,
    }
}

/// The file of a remediation as a policy asks for it.
pub(crate) fn needs(remediation: &Remediation) -> &dyn Needs {
    match remediation {
        Remediation::Scale(written) => written,
        Remediation::Restart(written) => written,
        Remediation::ResetBreaker(written) => written,
        Remediation::FreezeDeploys(written) => written,
        Remediation::BlockIp(written) => written,
        Remediation::Patch(written) => written,
        Remediation::Rollback(written) => written,
        Remediation::Http(written) => written,
        Remediation::AbortRollout(written) => written,
        Remediation::RunJob(written) => written,
        Remediation::RenewCertificate(written) => written,
        Remediation::Quarantine(written) => written,
        Remediation::EvictPod(written) => written,
        Remediation::DeletePod(written) => written,
        Remediation::DrainNode(written) => written,
        Remediation::CollectEvidence(written) => written,
    }
}

/// The file of an action.
pub(crate) fn deed(action: &Action) -> &dyn Deed {
    match action {
        Action::Scale(action) => action,
        Action::Restart(action) => action,
        Action::ResetBreaker(action) => action,
        Action::FreezeDeploys(action) => action,
        Action::BlockIp(action) => action,
        Action::Patch(action) => action,
        Action::Rollback(action) => action,
        Action::Http(action) => action,
        Action::AbortRollout(action) => action,
        Action::RunJob(action) => action,
        Action::RenewCertificate(action) => action,
        Action::Quarantine(action) => action,
        Action::EvictPod(action) => action,
        Action::DeletePod(action) => action,
        Action::DrainNode(action) => action,
        Action::CollectEvidence(action) => action,
    }
}

#[async_trait]
impl Plans for Action {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        deed(self).preflight_of_revert(eyes, target, diff).await
    }
}
