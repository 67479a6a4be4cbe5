//! Putting the daemon together, and taking it apart in order: intake first, then appends, then running effects.

pub mod args;
mod connections;
mod listening;
mod places;
pub mod restarts;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use paramedic_policies::action::Mode;
use paramedic_policies::settings::Settings;
use paramedic_remediations::ports::metrics::Metrics as MetricsPort;
use paramedic_remediations::ports::redaction::Hides;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{Courier, Endpoints, Kubernetes, KubernetesEyes, PlainHttp, Remedies};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::config::Configuration;
use crate::config::tokens::open_to_others;
use crate::driver::{Driver, EFFECTS_END_WITHIN, Equipment, Inbox, JournalStanding, Journals};
use crate::http::tokens::Tokens;
use crate::http::{self, ClusterSeen, Others, Served, Shared};
use crate::keeping::SledJournals;
use crate::metrics::Metrics;
use crate::peers::{ApiServer, Peers, Reachable};
use crate::prometheus::{NoPrometheus, Prometheus};
use crate::redaction::Redactor;
use crate::reload::{Also, Begun, Reloader, Reloads, Want, Wanted};
use crate::{kubernetes_config, logs};
pub use args::ServeArgs;
use listening::Listening;
pub use listening::ordered_to_stop;

/// How long requests under way may take after the order to stop.
const INTAKE_ENDS_WITHIN: Duration = Duration::from_secs(10);

/// How long the first records of a process may take to be durable.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);

/// What the driver may take beyond running effects: the last appends and closing the journal.
const DRIVER_ENDS_WITHIN: Duration = EFFECTS_END_WITHIN.saturating_add(Duration::from_secs(15));

/// Runs the daemon with these flags until `shutdown` resolves, the configuration file read anew on each reload.
///
/// # Errors
/// When it cannot start, or the driver breaks.
pub async fn run_with_args(args: ServeArgs, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
    let configuration = args.effective()?;
    let mut plan = Plan::new(configuration);
    plan.file.clone_from(&args.config);
    plan.reread = Arc::new(move || {
        args.effective().map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
    });
    plan.start().await?.until(shutdown).await
}

/// Runs the daemon until `shutdown` resolves.
///
/// # Errors
/// When it cannot start, or the driver breaks.
pub async fn run(
    configuration: Configuration,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    Plan::new(configuration).start().await?.until(shutdown).await
}

/// Finds out the configuration as it is now; the error says all that is wrong.
pub type Reread = Arc<dyn Fn() -> Result<Configuration, Vec<String>> + Send + Sync>;

