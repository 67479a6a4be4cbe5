//! The reader's desk and what stands around it: a folder, a shell with `paramedic` on its PATH, a Prometheus with two weeks
//! of alerts, an Alertmanager, a cluster with three workloads. The page names the default addresses; here they are others.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use paramedic_tests::alertmanager::{Alertmanager, Release};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::history::{ERRORS, Shape};
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::paramedic::binary;
use paramedic_tests::ports::free_port;
use paramedic_tests::process::Process;
use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::tls;
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(120);
const DAY: u64 = 86_400;

/// Two weeks until this midnight.
const DAYS: u64 = 14;

/// What runs in the cluster.
const WORKLOADS: [&str; 3] = ["web-0", "web-8", "web-16"];

pub(crate) struct Stage {
    service: MetricsService,
    prometheus: Prometheus,
    _alertmanager: Alertmanager,
    namespace: Namespace,
    kubeconfig: String,
    /// The address of the API server.
    cluster: String,
    /// The daemon, while one runs.
    daemon: Option<Process>,
    /// Up to where the journal tells what was before the last thing that happened.
    seen: u64,
    /// The exit code of the last command.
    code: i32,
    port: u16,
    admin_port: u16,
    folder: Scratch,
}

impl Stage {
    /// All of it; `None` where the test is left out.
    pub(crate) async fn set() -> Option<Self> {
        let folder = Scratch::new("tutorial");
        let service = MetricsService::start().await;
        WORKLOADS.iter().for_each(|web| service.set(&errors(web), 0.0));
        let port = free_port();
        let (cluster, watching) = tokio::join!(ControlPlane::shared(), watching(&folder, &service, port));
        let (cluster, (prometheus, alertmanager)) = (cluster?, watching?);
        // The first namespace of the process, so the name that the history knows.
        let namespace = cluster.namespace("shop").await;
        assert_eq!(namespace.name, "shop-0");
        for web in WORKLOADS {
            namespace.deployment(web, 4).await;
        }
        std::fs::create_dir(folder.path().join("bin")).expect("a folder");
        symlink(binary(), folder.path().join("bin/paramedic")).expect("a link");
        std::fs::create_dir(folder.path().join("desk")).expect("a folder");
        Some(Self {
            service,
            prometheus,
            _alertmanager: alertmanager,
            namespace,
            kubeconfig: cluster.kubeconfig(User::Paramedic).display().to_string(),
            cluster: cluster.url(),
            daemon: None,
            seen: 0,
            code: 0,
            port,
            admin_port: free_port(),
            folder,
        })
    }

    /// A file on the desk.
    pub(crate) fn write(&self, name: &str, lines: &str) {
        self.folder.write(&format!("desk/{name}"), lines);
    }

    /// What the page lets happen: `fires WORKLOAD`, `heals WORKLOAD`, `until KIND` (of a record), `until proposal`.
    pub(crate) async fn happens(&mut self, event: &str) {
        match event.split_once(' ').expect("a verb and its object") {
            ("fires", web) => {
                self.seen = self.last().await;
                self.service.set(&errors(web), 0.2);
            }
            ("heals", web) => {
                self.namespace.rolled_out("Deployment", web).await;
                self.service.set(&errors(web), 0.0);
            }
            ("until", "proposal") => {
                self.proposal().await;
            }
            ("until", kind) => {
                let path = format!("/api/v1/records?kind={kind}&after={}", self.seen);
                let what = format!("a record {kind}");
                eventually(SOON, &what, async || {
                    let page = self.get(&path).await?;
                    let found = page["items"].as_array().is_some_and(|items| !items.is_empty());
                    seen(found, || page.to_string())
                })
                .await;
            }
            other => panic!("the test knows nothing of {other:?}"),
        }
    }

    /// The command with the number that it is about this time.
    pub(crate) async fn with_numbers(&self, command: &str) -> String {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        if command.starts_with("paramedic approve ") {
            words[2] = self.proposal().await.to_string();
        }
        words.join(" ")
    }

    /// Types a command and gives what the terminal shows: data, then talk.
    pub(crate) async fn types(&mut self, command: &str) -> String {
        match command {
            "kill %1" => {
                let mut daemon = self.daemon.take().expect("a daemon was started");
                assert!(daemon.stop(SOON).await.success());
                String::new()
            }
            "echo $?" => format!("{}\n", self.code),
            serve if serve.starts_with("paramedic serve ") => {
                self.serves(serve).await;
                String::new()
            }
            other => self.runs(other),
        }
    }

