//! The proof of a freeze: the API server refuses a new pod template, and names the freeze. By a dry run alone.

use std::time::Duration;

use paramedic_policies::action::{Diff, DiffSource, Intent};
use paramedic_policies::target::Target;
use serde_json::json;

use super::admission::{self, PROBE};
use crate::ports::clock::left;
use crate::ports::cluster::{ChangeError, ClusterChange};
use crate::ports::objects::{ObjectChange, Resource, add};
use crate::remedy::Eyes;
use crate::seal::Sealed;

/// How long the API server may take to refuse what it was told to refuse: it learns of its own policies by a watch.
const PROVEN_WITHIN: Duration = Duration::from_secs(30);

/// How often that is tried.
const PROVE_EVERY: Duration = Duration::from_millis(500);

/// Shows that a new pod template of the target is refused by this freeze: a dry run, and its mark makes the policy
/// refuse us too.
///
/// # Errors
/// What was seen instead, until time was up.
pub(super) async fn proven(eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Result<(), String> {
    let cluster = eyes.cluster().map_err(|error| error.to_string())?;
    let name = admission::name(seal.stamp());
    let probe = probe(&seal.target, seal.stamp())?;
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline).min(PROVEN_WITHIN);
    loop {
        let seen = match cluster.preview(&probe, seal.stamp()).await {
            Ok(Diff { source: DiffSource::Computed { because }, .. }) => because,
            Ok(Diff { source: DiffSource::ServerDryRun | DiffSource::Applied, .. }) => {
                "it is let through".into()
            }
            Err(ChangeError::Refused { message, .. } | ChangeError::Forbidden { message }) => message,
            Err(error @ (ChangeError::NotSent { .. } | ChangeError::NoAnswer { .. })) => error.to_string(),
        };
        if seen.contains(&name) {
            return Ok(());
        }
        if tokio::time::Instant::now() + PROVE_EVERY > until {
            return Err(seen);
        }
        tokio::time::sleep(PROVE_EVERY).await;
    }
}

fn probe(target: &Target, stamp: &str) -> Result<ClusterChange, String> {
    let plural = match target.kind.as_str() {
        "Deployment" => "deployments",
        "StatefulSet" => "statefulsets",
        "DaemonSet" => "daemonsets",
        other => return Err(format!("a {other} has no pod template")),
    };
    let resource = Resource::namespaced("apps", "v1", plural, "workload");
    Ok(ClusterChange::Object(ObjectChange::Patch {
        at: resource.named(&target.namespace, &target.name),
        subresource: None,
        // In a dry run only: it would take the other annotations away.
        operations: vec![add("/spec/template/metadata/annotations", json!({(PROBE): stamp}))],
        fields: Vec::new(),
    }))
}
