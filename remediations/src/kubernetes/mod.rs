//! The cluster ports on a real API server. The only module that knows kube and its types.
//!
//! ```text
//!   look      one object and all around it: namespace, HPAs, budgets, neighbours --> Workload
//!   seek      pod, service or node --> the workload that owns it
//!   change    one JSON Patch that tests uid and old value, under a field manager with our stamp
//! ```
//!
//! kube repeats requests that the server answers with 429, 503 or 504, changes too: that is switched off here, where
//! every client is made, since the engine owns retries. Nothing outside [`change`] writes, but for the clean-up by a
//! person ([`KubernetesSweeper`]), which has no seal and no daemon.

use std::time::Duration;

use async_trait::async_trait;
use kube::{Client, Config};
use paramedic_policies::action::{Diff, Intent};
use paramedic_policies::target::{Sought, Target};
use serde_json::Value;

use crate::cleanup::{self, Sweep};
use crate::ports::cluster::{
    ChangeError, Cluster, ClusterChange, Hands, Keep, LookError, Reachable, Rollout, Run, Workload,
};
use crate::ports::objects::{Address, Resource};
use crate::rights::Right;
use crate::seal::Sealed;

mod access;
mod argo;
mod calls;
mod change;
mod endpoints;
mod fields;
mod gitops;
mod kinds;
mod look;
mod objects;
mod rollouts;
mod seek;
mod selector;
mod strategies;
mod surroundings;
mod whoami;

/// How long a connection to the API server may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long the server may be silent within a request. A request as a whole has its own deadline.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Eyes and hands on a cluster.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
}

/// Eyes on a cluster, without hands: what dry-run gets.
#[derive(Clone)]
pub struct KubernetesEyes {
    inner: Kubernetes,
}

/// Takes away what was left, for a clean-up by a person: eyes, and hands that can do nothing else.
#[derive(Clone)]
pub struct KubernetesSweeper {
    inner: Kubernetes,
}

impl KubernetesSweeper {
    /// As [`Kubernetes::new`].
    ///
    /// # Errors
    /// As there.
    pub fn new(config: Config) -> Result<Self, ConnectError> {
        Kubernetes::new(config).map(|inner| Self { inner })
    }

    /// To look with.
    pub fn eyes(&self) -> &dyn Cluster {
        &self.inner
    }

    /// Sends one request, which tests that nobody has changed the object since it was looked at; with `dry_run` the
    /// server only says whether it would take it.
    ///
    /// # Errors
    /// When it was refused, or was not or may not have been made.
    pub async fn sweep(&self, sweep: &Sweep, dry_run: bool) -> Result<(), ChangeError> {
        let request = sweep.request();
        let tried = format!("clean {}", request.address());
        let sent = objects::change_as(&self.inner.client, request, cleanup::MANAGER.into(), dry_run, &tried);
        sent.await.map(drop)
    }
}

impl std::fmt::Debug for KubernetesSweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesSweeper").finish_non_exhaustive()
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TLS needs a provider before the first client.
    #[error("no TLS provider is installed in this process (the program installs ring's at its start)")]
    NoProvider,
    /// The configuration has no client.
    #[error("could not make a client of the Kubernetes configuration")]
    Config(#[source] Box<kube::Error>),
}

impl Kubernetes {
    /// A client of that configuration, with deadlines and without kube's own retries. Connects at the first call.
    ///
    /// # Errors
    /// When no TLS provider is installed, or credentials or certificates cannot be read.
    pub fn new(mut config: Config) -> Result<Self, ConnectError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(ConnectError::NoProvider);
        }
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(SILENCE_MAX);
        // Else the time that a connection was idle counts.
        config.reset_reader_on_write = true;
        config.write_timeout = Some(SILENCE_MAX);
        let client = Client::try_from(config).map_err(|error| ConnectError::Config(Box::new(error)))?;
        Ok(Self { client })
    }
}

impl KubernetesEyes {
    /// As [`Kubernetes::new`].
    ///
    /// # Errors
    /// As there.
    pub fn new(config: Config) -> Result<Self, ConnectError> {
        Kubernetes::new(config).map(|inner| Self { inner })
    }

