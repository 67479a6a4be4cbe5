//! What a cluster is, whatever its API server is called: one has many addresses, inside and outside, and one address stands
//! for many clusters. It is never needed to act, so whoever may not look goes on without it.

use serde_json::Value;

use crate::pods::NAMESPACES;
use crate::ports::cluster::{Cluster, LookError};

/// A namespace that is there from a cluster's beginning to its end.
const OLDEST: &str = "kube-system";

/// The uid of its namespace `kube-system`.
///
/// # Errors
/// When it is not known; [`LookError::Forbidden`] where this account may not ask.
pub async fn of(cluster: &dyn Cluster) -> Result<String, LookError> {
    let found = cluster.get(&NAMESPACES.named("", OLDEST)).await?;
    let uid = found.as_ref().and_then(|found| found.pointer("/metadata/uid")).and_then(Value::as_str);
    uid.filter(|uid| !uid.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| LookError::Absent { what: format!("uid of the namespace {OLDEST}") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fakes::FakeCluster;

    #[tokio::test]
    async fn it_is_the_uid_of_its_oldest_namespace() {
        let cluster = FakeCluster::new(|_| ());
        assert!(matches!(of(&*cluster).await, Err(LookError::Absent { .. })));
        let object = json!({"metadata": {"uid": "8a7e"}});
        cluster.objects.lock().expect("no panics").put(NAMESPACES.named("", OLDEST), object);
        assert_eq!(of(&*cluster).await, Ok("8a7e".to_owned()));
    }
}