    async fn serves(&mut self, command: &str) {
        let command = command.strip_suffix(" &").expect("it goes on in the background");
        let mut shell = self.shell(command.replacen("paramedic", "exec paramedic", 1).as_str());
        shell.env("PARAMEDIC_LISTEN", format!("127.0.0.1:{}", self.port));
        shell.env("PARAMEDIC_ADMIN_LISTEN", format!("127.0.0.1:{}", self.admin_port));
        let mut daemon = Process::spawn("serve", self.folder.path(), shell);
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        daemon.answers(&url, &tls::http(), SOON).await;
        self.daemon = Some(daemon);
    }

    fn runs(&mut self, command: &str) -> String {
        let output = self.shell(command).output().expect("a shell can be started");
        self.code = output.status.code().unwrap_or(-1);
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        if !said.is_empty() && !said.ends_with('\n') {
            said.push('\n');
        }
        let mut shown = String::new();
        for line in said.lines() {
            let _ = writeln!(shown, "{}", self.as_on_the_page(line).trim_end());
        }
        shown
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PARAMEDIC_")) {
                shell.env_remove(name);
            }
        }
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .args(["-c", &command.replace("http://localhost:9090", &self.prometheus.url())])
            .current_dir(self.folder.path().join("desk"))
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            .env("PARAMEDIC_SERVER", format!("http://127.0.0.1:{}", self.port))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("COLUMNS", "120")
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null());
        shell
    }

    fn as_on_the_page(&self, line: &str) -> String {
        line.replace(&self.prometheus.url(), "http://localhost:9090")
            .replace(&format!("127.0.0.1:{}", self.port), "127.0.0.1:9911")
            .replace(&format!("127.0.0.1:{}", self.admin_port), "127.0.0.1:9912")
            .replace(&self.cluster, "https://kubernetes.example:6443")
    }

    async fn proposal(&self) -> u64 {
        eventually(SOON, "a proposal waits", async || {
            let listed = self.get("/api/v1/proposals").await?;
            listed["items"][0]["id"].as_u64().ok_or_else(|| listed.to_string())
        })
        .await
    }

    async fn last(&self) -> u64 {
        let page = self.get("/api/v1/records?limit=1&newest=true").await;
        page.ok().and_then(|page| page["items"][0]["seq"].as_u64()).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = tls::http().get(url).send().await.map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }
}

/// A Prometheus that remembers two weeks and tells an Alertmanager, which posts to that port.
async fn watching(
    folder: &Scratch,
    service: &MetricsService,
    port: u16,
) -> Option<(Prometheus, Alertmanager)> {
    let webhook = format!("http://127.0.0.1:{port}/webhook/alertmanager");
    let alertmanager = Alertmanager::plan(Release::Newest, &webhook).start().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let from = i64::try_from((now / DAY - DAYS) * DAY).expect("it is not that late");
    let shape = Shape { events: 8000, days: DAYS.cast_signed(), from, seed: 1 };
    let history = folder.path().join("history");
    std::fs::create_dir(&history).expect("a folder can be made");
    let mut past = shape.write(&history).expect("the disk takes two weeks");
    past.push(quiet(folder, from, now.cast_signed()));
    let prometheus = Prometheus::plan()
        .past(past)
        .scrape(service.address())
        .alert(ERRORS, "errors_ratio > 0.05", json!({"severity": "critical"}))
        .tell(&alertmanager.url())
        .start()
        .await?;
    Some((prometheus, alertmanager))
}

/// The days before and after, of which Prometheus knows only that it was there: whatever the hour, no time is missing.
fn quiet(folder: &Scratch, from: i64, now: i64) -> PathBuf {
    let (day, midnight) = (DAY.cast_signed(), now - now % DAY.cast_signed());
    let mut text = String::from("# TYPE up gauge\n");
    let before = (from - 2 * day..from).step_by(240);
    for at in before.chain((midnight..now - 60).step_by(240)) {
        let _ = writeln!(text, "up{{job=\"prometheus\"}} 1 {at}");
    }
    folder.write("quiet.om", text + "# EOF\n")
}

fn errors(web: &str) -> String {
    format!("errors_ratio{{namespace=\"shop-0\",deployment=\"{web}\"}}")
}
