//! A real Prometheus that scrapes each second what the test names, evaluates its rules and tells an Alertmanager.
//! It must never scrape anything that the test did not name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::{self, peer};
use crate::ports::free_port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tls;
use crate::waiting::eventually;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// What it is to do, before it is started.
#[derive(Debug, Default)]
pub struct Plan {
    targets: Vec<SocketAddr>,
    rules: Vec<String>,
    alertmanagers: Vec<String>,
    external_labels: BTreeMap<String, String>,
    past: Vec<PathBuf>,
}

impl Plan {
    /// Files of OpenMetrics that it is to know as its own past, however old; without `promtool` the test is left out.
    pub fn past(mut self, files: Vec<PathBuf>) -> Self {
        self.past = files;
        self
    }

    /// Scrapes `ADDRESS/metrics` each second under the job `service`; several calls, several targets.
    pub fn scrape(mut self, address: SocketAddr) -> Self {
        self.targets.push(address);
        self
    }

    /// A rule file's text.
    pub fn rules(mut self, yaml: &str) -> Self {
        self.rules.push(yaml.into());
        self
    }

    /// An alert in a rule file of its own that fires at once where `expr` holds.
    pub fn alert(self, name: &str, expr: &str, labels: Value) -> Self {
        let rule = json!({"alert": name, "expr": expr, "labels": labels});
        let file = json!({"groups": [{"name": name, "interval": "1s", "rules": [rule]}]});
        // JSON is YAML.
        self.rules(&file.to_string())
    }

    /// Sends its alerts to the Alertmanager at that address.
    pub fn tell(mut self, alertmanager_url: &str) -> Self {
        self.alertmanagers.push(alertmanager_url.trim_start_matches("http://").into());
        self
    }

    /// A label on all that leaves it, such as `cluster`.
    pub fn external_label(mut self, name: &str, value: &str) -> Self {
        self.external_labels.insert(name.into(), value.into());
        self
    }

    /// Starts it; `None` where the test is left out.
    pub async fn start(self) -> Option<Prometheus> {
        if !peers::need(&["prometheus"]) {
            return None;
        }
        let folder = Scratch::new("prometheus");
        let files: Vec<String> = self
            .rules
            .iter()
            .enumerate()
            .map(|(at, text)| folder.write(&format!("rules-{at}.yaml"), text).display().to_string())
            .collect();
        let config = json!({
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
                "external_labels": self.external_labels,
            },
            "rule_files": files,
            "scrape_configs": [{
                "job_name": "service",
                "static_configs": [{"targets": self.targets}],
            }],
            "alerting": {"alertmanagers": [{
                "static_configs": [{"targets": self.alertmanagers}],
            }]},
        });
        folder.write("prometheus.yaml", config.to_string());
        if !self.past.is_empty() && !remember(&self.past, &folder).await {
            return None;
        }
        let port = free_port();
        let process = launch(&folder, port).await;
        Some(Prometheus { port, process, folder })
    }
}

/// A running Prometheus; dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    process: Process,
    folder: Scratch,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, with `__name__` where it has one.
    pub labels: BTreeMap<String, String>,
    /// Its value now.
    pub value: f64,
}

impl Prometheus {
    /// The beginning of a [`Plan`].
    pub fn plan() -> Plan {
        Plan::default()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to an instant query.
    pub async fn query(&self, promql: &str) -> Vec<Sample> {
        self.try_query(promql).await.unwrap_or_else(|error| panic!("{promql}: {error}"))
    }

    /// Waits until a query has exactly one series, and that has this value.
    pub async fn shows(&self, promql: &str, value: f64, deadline: Duration) {
        let what = format!("{promql} is {value}");
        eventually(deadline, &what, async || {
            let samples = self.try_query(promql).await?;
            match samples.as_slice() {
                [only] if only.value == value => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// SIGKILL: nobody answers at its address from now on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same address and data.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, self.port).await;
    }

    /// The process, for its log and signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    async fn try_query(&self, promql: &str) -> Result<Vec<Sample>, String> {
        let url = format!("{}/api/v1/query?query={}", self.url(), percent(promql));
        let asked = tls::http().get(url).send().await.map_err(|error| error.to_string())?;
        let answer: Value = asked.json().await.map_err(|error| error.to_string())?;
        let rows = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        Ok(rows.iter().filter_map(sample).collect())
    }
}

fn sample(row: &Value) -> Option<Sample> {
    Some(Sample {
        labels: serde_json::from_value(row.get("metric")?.clone()).ok()?,
        value: row.pointer("/value/1")?.as_str()?.parse().ok()?,
    })
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Makes blocks of samples, each file by itself.
async fn remember(files: &[PathBuf], folder: &Scratch) -> bool {
    if !peers::need(&["promtool"]) {
        return false;
    }
    for file in files {
        let mut command = tokio::process::Command::new(&peer("promtool").path);
        command.args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"]).arg(file);
        command.arg(folder.path().join("data")).kill_on_drop(true);
        let made = tokio::time::timeout(READY_WITHIN, command.output()).await;
        let made = made.expect("promtool makes a day's blocks in time").expect("promtool starts");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "promtool, {}: {said}", file.display());
    }
    true
}

async fn launch(folder: &Scratch, port: u16) -> Process {
    let mut command = Command::new(&peer("prometheus").path);
    command
        .arg("--config.file")
        .arg(folder.path().join("prometheus.yaml"))
        .arg("--storage.tsdb.path")
        .arg(folder.path().join("data"))
        // Whatever its past is, it is not dropped.
        .arg("--storage.tsdb.retention.time=20y")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    // Debian's default folders are not there where the package is only unpacked.
    command.arg("--web.console.templates").arg(folder.path());
    command.arg("--web.console.libraries").arg(folder.path());
    let mut process = Process::spawn("prometheus", folder.path(), command);
    process.answers(&format!("http://127.0.0.1:{port}/-/ready"), &tls::http(), READY_WITHIN).await;
    process
}
