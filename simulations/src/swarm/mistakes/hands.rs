//! Mistakes of hands and of the eyes beside them: requests that are sent again, and labels that are not seen.

use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{Diff, Intent};
use paramedic_policies::target::{Sought, Target};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::cluster::{
    ChangeError, Cluster, ClusterChange, Hands, LookError, Reachable, Rollout, Workload,
};
use paramedic_remediations::ports::objects::{Address, Resource};
use serde_json::Value;

/// Sends again what was turned away, or what was not answered.
pub(super) struct Retrying {
    pub(super) hands: Arc<dyn Hands>,
    pub(super) unanswered: bool,
}

/// Does not see its own stamps.
pub(super) struct Stampless(pub(super) Arc<dyn Hands>);

/// Does not see what protects a workload.
pub(super) struct Blind(pub(super) Arc<dyn Hands>);

/// The eyes of a wrapper: those of what it wraps, but for what they make of a workload.
macro_rules! eyes {
    ($wrapper:ty, $inner:tt, $seen:expr) => {
        #[async_trait]
        impl Cluster for $wrapper {
            async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
                self.$inner.seek(sought).await
            }

            async fn look(&self, target: &Target) -> Result<Workload, LookError> {
                self.$inner.look(target).await.map($seen)
            }

            async fn rollout(&self, target: &Target) -> Result<Rollout, LookError> {
                self.$inner.rollout(target).await
            }

            async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
                self.$inner.endpoints(service, port).await
            }

            async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
                self.$inner.get(at).await
            }

            async fn list(
                &self,
                resource: Resource,
                namespace: &str,
                selector: &str,
            ) -> Result<Vec<Value>, LookError> {
                self.$inner.list(resource, namespace, selector).await
            }

            async fn log_tail(&self, pod: &Address, container: Option<&str>) -> Result<String, LookError> {
                self.$inner.log_tail(pod, container).await
            }

            async fn username(&self) -> Result<String, LookError> {
                self.$inner.username().await
            }

            async fn preview(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError> {
                self.$inner.preview(change, stamp).await
            }
        }
    };
}

eyes!(Retrying, hands, |seen| seen);
eyes!(Stampless, 0, |seen| Workload { stamp: None, ..seen });
eyes!(Blind, 0, |seen| Workload { labels: Default::default(), ..seen });

#[async_trait]
impl Hands for Retrying {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        match self.hands.change(seal, change).await {
            Err(ChangeError::NotSent { .. }) if !self.unanswered => self.hands.change(seal, change).await,
            Err(ChangeError::NoAnswer { .. }) if self.unanswered => self.hands.change(seal, change).await,
            ended => ended,
        }
    }
}

#[async_trait]
impl Hands for Stampless {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        self.0.change(seal, change).await
    }
}

#[async_trait]
impl Hands for Blind {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        self.0.change(seal, change).await
    }
}
