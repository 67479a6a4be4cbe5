//! A real Alertmanager, old or new, that groups by alert and posts to one webhook with short waits. It must never
//! form a cluster with another.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::{self, peer};
use crate::ports::free_port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tls;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Debian's, 0.25.
    Debian,
    /// The newest that its Go module builds, 0.31.
    Newest,
}

impl Release {
    /// Both, for tests of the whole way.
    pub const ALL: [Self; 2] = [Self::Debian, Self::Newest];

    fn program(self) -> &'static str {
        match self {
            Self::Debian => "prometheus-alertmanager",
            Self::Newest => "alertmanager",
        }
    }
}

/// What it is to do, before it is started.
#[derive(Debug)]
pub struct Plan {
    release: Release,
    webhook: String,
    token_file: Option<PathBuf>,
    group_by: Vec<String>,
    group_interval: String,
    repeat_interval: String,
    max_alerts: u32,
    routes: usize,
}

impl Plan {
    /// Leads every alert through that many routes with `continue: true` before the last, all to the same webhook.
    pub fn continued(mut self, routes: usize) -> Self {
        self.routes = routes;
        self
    }

    /// Sends a bearer token that it reads from that file.
    pub fn token_file(mut self, path: &Path) -> Self {
        self.token_file = Some(path.into());
        self
    }

    /// Groups by these labels instead of sending each alert by itself (`...`).
    pub fn group_by(mut self, labels: &[&str]) -> Self {
        self.group_by = labels.iter().map(|label| label.to_string()).collect();
        self
    }

    /// How long until changes of a group are sent, and until the same is sent again; `1s` and `4h` otherwise.
    pub fn intervals(mut self, group: &str, repeat: &str) -> Self {
        self.group_interval = group.into();
        self.repeat_interval = repeat.into();
        self
    }

    /// Cuts webhooks to that many alerts (`truncatedAlerts`).
    pub fn max_alerts(mut self, alerts: u32) -> Self {
        self.max_alerts = alerts;
        self
    }

    /// Starts it; `None` where the test is left out.
    pub async fn start(self) -> Option<Alertmanager> {
        if !peers::need(&[self.release.program()]) {
            return None;
        }
        let folder = Scratch::new("alertmanager");
        let mut webhook = json!({
            "url": self.webhook,
            "send_resolved": true,
            "max_alerts": self.max_alerts,
        });
        if let Some(path) = &self.token_file {
            webhook["http_config"] = json!({"authorization": {"type": "Bearer", "credentials_file": path}});
        }
        let matched = json!({"receiver": "test", "matchers": ["alertname != \"\""], "continue": true});
        let config = json!({
            "route": {
                "routes": vec![matched; self.routes],
                "receiver": "test",
                "group_by": self.group_by,
                "group_wait": "100ms",
                "group_interval": self.group_interval,
                "repeat_interval": self.repeat_interval,
            },
            "receivers": [{"name": "test", "webhook_configs": [webhook]}],
        });
        folder.write("alertmanager.yaml", config.to_string());
        let port = free_port();
        let process = launch(self.release, &folder, port).await;
        Some(Alertmanager { release: self.release, port, process, folder })
    }
}

/// A running Alertmanager; dropping it ends it.
#[derive(Debug)]
pub struct Alertmanager {
    release: Release,
    port: u16,
    process: Process,
    folder: Scratch,
}

impl Alertmanager {
    /// The beginning of a [`Plan`]: one that posts to `webhook`.
    pub fn plan(release: Release, webhook: &str) -> Plan {
        Plan {
            release,
            webhook: webhook.into(),
            token_file: None,
            group_by: vec!["...".into()],
            group_interval: "1s".into(),
            repeat_interval: "4h".into(),
            max_alerts: 0,
            routes: 0,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Which one it is.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Gives it alerts as Prometheus would: a list of `{labels, annotations, startsAt, endsAt}`.
    pub async fn post_alerts(&self, alerts: Value) {
        let url = format!("{}/api/v2/alerts", self.url());
        let answer = tls::http().post(url).json(&alerts).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{}: {alerts}", answer.status());
    }

    /// The alerts that it holds.
    pub async fn alerts(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts", self.url());
        let answer = tls::http().get(url).send().await.expect("it answers");
        answer.json().await.expect("a list of alerts")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same address and data.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = launch(self.release, &self.folder, self.port).await;
    }

    /// The process, for its log and signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

async fn launch(release: Release, folder: &Scratch, port: u16) -> Process {
    let mut command = Command::new(&peer(release.program()).path);
    command
        .arg("--config.file")
        .arg(folder.path().join("alertmanager.yaml"))
        .arg("--storage.path")
        .arg(folder.path().join("data"))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    let mut process = Process::spawn("alertmanager", folder.path(), command);
    process.answers(&format!("http://127.0.0.1:{port}/-/ready"), &tls::http(), READY_WITHIN).await;
    process
}
