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
use crate::http::{Shared, reload_by_signal};

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
        if public == admin && public.port() != 0 {
            bail!(
                "`--listen` and `--admin-listen` are both {public} (`listen` and `adminListen` in the configuration); \
                 give each a port of its own"
            );
        }
        let bind = async |address: SocketAddr, flag: &str, key: &str| {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| {
                format!(
                    "could not listen on {address} (`{flag}`, or `{key}` in the configuration); is another paramedic \
                     running?"
                )
            })
        };
        let public = bind(public, "--listen", "listen").await?;
        let admin = bind(admin, "--admin-listen", "adminListen").await?;
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
pub(super) async fn hangups(served: Shared) {
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let Ok(mut hangup) = hangup else {
        tracing::warn!("SIGHUP cannot be listened for; reload with POST /-/reload");
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: reading policies again");
        reload_by_signal(&served).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_had_is_told_with_its_flag() {
        let free = "127.0.0.1:0";
        let held = TcpListener::bind(free).await.expect("a port is free");
        let held_at = held.local_addr().expect("bound").to_string();
        let open = async |listen: &str, admin_listen: &str| {
            let configuration = Configuration {
                listen: listen.to_owned(),
                admin_listen: admin_listen.to_owned(),
                ..Configuration::default()
            };
            Listening::open(&configuration).await.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let error = open(&held_at, free).await;
        assert!(
            error.contains(&format!("could not listen on {held_at} (`--listen`, or `listen`")),
            "{error}"
        );
        let error = open(free, &held_at).await;
        assert!(error.contains("(`--admin-listen`, or `adminListen`"), "{error}");
        let error = open(&held_at, &held_at).await;
        assert!(error.contains(&format!("`--listen` and `--admin-listen` are both {held_at}")), "{error}");
        assert_eq!(open(free, free).await, "", "each gets a port of its own");
    }
}
