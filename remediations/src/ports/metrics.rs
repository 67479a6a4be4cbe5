//! Where PromQL is answered.

use async_trait::async_trait;
use paramedic_policies::answer::Found;

/// A Prometheus, or something that answers like one.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// One instant query: `Series` (possibly none) or `Failed`. Scalars are one series without labels.
    async fn query(&self, promql: &str) -> Found;
}
