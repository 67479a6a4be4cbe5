//! `paramedic demo`: the real daemon, with a simulated Maestro cluster in the place of Kubernetes and Prometheus. Its
//! webhook, engine, guards, journal and API are the ones of `serve`; this file only makes things go wrong and tells.
//!
//! ```text
//!   scenes.rs --> simulated world --> simulated Alertmanager --POST--> the daemon's webhook
//!                      ^                                                    |
//!                      '-------- the production remediations <--- engine ---'---> journal --> narrator.rs
//! ```

mod hasten;
mod narrator;
mod scenes;
mod scratch;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use paramedic_policies::action::Mode;
use paramedic_policies::alert::Alert;
use paramedic_policies::time::Span;
use paramedic_simulations::alertmanager::{Alertmanager, body};
use paramedic_simulations::{SimulatedCluster, maestro};
use tokio::time::{Instant, sleep, timeout};

use crate::clock::{Clock, SystemClock};
use crate::config::Configuration;
use crate::serve::{Plan, ordered_to_stop};
use narrator::{Narrator, print};
use scenes::{Scene, Seen, scenes};
use scratch::Scratch;

/// How often the simulated Prometheus evaluates its rules.
const EVALUATE_EVERY: Duration = Duration::from_millis(200);

/// How long a scene may take.
const SCENE_WITHIN: Duration = Duration::from_secs(40);

/// How long a webhook may take.
const WEBHOOK_WITHIN: Duration = Duration::from_secs(5);

/// See it work: the real daemon on a simulated cluster, for a minute or until Ctrl-C.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  paramedic demo
  paramedic demo --exit")]
pub struct DemoArgs {
    /// End when everything was shown: 0 if it was all seen, 1 otherwise
    #[arg(long)]
    pub exit: bool,

    /// Where webhook and API listen [default: 127.0.0.1:9911, or a free port where that is taken]
    #[arg(long, value_name = "ADDR", env = "PARAMEDIC_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// Where /metrics, /healthz and /readyz listen [default: 127.0.0.1:9912, or a free port where that is taken]
    #[arg(long, value_name = "ADDR", env = "PARAMEDIC_ADMIN_LISTEN")]
    pub admin_listen: Option<SocketAddr>,
}

/// Runs the demo; whether everything that it promises was seen.
///
/// # Errors
/// When the daemon cannot start or breaks.
pub async fn run(args: DemoArgs) -> anyhow::Result<bool> {
    let scratch = Scratch::new()?;
    let mut configuration = configuration(scratch.path());
    configuration.listen = args.listen.unwrap_or_else(|| free_or(9911)).to_string();
    configuration.admin_listen = args.admin_listen.unwrap_or_else(|| free_or(9912)).to_string();
    write_policies(scratch.path())?;

    let clock = Arc::new(SystemClock::new());
    let cluster = cluster(clock.clone());
    let mut plan = Plan::new(configuration);
    plan.world = Some(Arc::new(cluster.remedies()));
    plan.clock = clock;
    let daemon = plan.start().await?;
    let server = format!("http://{}", daemon.public);
    greet(&server, &daemon.admin, scratch.path());

    let narrator = Narrator::new(daemon.inbox.clone());
    let telling = tokio::spawn(narrator.clone().run());
    let alerting = tokio::spawn(alert(cluster.clone(), server.clone(), narrator.clone()));
    let mut missed = Vec::new();
    let shown = async {
        for (number, scene) in scenes().iter().enumerate() {
            if !play(number + 1, scene, &cluster, &narrator).await {
                missed.push(scene.shows);
            }
        }
        if !show_audit(&server).await {
            missed.push("the audit queries that show it all");
        }
        sum_up(&missed);
        if !args.exit {
            invite(&server, &daemon.admin);
            std::future::pending::<()>().await;
        }
    };
    let interrupted = tokio::select! {
        () = shown => false,
        () = ordered_to_stop() => true,
    };
    alerting.abort();
    telling.abort();
    daemon.stop().await?;
    Ok(missed.is_empty() && !(interrupted && args.exit))
}

