//! The whole chain of one test: a service whose metric goes bad, Prometheus that fires, Alertmanager that posts, and
//! the daemon at the end of it. It must never put anything of the test's own between two of them.

use serde_json::Value;

use crate::alertmanager::{self, Alertmanager, Release};
use crate::metrics_service::MetricsService;
use crate::paramedic::{self, Paramedic};
use crate::ports::free_port;
use crate::prometheus::{self, Prometheus};

/// What is to be started.
#[derive(Debug)]
pub struct Plan {
    port: u16,
    alertmanager: alertmanager::Plan,
    prometheus: prometheus::Plan,
    paramedic: paramedic::Plan,
}

impl Plan {
    /// An alert that fires where `expr` holds, and goes on for that long after it has ceased to (`5s`).
    pub fn alert(mut self, name: &str, expr: &str, keep_firing_for: &str, labels: Value) -> Self {
        let rule = serde_json::json!({
            "alert": name, "expr": expr, "keep_firing_for": keep_firing_for, "labels": labels,
        });
        let file = serde_json::json!({"groups": [{"name": name, "interval": "1s", "rules": [rule]}]});
        self.prometheus = self.prometheus.rules(&file.to_string());
        self
    }

    /// Changes how Alertmanager is started.
    pub fn alertmanager(mut self, change: impl FnOnce(alertmanager::Plan) -> alertmanager::Plan) -> Self {
        self.alertmanager = change(self.alertmanager);
        self
    }

    /// Changes how the daemon is started.
    pub fn paramedic(mut self, change: impl FnOnce(paramedic::Plan) -> paramedic::Plan) -> Self {
        self.paramedic = change(self.paramedic);
        self
    }

    /// Starts all of it; `None` where the test is left out. `service` is scraped.
    pub async fn start(self, service: &MetricsService) -> Option<Chain> {
        let alertmanager = self.alertmanager.start().await?;
        let prometheus = self.prometheus.scrape(service.address()).tell(&alertmanager.url()).start().await?;
        let plan = self.paramedic.port(self.port).prometheus(&prometheus.url());
        let paramedic = plan.start().await;
        Some(Chain { prometheus, alertmanager, paramedic })
    }
}

/// The running chain; dropping it ends it, its beginning first.
#[derive(Debug)]
pub struct Chain {
    /// It scrapes the service.
    pub prometheus: Prometheus,
    /// It groups and posts.
    pub alertmanager: Alertmanager,
    /// It acts.
    pub paramedic: Paramedic,
}

impl Chain {
    /// The beginning of a [`Plan`]. What Prometheus sends bears the label `cluster="tests"`.
    pub fn plan(release: Release) -> Plan {
        let port = free_port();
        let webhook = format!("http://127.0.0.1:{port}/webhook/alertmanager");
        Plan {
            port,
            alertmanager: Alertmanager::plan(release, &webhook),
            prometheus: Prometheus::plan().external_label("cluster", "tests"),
            paramedic: Paramedic::plan(),
        }
    }
}
