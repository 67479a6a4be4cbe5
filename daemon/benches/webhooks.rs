//! What a durable 200 costs: webhooks of 1, 30 and 1,000 alerts to the whole daemon (real journal on a real disk) beside a
//! bare axum handler that only parses them, in turns within one run. Only the ratios of one run count.
//!
//! ```text
//! cargo bench -p paramedic --bench webhooks                 all sizes
//! cargo bench -p paramedic --bench webhooks -- 30           one size
//! cargo bench -p paramedic --bench webhooks -- 30 matched   the same alerts under a policy that matches, in a storm
//! ```
#![allow(missing_docs, clippy::unwrap_used, reason = "a program for measuring")]

mod load;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::routing::post;
use axum::{Json, Router};
use load::{Kind, Load, Posted};
use paramedic::config::Configuration;
use paramedic::intake::payload;
use paramedic::serve::{Daemon, Plan};
use paramedic_policies::time::Moment;
use tokio::net::TcpListener;

/// How often the contestants take turns.
const ROUNDS: usize = 3;

/// How long one turn takes.
const TURN: Duration = Duration::from_secs(2);

/// New alerts that one turn posts at most: they stay in memory until they are resolved.
const NEW_MAX: usize = 150_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let matched = args.iter().any(|arg| arg == "matched");
    let sizes: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!(
        "{:>7} {:<26} {:>11} {:>11} {:>6} {:>14} {:>10}",
        "alerts", "", "webhooks/s", "alerts/s", "ratio", "records/block", "append ms"
    );
    for size in if sizes.is_empty() { vec![1, 30, 1000] } else { sizes } {
        runtime.block_on(compare(size, matched));
    }
}

/// One size: every contestant in turns, and the middle of what each did.
async fn compare(alerts: usize, matched: bool) {
    let bare = bare().await;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let daemon = daemon(dir.path(), matched).await;
    let load = Load { connections: if alerts > 100 { 16 } else { 64 }, alerts };
    let mut turns: Vec<(&str, Vec<Turn>)> =
        ["bare parser", "durable, repeats", "durable, new", "durable, resolved"]
            .map(|name| (name, Vec::new()))
            .into();
    // Both have seen every kind of work once before anything counts.
    load.post(bare, Kind::Repeats, TURN / 4, usize::MAX).await;
    load.post(daemon.public, Kind::Repeats, TURN / 4, usize::MAX).await;
    for round in 0..ROUNDS {
        let from = round * NEW_MAX;
        turns[0]
            .1
            .push(Turn { posted: load.post(bare, Kind::Repeats, TURN, usize::MAX).await, blocks: None });
        let mut new = 0;
        for (index, kind) in [(1, Kind::Repeats), (2, Kind::New { from }), (3, Kind::Resolved { from })] {
            let most = match kind {
                Kind::Repeats => usize::MAX,
                Kind::New { .. } => NEW_MAX / alerts,
                Kind::Resolved { .. } => new,
            };
            let before = Blocks::of(daemon.admin).await;
            let within = if matches!(kind, Kind::Resolved { .. }) { TURN * 10 } else { TURN };
            let posted = load.post(daemon.public, kind, within, most).await;
            new = posted.webhooks;
            let blocks = Blocks::of(daemon.admin).await.since(&before);
            turns[index].1.push(Turn { posted, blocks: Some(blocks) });
        }
    }
    let bare_rate = middle(&turns[0].1).posted.rate();
    for (name, mut all) in turns {
        all.sort_by(|a, b| a.posted.rate().total_cmp(&b.posted.rate()));
        middle(&all).print(alerts, name, bare_rate);
    }
    daemon.stop().await.unwrap();
}

fn middle(turns: &[Turn]) -> &Turn {
    let mut by_rate: Vec<&Turn> = turns.iter().collect();
    by_rate.sort_by(|a, b| a.posted.rate().total_cmp(&b.posted.rate()));
    by_rate[by_rate.len() / 2]
}

/// One contestant's turn.
struct Turn {
    posted: Posted,
    blocks: Option<Blocks>,
}

impl Turn {
    fn print(&self, alerts: usize, name: &str, bare: f64) {
        let rate = self.posted.rate();
        let (records, append) = match &self.blocks {
            Some(blocks) => (format!("{:.0}", blocks.records()), format!("{:.2}", blocks.append_ms())),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{alerts:>7} {name:<26} {rate:>11.0} {:>11.0} {:>6.2} {records:>14} {append:>10}",
            rate * alerts as f64,
            rate / bare
        );
    }
}

/// The bare handler: the same reading of the same payload into the same structs, and nothing else.
async fn bare() -> SocketAddr {
    async fn parse(body: Bytes) -> Json<usize> {
        Json(payload::read(&body, Moment::from_unix_ms(0)).unwrap().alerts.len())
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route(load::PATH, post(parse));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// The whole daemon, without Prometheus and Kubernetes.
async fn daemon(dir: &std::path::Path, matched: bool) -> Daemon {
    let policies = dir.join("policies.yaml");
    let names = ["NothingOfTheKind", "NeverPosted", if matched { load::ALERTNAME } else { "NorThis" }];
    let text: String = names.iter().enumerate().map(|(number, name)| policy(number, name)).collect();
    std::fs::write(&policies, text).unwrap();
    let mut configuration = Configuration {
        listen: "127.0.0.1:0".to_owned(),
        admin_listen: "127.0.0.1:0".to_owned(),
        data_dir: dir.join("data"),
        policies: vec![policies],
        ..Configuration::default()
    };
    configuration.kubernetes.enabled = false;
    configuration.log.level = std::env::var("BENCH_LOG").unwrap_or_else(|_| "error".to_owned());
    let plan = Plan { clock: Arc::new(paramedic::clock::SystemClock::new()), ..Plan::new(configuration) };
    plan.start().await.unwrap()
}

fn policy(number: usize, alertname: &str) -> String {
    format!(
        "---\napiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p{number}}}\nspec:\n  \
         match: ['alertname=\"{alertname}\"', 'severity=~\"critical|page\"']\n  \
         target: {{kind: Deployment, namespace: \"{{{{ labels.namespace }}}}\", name: \"{{{{ labels.deployment }}}}\"}}\n  \
         ladder: [{{restart: {{}}, verify: {{rollout: complete}}}}]\n"
    )
}

/// What the daemon's own metrics say of its group commit.
struct Blocks {
    blocks: f64,
    records: f64,
    appends: f64,
    seconds: f64,
}

impl Blocks {
    async fn of(admin: SocketAddr) -> Self {
        let text = load::get(admin, "/metrics").await;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
        };
        Self {
            blocks: value("paramedic_journal_block_records_count"),
            records: value("paramedic_journal_block_records_sum"),
            appends: value("paramedic_journal_append_seconds_count"),
            seconds: value("paramedic_journal_append_seconds_sum"),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            blocks: self.blocks - before.blocks,
            records: self.records - before.records,
            appends: self.appends - before.appends,
            seconds: self.seconds - before.seconds,
        }
    }

    fn records(&self) -> f64 {
        self.records / self.blocks.max(1.0)
    }

    fn append_ms(&self) -> f64 {
        self.seconds / self.appends.max(1.0) * 1000.0
    }
}
