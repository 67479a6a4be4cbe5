//! The two listeners: opened before anything else, so that a wrong address ends the start; refused where strangers could
//! reach the API without a token.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connections;
use crate::config::{Configuration, address_of, open_to_strangers};
use crate::reload::Reloads;

/// Sockets that do not answer yet.
pub(super) struct Listening {
    public: TcpListener,
    admin: TcpListener,
    addresses: (SocketAddr, SocketAddr),
}

impl Listening {
    pub(super) async fn open(configuration: &Configuration) -> anyhow::Result<Self> {
        let public = address_of(&configuration.listen).map_err(anyhow::Error::msg)?;
        let admin = address_of(&configuration.admin_listen).map_err(anyhow::Error::msg)?;
        if let Some(open) = open_to_strangers(configuration) {
            bail!("{open}");
        }
        let bind = async |address: SocketAddr| {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| format!("could not listen on {address}; is another paramedic running?"))
        };
        let (public, admin) = (bind(public).await?, bind(admin).await?);
        let addresses = (public.local_addr()?, admin.local_addr()?);
        Ok(Self { public, admin, addresses })
    }

    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        self.addresses
    }

    /// Answers from now on.
    pub(super) fn serve(self, public: Router, admin: Router) -> Serving {
        let (drain, draining) = watch::channel(false);
        let (to_the_end, never) = watch::channel(false);
        let public = tokio::spawn(connections::answer(self.public, public, connections::PUBLIC, draining));
        let admin = tokio::spawn(connections::answer(self.admin, admin, connections::ADMIN, never));
        Serving { public, admin, drain, _to_the_end: to_the_end }
    }
}

/// Listeners that answer. The admin one answers to the very end.
pub(super) struct Serving {
    public: JoinHandle<()>,
    admin: JoinHandle<()>,
    drain: watch::Sender<bool>,
    /// Kept, since its end would be the order to the admin listener.
    _to_the_end: watch::Sender<bool>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Serving {
    /// Ends at once.
    pub(super) fn cut(&self) {
        self.public.abort();
        self.admin.abort();
    }

    /// Takes no new connections and lets requests under way end. Half of the time is for those that end by
    /// themselves; then `stop` tells the driver, which ends the streams.
    pub(super) async fn drain(&self, within: Duration, stop: &watch::Sender<bool>) {
        self.drain.send_replace(true);
        if !ended(&self.public, within / 20).await {
            stop.send_replace(true);
            ended(&self.public, within).await;
        }
        self.public.abort();
    }
}

async fn ended(task: &JoinHandle<()>, within: Duration) -> bool {
    let patience = tokio::time::Instant::now() + within;
    while !task.is_finished() {
        if tokio::time::Instant::now() >= patience {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

/// Reloads on each SIGHUP, for ever.
pub(super) async fn hangups(reloads: Reloads) {
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let Ok(mut hangup) = hangup else {
        tracing::warn!("SIGHUP cannot be listened for; reload with POST /-/reload");
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: reading policies again");
        reloads.nudge();
    }
    std::future::pending().await
}

/// Resolves on SIGTERM or Ctrl-C.
pub async fn ordered_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = terminate => {}
        () = interrupt => {}
    }
}
