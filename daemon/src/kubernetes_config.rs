//! Where the cluster is and who we are there: a kubeconfig with its context, or kube's usual inference. Only the
//! configuration is made here; patches belong to the adapter.

use anyhow::Context;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::config::KubernetesSettings;

/// The pod's own namespace, where we run in a cluster.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The client's configuration; `None` for HTTP-only use.
///
/// # Errors
/// When no cluster can be found, or the kubeconfig or context is not there.
pub async fn config(settings: &KubernetesSettings) -> anyhow::Result<Option<Config>> {
    if !settings.enabled {
        return Ok(None);
    }
    let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match (&settings.kubeconfig, &settings.context) {
        (Some(path), context) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("could not read the kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.with_context(|| {
                let context = context.as_deref().unwrap_or("current");
                format!("could not use the {context} context of {}", path.display())
            })?
        }
        (None, Some(context)) => Config::from_kubeconfig(&options)
            .await
            .with_context(|| format!("could not use the context {context} of the usual kubeconfig"))?,
        (None, None) => Config::infer().await.context(
            "could not find a cluster; name one with --kubeconfig FILE, or use --no-kubernetes for HTTP-only use",
        )?,
    };
    // Mutating calls must never be repeated unseen: the engine owns retries.
    config.default_retry = false;
    Ok(Some(config))
}

/// The namespace we run in, which is never acted on; `None` outside a cluster.
pub fn own_namespace() -> Option<String> {
    let text = std::fs::read_to_string(OWN_NAMESPACE).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}
