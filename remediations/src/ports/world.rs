//! The outside as the driver of the loop sees it: answers questions, carries out sealed intents.

use async_trait::async_trait;
use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_policies::question::Question;

use crate::ports::halt::Halt;
use crate::seal::Sealed;

/// Everything outside the loop.
#[async_trait]
pub trait World: Send + Sync {
    /// Answers one question; a failure is an answer too. Never changes anything.
    async fn answer(&self, question: &Question) -> Found;

    /// Carries out an intent (or rehearses it, in dry-run) and watches it to its end or deadline. No change of it but the
    /// first is begun once `halt` says why not.
    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome;

    /// Finds out how an intent ended whose process is gone, without repeating it unseen.
    async fn close(&self, seal: &Sealed<Intent>) -> Outcome;

    /// Delivers a message, and says what came of it.
    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        Receipt::Failed { what: format!("nobody delivers to {}", notice.receiver), passing: false }
    }
}

/// Whoever delivers messages.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Delivers one; a failure is an answer too.
    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt;
}