/// The daemon's configuration: everything as by default, but that it may act, and sixty times as fast.
fn configuration(folder: &Path) -> Configuration {
    let mut configuration = Configuration {
        data_dir: folder.join("journal"),
        policies: vec![folder.join("policies")],
        mode: Mode::Enforce,
        vars: [
            ("service", "maestro-server"),
            ("database", "postgres"),
            // The second one is protected, which the demo shows.
            ("namespaces", "intelgraph-prod|kube-system"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..Configuration::default()
    };
    configuration.guards.settle = Span::from_secs(2);
    configuration.guards.pace.every = Span::from_secs(1);
    configuration.facts.retry = Span::from_secs(1);
    configuration.kubernetes.enabled = false;
    // The policies are hastened on purpose; that they look too fast for a real Prometheus is known.
    configuration.log.level = "warn,paramedic::reload=error".to_owned();
    configuration
}

fn write_policies(folder: &Path) -> anyhow::Result<()> {
    let folder = folder.join("policies");
    std::fs::create_dir(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    for (name, text) in hasten::POLICIES {
        let path = folder.join(name);
        std::fs::write(&path, hasten::hasten(text))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

/// The simulated cluster, with pods that are ready within a second.
fn cluster(clock: Arc<SystemClock>) -> SimulatedCluster {
    let now = move || clock.wall();
    let mut world = maestro::world(now());
    for workload in world.workloads.values_mut() {
        workload.pod_ready = Some(Span::from_ms(800));
    }
    SimulatedCluster::new(world, Arc::new(now))
}

/// That port, or any free one.
fn free_or(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpListener::bind(wanted).is_ok() {
        return wanted;
    }
    print(&format!("{wanted} is taken, so a free port is used"));
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// The simulated Alertmanager: posts what begins and ends to the daemon's own webhook, for ever.
async fn alert(cluster: SimulatedCluster, server: String, narrator: Narrator) {
    let Ok(client) = to_ourselves() else {
        narrator.say("webhook   no client for HTTP can be set up, so no alert is sent");
        return;
    };
    let mut alertmanager = Alertmanager::default();
    let mut waiting: Vec<Alert> = Vec::new();
    loop {
        let (firing, now) = cluster.with(|world| (world.firing(), world.now()));
        waiting.extend(alertmanager.notify(&firing, now));
        let mut again = Vec::new();
        for alert in waiting {
            match post(&client, &server, &alert).await {
                Ok(()) => {}
                Err(problem) => {
                    narrator.say(&format!("webhook   {} was not taken: {problem}", alert.name()));
                    again.push(alert);
                }
            }
        }
        waiting = again;
        sleep(EVALUATE_EVERY).await;
    }
}

/// What is sent to our own daemon must not go through the proxy of the environment.
fn to_ourselves() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

async fn post(client: &reqwest::Client, server: &str, alert: &Alert) -> anyhow::Result<()> {
    let url = format!("{server}/webhook/alertmanager");
    let answer = client.post(url).json(&body(alert)).timeout(WEBHOOK_WITHIN).send().await?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "HTTP {status}: {}", answer.text().await.unwrap_or_default());
    Ok(())
}

/// Plays one scene; whether it came to its end in time.
async fn play(number: usize, scene: &Scene, cluster: &SimulatedCluster, narrator: &Narrator) -> bool {
    print(&format!("\n{number}. {}", scene.title));
    cluster.with(|world| (scene.begin)(world));
    let until = Instant::now() + SCENE_WITHIN;
    while Instant::now() < until {
        if narrator.with(|records| (scene.is_over)(&Seen(records))) {
            return true;
        }
        sleep(EVALUATE_EVERY).await;
    }
    narrator.say(&format!("not seen within {} s: {}", SCENE_WITHIN.as_secs(), scene.shows));
    false
}

/// The same commands that a person would type, by the same code.
async fn show_audit(server: &str) -> bool {
    print("\n6. What is left of it: the audit journal");
    let mut all_well = true;
    for which in [["--kind", "ruled"], ["--kind", "ended"], ["--kind", "verified"]] {
        print(&format!("\n$ {} audit query {} --server {server}", program(), which.join(" ")));
        let server = server.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let words = ["paramedic", "audit", "query", which[0], which[1], "--server", &server];
            let args = words.map(std::ffi::OsString::from).to_vec();
            let now = SystemClock::new().wall();
            let mut console = crate::cli::Console { out: &mut out, err: &mut err, now };
            let code = crate::cli::run(args, &mut console);
            (code, String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
        });
        match timeout(SCENE_WITHIN, asked).await {
            Ok(Ok((code, out, err))) => {
                print(out.trim_end());
                if code != 0 {
                    print(err.trim_end());
                }
                all_well &= code == 0 && out.lines().count() > 1;
            }
            Ok(Err(_)) | Err(_) => all_well = false,
        }
    }
    all_well
}

fn greet(server: &str, admin: &SocketAddr, folder: &Path) {
    print("paramedic demo: the real daemon on a simulated Maestro cluster; nothing of yours is touched");
    print(&format!("  webhook and API  {server}"));
    print(&format!("  metrics, health  http://{admin}/metrics  http://{admin}/readyz"));
    print(&format!(
        "  policies         {}  (policies/maestro with every minute a second)",
        folder.join("policies").display()
    ));
}

fn sum_up(missed: &[&str]) {
    print("");
    let all = scenes().map(|scene| scene.shows);
    for shows in all.iter().chain(&["the audit queries that show it all"]) {
        let mark = if missed.contains(shows) { "missing" } else { "seen   " };
        print(&format!("  {mark}  {shows}"));
    }
}

fn invite(server: &str, admin: &SocketAddr) {
    let program = program();
    print("\nThe demo goes on until Ctrl-C; after a minute the scale-up is taken back. In another terminal:");
    print(&format!("  {program} audit query --server {server}"));
    print(&format!("  {program} audit tail --follow --server {server}"));
    print(&format!("  {program} pause --for 5m --reason lunch --server {server}"));
    print(&format!("  curl -s {server}/api/v1/status"));
    print(&format!("  curl -s '{server}/api/v1/records?kind=intended'"));
    print(&format!("  curl -s http://{admin}/metrics"));
}

/// This program as a person would call it from here.
fn program() -> String {
    let (Ok(here), Ok(called)) = (std::env::current_dir(), std::env::current_exe()) else {
        return "paramedic".to_owned();
    };
    match called.strip_prefix(&here) {
        Ok(path) => format!("./{}", path.display()),
        Err(_) => "paramedic".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everything_that_the_demo_promises_is_seen() {
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let args = DemoArgs { exit: true, listen: any, admin_listen: any };
        let seen = timeout(Duration::from_secs(240), run(args)).await.expect("it ends");
        assert!(seen.expect("the daemon starts"));
    }
}
