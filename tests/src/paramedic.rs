//! The real binary: `paramedic serve` on free ports with a data directory of the test, which outlives kills and
//! restarts, and the client commands against it. It must never be a binary older than the sources.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::peers::{self, peer};
use crate::ports::free_port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tls;
use crate::waiting::eventually;

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// The path of the binary, built first where that is needed: `cargo build` is quick where nothing changed.
/// `ops/dev/test` has built it already and says so by `PARAMEDIC_BIN`.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("PARAMEDIC_BIN") {
            return path.into();
        }
        // TARGET/PROFILE/deps/TEST-HASH, or without `deps` for examples and benches.
        let test = std::env::current_exe().expect("a process knows its program");
        let profile = test
            .ancestors()
            .find(|folder| folder.file_name().is_some_and(|name| name == "deps"))
            .and_then(Path::parent)
            .expect("test programs are in the `deps` folder of a profile");
        let is_release = profile.file_name().is_some_and(|name| name == "release");
        let target = profile.parent().expect("a profile is a folder of the target folder");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--package=paramedic", "--bin=paramedic", "--target-dir"])
            .arg(target)
            .args(is_release.then_some("--release"))
            .current_dir(peers::repository());
        let built = cargo.output().expect("cargo can be started");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "paramedic does not build:\n{said}");
        profile.join("paramedic")
    })
}

/// How it is to be started; each field is a flag of `serve`, or the text of a file that a flag names.
#[derive(Debug, Default)]
pub struct Plan {
    policies: Vec<(String, String)>,
    config: Option<String>,
    prometheus: Option<String>,
    kubeconfig: Option<PathBuf>,
    mode: Option<String>,
    more: Vec<String>,
    environment: Vec<(String, String)>,
    traced: Option<(String, PathBuf)>,
    through: Vec<String>,
    data: Option<PathBuf>,
    port: Option<u16>,
}

impl Plan {
    /// Listens on this port of 127.0.0.1, for a sender that is started first.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// A policy file of that name and text in the folder of `--policies`.
    pub fn policy(mut self, file: &str, yaml: &str) -> Self {
        self.policies.push((file.into(), yaml.into()));
        self
    }

    /// The text of the `--config` file.
    pub fn config(mut self, yaml: &str) -> Self {
        self.config = Some(yaml.into());
        self
    }

    /// `--prometheus-url`.
    pub fn prometheus(mut self, url: &str) -> Self {
        self.prometheus = Some(url.into());
        self
    }

    /// `--kubeconfig`; without it, `--no-kubernetes`.
    pub fn kubeconfig(mut self, path: &Path) -> Self {
        self.kubeconfig = Some(path.into());
        self
    }

    /// `--mode`: `dry-run`, `approve` or `enforce`; without it the program's default.
    pub fn mode(mut self, mode: &str) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// Any other flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.more.push(flag.into());
        self
    }

    /// A variable of its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes the system calls of all its threads to a file, as strace says them; `which` is strace's
    /// expression, such as `trace=write,writev,fdatasync`. It is for tests that asked `peers::need(&["strace"])`.
    pub fn traced(mut self, which: &str, into: &Path) -> Self {
        self.traced = Some((which.into(), into.into()));
        self
    }

    /// Started by these words before its own, which must become it and not stay its parent (`env`, `nice`).
    pub fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The folder of the journal, instead of one in the test's scratch folder: a disk of its own.
    pub fn data_dir(mut self, path: &Path) -> Self {
        self.data = Some(path.into());
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Paramedic {
        let mut paramedic = self.launch();
        paramedic.ready().await;
        paramedic
    }

    /// Starts it and does not wait: for starts that are refused.
    pub fn launch(self) -> Paramedic {
        let folder = Scratch::new("paramedic");
        std::fs::create_dir_all(folder.path().join("policies")).expect("a folder can be made");
        for (file, yaml) in &self.policies {
            folder.write(&format!("policies/{file}"), yaml);
        }
        if let Some(yaml) = &self.config {
            folder.write("config.yaml", yaml);
        }
        let (port, admin_port) = (self.port.unwrap_or_else(free_port), free_port());
        let process = spawn(&self, &folder, port, admin_port);
        Paramedic { plan: self, port, admin_port, process, folder }
    }
}

