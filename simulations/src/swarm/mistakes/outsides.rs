//! Mistakes about what is asked and told: facts without an age, messages without a receiver, effects that nobody can stop.

use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_policies::question::Question;
use paramedic_policies::remediation::drain_node;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::metrics::Metrics;
use paramedic_remediations::ports::world::World as Outside;

use super::super::prometheus::Prometheus;

/// Passes on whatever comes, however old.
pub(super) struct AnyAge(pub(super) Prometheus);

#[async_trait]
impl Metrics for AnyAge {
    async fn query(&self, promql: &str) -> Found {
        self.0.ask(promql).await.found
    }
}

/// Says that messages were delivered.
pub(super) struct Silent(pub(super) Arc<dyn Outside>);

#[async_trait]
impl Outside for Silent {
    async fn answer(&self, question: &Question) -> Found {
        self.0.answer(question).await
    }

    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        self.0.perform(seal, halt).await
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        self.0.close(seal).await
    }

    async fn deliver(&self, _: &Sealed<Notice>) -> Receipt {
        Receipt::Taken { said: "202".to_owned() }
    }
}

/// Does not say in which namespaces a drain evicts.
pub(super) struct Placeless(pub(super) Arc<dyn Outside>);

#[async_trait]
impl Outside for Placeless {
    async fn answer(&self, question: &Question) -> Found {
        let mut found = self.0.answer(question).await;
        if let Found::Preflight(preflight) = &mut found
            && let Some(Action::DrainNode(drain_node::Action::Drain(drain))) = &mut preflight.action
        {
            drain.namespaces.clear();
        }
        found
    }

    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        self.0.perform(seal, halt).await
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        self.0.close(seal).await
    }

    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        self.0.deliver(notice).await
    }
}

/// Lets no effect hear that it is stopped.
pub(super) struct Unstoppable(pub(super) Arc<dyn Outside>);

#[async_trait]
impl Outside for Unstoppable {
    async fn answer(&self, question: &Question) -> Found {
        self.0.answer(question).await
    }

    async fn perform(&self, seal: &Sealed<Intent>, _: &Halt) -> Outcome {
        self.0.perform(seal, &Halt::never()).await
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        self.0.close(seal).await
    }

    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        self.0.deliver(notice).await
    }
}

/// Does not look how an intent ended whose process is gone: it is done again, or called done.
pub(super) struct Unseeing {
    pub(super) outside: Arc<dyn Outside>,
    pub(super) acts: bool,
}

#[async_trait]
impl Outside for Unseeing {
    async fn answer(&self, question: &Question) -> Found {
        self.outside.answer(question).await
    }

    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        self.outside.perform(seal, halt).await
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        if self.acts {
            return self.outside.perform(seal, &Halt::never()).await;
        }
        Outcome::Done { diff: None, already: false }
    }

    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        self.outside.deliver(notice).await
    }
}
