//! What is in force, as people see it beside a daemon that runs: `paramedic status` and its lists, and the orders that
//! name what is there when they are refused.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paramedic::config::Configuration;
use paramedic::serve::{Daemon, Plan};
use paramedic_policies::action::{Intent, Mode, Outcome};
use paramedic_policies::answer::{Found, Preflight, Surroundings};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::remediation::{Action, Wish, restart, scale};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::world::World;
use serde_json::Value;

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
                    })
                } else {
                    Action::Restart(restart::Action { generation: 7 })
                }),
                already: false,
                refusals: Vec::new(),
                passed: Vec::new(),
                labels: std::collections::BTreeMap::new(),
                surroundings: Some(Surroundings { desired: 20, unavailable: 0, added: 0, workloads: 5 }),
                diff: None,
            })),
            Ask::Rollout { .. } => Found::Rollout { complete: false, detail: "3 of 4 updated".to_owned() },
            Ask::Query { .. } | Ask::Seek { .. } | Ask::Http { .. } => {
                Found::Failed { what: "nobody looks".to_owned() }
            }
        }
    }
    async fn perform(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Done { diff: None, already: false }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody acted".to_owned() }
    }
}

async fn daemon(dir: &std::path::Path) -> Daemon {
    let policies = dir.join("policies.yaml");
    std::fs::write(&policies, POLICIES).expect("a file");
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

/// Asks for the status until it shows all of that.
async fn eventually(daemon: &Daemon, wanted: &[&str]) -> String {
    let begin = Instant::now();
    loop {
        let (code, out, err) = beside(daemon, &["status"]).await;
        assert_eq!((code, err.as_str()), (0, ""));
        if wanted.iter().all(|wanted| out.contains(wanted)) {
            return out;
        }
        assert!(begin.elapsed() < PATIENCE, "never showed {wanted:?}:\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_what_is_in_force() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    let quiet = eventually(&daemon, &["acts        yes", "mode        enforce", "2 in force"]).await;
    for nothing in ["waits for approval: none", "under way: none", "will be taken back: none", "paused: none"]
    {
        assert!(quiet.contains(nothing), "{quiet}");
    }

    alert(&daemon, "CartErrors").await;
    alert(&daemon, "SearchSlow").await;
    let busy = ["waits for approval: 1", "restart", "under way: 1", "will be taken back: 1", "scale 2 -> 4"];
    eventually(&daemon, &busy).await;
    let (_, json, _) = beside(&daemon, &["status", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["status"]["mode"], "enforce");
    assert_eq!(json["intents"][0]["is"], "verifying", "{json}");
    assert_eq!(json["leases"][0]["policy"], "search-slow", "{json}");
    let proposal = json["proposals"][0]["id"].to_string();

    let (code, _, err) = beside(&daemon, &["approve", "999"]).await;
    assert_eq!(code, 1);
    let open = format!("hint: open now: {proposal} (restart on shop/deployment/cart, by cart-errors)\n");
    assert!(err.ends_with(&open), "{err}");
    assert_eq!(beside(&daemon, &["deny", &proposal]).await.0, 0);
    let (_, _, err) = beside(&daemon, &["deny", &proposal]).await;
    assert!(err.ends_with("hint: no proposal is open now\n"), "{err}");

    let (_, _, err) = beside(&daemon, &["resume"]).await;
    assert!(err.ends_with("hint: nothing is paused now, and no policy is in quarantine\n"), "{err}");
    let (code, _, err) = beside(&daemon, &["pause", "--for", "31d"]).await;
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "error: a pause with an end lasts at most 30d\nhint: leave the end out (no `for`, no --for): then it lasts \
         until somebody resumes\n"
    );
    assert_eq!(beside(&daemon, &["pause", "--for", "30d"]).await.0, 0);
    assert_eq!(beside(&daemon, &["pause", "-n", "shop", "--reason", "load test"]).await.0, 0);
    let (_, _, err) = beside(&daemon, &["resume", "--policy", "cart-errors"]).await;
    assert!(
        err.ends_with("hint: paused now: everything (by anonymous), namespace shop (by anonymous)\n"),
        "{err}"
    );
    eventually(&daemon, &["acts        NO: everything is paused by anonymous", "load test", "paused: 2"])
        .await;

    let page = |query: &str| format!("http://{}/api/v1/pauses?{query}", daemon.public);
    let get = async |url: String| -> Value {
        let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    let first = get(page("limit=1")).await;
    assert_eq!((&first["items"][0]["says"], &first["next"]), (&"everything".into(), &"everything".into()));
    let second = get(page("limit=1&after=everything")).await;
    assert_eq!((&second["items"][0]["says"], &second["next"]), (&"namespace shop".into(), &Value::Null));
    daemon.stop().await.expect("it stops");
}
