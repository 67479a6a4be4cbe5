//! Daemons with a world that is written down here, and the program beside them, as people use it.

mod approving;
mod crowd;
mod explaining;
mod status;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use paramedic::config::Configuration;
use paramedic::serve::{Daemon, Plan};
use paramedic_policies::action::{Intent, Mode, Outcome};
use paramedic_policies::answer::{Found, Preflight, Surroundings};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::remediation::{Action, Wish, restart, scale};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

const POLICIES: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  mode: approve
  match: ['alertname="CartErrors"']
  target: {kind: Deployment, namespace: shop, name: cart}
  ladder:
    - restart: {}
      verify: {rollout: complete}
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: search-slow}
spec:
  mode: enforce
  match: ['alertname="SearchSlow"']
  target: {kind: Deployment, namespace: shop, name: search}
  ladder:
    - scale: {by: 2, max: 10}
      revert: {after: 1h}
      verify: {rollout: complete, within: 30m}
    - restart: {}
"#;

/// A world in which every action is possible and done at once, and no rollout ever ends.
struct Willing;

#[async_trait::async_trait]
impl World for Willing {
    async fn answer(&self, question: &Question) -> Found {
        match &question.ask {
            Ask::Preflight { wish, .. } => Found::Preflight(Box::new(Preflight {
                uid: "0d3e".to_owned(),
                action: Some(if let Wish::Scale(_) = wish {
                    Action::Scale(scale::Action {
                        lever: scale::Lever::Replicas,
                        from: 2,
                        to: 4,
                        wanted: None,
                        set_by: None,
                    })
                } else {
                    Action::Restart(restart::Action { generation: 7 })
                }),
                already: false,
                refusals: Vec::new(),
                passed: Vec::new(),
                labels: std::collections::BTreeMap::new(),
                beside: Default::default(),
                surroundings: Some(Surroundings { desired: 20, unavailable: 0, added: 0, workloads: 5 }),
                diff: None,
            })),
            Ask::Rollout { .. } => Found::Rollout { complete: false, detail: "3 of 4 updated".to_owned() },
            Ask::Query { .. } | Ask::Seek { .. } | Ask::Http { .. } => {
                Found::Failed { what: "nobody looks".to_owned() }
            }
        }
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        Outcome::Done { diff: None, already: false }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody acted".to_owned() }
    }
}

async fn daemon(dir: &std::path::Path) -> Daemon {
    daemon_of(dir, POLICIES).await
}

/// A daemon with other policies.
async fn daemon_of(dir: &std::path::Path, text: &str) -> Daemon {
    let policies = dir.join("policies.yaml");
    std::fs::write(&policies, text).expect("a file");
    let mut configuration = Configuration {
        listen: "127.0.0.1:0".to_owned(),
        admin_listen: "127.0.0.1:0".to_owned(),
        data_dir: dir.join("data"),
        policies: vec![policies],
        mode: Mode::Enforce,
        ..Configuration::default()
    };
    configuration.guards.confirmation = false;
    let mut plan = Plan::new(configuration);
    plan.world = Some(Arc::new(Willing));
    plan.start().await.expect("the daemon starts")
}

/// Runs a command against the daemon: its exit code, and what it wrote.
async fn beside(daemon: &Daemon, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paramedic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARAMEDIC_")) {
        command.env_remove(name);
    }
    command.args(args).args(["--server", &format!("http://{}", daemon.public)]).stdin(Stdio::null());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("commands write UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

async fn alert(daemon: &Daemon, name: &str) {
    let body = format!(
        r#"{{"version": "4", "status": "firing", "alerts": [{{"status": "firing",
            "labels": {{"alertname": "{name}"}}, "startsAt": "2026-11-21T08:00:00Z"}}]}}"#
    );
    let url = format!("http://{}/webhook/alertmanager", daemon.public);
    let answer =
        reqwest::Client::new().post(url).body(body).timeout(PATIENCE).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}
