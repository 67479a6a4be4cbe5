//! Whether a daemon runs beside a clean-up, and acts on the same cluster: it would go on by what it knows, and miss what it
//! still wants to take back. What a cluster is called says nothing: only what it is does. It must never take silence for no.

use std::time::Duration;

use serde_json::Value;

use super::Cluster;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::plain;
use crate::client::{Client, ClientError};

/// How long a daemon is waited for.
const WITHIN: Duration = Duration::from_secs(3);

const STOP: &str = "stop it first, or look with --dry-run";

/// What stands at `--server`.
#[derive(Debug, PartialEq, Eq)]
enum Beside {
    /// Nothing that could act on a cluster.
    Nothing,
    /// A daemon without hands.
    Watches,
    /// A daemon that acts on another cluster.
    Elsewhere,
    /// A daemon that acts on this one.
    Here,
    /// Whatever it is, nobody knows that it is none of these.
    Perhaps(String),
}

/// Goes on only where no daemon acts on this cluster, or where somebody says so of whom nobody can ask. `uid` is what the
/// cluster is, looked up where it is needed.
///
/// # Errors
/// When a daemon acts here, or may.
pub(super) async fn none(
    client: &Client,
    cluster: &Cluster,
    how: How,
    uid: impl AsyncFnOnce() -> Option<String>,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let at = client.server();
    let (running, hint) = match look(client, cluster, uid).await {
        Beside::Nothing | Beside::Elsewhere => return Ok(()),
        Beside::Watches => {
            writeln!(console.err, "a daemon runs at {at} in mode dry-run: it only watches")?;
            return Ok(());
        }
        Beside::Here => (format!("a daemon runs at {at} and acts on this cluster"), STOP.to_owned()),
        Beside::Perhaps(_) if how.is_elsewhere => return Ok(()),
        Beside::Perhaps(what) => {
            let elsewhere = "where it is stopped, or acts on another cluster, --daemon-is-elsewhere goes on";
            (what, format!("{STOP}; {elsewhere}"))
        }
    };
    if how.dry_run {
        writeln!(console.err, "warning: {running}; stop it before you clean")?;
        return Ok(());
    }
    Err(Failure::users(format!("{running}; it would go on, and miss what it wants to take back")).hint(hint))
}

/// How the clean-up was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) dry_run: bool,
    /// Somebody says that no daemon acts here.
    pub(super) is_elsewhere: bool,
}

async fn look(client: &Client, cluster: &Cluster, uid: impl AsyncFnOnce() -> Option<String>) -> Beside {
    let at = client.server();
    let perhaps =
        |known: &str, problem: String| Beside::Perhaps(format!("{known} {at}: {}", plain(&problem)));
    // Nobody has answered, so nothing says that there is anybody.
    let unheard = |problem: String| perhaps("nobody knows whether a daemon runs at", problem);
    match tokio::time::timeout(WITHIN, client.get::<Value>("/api/v1/status", &())).await {
        Ok(Ok(status)) => match says(&status, at) {
            Says::Judged(beside) => beside,
            Says::Acts { on, its } => judged(at, cluster, &on, its.as_deref(), uid().await.as_deref()),
        },
        Ok(Err(ClientError::Unreachable { nobody: true, .. })) => Beside::Nothing,
        Ok(Err(ClientError::Unreachable { problem, .. })) => unheard(problem),
        Ok(Err(error)) => perhaps("something answers at", error.to_string()),
        Err(_) => unheard(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

/// What a daemon says of itself.
enum Says {
    /// All that there is to know.
    Judged(Beside),
    /// It acts, on the cluster that it calls so; and what that is, where it knows.
    Acts { on: String, its: Option<String> },
}

fn says(status: &Value, at: &str) -> Says {
    let text = |key: &str| status.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (status.get("kubernetes"), text("kubernetes"), text("mode")) {
        (Some(Value::Null), _, _) => Says::Judged(Beside::Nothing),
        (_, Some(_), Some("dry-run")) => Says::Judged(Beside::Watches),
        (_, Some(on), _) => Says::Acts { on: on.to_owned(), its: text("clusterUid").map(str::to_owned) },
        (_, None, _) => Says::Judged(Beside::Perhaps(format!(
            "something answers at {at} and does not say on which cluster it acts"
        ))),
    }
}

fn judged(at: &str, cluster: &Cluster, on: &str, its: Option<&str>, ours: Option<&str>) -> Beside {
    let unknown = match (its, ours) {
        (Some(its), Some(ours)) if its == ours => return Beside::Here,
        (Some(_), Some(_)) => return Beside::Elsewhere,
        (None, _) => "it may not read",
        (Some(_), None) => "this account may not read",
    };
    let same = on.trim_end_matches('/') == cluster.server;
    let on = if same { "a cluster of this very address".to_owned() } else { plain(on) };
    Beside::Perhaps(format!(
        "a daemon runs at {at} and acts on {on}; nobody knows whether that is this cluster, since {unknown} the namespace \
         kube-system"
    ))
}

#[cfg(test)]
mod tests;
