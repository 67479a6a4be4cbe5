//! What the file of each remediation provides: what it must be allowed, a look before, the deed, and the
//! look after a crash. The lists at the
//! end name every remediation once; nothing else here knows one.

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Outcome, Wish};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::Remediation;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{Checks, Seen};
use crate::ports::clock::Clock;
use crate::ports::cluster::{Cluster, Hands, LookError};
use crate::ports::halt::Halt;
use crate::ports::http::{Http, HttpHands};
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

/// What a remediation may act with, eyes included.
#[derive(Clone, Copy)]
pub(crate) struct BothHands<'a> {
    pub(crate) eyes: Eyes<'a>,
    pub(crate) kubernetes: Option<&'a dyn Hands>,
    pub(crate) http: &'a dyn HttpHands,
    /// Whether one more change may be made.
    pub(crate) halt: &'a Halt,
}

impl<'a> BothHands<'a> {
    /// Whether one more change may be made: asked before each by what makes several, one after the other.
    ///
    /// # Errors
    /// Why not, in words: somebody has stopped it since it began.
    pub(crate) fn may_go_on(&self) -> Result<(), String> {
        self.halt.may_go_on()
    }

    /// The cluster.
    ///
    /// # Errors
    /// Where the configuration names none.
    pub(crate) fn cluster(&self) -> Result<&'a dyn Hands, LookError> {
        self.kubernetes.ok_or(LookError::NoKubernetes)
    }
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