    /// Whether the API server would let this account do something. Nothing is tried.
    ///
    /// # Errors
    /// When nobody knows.
    pub async fn may(&self, right: &Right) -> Result<bool, LookError> {
        access::may(&self.inner.client, right).await
    }

    /// The version of the API server, which any account may ask: whether it answers at all.
    ///
    /// # Errors
    /// When it does not, or not to us.
    pub async fn version(&self) -> Result<String, LookError> {
        let version = Box::pin(self.inner.client.apiserver_version());
        Ok(calls::asked("ask the API server for its version", version).await?.git_version)
    }

    /// The plural of a kind that is written with its group, such as `rollouts` of `Rollout.argoproj.io`.
    ///
    /// # Errors
    /// [`LookError::Absent`] where the server does not know the kind; otherwise when nobody knows.
    pub async fn plural(&self, kind: &str) -> Result<String, LookError> {
        kinds::discovered(&self.inner.client, kind).await.map(|resource| resource.plural)
    }
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for KubernetesEyes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesEyes").finish_non_exhaustive()
    }
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
        seek::seek(&self.client, sought).await
    }

    async fn look(&self, target: &Target) -> Result<Workload, LookError> {
        look::look(&self.client, target).await
    }

    async fn rollout(&self, target: &Target) -> Result<Rollout, LookError> {
        look::rollout(&self.client, target).await
    }

    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
        endpoints::endpoints(&self.client, service, port).await
    }

    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
        objects::get(&self.client, at).await
    }

    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError> {
        objects::list(&self.client, resource, namespace, selector).await
    }

    async fn list_where(
        &self,
        resource: Resource,
        namespace: &str,
        field: (&str, &str),
    ) -> Result<Vec<Value>, LookError> {
        objects::list_where(&self.client, resource, namespace, field).await
    }

    async fn scan(&self, resource: Resource, fields: &str, keep: Keep) -> Result<Vec<Value>, LookError> {
        objects::scan(&self.client, resource, fields, &keep).await
    }

    async fn log_tail(&self, pod: &Address, container: Option<&str>) -> Result<String, LookError> {
        objects::log_tail(&self.client, pod, container).await
    }

    async fn log_of(&self, run: &Run<'_>) -> Result<String, LookError> {
        objects::log_of(&self.client, run).await
    }

    async fn username(&self) -> Result<String, LookError> {
        whoami::username(&self.client).await
    }

    async fn preview(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError> {
        change::preview(&self.client, change, stamp).await
    }
}

#[async_trait]
impl Hands for Kubernetes {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        change::change(&self.client, change, seal).await
    }
}

#[async_trait]
impl Cluster for KubernetesEyes {
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
        self.inner.seek(sought).await
    }

    async fn look(&self, target: &Target) -> Result<Workload, LookError> {
        self.inner.look(target).await
    }

    async fn rollout(&self, target: &Target) -> Result<Rollout, LookError> {
        self.inner.rollout(target).await
    }

    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
        self.inner.endpoints(service, port).await
    }

    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
        self.inner.get(at).await
    }

    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError> {
        self.inner.list(resource, namespace, selector).await
    }

    async fn list_where(
        &self,
        resource: Resource,
        namespace: &str,
        field: (&str, &str),
    ) -> Result<Vec<Value>, LookError> {
        self.inner.list_where(resource, namespace, field).await
    }

    async fn scan(&self, resource: Resource, fields: &str, keep: Keep) -> Result<Vec<Value>, LookError> {
        self.inner.scan(resource, fields, keep).await
    }

    async fn log_tail(&self, pod: &Address, container: Option<&str>) -> Result<String, LookError> {
        self.inner.log_tail(pod, container).await
    }

    async fn log_of(&self, run: &Run<'_>) -> Result<String, LookError> {
        self.inner.log_of(run).await
    }

    async fn username(&self) -> Result<String, LookError> {
        self.inner.username().await
    }

    async fn preview(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError> {
        self.inner.preview(change, stamp).await
    }
}