/// A running daemon; dropping it kills it.
#[derive(Debug)]
pub struct Paramedic {
    plan: Plan,
    port: u16,
    admin_port: u16,
    process: Process,
    folder: Scratch,
}

impl Paramedic {
    /// The beginning of a [`Plan`].
    pub fn plan() -> Plan {
        Plan::default()
    }

    /// The port of webhook and API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT` of webhook and API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same of `/metrics`, `/healthz` and `/readyz`.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin_port)
    }

    /// Where Alertmanager is to post.
    pub fn webhook_url(&self) -> String {
        format!("{}/webhook/alertmanager", self.url())
    }

    /// The journal's folder.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(&self.plan, &self.folder)
    }

    /// The folder with its policies.
    pub fn policies_dir(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// Writes a policy file anew; it is for the daemon to see that.
    pub fn write_policy(&self, file: &str, yaml: &str) {
        self.folder.write(&format!("policies/{file}"), yaml);
    }

    /// Waits until `/readyz` says yes.
    pub async fn ready(&mut self) {
        let url = format!("{}/readyz", self.admin_url());
        self.process.answers(&url, &tls::http(), READY_WITHIN).await;
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.stop(STOPPED_WITHIN).await
    }

    /// Starts it again, killing it first where it runs: same ports, same data, same plan.
    pub async fn restart(&mut self) {
        self.relaunch();
        self.ready().await;
    }

    /// The same without waiting until it is ready.
    pub fn relaunch(&mut self) {
        self.process.kill();
        self.process = spawn(&self.plan, &self.folder, self.port, self.admin_port);
    }

    /// The process, for its log and signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Posts a webhook body and gives status and answer.
    pub async fn post_webhook(&self, body: &Value) -> (u16, Value) {
        self.send(tls::http().post(self.webhook_url()).json(body)).await
    }

    /// GET of an API path such as `/api/v1/decisions`, with status and answer.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(tls::http().get(format!("{}{path}", self.url()))).await
    }

    /// POST to an API path, with status and answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(tls::http().post(format!("{}{path}", self.url())).json(body)).await
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.admin_url());
        let answer = tls::http().get(url).send().await.expect("the admin listener answers");
        answer.text().await.expect("metrics are text")
    }

    /// The value of one series of `/metrics`, written as it stands there.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.split(' ').next()?.parse().ok()
    }

    /// A client command against this daemon, such as `["audit", "query"]`: `--server` is added.
    pub async fn client(&self, arguments: &[&str]) -> Said {
        let server = self.url();
        let mut all = arguments.to_vec();
        all.extend(["--server", &server]);
        command(&all).await
    }

    /// All records that meet the query, such as `kind=opened&namespace=shop`.
    pub async fn records(&self, query: &str) -> Vec<Value> {
        self.try_records(query).await.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The same, where the daemon may be down or not yet ready.
    ///
    /// # Errors
    /// What it answered instead, or why there is no answer.
    pub async fn try_records(&self, query: &str) -> Result<Vec<Value>, String> {
        self.records_after(0, query).await
    }

    /// The same from after a sequence on, page by page.
    ///
    /// # Errors
    /// What it answered instead, or why there is no answer.
    pub async fn records_after(&self, after: u64, query: &str) -> Result<Vec<Value>, String> {
        let mut all: Vec<Value> = Vec::new();
        let mut after = after;
        loop {
            let url = format!("{}/api/v1/records?limit=5000&after={after}&{query}", self.url());
            let answer = tls::http().get(url).send().await.map_err(|error| error.to_string())?;
            let mut page: Value = answer.json().await.map_err(|error| error.to_string())?;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(page.to_string());
            };
            all.extend(items);
            let Some(next) = page["next"].as_u64() else { return Ok(all) };
            after = next;
        }
    }

    /// Waits for the first record that meets the query.
    pub async fn record(&self, query: &str, deadline: Duration) -> Value {
        let what = format!("a record with {query}");
        eventually(deadline, &what, async || {
            let found = self.try_records(query).await?;
            match found.into_iter().next() {
                Some(first) => Ok(first),
                None => Err(format!("none; the last ones: {}", self.last_records().await)),
            }
        })
        .await
    }

    /// What happened last, a line each, for messages.
    async fn last_records(&self) -> String {
        let url = format!("{}/api/v1/records?limit=8&newest=true", self.url());
        let page =
            async { tls::http().get(url).send().await?.json::<Value>().await }.await.unwrap_or_default();
        let mut lines: Vec<String> = page["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|record| {
                let text = format!("\n  #{} {}", record["seq"], record["event"]);
                text.chars().take(2500).collect()
            })
            .collect();
        lines.reverse();
        lines.concat()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.expect("the daemon answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("an answer is text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// 0 ok, 1 the user's fault or a failed check, 2 ours.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

/// Runs any command of the binary to its end, with none of the caller's `PARAMEDIC_…` variables.
///
/// # Panics
/// When it does not end within a minute.
pub async fn command(arguments: &[&str]) -> Said {
    let mut program = tokio::process::Command::from(clean(Command::new(binary())));
    program.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(Duration::from_secs(60), program.output())
        .await
        .unwrap_or_else(|_| panic!("paramedic {arguments:?} did not end within a minute"))
        .expect("the binary can be started");
    Said {
        code: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn data_dir(plan: &Plan, folder: &Scratch) -> PathBuf {
    plan.data.clone().unwrap_or_else(|| folder.path().join("data"))
}

fn spawn(plan: &Plan, folder: &Scratch, port: u16, admin_port: u16) -> Process {
    let mut program = match &plan.traced {
        None => match plan.through.split_first() {
            None => Command::new(binary()),
            Some((first, rest)) => {
                let mut program = Command::new(first);
                program.args(rest).arg(binary());
                program
            }
        },
        Some((which, into)) => {
            // -D: strace is not the parent but a grandchild, so that the process we kill is the daemon.
            let mut strace = Command::new(&peer("strace").path);
            strace
                .args(["-D", "-f", "-y", "-ttt", "-s", "96", "-e", which, "-o"])
                .arg(into)
                .arg("--")
                .arg(binary());
            strace
        }
    };
    program.arg("serve").arg("--policies").arg(folder.path().join("policies"));
    program.arg("--data-dir").arg(data_dir(plan, folder));
    program.arg("--listen").arg(format!("127.0.0.1:{port}"));
    program.arg("--admin-listen").arg(format!("127.0.0.1:{admin_port}"));
    if plan.config.is_some() {
        program.arg("--config").arg(folder.path().join("config.yaml"));
    }
    match &plan.kubeconfig {
        Some(path) => program.arg("--kubeconfig").arg(path),
        None => program.arg("--no-kubernetes"),
    };
    if let Some(url) = &plan.prometheus {
        program.arg("--prometheus-url").arg(url);
    }
    if let Some(mode) = &plan.mode {
        program.arg("--mode").arg(mode);
    }
    program.args(&plan.more);
    let mut program = clean(program);
    program.envs(plan.environment.iter().map(|(name, value)| (name, value)));
    Process::spawn("paramedic", folder.path(), program)
}

/// Without what the environment would decide.
fn clean(mut program: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| name.starts_with("PARAMEDIC_"));
        if is_ours || name == "KUBECONFIG" || name == "RUST_LOG" {
            program.env_remove(name);
        }
    }
    program
}
