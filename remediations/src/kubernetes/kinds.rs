//! Which API a target's kind means: three by name, and `Kind.group` for anything else with a scale subresource.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use paramedic_policies::target::Target;

use super::calls::asked;
use crate::ports::cluster::LookError;

/// A target's API.
pub(super) enum Kind {
    Deployment(Api<Deployment>),
    StatefulSet(Api<StatefulSet>),
    DaemonSet(Api<DaemonSet>),
    Other(Api<DynamicObject>),
}

impl Kind {
    /// The API of a target; another group's kind is asked of the server.
    pub(super) async fn of(client: &Client, target: &Target) -> Result<Self, LookError> {
        let namespace = target.namespace.as_str();
        Ok(match target.kind.as_str() {
            "Deployment" => Self::Deployment(Api::namespaced(client.clone(), namespace)),
            "StatefulSet" => Self::StatefulSet(Api::namespaced(client.clone(), namespace)),
            "DaemonSet" => Self::DaemonSet(Api::namespaced(client.clone(), namespace)),
            other => {
                let resource = discovered(client, other).await?;
                Self::Other(Api::namespaced_with(client.clone(), namespace, &resource))
            }
        })
    }

    /// Its path, such as `/apis/apps/v1/namespaces/prod/deployments`.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Deployment(api) => api.resource_url().to_owned(),
            Self::StatefulSet(api) => api.resource_url().to_owned(),
            Self::DaemonSet(api) => api.resource_url().to_owned(),
            Self::Other(api) => api.resource_url().to_owned(),
        }
    }
}

pub(super) async fn discovered(client: &Client, kind: &str) -> Result<ApiResource, LookError> {
    let absent = || LookError::Absent {
        what: format!("kind {kind} (write Deployment, StatefulSet, DaemonSet or Kind.group)"),
    };
    let (name, group) = kind.split_once('.').ok_or_else(absent)?;
    let tried = format!("discover the API group {group}");
    let request = async {
        match kube::discovery::group(client, group).await {
            Err(kube::Error::Discovery(_)) => Ok(None),
            found => found.map(Some),
        }
    };
    let found = asked(&tried, request).await?.ok_or_else(absent)?;
    found.recommended_kind(name).map(|(resource, _)| resource).ok_or_else(absent)
}
