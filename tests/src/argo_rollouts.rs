//! The real controller of Argo Rollouts, for one namespace, with the CRDs of its own module. It must never act in the
//! namespace of another test.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kube::api::ListParams;

use crate::control_plane::{ControlPlane, Namespace, User};
use crate::peers::{self, peer};
use crate::ports::free_port;
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::tls;
use crate::waiting::eventually;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running controller; dropping it ends it.
#[derive(Debug)]
pub struct ArgoRollouts {
    _process: Process,
    _folder: Scratch,
}

impl ArgoRollouts {
    /// Whether all that it takes is here; if not, the running test is to return at once.
    ///
    /// # Panics
    /// Where something is missing and leaving out is not allowed.
    pub fn needed() -> bool {
        peers::need(&["rollouts-controller", "rollouts-crds", "kubectl"])
    }

    /// Gives the cluster the CRDs and starts a controller for this namespace.
    ///
    /// # Panics
    /// Where it does not come up.
    pub async fn start(cluster: &ControlPlane, namespace: &Namespace) -> Self {
        let folder = Scratch::new("argo-rollouts");
        let admin = cluster.kubeconfig(User::Admin);
        for file in crds() {
            let mut kubectl = tokio::process::Command::new(&peer("kubectl").path);
            kubectl.arg("--kubeconfig").arg(&admin).args(["apply", "--server-side", "--filename"]).arg(file);
            process::run(&mut kubectl).await;
        }
        eventually(READY_WITHIN, "the API server serves Rollouts", async || {
            let rollouts = namespace.of_kind("Rollout");
            rollouts.list(&ListParams::default()).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
        let health = free_port();
        let mut command = Command::new(&peer("rollouts-controller").path);
        command
            .arg("--kubeconfig")
            .arg(&admin)
            .args(["--namespaced", "--namespace", &namespace.name, "--leader-elect=false"])
            .arg(format!("--healthzPort={health}"))
            .arg(format!("--metricsport={}", free_port()));
        let mut process = Process::spawn("rollouts-controller", folder.path(), command);
        process.answers(&format!("http://127.0.0.1:{health}/healthz"), &tls::http(), READY_WITHIN).await;
        Self { _process: process, _folder: folder }
    }
}

fn crds() -> Vec<PathBuf> {
    let folder = &peer("rollouts-crds").path;
    let entries = std::fs::read_dir(folder).expect("the CRDs can be read");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the CRDs can be read").path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with("-crd.yaml"));
    files.sort();
    files
}
