//! The binary itself: exit codes as a shell sees them, closed pipes, variables, and its commands against a daemon that
//! runs.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paramedic::config::Configuration;
use paramedic::serve::{Daemon, Plan};
use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::answer::Found;
use paramedic_policies::question::Question;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

const POLICY: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  match: ['alertname="CartErrors"']
  for: 1h
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: cart}
  ladder:
    - restart: {}
      verify: {rollout: complete}
"#;

fn paramedic(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paramedic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARAMEDIC_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn ran(args: &[&str]) -> Output {
    paramedic(args).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_folder_without_a_policy_is_an_error_that_names_what_was_left_out() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("cart.YAML"), POLICY).expect("a file");
    let path = dir.path().to_str().expect("UTF-8");
    let output = ran(&["check", path]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("cart.YAML:1:1: warning: this file is not read"), "{out}");
    assert!(err.contains("error: no policy in 0 files") && err.contains("hint: "), "{err}");
    let data = dir.path().join("data");
    let output = ran(&[
        "serve",
        "--no-kubernetes",
        "--policies",
        path,
        "--data-dir",
        data.to_str().expect("UTF-8"),
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("there is no policy (hint: is it mounted"), "{err}");
}

#[test]
fn exit_codes_are_what_a_shell_sees() {
    for (args, code) in [
        (&["--version"][..], 0),
        (&["schema"], 0),
        (&["nonsense"], 1),
        (&["check", "/does/not/exist"], 1),
        (&["audit", "query", "--server", "http://127.0.0.1:1"], 2),
    ] {
        let output = ran(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_reader_that_goes_away_is_told_by_the_exit_code_alone() {
    let mut child = paramedic(&["schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(141), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn nothing_for_this_machine_goes_through_a_proxy_and_another_ones_proxy_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let token = dir.path().join("token");
    std::fs::write(&token, "a-token-of-an-operator").expect("a file");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    proxy.set_nonblocking(true).expect("it can be told");
    let asked = |server: &str, proxy: &str| {
        let mut command = paramedic(&["status", "--server", server, "--token-file"]);
        for name in ["NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "http_proxy"] {
            command.env_remove(name);
        }
        let output = command.arg(&token).env("HTTP_PROXY", proxy).output().expect("the binary runs");
        assert_ne!(output.status.code(), Some(0));
        text(&output.stderr)
    };
    let listening = format!("http://{}", proxy.local_addr().expect("bound"));
    for here in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://0.0.0.0:1"] {
        let err = asked(here, &listening);
        assert!(err.contains(&format!("could not reach the daemon at {here}: ")), "{err}");
        let came = proxy.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(came, Err(std::io::ErrorKind::WouldBlock), "{here}");
    }
    let err = asked("http://paramedic.invalid:9911", "http://ada:secret@127.0.0.1:1");
    let named = "at http://paramedic.invalid:9911 through the proxy http://127.0.0.1:1/ of the environment";
    assert!(err.contains(named) && err.contains("NO_PROXY=paramedic.invalid"), "{err}");
    assert!(!err.contains("secret"), "{err}");
}

#[test]
fn variables_stand_for_flags_and_flags_win() {
    let from_variable = paramedic(&["audit", "query"])
        .env("PARAMEDIC_SERVER", "http://127.0.0.1:1")
        .output()
        .expect("it runs");
    assert!(text(&from_variable.stderr).contains("http://127.0.0.1:1"), "{}", text(&from_variable.stderr));
    let flag = paramedic(&["audit", "query", "--server", "http://127.0.0.1:2"])
        .env("PARAMEDIC_SERVER", "http://127.0.0.1:1")
        .output()
        .expect("it runs");
    assert!(text(&flag.stderr).contains("http://127.0.0.1:2"), "{}", text(&flag.stderr));
    // The daemon's own directory is locked: `audit` beside it must ask the daemon.
    let beside = paramedic(&["audit", "query", "--server", "http://127.0.0.1:1"])
        .env("PARAMEDIC_DATA_DIR", "/var/lib/paramedic")
        .output()
        .expect("it runs");
    assert!(text(&beside.stderr).contains("could not reach the daemon"), "{}", text(&beside.stderr));
}

/// A world of which nothing is known.
struct Unknown;

#[async_trait::async_trait]
impl World for Unknown {
    async fn answer(&self, _: &Question) -> Found {
        Found::Failed { what: "nobody looks".to_owned() }
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        Outcome::Unknown { what: "nobody acts".to_owned() }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody acted".to_owned() }
    }
}

async fn daemon(dir: &std::path::Path) -> Daemon {
    let policies = dir.join("policies.yaml");
    std::fs::write(&policies, POLICY).expect("a file");
    let mut plan = Plan::new(Configuration {
        listen: "127.0.0.1:0".to_owned(),
        admin_listen: "127.0.0.1:0".to_owned(),
        data_dir: dir.join("data"),
        policies: vec![policies],
        ..Configuration::default()
    });
    plan.world = Some(Arc::new(Unknown));
    plan.start().await.expect("the daemon starts")
}

/// Runs a command against the daemon while the daemon runs on.
async fn beside(daemon: &Daemon, args: &[&str]) -> (i32, String, String) {
    let server = format!("http://{}", daemon.public);
    let mut command = paramedic(args);
    command.args(["--server", &server]);
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

async fn alert(daemon: &Daemon) {
    let body = r#"{"version": "4", "status": "firing", "alerts": [{"status": "firing",
        "labels": {"alertname": "CartErrors", "namespace": "shop"}, "startsAt": "2026-11-21T08:00:00Z"}]}"#;
    let url = format!("http://{}/webhook/alertmanager", daemon.public);
    let answer =
        reqwest::Client::new().post(url).body(body).timeout(PATIENCE).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// Queries until something is found.
async fn eventually(daemon: &Daemon, args: &[&str], wanted: &str) -> String {
    let begin = Instant::now();
    loop {
        let (code, out, err) = beside(daemon, args).await;
        assert_eq!(code, 0, "{args:?}: {err}");
        if out.contains(wanted) {
            return out;
        }
        assert!(begin.elapsed() < PATIENCE, "{args:?} never showed {wanted}:\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_and_order_beside_a_running_daemon() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon).await;
    let ruled = eventually(&daemon, &["audit", "query", "--kind", "ruled"], "cart-errors on").await;
    assert!(ruled.contains("wanted for 1h"), "{ruled}");

    let (code, _, err) =
        beside(&daemon, &["pause", "--namespace", "shop", "--for", "2h", "--reason", "test"]).await;
    assert_eq!((code, err.as_str()), (0, "namespace shop is paused for 2h\n"));
    let paused = eventually(&daemon, &["audit", "query", "--kind", "paused"], "(\"test\")").await;
    assert!(paused.contains("paused namespace shop until"), "{paused}");
    let (code, _, err) = beside(&daemon, &["resume", "--namespace", "shop"]).await;
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = beside(&daemon, &["resume", "--namespace", "other"]).await;
    assert_eq!(code, 1, "{err}");
    let (code, _, err) = beside(&daemon, &["approve", "1"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.starts_with("error: "), "{err}");

    let (code, out, err) = beside(&daemon, &["audit", "verify"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(": whole"), "{out}");
    let (code, out, err) = beside(&daemon, &["audit", "export", "--kind", "opened"]).await;
    assert_eq!((code, out.lines().count()), (0, 1), "{err}");

    let data = dir.path().join("data");
    let locked = ran(&["audit", "query", "--data-dir", data.to_str().expect("UTF-8")]);
    assert_eq!(locked.status.code(), Some(1));
    assert!(text(&locked.stderr).contains("a daemon is running"), "{}", text(&locked.stderr));

    daemon.stop().await.expect("it stops");
    let begin = Instant::now();
    let alone = loop {
        let alone = ran(&["audit", "query", "--kind", "opened", "--data-dir", data.to_str().expect("UTF-8")]);
        // The last connection's task lets go of the journal a little later, in the same process.
        if alone.status.success() || begin.elapsed() > PATIENCE {
            break alone;
        }
    };
    assert!(text(&alone.stdout).contains("CartErrors fires"), "{}", text(&alone.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_explains_with_its_past() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    alert(&daemon).await;
    let records =
        eventually(&daemon, &["audit", "query", "--kind", "ruled", "-o", "json"], "cart-errors").await;
    let records: serde_json::Value = serde_json::from_str(&records).expect("JSON");
    let ruled = records[0]["seq"].to_string();
    let episode = records[0]["event"]["ruling"]["episode"].to_string();

    let (code, out, err) = beside(&daemon, &["explain", &ruled]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("the policy as it was then"), "{out}");
    let (code, out, err) = beside(&daemon, &["explain", &episode]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&format!("episode {episode}, open since")), "{out}");
    assert!(out.contains("nobody looks"), "{out}");

    let file = dir.path().join("alert.json");
    std::fs::write(&file, r#"{"labels": {"alertname": "CartErrors", "namespace": "other"}}"#)
        .expect("a file");
    let (code, out, err) = beside(&daemon, &["explain", file.to_str().expect("UTF-8")]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("not known to the daemon"), "{out}");
    assert!(out.contains("other/deployment/cart"), "{out}");

    let (code, _, err) = beside(&daemon, &["explain", "0123456789abcdef"]).await;
    assert_eq!(code, 1, "{err}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_follows_what_is_recorded() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path()).await;
    let server = format!("http://{}", daemon.public);
    let mut tail = paramedic(&["audit", "tail", "--follow", "--lines", "1", "--server", &server])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let out = tail.stdout.take().expect("it is piped");
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    // The first line shows that the stream is open.
    lines.recv_timeout(PATIENCE).expect("the last record");
    alert(&daemon).await;
    let begin = Instant::now();
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("a new record");
        if line.contains("CartErrors fires") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE);
    }
    daemon.stop().await.expect("it stops");
    // The stream ends with the daemon, and the tail with the stream.
    let status = tokio::task::spawn_blocking(move || tail.wait()).await.expect("no panic").expect("it ends");
    assert_eq!(status.code(), Some(0));
    reader.join().expect("no panic");
}