/// A daemon before it starts: its configuration, and what a demo or a test puts in the place of the real world.
pub struct Plan {
    /// The configuration.
    pub configuration: Configuration,
    /// The file that it is from, where it is from one: its change asks for a reload.
    pub file: Option<PathBuf>,
    /// What each reload reads.
    pub reread: Reread,
    /// The world to act on; `None` for Kubernetes, HTTP and Prometheus as configured.
    pub world: Option<Arc<dyn World>>,
    /// The journal; `None` for sled in the data directory.
    pub journals: Option<Arc<dyn Journals>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Plan {
    /// A daemon of this configuration in the real world.
    pub fn new(configuration: Configuration) -> Self {
        let again = configuration.clone();
        Self {
            configuration,
            file: None,
            reread: Arc::new(move || Ok(again.clone())),
            world: None,
            journals: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Starts it. When this returns, both listeners answer, the journal is open, and it is
    /// recorded that the process began.
    ///
    /// # Errors
    /// When anything it needs is not there; nothing keeps running then.
    pub async fn start(self) -> anyhow::Result<Daemon> {
        let Self { configuration, file, reread, world, journals, clock } = self;
        let redactor = Redactor::of(&configuration.redaction);
        logs::begin(&configuration.log, &redactor).map_err(|problem| anyhow!(problem))?;
        // Only the first daemon of a process installs the one TLS provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let tokens = Arc::new(Tokens::read(configuration.tokens.clone())?);
        let of_prometheus = configuration.prometheus.token_file.as_deref();
        if let Some(open) = of_prometheus.and_then(|file| open_to_others("the token for Prometheus", file)) {
            tracing::warn!(problem = open.problem, hint = open.hint, "a token can be read by others");
        }
        let listening = Listening::open(&configuration).await?;
        let version = env!("CARGO_PKG_VERSION");
        let metrics = Arc::new(Metrics::new(version));
        let (world, others, peers) = match world {
            Some(world) => {
                (world, Others { prometheus: None, kubernetes: None, simulated: true }, Peers::default())
            }
            None => real_world(&configuration, &clock, &metrics, &redactor).await?,
        };
        let Begun { mut reloader, reloads, book, status } = Reloader::begin(
            want(&configuration, file, Arc::clone(&reread)),
            configuration.mode,
            reread_tokens(&tokens, &reread),
            Arc::clone(&clock),
            Arc::clone(&metrics),
        );
        let journals = journals.unwrap_or_else(|| {
            let dir = configuration.data_dir.clone();
            Arc::new(SledJournals::new(dir, &configuration.retention, Arc::clone(&clock)))
        });
        let opened = journals.open().await?;
        if book.borrow().is_none() {
            let problems =
                status.borrow().broken.as_ref().map(|broken| broken.problems.join("\n")).unwrap_or_default();
            if opened.state.book.is_none() {
                bail!(
                    "the policies are broken, and the journal holds no adopted ones to fall back on:\n{problems}\n\
                     (hint: repair the files or `policies`; `paramedic check` says what is wrong)"
                );
            }
            // The policies of then, but the settings of today: an old mode or guard must not come back.
            let adopted = opened.state.current_book().source().files.clone();
            if let Err(unfit) = reloader.fall_back(adopted, settings(&configuration)) {
                bail!(
                    "the policies are broken, and the last adopted ones of the journal do not load under today's \
                     configuration:\n{}\nwhat is broken in the files:\n{problems}\n(hint: repair the files; \
                     `paramedic check` says what is wrong)",
                    unfit.join("\n")
                );
            }
        }
        let (stop, stopped) = watch::channel(false);
        let equipment = Equipment {
            journals,
            world: Arc::clone(&world),
            clock: Arc::clone(&clock),
            redactor: redactor.clone(),
            metrics: Arc::clone(&metrics),
            book,
            stop: stopped.clone(),
            version: version.to_owned(),
        };
        let (driver, inbox) = Driver::new(equipment);
        let served = Arc::new(Served {
            inbox: inbox.clone(),
            tokens,
            metrics,
            clock,
            redactor,
            reloads: reloads.clone(),
            book: status,
            others,
            world: Arc::clone(&world),
            explanations: Semaphore::new(http::EXPLANATIONS_AT_ONCE),
            body_memory: Arc::new(Semaphore::new(http::BODY_MEMORY_KIB)),
            version: version.to_owned(),
        });
        let driver = tokio::spawn(driver.run(opened));
        let mut standing = inbox.watch();
        let begun = standing.wait_for(|standing| standing.journal != JournalStanding::Opening);
        let begun = tokio::time::timeout(BEGINS_WITHIN, begun).await.map(|begun| begun.map(drop));
        if !matches!(begun, Ok(Ok(()))) {
            stop.send_replace(true);
            bail!("the first records did not become durable; see the log");
        }
        let reloader = tokio::spawn(reloader.watching().run());
        let peers = tokio::spawn(peers.ask());
        let (public, admin) = listening.addresses();
        let listening = listening.serve(http::public(Arc::clone(&served)), http::admin(Arc::clone(&served)));
        tracing::info!(%public, %admin, mode = %configuration.mode, version, "paramedic serves");
        Ok(Daemon { public, admin, inbox, reloads, served, driver, reloader, peers, listening, stop })
    }
}

/// A running daemon.
pub struct Daemon {
    /// Where webhook and API listen.
    pub public: SocketAddr,
    /// Where metrics and health listen.
    pub admin: SocketAddr,
    /// The way to the driver.
    pub inbox: Inbox,
    /// Loads policies again.
    pub reloads: Reloads,
    served: Shared,
    driver: JoinHandle<()>,
    reloader: JoinHandle<()>,
    peers: JoinHandle<()>,
    listening: listening::Serving,
    stop: watch::Sender<bool>,
}

impl Daemon {
    /// Serves until `shutdown` resolves or the driver breaks, then stops.
    ///
    /// # Errors
    /// When the driver broke, or did not end in time.
    pub async fn until(mut self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let hangups = listening::hangups(Arc::clone(&self.served));
        tokio::select! {
            () = shutdown => {}
            () = hangups => {}
            broken = &mut self.driver => {
                self.listening.cut();
                self.reloader.abort();
                self.peers.abort();
                return broken.context("the driver broke; nothing acts without it");
            }
        }
        self.stop().await
    }

    /// Stops in order: intake, appends, running effects up to a limit.
    ///
    /// # Errors
    /// When the driver broke, or did not end in time.
    pub async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping: no new requests");
        self.reloader.abort();
        self.peers.abort();
        // Streams end when the driver says that it stops; everything else is answered while it still runs.
        self.listening.drain(INTAKE_ENDS_WITHIN, &self.stop).await;
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(DRIVER_ENDS_WITHIN, self.driver).await;
        let ended = ended
            .map_err(|_| anyhow!("the driver did not end in time; the next start closes what it left"))?;
        ended.context("the driver broke while it stopped")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// What each reload reads. What the flags and the file say about listeners, journal and cluster holds until a restart.
fn want(first: &Configuration, file: Option<PathBuf>, reread: Reread) -> Want {
    let first = first.clone();
    Arc::new(move || {
        let now = reread()?;
        let (settings, waits) = (settings(&now), restarts::waits(&first, &now));
        let tokens = now.tokens.into_iter().map(|token| token.file);
        Ok(Wanted {
            policies: now.policies,
            settings,
            waits,
            beside: file.iter().cloned().chain(tokens).collect(),
        })
    })
}

/// The settings of a configuration.
fn settings(configuration: &Configuration) -> Settings {
    let mut settings = configuration.settings();
    if settings.guards.protected.own_namespace.is_empty() {
        settings.guards.protected.own_namespace = kubernetes_config::own_namespace().unwrap_or_default();
    }
    settings
}

/// Takes the tokens of the configuration as it is now.
fn reread_tokens(tokens: &Arc<Tokens>, reread: &Reread) -> Also {
    let (tokens, reread) = (Arc::clone(tokens), Arc::clone(reread));
    Box::new(move || {
        // What is wrong with a configuration that cannot be read, the reading of policies says.
        let out = tokens.reread(reread().ok().map(|now| now.tokens));
        for what in &out.taken_out {
            tracing::warn!(what, "a token is out");
        }
        for what in &out.unusable {
            tracing::error!(what, "tokens cannot be used");
        }
        out
    })
}

async fn real_world(
    configuration: &Configuration,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
    redactor: &Redactor,
) -> anyhow::Result<(Arc<dyn World>, Others, Peers)> {
    let prometheus =
        Prometheus::new(&configuration.prometheus, Arc::clone(clock), Arc::clone(metrics), redactor.clone())?;
    let (facts, reachable): (Arc<dyn MetricsPort>, Option<watch::Receiver<Reachable>>) = match prometheus {
        Some((prometheus, reachable)) => {
            let prometheus = prometheus.fresh_within(configuration.facts.max_age);
            (Arc::new(prometheus), Some(reachable))
        }
        None => {
            tracing::warn!("no Prometheus is configured; whatever needs a fact is withheld");
            (Arc::new(NoPrometheus), None)
        }
    };
    let now = Arc::clone(clock);
    let now: paramedic_remediations::ports::clock::Clock = Arc::new(move || now.wall());
    let endpoints = Endpoints::new(&configuration.endpoints)?;
    let plain = Arc::new(PlainHttp::new()?.with_endpoints(endpoints));
    let courier = Arc::new(Courier::new(&configuration.notifications)?);
    let cluster = kubernetes_config::config(&configuration.kubernetes).await?;
    let mut peers = Peers::default();
    let mut seen = None;
    if let Some(config) = &cluster {
        let url = config.cluster_url.to_string();
        logs::name_cluster(&url);
        let (reachable, reached) = watch::channel(Reachable::NotAsked);
        let (uid, known) = watch::channel(None);
        seen = Some(ClusterSeen { url: url.clone(), uid: known, reachable: reached });
        let (clock, metrics, redactor) = (Arc::clone(clock), Arc::clone(metrics), redactor.clone());
        let eyes = KubernetesEyes::new(config.clone())?;
        peers.kubernetes =
            Some(ApiServer { eyes, url, uid, may_look: true, reachable, clock, metrics, redactor });
    }
    peers.prometheus = reachable.is_some().then(|| Arc::clone(&facts));
    // Where the cap is dry-run there are no hands to begin with.
    let remedies = if configuration.mode == Mode::DryRun {
        let eyes = cluster.map(KubernetesEyes::new).transpose()?;
        let eyes =
            eyes.map(|eyes| Arc::new(eyes) as Arc<dyn paramedic_remediations::ports::cluster::Cluster>);
        Remedies::without_hands(eyes, plain, facts, now)
    } else {
        let hands = cluster.map(Kubernetes::new).transpose()?;
        let hands =
            hands.map(|hands| Arc::new(hands) as Arc<dyn paramedic_remediations::ports::cluster::Hands>);
        Remedies::with_hands(hands, plain, facts, now)
    };
    let redactor = redactor.clone();
    let hides: Hides = Arc::new(move |text: &str| redactor.text(text).into_owned());
    let remedies = remedies.with_courier(courier).with_redaction(hides);
    Ok((Arc::new(remedies), Others { prometheus: reachable, kubernetes: seen, simulated: false }, peers))
}

#[cfg(test)]
mod tests;
