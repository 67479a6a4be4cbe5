//! Doing it, safely: the write-ahead loop, the seal that only it can mint, one file per remediation, and the
//! adapters for Kubernetes and HTTP.
//!
//! ```text
//!   Input --> WriteAhead: decide, apply, collect --Block--> Journal port --Receipt--> releases:
//!                                                                  replies, questions, Sealed<Intent>
//!   Sealed<Intent> --> Remedies --remedy.rs--> scale.rs | restart.rs | reset_breaker.rs --> Cluster, Http ports
//! ```
//!
//! Nothing leaves before its block is durable. Deliberately absent: axum, sled, clap, Prometheus, guard logic.

mod abort_rollout;
mod addresses;
mod block_ip;
mod breaker_states;
mod checks;
pub mod cleanup;
mod collect_evidence;
pub mod courier;
mod delete_pod;
mod drain_node;
pub mod endpoints;
mod evict_pod;
#[cfg(test)]
mod fakes;
mod freeze_deploys;
mod http_call;
pub mod identity;
#[cfg(any(test, feature = "in-memory"))]
pub mod in_memory;
mod ingress_nginx;
pub mod kubernetes;
mod makers;
mod one_change;
mod ownership;
mod patch;
pub mod plain_http;
mod pods;
pub mod ports;
mod quarantine;
pub mod remedies;
mod remedy;
mod renew_certificate;
mod reset_breaker;
mod restart;
mod retry;
mod revisions;
pub mod rights;
mod rollback;
mod rollout_watch;
mod run_job;
mod scale;
pub mod seal;
mod stamp;
pub mod turns;
mod unfit;
pub mod write_ahead;

pub use courier::Courier;
pub use endpoints::Endpoints;
pub use kubernetes::{Kubernetes, KubernetesEyes, KubernetesSweeper};
pub use plain_http::PlainHttp;
pub use remedies::Remedies;
pub use seal::Sealed;
pub use turns::{EFFECTS_AT_ONCE, Turn, Turns};
pub use unfit::{Unfit, unfit};
pub use write_ahead::{Release, Stuck, StuckWhy, Ticket, WriteAhead};
