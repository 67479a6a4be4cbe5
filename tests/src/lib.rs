//! The harness of the whole-program tests: real servers on free loopback ports, one file for each, and the
//! waits between them. It must never leave a process behind, wait without a deadline, or hide that a test
//! was left out.
//!
//! ```text
//! MetricsService ──scraped by──> Prometheus ──alerts──> Alertmanager ──webhook──> Paramedic ──> ControlPlane
//!   (ours: gauges, breakers)      (Debian's)            (Debian's, 0.31)          (our binary)   (etcd, API server,
//!                                                          └──> WebhookReceiver                   controllers, kwok)
//! ```
//!
//! A test says what it needs and goes on without it only where that is allowed:
//!
//! ```no_run
//! # use paramedic_tests::control_plane::ControlPlane;
//! # async fn a_test() {
//! let Some(cluster) = ControlPlane::shared().await else { return };
//! let shop = cluster.namespace("shop").await;
//! shop.deployment("web", 4).await;
//! # }
//! ```

pub mod alertmanager;
pub mod argo_rollouts;
pub mod chain;
pub mod control_plane;
pub mod history;
pub mod metrics_service;
pub mod paramedic;
pub mod peers;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod receiver;
pub mod scratch;
pub mod seeded;
pub mod story;
pub mod tls;
pub mod traced;
pub mod waiting;
