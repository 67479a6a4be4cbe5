//! What an operator runs around the daemon, against real servers: the check of the world before the night, and the
//! clean-up after the last day.

mod checking;
mod cleaning;

use paramedic_tests::control_plane::{ControlPlane, User};
use paramedic_tests::scratch::Scratch;
use serde_json::Value;

/// A kubeconfig file of whoever this configuration of a client is: the admin, as somebody else.
pub(crate) fn kubeconfig(cluster: &ControlPlane, config: &kube::Config, folder: &Scratch) -> String {
    let text = std::fs::read_to_string(cluster.kubeconfig(User::Admin)).expect("our own kubeconfig");
    let mut kubeconfig: Value = serde_json::from_str(&text).expect("we write it as JSON");
    kubeconfig["users"][0]["user"]["as"] = config.auth_info.impersonate.clone().into();
    let name = format!(
        "{}.kubeconfig",
        config.auth_info.impersonate.as_deref().unwrap_or("admin").replace(':', "-")
    );
    folder.write(&name, kubeconfig.to_string()).display().to_string()
}
