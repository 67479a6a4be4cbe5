//! Deletes one pod whose controller makes another, past its PodDisruptionBudgets: what an eviction (`evict_pod`) does, by a
//! request that no budget stops. It must never take the place of an eviction by itself: a policy asks for it.

use async_trait::async_trait;
use paramedic_policies::action::{self, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::remediation::delete_pod::{Action, Wish, Written};
use paramedic_policies::target::Target;

use crate::evict_pod::{self, Ending, How};
use crate::pods::PODS;
use crate::ports::cluster::LookError;
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;

impl Needs for Written {
    /// In dry-run the difference is computed: the right to delete is no small one.
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        evict_pod::needs(aim, rights);
        rights.act(&[Verb::Delete], &aim.target_of(PODS));
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let local_storage = self.local_storage;
        let action = |controller: String| action::Action::DeletePod(Action { controller, local_storage });
        evict_pod::preflight(eyes, target, How::Delete, local_storage, diff, action).await
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("deletion"))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        evict_pod::rehearse(eyes, seal, &Ending::of(seal, How::Delete, self.local_storage)).await
    }

    /// Watches until the pod is gone.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        evict_pod::perform(hands, seal, &Ending::of(seal, How::Delete, self.local_storage)).await
    }

    /// By the pod itself.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        evict_pod::close(eyes, seal, &Ending::of(seal, How::Delete, self.local_storage)).await
    }
}
